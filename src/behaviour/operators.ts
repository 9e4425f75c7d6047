/** Which operators there are, what they take, and on which types of columns they work: the one table of the filter language. */
import { type DataType, isFloat, isInteger } from '../common/data-type.ts'
import type { FilterOperator } from './types.ts'

/** Types that queries treat alike. */
export type TypeClass =
  | 'boolean'
  | 'integer'
  | 'float'
  | 'decimal'
  | 'string'
  | 'uuid'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'binary'

/** What an operator takes: one value, a list of them, two of them as a range, or none. */
export type Operand = 'value' | 'list' | 'range' | 'none'

/** An operator of filters. */
export interface OperatorRule {
  readonly operand: Operand
  readonly classes: readonly TypeClass[]
  /** Whether it works on lists of primitives too. */
  readonly lists?: true
}

const ORDERED: readonly TypeClass[] = [
  'integer',
  'float',
  'decimal',
  'string',
  'date',
  'time',
  'timestamp',
  'timestamptz',
]
const COMPARABLE: readonly TypeClass[] = [...ORDERED, 'boolean', 'uuid']
const TEXT: readonly TypeClass[] = ['string']

/** The operators of filters. */
export const OPERATORS: Readonly<Record<FilterOperator, OperatorRule>> = {
  '==': { operand: 'value', classes: COMPARABLE },
  '!=': { operand: 'value', classes: COMPARABLE },
  '<': { operand: 'value', classes: ORDERED },
  '<=': { operand: 'value', classes: ORDERED },
  '>': { operand: 'value', classes: ORDERED },
  '>=': { operand: 'value', classes: ORDERED },
  in: { operand: 'list', classes: COMPARABLE },
  'not in': { operand: 'list', classes: COMPARABLE },
  between: { operand: 'range', classes: ORDERED },
  contains: { operand: 'value', classes: TEXT, lists: true },
  'not contains': { operand: 'value', classes: TEXT, lists: true },
  'starts with': { operand: 'value', classes: TEXT },
  'ends with': { operand: 'value', classes: TEXT },
  matches: { operand: 'value', classes: TEXT },
  'is null': { operand: 'none', classes: COMPARABLE, lists: true },
  'is not null': { operand: 'none', classes: COMPARABLE, lists: true },
}

/** Every operator of filters. */
export const FILTER_OPERATORS = Object.keys(OPERATORS) as readonly FilterOperator[]

/** Whether the operator works on columns of a type. */
export function takesColumn(operator: FilterOperator, type: DataType): boolean {
  const { classes, lists = false } = OPERATORS[operator]
  const typeClass = classOf(type.kind === 'list' ? type.element : type)
  if (typeClass === undefined) return false
  return type.kind === 'list' ? lists && COMPARABLE.includes(typeClass) : classes.includes(typeClass)
}

/** The operators that work on columns of a type; none on those that filters do not take. */
export function operatorsOf(type: DataType): FilterOperator[] {
  return FILTER_OPERATORS.filter((operator) => takesColumn(operator, type))
}

const CLASSES = new Map<string, TypeClass>([
  ['BOOLEAN', 'boolean'],
  ['VARCHAR', 'string'],
  ['JSON', 'string'],
  ['UUID', 'uuid'],
  ['DATE', 'date'],
  ['TIME', 'time'],
  ['TIME_NS', 'time'],
  ['TIMESTAMP', 'timestamp'],
  ['TIMESTAMP_S', 'timestamp'],
  ['TIMESTAMP_MS', 'timestamp'],
  ['TIMESTAMP_NS', 'timestamp'],
  ['TIMESTAMP WITH TIME ZONE', 'timestamptz'],
  ['BLOB', 'binary'],
])

/** How queries treat a type; undefined for lists, structs and other types that they do not know. */
export function classOf(type: DataType): TypeClass | undefined {
  if (isInteger(type)) return 'integer'
  if (isFloat(type)) return 'float'
  if (type.kind === 'decimal') return 'decimal'
  if (type.kind === 'other') return /^ENUM\s*\(/i.test(type.text) ? 'string' : undefined
  return type.kind === 'primitive' ? CLASSES.get(type.name) : undefined
}
