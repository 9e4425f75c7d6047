/** Random valid queries on a table: the whole language that is accepted. */
import fc from 'fast-check'
import type {
  AggregationClause,
  AggregationType,
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
  TimeSpan,
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
  /** Columns for targets and aggregations; at least one. */
  aggregations: QueryColumn[]
  /** Columns that sequences may hold. */
  holds: string[]
  /** Bounds of timeframes in ascending order, when queries may have one. */
  bounds?: fc.Arbitrary<[number | bigint | string, number | bigint | string]>
  /** Spans of time. */
  spans: fc.Arbitrary<TimeSpan>
  /** Spans for `maxDuration`, when the time column allows it. */
  durations?: fc.Arbitrary<number | bigint>
}

const TARGET_OPERATORS: TargetOperator[] = ['==', '!=', '<', '<=', '>', '>=']

/** Random queries. */
export function arbitraryQuery(source: QuerySource): fc.Arbitrary<BehaviouralQuery> {
  const { bounds } = source
  const clause = conditionsArbitrary(source).chain((conditions) =>
    record<NonNullable<BehaviouralQuery['query']>>({
      conditions: conditions.length === 0 ? undefined : fc.constant(conditions),
      relation: conditions.length === 0 ? undefined : maybe(relationArbitrary(conditions), 1, 2),
      aggregations: maybe(aggregationsArbitrary(source), 2),
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

/** Comparisons, joined and turned round up to a few levels deep. */
export function filterArbitrary(columns: QueryColumn[]): fc.Arbitrary<Filter> {
  const leaf = fc.constantFrom(...columns).chain(comparisonArbitrary)
  return fc.letrec<{ tree: Filter }>((tie) => {
    const list = fc.array(tie('tree'), { minLength: 1, maxLength: 3 }) as unknown as fc.Arbitrary<[Filter, ...Filter[]]>
    return {
      tree: fc.oneof(
        { depthSize: 'xsmall', withCrossShrink: true },
        { arbitrary: leaf, weight: 7 },
        { arbitrary: list.map((and): Filter => ({ and })), weight: 1 },
        { arbitrary: list.map((or): Filter => ({ or })), weight: 1 },
        { arbitrary: tie('tree').map((not): Filter => ({ not })), weight: 1 },
      ),
    }
  }).tree
}

function comparisonArbitrary({ name, type, literals }: QueryColumn): fc.Arbitrary<Filter> {
  const list = fc.array(literals, { minLength: 1, maxLength: 3 })
  return fc.tuple(fc.constantFrom(...operatorsOf(type)), fc.boolean()).chain(([op, short]) => {
    const write = (value?: unknown) =>
      (short
        ? value === undefined
          ? [name, op]
          : [name, op, value]
        : { column: name, op, ...(value === undefined ? {} : { value }) }) as unknown as Filter
    if (op === 'is null' || op === 'is not null') return fc.constant(write())
    if (op === 'in' || op === 'not in') return list.map(write)
    if (op === 'between') return fc.tuple(literals, literals).map(write)
    if (op === 'matches') return fc.constantFrom(...PATTERNS).map(write)
    return literals.map(write)
  })
}

/** Regular expressions that mean the same in RE2 and in JavaScript. */
const PATTERNS = ['^v', 'w$', 'a|b', '.', '^$', 'é', '[a-z]{4}', '\\\\', '^(?:view|buy)$', '😀', 'no such', "'"]

const EQUALITY: FilterOperator[] = ['==', '!=', 'in', 'not in', 'is null', 'is not null']
const ORDER: FilterOperator[] = ['<', '<=', '>', '>=', 'between']
const TEXT: FilterOperator[] = ['contains', 'not contains', 'starts with', 'ends with', 'matches']
const LISTS: FilterOperator[] = ['contains', 'not contains', 'is null', 'is not null']

function operatorsOf(type: string): FilterOperator[] {
  switch (kindOf(type)) {
    case 'list':
      return LISTS
    case 'text':
      return ['==', '==', ...EQUALITY, ...ORDER, ...TEXT]
    case 'boolean':
    case 'uuid':
      return EQUALITY
    default:
      return [...EQUALITY, ...ORDER]
  }
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
  const counted = scalars(source).map(({ name }) => name)
  const column = fc.option(fc.constantFrom(...counted), { nil: undefined })
  const count = fc.tuple(column, op, bound, fc.boolean(), fc.boolean()).map(([name, operator, value, short, zero]) => ({
    target: writeTarget(name === undefined ? 'count' : 'distinct', name, operator, value, short),
    ...(zero && allowsZero(operator, value) ? { includeZero: true } : {}),
  }))
  const numeric = source.aggregations.filter(isNumeric).map(({ name }) => name)
  const sum = () =>
    fc
      .tuple(fc.constantFrom('sum', 'mean'), fc.constantFrom(...numeric), op, sumBound, fc.boolean())
      .map(([type, name, operator, value, short]) => ({ target: writeTarget(type, name, operator, value, short) }))
  const bounded = source.aggregations.filter((each) => isNumeric(each) || isTime(each))
  const least = () =>
    fc
      .constantFrom(...bounded)
      .chain(({ name, literals }) =>
        fc
          .tuple(fc.constantFrom('min', 'max'), op, literals, fc.boolean())
          .map(([type, operator, value, short]) => ({ target: writeTarget(type, name, operator, value, short) })),
      )
  const kinds = [
    fc.constant({}),
    count,
    ...(numeric.length > 0 ? [sum()] : []),
    ...(bounded.length > 0 ? [least()] : []),
  ]
  return fc.oneof<fc.Arbitrary<{ target?: Target; includeZero?: boolean }>[]>(...kinds)
}

function writeTarget(
  type: string,
  column: string | undefined,
  op: TargetOperator,
  value: FilterValue,
  short: boolean,
): Target {
  const target = short
    ? [type, ...(column === undefined ? [] : [column]), op, value]
    : { type, ...(column === undefined ? {} : { column }), op, value }
  return target as unknown as Target
}

function scalars({ aggregations }: QuerySource): QueryColumn[] {
  return aggregations.filter(({ type }) => kindOf(type) !== 'list')
}

function isTime({ type }: OracleColumn): boolean {
  return ['date', 'time', 'timestamp'].includes(kindOf(type))
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

const STEP_NAME = fc.constantFrom('first', 'Second', 'x_1', '')

function stepArbitrary(source: QuerySource): fc.Arbitrary<Step> {
  return fc.tuple(rowFilterArbitrary(source), maybe(STEP_NAME, 4), fc.boolean()).map(([filter, name, said]) => ({
    ...filter,
    ...(name === undefined ? {} : { name }),
    ...(said ? { rowFound: true } : {}),
  }))
}

/** A required step, which may have spans when others come before it. */
function spannedArbitrary(source: QuerySource): fc.Arbitrary<Step> {
  return fc
    .tuple(stepArbitrary(source), maybe(source.spans, 4), maybe(source.spans, 4))
    .map(([step, within, after]) => ({
      ...step,
      ...(within === undefined ? {} : { within }),
      ...(after === undefined ? {} : { after }),
    }))
}

/** Steps between, before or after the required ones: none, negative ones, or optional ones. */
function gapArbitrary(source: QuerySource, none: number, optional: number): fc.Arbitrary<Step[]> {
  const negatives = fc.array(
    rowFilterArbitrary(source).map((filter): Step => ({ ...filter, rowFound: false })),
    { minLength: 1, maxLength: 3 },
  )
  const optionals = fc.array(
    stepArbitrary(source).map((step): Step => ({ ...step, optional: true })),
    { minLength: 1, maxLength: 3 },
  )
  return fc.oneof(
    { arbitrary: fc.constant<Step[]>([]), weight: none },
    { arbitrary: negatives, weight: 2 },
    { arbitrary: optionals, weight: optional },
  )
}

function stepsArbitrary(source: QuerySource): fc.Arbitrary<SequenceClause['sequence']> {
  return fc
    .tuple(
      gapArbitrary(source, 20, 0),
      stepArbitrary(source),
      gapArbitrary(source, 8, 1),
      fc.array(fc.tuple(spannedArbitrary(source), gapArbitrary(source, 7, 2)), { maxLength: 3 }),
    )
    .map(([before, first, gap, pairs]) => {
      const steps = [...before, first, ...gap, ...pairs.flatMap(([step, after]) => [step, ...after])]
      return steps as [Step, ...Step[]]
    })
}

/** How matched rows follow one another, but for steps in any order. */
export const RULES: Pick<SequenceClause, 'order' | 'ties' | 'sameRow'>[] = [
  {},
  {},
  { order: 'ordered', ties: 'never', sameRow: false },
  { ties: 'stepOrder' },
  { ties: 'stepOrder', sameRow: true },
  { order: 'strict' },
  { order: 'strict', ties: 'stepOrder' },
  { order: 'strict', ties: 'stepOrder', sameRow: true },
]
const ANY: typeof RULES = [{ order: 'any' }, { order: 'any', ties: 'stepOrder' }]

/** Random sequences with their constraints. */
export function sequenceArbitrary(source: QuerySource): fc.Arbitrary<SequenceClause> {
  const { durations, holds } = source
  const unordered = fc.array(stepArbitrary(source), { minLength: 1, maxLength: 4 }) as unknown as fc.Arbitrary<[Step]>
  const ruled = (rules: typeof RULES, steps: fc.Arbitrary<SequenceClause['sequence']>) =>
    fc.tuple(fc.constantFrom(...rules), steps).map(([rule, sequence]): SequenceClause => ({ ...rule, sequence }))
  const spans: fc.Arbitrary<Partial<SequenceClause>>[] = [source.spans.map((within) => ({ within }))]
  if (durations) spans.push(durations.map((maxDuration) => ({ maxDuration })))
  const hold = fc.oneof(
    fc.constantFrom(...holds),
    fc.shuffledSubarray(holds, { minLength: 1, maxLength: 2 }) as unknown as fc.Arbitrary<[string]>,
  )
  return fc
    .tuple(
      fc.oneof(
        { arbitrary: ruled(RULES, stepsArbitrary(source)), weight: 5 },
        { arbitrary: ruled(ANY, unordered), weight: 1 },
      ),
      maybe(fc.oneof(...spans)),
      maybe(hold, 5),
    )
    .map(([clause, span, held]) => ({ ...clause, ...span, ...(held === undefined ? {} : { hold: held }) }))
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

const MAPS: AggregationType[] = ['countPerValue', 'groupsPerValue', 'sumPerValue', 'meanPerValue']

function aggregationsArbitrary(source: QuerySource): fc.Arbitrary<AggregationClause[]> {
  const all = scalars(source)
  const numeric = all.filter(isNumeric)
  const ordered = all.filter(({ type }) => !['boolean', 'uuid'].includes(kindOf(type)))
  const over = (columns: OracleColumn[], ...types: (AggregationType | undefined)[]) =>
    columns.length === 0 ? [] : [aggregationArbitrary(columns, numeric, types)]
  const one = fc.oneof(
    ...over(all, undefined, 'count', 'countPerValue', 'groupsPerValue', 'distinct'),
    ...(numeric.length > 0 ? over(all, 'sumPerValue', 'meanPerValue') : []),
    ...over(ordered, 'min', 'max'),
    ...over(numeric, 'mean', 'sum', 'quantiles'),
  )
  return fc.uniqueArray(one, { maxLength: 3, selector: ({ name }) => name ?? Symbol() })
}

function aggregationArbitrary(
  columns: OracleColumn[],
  numeric: OracleColumn[],
  types: (AggregationType | undefined)[],
): fc.Arbitrary<AggregationClause> {
  const names = columns.map(({ name }) => name)
  const several = fc
    .shuffledSubarray(names, { minLength: 1, maxLength: Math.min(3, names.length) })
    .map((list) => ({ columns: list }))
  const single = fc.tuple(fc.constantFrom(...names), maybe(fc.constantFrom('named', 'n2'), 3))
  return fc.constantFrom(...types).chain((type) => {
    const place = fc.oneof(
      several,
      single.map(([column, name]) => (type !== undefined && name !== undefined ? { column, name } : { column })),
    )
    const options = record<{ top?: number; q?: number[]; otherColumn?: string }>({
      top: type === undefined || MAPS.includes(type) ? maybe(fc.integer({ min: 1, max: 4 }), 3) : undefined,
      q: type === 'quantiles' ? fc.array(QUANTILE, { minLength: 1, maxLength: 3 }) : undefined,
      otherColumn:
        type?.startsWith('sumPer') || type?.startsWith('meanPer')
          ? fc.constantFrom(...numeric.map(({ name }) => name))
          : undefined,
    })
    return fc
      .tuple(place, options)
      .map(([where, more]) => ({ ...where, ...more, ...(type ? { type } : {}) }) as unknown as AggregationClause)
  })
}

const QUANTILE = fc.constantFrom(0, 0.1, 0.25, 0.5, 0.9, 0.99, 1)

function funnelArbitrary(source: QuerySource): fc.Arbitrary<NonNullable<BehaviouralQuery['funnel']>> {
  const aggregations = maybe(aggregationsArbitrary(source), 2)
  return fc.tuple(sequenceArbitrary(source), aggregations, aggregations).map(([clause, step, end]) => ({
    ...clause,
    ...(step ? { stepAggregations: step } : {}),
    ...(end ? { endAggregations: end } : {}),
  }))
}
