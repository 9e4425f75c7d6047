/** Filters, targets and sequences in words. */
import { shown } from './json.ts'
import type {
  ExpandedFilter,
  ExpandedRowFilter,
  ExpandedSequence,
  FilterOperator,
  TargetOperator,
  VerboseTarget,
} from './types.ts'
import type { Sequence, Step } from './validate.ts'

/** Columns of plain names as they are, others in quotes. */
export function columnWords(name: string): string {
  return /^[A-Za-z_][\w.]*$/.test(name) ? name : shown(name)
}

const OPERATORS: Record<FilterOperator, string> = {
  '==': 'is',
  '!=': 'is not',
  '<': 'is less than',
  '<=': 'is at most',
  '>': 'is greater than',
  '>=': 'is at least',
  contains: 'contains',
  'not contains': 'does not contain',
  'starts with': 'starts with',
  'ends with': 'ends with',
  matches: 'matches',
  in: 'is one of',
  'not in': 'is none of',
  between: 'is between',
  'is null': 'is null',
  'is not null': 'is not null',
}

/** What a row must be: `event is "buy" and (price is at least 10 or price is null)`. */
export function rowsWords(rows: ExpandedRowFilter): string {
  return 'filter' in rows ? filterWords(rows.filter) : joined(rows.filters, ' and ')
}

function filterWords(filter: ExpandedFilter): string {
  if ('and' in filter) return joined(filter.and, ' and ')
  if ('or' in filter) return joined(filter.or, ' or ')
  if ('not' in filter) return `not (${filterWords(filter.not)})`
  const { column, op, value } = filter
  const head = `${columnWords(column)} ${OPERATORS[op]}`
  if (value === undefined) return head
  if (op === 'between' && Array.isArray(value)) return `${head} ${shown(value[0]!)} and ${shown(value[1]!)}`
  return `${head} ${Array.isArray(value) ? value.map(shown).join(', ') : shown(value)}`
}

function joined(filters: readonly ExpandedFilter[], word: string): string {
  if (filters.length === 1) return filterWords(filters[0]!)
  return filters.map((filter) => (isPlain(filter) ? filterWords(filter) : `(${filterWords(filter)})`)).join(word)
}

/** True for what needs no parentheses among others; `between` has an "and" of its own. */
function isPlain(filter: ExpandedFilter): boolean {
  return 'not' in filter || ('op' in filter && filter.op !== 'between')
}

const COUNTS: Record<TargetOperator, (count: string, what: string) => string> = {
  '==': (count, what) => `exactly ${count} ${what}`,
  '!=': (count, what) => `a number of ${what} other than ${count}`,
  '<': (count, what) => `fewer than ${count} ${what}`,
  '<=': (count, what) => `at most ${count} ${what}`,
  '>': (count, what) => `more than ${count} ${what}`,
  '>=': (count, what) => `at least ${count} ${what}`,
}

const MEASURES = { sum: 'the sum', mean: 'the mean', min: 'the least', max: 'the greatest' }

/** For whom a condition on rows holds: `has at least 3 rows where …`. */
export function targetWords(rows: string, target: VerboseTarget, includeZero: boolean): string {
  const { op, value } = target
  if (target.type !== 'count' && target.type !== 'distinct') {
    const measure = `${MEASURES[target.type]} of ${columnWords(target.column)}`
    return `has a row where ${rows}, and ${measure} over all such rows ${OPERATORS[op]} ${shown(value)}`
  }
  const what = target.type === 'count' ? 'rows' : `different values of ${columnWords(target.column)} in rows`
  const number = Number(value)
  const none = includeZero ? ', or no such row' : takesZero(op, number) ? ', and at least one such row' : ''
  if (target.type === 'count' && op === '==' && number === 0) return `has no row where ${rows}`
  if (target.type === 'count' && number + Number(op === '>') === 1 && (op === '>=' || op === '>'))
    return `has a row where ${rows}`
  return `has ${COUNTS[op](shown(value), what)} where ${rows}${none}`
}

function takesZero(op: TargetOperator, value: number): boolean {
  if (op === '==' || op === '>=') return value === 0
  return op === '<' ? value > 0 : op === '!=' ? value !== 0 : op === '<='
}

/** A sequence with what its words need. */
export interface WordedSequence {
  sequence: Sequence
  expanded: ExpandedSequence
  /** The unit of numbers as spans of time. */
  unit: string
}

/** When an actor passes each step, in order, then the rules for all of them. */
export function sequenceWords(worded: WordedSequence): string[] {
  const { steps, order } = worded.sequence
  const positive = steps.filter(({ negative }) => !negative)
  const lines = positive.map((step, place) =>
    order === 'any' ? anyOrderWords(worded, step, place) : stepWords(worded, positive, step, place),
  )
  return [...lines.map((line) => `${line}.`), ...ruleWords(worded)]
}

/** `step 3 "buy"`: positive steps count from 1. */
function stepName({ name }: Step, place: number): string {
  return `step ${place + 1}${name === undefined ? '' : ` "${name}"`}`
}

function rowWords({ expanded }: WordedSequence, { index }: Step): string {
  return rowsWords(expanded.sequence[index]!)
}

function spanWords(span: number | bigint | string, unit: string): string {
  return typeof span === 'string' ? span : `${span}${unit}`
}

