/**
 * A query in parts: every SELECT that can be computed in parts becomes a stage, what is left of the query reads what the stages
 * give, and tables that are left in it are gathered. What is not proven to be the same is not split.
 */
import { asciiLower } from '../common/text.ts'
import { isSkepError } from '../errors.ts'
import { columnPath, columnRef, replaceNodes, selectNode, someNode, tableRef } from './build.ts'
import { bySize, type ExchangedJoin, exchangedJoin } from './exchanged-join.ts'
import { mayAggregateOutside } from './outer-aggregates.ts'
import {
  type CommonTables,
  commonTablesIn,
  entriesOf,
  isAggregated,
  mentionsOf,
  NO_COMMON_TABLES,
  neededEntries,
  shareOf,
  tableName,
  Unsplittable,
} from './relations.ts'
import { columnsOf } from './split-names.ts'
import { isUnstable, neededColumns, pushedCondition, standIn, tableAliases, tableMentions } from './split-scan.ts'
import { type SplitBinder, splitSelect } from './split-select.ts'
import type { SplitColumn, SplitLimits, SplitTable } from './split-tables.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** What splitting asks of the engine. */
export interface Binder extends SplitBinder {
  /** Makes an empty table of this name known. */
  declare(name: string, columns: readonly SplitColumn[]): Promise<void>
}

/** SQL that is run many times: over parts of a table, or over parts of what another stage gave. */
export interface SqlStage {
  name: string
  does: 'scan' | 'rows' | 'partial' | 'finish'
  query: TreeNode
  columns: SplitColumn[]
  /** The table or stage that comes in parts; or two stages that were cut alike. */
  drivers: string[]
  /** Other tables and stages, all of whose rows every task reads. */
  others: string[]
  /** Its rows may be cut by these columns, into parts that the next stage reads. */
  by?: string[]
  /** True when each task gives few rows. */
  few?: boolean
  /** So many rows of it are enough, whichever they are. */
  enoughRows?: number
  /** It is always cut, into as many parts as another stage's rows, of this table. */
  alike?: string
}

/** A query as stages, and the query over what they give; tables in it are read whole. */
export interface SplitQuery {
  stages: SqlStage[]
  rest: TreeNode
}

/** The query in parts. Without stages when none of it is worth splitting or can be split. */
export async function splitQuery(
  query: TreeNode,
  tables: ReadonlyMap<string, SplitTable>,
  limits: SplitLimits,
  binder: Binder,
): Promise<SplitQuery> {
  const splitter = new Splitter(query, tables, limits, binder)
  const rest = await splitter.rewrite(query, NO_COMMON_TABLES)
  const gathered = await splitter.gather(rest)
  return { stages: splitter.stages, rest: gathered }
}

const SELECT_PARTS = ['from_table', 'where_clause', 'select_list', 'having', 'qualify', 'modifiers']

class Splitter {
  readonly stages: SqlStage[] = []
  readonly #tables: ReadonlyMap<string, SplitTable>
  readonly #known = new Map<string, ReadonlySet<string>>()
  readonly #limits: SplitLimits
  readonly #binder: Binder
  readonly #prefix: string
  #names = 0

  constructor(query: TreeNode, tables: ReadonlyMap<string, SplitTable>, limits: SplitLimits, binder: Binder) {
    this.#tables = tables
    this.#limits = limits
    this.#binder = binder
    for (const [name, { columns }] of tables) this.#known.set(name, lowerNames(columns))
    const used = asciiLower(JSON.stringify(query))
    let prefix = 'skep_'
    while (used.includes(prefix)) prefix += '_'
    this.#prefix = prefix
  }

