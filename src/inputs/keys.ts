/** The key columns of a table: chosen at its first import, agreed with at every later one. */
import { columnNotFound, findColumn } from '../catalog/find-column.ts'
import { bucketFunction } from '../catalog/iceberg/transforms.ts'
import type { Table, TableKeys, TimeUnit } from '../catalog/types.ts'
import { type DataType, isFloat, isInteger, isTimestamp, printType } from '../common/data-type.ts'
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import type { SourceColumn } from './readers.ts'

/** What a user says about keys. */
export interface KeyOptions {
  actor?: string
  time?: string
  timeUnit?: TimeUnit
  buckets?: number
}

/** The keys of the table that is imported into. @throws KEY_INVALID, COLUMN_NOT_FOUND */
export function chooseKeys(
  table: string,
  options: KeyOptions,
  columns: readonly SourceColumn[],
  existing: Table | undefined,
): TableKeys {
  if (options.timeUnit !== undefined) checkUnit(table, options.timeUnit)
  if (existing) return agreedKeys(existing, options)
  const actor = options.actor === undefined ? undefined : findKey(table, options.actor, columns)
  const time = options.time === undefined ? undefined : findKey(table, options.time, columns)
  if (actor) checkActor(table, actor)
  if (time) checkTime(table, time, options.timeUnit)
  else if (options.timeUnit) throw invalid(table, 'timeUnit', 'a time unit needs a time column: say --time COLUMN')
  if (options.buckets !== undefined) checkBuckets(table, options)
  return {
    ...(actor ? { actor: actor.name } : {}),
    ...(time ? { time: time.name } : {}),
    ...(options.timeUnit ? { timeUnit: options.timeUnit } : {}),
  }
}

function agreedKeys({ name, keys, spec }: Table, options: KeyOptions): TableKeys {
  for (const key of ['actor', 'time', 'timeUnit'] as const) {
    const [given, own] = [options[key], keys[key]]
    if (given !== undefined && given.toLowerCase() !== own?.toLowerCase()) {
      throw invalid(
        name,
        key,
        `table "${name}" has ${own === undefined ? `no ${key}` : `the ${key} "${own}"`}, not "${given}"; keys are fixed by the first import`,
      )
    }
  }
  const transform = spec.fields[0]?.transform
  const count = transform?.kind === 'bucket' ? transform.count : undefined
  if (options.buckets !== undefined && options.buckets !== count) {
    throw invalid(
      name,
      'buckets',
      `table "${name}" has ${count ?? 'no'} buckets, not ${options.buckets}; their number is fixed by the first import`,
    )
  }
  return keys
}

function findKey(table: string, name: string, columns: readonly SourceColumn[]): SourceColumn {
  const found = findColumn(columns, name)
  if (!found) throw columnNotFound(table, name, columns, 'the files have')
  return found
}

function checkActor(table: string, { name, type }: SourceColumn): void {
  if (bucketFunction(type, 1)) return
  throw invalid(
    table,
    'actor',
    `column "${name}" is ${printType(type)}, which cannot name an actor; integers, text, UUIDs, dates and decimals can`,
  )
}

function checkTime(table: string, { name, type }: SourceColumn, unit: TimeUnit | undefined): void {
  if (!isTime(type)) {
    throw invalid(
      table,
      'time',
      `column "${name}" is ${printType(type)}, which is no time; integers, floats, DATE and TIMESTAMP are`,
    )
  }
  if (unit !== undefined && !isInteger(type)) {
    throw invalid(table, 'timeUnit', `column "${name}" is ${printType(type)}; a time unit is for integer columns only`)
  }
}

/** True for types that order an actor's rows in time. */
function isTime(type: DataType): boolean {
  return isInteger(type) || isFloat(type) || isTimestamp(type) || (type.kind === 'primitive' && type.name === 'DATE')
}

const TIME_UNITS: readonly string[] = ['s', 'ms', 'us', 'ns'] satisfies TimeUnit[]

/** For callers without types: any other unit would be stored, and fail at every later query. @throws KEY_INVALID */
export function checkUnit(table: string, unit: string): void {
  if (TIME_UNITS.includes(unit)) return
  throw invalid(table, 'timeUnit', `"${unit}" is no time unit; expected one of ${TIME_UNITS.join(', ')}`)
}

function checkBuckets(table: string, { actor, time, buckets }: KeyOptions): void {
  if (actor === undefined || time === undefined) throw invalid(table, 'buckets', 'buckets need --actor and --time')
  if (!Number.isInteger(buckets) || buckets! < 1 || buckets! > SETTINGS.bucketsMax.maximum) {
    throw invalid(
      table,
      'buckets',
      `${buckets} buckets: expected a whole number from 1 to ${SETTINGS.bucketsMax.maximum}`,
    )
  }
}

function invalid(
  table: string,
  key: 'actor' | 'time' | 'timeUnit' | 'buckets',
  message: string,
): SkepError<'KEY_INVALID'> {
  return new SkepError('KEY_INVALID', message, { table, key })
}
