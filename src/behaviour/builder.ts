/**
 * Behavioural queries as calls, which give the same JSON. Nothing is changed in place: every call gives a new builder.
 *
 * @example
 * query<{ event: string; price: number | null }>()
 *   .where(rows(eq('event', 'buy')).sum('price', '>', 100))
 *   .funnel(step('view', eq('event', 'view')), step('buy', eq('event', 'buy')))
 *   .within('7d')
 *   .build()
 */
import type { AnyFilter, FilterOn, Having, RowOf } from './filters.ts'
import type {
  AggregationClause,
  BehaviouralQuery,
  Filter,
  RowFilter,
  RowsCondition,
  SequenceClause,
  SequenceCondition,
  SequenceOrder,
  Step,
  Target,
  TargetOperator,
  TieRule,
  TimeSpan,
} from './types.ts'

/** The columns of a row: any text where the row is not known, else its keys and the dotted paths of its structs. */
export type ColumnOf<Row> = [Row] extends [never] ? string : PathOf<Row>

type PathOf<Row> = {
  [K in keyof Row & string]: NonNullable<Row[K]> extends Date | readonly unknown[]
    ? K
    : NonNullable<Row[K]> extends object
      ? K | `${K}.${PathOf<NonNullable<Row[K]>>}`
      : K
}[keyof Row & string]

/** A step being written. */
export interface StepBuilder<Row> {
  readonly json: Step
  readonly row?: (row: Row) => void
  /** Chains need not match the step. */
  optional(): StepBuilder<Row>
  /** No such row may lie in the step's place. */
  notFound(): StepBuilder<Row>
  /** Longest time since the previous required step. */
  within(span: TimeSpan): StepBuilder<Row>
  /** Shortest time since the previous required step. */
  after(span: TimeSpan): StepBuilder<Row>
}

type Filters = readonly [AnyFilter, ...AnyFilter[]]

/** A step of a sequence: the rows on which all of the filters hold. A name may come first. */
export function step<F extends Filters>(name: string, ...filters: F): StepBuilder<RowOf<F[number]>>
export function step<F extends Filters>(...filters: F): StepBuilder<RowOf<F[number]>>
export function step(first: string | Filter, ...rest: Filter[]): StepBuilder<never> {
  if (typeof first !== 'string') return makeStep(rowFilter([first, ...rest]))
  return makeStep({ name: first, ...rowFilter(rest) })
}

function makeStep(json: Step): StepBuilder<never> {
  return {
    json,
    optional: () => makeStep({ ...json, optional: true }),
    notFound: () => makeStep({ ...json, rowFound: false }),
    within: (span) => makeStep({ ...json, within: span }),
    after: (span) => makeStep({ ...json, after: span }),
  }
}

function rowFilter(filters: readonly Filter[]): RowFilter {
  const [first, ...rest] = filters
  if (first === undefined) throw new TypeError('a filter is needed')
  return rest.length === 0 ? { filter: first } : { filters: [first, ...rest] }
}

/** A condition on rows being written. Without a target at least one such row is asked for. */
export interface RowsBuilder<Row> {
  readonly json: RowsCondition
  readonly row?: (row: Row) => void
  /** Gives the name by which a relation may call it. */
  named(name: string): RowsBuilder<Row>
  /** How many rows match. */
  count(op: TargetOperator, value: number | bigint): RowsBuilder<Row>
  /** How many values of the column they have. */
  distinct<C extends string>(
    column: C,
    op: TargetOperator,
    value: number | bigint,
  ): RowsBuilder<Row & Having<C, unknown>>
  /** What the column adds up to. */
  sum<C extends string>(column: C, op: TargetOperator, value: number | bigint): RowsBuilder<Row & Having<C, Numeric>>
  /** The mean of the column. */
  mean<C extends string>(column: C, op: TargetOperator, value: number | bigint): RowsBuilder<Row & Having<C, Numeric>>
  /** The least value of the column. */
  min<C extends string>(
    column: C,
    op: TargetOperator,
    value: Extreme,
  ): RowsBuilder<Row & Having<C, Extreme | null | undefined>>
  /** The greatest value of the column. */
  max<C extends string>(
    column: C,
    op: TargetOperator,
    value: Extreme,
  ): RowsBuilder<Row & Having<C, Extreme | null | undefined>>
  /** Whether actors without any such row satisfy it too. */
  includeZero(include?: boolean): RowsBuilder<Row>
}

