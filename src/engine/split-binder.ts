/** What splitting a query asks of the engine: trees as text and text as trees, and the columns of queries. */
import type { Table } from '../catalog/types.ts'
import { printType, quoteIdentifier } from '../common/data-type.ts'
import { asciiLower } from '../common/text.ts'
import { SkepError } from '../errors.ts'
import { MOMENT_SQL, type Moment, tellsMoment, withMoments } from '../sql/moments.ts'
import { mentionsOf, NO_COMMON_TABLES } from '../sql/relations.ts'
import type { Binder } from '../sql/split.ts'
import type { SplitColumn, SplitTable } from '../sql/split-tables.ts'
import { isNode, nodes, readTree, type TreeNode } from '../sql/tree.ts'
import { parametersOf, parseSql, printable } from './binder.ts'
import type { RunOptions, Session } from './engine.ts'
import type { BoundValue, BoundValues } from './parameters.ts'

/** Answers from a session in which the tables of the query are known; stages become known to it as empty views. */
export class SessionBinder implements Binder {
  readonly #session: Session
  readonly #params: BoundValues | undefined
  readonly #options: RunOptions
  readonly #texts = new WeakMap<TreeNode, string>()
  readonly #columns = new WeakMap<TreeNode, SplitColumn[]>()

  constructor(session: Session, params: BoundValues | undefined, options: RunOptions) {
    this.#session = session
    this.#params = params
    this.#options = { ...options, columnsOnly: true }
  }

  /** The text of a query. @throws SQL_INVALID when the engine does not print it so that it reads the same back */
  async print(query: TreeNode): Promise<string> {
    const known = this.#texts.get(query)
    if (known !== undefined) return known
    const faithful = printable(query)
    const json = JSON.stringify({ error: false, statements: [{ node: faithful }] })
    const [row] = await this.#session.rows<{ sql: string; tree: string }>(
      'SELECT sql, json_serialize_sql(sql) AS tree FROM (SELECT json_deserialize_sql($1::JSON) AS sql)',
      { ...this.#options, params: [json] },
    )
    const tree = readTree(row!.tree)
    if (tree.error || comparable(tree.statements[0]!.node) !== comparable(faithful)) {
      throw new SkepError('SQL_INVALID', `the engine does not print this query as it reads it: ${row!.sql}`, {})
    }
    this.#texts.set(query, row!.sql)
    return row!.sql
  }

  /** The values that a query binds, by the names that its text has for them. */
  parameters(query: TreeNode): Record<string, BoundValue> {
    return { ...(parametersOf([query], this.#params) as Record<string, BoundValue> | undefined) }
  }

  /** Names and types of the columns of a query as its user wrote it. @throws SQL_INVALID */
  async describeText(sql: string): Promise<SplitColumn[]> {
    return await this.#describe(sql, this.#params)
  }

  /** The tables and stages that a query reads, in lower case. */
  tablesOf(query: TreeNode): string[] {
    return [...mentionsOf(query, NO_COMMON_TABLES).keys()]
  }

  /** The columns of a table, as the engine prints their types. */
  columnsOf({ snapshot }: Table): SplitColumn[] {
    return snapshot.schema.columns.map(({ name, type }) => ({ name, type: printType(type) }))
  }

  async describe(query: TreeNode): Promise<SplitColumn[]> {
    const known = this.#columns.get(query)
    if (known) return known
    const sql = await this.print(query)
    const columns = await this.#describe(sql, parametersOf([query], this.#params))
    this.#columns.set(query, columns)
    return columns
  }

  async #describe(sql: string, params: BoundValues | undefined): Promise<SplitColumn[]> {
    const options = { ...this.#options, userSql: true, ownSql: sql, ...(params && { params }) }
    const rows = await this.#session.rows<{ column_name: string; column_type: string }>(`DESCRIBE ${sql}`, options)
    return rows.map(({ column_name, column_type }) => ({ name: column_name, type: column_type }))
  }

  /** The query as it is at this moment, whenever its parts run. */
  async atOnce(query: TreeNode, tables: ReadonlyMap<string, SplitTable>): Promise<TreeNode> {
    const names = [...tables.values()].flatMap(({ columns }) => columns.map(({ name }) => asciiLower(name)))
    const columns = new Set(names)
    if (!tellsMoment(query, columns)) return query
    const moments = Object.entries(MOMENT_SQL).map(([type, sql]) => `${sql} AS "${type}"`)
    const [row] = await this.#session.rows<Record<Moment, string>>(`SELECT ${moments.join(', ')}`, this.#options)
    return withMoments(query, row!, columns)
  }

  async expressions(sql: readonly string[]): Promise<TreeNode[]> {
    const tree = await parseSql(this.#session, `SELECT ${sql.join(', ')}`, this.#options)
    if (tree.error)
      throw new SkepError('INTERNAL', `an aggregate cannot be computed in steps: ${tree.error_message}`, {})
    return nodes(tree.statements[0]!.node.select_list)
  }

  async declare(name: string, columns: readonly SplitColumn[]): Promise<void> {
    const list = columns.map((column) => `CAST(NULL AS ${column.type}) AS ${quoteIdentifier(column.name)}`)
    await this.#session.run(
      `CREATE OR REPLACE TEMP VIEW ${quoteIdentifier(name)} AS SELECT ${list.join(', ')} WHERE false`,
      // Not every type has a name that the engine reads.
      { ...this.#options, userSql: true },
    )
  }
}

/** True for trees that mean the same to the engine. */
export function sameTrees(one: TreeNode, other: TreeNode): boolean {
  return comparable(one) === comparable(other)
}

/** The same text for trees that mean the same to the engine: without places, and without what is left at its default. */
function comparable(tree: unknown): string {
  return JSON.stringify(tree, (key, value) => {
    if (key === 'query_location' || value === null || value === '' || value === false) return undefined
    if (key === 'schema' && value === 'main') return undefined
    if (Array.isArray(value)) return value.length === 0 ? undefined : value
    if (!isNode(value) || 'rawJSON' in value) return value
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
