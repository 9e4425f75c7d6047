/** Which files of a snapshot a query has to read: partition values, buckets and bounds against the WHERE clause. */

import { bucketFunction } from '../catalog/iceberg/transforms.ts'
import { compareScalars } from '../catalog/scalar.ts'
import type { Column, ColumnStatistics, DataFile, Scalar, Snapshot } from '../catalog/types.ts'
import type { DataType } from '../common/data-type.ts'
import { isFloat } from '../common/data-type.ts'
import { asciiLower } from '../common/text.ts'
import type { TableUse } from '../sql/analyse.ts'
import type { ColumnName, CompareOp, Condition, TreeCondition } from '../sql/condition.ts'
import type { TreeNode } from '../sql/tree.ts'
import { narrowed, partitionStatistics } from './partition-bounds.ts'

/** A condition on columns of one table, its constants still expressions. */
export type BoundCondition = Condition<Column, TreeNode>

/** A condition whose constants are values of the column's own type. */
export type TypedCondition = Condition<Column, Scalar>

/** Files to read, and how many need not be. */
export interface Pruning {
  files: DataFile[]
  pruned: number
}

/** What a mention's WHERE clause says about this table's columns; columns of other tables become `unknown`. */
export function conditionOf(use: TableUse, columns: readonly Column[]): BoundCondition {
  const byName = new Map(columns.map((column) => [asciiLower(column.name), column]))
  const alias = asciiLower(use.alias)
  return mapCondition(use.where ?? { kind: 'unknown' }, ({ qualifier, column }) =>
    qualifier === undefined || asciiLower(qualifier) === alias ? byName.get(asciiLower(column)) : undefined,
  )
}

function mapCondition(condition: TreeCondition, column: (name: ColumnName) => Column | undefined): BoundCondition {
  switch (condition.kind) {
    case 'unknown':
      return condition
    case 'and':
    case 'or':
      return { kind: condition.kind, children: condition.children.map((child) => mapCondition(child, column)) }
    default: {
      const found = column(condition.column)
      return found ? { ...condition, column: found } : { kind: 'unknown' }
    }
  }
}

/** An expression whose value is wanted in the type of the column that it is compared with. */
export interface WantedConstant {
  expression: TreeNode
  type: DataType
}

/** The constants of a condition, in the order in which {@link withConstants} takes their values. */
export function constantsOf(condition: BoundCondition): WantedConstant[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.children.flatMap(constantsOf)
    case 'compare':
    case 'prefix':
      return [{ expression: condition.value, type: condition.column.type }]
    case 'in':
      return condition.values.map((expression) => ({ expression, type: condition.column.type }))
    default:
      return []
  }
}

/** The condition with its constants filled in from `values`; where one is undefined (no exact value in the column's type) the part becomes `unknown`. */
export function withConstants(condition: BoundCondition, values: Iterator<Scalar | undefined>): TypedCondition {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return { kind: condition.kind, children: condition.children.map((child) => withConstants(child, values)) }
    case 'compare':
    case 'prefix': {
      const value = values.next().value
      return value === undefined ? { kind: 'unknown' } : { ...condition, value }
    }
    case 'in': {
      const all = condition.values.map(() => values.next().value)
      return all.includes(undefined) ? { kind: 'unknown' } : { ...condition, values: all }
    }
    default:
      return condition
  }
}

/** The files that may hold a row for which the condition is true. */
export function pruneFiles(snapshot: Snapshot, condition: TypedCondition): Pruning {
  const files = snapshot.files.filter((file) => mayMatch(condition, snapshot, file))
  return { files, pruned: snapshot.files.length - files.length }
}

/** The union of prunings of one snapshot, in its order: for a table that a query mentions several times. */
export function unitePrunings(snapshot: Snapshot, prunings: readonly Pruning[]): Pruning {
  const kept = new Set(prunings.flatMap((pruning) => pruning.files))
  const files = snapshot.files.filter((file) => kept.has(file))
  return { files, pruned: snapshot.files.length - files.length }
}