function anyOrderWords(worded: WordedSequence, step: Step, place: number): string {
  const row = `a row where ${rowWords(worded, step)}`
  if (place === 0) return `An actor passes ${stepName(step, place)} when it has ${row}`
  const others = place === 1 ? 'step 1' : `steps 1 to ${place}`
  return `An actor passes ${stepName(step, place)} when it has rows for ${others} and ${row}, in any order`
}

function stepWords(worded: WordedSequence, positive: readonly Step[], step: Step, place: number): string {
  const { sequence } = worded
  const before = positive.slice(0, place).findLastIndex(({ optional }) => !optional)
  const row = `a row r${place + 1} where ${rowWords(worded, step)}`
  const follows = `, ${sequence.ties === 'never' ? 'later' : 'no earlier'} than r${before + 1}${sequence.sameRow ? ' (which it may be itself)' : ''}`
  if (step.optional) return optionalWords(worded, positive, place, `${row}${follows}`)
  const head = `An actor passes ${stepName(step, place)} when it has ${row}`
  const rules = [...gapWords(worded, positive, place, before), ...trailingWords(worded, positive, place)]
  const chain = positive.flatMap((other, k) => (k < place && !other.optional ? [`r${k + 1}`] : []))
  if (before < 0) return `${head}${rules.map((rule) => `, ${rule}`).join('')}`
  return `${head}${follows}${rules.map((rule) => `, ${rule}`).join('')}, with ${chain.join(', ')} as in ${stepName(positive[before]!, before)}`
}

function optionalWords(worded: WordedSequence, positive: readonly Step[], place: number, row: string): string {
  const step = positive[place]!
  const next = positive.findIndex(({ optional }, k) => k > place && !optional)
  const until =
    next < 0
      ? ''
      : `, ${worded.sequence.ties === 'never' ? 'before' : 'no later than'} r${next + 1} if the chain goes on to ${stepName(positive[next]!, next)}`
  return `${capital(stepName(step, place))} is optional: an actor counts for it when a chain to its furthest required step also has ${row}${until}`
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** What must lie, or not lie, between the required row before and this one. */
function gapWords(worded: WordedSequence, positive: readonly Step[], place: number, before: number): string[] {
  const { sequence, expanded, unit } = worded
  const step = positive[place]!
  const from = before < 0 ? -1 : sequence.steps.indexOf(positive[before]!)
  const { within, after } = expanded.sequence[step.index]!
  const forbidden = sequence.steps.slice(from + 1, sequence.steps.indexOf(step)).filter(({ negative }) => negative)
  const where = before < 0 ? `earlier than r${place + 1}` : `between r${before + 1} and r${place + 1}`
  return [
    ...(within === undefined ? [] : [`at most ${spanWords(within, unit)} after r${before + 1}`]),
    ...(after === undefined ? [] : [`at least ${spanWords(after, unit)} after r${before + 1}`]),
    ...forbidden.map((negative) => `with no row where ${rowWords(worded, negative)} ${where}`),
  ]
}

/** What must not follow the last required row. */
function trailingWords(worded: WordedSequence, positive: readonly Step[], place: number): string[] {
  const { sequence } = worded
  if (positive.some(({ optional }, k) => k > place && !optional)) return []
  const within = withinOf(worded)
  const end = within === undefined ? '' : ` and up to ${within} after r1`
  const rest = sequence.steps.slice(sequence.steps.indexOf(positive[place]!) + 1)
  const forbidden = rest.filter(({ negative }) => negative)
  return forbidden.map((negative) => `with no row where ${rowWords(worded, negative)} later than r${place + 1}${end}`)
}

function withinOf({ expanded: { within, maxDuration }, unit }: WordedSequence): string | undefined {
  const span = within ?? maxDuration
  return span === undefined ? undefined : spanWords(span, unit)
}

function ruleWords(worded: WordedSequence): string[] {
  const { order, ties, sameRow, hold, steps } = worded.sequence
  const within = withinOf(worded)
  const positive = steps.filter(({ negative }) => !negative).length
  const isChain = positive > 1
  return [
    ...(within === undefined || !isChain ? [] : [`From the first of these rows to the last, at most ${within} pass.`]),
    ...(isChain ? [TIES[order === 'any' ? 'any' : 'ordered'][ties]] : []),
    ...(sameRow ? ['One row may stand for several steps.'] : []),
    ...(isChain && order === 'strict'
      ? ['Between neighbouring rows of the chain lies no other row of the actor, whatever it matches.']
      : []),
    ...(steps.length > positive
      ? ['"Between", "earlier" and "later" leave out rows at the same instant as a row of the chain.']
      : []),
    ...(hold.length === 0
      ? []
      : [
          `All of it is judged among rows with the same ${hold.map(columnWords).join(' and ')}, none of them null; one such series that passes is enough.`,
        ]),
    ...(isChain && order !== 'strict' ? ['Other rows may lie anywhere; it is enough that such rows exist.'] : []),
  ]
}

const TIES = {
  ordered: {
    never: 'Two rows of one instant never follow one another.',
    stepOrder: 'Rows of one instant may follow one another, in the order of the steps.',
  },
  any: { never: 'These rows have different times.', stepOrder: 'These rows may have equal times.' },
}
