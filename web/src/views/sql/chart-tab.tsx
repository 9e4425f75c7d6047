/** The chart of a result: suggested by the types of its columns, changed by a few choices that the address keeps. */
import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { Badge, Empty, Select } from '../../components/basics.tsx'
import { CHART_COLOURS, Chart, type Plot } from '../../components/chart.tsx'
import type { GridColumn } from '../../components/grid-model.ts'
import * as format from '../../format.ts'
import { route, setQuery } from '../../route.ts'
import {
  CHART_KINDS,
  type ChartChoice,
  chosenChart,
  type Drawn,
  type Point,
  pointsOf,
  roleOf,
  suggestChart,
} from './chart-model.ts'
import type { Run } from './run.ts'

const KIND_LABELS = { line: 'Line', bar: 'Bars', dot: 'Dots', histogram: 'Histogram' } as const
const HEIGHT = 380
const BAR_HEIGHT = 26

/** The chart tab. */
export function ChartTab({ run, columns }: { run: Run; columns: readonly GridColumn[] }): JSX.Element {
  const { rows, count } = run
  const { query } = route.value
  const cell = (row: number, column: number) => rows[row]![column]
  const suggested = useMemo(() => suggestChart(columns, count, cell), [columns, count])
  const choice = chosenChart(query, columns, suggested)
  const key = JSON.stringify(choice)
  const drawn = useMemo(() => choice && pointsOf(choice, columns, count, cell), [key, columns, count])
  if (!choice || !drawn) {
    return (
      <Empty icon="chart" title={count === 0 ? 'No rows to draw' : 'No column to draw'}>
        <p class="quiet">
          {count === 0
            ? 'The query gave no rows.'
            : 'Select a number, a time or a text: values of other types have no place on an axis.'}
        </p>
      </Empty>
    )
  }
  return (
    <div class="sql-chart">
      <div class="card padded stack">
        <Legend choice={choice} series={drawn.series} />
        <Picture choice={choice} drawn={drawn} columns={columns} />
        {(drawn.note || run.hasMore) && (
          <p class="quiet small">
            {drawn.note} {run.hasMore && `Of the result, the first ${format.number(count)} rows are here.`}
          </p>
        )}
      </div>
      <Choices choice={choice} columns={columns} />
    </div>
  )
}

function Choices({ choice, columns }: { choice: ChartChoice; columns: readonly GridColumn[] }): JSX.Element {
  const all = columns.map(({ name }) => ({ value: name, label: name }))
  const numbers = columns
    .filter((column) => roleOf(column) === 'number')
    .map(({ name }) => ({ value: name, label: name }))
  const change = (part: Partial<ChartChoice>) => {
    const { kind, x, y, colour } = { ...choice, ...part }
    setQuery({ chart: kind, x, y: y || undefined, colour: colour || undefined })
  }
  const kinds = CHART_KINDS.map((value) => ({ value, label: KIND_LABELS[value] }))
  return (
    <div class="sql-choices">
      <Select label="Chart" value={choice.kind} options={kinds} onChange={(kind) => change({ kind })} />
      <Select label="Across" value={choice.x} options={all} onChange={(x) => change({ x })} />
      {choice.kind !== 'histogram' && (
        <Select
          label="Up"
          value={choice.y}
          options={[{ value: '', label: 'number of rows' }, ...numbers]}
          onChange={(y) => change({ y })}
        />
      )}
      <Select
        label="Colour"
        value={choice.colour}
        options={[{ value: '', label: 'one' }, ...all]}
        onChange={(colour) => change({ colour })}
      />
    </div>
  )
}

function Legend({ choice, series }: { choice: ChartChoice; series: readonly string[] }): JSX.Element | null {
  if (choice.colour === '' || series.length === 0) return null
  return (
    <ul class="sql-legend" aria-label={`Colours: ${choice.colour}`}>
      {series.map((name, index) => (
        <li key={name}>
          <i style={{ background: colourOf(index) }} aria-hidden="true" />
          <span class="truncate">{name === '' ? 'empty' : name}</span>
        </li>
      ))}
    </ul>
  )
}

/** Colours for series; those beyond the tokens are mixed of them. */
function colourOf(index: number): string {
  const base = CHART_COLOURS[index % CHART_COLOURS.length]!
  return index < CHART_COLOURS.length ? base : `color-mix(in oklab, ${base} 50%, var(--ink))`
}

function Picture({
  choice,
  drawn,
  columns,
}: {
  choice: ChartChoice
  drawn: Drawn
  columns: readonly GridColumn[]
}): JSX.Element {
  const role = roleOf(columns.find(({ name }) => name === choice.x)!)
  const isAcross = choice.kind === 'bar' && role === 'text'
  const places = isAcross ? [...new Set(drawn.points.map(({ x }) => String(x)))] : []
  const height = isAcross ? Math.max(140, places.length * BAR_HEIGHT + 46) : HEIGHT
  const up = choice.y || 'rows'
  const what = `${KIND_LABELS[choice.kind]}: ${choice.kind === 'histogram' ? 'rows' : up} by ${choice.x}`
  return (
    <>
      <h2 class="sql-chart-title">
        {choice.kind === 'histogram' ? 'rows' : up} <span class="quiet">by</span> {choice.x}{' '}
        {choice.colour && <Badge>{choice.colour}</Badge>}
      </h2>
      <Chart
        label={`${what}, ${format.counted(drawn.points.length, 'mark')}`}
        height={height}
        inputs={[drawn, choice.kind, role]}
        draw={(plot, width) => optionsOf(plot, width, { choice, drawn, role, places, up })}
      />
    </>
  )
}

