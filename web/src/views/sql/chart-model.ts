/** Which chart suits a result, and the points that it draws: plain functions. */
import type { GridColumn } from '../../components/grid-model.ts'
import * as format from '../../format.ts'

/** How rows are drawn. */
export const CHART_KINDS = ['line', 'bar', 'dot', 'histogram'] as const
/** One of them. */
export type ChartKind = (typeof CHART_KINDS)[number]

/** What is drawn: names of columns. An empty `y` counts rows; an empty `colour` is one colour. */
export interface ChartChoice {
  kind: ChartKind
  x: string
  y: string
  colour: string
}

/** How a column is read. */
export type Role = 'time' | 'number' | 'text'

/** Most marks that are drawn of each kind: more cannot be told apart, and are slow. */
export const MOST_MARKS = { line: 20_000, bar: 40, dot: 5000, histogram: 100_000 } as const
/** Most series that get a colour of their own. */
export const MOST_SERIES = 8

/** A row as it is drawn. */
export interface Point {
  x: Date | number | string
  y: number
  colour: string
}

/** How a column of a type is read. */
export function roleOf({ type }: GridColumn): Role {
  if (/^(DATE$|TIMESTAMP)/.test(type)) return 'time'
  return format.isNumeric(type) ? 'number' : 'text'
}

type Cell = (row: number, column: number) => unknown

/** The chart that suits the types of the columns; `undefined` where there is nothing to draw. */
export function suggestChart(columns: readonly GridColumn[], rows: number, cell: Cell): ChartChoice | undefined {
  const of = (role: Role) => columns.flatMap((column, index) => (roleOf(column) === role ? [index] : []))
  const name = (index: number | undefined) => (index === undefined ? '' : columns[index]!.name)
  const [time] = of('time')
  const [first, second] = of('number')
  const texts = of('text')
  const few = texts.find((index) => distinct(rows, cell, index, MOST_SERIES + 1) <= MOST_SERIES)
  // Several rows at one time are of several series, though there are many.
  const series = few ?? (time !== undefined && distinct(rows, cell, time, rows) < rows ? texts[0] : undefined)
  if (time !== undefined && first !== undefined) {
    return { kind: 'line', x: name(time), y: name(first), colour: name(series) }
  }
  if (texts[0] !== undefined && first !== undefined) {
    return { kind: 'bar', x: name(texts[0]), y: name(first), colour: '' }
  }
  if (first !== undefined && second !== undefined) {
    const kind = ascends(rows, cell, first) ? 'line' : 'dot'
    return { kind, x: name(first), y: name(second), colour: '' }
  }
  if (texts[0] !== undefined && time === undefined) return { kind: 'bar', x: name(texts[0]), y: '', colour: '' }
  const only = time ?? first
  return only === undefined ? undefined : { kind: 'histogram', x: name(only), y: '', colour: '' }
}

/** The choice of an address, as far as it fits the columns. */
export function chosenChart(
  query: Readonly<Record<string, string>>,
  columns: readonly GridColumn[],
  suggested: ChartChoice | undefined,
): ChartChoice | undefined {
  const has = (name: string | undefined): name is string => columns.some((column) => column.name === name)
  if (!suggested || !has(query.x)) return suggested
  const asked = CHART_KINDS.find((known) => known === query.chart) ?? suggested.kind
  const isText = columns.some((column) => column.name === query.x && roleOf(column) === 'text')
  // Texts have no bins: each is a bar.
  const kind = asked === 'histogram' && isText ? 'bar' : asked
  const y = has(query.y) && kind !== 'histogram' ? query.y : ''
  return { kind, x: query.x, y, colour: has(query.colour) ? query.colour : '' }
}

/** What is drawn of a result, and what is not. */
export interface Drawn {
  points: Point[]
  /** Series in the order of their colours; one empty name where there are no series. */
  series: string[]
  /** Said below the chart where not all is drawn. */
  note?: string
}

