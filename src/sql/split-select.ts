/** One SELECT in parts: what every task computes, and what is left to do with what they give. */
import {
  columnPath,
  columnRef,
  expressionKey,
  integerConstant,
  named,
  replaceNodes,
  STAR,
  selectNode,
  someNode,
  subqueryRef,
  tableRef,
} from './build.ts'
import { type AggregateSteps, aggregateSteps, hidesAggregates, isAggregateCall } from './partial-aggregates.ts'
import {
  type CommonTables,
  commonTablesIn,
  isAggregated,
  isSubquery,
  isWindow,
  neededEntries,
  Unsplittable,
} from './relations.ts'
import { type KnownColumns, SelectNames } from './split-names.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** What splitting asks of the engine. */
export interface SplitBinder {
  /** Names and types of a query's columns. @throws when it does not bind */
  describe(query: TreeNode): Promise<{ name: string; type: string }[]>
  /** The trees of expressions. */
  expressions(sql: readonly string[]): Promise<TreeNode[]>
}

/** A SELECT in two or three steps. */
export interface SplitSelect {
  /** What each task runs over its part of the driver. */
  partial: { name: string; query: TreeNode; by?: string[] }
  /** What is run over each part of the groups, where groups are cut. */
  finish?: { name: string; query: TreeNode }
  /** What takes the place of the SELECT. */
  rest: TreeNode
}

/** What is known where a SELECT stands. */
export interface SelectPlace {
  scope: CommonTables
  known: KnownColumns
  binder: SplitBinder
  /** A name for what a stage gives, not used in the query. */
  nextName(): string
  /** Greatest number of rows that a LIMIT asks of every task. */
  limitRows: number
}

/** The steps of a SELECT whose FROM clause comes in parts. @throws Unsplittable */
export async function splitSelect(select: TreeNode, place: SelectPlace): Promise<SplitSelect> {
  if (select.sample) throw new Unsplittable('a sample is taken from all rows')
  const inner = { ...place, scope: commonTablesIn(select, place.scope) }
  const bare = { ...select, cte_map: { map: [] } }
  return isAggregated(bare) ? await splitGroups(bare, inner) : await splitRows(bare, inner)
}

/** A query of a task: with the common tables that it needs. */
function withEntries(query: TreeNode, scope: CommonTables): TreeNode {
  return { ...query, cte_map: { map: neededEntries(query, scope) } }
}

function isStarred(item: TreeNode): boolean {
  return someNode(item, ({ class: kind }) => kind === 'STAR', isSubquery)
}

function outputNames(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, k) => `${prefix}${k}`)
}

function refIn(table: string, name: string, alias = ''): TreeNode {
  return { ...columnRef(name, alias), column_names: [table, name] }
}

// SELECTs of single rows.

async function splitRows(select: TreeNode, place: SelectPlace): Promise<SplitSelect> {
  if (select.qualify || someNode([select.select_list, select.modifiers], isWindow, isSubquery)) {
    throw new Unsplittable('windows need all rows')
  }
  const names = new SelectNames(select, place.scope, place.known)
  const outputs = await place.binder.describe(withEntries({ ...select, modifiers: [] }, place.scope))
  const order = readModifiers(select, names, outputs.length)
  const inner = {
    ...select,
    modifiers: [],
    select_list: [
      ...nodes(select.select_list),
      ...order.hidden.map((expression, k) => named(expression, `hidden ${k}`)),
    ],
  }
  const name = place.nextName()
  const columns = [...outputNames(outputs.length, 'c'), ...outputNames(order.hidden.length, 's')]
  const query = selectNode({
    list: [STAR],
    from: subqueryRef(inner, name, columns),
    modifiers: order.pushed(name, place),
  })
  return { partial: { name, query: withEntries(query, place.scope) }, rest: restOf(name, outputs, order) }
}

