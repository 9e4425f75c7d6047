/** What tasks give of the groups of a SELECT, and what is made of it. */

import { expressionKey, integerNode, named, refIn, replaceNodes, selectNode, someNode } from './build.ts'
import { type AggregateSteps, aggregateSteps, hidesAggregates, isAggregateCall } from './partial-aggregates.ts'
import { isSubquery, Unsplittable } from './relations.ts'
import type { SelectNames } from './split-names.ts'
import type { SplitBinder } from './split-select.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** True when an expression has an aggregate, but for those of queries inside of it. */
export function hasAggregates(expression: unknown): boolean {
  return someNode(expression, (node) => isAggregateCall(node) || hidesAggregates(node), isSubquery)
}

/** The columns of a partial aggregation: keys `k…`, values that are needed once each `d…`, states `p…` or the columns of rows `r…`. */
export class States {
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

  /** True when a task gives one row, whatever it reads. */
  get isOneRow(): boolean {
    return this.#grouped && this.#keys.length === 0 && this.#values.size === 0
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

function isColumnOrQuery({ class: kind }: TreeNode): boolean {
  return kind === 'COLUMN_REF' || kind === 'SUBQUERY'
}
