/** DISTINCT, ORDER BY and LIMIT of a SELECT in parts. */

import { integerConstant, integerNode, refIn, someNode } from './build.ts'
import { isSubquery, Unsplittable } from './relations.ts'
import type { SelectNames } from './split-names.ts'
import type { SelectPlace } from './split-select.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** True for an item of a list that stands for any number of columns. */
export function isStarred(item: TreeNode): boolean {
  return someNode(item, ({ class: kind }) => kind === 'STAR', isSubquery)
}

/** Names of columns between stages. */
export function outputNames(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, k) => `${prefix}${k}`)
}

/** DISTINCT, ORDER BY and LIMIT of a SELECT, as they can be said of its outputs `c…` and of hidden columns `s…`. */
export interface Modifiers {
  /** What is ordered by beside the outputs. */
  hidden: TreeNode[]
  /** All of them, over the rows of all tasks. */
  all(table: string): TreeNode[]
  /** So many rows are enough, whichever they are; undefined where it matters which. */
  enoughRows: number | undefined
  /** What each task can do of them; nothing where that would not make its rows fewer. */
  pushed(table: string, place: SelectPlace): TreeNode[]
}

/** The modifiers of a SELECT with so many outputs. @throws Unsplittable */
export function readModifiers(select: TreeNode, names: SelectNames, outputs: number): Modifiers {
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
  const isAny = !distinct && orders.length === 0 && others.length === 0
  return {
    hidden,
    enoughRows: limit && isAny ? limitOf(limit) : undefined,
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
export function limitOf({ limit, offset }: TreeNode): number | undefined {
  const rows = integerConstant(limit)
  const skipped = isNode(offset) ? integerConstant(offset) : 0
  return rows === undefined || skipped === undefined || rows < 0 || skipped < 0 ? undefined : rows + skipped
}
