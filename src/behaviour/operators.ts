/** Which operators there are, and on which types of columns they work: the one table of the filter language. */
import { type DataType, isFloat, isInteger } from '../common/data-type.ts'
import type { FilterOperator, TargetOperator } from './types.ts'

/** Types that filters treat alike. */
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

const ORDERED: readonly TypeClass[] = ['integer', 'float', 'decimal', 'date', 'time', 'timestamp', 'timestamptz']
const COMPARABLE: readonly TypeClass[] = [...ORDERED, 'boolean', 'string', 'uuid']

const OPERATORS: Record<FilterOperator, readonly TypeClass[]> = {
  '==': COMPARABLE,
  '!=': COMPARABLE,
  '<': ORDERED,
  '<=': ORDERED,
  '>': ORDERED,
  '>=': ORDERED,
  contains: ['string'],
  'not contains': ['string'],
}

/** Every operator of filters. */
export const FILTER_OPERATORS = Object.keys(OPERATORS) as readonly FilterOperator[]

/** Every operator of targets. */
export const TARGET_OPERATORS: readonly TargetOperator[] = ['==', '!=', '<', '<=', '>', '>=']

/** The operators that work on columns of the class; none on binary ones. */
export function operatorsOf(typeClass: TypeClass): FilterOperator[] {
  return FILTER_OPERATORS.filter((operator) => OPERATORS[operator].includes(typeClass))
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
