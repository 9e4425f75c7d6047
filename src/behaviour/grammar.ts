/**
 * The grammar of behavioural queries as tables: the keys of every object, and the words that they take. Validation
 * reads by these tables, and the JSON Schema is printed from them.
 */
import type { TypeClass } from './operators.ts'
import type { AggregationType, SequenceOrder, TargetOperator, TargetType, TieRule } from './types.ts'

/** What stands at a key: a scalar by name, an object by the name of its shape, one of a few words, or a list. */
export type Value =
  | 'text'
  | 'name'
  | 'conditionName'
  | 'boolean'
  | 'count'
  | 'number'
  | 'top'
  | 'fraction'
  | 'bound'
  | 'span'
  | 'columns'
  | 'filter'
  | 'target'
  | { readonly shape: ShapeName }
  | { readonly words: readonly string[] }
  | { readonly list: Value; readonly least: 0 | 1 }

/** A key of an object. */
export interface Key {
  readonly value: Value
  /** What it means, for editors. */
  readonly help: string
}

/** The keys of an object; exactly one of those in `oneOf` is given. */
export interface Shape {
  readonly keys: Readonly<Record<string, Key>>
  readonly oneOf?: readonly string[]
}

/** The names of the objects of a query. */
export type ShapeName =
  | 'query'
  | 'timeframe'
  | 'clause'
  | 'rowsCondition'
  | 'sequenceCondition'
  | 'condition'
  | 'step'
  | 'funnel'
  | 'aggregation'

/** How the steps of a sequence follow one another. */
export const ORDERS: readonly SequenceOrder[] = ['ordered', 'strict', 'any']

/** Whether matched rows may have equal times. */
export const TIE_RULES: readonly TieRule[] = ['never', 'stepOrder']

/** Every operator of targets. */
export const TARGET_OPERATORS: readonly TargetOperator[] = ['==', '!=', '<', '<=', '>', '>=']

const NUMERIC: readonly TypeClass[] = ['integer', 'float', 'decimal']
const TIMES: readonly TypeClass[] = ['date', 'time', 'timestamp', 'timestamptz']
const ANY: readonly TypeClass[] = [...NUMERIC, ...TIMES, 'boolean', 'string', 'uuid', 'binary']

/** A type of target: its keys in the order of the shorthand, what its value is, and the columns that it takes. */
export interface TargetRule {
  readonly keys: readonly ('type' | 'column' | 'op' | 'value')[]
  readonly value: 'count' | 'number' | 'scalar'
  readonly classes: readonly TypeClass[]
}

const OVER_COLUMN = ['type', 'column', 'op', 'value'] as const

/** The types of targets. */
export const TARGETS: Readonly<Record<TargetType, TargetRule>> = {
  count: { keys: ['type', 'op', 'value'], value: 'count', classes: [] },
  sum: { keys: OVER_COLUMN, value: 'number', classes: NUMERIC },
  distinct: { keys: OVER_COLUMN, value: 'count', classes: ANY },
  min: { keys: OVER_COLUMN, value: 'scalar', classes: [...NUMERIC, ...TIMES] },
  max: { keys: OVER_COLUMN, value: 'scalar', classes: [...NUMERIC, ...TIMES] },
  mean: { keys: OVER_COLUMN, value: 'number', classes: NUMERIC },
}

/** A type of aggregation: the columns that it takes, the keys that go with it, and whether its value is a map of values. */
export interface AggregationRule {
  readonly classes: readonly TypeClass[]
  readonly map?: true
  readonly otherColumn?: true
  readonly q?: true
}

/** The types of aggregations. */
export const AGGREGATIONS: Readonly<Record<AggregationType, AggregationRule>> = {
  count: { classes: ANY },
  countPerValue: { classes: ANY, map: true },
  groupsPerValue: { classes: ANY, map: true },
  sumPerValue: { classes: ANY, map: true, otherColumn: true },
  meanPerValue: { classes: ANY, map: true, otherColumn: true },
  min: { classes: [...NUMERIC, ...TIMES, 'string'] },
  max: { classes: [...NUMERIC, ...TIMES, 'string'] },
  mean: { classes: NUMERIC },
  sum: { classes: NUMERIC },
  distinct: { classes: ANY },
  quantiles: { classes: NUMERIC, q: true },
}

/** What an aggregation without a type stands for. */
export const DEFAULT_AGGREGATIONS: readonly AggregationType[] = ['count', 'countPerValue', 'groupsPerValue']

const ROWS: Readonly<Record<string, Key>> = {
  filter: { value: 'filter', help: 'Which rows: those on which this filter holds.' },
  filters: { value: { list: 'filter', least: 1 }, help: 'Which rows: those on which all of these filters hold.' },
}

const CONDITION_NAME: Key = {
  value: 'conditionName',
  help: 'By which the relation may call the condition, as `$name`.',
}