function restOf(name: string, outputs: readonly { name: string }[], order: Modifiers): TreeNode {
  const list = outputs.map((output, k) => refIn(name, `c${k}`, output.name))
  return selectNode({ list, from: tableRef(name), modifiers: order.all(name) })
}

/** DISTINCT, ORDER BY and LIMIT of a SELECT, as they can be said of its outputs `c…` and of hidden columns `s…`. */
interface Modifiers {
  /** What is ordered by beside the outputs. */
  hidden: TreeNode[]
  /** All of them, over the rows of all tasks. */
  all(table: string): TreeNode[]
  /** What each task can do of them; nothing where that would not make its rows fewer. */
  pushed(table: string, place: SelectPlace): TreeNode[]
}

function readModifiers(select: TreeNode, names: SelectNames, outputs: number): Modifiers {
  const modifiers = nodes(select.modifiers)
  const distinct = modifiers.find(({ type }) => type === 'DISTINCT_MODIFIER')
  if (distinct && nodes(distinct.distinct_on_targets).length > 0) throw new Unsplittable('DISTINCT ON needs all rows')
  const hidden: TreeNode[] = []
  const listed = nodes(select.select_list)
  // Stars, and values that are unnested, give any number of columns: what stands behind them has another place.
  const hasStar = outputs !== listed.length || listed.some(isStarred)
  const target = (expression: TreeNode): ((table: string) => TreeNode) => {
    if (expression.class === 'COLLATE' && isNode(expression.child)) {
      const child = target(expression.child)
      return (table) => ({ ...expression, child: child(table) })
    }
    if (expression.class === 'STAR') {
      if (expression.columns !== true || text(expression.relation_name) !== '')
        throw new Unsplittable('an ORDER BY with a star')
      return () => expression
    }
    if (hasStar && integerConstant(expression) !== undefined) throw new Unsplittable('a number beside a star')
    const at = names.place(expression, 'number or name')
    if (at !== undefined && !hasStar) return (table) => refIn(table, `c${at}`)
    if (distinct) throw new Unsplittable('DISTINCT rows are ordered by what is not among them')
    if (at !== undefined && text(listed[at]!.alias) !== '') throw new Unsplittable('an alias beside a star')
    hidden.push(expression)
    const own = `s${hidden.length - 1}`
    return (table) => refIn(table, own)
  }
  const orders = modifiers
    .filter(({ type }) => type === 'ORDER_MODIFIER')
    .flatMap((modifier) => nodes(modifier.orders))
    .map((order) => ({ order, ref: target(order.expression as TreeNode) }))
  const byAll = orders.some(({ order }) => isNode(order.expression) && order.expression.class === 'STAR')
  if (byAll && hidden.length > 0) throw new Unsplittable('ORDER BY ALL beside other expressions')
  const limit = modifiers.find(({ type }) => type === 'LIMIT_MODIFIER')
  const others = modifiers.filter(
    ({ type }) => !['DISTINCT_MODIFIER', 'ORDER_MODIFIER', 'LIMIT_MODIFIER'].includes(text(type)),
  )
  const ordering = (table: string): TreeNode[] =>
    orders.length === 0
      ? []
      : [{ type: 'ORDER_MODIFIER', orders: orders.map(({ order, ref }) => ({ ...order, expression: ref(table) })) }]
  const first = distinct ? [distinct] : []
  return {
    hidden,
    all: (table) => [...first, ...ordering(table), ...(limit ? [limit] : []), ...others],
    pushed: (table, { limitRows }) => {
      const rows = limit && limitOf(limit)
      if (rows === undefined || rows > limitRows || others.length > 0) return first
      // Where outputs are all that is ordered by, the places of the wrapper's columns are theirs.
      const starred = byAll ? outputs : 0
      if (starred > 0) return first
      return [...first, ...ordering(table), { ...limit!, limit: integerNode(rows), offset: null }]
    },
  }
}

