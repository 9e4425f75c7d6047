/**
 * Aggregates in two steps: a state for the rows of each task, and the value from the states of all. `parted` aggregates have
 * a state of a few columns; `distinct` ones need every value of their arguments once; `rows` ones need every row.
 */
import { asciiLower, namesIn } from '../common/text.ts'
import { allowedAggregates } from './functions.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** How an aggregate can be computed in two steps. */
export type AggregateSteps =
  | {
      kind: 'parted'
      /** The columns of a state, as aggregates over rows. */
      states: TreeNode[]
      /** SQL of the value over the states of all tasks, given the names of the columns. */
      value(columns: readonly string[]): string
    }
  | { kind: 'distinct' }
  | { kind: 'rows' }

/** True for a call of an aggregate function (not of one over a window). */
export function isAggregateCall(node: TreeNode): boolean {
  return node.class === 'FUNCTION' && allowedAggregates().has(asciiLower(text(node.function_name)))
}

/** True for a call of a macro with aggregates inside, which no tree shows. */
export function hidesAggregates(node: TreeNode): boolean {
  return node.class === 'FUNCTION' && AGGREGATE_MACROS.has(asciiLower(text(node.function_name)))
}

const AGGREGATE_MACROS: ReadonlySet<string> = new Set(
  namesIn('geomean geometric_mean json_group_array json_group_object json_group_structure wavg weighted_avg'),
)

/** How the call of an aggregate is computed in two steps. */
export function aggregateSteps(call: TreeNode): AggregateSteps {
  const name = asciiLower(text(call.function_name))
  if (call.distinct === true || name === 'approx_count_distinct') return { kind: 'distinct' }
  const ordered = isNode(call.order_bys) && nodes(call.order_bys.orders).length > 0
  const count = nodes(call.children).length
  const form = FORMS[FAMILIES.get(name) ?? 'none']
  return form?.(call, { name, ordered, count }) || { kind: 'rows' }
}

interface Call {
  name: string
  ordered: boolean
  /** Number of arguments. */
  count: number
}

type Form = (call: TreeNode, facts: Call) => AggregateSteps | undefined

/** The states of one column are combined by the same function. */
const again: Form = (call, { name, ordered, count }) =>
  ordered || count !== 1 ? undefined : parted([call], ([state]) => `${name}(${state})`)

const count: Form = (call, { ordered }) =>
  ordered ? undefined : parted([call], ([state]) => `CAST(coalesce(sum(${state}), 0) AS BIGINT)`)

const countIf: Form = (call, { ordered }) => (ordered ? undefined : parted([call], ([state]) => `sum(${state})`))

const average: Form = (call, { ordered, count: arguments_ }) =>
  ordered || arguments_ !== 1
    ? undefined
    : parted(
        [renamed(call, 'sum'), renamed(call, 'count')],
        ([sum, rows]) => `CAST(sum(${sum}) AS DOUBLE) / CAST(nullif(sum(${rows}), 0) AS DOUBLE)`,
      )

/** Counts, means and squared distances from the mean are joined two by two: the differences of large squares would lose digits. */
function spread(value: string): Form {
  return (call, { ordered, count: arguments_ }) =>
    ordered || arguments_ !== 1
      ? undefined
      : parted(
          [renamed(call, 'count'), renamed(call, 'avg'), renamed(call, 'var_pop')],
          ([n, mean, variance]) => `list_transform([${joinedSpread(n!, mean!, variance!)}], z -> ${value})[1]`,
        )
}

function joinedSpread(n: string, mean: string, variance: string): string {
  const state = `{'n': CAST(${n} AS DOUBLE), 'm': CAST(${mean} AS DOUBLE), 's': ${variance} * ${n}}`
  const joined = `{'n': a.n + b.n, 'm': a.m + (b.m - a.m) * b.n / (a.n + b.n), 's': a.s + b.s + (b.m - a.m) * (b.m - a.m) * a.n * b.n / (a.n + b.n)}`
  return `list_reduce(list(${state}) FILTER (${n} > 0), (a, b) -> ${joined})`
}

const SAMPLES = 'CASE WHEN z.n > 1 THEN z.s / (z.n - 1) END'
const POPULATION = 'z.s / z.n'

/** The first or last row of each task, then of these; a state of no rows is none, one of a null is a null. */
const firstOrLast: Form = (call, { name, ordered, count: arguments_ }) => {
  if (arguments_ !== 1) return undefined
  const orders = ordered ? nodes((call.order_bys as TreeNode).orders) : []
  const keys = orders.map((order) => ({ ...call, children: [order.expression] }))
  const rows = { ...renamed(call, 'count_star'), children: [], order_bys: noOrder(call) }
  return parted([call, rows, ...keys], ([state, present, ...columns]) => {
    const order = orders.map((entry, k) => `${columns[k]}${directionOf(entry)}`).join(', ')
    return `${name}(${state}${order === '' ? '' : ` ORDER BY ${order}`}) FILTER (${present} > 0)`
  })
}

function directionOf({ type, null_order }: TreeNode): string {
  const direction = type === 'DESCENDING' ? ' DESC' : type === 'ASCENDING' ? ' ASC' : ''
  const nulls = text(null_order).replaceAll('_', ' ')
  return nulls === 'ORDER DEFAULT' || nulls === '' ? direction : `${direction} ${nulls}`
}

const anyValue: Form = (call, { name, ordered, count: arguments_ }) =>
  ordered || arguments_ !== 1 ? undefined : parted([call], ([state]) => `${name}(${state})`)

/** Rows whose value or key is null do not count. */
function byKey(extreme: 'min' | 'max'): Form {
  return (call, { name, ordered, count: arguments_ }) => {
    if (ordered || arguments_ !== 2) return undefined
    const [value, key] = nodes(call.children) as [TreeNode, TreeNode]
    const present: TreeNode = { class: 'OPERATOR', type: 'OPERATOR_IS_NOT_NULL', alias: '', children: [value] }
    const filter = isNode(call.filter)
      ? { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', children: [call.filter, present] }
      : present
    const least = { ...renamed(call, extreme), children: [key], filter }
    return parted([call, least], ([state, of]) => `${name}(${state}, ${of})`)
  }
}

function parted(states: TreeNode[], value: (columns: readonly string[]) => string): AggregateSteps {
  return { kind: 'parted', states, value }
}

function renamed(call: TreeNode, name: string): TreeNode {
  return { ...call, function_name: name }
}

function noOrder(call: TreeNode): unknown {
  return isNode(call.order_bys) ? { ...call.order_bys, orders: [] } : call.order_bys
}

const FORMS: Record<string, Form | undefined> = {
  again,
  count,
  countIf,
  average,
  varSamp: spread(SAMPLES),
  varPop: spread(POPULATION),
  stddevSamp: spread(`sqrt(${SAMPLES})`),
  stddevPop: spread(`sqrt(${POPULATION})`),
  firstOrLast,
  anyValue,
  least: byKey('min'),
  greatest: byKey('max'),
}

const FAMILIES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    again: 'sum fsum kahan_sum sumkahan min max bool_and bool_or bit_and bit_or bit_xor product',
    count: 'count count_star',
    countIf: 'count_if countif',
    average: 'avg mean',
    varSamp: 'var_samp variance',
    varPop: 'var_pop',
    stddevSamp: 'stddev stddev_samp',
    stddevPop: 'stddev_pop',
    firstOrLast: 'first arbitrary last',
    anyValue: 'any_value',
    least: 'arg_min argmin min_by',
    greatest: 'arg_max argmax max_by',
  }).flatMap(([family, names]) => namesIn(names).map((name) => [name, family] as const)),
)
