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

  /** Writes rows as a file. */
  async write(path: string, columns: OracleColumn[], rows: Cell[][]): Promise<void> {
    const names = columns.map(({ name }) => `"${name.replaceAll('"', '""')}"`)
    const values = rows.map((row) => `(${row.map((cell, k) => cellSql(cell, columns[k]!.type)).join(', ')})`)
    const nulls = columns.map(({ type }, k) => `CAST(NULL AS ${type}) AS ${names[k]}`)
    const select = `SELECT * FROM (VALUES ${values.join(', ')}) AS rows(${names.join(', ')})`
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

function cellSql(cell: Cell, type: string): string {
  if (cell === null) return `CAST(NULL AS ${type})`
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