/** Rows up to the end of a LIMIT of constants. */
function limitOf({ limit, offset }: TreeNode): number | undefined {
  const rows = integerConstant(limit)
  const skipped = isNode(offset) ? integerConstant(offset) : 0
  return rows === undefined || skipped === undefined || rows < 0 || skipped < 0 ? undefined : rows + skipped
}

function integerNode(value: number): TreeNode {
  const type = { id: value > 2 ** 31 - 1 ? 'BIGINT' : 'INTEGER', type_info: null }
  return { class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '', value: { type, is_null: false, value } }
}

// SELECTs of groups.

interface Groups {
  keys: TreeNode[]
  sets: unknown
  /** True when every row is in exactly one group. */
  simple: boolean
}

function readGroups(select: TreeNode, names: SelectNames): Groups {
  const items = nodes(select.select_list)
  if (items.some(isStarred)) throw new Unsplittable('a star among groups')
  if (select.aggregate_handling === 'FORCE_AGGREGATES') {
    const keys = items
      .map((item) => names.resolved(item))
      .filter((item) => !hasAggregates(item))
      .map(keyOf)
    return { keys, sets: keys.length === 0 ? [] : [keys.map((_, k) => k)], simple: keys.length > 0 }
  }
  const keys = nodes(select.group_expressions).map((expression) => {
    const at = names.place(expression, 'number')
    return keyOf(names.resolved(at === undefined ? expression : items[at]!))
  })
  const sets = Array.isArray(select.group_sets) ? select.group_sets : []
  const simple = sets.length === 1 && Array.isArray(sets[0]) && new Set(sets[0]).size === keys.length && keys.length > 0
  // Where groups differ in their keys, the engine takes a column that is named in two ways for one key.
  if (!simple && new Set(keys.map(unqualifiedKey)).size < keys.length) throw new Unsplittable('a key stands twice')
  return { keys, sets, simple }
}

function unqualifiedKey(key: TreeNode): string {
  return expressionKey(
    replaceNodes(key, (node) => {
      const path = columnPath(node)
      return path && { ...node, column_names: path.slice(-1) }
    }),
  )
}

function keyOf(expression: TreeNode): TreeNode {
  if (hasAggregates(expression) || someNode(expression, (node) => isWindow(node) || isSubquery(node))) {
    throw new Unsplittable('a group is not made of columns')
  }
  if (!someNode(expression, ({ class: kind }) => kind === 'COLUMN_REF')) throw new Unsplittable('a group is a constant')
  return { ...expression, alias: '' }
}

function hasAggregates(expression: unknown): boolean {
  return someNode(expression, (node) => isAggregateCall(node) || hidesAggregates(node), isSubquery)
}

async function splitGroups(select: TreeNode, place: SelectPlace): Promise<SplitSelect> {
  const names = new SelectNames(select, place.scope, place.known)
  const groups = readGroups(select, names)
  const outputs = await place.binder.describe(withEntries({ ...select, modifiers: [] }, place.scope))
  if (outputs.length !== nodes(select.select_list).length) throw new Unsplittable('an item gives several columns')
  const states = new States(groups.keys, place.nextName())
  const items = nodes(select.select_list).map((item) => names.resolved(item))
  const having = names.resolvedAfter(select.having)
  const qualify = names.resolvedAfter(select.qualify)
  const windows = Boolean(select.qualify) || someNode([items, select.modifiers], isWindow, isSubquery)
  const order = groupModifiers(select, names, outputs.length)
  const later = [items, having, qualify, order?.hidden ?? []]
  await states.read([...later, order ? [] : select.modifiers], place.binder)
  const rows = states.query(select.from_table as TreeNode, names.resolved(select.where_clause))
  const partial = {
    name: states.name,
    query: withEntries(rows, place.scope),
    ...(groups.simple && { by: groups.keys.map((_, k) => `k${k}`) }),
  }
  const list = items.map((item, k) => named(states.final(item), outputs[k]!.name))
  const grouped = {
    from: tableRef(states.name),
    groups: groups.keys.map((_, k) => refIn(states.name, `k${k}`)),
    sets: groups.sets,
    having: states.final(having),
  }
  if (!order || windows || !groups.simple) {
    const modifiers = nodes(select.modifiers).map((modifier) => states.finalModifier(modifier, names))
    return {
      partial: withoutCut(partial),
      rest: selectNode({ ...grouped, list, qualify: states.final(qualify), modifiers }),
    }
  }
  const name = place.nextName()
  const unnamed = [...list, ...order.hidden.map((expression) => states.final(names.resolved(expression)))].map((item) =>
    named(item, ''),
  )
  const columns = [...outputNames(outputs.length, 'c'), ...outputNames(order.hidden.length, 's')]
  const finish = selectNode({
    list: [STAR],
    from: subqueryRef(selectNode({ ...grouped, list: unnamed }), name, columns),
    modifiers: order.pushed(name, place),
  })
  return { partial, finish: { name, query: finish }, rest: restOf(name, outputs, order) }
}