type Extreme = number | bigint | string | Date

/** Decimals may come as text. */
type Numeric = number | bigint | string | null | undefined

/** A condition on the rows on which all of the filters hold. */
export function rows<F extends Filters>(...filters: F): RowsBuilder<RowOf<F[number]>> {
  return makeRows(rowFilter(filters)) as unknown as RowsBuilder<RowOf<F[number]>>
}

function makeRows(json: RowsCondition): RowsBuilder<never> {
  const target = (given: Target) => makeRows({ ...json, target: given })
  return {
    json,
    named: (name) => makeRows({ ...json, name }),
    count: (op, value) => target(['count', op, value]),
    distinct: (column, op, value) => target(['distinct', column, op, value]),
    sum: (column, op, value) => target(['sum', column, op, value]),
    mean: (column, op, value) => target(['mean', column, op, value]),
    min: (column, op, value) => target(['min', column, op, extreme(value)]),
    max: (column, op, value) => target(['max', column, op, extreme(value)]),
    includeZero: (include = true) => makeRows({ ...json, includeZero: include }),
  }
}

function extreme(value: Extreme): number | bigint | string {
  return value instanceof Date ? value.toISOString() : value
}

/** The constraints of a sequence; each gives what it was called on, with the constraint. */
export interface SequenceMethods<Self> {
  /** Longest time from the first matched row to the last. */
  within(span: TimeSpan): Self
  /** How the steps follow one another. */
  order(order: SequenceOrder): Self
  /** Whether matched rows may have equal times. */
  ties(ties: TieRule): Self
  /** Whether one row may match several steps; needs `ties('stepOrder')`. */
  sameRow(sameRow?: boolean): Self
}

function sequenceMethods<Self>(change: (part: Partial<SequenceClause>) => Self): SequenceMethods<Self> {
  return {
    within: (span) => change({ within: span }),
    order: (order) => change({ order }),
    ties: (ties) => change({ ties }),
    sameRow: (sameRow = true) => change({ sameRow }),
  }
}

/** A condition that an actor's rows contain a sequence, being written. */
export interface SequenceBuilder<Row> extends SequenceMethods<SequenceBuilder<Row>> {
  readonly json: SequenceCondition
  readonly row?: (row: Row) => void
  /** Gives the name by which a relation may call it. */
  named(name: string): SequenceBuilder<Row>
  /** Columns in whose values all matched rows agree. */
  hold<C extends string>(first: C, ...rest: C[]): SequenceBuilder<Row & Having<C, unknown>>
}

/** A condition that an actor's rows contain the steps. */
export function sequence<S extends readonly [StepBuilder<never>, ...StepBuilder<never>[]]>(
  ...steps: S
): SequenceBuilder<RowOfSteps<S[number]>> {
  const [first, ...rest] = steps
  return makeSequence({ sequence: stepsOf(first, rest) }) as unknown as SequenceBuilder<RowOfSteps<S[number]>>
}

/** The least that a row must be for all of the steps (a union of their types) to fit it. */
type RowOfSteps<S> = [S extends { readonly row?: infer Phantom } ? NonNullable<Phantom> : never] extends [
  (row: infer Row) => void,
]
  ? Row
  : unknown

function stepsOf(first: { json: Step }, rest: readonly { json: Step }[]): [Step, ...Step[]] {
  return [first.json, ...rest.map(({ json }) => json)]
}

function makeSequence(json: SequenceCondition): SequenceBuilder<never> {
  return {
    json,
    named: (name) => makeSequence({ ...json, name }),
    hold: (first, ...rest) => makeSequence({ ...json, hold: [first, ...rest] }),
    ...sequenceMethods((part) => makeSequence({ ...json, ...part })),
  }
}

/** An aggregation over columns of a row. */
export type AggregationOn<Row> =
  Extract<AggregationClause, { column: string }> extends infer One
    ? Omit<One, 'column' | 'columns' | 'otherColumn'> & {
        otherColumn?: ColumnOf<Row>
      } & ({ column: ColumnOf<Row>; columns?: undefined } | { columns: readonly [ColumnOf<Row>, ...ColumnOf<Row>[]] })
    : never

