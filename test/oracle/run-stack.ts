/** Random cases for the whole product: files are written, imported or registered, queried, and compared with the oracle. */
import { deepStrictEqual } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import type { BehaviouralResult } from '../../src/behaviour/result.ts'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import { Warehouse } from '../../src/warehouse.ts'
import { arbitraryQuery } from './arbitrary-query.ts'
import { arbitraryTable } from './arbitrary-table.ts'
import { comparable } from './document.ts'
import { answer } from './oracle.ts'
import { ParquetWriter } from './parquet.ts'
import type { Cell, OracleTable } from './table.ts'
import { queryText } from './text.ts'

/** How the rows of a table are stored. */
export interface Layout {
  kind: 'managed' | 'registered'
  /** Source files: rows by turns, or actors by turns. */
  files: number
  by: 'row' | 'actor'
  /** Managed tables: number of buckets. */
  buckets: number
  /** Managed tables: how many imports bring the files in. */
  imports: number
  /** Place of the warehouse among those with other numbers of threads. */
  threads: 1 | 2
}

/** A table, how it is stored, and queries on it. */
export interface StackCase {
  table: OracleTable
  layout: Layout
  queries: BehaviouralQuery[]
}

/** Random cases, each of one table and several queries. */
export function stackCases(queries: number): fc.Arbitrary<StackCase> {
  return arbitraryTable().chain(({ table, source, registeredOnly }) =>
    fc.record({
      table: fc.constant(table),
      layout: layoutArbitrary(hasNullKeys(table), registeredOnly),
      queries: fc.array(arbitraryQuery(source), { minLength: queries, maxLength: queries }),
    }),
  )
}

function hasNullKeys(table: OracleTable): boolean {
  return table.rows.some(([actor, time]) => actor === null || time === null)
}

function layoutArbitrary(managedOnly: boolean, registeredOnly: boolean): fc.Arbitrary<Layout> {
  const kinds: Layout['kind'][] = managedOnly
    ? ['managed']
    : registeredOnly
      ? ['registered']
      : ['managed', 'registered']
  return fc.record({
    kind: fc.constantFrom(...kinds),
    files: fc.integer({ min: 1, max: 4 }),
    by: fc.constantFrom('row', 'actor'),
    buckets: fc.constantFrom(1, 2, 4, 7),
    imports: fc.integer({ min: 1, max: 3 }),
    threads: fc.constantFrom(1, 2),
  })
}

/** A folder with a warehouse, opened once with one thread, through the engine, and once with two that decode files where they can. */
export class Stack implements AsyncDisposable {
  readonly folder: string
  readonly writer: ParquetWriter
  readonly #warehouses: Record<1 | 2, Warehouse>
  #folders = 0
  #tables = 0

  private constructor(folder: string, writer: ParquetWriter, warehouses: Record<1 | 2, Warehouse>) {
    this.folder = folder
    this.writer = writer
    this.#warehouses = warehouses
  }

  static async open(env: Record<string, string> = {}): Promise<Stack> {
    const folder = await mkdtemp(join(tmpdir(), 'skep-oracle-'))
    const open = (reading: Record<string, string>) =>
      Warehouse.open(join(folder, 'warehouse'), { env: { ...reading, ...env } })
    const engine = await open({ SKEP_THREADS: '1', SKEP_DIRECT_GROUP_ROWS: '0' })
    const direct = await open({ SKEP_THREADS: '2', SKEP_DIRECT_ROWS: '0' })
    return new Stack(folder, await ParquetWriter.open(), { 1: engine, 2: direct })
  }

  warehouse(threads: 1 | 2 = 1): Warehouse {
    return this.#warehouses[threads]
  }

  /** A new folder for files. */
  newFolder(): string {
    const folder = join(this.folder, `files-${this.#folders++}`)
    mkdirSync(folder)
    return folder
  }

  /** Stores a table; gives the name under which it can be queried. */
  async store(table: OracleTable, layout: Layout): Promise<string> {
    const folder = this.newFolder()
    const parts = split(table, layout)
    const paths = parts.map((_, k) => join(folder, `part-${k}.parquet`))
    for (const [k, rows] of parts.entries()) await this.writer.write(paths[k]!, table.columns, rows)
    return await this.load(folder, paths, table, layout)
  }

  /** Imports or registers files; gives the name of the table. */
  async load(
    folder: string,
    paths: string[],
    { actor, time, timeUnit }: Pick<OracleTable, 'actor' | 'time' | 'timeUnit'>,
    layout: Layout,
  ): Promise<string> {
    const name = `t${this.#tables++}`
    const warehouse = this.warehouse(layout.threads)
    const keys = { actor, time, ...(timeUnit ? { timeUnit } : {}) }
    if (layout.kind === 'registered') {
      await warehouse.register(name, folder, keys)
      return name
    }
    const imports = Math.min(layout.imports, paths.length)
    for (let k = 0; k < imports; k++) {
      const files = paths.filter((_, place) => place % imports === k)
      await warehouse.import(name, files, { ...keys, buckets: layout.buckets })
    }
    return name
  }

  /** Forgets a table, so that many cases do not slow each other down. */
  async remove(name: string, { kind }: Layout): Promise<void> {
    if (kind === 'registered') await this.warehouse().unregister(name)
    else await this.warehouse().drop(name)
  }

  async query(name: string, query: BehaviouralQuery | string, threads: 1 | 2): Promise<BehaviouralResult<unknown>> {
    return await this.warehouse(threads).query(name, query)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.writer[Symbol.dispose]()
    for (const warehouse of Object.values(this.#warehouses)) await warehouse.close()
    await rm(this.folder, { recursive: true })
  }
}

/** The rows of each file. No file is empty, unless there are no rows. */
function split(table: OracleTable, { files, by }: Layout): Cell[][][] {
  const actors = [...new Set(table.rows.map(([actor]) => actor))]
  const parts = Map.groupBy(
    table.rows,
    (row) => (by === 'row' ? table.rows.indexOf(row) : actors.indexOf(row[0]!)) % files,
  )
  return parts.size === 0 ? [[]] : [...parts.values()]
}

/** Throws unless every query of the case is answered as the oracle answers it. Every other query is given as text. */
export async function checkStackCase(stack: Stack, { table, layout, queries }: StackCase): Promise<void> {
  const name = await stack.store(table, layout)
  try {
    for (const [k, query] of queries.entries()) {
      const given = k % 2 === 0 ? query : queryText(query)
      const result = await stack.query(name, given, layout.threads)
      deepStrictEqual(comparable(result), comparable(answer(table, query)), queryText(query))
    }
  } finally {
    await stack.remove(name, layout)
  }
}