function withoutCut({ name, query }: SplitSelect['partial']): SplitSelect['partial'] {
  return { name, query }
}

/** Undefined where modifiers can only be said of the groups themselves. */
function groupModifiers(select: TreeNode, names: SelectNames, outputs: number): Modifiers | undefined {
  try {
    return readModifiers(select, names, outputs)
  } catch (error) {
    if (error instanceof Unsplittable) return undefined
    throw error
  }
}

/** The columns of a partial aggregation: keys `k…`, values that are needed once each `d…`, states `p…` or the columns of rows `r…`. */
class States {
  readonly name: string
  readonly #keys: readonly TreeNode[]
  readonly #keyPlaces: ReadonlyMap<string, number>
  /** Values beside the keys, by what they are. */
  readonly #values = new Map<string, { name: string; expression: TreeNode }>()
  readonly #states = new Map<string, { name: string; expression: TreeNode }>()
  /** What takes the place of an aggregate. */
  readonly #finals = new Map<string, TreeNode>()
  #grouped = true

  constructor(keys: readonly TreeNode[], name: string) {
    this.name = name
    this.#keys = keys
    this.#keyPlaces = new Map(keys.map((key, k) => [expressionKey(key), k]))
  }

  /** Takes up all aggregates in these expressions. */
  async read(expressions: unknown, binder: SplitBinder): Promise<void> {
    if (someNode(expressions, hidesAggregates)) throw new Unsplittable('a macro has aggregates inside')
    const calls = new Map<string, TreeNode>()
    collectAggregates(expressions, calls)
    const steps = [...calls].map(([key, call]) => ({ key, call, steps: aggregateSteps(call) }))
    // Without keys and values a task gives a row even where it read none.
    const isFree = ({ call, steps: { kind } }: { call: TreeNode; steps: AggregateSteps }) =>
      kind === 'distinct' && this.#keys.length === 0 && !someNode(call, isColumnOrQuery)
    this.#grouped = !steps.some((step) => step.steps.kind === 'rows' || isFree(step))
    const texts: string[] = []
    const keys: string[] = []
    for (const { key, call, steps: step } of steps) {
      if (step.kind === 'parted' && this.#grouped) {
        const columns = step.states.map((state) => `"${this.name}"."${this.#state(state)}"`)
        texts.push(step.value(columns))
        keys.push(key)
      } else this.#finals.set(key, this.#overValues(call))
    }
    const parsed = texts.length === 0 ? [] : await binder.expressions(texts)
    for (const [k, key] of keys.entries()) this.#finals.set(key, parsed[k]!)
  }

  #state(expression: TreeNode): string {
    return place(this.#states, expression, 'p')
  }