function mayMatch(condition: TypedCondition, snapshot: Snapshot, file: DataFile): boolean {
  switch (condition.kind) {
    case 'unknown':
      return true
    case 'and':
      return condition.children.every((child) => mayMatch(child, snapshot, file))
    case 'or':
      return condition.children.some((child) => mayMatch(child, snapshot, file))
    case 'in':
      return condition.values.some((value) => mayCompare('=', condition.column, value, snapshot, file))
    case 'compare':
      return mayCompare(condition.op, condition.column, condition.value, snapshot, file)
    case 'prefix':
      return mayStartWith(String(condition.value), statisticsOf(condition.column, snapshot, file), file)
    case 'null':
      return mayBeNull(condition.negated, statisticsOf(condition.column, snapshot, file), file)
  }
}

/** What is known of a column in a file: what its partition values tell, and its own statistics. */
function statisticsOf(column: Column, snapshot: Snapshot, file: DataFile): ColumnStatistics {
  const fields = snapshot.specs.get(file.specId)?.fields ?? []
  return fields.reduce<ColumnStatistics>((known, { columnId, transform }, position) => {
    if (columnId !== column.id) return known
    return narrowed(partitionStatistics(transform, file.partition[position], column.type, file.rows), known)
  }, file.columns.get(column.id) ?? {})
}

function mayCompare(op: CompareOp, column: Column, value: Scalar, snapshot: Snapshot, file: DataFile): boolean {
  const statistics = statisticsOf(column, snapshot, file)
  if (statistics.nulls === file.rows) return false
  if (op === '=' && !bucketMatches(column, value, snapshot, file)) return false
  return boundsAllow(op, value, statistics, isFloat(column.type))
}

function bucketMatches(column: Column, value: Scalar, snapshot: Snapshot, file: DataFile): boolean {
  const fields = snapshot.specs.get(file.specId)?.fields ?? []
  return fields.every(({ columnId, transform }, position) => {
    const partition = file.partition[position]
    if (columnId !== column.id || transform.kind !== 'bucket' || partition === undefined) return true
    const bucket = bucketFunction(column.type, transform.count)
    return partition !== null && (bucket === undefined || Number(partition) === bucket(value))
  })
}

/** DuckDB orders NaN above every number, and bounds leave it out: where NaN may occur, an upper bound says nothing. */
function boundsAllow(op: CompareOp, value: Scalar, { lower, upper, nans }: ColumnStatistics, float: boolean): boolean {
  if (typeof value === 'number' && Number.isNaN(value)) return true
  const belowUpper = (strict: boolean) => {
    if (upper === undefined || (float && nans !== 0 && op !== '=')) return true
    const order = compareScalars(value, upper)
    return Number.isNaN(order) || order < 0 || (order === 0 && !strict)
  }
  const aboveLower = (strict: boolean) => {
    if (lower === undefined) return true
    const order = compareScalars(value, lower)
    return Number.isNaN(order) || order > 0 || (order === 0 && !strict)
  }
  switch (op) {
    case '=':
      return belowUpper(false) && aboveLower(false)
    case '<':
      return aboveLower(true)
    case '<=':
      return aboveLower(false)
    case '>':
      return belowUpper(true)
    case '>=':
      return belowUpper(false)
  }
}

function mayStartWith(prefix: string, { lower, upper, nulls }: ColumnStatistics, file: DataFile): boolean {
  if (nulls === file.rows) return false
  if (typeof upper === 'string' && compareScalars(prefix, upper) > 0) return false
  return typeof lower !== 'string' || compareScalars(prefix, lower) >= 0 || lower.startsWith(prefix)
}

function mayBeNull(negated: boolean, { nulls }: ColumnStatistics, file: DataFile): boolean {
  if (nulls === undefined) return true
  return negated ? nulls < file.rows : nulls > 0
}
