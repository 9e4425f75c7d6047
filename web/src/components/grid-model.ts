/** Where the cells of a grid are, and what is chosen of them: plain functions. */

/** A column of a grid. */
export interface GridColumn {
  name: string
  /** DuckDB's name of the type; numbers stand at the right. Empty for what is no column of a table. */
  type: string
  /** Where its values stand, if that does not follow from the type. */
  align?: 'right'
}

/** A cell. */
export interface Place {
  row: number
  column: number
}

/** The cells from one corner to the other. */
export interface Selection {
  from: Place
  to: Place
}

/** The height of a row in pixels. */
export const ROW_HEIGHT = 29
/** The narrowest and the widest that a column begins with, and that it can be made. */
export const WIDTHS = { least: 48, first: 72, mostFirst: 360, most: 1200 } as const

/** Widths that fit the names and the values of some rows. */
export function fitWidths(columns: readonly GridColumn[], texts: (column: number) => readonly string[]): number[] {
  return columns.map(({ name, type }, index) => {
    const head = name.length * 8.2 + 32
    const kind = type.length * 7.4 + 28
    const longest = texts(index).reduce((most, text) => Math.max(most, text.length), 0)
    return Math.round(clamp(Math.max(head, Math.min(kind, 130), longest * 7.6 + 26), WIDTHS.first, WIDTHS.mostFirst))
  })
}

/** The left edges of columns, and behind the last its right edge. */
export function edgesOf(widths: readonly number[]): number[] {
  const edges = [0]
  for (const width of widths) edges.push(edges.at(-1)! + width)
  return edges
}

/** The columns that meet `[left, right)`, as `[first, behind the last)`. */
export function columnsBetween(edges: readonly number[], left: number, right: number): [number, number] {
  const count = edges.length - 1
  let first = 0
  while (first < count - 1 && edges[first + 1]! <= left) first++
  let end = first
  while (end < count && edges[end]! < right) end++
  return [first, Math.max(end, Math.min(first + 1, count))]
}

/** The cell that a key leads to; `undefined` for keys that lead nowhere. */
export function moved(
  { row, column }: Place,
  event: { key: string; ctrlKey: boolean; metaKey: boolean },
  { rows, columns, page }: { rows: number; columns: number; page: number },
): Place | undefined {
  const all = event.ctrlKey || event.metaKey
  const to = (row: number, column: number) => ({
    row: clamp(row, 0, rows - 1),
    column: clamp(column, 0, columns - 1),
  })
  switch (event.key) {
    case 'ArrowDown':
      return to(all ? rows : row + 1, column)
    case 'ArrowUp':
      return to(all ? 0 : row - 1, column)
    case 'ArrowRight':
      return to(row, all ? columns : column + 1)
    case 'ArrowLeft':
      return to(row, all ? 0 : column - 1)
    case 'PageDown':
      return to(row + page, column)
    case 'PageUp':
      return to(row - page, column)
    case 'Home':
      return to(all ? 0 : row, 0)
    case 'End':
      return to(all ? rows : row, columns)
    default:
      return undefined
  }
}

/** The corners of a selection in order: `[first, behind the last)` of rows and of columns. */
export function boundsOf({ from, to }: Selection): { rows: [number, number]; columns: [number, number] } {
  return {
    rows: [Math.min(from.row, to.row), Math.max(from.row, to.row) + 1],
    columns: [Math.min(from.column, to.column), Math.max(from.column, to.column) + 1],
  }
}

/** The cells of a selection as text, one row a line, as spreadsheets take it; with the names where it is more than one cell. */
export function textOf(
  selection: Selection,
  columns: readonly GridColumn[],
  text: (row: number, column: number) => string,
): string {
  const { rows, columns: range } = boundsOf(selection)
  const names = columns.slice(...range).map(({ name }) => name)
  const lines: string[] = []
  for (let row = rows[0]; row < rows[1]; row++) {
    lines.push(names.map((_, index) => plainCell(text(row, range[0] + index))).join('\t'))
  }
  const single = rows[1] - rows[0] === 1 && names.length === 1
  return single ? text(rows[0], range[0]) : [names.map(plainCell).join('\t'), ...lines].join('\n')
}

function plainCell(text: string): string {
  return /["\t\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** A value within bounds; the lower one where they cross. */
export function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value))
}