  /** The call over columns in place of its own arguments. */
  #overValues(call: TreeNode): TreeNode {
    const value = (expression: TreeNode): TreeNode => {
      if (!someNode(expression, isColumnOrQuery)) return expression
      const key = this.#keyPlaces.get(expressionKey(expression))
      return refIn(this.name, key === undefined ? place(this.#values, { ...expression, alias: '' }, 'd') : `k${key}`)
    }
    const orders = isNode(call.order_bys) ? nodes(call.order_bys.orders) : []
    return {
      ...call,
      children: nodes(call.children).map(value),
      filter: isNode(call.filter) ? value(call.filter) : call.filter,
      order_bys: isNode(call.order_bys)
        ? {
            ...call.order_bys,
            orders: orders.map((order) => ({ ...order, expression: value(order.expression as TreeNode) })),
          }
        : call.order_bys,
    }
  }

  /** The query of a task. */
  query(from: TreeNode, where: unknown): TreeNode {
    const values = [...this.#values.values()]
    const groups = [...this.#keys, ...values.map(({ expression }) => expression)]
    const list = [
      ...this.#keys.map((key, k) => named(key, `k${k}`)),
      ...[...values, ...(this.#grouped ? this.#states.values() : [])].map(({ name, expression }) =>
        named(expression, name),
      ),
    ]
    // Rows of which nothing is wanted but that they are there.
    if (list.length === 0) list.push(named(integerNode(1), 'd0'))
    const inner = selectNode({ list, from, where, groups: this.#grouped ? groups : [] })
    return inner
  }

  /** An expression over what the tasks gave. */
  final<T>(expression: T): T {
    return replaceNodes(expression, (node) => {
      if (isAggregateCall(node)) {
        const found = this.#finals.get(expressionKey(node))
        if (!found) throw new Unsplittable('an aggregate in an unexpected place')
        return { ...found, alias: text(node.alias) }
      }
      const key = this.#keyPlaces.get(expressionKey(node))
      if (key !== undefined) return refIn(this.name, `k${key}`, text(node.alias))
      if (isSubquery(node)) throw new Unsplittable('a subquery beside aggregates')
      if (node.class === 'LAMBDA') throw new Unsplittable('a lambda beside aggregates')
      if (node.class === 'COLUMN_REF') throw new Unsplittable('a column that is no group')
      return undefined
    })
  }

  /** A modifier over what the tasks gave: outputs stay as they are named. */
  finalModifier(modifier: TreeNode, names: SelectNames): TreeNode {
    if (modifier.type !== 'ORDER_MODIFIER') {
      if (nodes(modifier.distinct_on_targets).length > 0) throw new Unsplittable('DISTINCT ON among groups')
      return modifier
    }
    const orders = nodes(modifier.orders).map((order) => {
      const expression = order.expression as TreeNode
      const isOutput = names.place(expression, 'number or name') !== undefined || expression.class === 'STAR'
      return isOutput ? order : { ...order, expression: this.final(names.resolved(expression)) }
    })
    return { ...modifier, orders }
  }
}

function isColumnOrQuery({ class: kind }: TreeNode): boolean {
  return kind === 'COLUMN_REF' || kind === 'SUBQUERY'
}

function place(
  columns: Map<string, { name: string; expression: TreeNode }>,
  expression: TreeNode,
  prefix: string,
): string {
  const key = expressionKey(expression)
  const known = columns.get(key)
  if (known) return known.name
  const name = `${prefix}${columns.size}`
  columns.set(key, { name, expression: { ...expression, alias: '' } })
  return name
}

function collectAggregates(value: unknown, found: Map<string, TreeNode>): void {
  if (Array.isArray(value)) for (const item of value) collectAggregates(item, found)
  if (!isNode(value) || isSubquery(value)) return
  if (isAggregateCall(value)) {
    const inside = [value.children, value.filter, value.order_bys]
    if (hasAggregates(inside) || someNode(inside, isSubquery))
      throw new Unsplittable('an aggregate of more than columns')
    found.set(expressionKey(value), value)
    return
  }
  for (const child of Object.values(value)) collectAggregates(child, found)
}
