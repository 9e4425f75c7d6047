/**
 * The first stage of validation, which needs no table: JSON → the query as a tree of located parts, every shorthand
 * read and every default filled in. All violations are noted, not only the first.
 */
import { isSkepError } from '../errors.ts'
import {
  checkUnique,
  field,
  type Located,
  optional,
  present,
  readBoolean,
  readList,
  readName,
  readObject,
  readShape,
  readText,
  schema,
} from './fields.ts'
import { keysOf, ROWS_KEYS, SEQUENCE_KEYS } from './grammar.ts'
import { type Json, type JsonObject, pointer, shown } from './json.ts'
import { defaultRelation, parseRelation, type RelationNode } from './relation.ts'
import { type Reading, readRows, type SourceRows } from './source-filter.ts'
import {
  defaultTarget,
  readAggregation,
  readIncludeZero,
  readTarget,
  type SourceAggregation,
  type SourceTarget,
} from './source-parts.ts'
import { readSequence, type SourceSequence } from './source-sequence.ts'
import { type Report, violate } from './violations.ts'

/** A condition. */
export type SourceCondition =
  | { kind: 'rows'; name?: string; rows: SourceRows; target: SourceTarget; includeZero: boolean }
  | { kind: 'sequence'; name?: string; sequence: SourceSequence }

/** A bound of the timeframe. */
export type SourceBound = Located<number | bigint | string>

/** A query whose structure holds. */
export interface SourceQuery {
  timeframe?: { from?: SourceBound; to?: SourceBound }
  query?: { conditions?: SourceCondition[]; relation?: RelationNode; aggregations?: SourceAggregation[] }
  funnel?: {
    sequence: SourceSequence
    stepAggregations?: SourceAggregation[]
    endAggregations?: SourceAggregation[]
  }
}

/** The query that the JSON stands for. Meaningless when violations were noted. @throws QUERY_TOO_DEEP, TOO_MANY_STEPS */
export function readQuery(report: Reading, value: Json): SourceQuery {
  const object = readObject(report, value, '', keysOf('query'))
  if (object === undefined) return {}
  return present({
    timeframe: optional(object, '', 'timeframe', (item, path) => readTimeframe(report, item, path)),
    query: optional(object, '', 'query', (item, path) => readClause(report, item, path)),
    funnel: optional(object, '', 'funnel', (item, path) => readFunnel(report, item, path)),
  })
}

function readTimeframe(report: Report, value: Json, path: string): SourceQuery['timeframe'] {
  const object = readObject(report, value, path, keysOf('timeframe'))
  if (object === undefined) return undefined
  const from = optional(object, path, 'from', (item, at) => readBound(report, item, at))
  const to = optional(object, path, 'to', (item, at) => readBound(report, item, at))
  if (from && to && typeof from.value !== 'string' && typeof to.value !== 'string' && to.value <= from.value) {
    schema(report, to.path, `"to" (exclusive) must be greater than "from", ${shown(from.value)}`)
  }
  return present({ from, to })
}

function readBound(report: Report, value: Json, path: string): SourceBound | undefined {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') return { value, path }
  return schema(report, path, `expected a number or an ISO 8601 string, not ${shown(value)}`)
}

function readClause(report: Reading, value: Json, path: string): SourceQuery['query'] {
  const object = readObject(report, value, path, keysOf('clause'))
  if (object === undefined) return undefined
  const names: NamedPlace[] = []
  const conditions = optional(object, path, 'conditions', (list, at) =>
    readList(report, list, at, 0, (item, itemPath, index) => readCondition(report, item, itemPath, index, names)),
  )
  checkUnique(
    report,
    names.map(({ name }) => name),
    (name) => name.toLowerCase(),
  )
  const relation = readRelation(report, object, path, names)
  return present({ conditions, relation, aggregations: readAggregations(report, object, path, 'aggregations') })
}

interface NamedPlace {
  name: Located<string>
  index: number
}

