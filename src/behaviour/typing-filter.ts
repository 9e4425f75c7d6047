/** Filters against the columns of a table: located comparisons → predicates. */
import { type DataType, printType } from '../common/data-type.ts'
import type { FoundColumn } from './column.ts'
import type { Located } from './fields.ts'
import { shown } from './json.ts'
import { type Literal, readLiteral } from './literal.ts'
import { classOf, operatorsOf, takesColumn } from './operators.ts'
import type { Predicate } from './predicate-sql.ts'
import type { SourceComparison, SourceFilter, SourceRows } from './source-filter.ts'
import type { FilterOperator, FilterValue, ValueOperator } from './types.ts'
import { type Columns, findColumn, mismatch } from './typing.ts'
import { type Report, violate } from './violations.ts'

/** The predicate of a row filter. */
export function typeRows(report: Report, columns: Columns, { filters }: SourceRows): Predicate | undefined {
  return typeAll(report, columns, 'and', filters)
}

function typeAll(
  report: Report,
  columns: Columns,
  kind: 'and' | 'or',
  filters: readonly SourceFilter[],
): Predicate | undefined {
  const parts = filters.map((filter) => typeFilter(report, columns, filter))
  const typed = parts.filter((part) => part !== undefined)
  if (typed.length < parts.length) return undefined
  return typed.length === 1 ? typed[0] : { kind, of: typed }
}

function typeFilter(report: Report, columns: Columns, filter: SourceFilter): Predicate | undefined {
  switch (filter.kind) {
    case 'compare':
      return typeComparison(report, columns, filter)
    case 'not': {
      const of = typeFilter(report, columns, filter.of)
      return of && { kind: 'not', of }
    }
    default:
      return typeAll(report, columns, filter.kind, filter.of)
  }
}

function typeComparison(report: Report, columns: Columns, source: SourceComparison): Predicate | undefined {
  const { column, op, values } = source
  const found = findColumn(report, columns, column)
  if (found === undefined || !checkOperator(report, found, source)) return undefined
  const literals = values.map((value) => typeValue(report, found, value, op.value))
  const typed = literals.filter((literal) => literal !== undefined)
  return typed.length < literals.length ? undefined : predicateOf(found, op.value, typed)
}

function checkOperator(report: Report, { type }: FoundColumn, { column, op }: SourceComparison): boolean {
  if (takesColumn(op.value, type)) return true
  const operators = operatorsOf(type)
  const what = `column ${shown(column.value)}`
  if (operators.length === 0) {
    const message = `${what} is of type ${printType(type)}, which filters do not take`
    violate(report, 'TYPE_MISMATCH', column.path, message)
  } else {
    const message = `"${op.value}" does not work on ${what} of type ${printType(type)}; it takes ${operators.join(', ')}`
    violate(report, 'TYPE_MISMATCH', op.path, message)
  }
  return false
}

/** The type of a column's values, or of the elements of a list. */
function valueType(type: DataType): DataType {
  return type.kind === 'list' ? type.element : type
}

function typeValue(
  report: Report,
  column: FoundColumn,
  value: Located<FilterValue>,
  operator: FilterOperator,
): Literal | undefined {
  const type = valueType(column.type)
  const typeClass = classOf(type)!
  const literal = readLiteral(value.value, type, typeClass)
  if (literal === undefined) return mismatch(report, value, column, typeClass)
  if (operator !== 'matches' || (literal.kind === 'text' && literal.text.isWellFormed())) return literal
  return violate(report, 'INVALID_ARGUMENTS', value.path, 'a regular expression has no lone surrogates')
}

function predicateOf({ column, path, type }: FoundColumn, operator: FilterOperator, literals: Literal[]): Predicate {
  const reference = { column, path, type }
  switch (operator) {
    case 'is null':
    case 'is not null':
      return { kind: 'null', ...reference, operator }
    case 'in':
    case 'not in':
      return { kind: 'among', ...reference, operator, literals }
    case 'between': {
      const compare = (bound: ValueOperator, literal: Literal): Predicate => ({
        kind: 'compare',
        ...reference,
        operator: bound,
        literal,
      })
      return { kind: 'and', of: [compare('>=', literals[0]!), compare('<=', literals[1]!)] }
    }
    default:
      return { kind: 'compare', ...reference, operator, literal: literals[0]! }
  }
}

/** A regular expression of a query, and where it stands. Only the engine can tell whether it is one. */
export interface Pattern {
  text: string
  path: string
}

/** The regular expressions of a row filter. */
export function patternsOf({ filters }: SourceRows): Pattern[] {
  return filters.flatMap(filterPatterns)
}

function filterPatterns(filter: SourceFilter): Pattern[] {
  if (filter.kind === 'not') return filterPatterns(filter.of)
  if (filter.kind !== 'compare') return filter.of.flatMap(filterPatterns)
  const { op, values } = filter
  if (op.value !== 'matches') return []
  return values.map(({ value, path }) => ({ text: String(value), path }))
}
