/** One SELECT in parts: what every task computes, and what is left to do with what they give. */

import { SETTINGS } from '../config.ts'
import {
  columnPath,
  expressionKey,
  integerConstant,
  named,
  refIn,
  replaceNodes,
  STAR,
  selectNode,
  someNode,
  subqueryRef,
  tableRef,
} from './build.ts'
import { hasAggregates, States } from './group-states.ts'
import {
  type CommonTables,
  commonTablesIn,
  isAggregated,
  isSubquery,
  isWindow,
  neededEntries,
  Unsplittable,
} from './relations.ts'
import { isStarred, type Modifiers, outputNames, readModifiers } from './split-modifiers.ts'
import { type KnownColumns, SelectNames } from './split-names.ts'
import { nodes, type TreeNode } from './tree.ts'

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
  partial: { name: string; query: TreeNode; by?: string[]; few?: boolean; enoughRows?: number }
  /** What is run over each part of the groups, where groups are cut. */
  finish?: { name: string; query: TreeNode; enoughRows?: number }
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

/** A LIMIT up to which rows are few. */
const FEW_ROWS = SETTINGS.inlineRows.default

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
  const few = nodes(query.modifiers).some(
    ({ limit }) => (integerConstant(limit) ?? Number.POSITIVE_INFINITY) <= FEW_ROWS,
  )
  const partial = { name, query: withEntries(query, place.scope), few, ...enoughOf(order) }
  return { partial, rest: restOf(name, outputs, order) }
}

/** What is left takes rows of one stage and nothing else, so that the first ones of them give the same as all. */
function enoughOf({ enoughRows }: Modifiers): { enoughRows?: number } {
  return enoughRows === undefined ? {} : { enoughRows }
}

function restOf(name: string, outputs: readonly { name: string }[], order: Modifiers): TreeNode {
  const list = outputs.map((output, k) => refIn(name, `c${k}`, output.name))
  return selectNode({ list, from: tableRef(name), modifiers: order.all(name) })
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
    few: states.isOneRow,
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
  return { partial, finish: { name, query: finish, ...enoughOf(order) }, rest: restOf(name, outputs, order) }
}

function withoutCut({ name, query, few = false }: SplitSelect['partial']): SplitSelect['partial'] {
  return { name, query, few }
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
