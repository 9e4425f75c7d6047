/** The columns of a table as Funnel Rocket describes them: types by its names, ranges of numbers, texts that repeat. */
import type { ResponseOf } from '../../api/contract.ts'
import { classOf, operatorsOf, type TypeClass } from '../../behaviour/operators.ts'
import { pandasCategories } from '../../catalog/folder/pandas-categories.ts'
import { type DataType, isFloat, parseType, quoteIdentifier } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import type { ColumnDescription } from '../../coordinator/describe.ts'
import type { JsonValue } from '../../engine/values.ts'
import type { Warehouse } from '../../warehouse.ts'
import type { DatasetTable } from './datasets.ts'

type FullSchema = Extract<ResponseOf<'datasetSchema'>, { groupIdColumn: unknown }>
type ShortSchema = Exclude<ResponseOf<'datasetSchema'>, FullSchema>
type FullColumn = FullSchema['columns'][string]
type Bound = number | string | boolean

/** A column that queries can use. */
interface UsableColumn {
  name: string
  type: DataType
  /** The name of its type here, and there, or here again where they have none. */
  typeText: string
  coltype: string
  range: Range
}

interface Range {
  min?: Bound
  max?: Bound
}

/** A table whose schema is asked for. */
interface Asked {
  table: DatasetTable
  columns: UsableColumn[]
  /** Columns of texts that pandas stored as categories. */
  source: ReadonlySet<string>
  rows(sql: string): Promise<Record<string, JsonValue>[]>
}

/** What the rows say that statistics do not. */
interface Counted {
  rows: number
  range(column: UsableColumn): Range
  /** Distinct texts of a column for each row; nothing without rows. */
  ratio(column: UsableColumn): number | undefined
}

const COLTYPES: Partial<Record<TypeClass, string>> = {
  boolean: 'BOOL',
  integer: 'INT',
  float: 'FLOAT',
  decimal: 'FLOAT',
  string: 'STRING',
  uuid: 'STRING',
}

const DTYPES: Record<string, string> = {
  BOOLEAN: 'bool',
  TINYINT: 'int8',
  SMALLINT: 'int16',
  INTEGER: 'int32',
  BIGINT: 'int64',
  UTINYINT: 'uint8',
  USMALLINT: 'uint16',
  UINTEGER: 'uint32',
  UBIGINT: 'uint64',
  FLOAT: 'float32',
  DOUBLE: 'float64',
  VARCHAR: 'object',
}

/** Names with types. One pass over the columns of texts. `table` is described with its files. */
export async function shortSchema(
  warehouse: Warehouse,
  table: DatasetTable,
  signal: AbortSignal,
): Promise<ShortSchema> {
  const asked = await ask(warehouse, table, signal)
  const { columns, source } = asked
  const time = columns.filter(({ name }) => name === table.keys.time)
  const counted = await count(asked, time)
  const { min, max } = counted.range(time[0]!)
  const categorical = columns.filter((column) => isCategorical(asked, counted, column)).map(({ name }) => name)
  return {
    columns: Object.fromEntries(columns.map(({ name, coltype }) => [name, coltype])),
    ...(min !== undefined && { minTimestamp: min }),
    ...(max !== undefined && { maxTimestamp: max }),
    sourceCategoricals: categorical.filter((name) => source.has(name)),
    potentialCategoricals: categorical.filter((name) => !source.has(name)),
  }
}

/** All that is known of the columns. A pass over the columns of texts, and one more over each that is categorical. `table` is described with its files. */
export async function fullSchema(warehouse: Warehouse, table: DatasetTable, signal: AbortSignal): Promise<FullSchema> {
  const asked = await ask(warehouse, table, signal)
  const counted = await count(asked, asked.columns.filter(isNumber))
  const columns: Record<string, FullColumn> = {}
  for (const column of asked.columns) columns[column.name] = await fullColumn(asked, counted, column)
  const others = table.columns.filter(({ name }) => !Object.hasOwn(columns, name))
  return {
    columns,
    ...(others.length > 0 && { unsupportedColumns: Object.fromEntries(others.map(({ name, type }) => [name, type])) }),
    groupIdColumn: table.keys.actor,
    timestampColumn: table.keys.time,
  }
}

async function ask(warehouse: Warehouse, table: DatasetTable, signal: AbortSignal): Promise<Asked> {
  const columns = table.columns.flatMap((column) => usable(column, table) ?? [])
  const rows = async (sql: string) => (await warehouse.sql(sql, { signal })).rows
  return { table, columns, source: await sourceCategories(table, signal), rows }
}

