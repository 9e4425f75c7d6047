/** Tables of the oracle as Parquet files, written by DuckDB itself. */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { type Cell, keyText, kindOf, type OracleColumn } from './table.ts'

/** Writes Parquet files. */
export class ParquetWriter implements Disposable {
  readonly #instance: DuckDBInstance
  readonly #connection: DuckDBConnection

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance
    this.#connection = connection
  }

  static async open(): Promise<ParquetWriter> {
    const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
    return new ParquetWriter(instance, await instance.connect())
  }

  /** Writes rows as a file. Fields of structs stand together in one column, which is null where all of them are. */
  async write(path: string, columns: OracleColumn[], rows: Cell[][]): Promise<void> {
    const names = [...new Set(columns.map((column) => column.path?.[0] ?? column.name))]
    const places = names.map((name) =>
      columns.flatMap((column, place) => ((column.path?.[0] ?? column.name) === name ? [place] : [])),
    )
    const sqlOf = (row: Cell[], list: number[]) =>
      columns[list[0]!]!.path ? structSql(columns, list, row) : cellSql(row[list[0]!]!, columns[list[0]!]!.type)
    const aliases = names.map((name) => `"${name.replaceAll('"', '""')}"`)
    const values = rows.map((row) => `(${places.map((list) => sqlOf(row, list)).join(', ')})`)
    const nulls = places.map(
      (list, k) =>
        `${sqlOf(
          columns.map(() => null),
          list,
        )} AS ${aliases[k]}`,
    )
    const select = `SELECT * FROM (VALUES ${values.join(', ')}) AS rows(${aliases.join(', ')})`
    await this.copy(path, rows.length > 0 ? select : `SELECT ${nulls.join(', ')} LIMIT 0`)
  }

  /** Writes the rows of a SELECT as a file, in small row groups. */
  async copy(path: string, select: string): Promise<void> {
    const options = 'FORMAT parquet, ROW_GROUP_SIZE 2048'
    await this.#connection.run(`COPY (${select}) TO '${path.replaceAll("'", "''")}' (${options})`)
  }

  /** Runs a statement; gives its rows, integers as `bigint`. */
  async run(sql: string): Promise<Cell[][]> {
    return (await (await this.#connection.run(sql)).getRows()) as Cell[][]
  }

  [Symbol.dispose](): void {
    this.#connection.closeSync()
    this.#instance.closeSync()
  }
}

function structSql(columns: OracleColumn[], places: number[], row: Cell[]): string {
  const fields = places.map((place) => ({ name: columns[place]!.path![1], type: columns[place]!.type }))
  const type = `STRUCT(${fields.map(({ name, type: each }) => `"${name.replaceAll('"', '""')}" ${each}`).join(', ')})`
  if (places.every((place) => row[place] === null)) return `CAST(NULL AS ${type})`
  const parts = fields.map(({ name, type: each }, k) => `${quoted(name)}: ${cellSql(row[places[k]!]!, each)}`)
  return `CAST({${parts.join(', ')}} AS ${type})`
}

function cellSql(cell: Cell, type: string): string {
  if (cell === null) return `CAST(NULL AS ${type})`
  if (Array.isArray(cell))
    return `CAST([${cell.map((each) => cellSql(each, type.slice(0, -2))).join(', ')}] AS ${type})`
  const text = kindOf(type) === 'float' ? floatText(cell as number) : keyText(cell, type)
  return `CAST(${quoted(text)} AS ${type})`
}

function floatText(value: number): string {
  return Object.is(value, -0) ? '-0.0' : String(value)
}

function quoted(text: string): string {
  const parts = text.split('\0').map((part) => `'${part.replaceAll("'", "''")}'`)
  return parts.length === 1 ? parts[0]! : `(${parts.join(' || chr(0) || ')})`
}
