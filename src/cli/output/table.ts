/** Rows as a table for people: aligned, no wider than the terminal, safe to show. */
import type { JsonValue } from '../../engine/values.ts'
import type { Style } from './style.ts'
import { displayWidth, pad, shorten, visible } from './width.ts'

/** A column of a table. */
export interface TableColumn {
  title: string
  align?: 'left' | 'right'
}

/** How a table is drawn. */
export interface TableOptions {
  style: Style
  /** Columns of the terminal; unlimited when absent. */
  width?: number | undefined
}

/** A drawn table, and how many of its columns found room. */
export interface DrawnTable {
  lines: string[]
  shown: number
}

const SEPARATOR = ' │ '
const CROSSING = '─┼─'
/** A cell is not shortened below this before columns are left out. */
const LEAST_WIDTH = 8

/** The text of a value in a table: `NULL` for null, JSON for nested values. */
export function cellText(value: JsonValue | undefined): string {
  if (value === null || value === undefined) return 'NULL'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** The lines of a table. Cells are text, null for one that is missing; long ones are shortened with `…`, and columns left out at the right, until the width holds. */
export function drawTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly (string | null)[])[],
  { style, width = Number.POSITIVE_INFINITY }: TableOptions,
): DrawnTable {
  const titles = columns.map(({ title }) => visible(title))
  const cells = rows.map((row) => row.map((cell) => (cell === null ? null : visible(cell))))
  const natural = titles.map((title, k) => widest(title, cells, k))
  const widths = shrink(natural, width)
  const line = (texts: readonly (string | null)[], tone?: 'bold') =>
    widths
      .map((room, k) => drawCell(texts[k] ?? null, room, columns[k]!.align, style, tone))
      .join(style('dim', SEPARATOR))
      .trimEnd()
  const rule = style('dim', widths.map((room) => '─'.repeat(room)).join(CROSSING))
  return { lines: [line(titles, 'bold'), rule, ...cells.map((row) => line(row))], shown: widths.length }
}

function widest(title: string, cells: readonly (readonly (string | null)[])[], k: number): number {
  let width = displayWidth(title)
  for (const row of cells) width = Math.max(width, displayWidth(row[k] ?? 'NULL'))
  return width
}

/** The room for each column; fewer columns when all cannot have at least a little. */
function shrink(natural: readonly number[], width: number): number[] {
  const least = natural.map((own) => Math.min(own, LEAST_WIDTH))
  const used = (widths: readonly number[]) => widths.reduce((sum, own) => sum + own, 0) + 3 * (widths.length - 1)
  if (used(natural) <= width) return [...natural]
  let count = natural.length
  while (count > 1 && used(least.slice(0, count)) > width) count--
  const kept = natural.slice(0, count)
  let low = 1
  let high = Math.max(...kept)
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (used(kept.map((own) => Math.min(own, middle))) <= width) low = middle
    else high = middle - 1
  }
  return kept.map((own) => Math.min(own, low))
}

function drawCell(
  text: string | null,
  width: number,
  align: TableColumn['align'],
  style: Style,
  tone?: 'bold',
): string {
  const drawn = pad(shorten(text ?? 'NULL', width), width, align)
  if (text === null) return style('dim', drawn)
  return tone ? style(tone, drawn) : drawn
}

const NUMERIC = /^(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(.*\)|BIGNUM)$/

/** The side on which values of a type of DuckDB's are aligned. */
export function alignmentOf(type: string): 'left' | 'right' {
  return NUMERIC.test(type) ? 'right' : 'left'
}
