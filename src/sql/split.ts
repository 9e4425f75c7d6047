/**
 * A query in parts: every SELECT that can be computed in parts becomes a stage, what is left of the query reads what the stages
 * give, and tables that are left in it are gathered. What is not proven to be the same is not split.
 */
import { asciiLower, namesIn } from '../common/text.ts'
import { isSkepError } from '../errors.ts'
import { columnPath, columnRef, conjunction, conjuncts, replaceNodes, selectNode, someNode, tableRef } from './build.ts'
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
  /** The table or stage that comes in parts; or two stages that were cut alike. */
  drivers: string[]
  /** Other tables and stages, all of whose rows every task reads. */
  others: string[]
  /** Its rows may be cut by these columns, into parts that the next stage reads. */
  by?: string[]
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
      if (!join || isUnstable(select, scope)) return undefined
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
    return isUnstable(select, outer) ? undefined : driver.name
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
    const list = neededColumns(query, this.#tables.get(driver)!.columns).map((column) => columnRef(column.name))
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

/** A stage in the place of a table, under the table's name. */
function standIn(mention: TreeNode, stage: string): TreeNode {
  return { ...mention, table_name: stage, alias: text(mention.alias) || text(mention.table_name) }
}

/** The tables that are mentioned, the greatest first. */
function bySize(
  mentions: ReadonlyMap<string, number>,
  tables: ReadonlyMap<string, SplitTable>,
): (SplitTable & { name: string })[] {
  const sized = [...mentions.keys()].flatMap((name) => {
    const table = tables.get(name)
    return table ? [{ name, ...table }] : []
  })
  return sized.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
}

/** A join of two large tables, and the columns of each that are equal in rows that meet. */
interface ExchangedJoin {
  sides: [TreeNode, TreeNode]
  keys: [string[], string[]]
}

/** The join of the two largest tables of a SELECT, where rows can only meet that are equal in columns of one type. */
function exchangedJoin(
  select: TreeNode,
  outer: CommonTables,
  tables: ReadonlyMap<string, SplitTable>,
  { wholeRows, broadcastBytes }: SplitLimits,
): ExchangedJoin | undefined {
  const mentions = mentionsOf(select, outer)
  const [first, second, ...others] = bySize(mentions, tables)
  if (!first || !second || first.rows <= wholeRows || others.some(({ bytes }) => bytes > broadcastBytes))
    return undefined
  if (mentions.get(first.name) !== 1 || mentions.get(second.name) !== 1) return undefined
  const scope = commonTablesIn(select, outer)
  let found: ExchangedJoin | undefined
  someNode(select.from_table, (node) => {
    if (node.type !== 'JOIN' || node.ref_type !== 'REGULAR') return false
    const sides = [node.left, node.right]
    const isLarge = (side: unknown): side is TreeNode =>
      isNode(side) &&
      side.type === 'BASE_TABLE' &&
      !side.sample &&
      !commonTable(side, scope) &&
      [first.name, second.name].includes(tableName(side)) &&
      nodes(side.column_name_alias).length === 0
    if (!sides.every(isLarge)) return false
    const keys = joinKeys(node, sides as [TreeNode, TreeNode], tables)
    if (keys) found = { sides: sides as [TreeNode, TreeNode], keys }
    return true
  })
  return found
}

/** Integers of these types are equal when their hashes are. */
const INTEGERS = new Set(['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT'])

function joinKeys(
  join: TreeNode,
  sides: [TreeNode, TreeNode],
  tables: ReadonlyMap<string, SplitTable>,
): [string[], string[]] | undefined {
  const columns = sides.map((side) => tables.get(tableName(side))!.columns)
  const find = (k: number, name: string) => columns[k]!.find((column) => asciiLower(column.name) === asciiLower(name))
  const pairs: [SplitColumn | undefined, SplitColumn | undefined][] = (
    Array.isArray(join.using_columns) ? join.using_columns.map(text) : []
  ).map((name) => [find(0, name), find(1, name)])
  const aliases = sides.map((side) => tableAliases(side)[0])
  for (const condition of conjuncts(join.condition)) {
    if (condition.type !== 'COMPARE_EQUAL') continue
    const paths = [columnPath(condition.left), columnPath(condition.right)]
    if (!paths.every((path) => path?.length === 2)) continue
    const owners = paths.map((path) => aliases.indexOf(asciiLower(path![0]!)))
    if (owners[0] === owners[1] || owners.includes(-1)) continue
    const [left, right] = owners[0] === 0 ? paths : [paths[1], paths[0]]
    pairs.push([find(0, left![1]!), find(1, right![1]!)])
  }
  const same = pairs.filter(
    ([left, right]) =>
      left && right && (left.type === right.type || (INTEGERS.has(left.type) && INTEGERS.has(right.type))),
  )
  return same.length === 0 ? undefined : [same.map(([left]) => left!.name), same.map(([, right]) => right!.name)]
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

/** True for a query whose tasks would not agree on the value of a function, or whose collations their states would forget. */
function isUnstable(query: TreeNode, scope: CommonTables): boolean {
  const inner = commonTablesIn(query, scope)
  const bare: TreeNode = { ...query, cte_map: { map: [] } }
  return (
    someNode([bare, neededEntries(bare, inner)], isUnstableCall) ||
    someNode({ ...bare, modifiers: [] }, ({ class: kind }) => kind === 'COLLATE')
  )
}

function isUnstableCall(node: TreeNode): boolean {
  if (node.class === 'FUNCTION') return UNSTABLE.has(asciiLower(text(node.function_name)))
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
function neededColumns(query: TreeNode, columns: readonly SplitColumn[]): readonly SplitColumn[] {
  const all = someNode(
    query,
    (node) => node.class === 'STAR' || node.ref_type === 'NATURAL' || node.type === 'SHOW_REF',
  )
  if (all) return columns
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

/** What a WHERE clause says of the rows of a table alone; nothing where a join may make up rows without it. */
function pushedCondition(
  query: TreeNode,
  mention: TreeNode,
  known: ReadonlyMap<string, ReadonlySet<string>>,
): TreeNode | null {
  let found: TreeNode | null = null
  someNode(query, (node) => {
    if (node.type !== 'SELECT_NODE' || node.sample || !keepsRowsOf(node.from_table, mention)) return false
    const others = columnsBeside(node.from_table, mention, known)
    if (mention.sample || nodes(mention.column_name_alias).length > 0 || !others) return true
    const columns = known.get(tableName(mention))!
    const own = tableAliases(mention)[0]
    const aliases = new Set(nodes(node.select_list).map((item) => asciiLower(text(item.alias))))
    const isOwn = (inner: TreeNode) => {
      const path = columnPath(inner)
      if (path === undefined) return true
      const [first, second] = path.map(asciiLower) as [string, string?]
      if (second !== undefined) return first === own && columns.has(second)
      return columns.has(first) && !others.has(first) && !aliases.has(first)
    }
    const isOther = (inner: TreeNode) =>
      !isOwn(inner) || isSubquery(inner) || inner.class === 'LAMBDA' || isUnstableCall(inner)
    found = conjunction(conjuncts(node.where_clause).filter((condition) => !someNode(condition, isOther)))
    return true
  })
  return found
}

/** True when every row of a FROM clause comes from a row of the mention. */
function keepsRowsOf(from: unknown, mention: TreeNode): boolean {
  if (from === mention) return true
  if (!isNode(from) || from.type !== 'JOIN' || !['REGULAR', 'CROSS', 'NATURAL'].includes(text(from.ref_type)))
    return false
  const kind = text(from.join_type)
  if (keepsRowsOf(from.left, mention)) return ['INNER', 'LEFT', 'SEMI', 'ANTI'].includes(kind)
  return keepsRowsOf(from.right, mention) && ['INNER', 'RIGHT'].includes(kind)
}

/** The columns of a FROM clause beside those of a mention; undefined where they are not known. */
function columnsBeside(
  from: unknown,
  mention: TreeNode,
  known: ReadonlyMap<string, ReadonlySet<string>>,
): Set<string> | undefined {
  if (from === mention) return new Set()
  if (!isNode(from) || from.type !== 'JOIN') return columnsOf(from, NO_COMMON_TABLES, known)
  const [left, right] = [columnsBeside(from.left, mention, known), columnsBeside(from.right, mention, known)]
  return left && right && new Set([...left, ...right])
}