function readRelation(
  report: Reading,
  object: JsonObject,
  path: string,
  named: NamedPlace[],
): RelationNode | undefined {
  const list = field(object, 'conditions') ?? []
  if (!Array.isArray(list)) return undefined
  const places = new Map(named.map(({ name, index }) => [name.value.toLowerCase(), index]))
  const names = { count: list.length, places }
  if (field(object, 'relation') === undefined) return list.length === 0 ? undefined : defaultRelation(names)
  const text = optional(object, path, 'relation', (value, at) => readText(report, value, at))
  return text && parseInto(report, () => parseRelation(text.value, names, report.limits.filterDepth))
}

function parseInto<T>(report: Report, parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (!isSkepError(error, 'QUERY_INVALID')) throw error
    for (const { kind, path, message } of error.details.violations) violate(report, kind, path, message)
    return undefined
  }
}

const RESERVED = ['and', 'or', 'not']

function readCondition(
  report: Reading,
  value: Json,
  path: string,
  index: number,
  names: NamedPlace[],
): SourceCondition | undefined {
  const object = readObject(report, value, path, keysOf('condition'))
  if (object === undefined) return undefined
  const name = optional(object, path, 'name', (item, at) => readConditionName(report, item, at))
  if (name !== undefined) names.push({ name, index })
  const shape = readShape(report, object, path, 'condition', ['filter', 'filters', 'sequence'])
  if (shape === undefined) return undefined
  const condition =
    shape === 'sequence' ? readSequenceCondition(report, object, path) : readRowsCondition(report, object, path)
  return condition && present({ ...condition, name: name?.value })
}

function readConditionName(report: Report, value: Json, path: string): Located<string> | undefined {
  const name = readName(report, value, path)
  if (name === undefined || !RESERVED.includes(name.value.toLowerCase())) return name
  return schema(report, path, `${shown(name.value)} is a word of relations and cannot be a name`)
}

function refuseKeys(report: Report, object: JsonObject, path: string, keys: readonly string[], where: string): void {
  for (const key of keys) {
    if (field(object, key) !== undefined) schema(report, pointer(path, key), `"${key}" does not apply to ${where}`)
  }
}

function readRowsCondition(report: Reading, object: JsonObject, path: string): SourceCondition | undefined {
  refuseKeys(report, object, path, SEQUENCE_KEYS, 'a condition without a sequence')
  const rows = readRows(report, object, path)
  const given = optional(object, path, 'includeZero', (item, at) => readBoolean(report, item, at))
  const target =
    field(object, 'target') === undefined
      ? defaultTarget(pointer(path, 'target'))
      : optional(object, path, 'target', (item, at) => readTarget(report, item, at))
  if (target === undefined) return undefined
  const includeZero = readIncludeZero(report, target, given, pointer(path, 'includeZero'))
  return rows && { kind: 'rows', rows, target, includeZero }
}

function readSequenceCondition(report: Reading, object: JsonObject, path: string): SourceCondition | undefined {
  refuseKeys(report, object, path, ROWS_KEYS, 'a sequence condition')
  const sequence = readSequence(report, object, path)
  return sequence && { kind: 'sequence', sequence }
}

function readFunnel(report: Reading, value: Json, path: string): SourceQuery['funnel'] {
  const object = readObject(report, value, path, keysOf('funnel'))
  if (object === undefined) return undefined
  const sequence = readSequence(report, object, path)
  const stepAggregations = readAggregations(report, object, path, 'stepAggregations')
  const endAggregations = readAggregations(report, object, path, 'endAggregations')
  return sequence && present({ sequence, stepAggregations, endAggregations })
}

function readAggregations(
  report: Report,
  object: JsonObject,
  path: string,
  key: string,
): SourceAggregation[] | undefined {
  const names: Located<string>[] = []
  const lists = optional(object, path, key, (list, at) =>
    readList(report, list, at, 0, (item, itemPath) => readAggregation(report, item, itemPath, names)),
  )
  checkUnique(report, names, (name) => name)
  return lists?.flat()
}
