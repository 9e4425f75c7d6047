/** How the values of a column are distributed: a histogram, or the most frequent values. */
import type { JSX } from 'preact'
import { call } from '../../api/api.ts'
import { useResource } from '../../api/resource.ts'
import { Bar, ErrorBox, Ghost, Stat, Stats } from '../../components/basics.tsx'
import { Chart } from '../../components/chart.tsx'
import * as format from '../../format.ts'
import { tablesVersion } from '../../session.ts'
import { boundText, type ColumnDistribution, type Histogram, numericEdges, summary } from './histogram.ts'

/** The values of a column. */
export function Distribution({
  table,
  column,
  type,
  at,
}: {
  table: string
  column: string
  type: string
  at: string | undefined
}): JSX.Element {
  const { value, error, reload } = useResource(
    async (signal) =>
      await call('column', {
        params: { table, column },
        query: at === undefined ? {} : { at },
        signal,
      }),
    [table, column, at],
    tablesVersion.value,
  )
  return (
    <section class="card padded distribution" aria-label={`Values of ${column}`} aria-busy={!value && !error}>
      <header>
        <h2 class="truncate">{column}</h2>
        <p class="mono quiet small">{type}</p>
      </header>
      {error && <ErrorBox error={error} onRetry={() => void reload()} />}
      {!value && !error && <Ghost lines={7} />}
      {value && <Shape distribution={value} />}
    </section>
  )
}

function Shape({ distribution }: { distribution: ColumnDistribution }): JSX.Element {
  const { histogram, values, rows, nulls, distinct, distinctExact, nans, infinities } = distribution
  return (
    <>
      <Stats>
        {distinct !== undefined && (
          <Stat label="Distinct">
            {distinctExact === false ? '≈ ' : ''}
            {format.number(distinct)}
          </Stat>
        )}
        <Stat label="Nulls">{nulls === 0 ? 'none' : format.share(nulls / rows)}</Stat>
        {!!nans && <Stat label="Not a number">{format.number(nans)}</Stat>}
        {!!infinities && <Stat label="Infinite">{format.number(infinities)}</Stat>}
      </Stats>
      {histogram && histogram.counts.length > 0 && <Bins histogram={histogram} distribution={distribution} />}
      {values && values.length > 0 && <TopValues distribution={distribution} />}
      {!histogram && !values && <p class="quiet">Values of this type are not counted; the preview shows some.</p>}
      {nulls === rows && <p class="quiet">Every row is null here.</p>}
    </>
  )
}

function Bins({ histogram, distribution }: { histogram: Histogram; distribution: ColumnDistribution }): JSX.Element {
  const { edges, isTime } = numericEdges(histogram, distribution.type)
  const bins = histogram.counts.map((count, bin) => ({ count, from: edges[bin]!, to: edges[bin + 1]! }))
  return (
    <>
      <Chart
        label={summary(distribution)}
        height={190}
        inputs={[histogram]}
        draw={(plot) => ({
          marginLeft: 44,
          marginBottom: 28,
          marginTop: 10,
          marginRight: 12,
          x: { type: isTime ? 'utc' : 'linear', label: null, ticks: 4 },
          y: { label: null, ticks: 4, tickFormat: (count: number) => format.short(count), grid: true },
          marks: [
            plot.rectY(bins, {
              x1: 'from',
              x2: 'to',
              y: 'count',
              fill: 'var(--mark)',
              insetLeft: 0.5,
              insetRight: 0.5,
            }),
            plot.ruleY([0], { stroke: 'var(--line-strong)' }),
            plot.tip(
              bins,
              plot.pointerX({
                x: (bin: { from: number; to: number }) => (Number(bin.from) + Number(bin.to)) / 2,
                y: 'count',
                title: (bin: { from: number | Date; to: number | Date; count: number }) =>
                  `${edgeText(bin.from)} to ${edgeText(bin.to)}\n${format.counted(bin.count, 'row')}`,
                fill: 'var(--surface)',
                stroke: 'var(--line-strong)',
              }),
            ),
          ],
        })}
      />
      <dl class="distribution-ends">
        <div>
          <dt>From</dt>
          <dd class="mono">{boundText(distribution.min)}</dd>
        </div>
        <div>
          <dt>To</dt>
          <dd class="mono">{boundText(distribution.max)}</dd>
        </div>
      </dl>
    </>
  )
}

function edgeText(edge: number | Date): string {
  return edge instanceof Date ? edge.toISOString().slice(0, 16).replace('T', ' ') : format.number(edge)
}

function TopValues({
  distribution: { values = [], otherRows = 0, rows },
}: {
  distribution: ColumnDistribution
}): JSX.Element {
  const most = values[0]?.count ?? 1
  return (
    <ol class="distribution-values">
      {values.map(({ value, count }) => (
        <Value key={JSON.stringify(value)} text={format.cell(value) ?? 'null'} {...{ count, rows, most }} />
      ))}
      {otherRows > 0 && <Value text="all others" isRest {...{ count: otherRows, rows, most }} />}
    </ol>
  )
}

function Value({
  text,
  count,
  rows,
  most,
  isRest,
}: {
  text: string
  count: number
  rows: number
  most: number
  isRest?: boolean
}): JSX.Element {
  return (
    <li data-rest={isRest}>
      <span class="truncate" title={text}>
        {text === '' ? <i class="quiet">empty</i> : text}
      </span>
      <span class="number" title={format.counted(count, 'row')}>
        {format.share(count / rows)}
      </span>
      <Bar share={isRest ? 0 : count / most} />
    </li>
  )
}