const SEQUENCE: Readonly<Record<string, Key>> = {
  sequence: { value: { list: { shape: 'step' }, least: 1 }, help: 'The steps, in the order in which they happen.' },
  within: {
    value: 'span',
    help: "Longest time from the first matched row to the last: a duration, or a number in the time column's unit.",
  },
  maxDuration: { value: 'count', help: '`within` as a whole number in the unit of the time column.' },
  order: {
    value: { words: ORDERS },
    help: '`ordered`: other rows may lie between; `strict`: no other row of the actor does; `any`: the steps in any order.',
  },
  ties: {
    value: { words: TIE_RULES },
    help: '`never`: matched rows differ in time; `stepOrder`: rows of one instant may follow in the order of the steps.',
  },
  sameRow: { value: 'boolean', help: 'Whether one row may match several steps; needs `ties: "stepOrder"`.' },
  hold: { value: 'columns', help: 'Columns in whose values all matched rows agree.' },
}

const AGGREGATION_LIST: Value = { list: { shape: 'aggregation' }, least: 0 }

const ROWS_CONDITION: Readonly<Record<string, Key>> = {
  name: CONDITION_NAME,
  ...ROWS,
  target: { value: 'target', help: 'What the matching rows must add up to; at least one row when absent.' },
  includeZero: { value: 'boolean', help: 'Whether actors without any matching row satisfy the condition too.' },
}

/** The objects of a query. */
export const SHAPES: Readonly<Record<ShapeName, Shape>> = {
  query: {
    keys: {
      timeframe: { value: { shape: 'timeframe' }, help: 'The only rows that the query sees.' },
      query: { value: { shape: 'clause' }, help: 'Which actors match, and what is aggregated over their rows.' },
      funnel: { value: { shape: 'funnel' }, help: 'How far the matching actors come.' },
    },
  },
  timeframe: {
    keys: {
      from: { value: 'bound', help: 'The earliest time, included.' },
      to: { value: 'bound', help: 'The time before which rows lie.' },
    },
  },
  clause: {
    keys: {
      conditions: { value: { list: { shape: 'condition' }, least: 0 }, help: 'What is asked of an actor.' },
      relation: {
        value: 'text',
        help: '`and`, `or`, or an expression such as `$0 and not ($1 or $name)`; all conditions when absent.',
      },
      aggregations: { value: AGGREGATION_LIST, help: 'Over all rows of the matching actors.' },
    },
  },
  condition: { keys: { ...ROWS_CONDITION, ...SEQUENCE } },
  rowsCondition: { keys: ROWS_CONDITION, oneOf: ['filter', 'filters'] },
  sequenceCondition: { keys: { name: CONDITION_NAME, ...SEQUENCE }, oneOf: ['sequence'] },
  step: {
    keys: {
      name: { value: 'name', help: 'Shown with the step in the result.' },
      ...ROWS,
      rowFound: { value: 'boolean', help: '`false`: no such row may lie in the place of this step.' },
      optional: { value: 'boolean', help: '`true`: chains need not match this step.' },
      within: { value: 'span', help: 'Longest time since the previous required step.' },
      after: { value: 'span', help: 'Shortest time since the previous required step.' },
    },
    oneOf: ['filter', 'filters'],
  },
  funnel: {
    keys: {
      ...SEQUENCE,
      stepAggregations: { value: AGGREGATION_LIST, help: 'For each step: over all rows of the actors that passed it.' },
      endAggregations: { value: AGGREGATION_LIST, help: 'Over all rows of the actors that passed the last step.' },
    },
    oneOf: ['sequence'],
  },
  aggregation: {
    keys: {
      column: { value: 'text', help: 'The column.' },
      columns: { value: { list: 'text', least: 1 }, help: 'Several columns: one aggregation for each.' },
      type: {
        value: { words: Object.keys(AGGREGATIONS) },
        help: 'Without a type: `count`, `countPerValue` and `groupsPerValue`.',
      },
      name: { value: 'name', help: 'Shown with the aggregation in the result.' },
      otherColumn: { value: 'text', help: 'The numeric column of `sumPerValue` and `meanPerValue`.' },
      top: { value: 'top', help: 'Most entries of a map.' },
      q: { value: { list: 'fraction', least: 1 }, help: 'The quantiles, such as `[0.5, 0.9]`; `quantiles` only.' },
    },
    oneOf: ['column', 'columns'],
  },
}

/** The keys of an object. */
export function keysOf(shape: ShapeName): string[] {
  return Object.keys(SHAPES[shape].keys)
}

/** The keys that only sequences have. */
export const SEQUENCE_KEYS = Object.keys(SEQUENCE)

/** The keys of a condition that only one without a sequence has. */
export const ROWS_KEYS = Object.keys(ROWS_CONDITION).filter((key) => key !== 'name')
