/** Random valid queries on a table: the whole language that is accepted. */
import fc from 'fast-check'
import type {
  AggregationClause,
  BehaviouralQuery,
  Filter,
  FilterOperator,
  FilterValue,
  RowFilter,
  RowsCondition,
  SequenceClause,
  SequenceCondition,
  Step,
  Target,
  TargetOperator,
} from '../../src/behaviour/types.ts'
import { kindOf, type OracleColumn } from './table.ts'

/** A column as queries use it: the values that its filters compare with. */
export interface QueryColumn extends OracleColumn {
  literals: fc.Arbitrary<FilterValue>
}

/** What random queries draw from. */
export interface QuerySource {
  /** Columns for filters; at least one. */
  filters: QueryColumn[]
  /** Columns for aggregations, their numeric ones also for sums. */
  aggregations: OracleColumn[]
  /** Bounds of timeframes in ascending order, when queries may have one. */
  bounds?: fc.Arbitrary<[number | bigint | string, number | bigint | string]>
  /** Spans for `maxDuration`, when the time column allows it. */
  durations?: fc.Arbitrary<number | bigint>
}

const TARGET_OPERATORS: TargetOperator[] = ['==', '!=', '<', '<=', '>', '>=']
const EQUALITY: FilterOperator[] = ['==', '!=']

/** Random queries. */
export function arbitraryQuery(source: QuerySource): fc.Arbitrary<BehaviouralQuery> {
  const { bounds } = source
  const clause = conditionsArbitrary(source).chain((conditions) =>
    record<NonNullable<BehaviouralQuery['query']>>({
      conditions: conditions.length === 0 ? undefined : fc.constant(conditions),
      relation: conditions.length === 0 ? undefined : maybe(relationArbitrary(conditions), 1, 2),
      aggregations: maybe(aggregationsArbitrary(source), 3),
    }),
  )
  return record<BehaviouralQuery>({
    timeframe: bounds && maybe(timeframeArbitrary(bounds), 3),
    query: maybe(clause),
    funnel: maybe(funnelArbitrary(source), 1, 2),
  })
}

function timeframeArbitrary(bounds: NonNullable<QuerySource['bounds']>): fc.Arbitrary<BehaviouralQuery['timeframe']> {
  return fc
    .tuple(bounds, fc.integer({ min: 0, max: 3 }))
    .map(([[from, to], shape]) => ({ ...(shape & 1 ? {} : { from }), ...(shape & 2 ? {} : { to }) }))
}

/** Something, or undefined with the odds `against` to `odds`. */
function maybe<T>(arbitrary: fc.Arbitrary<T>, against = 1, odds = 1): fc.Arbitrary<T | undefined> {
  return fc.oneof({ arbitrary: fc.constant(undefined), weight: against }, { arbitrary, weight: odds })
}

