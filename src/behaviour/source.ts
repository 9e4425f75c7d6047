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
  readCount,
  readList,
  readName,
  readObject,
  readText,
  required,
  schema,
} from './fields.ts'
import { type Json, type JsonObject, pointer, shown } from './json.ts'
import { defaultRelation, parseRelation, type RelationNode } from './relation.ts'
import {
  readAggregation,
  readIncludeZero,
  readRows,
  readTarget,
  type SourceAggregation,
  type SourceRows,
  type SourceTarget,
} from './source-parts.ts'
import { type Report, violate } from './violations.ts'

/** A step. */
interface SourceStep extends SourceRows {
  negative: boolean
  name?: string
}

/** A sequence and where it stands. */
export interface SourceSequence {
  path: string
  steps: SourceStep[]
  maxDuration?: Located<number | bigint>
}

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

/** The query that the JSON stands for. Meaningless when violations were noted. @throws QUERY_TOO_DEEP for its relation */
export function readQuery(report: Report, value: Json, filterDepth: number): SourceQuery {
  const object = readObject(report, value, '', ['timeframe', 'query', 'funnel'])
  if (object === undefined) return {}
  return present({
    timeframe: optional(object, '', 'timeframe', (item, path) => readTimeframe(report, item, path)),
    query: optional(object, '', 'query', (item, path) => readClause(report, item, path, filterDepth)),
    funnel: optional(object, '', 'funnel', (item, path) => readFunnel(report, item, path)),
  })
}

function readTimeframe(report: Report, value: Json, path: string): SourceQuery['timeframe'] {
  const object = readObject(report, value, path, ['from', 'to'])
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

function readClause(report: Report, value: Json, path: string, filterDepth: number): SourceQuery['query'] {
  const object = readObject(report, value, path, ['relation', 'conditions', 'aggregations'])
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
  const relation = readRelation(report, object, path, names, filterDepth)
  return present({ conditions, relation, aggregations: readAggregations(report, object, path, 'aggregations') })
}

interface NamedPlace {
  name: Located<string>
  index: number
}

function readRelation(
  report: Report,
  object: JsonObject,
  path: string,
  named: NamedPlace[],
  filterDepth: number,
): RelationNode | undefined {
  const list = field(object, 'conditions') ?? []
  if (!Array.isArray(list)) return undefined
  const places = new Map(named.map(({ name, index }) => [name.value.toLowerCase(), index]))
  const names = { count: list.length, places }
  if (field(object, 'relation') === undefined) return list.length === 0 ? undefined : defaultRelation(names)
  const text = optional(object, path, 'relation', (value, at) => readText(report, value, at))
  return text && parseInto(report, () => parseRelation(text.value, names, filterDepth))
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
const ROWS_KEYS = ['filter', 'filters', 'target', 'includeZero']
const SEQUENCE_KEYS = ['sequence', 'maxDuration']

function readCondition(
  report: Report,
  value: Json,
  path: string,
  index: number,
  names: NamedPlace[],
): SourceCondition | undefined {
  const object = readObject(report, value, path, ['name', ...ROWS_KEYS, ...SEQUENCE_KEYS])
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

function readShape(
  report: Report,
  object: JsonObject,
  path: string,
  what: string,
  shapes: string[],
): string | undefined {
  const given = shapes.filter((key) => field(object, key) !== undefined)
  if (given.length === 1) return given[0]
  const listed = shapes.map((key) => `"${key}"`).join(', ')
  return schema(
    report,
    path,
    `a ${what} has exactly one of ${listed}; this one has ${given.length === 0 ? 'none' : given.length}`,
  )
}

function refuseKeys(report: Report, object: JsonObject, path: string, keys: string[], where: string): void {
  for (const key of keys) {
    if (field(object, key) !== undefined) schema(report, pointer(path, key), `"${key}" does not apply to ${where}`)
  }
}

function readRowsCondition(report: Report, object: JsonObject, path: string): SourceCondition | undefined {
  refuseKeys(report, object, path, SEQUENCE_KEYS, 'a condition without a sequence')
  const rows = readRows(report, object, path)
  const given = optional(object, path, 'includeZero', (item, at) => readBoolean(report, item, at))
  const target =
    field(object, 'target') === undefined
      ? ({ type: 'count', op: '>=', value: 1 } as const)
      : optional(object, path, 'target', (item, at) => readTarget(report, item, at))
  if (target === undefined) return undefined
  const includeZero = readIncludeZero(report, target, given, pointer(path, 'includeZero'))
  return rows && { kind: 'rows', rows, target, includeZero }
}

function readSequenceCondition(report: Report, object: JsonObject, path: string): SourceCondition | undefined {
  refuseKeys(report, object, path, ROWS_KEYS, 'a sequence condition')
  const sequence = readSequence(report, object, path)
  return sequence && { kind: 'sequence', sequence }
}

function readSequence(report: Report, object: JsonObject, path: string): SourceSequence | undefined {
  const steps = required(report, object, path, 'sequence', (list, at) => readSteps(report, list, at))
  const maxDuration = optional(object, path, 'maxDuration', (value, at) => {
    const duration = readCount(report, value, at)
    return duration === undefined ? undefined : { value: duration, path: at }
  })
  return steps && present({ path: pointer(path, 'sequence'), steps, maxDuration })
}

function readSteps(report: Report, list: Json, path: string): SourceStep[] | undefined {
  const steps = readList(report, list, path, 1, (item, at) => readStep(report, item, at))
  const complete = Array.isArray(list) && steps?.length === list.length
  if (complete && steps.every((step) => step.negative)) {
    return schema(report, path, 'at least one step must be positive (without "rowFound": false)')
  }
  return steps
}

function readStep(report: Report, value: Json, path: string): SourceStep | undefined {
  const object = readObject(report, value, path, ['filter', 'filters', 'rowFound', 'name'])
  if (object === undefined) return undefined
  const rowFound = optional(object, path, 'rowFound', (item, at) => readBoolean(report, item, at))
  const name = optional(object, path, 'name', (item, at) => readName(report, item, at))
  const shape = readShape(report, object, path, 'step', ['filter', 'filters'])
  const rows = shape === undefined ? undefined : readRows(report, object, path)
  return rows && present({ ...rows, negative: rowFound === false, name: name?.value })
}

function readFunnel(report: Report, value: Json, path: string): SourceQuery['funnel'] {
  const keys = [...SEQUENCE_KEYS, 'stepAggregations', 'endAggregations']
  const object = readObject(report, value, path, keys)
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
