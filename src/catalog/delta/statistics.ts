/** What a Delta log knows of the rows and columns of a file. */
import type { Column, ColumnStatistics } from '../types.ts'
import { type FileStats, isObject } from './actions.ts'
import { damagedLog } from './errors.ts'
import { NumberText, statisticsBound } from './values.ts'

/** Rows and columns of a file, as far as they are known. */
export interface KnownFile {
  rows?: number
  columns: Map<number, ColumnStatistics>
}

type Json = Partial<Record<string, unknown>>

/** The statistics of a file by the ids of the table's columns. Bounds of nested columns are left out. @throws TABLE_INVALID */
export function readStatistics(stats: FileStats | undefined, columns: readonly Column[], source: string): KnownFile {
  if (stats === undefined) return { columns: new Map() }
  const isText = typeof stats === 'string'
  const json = isText ? parseStats(stats, source) : stats
  const { numRecords, minValues, maxValues, nullCount } = json
  const rows = countOf(numRecords)
  // Decimals of a checkpoint's columns were rounded by its reader.
  const exact = isText ? columns : columns.filter(({ type }) => type.kind !== 'decimal')
  const known = exact.flatMap((column) => {
    const found = columnStatistics(column, { rows, lower: minValues, upper: maxValues, nulls: nullCount })
    return found ? [[column.id, found] as const] : []
  })
  return { ...(rows !== undefined && { rows }), columns: new Map(known) }
}

/** More digits than a number holds exactly. */
const LONG_NUMBER = /[\d.]{16,}/

function parseStats(text: string, source: string): Json {
  try {
    const json: unknown = LONG_NUMBER.test(text) ? JSON.parse(text, exactly) : JSON.parse(text)
    if (isObject(json)) return json
  } catch (cause) {
    throw damagedLog(source, 'the statistics of a file are not JSON', cause)
  }
  throw damagedLog(source, 'the statistics of a file are no object')
}

function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || context?.source === undefined) return value
  return LONG_NUMBER.test(context.source) ? new NumberText(context.source) : value
}

function countOf(value: unknown): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'bigint') return undefined
  const count = Number(value)
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

interface Found {
  rows: number | undefined
  lower: unknown
  upper: unknown
  nulls: unknown
}

function columnStatistics({ name, type }: Column, found: Found): ColumnStatistics | undefined {
  const of = (values: unknown) => (isObject(values) && Object.hasOwn(values, name) ? values[name] : undefined)
  const nulls = countOf(of(found.nulls))
  // More nulls than rows cannot be; what else is said of the column is then not to be relied upon either.
  if (nulls !== undefined && found.rows !== undefined && nulls > found.rows) return undefined
  if (type.kind !== 'primitive' && type.kind !== 'decimal') return undefined
  const lower = statisticsBound(of(found.lower), type, 'lower')
  const upper = statisticsBound(of(found.upper), type, 'upper')
  if (nulls === undefined && lower === undefined && upper === undefined) return undefined
  return {
    ...(nulls !== undefined && { nulls }),
    ...(lower !== undefined && { lower }),
    ...(upper !== undefined && { upper }),
  }
}
