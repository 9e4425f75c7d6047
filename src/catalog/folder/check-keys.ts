/** Whether the files of a folder have an actor and a time as behavioural queries need them. */
import { type DataType, isFloat, isInteger, isTimestamp, printType } from '../../common/data-type.ts'
import { SkepError } from '../../errors.ts'
import { columnNotFound } from '../find-column.ts'
import type { Column, TableKeys } from '../types.ts'
import { sameName } from './names.ts'
import type { RegisteredFile, Registration } from './registration.ts'

type KeyName = 'actor' | 'time'

/** The keys with the columns' own spelling, and those for which the rows must be searched for nulls. */
export interface CheckedKeys {
  keys: TableKeys
  needsNullCheck: KeyName[]
}

const ACTOR_TYPES = new Set(['VARCHAR', 'UUID', 'DATE', 'BLOB'])

/**
 * The keys as the table will have them.
 *
 * @throws COLUMN_NOT_FOUND when the table has no such column
 * @throws KEY_INVALID when a column's type cannot be a key, a file has nulls in it, or `timeUnit` is given without an integer time
 */
export function checkKeys(
  table: string,
  keys: TableKeys,
  { columns, files, hiveColumns }: Pick<Registration, 'columns' | 'files' | 'hiveColumns'>,
): CheckedKeys {
  const checked: CheckedKeys = { keys: {}, needsNullCheck: [] }
  for (const key of ['actor', 'time'] as const) {
    const wanted = keys[key]
    if (wanted === undefined) continue
    const column = findColumn(table, wanted, columns)
    checkType(table, key, column, files[0]?.path)
    const place = { table, key, column, hiveIndex: hiveColumns.findIndex((name) => sameName(name, column.name)) }
    const counts = files.map((file) => nullsOf(place, file))
    if (counts.includes(undefined)) checked.needsNullCheck.push(key)
    checked.keys[key] = column.name
  }
  return { ...checked, keys: { ...checked.keys, ...checkedUnit(table, keys, columns) } }
}

function findColumn(table: string, wanted: string, columns: Column[]): Column {
  const found = columns.find(({ name }) => name === wanted) ?? columns.find(({ name }) => sameName(name, wanted))
  if (!found) throw columnNotFound(table, wanted, columns, `table "${table}" has`)
  return found
}

function isActorType(type: DataType): boolean {
  return isInteger(type) || type.kind === 'decimal' || (type.kind === 'primitive' && ACTOR_TYPES.has(type.name))
}

function isTimeType(type: DataType): boolean {
  return isInteger(type) || isFloat(type) || isTimestamp(type) || printType(type) === 'DATE'
}

function checkType(table: string, key: KeyName, { name, type }: Column, file: string | undefined): void {
  if (key === 'actor' ? isActorType(type) : isTimeType(type)) return
  const expected =
    key === 'actor' ? 'an integer, text, UUID, date, decimal or binary' : 'an integer, a float, a DATE or a TIMESTAMP'
  throw keyInvalid(table, key, `the ${key} column "${name}" is ${printType(type)}; expected ${expected}`, file)
}

interface KeyPlace {
  table: string
  key: KeyName
  column: Column
  /** Position among the Hive columns, or -1. */
  hiveIndex: number
}

/** Zero, or undefined when the footer does not say. @throws KEY_INVALID when there are nulls */
function nullsOf({ table, key, column, hiveIndex }: KeyPlace, file: RegisteredFile): 0 | undefined {
  const fromFolder = hiveIndex < 0 ? undefined : file.partition[hiveIndex] === null ? file.rows : 0
  const nulls = file.rows === 0 ? 0 : (fromFolder ?? file.statistics.at(column.id - 1)?.nulls)
  if (nulls === 0 || nulls === undefined) return nulls
  throw keyInvalid(
    table,
    key,
    `the ${key} column "${column.name}" has nulls in ${file.path} (${nulls} of ${file.rows} rows)`,
    file.path,
  )
}

function checkedUnit(table: string, { time, timeUnit }: TableKeys, columns: Column[]): Pick<TableKeys, 'timeUnit'> {
  if (timeUnit === undefined) return {}
  const column = time === undefined ? undefined : findColumn(table, time, columns)
  if (column && isInteger(column.type)) return { timeUnit }
  const reason = column ? `the time column "${column.name}" is ${printType(column.type)}` : 'there is no time column'
  throw new SkepError('KEY_INVALID', `a time unit is only for integer time columns; ${reason}`, {
    table,
    key: 'timeUnit',
  })
}

function keyInvalid(table: string, key: KeyName, message: string, file: string | undefined): SkepError<'KEY_INVALID'> {
  return new SkepError('KEY_INVALID', message, { table, key, ...(file === undefined ? {} : { file }) })
}