/** The points of a chart. Rows without an x or y are left out. */
export function pointsOf(choice: ChartChoice, columns: readonly GridColumn[], rows: number, cell: Cell): Drawn {
  const index = (name: string) => columns.findIndex((column) => column.name === name)
  const [x, y, colour] = [index(choice.x), index(choice.y), index(choice.colour)]
  const role = roleOf(columns[x]!)
  const points: Point[] = []
  for (let row = 0; row < rows; row++) {
    const at = placeOf(cell(row, x), role)
    const high = y < 0 ? 1 : numberOf(cell(row, y))
    if (at === undefined || high === undefined) continue
    points.push({ x: at, y: high, colour: colour < 0 ? '' : (format.cell(cell(row, colour)) ?? 'null') })
  }
  const summed = choice.kind === 'bar' ? sums(points) : points
  return limited(choice, summed)
}

/** Rows of the same bar are added up. */
function sums(points: readonly Point[]): Point[] {
  const found = new Map<string, Point>()
  for (const point of points) {
    const key = JSON.stringify([point.x, point.colour])
    const known = found.get(key)
    if (known) known.y += point.y
    else found.set(key, { ...point })
  }
  return [...found.values()]
}

function limited(choice: ChartChoice, points: Point[]): Drawn {
  const all = [...new Set(points.map(({ colour }) => colour))]
  const series = all.length > MOST_SERIES ? largest(points, all) : all
  const notes: string[] = []
  if (series.length < all.length) {
    notes.push(`The ${series.length} largest of ${format.number(all.length)} values of ${choice.colour} are drawn`)
  }
  let drawn = series.length < all.length ? points.filter(({ colour }) => series.includes(colour)) : points
  if (choice.kind === 'bar') {
    const places = [...new Set(drawn.map(({ x }) => String(x)))]
    if (places.length > MOST_MARKS.bar) {
      const first = new Set(places.slice(0, MOST_MARKS.bar))
      drawn = drawn.filter(({ x }) => first.has(String(x)))
      notes.push(`The first ${MOST_MARKS.bar} of ${format.number(places.length)} bars are drawn`)
    }
  } else if (drawn.length > MOST_MARKS[choice.kind]) {
    const most = MOST_MARKS[choice.kind]
    const step = drawn.length / most
    notes.push(`${format.number(most)} of ${format.number(drawn.length)} rows are drawn, evenly chosen`)
    drawn = Array.from({ length: most }, (_, k) => drawn[Math.floor(k * step)]!)
  }
  if (choice.kind === 'line') drawn = drawn.toSorted((a, b) => Number(a.x) - Number(b.x))
  return { points: drawn, series, ...(notes.length > 0 && { note: `${notes.join('. ')}.` }) }
}

function largest(points: readonly Point[], all: readonly string[]): string[] {
  const totals = new Map<string, number>()
  for (const { colour, y } of points) totals.set(colour, (totals.get(colour) ?? 0) + Math.abs(y))
  return all.toSorted((a, b) => totals.get(b)! - totals.get(a)!).slice(0, MOST_SERIES)
}

function placeOf(value: unknown, role: Role): Point['x'] | undefined {
  if (role === 'text') return format.cell(value) ?? 'null'
  if (role === 'number') return numberOf(value)
  const ms = typeof value === 'string' ? Date.parse(inZone(value)) : Number.NaN
  return Number.isNaN(ms) ? undefined : new Date(ms)
}

/** A time without a zone is drawn as it is written, wherever the browser is. */
function inZone(time: string): string {
  if (time.length <= 10 || /Z$|[+-]\d\d(:?\d\d)?$/i.test(time.slice(10))) return time
  return `${time}Z`
}

function numberOf(value: unknown): number | undefined {
  if (value === null || value === undefined || typeof value === 'object' || value === '') return undefined
  const number = Number(value)
  return Number.isFinite(number) ? number : undefined
}

function distinct(rows: number, cell: Cell, column: number, most: number): number {
  const found = new Set<unknown>()
  for (let row = 0; row < rows && found.size < most; row++) found.add(cell(row, column))
  return found.size
}

function ascends(rows: number, cell: Cell, column: number): boolean {
  let last = Number.NEGATIVE_INFINITY
  for (let row = 0; row < rows; row++) {
    const value = numberOf(cell(row, column))
    if (value === undefined || value <= last) return false
    last = value
  }
  return rows > 2
}
