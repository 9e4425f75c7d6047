/**
 * A query in parts: every SELECT that can be computed in parts becomes a stage, what is left of the query reads what the stages
 * give, and tables that are left in it are gathered. What is not proven to be the same is not split.
 */
import { asciiLower, namesIn } from '../common/text.ts'
import { isSkepError } from '../errors.ts'
import { columnPath, columnRef, conjunction, conjuncts, replaceNodes, selectNode, someNode, tableRef } from './build.ts'
import { mayAggregateOutside } from './outer-aggregates.ts'
import {
  type CommonTables,
  commonTable,
  commonTablesIn,
  entriesOf,
  isAggregated,
  isSubquery,
  mentionsOf,
  NO_COMMON_TABLES,
  neededEntries,
  shareOf,
  tableName,
  Unsplittable,
} from './relations.ts'
import { columnsOf } from './split-names.ts'
import { type SplitBinder, splitSelect } from './split-select.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** A column of a table or stage; `type` as DuckDB prints it. */
export interface SplitColumn {
  name: string
  type: string
}

/** A table as splitting knows it, after pruning. */
export interface SplitTable {
  columns: readonly SplitColumn[]
  rows: number
  bytes: number
}

/** Which tables are worth splitting. */
export interface SplitLimits {
  /** Tables of at most so many rows are read by whoever needs them. */
  wholeRows: number
  /** Tables of at most so many bytes may be read by every task. */
  broadcastBytes: number
  /** Greatest LIMIT that is asked of every task. */
  limitRows: number
}

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
  /** The table or stage that comes in parts. */
  driver: string
  /** Other tables and stages, all of whose rows every task reads. */
  others: string[]
  /** Its rows may be cut by these columns, into parts that the next stage reads. */
  by?: string[]
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
      if (driver === undefined) return undefined
      const { partial, finish, rest } = await splitSelect(select, {
        scope,
        known: this.#known,
        binder: this.#binder,
        nextName: () => `${this.#prefix}${++this.#names}`,
        limitRows: this.#limits.limitRows,
      })
      await this.#add({ ...partial, does: isAggregated(select) ? 'partial' : 'rows', driver })
      if (finish) await this.#add({ ...finish, does: 'finish', driver: partial.name })
      await this.#requireSame(select, rest, scope)
      return rest
    } catch (error) {
      if (!(error instanceof Unsplittable) && !isSkepError(error, 'SQL_INVALID')) throw error
      this.stages.length = before
      return undefined
    }
  }

  /** The table to be read in parts: the greatest, if it is worth it and all others are small. */
  #driverOf(select: TreeNode, outer: CommonTables): string | undefined {
    const mentions = mentionsOf(select, outer)
    const sized = [...mentions.keys()].flatMap((name) => {
      const table = this.#tables.get(name)
      return table ? [{ name, ...table }] : []
    })
    const [driver, ...others] = sized.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
    if (!driver || driver.rows <= this.#limits.wholeRows || mentions.get(driver.name) !== 1) return undefined
    if (others.some(({ bytes }) => bytes > this.#limits.broadcastBytes)) return undefined
    const scope = commonTablesIn(select, outer)
    if (shareOf(select.from_table, driver.name, scope) !== 'part') return undefined
    return isUnstable(select, outer) || mayAggregateOutside(select, outer, this.#known) ? undefined : driver.name
  }

  async #add(stage: Omit<SqlStage, 'columns' | 'others'>): Promise<void> {
    const columns = await this.#binder.describe(stage.query)
    const others = [...mentionsOf(stage.query, NO_COMMON_TABLES).keys()].filter((name) => name !== stage.driver)
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
      const stage = `${this.#prefix}${++this.#names}`
      const list = neededColumns(rest, mentions, table.columns).map((column) => columnRef(column.name))
      const [only] = mentions.length === 1 ? mentions : []
      const where = only ? pushedCondition(rest, only, this.#known.get(name)!) : null
      const scan = selectNode({
        list,
        from: only ? { ...only, sample: null, column_name_alias: [] } : tableRef(name),
        where,
      })
      await this.#add({ name: stage, does: 'scan', driver: name, query: scan })
      rest = replaceNodes(rest, (node) =>
        mentions.includes(node)
          ? { ...node, table_name: stage, alias: text(node.alias) || text(node.table_name) }
          : undefined,
      )
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

/** Functions whose value differs from call to call, or from query to query. */
const UNSTABLE: ReadonlySet<string> = new Set(
  namesIn(`ago current_catalog current_connection_id current_database current_date current_localtime current_localtimestamp
    current_query current_query_id current_role current_schema current_schemas current_time current_timestamp
    current_transaction_id current_user currval error gen_random_uuid get_current_time get_current_timestamp
    in_search_path localtime localtimestamp nextval now random session_user setseed sleep_ms stats
    today transaction_timestamp txid_current user uuid uuidv4 uuidv7 write_log`),
)

/** True for a query whose tasks would not agree on the value of a function, or where what is left of it would lose a collation or the place of a column. */
function isUnstable(query: TreeNode, scope: CommonTables): boolean {
  const inner = commonTablesIn(query, scope)
  const bare: TreeNode = { ...query, cte_map: { map: [] } }
  return (
    someNode([bare, neededEntries(bare, inner)], (node) => isUnstableCall(node) || isPositional(node)) ||
    someNode({ ...bare, modifiers: [] }, ({ class: kind }) => kind === 'COLLATE')
  )
}

/** True for `#2`. */
function isPositional(node: TreeNode): boolean {
  return node.class === 'POSITIONAL_REFERENCE'
}

function hasColumnAliases({ column_name_alias: names }: TreeNode): boolean {
  return Array.isArray(names) && names.length > 0
}

function isUnstableCall(node: TreeNode): boolean {
  if (node.class === 'FUNCTION') {
    const name = asciiLower(text(node.function_name))
    // An age without a second argument is that of today.
    return UNSTABLE.has(name) || (name === 'age' && nodes(node.children).length < 2)
  }
  const path = columnPath(node)
  return path?.length === 1 && UNSTABLE.has(asciiLower(path[0]!))
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

function tableAliases(ref: unknown): string[] {
  if (!isNode(ref)) return []
  if (ref.type === 'JOIN') return [...tableAliases(ref.left), ...tableAliases(ref.right)]
  return [asciiLower(text(ref.alias) || text(ref.table_name))]
}

/** Mentions of a table itself, not of common tables of its name. */
function tableMentions(query: TreeNode, name: string): TreeNode[] {
  const found: TreeNode[] = []
  const visit = (value: unknown, scope: CommonTables): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, scope)
    if (!isNode(value)) return
    if (value.type === 'BASE_TABLE') {
      if (tableName(value) === name && !commonTable(value, scope)) found.push(value)
      return
    }
    let inner = scope
    for (const entry of entriesOf(value)) {
      visit(entry.value, inner)
      inner = commonTablesIn({ cte_map: { map: [entry] } }, inner)
    }
    for (const [key, child] of Object.entries(value)) if (key !== 'cte_map') visit(child, inner)
  }
  visit(query, NO_COMMON_TABLES)
  return found
}

/** The columns that some name in the query may mean; all where it does not name them. */
function neededColumns(
  query: TreeNode,
  mentions: readonly TreeNode[],
  columns: readonly SplitColumn[],
): readonly SplitColumn[] {
  const tables = new Set(mentions.flatMap(tableAliases))
  const meansAll = (node: TreeNode) =>
    node.class === 'STAR' ||
    node.ref_type === 'NATURAL' ||
    node.type === 'SHOW_REF' ||
    isPositional(node) ||
    // The name of a table is its rows as structs.
    tables.has(asciiLower(columnPath(node)?.at(-1) ?? ''))
  if (mentions.some(hasColumnAliases) || someNode(query, meansAll)) return columns
  const used = new Set<string>()
  someNode(query, (node) => {
    for (const name of columnPath(node) ?? []) used.add(asciiLower(name))
    if (Array.isArray(node.using_columns)) for (const name of node.using_columns) used.add(asciiLower(text(name)))
    return false
  })
  const needed = columns.filter(({ name }) => used.has(asciiLower(name)))
  // A row has to have something.
  return needed.length > 0 ? needed : columns.slice(0, 1)
}

/** What a WHERE clause says of the rows of a table that is read alone. */
function pushedCondition(query: TreeNode, mention: TreeNode, columns: ReadonlySet<string>): TreeNode | null {
  let found: TreeNode | null = null
  someNode(query, (node) => {
    if (node.type !== 'SELECT_NODE' || node.from_table !== mention || node.sample || mention.sample) return false
    if (hasColumnAliases(mention)) return true
    const aliases = new Set(nodes(node.select_list).map((item) => asciiLower(text(item.alias))))
    const own = tableAliases(mention)[0]
    const isOwn = (inner: TreeNode) => {
      const path = columnPath(inner)
      if (path === undefined) return true
      const [first, second] = path.map(asciiLower) as [string, string?]
      return second === undefined ? columns.has(first) && !aliases.has(first) : first === own && columns.has(second)
    }
    found = conjunction(
      conjuncts(node.where_clause).filter(
        (condition) =>
          !someNode(
            condition,
            (inner) => !isOwn(inner) || isSubquery(inner) || inner.class === 'LAMBDA' || isUnstableCall(inner),
          ),
      ),
    )
    return true
  })
  return found
}