function usable(
  { name, type: typeText, min, max }: ColumnDescription,
  { kind }: DatasetTable,
): UsableColumn | undefined {
  const type = parseType(typeText)
  const typeClass = classOf(type)
  if (typeClass === undefined || operatorsOf(type).length === 0) return undefined
  // Bounds of files that others write may be wider than what is in them.
  const range = kind === 'attached' ? {} : { ...(min !== undefined && { min }), ...(max !== undefined && { max }) }
  return { name, type, typeText, coltype: COLTYPES[typeClass] ?? typeText, range }
}

function isNumber({ coltype }: UsableColumn): boolean {
  return coltype === 'INT' || coltype === 'FLOAT'
}

function isText({ coltype }: UsableColumn): boolean {
  return coltype === 'STRING'
}

/** As in the first and in the last file; a managed table has none. */
async function sourceCategories({ kind, dataFiles = [] }: DatasetTable, signal: AbortSignal): Promise<Set<string>> {
  const ends = kind === 'managed' ? [] : [dataFiles[0], dataFiles.at(-1)].filter((file) => file !== undefined)
  const names = await Promise.all(
    ends.map(async ({ path, bytes }) => new Set(await pandasCategories({ path, sizeBytes: bytes }, { signal }))),
  )
  return names.reduce((all, one) => all.intersection(one), names[0] ?? new Set())
}

/** One statement: bounds of `ranged` columns that have none yet, and distinct texts. */
async function count({ table, columns, rows }: Asked, ranged: readonly UsableColumn[]): Promise<Counted> {
  const open = ranged.filter(({ range }) => range.min === undefined || range.max === undefined)
  const texts = columns.filter(isText)
  const [row] = await rows(
    `SELECT ${[
      'count(*) AS "rows"',
      ...open.flatMap((column, k) => [
        `${extreme('min', column)} AS "min${k}"`,
        `${extreme('max', column)} AS "max${k}"`,
      ]),
      ...texts.map(({ name }, k) => `count(DISTINCT ${quoteIdentifier(name)}) AS "distinct${k}"`),
    ].join(', ')} FROM ${quoteIdentifier(table.name)}`,
  )
  const total = Number(row!.rows)
  return {
    rows: total,
    range: (column) => {
      const k = open.indexOf(column)
      const { min, max } = k < 0 ? column.range : { min: row![`min${k}`], max: row![`max${k}`] }
      return { ...bound('min', min, column), ...bound('max', max, column) }
    },
    ratio: (column) => (total === 0 ? undefined : Number(row![`distinct${texts.indexOf(column)}`]) / total),
  }
}

function extreme(end: 'min' | 'max', { name, type }: UsableColumn): string {
  const column = quoteIdentifier(name)
  return `${end}(${column})${isFloat(type) ? ` FILTER (WHERE NOT isnan(${column}))` : ''}`
}

/** A bound as JSON: numbers where they are exact; absent where there is none. */
function bound(end: 'min' | 'max', value: JsonValue | undefined, { type }: UsableColumn): Range {
  if (value === undefined || value === null) return {}
  return { [end]: type.kind === 'decimal' ? Number(value) : (value as Bound) }
}

/** Texts of which there are few. */
function isCategorical({ source }: Asked, counted: Counted, column: UsableColumn): boolean {
  if (!isText(column)) return false
  return source.has(column.name) || (counted.ratio(column) ?? 1) <= SETTINGS.categoricalFraction.default
}

async function fullColumn(asked: Asked, counted: Counted, column: UsableColumn): Promise<FullColumn> {
  const { name, typeText, coltype } = column
  const categorical = isCategorical(asked, counted, column)
  const { min, max } = isNumber(column) ? counted.range(column) : {}
  const ratio = categorical ? counted.ratio(column) : undefined
  const top = categorical ? await topValues(asked, column) : {}
  return {
    name,
    dtypeName: asked.source.has(name) ? 'category' : (DTYPES[typeText] ?? typeText),
    coltype,
    colattrs: {
      categorical,
      ...(min !== undefined && { numericMin: min }),
      ...(max !== undefined && { numericMax: max }),
      ...(Object.keys(top).length > 0 && { catTopValues: top }),
      ...(ratio !== undefined && { catUniqueRatio: ratio }),
    },
  }
}

/** The most frequent texts with their share of all rows that have one. */
async function topValues({ table, rows }: Asked, { name }: UsableColumn): Promise<Record<string, number>> {
  const { topTexts, topFraction } = SETTINGS
  const found = await rows(
    `SELECT v::VARCHAR AS "value", n / sum(n) OVER () AS "share"
     FROM (SELECT ${quoteIdentifier(name)} AS v, count(*) AS n FROM ${quoteIdentifier(table.name)} GROUP BY 1) WHERE v IS NOT NULL
     QUALIFY n >= ${topFraction.default} * sum(n) OVER () ORDER BY n DESC, 1 LIMIT ${topTexts.default}`,
  )
  return Object.fromEntries(found.map(({ value, share }) => [String(value), Number(share)]))
}