interface Scene {
  choice: ChartChoice
  drawn: Drawn
  role: ReturnType<typeof roleOf>
  places: string[]
  up: string
}

type Options = ReturnType<Parameters<typeof Chart>[0]['draw']>

function optionsOf(plot: Plot, width: number, scene: Scene): Options {
  const { choice, drawn } = scene
  const color = {
    domain: drawn.series,
    range: drawn.series.map((_, index) => colourOf(index)),
    type: 'ordinal' as const,
  }
  const small = (value: number) => format.short(value)
  const base = { marginTop: 14, marginRight: 16, marginBottom: 34, marginLeft: 52, color }
  const amounts = { label: null, grid: true, tickFormat: small, nice: true }
  if (choice.kind === 'bar' && scene.role === 'text') return acrossOptions(plot, width, scene, { ...base, amounts })
  const x = { label: null, ...(scene.role === 'time' && { type: 'utc' as const }), ...(width < 480 && { ticks: 4 }) }
  if (choice.kind === 'bar') {
    const domain = [...new Set(drawn.points.map(({ x }) => Number(x)))].sort((a, b) => a - b)
    const every = Math.ceil(domain.length / Math.max(2, width / 90))
    const band = {
      type: 'band' as const,
      label: null,
      domain,
      tickFormat: placeText(scene.role),
      ticks: domain.filter((_, k) => k % every === 0),
    }
    const marks = [
      plot.ruleY([0], { stroke: 'var(--line-strong)' }),
      plot.barY(drawn.points, {
        x: (point: Point) => Number(point.x),
        y: 'y',
        fill: 'colour',
        title: titleOf(scene),
        tip: TIP,
      }),
    ]
    return { ...base, x: band, y: amounts, marks }
  }
  if (choice.kind === 'histogram') {
    const bins = { x: 'x', fill: 'colour', insetLeft: 0.5, insetRight: 0.5, tip: TIP }
    const marks = [
      plot.rectY(drawn.points, plot.binX({ y: 'count' }, bins)),
      plot.ruleY([0], { stroke: 'var(--line-strong)' }),
    ]
    return { ...base, x, y: amounts, marks }
  }
  const options = { x: 'x', y: 'y', stroke: 'colour', title: titleOf(scene), tip: TIP }
  const marks =
    choice.kind === 'line'
      ? [plot.lineY(drawn.points, { ...options, z: 'colour', strokeWidth: 1.8 })]
      : [
          plot.dot(drawn.points, {
            ...options,
            r: drawn.points.length > 500 ? 2 : 3.2,
            fill: 'colour',
            fillOpacity: 0.35,
          }),
        ]
  return {
    ...base,
    x: scene.role === 'text' ? { label: null, type: 'point' } : { ...x, nice: choice.kind === 'dot' },
    y: amounts,
    marks,
  }
}

/** Bars of texts lie: their names can then be read. */
function acrossOptions(
  plot: Plot,
  width: number,
  scene: Scene,
  {
    amounts,
    ...base
  }: {
    amounts: object
    color: object
    marginTop: number
    marginRight: number
    marginBottom: number
    marginLeft: number
  },
): Options {
  const { drawn, places } = scene
  const longest = places.reduce((most, { length }) => Math.max(most, length), 0)
  const marginLeft = Math.min(longest * 6.4 + 14, width * 0.38)
  const most = Math.floor((marginLeft - 14) / 6.2)
  const isPlain = scene.choice.colour === ''
  const marks = [
    plot.barX(drawn.points, {
      x: 'y',
      y: (point: Point) => String(point.x),
      fill: 'colour',
      insetTop: 2,
      insetBottom: 2,
      title: titleOf(scene),
      tip: TIP,
    }),
    plot.ruleX([0], { stroke: 'var(--line-strong)' }),
    ...(isPlain && drawn.points.every(({ y }) => y >= 0)
      ? [
          plot.text(drawn.points, {
            x: 'y',
            y: (point: Point) => String(point.x),
            text: (point: Point) => format.short(point.y),
            textAnchor: 'start' as const,
            dx: 5,
            fill: 'var(--ink-2)',
          }),
        ]
      : []),
  ]
  return {
    ...base,
    marginLeft,
    marginTop: 4,
    marginRight: 48,
    x: { ...amounts, ...(width < 480 && { ticks: 3 }) },
    y: {
      label: null,
      domain: places,
      tickSize: 0,
      tickFormat: (name: string) => (name.length > most ? `${name.slice(0, most - 1)}…` : name || 'empty'),
    },
    marks,
  }
}

const TIP = { fill: 'var(--surface)', stroke: 'var(--line-strong)' } as const

/** What the pointer is told of a mark. */
function titleOf({ choice, role, up }: Scene): (point: Point) => string {
  const place = placeText(role)
  return ({ x, y, colour }) => {
    const at = x instanceof Date || typeof x === 'number' ? place(x) : x
    return `${choice.x}: ${at}\n${up}: ${format.number(y)}${choice.colour ? `\n${choice.colour}: ${colour}` : ''}`
  }
}

/** A place on an axis in words. */
function placeText(role: Scene['role']): (place: Date | number) => string {
  if (role !== 'time') return (place) => format.number(Number(place))
  return (place) => {
    const text = new Date(place).toISOString()
    return text.endsWith('T00:00:00.000Z') ? text.slice(0, 10) : text.slice(0, 16).replace('T', ' ')
  }
}