/** Objects whose undefined fields are left out. */
function record<T extends object>(
  fields: {
    [K in keyof T]-?: fc.Arbitrary<T[K] | undefined> | undefined
  },
): fc.Arbitrary<T> {
  const given = Object.fromEntries(Object.entries(fields).filter(([, field]) => field !== undefined))
  return fc
    .record(given as Record<string, fc.Arbitrary<unknown>>)
    .map((object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T)
}

function filterArbitrary(columns: QueryColumn[]): fc.Arbitrary<Filter> {
  return fc
    .constantFrom(...columns)
    .chain(({ name, type, literals }) =>
      fc
        .tuple(fc.constantFrom(...operatorsOf(type)), literals, fc.boolean())
        .map(([op, value, short]): Filter => (short ? [name, op, value] : { column: name, op, value })),
    )
}

function operatorsOf(type: string): FilterOperator[] {
  const kind = kindOf(type)
  if (kind === 'text') return ['==', '==', '!=', 'contains', 'not contains']
  return kind === 'boolean' || kind === 'uuid' ? EQUALITY : [...TARGET_OPERATORS, '!=', '<=', '>=']
}

function rowFilterArbitrary(source: QuerySource): fc.Arbitrary<RowFilter> {
  const filter = filterArbitrary(source.filters)
  return fc.oneof(
    { arbitrary: filter.map((each): RowFilter => ({ filter: each })), weight: 3 },
    {
      arbitrary: fc.array(filter, { minLength: 1, maxLength: 3 }).map(
        (filters): RowFilter => ({
          filters: filters as [Filter, ...Filter[]],
        }),
      ),
      weight: 1,
    },
  )
}

const SMALL = fc.integer({ min: 0, max: 5 })

function targetArbitrary(source: QuerySource): fc.Arbitrary<{ target?: Target; includeZero?: boolean }> {
  const op = fc.constantFrom(...TARGET_OPERATORS)
  const bound = fc.oneof({ arbitrary: SMALL, weight: 9 }, { arbitrary: fc.bigInt(0n, 2n ** 70n), weight: 1 })
  const count = fc.tuple(op, bound, fc.boolean(), fc.boolean()).map(([operator, value, short, zero]) => {
    const target: Target = short ? ['count', operator, value] : { type: 'count', op: operator, value }
    return { target, ...(zero && allowsZero(operator, value) ? { includeZero: true } : {}) }
  })
  const numeric = source.aggregations.filter(isNumeric)
  if (numeric.length === 0) return fc.oneof(fc.constant({}), count)
  const sum = fc
    .tuple(fc.constantFrom(...numeric), op, sumBound, fc.boolean())
    .map(([{ name: column }, operator, value, short]) => ({
      target: short
        ? (['sum', column, operator, value] as const)
        : ({ type: 'sum', column, op: operator, value } as const),
    }))
  return fc.oneof(fc.constant({}), count, sum)
}

const sumBound = fc.oneof(
  fc.integer({ min: -4, max: 12 }),
  fc.constantFrom<number | bigint>(
    0.25,
    0.30000000000000004,
    0.3,
    -1.5,
    2n ** 63n,
    2n ** 53n + 1n,
    -(2n ** 65n),
    1e300,
  ),
)

function isNumeric({ type }: OracleColumn): boolean {
  return ['integer', 'float', 'decimal'].includes(kindOf(type))
}

/** Whether the language takes `includeZero: true` beside this target of a count. */
function allowsZero(op: TargetOperator, value: number | bigint): boolean {
  const isZero = BigInt(value) === 0n
  if (op === '==' || op === '>=') return isZero
  return op === '<=' || (op !== '>' && !isZero)
}

function stepsArbitrary(source: QuerySource): fc.Arbitrary<SequenceClause['sequence']> {
  const rows = rowFilterArbitrary(source)
  const name = maybe(fc.constantFrom('first', 'Second', 'x_1', ''), 4)
  const positive = fc.tuple(rows, name, fc.boolean()).map(
    ([filter, label, said]): Step => ({
      ...filter,
      ...(label === undefined ? {} : { name: label }),
      ...(said ? { rowFound: true } : {}),
    }),
  )
  const negatives = fc.array(
    rows.map((filter): Step => ({ ...filter, rowFound: false })),
    { minLength: 1, maxLength: 3 },
  )
  const gap = (odds: number) =>
    fc.oneof({ arbitrary: fc.constant([]), weight: odds }, { arbitrary: negatives, weight: 1 })
  return fc
    .tuple(gap(12), fc.array(fc.tuple(positive, gap(4)), { minLength: 1, maxLength: 4 }))
    .map(([before, pairs]) => {
      const steps = [...before, ...pairs.flatMap(([step, after]) => [step, ...after])]
      return steps as [Step, ...Step[]]
    })
}

function sequenceArbitrary(source: QuerySource): fc.Arbitrary<SequenceClause> {
  return record<SequenceClause>({
    sequence: stepsArbitrary(source),
    maxDuration: source.durations && maybe(source.durations),
  })
}

function conditionsArbitrary(source: QuerySource): fc.Arbitrary<(RowsCondition | SequenceCondition)[]> {
  const rows = fc
    .tuple(rowFilterArbitrary(source), targetArbitrary(source))
    .map(([filter, target]): RowsCondition => ({ ...filter, ...target }))
  const condition = fc.oneof<fc.Arbitrary<RowsCondition | SequenceCondition>[]>(rows, sequenceArbitrary(source))
  return fc
    .tuple(fc.array(condition, { maxLength: 4, size: 'small' }), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
    .map(([conditions, named]) =>
      conditions.map((each, index) => (named[index] ? { ...each, name: `Name_${index}x` } : each)),
    )
}

function relationArbitrary(conditions: (RowsCondition | SequenceCondition)[]): fc.Arbitrary<string> {
  const leaf = fc.tuple(fc.nat(conditions.length - 1), fc.boolean()).map(([index, zeros]) => {
    const { name } = conditions[index]!
    if (name) return `$${zeros ? name.toUpperCase() : name}`
    return `$${zeros ? '0' : ''}${index}`
  })
  const operator = fc.constantFrom(' and ', ' or ', ' AND ', ' Or ', '&&', ' ||  ')
  const { relation } = fc.letrec<{ relation: string }>((tie) => ({
    relation: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.tuple(tie('relation'), operator, tie('relation')).map((parts) => parts.join('')),
      tie('relation').map((inner) => `( ${inner})`),
      fc.tuple(fc.constantFrom('not (', '!(', 'NOT\t('), tie('relation')).map(([word, inner]) => `${word}${inner})`),
      leaf.map((inner) => `not ${inner}`),
    ),
  }))
  return fc.oneof({ arbitrary: relation, weight: 5 }, { arbitrary: fc.constantFrom('or', ' AND ', '||'), weight: 2 })
}

function aggregationsArbitrary(source: QuerySource): fc.Arbitrary<AggregationClause[]> {
  const column = fc.constantFrom(...source.aggregations).map(({ name }) => name)
  const plain = record<AggregationClause>({
    column,
    type: maybe(fc.constantFrom('count', 'countPerValue', 'groupsPerValue')),
    name: undefined,
    otherColumn: undefined,
  })
  const numeric = source.aggregations.filter(isNumeric).map(({ name }) => name)
  const perValue = record<AggregationClause>({
    column,
    type: fc.constantFrom('sumPerValue', 'meanPerValue'),
    name: maybe(fc.constant('named')),
    otherColumn: numeric.length > 0 ? fc.constantFrom(...numeric) : undefined,
  })
  const one = numeric.length > 0 ? fc.oneof(plain, perValue) : plain
  return fc.uniqueArray(one, { maxLength: 3, selector: ({ name }) => name ?? Symbol() })
}

function funnelArbitrary(source: QuerySource): fc.Arbitrary<NonNullable<BehaviouralQuery['funnel']>> {
  const aggregations = maybe(aggregationsArbitrary(source), 2)
  return fc.tuple(sequenceArbitrary(source), aggregations, aggregations).map(([clause, step, end]) => ({
    ...clause,
    ...(step ? { stepAggregations: step } : {}),
    ...(end ? { endAggregations: end } : {}),
  }))
}