  /** The query with every SELECT that can be split replaced by one over stages, the outermost first. */
  async rewrite(query: TreeNode, scope: CommonTables): Promise<TreeNode> {
    if (query.type === 'SET_OPERATION_NODE') return await this.#rewriteInside(query, scope)
    if (query.type !== 'SELECT_NODE') return query
    const split = await this.#attempt(query, scope)
    if (split) return split
    const inside = await this.#rewriteInside(query, scope)
    return inside === query ? query : ((await this.#attempt(inside, scope)) ?? inside)
  }

  async #attempt(select: TreeNode, scope: CommonTables): Promise<TreeNode | undefined> {
    const before = this.stages.length
    try {
      const driver = this.#driverOf(select, scope)
      if (driver !== undefined) return await this.#splitBy(select, select, [driver], scope)
      const join = exchangedJoin(select, scope, this.#tables, this.#limits)
      if (!join || this.#isWhole(select, scope)) return undefined
      const cut = await this.#cutSides(select, join)
      return await this.#splitBy(select, cut.select, cut.drivers, scope)
    } catch (error) {
      if (!(error instanceof Unsplittable) && !isSkepError(error, 'SQL_INVALID')) throw error
      this.stages.length = before
      return undefined
    }
  }

  /** What takes the place of a SELECT; `cut` is the same one over stages. @throws Unsplittable */
  async #splitBy(select: TreeNode, cut: TreeNode, drivers: string[], scope: CommonTables): Promise<TreeNode> {
    if (shareOf(cut.from_table, new Set(drivers), commonTablesIn(cut, scope)) !== 'part') {
      throw new Unsplittable('parts of the table do not add up to the whole')
    }
    const { partial, finish, rest } = await splitSelect(cut, {
      scope,
      known: this.#known,
      binder: this.#binder,
      nextName: () => `${this.#prefix}${++this.#names}`,
      limitRows: this.#limits.limitRows,
    })
    await this.#add({ ...partial, does: isAggregated(select) ? 'partial' : 'rows', drivers })
    if (finish) await this.#add({ ...finish, does: 'finish', drivers: [partial.name] })
    await this.#requireSame(select, rest, scope)
    return rest
  }

  /** The table to be read in parts: the greatest, if it is worth it and all others are small. */
  #driverOf(select: TreeNode, outer: CommonTables): string | undefined {
    const mentions = mentionsOf(select, outer)
    const [driver, ...others] = bySize(mentions, this.#tables)
    if (!driver || driver.rows <= this.#limits.wholeRows || mentions.get(driver.name) !== 1) return undefined
    if (others.some(({ bytes }) => bytes > this.#limits.broadcastBytes)) return undefined
    return this.#isWhole(select, outer) ? undefined : driver.name
  }

  /** True for a SELECT of which no part may be computed apart. */
  #isWhole(select: TreeNode, outer: CommonTables): boolean {
    return isUnstable(select, outer) || mayAggregateOutside(select, outer, this.#known)
  }

  /** The SELECT with the sides of a join of large tables replaced by their rows, cut by what they are joined by. */
  async #cutSides(select: TreeNode, { sides, keys }: ExchangedJoin): Promise<{ select: TreeNode; drivers: string[] }> {
    const names = await mapInOrder(sides, async (side) => {
      const k = sides.indexOf(side)
      return await this.#scan(select, [side], { by: keys[k]!, alike: tableName(sides[1 - k]!) })
    })
    const cut = replaceNodes(select, (node) => {
      const k = sides.indexOf(node)
      return k < 0 ? undefined : standIn(node, names[k]!)
    })
    return { select: cut, drivers: names }
  }

  /** A stage that reads what the query needs of a table, given all mentions of it. */
  async #scan(
    query: TreeNode,
    mentions: readonly TreeNode[],
    cut: Pick<SqlStage, 'by' | 'alike'> = {},
  ): Promise<string> {
    const driver = tableName(mentions[0]!)
    const name = `${this.#prefix}${++this.#names}`
    const list = neededColumns(query, mentions, this.#tables.get(driver)!.columns).map((column) =>
      columnRef(column.name),
    )
    const [only] = mentions.length === 1 ? mentions : []
    const where = only ? pushedCondition(query, only, this.#known) : null
    const from = only ? { ...only, sample: null, column_name_alias: [] } : tableRef(driver)
    await this.#add({ name, does: 'scan', drivers: [driver], query: selectNode({ list, from, where }), ...cut })
    return name
  }

  async #add(stage: Omit<SqlStage, 'columns' | 'others'>): Promise<void> {
    const columns = await this.#binder.describe(stage.query)
    const others = [...mentionsOf(stage.query, NO_COMMON_TABLES).keys()].filter((name) => !stage.drivers.includes(name))
    await this.#binder.declare(stage.name, columns)
    this.#known.set(stage.name, lowerNames(columns))
    this.stages.push({ ...stage, columns, others })
  }

  /** A last look: what takes the place of a SELECT has its columns, by names and types. */
  async #requireSame(select: TreeNode, rest: TreeNode, scope: CommonTables): Promise<void> {
    const inner = commonTablesIn(select, scope)
    const bare = { ...select, cte_map: { map: [] } }
    const before = await this.#binder.describe({ ...bare, cte_map: { map: neededEntries(bare, inner) } })
    const after = await this.#binder.describe(rest)
    const same =
      before.length === after.length &&
      before.every(({ name, type }, k) => name === after[k]!.name && type === after[k]!.type)
    if (!same) throw new Unsplittable('the columns would be others')
  }

  /** The query with the queries inside of it rewritten: what is read last comes first, since it may take up what it reads. */
  async #rewriteInside(query: TreeNode, outer: CommonTables): Promise<TreeNode> {
    const scope = commonTablesIn(query, outer)
    let changed = query
    for (const key of query.type === 'SET_OPERATION_NODE' ? ['left', 'right'] : SELECT_PARTS) {
      const value = changed[key]
      const own =
        query.type === 'SET_OPERATION_NODE' && isNode(value)
          ? await this.rewrite(value, scope)
          : await this.#rewriteQueries(value, scope, key === 'from_table')
      if (own !== value) changed = { ...changed, [key]: own }
    }
    const entries = entriesOf(query)
    const kept: TreeNode[] = []
    for (let k = entries.length - 1; k >= 0; k--) {
      const entry = entries[k]!
      const name = asciiLower(text(entry.key))
      if (
        !someNode(
          [{ ...changed, cte_map: null }, kept],
          (node) => node.type === 'BASE_TABLE' && tableName(node) === name,
        )
      )
        continue
      const before = commonTablesIn({ cte_map: { map: entries.slice(0, k) } }, outer)
      kept.unshift(await this.#rewriteHolder(entry, ['value', 'query', 'node'], before))
    }
    const same = kept.length === entries.length && kept.every((entry, k) => entry === entries[k])
    return same ? changed : { ...changed, cte_map: { map: kept } }
  }

  /** The node with the query at a path in it rewritten. */
  async #rewriteHolder(holder: TreeNode, path: readonly string[], scope: CommonTables): Promise<TreeNode> {
    const [key, ...below] = path as [string, ...string[]]
    const child = holder[key]
    if (!isNode(child)) return holder
    const own = below.length === 0 ? await this.rewrite(child, scope) : await this.#rewriteHolder(child, below, scope)
    return own === child ? holder : { ...holder, [key]: own }
  }

  /** A part of a SELECT with the queries in it rewritten that refer to nothing outside of them. */
  async #rewriteQueries(value: unknown, scope: CommonTables, isFirst: boolean): Promise<unknown> {
    if (Array.isArray(value)) {
      const items = await mapInOrder(value, (item) => this.#rewriteQueries(item, scope, false))
      return items.every((item, k) => item === value[k]) ? value : items
    }
    if (!isNode(value) || 'rawJSON' in value) return value
    if (isNode(value.subquery) && isNode(value.subquery.node)) {
      const query = value.subquery.node
      // What stands first in a FROM clause sees nothing beside it.
      if (!isFirst && !isClosed(query, scope, this.#known)) return value
      return await this.#rewriteHolder(value, ['subquery', 'node'], scope)
    }
    let changed: TreeNode = value
    for (const [key, child] of Object.entries(value)) {
      const own = await this.#rewriteQueries(child, scope, isFirst && key === 'left')
      if (own !== child) changed = { ...changed, [key]: own }
    }
    return changed
  }

  /** The query with tables that are left in it, and are worth it, replaced by what tasks have gathered of them. */
  async gather(query: TreeNode): Promise<TreeNode> {
    let rest = query
    for (const [name, table] of this.#tables) {
      const mentions = tableMentions(rest, name)
      if (mentions.length === 0 || table.rows <= this.#limits.wholeRows) continue
      const stage = await this.#scan(rest, mentions)
      rest = replaceNodes(rest, (node) => (mentions.includes(node) ? standIn(node, stage) : undefined))
    }
    return rest
  }
}

function lowerNames(columns: readonly SplitColumn[]): Set<string> {
  return new Set(columns.map(({ name }) => asciiLower(name)))
}

async function mapInOrder<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await work(item))
  return results
}

/** True for a query that names nothing outside of it. */
function isClosed(query: TreeNode, scope: CommonTables, known: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  return areNamesIn(query, scope, known, new Set())
}

function areNamesIn(
  query: TreeNode,
  outer: CommonTables,
  known: ReadonlyMap<string, ReadonlySet<string>>,
  more: ReadonlySet<string>,
): boolean {
  if (query.type === 'SET_OPERATION_NODE') {
    return [query.left, query.right].every((side) => isNode(side) && areNamesIn(side, outer, known, more))
  }
  if (query.type !== 'SELECT_NODE' || entriesOf(query).length > 0) return false
  const columns = columnsOf(query.from_table, outer, known)
  if (!columns) return false
  const aliases = nodes(query.select_list).map((item) => asciiLower(text(item.alias)))
  const names = new Set([...more, ...columns, ...tableAliases(query.from_table), ...aliases])
  const isOutside = (node: TreeNode): boolean => {
    if (node.class === 'LAMBDA') return true
    if (isNode(node.subquery) && isNode(node.subquery.node)) return !areNamesIn(node.subquery.node, outer, known, names)
    const path = columnPath(node)
    return path !== undefined && !names.has(asciiLower(path[0]!))
  }
  return !someNode(query, isOutside, (node) => isNode(node.subquery))
}