/** A condition: one being written, or the filter of the rows of which at least one is asked for. */
export type ConditionOn<Row> = FilterOn<Row> | RowsBuilder<Row> | SequenceBuilder<Row>

/** What every query being written has. */
export interface QueryMethods<Row, Self> {
  /** Only rows from `from`, included, to `to`, excluded. */
  timeframe(bounds: { from?: Bound; to?: Bound }): Self
  /** Adds conditions, each of which an actor's rows must satisfy unless a relation says otherwise. */
  where(...conditions: ConditionOn<Row>[]): Self
  /** How the conditions are joined, such as `$0 and not $buyers`. */
  relation(text: string): Self
  /** Adds aggregations over the rows of the matching actors. */
  aggregate(...aggregations: AggregationOn<Row>[]): Self
  /** The query as JSON. */
  build(): BehaviouralQuery
}

type Bound = number | bigint | string | Date

/** A query being written. */
export interface QueryBuilder<Row> extends QueryMethods<Row, QueryBuilder<Row>> {
  /** How far the matching actors come. */
  funnel(first: StepBuilder<Row>, ...rest: StepBuilder<Row>[]): FunnelBuilder<Row>
}

/** A query with a funnel being written; the constraints are the funnel's. */
export interface FunnelBuilder<Row> extends QueryMethods<Row, FunnelBuilder<Row>>, SequenceMethods<FunnelBuilder<Row>> {
  /** Columns in whose values all matched rows agree. */
  hold(first: ColumnOf<Row>, ...rest: ColumnOf<Row>[]): FunnelBuilder<Row>
  /** Adds aggregations for each step, over the rows of the actors that passed it. */
  stepAggregations(...aggregations: AggregationOn<Row>[]): FunnelBuilder<Row>
  /** Adds aggregations over the rows of the actors that passed the last step. */
  endAggregations(...aggregations: AggregationOn<Row>[]): FunnelBuilder<Row>
}

/** A query that asks nothing yet. `Row` names the table's columns and what they hold; without it any column goes. */
export function query<Row = never>(): QueryBuilder<Required<Row>> {
  return makeQuery({}) as unknown as QueryBuilder<Required<Row>>
}

function queryMethods<Self>(json: BehaviouralQuery, make: (json: BehaviouralQuery) => Self): QueryMethods<never, Self> {
  const clause = (part: BehaviouralQuery['query']) => make({ ...json, query: { ...json.query, ...part } })
  return {
    timeframe: ({ from, to }) =>
      make({
        ...json,
        timeframe: {
          ...(from === undefined ? {} : { from: extreme(from) }),
          ...(to === undefined ? {} : { to: extreme(to) }),
        },
      }),
    where: (...conditions) =>
      clause({ conditions: [...(json.query?.conditions ?? []), ...conditions.map(conditionJson)] }),
    relation: (relation) => clause({ relation }),
    aggregate: (...aggregations) =>
      clause({ aggregations: [...(json.query?.aggregations ?? []), ...(aggregations as AggregationClause[])] }),
    build: () => structuredClone(json),
  }
}

function conditionJson(condition: ConditionOn<never>): RowsCondition | SequenceCondition {
  return 'json' in condition ? condition.json : { filter: condition }
}

function makeQuery(json: BehaviouralQuery): QueryBuilder<never> {
  return {
    ...queryMethods(json, makeQuery),
    funnel: (first, ...rest) => makeFunnel(json, { sequence: stepsOf(first, rest) }),
  }
}

type Funnel = NonNullable<BehaviouralQuery['funnel']>

function makeFunnel(json: BehaviouralQuery, funnel: Funnel): FunnelBuilder<never> {
  const change = (part: Partial<Funnel>) => makeFunnel(json, { ...funnel, ...part })
  const added = (before: Funnel['endAggregations'], more: readonly object[]) => [
    ...(before ?? []),
    ...(more as AggregationClause[]),
  ]
  return {
    ...queryMethods({ ...json, funnel }, (next) => makeFunnel(next, next.funnel!)),
    ...sequenceMethods(change),
    hold: (first, ...rest) => change({ hold: [first, ...rest] }),
    stepAggregations: (...more) => change({ stepAggregations: added(funnel.stepAggregations, more) }),
    endAggregations: (...more) => change({ endAggregations: added(funnel.endAggregations, more) }),
  }
}
