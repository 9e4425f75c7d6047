/** The result of a behavioural query for people: matches, aggregations as small tables, a bar for each step of the funnel. */
import type { AggregationResult, BehaviouralResult, FunnelStepResult } from '../../behaviour/result.ts'
import { durationText } from '../../common/duration-text.ts'
import type { BehaviouralStats } from '../../coordinator/behaviour-result.ts'
import { barText, counted, countText, percentText } from './numbers.ts'
import { drawTable, type TableOptions } from './table.ts'
import { shorten, visible } from './width.ts'

/** A result with what it answers. */
export interface Answer {
  table: string
  /** The JSON of the query: steps without a name are called by their filter. */
  text: string
  result: BehaviouralResult<BehaviouralStats>
}

const BAR_WIDTH = 30
const LABEL_WIDTH = 48

/** The lines of a report. */
export function behaviourLines({ table, text, result }: Answer, options: TableOptions): string[] {
  const { query, funnel, stats } = result
  const { style } = options
  const scanned = stats.scannedGroups
  const share = scanned > 0 ? ` (${percentText(query.matchingGroups / scanned)})` : ''
  const sections: string[][] = [
    [
      `${style('bold', visible(table))}: ${countText(query.matchingGroups)} of ${counted(scanned, 'actor')} match${share}, ` +
        `with ${countText(query.matchingGroupRows)} of ${counted(stats.scannedRows, 'row')}`,
    ],
    ...aggregationSections('', query.aggregations, options),
  ]
  if (funnel) {
    const labels = stepLabels(text)
    const name = (step: FunnelStepResult) => step.name ?? labels[step.index] ?? `step ${step.index + 1}`
    sections.push(funnelLines(funnel.sequence, name, options))
    for (const [k, step] of funnel.sequence.entries()) {
      sections.push(...aggregationSections(`step ${k + 1}, ${name(step)}: `, step.aggregations, options))
    }
    sections.push(...aggregationSections('end of the funnel: ', funnel.endAggregations, options))
  }
  const cost = [
    counted(stats.files, 'file'),
    stats.filesPruned > 0 ? `${countText(stats.filesPruned)} pruned` : '',
    durationText(stats.ms),
  ]
  sections.push([style('dim', `(${cost.filter((part) => part !== '').join(', ')})`)])
  return sections.flatMap((lines, k) => (k === 0 ? lines : ['', ...lines]))
}

function funnelLines(
  steps: readonly FunnelStepResult[],
  name: (step: FunnelStepResult) => string,
  options: TableOptions,
): string[] {
  const right = 'right' as const
  const titles = [
    { title: '#', align: right },
    { title: 'step' },
    { title: 'actors', align: right },
    { title: 'of first', align: right },
    { title: 'of previous', align: right },
    { title: '' },
  ]
  const rows = steps.map((step, k) => [
    String(k + 1),
    shorten(visible(name(step)), LABEL_WIDTH),
    countText(step.matchingGroups),
    step.conversionRate === undefined ? '' : percentText(step.conversionRate),
    step.stepRate === undefined ? '' : percentText(step.stepRate),
    barText(step.conversionRate ?? 0, BAR_WIDTH),
  ])
  return [options.style('bold', 'Funnel'), ...drawTable(titles, rows, options).lines]
}

function aggregationSections(
  prefix: string,
  aggregations: readonly AggregationResult[] | undefined,
  options: TableOptions,
): string[][] {
  return (aggregations ?? []).map((aggregation) => aggregationLines(prefix, aggregation, options))
}

function aggregationLines(prefix: string, aggregation: AggregationResult, options: TableOptions): string[] {
  const { column, type, name, otherColumn, value, ranked, top } = aggregation
  const what = `${type}(${column}${otherColumn === undefined ? '' : `, ${otherColumn}`})`
  const entries = typeof value === 'object' ? (ranked ?? Object.entries(value)) : []
  const limit = top !== undefined && entries.length >= top ? `, top ${top}` : ''
  const title = options.style('bold', visible(`${prefix}${name === undefined ? what : `${name}, ${what}`}${limit}`))
  if (typeof value !== 'object') return [`${title}: ${value === undefined ? 'no values' : valueText(value)}`]
  if (entries.length === 0) return [`${title}: no values`]
  if (type === 'quantiles') {
    const quantiles = entries.map(([q, amount]) => [q, valueText(amount)])
    return [title, ...drawTable([{ title: 'quantile' }, { title: column, align: 'right' }], quantiles, options).lines]
  }
  const most = Math.max(...entries.map(([, amount]) => Number(amount)))
  const rows = entries.map(([key, amount]) => [
    shorten(visible(key), LABEL_WIDTH),
    valueText(amount),
    most > 0 ? barText(Number(amount) / most, BAR_WIDTH) : '',
  ])
  return [title, ...drawTable([{ title: column }, { title: type, align: 'right' }, { title: '' }], rows, options).lines]
}

function valueText(value: number | string): string {
  return typeof value === 'number' && Number.isSafeInteger(value) ? countText(value) : String(value)
}

interface LooseFilter {
  column?: unknown
  op?: unknown
  value?: unknown
}

interface LooseStep {
  filter?: unknown
  filters?: unknown[]
}

/** The filters of the funnel's steps as text, by index; none when the query cannot be read here. */
export function stepLabels(text: string): (string | undefined)[] {
  try {
    const query = JSON.parse(text.replace(/^\ufeff/, '')) as { funnel?: { sequence?: LooseStep[] } }
    return (query.funnel?.sequence ?? []).map(({ filter, filters }) => {
      const parts = filters ?? [filter]
      return parts.map(filterLabel).join(' and ')
    })
  } catch {
    return []
  }
}

function filterLabel(filter: unknown): string {
  const { column, op, value } = filter as LooseFilter
  const parts = Array.isArray(filter) ? filter : [column, op, value]
  const [name, operator, operand] = parts as unknown[]
  if (typeof name !== 'string' || typeof operator !== 'string') return JSON.stringify(filter)
  if (operand === undefined) return `${name} ${operator}`
  return `${name} ${operator} ${typeof operand === 'string' ? operand : JSON.stringify(operand)}`
}
