/** A place for tests of a warehouse from outside: a folder of its own, sources made by DuckDB itself, and DuckDB as the judge. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { quoteString } from '../../src/common/data-type.ts'
import { isSkepError, type SkepError } from '../../src/errors.ts'
import { Warehouse } from '../../src/warehouse.ts'

/** A warehouse, sources beside it, and an engine that knows nothing of either. */
export interface Lab {
  dir: string
  /** Folder of the warehouse. */
  root: string
  duck: DuckDBConnection
  warehouse: Warehouse
  /** The same warehouse under other settings. */
  open(env: Record<string, string>): Promise<Warehouse>
  /** The rows of a query in a file that DuckDB wrote; its path. `name` is below the folder of the lab. */
  write(sql: string, name?: string, options?: string): Promise<string>
  /** A file with this content; its path. */
  text(content: string | Uint8Array, name: string): string
  /** Rows as DuckDB itself gives them, as JSON. */
  judge(sql: string): Promise<unknown[][]>
  close(): Promise<void>
}

export async function openLab(env: Record<string, string> = {}): Promise<Lab> {
  const dir = mkdtempSync(join(tmpdir(), 'skep-lab-'))
  const root = join(dir, 'warehouse')
  const duck = await (await DuckDBInstance.create(':memory:')).connect()
  await duck.run(`SET TimeZone = 'UTC'`)
  const open = (more: Record<string, string>) => Warehouse.open(root, { env: { SKEP_THREADS: '2', ...more } })
  const warehouse = await open(env)
  let files = 0
  const place = (name: string) => {
    const path = join(dir, name)
    mkdirSync(dirname(path), { recursive: true })
    return path
  }
  return {
    dir,
    root,
    duck,
    warehouse,
    open,
    write: async (sql, name = `source-${++files}.parquet`, options = 'FORMAT parquet') => {
      const path = place(name)
      await duck.run(`COPY (${sql}) TO ${quoteString(path)} (${options})`)
      return path
    },
    text: (content, name) => {
      const path = place(name)
      writeFileSync(path, content)
      return path
    },
    judge: async (sql) => (await (await duck.run(sql)).getRowsJson()) as unknown[][],
    close: async () => {
      await warehouse.close()
      duck.closeSync()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** All files of a warehouse but those on their way, sorted. */
export function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('/.tmp/'))
    .toSorted()
}

/** The coded error that a call ends with; anything else fails the test. */
export async function failure(call: () => Promise<unknown>): Promise<SkepError> {
  try {
    await call()
  } catch (error) {
    if (isSkepError(error)) return error
    throw new Error(`not a coded error: ${String(error)}`, { cause: error })
  }
  throw new Error('the call succeeded')
}

/** The paths of a table's data files. */
export async function dataFiles(warehouse: Warehouse, table: string): Promise<string[]> {
  return (await warehouse.describe(table, { files: true })).dataFiles!.map(({ path }) => path)
}

/** Data files below the warehouse that belong to no snapshot of a table. */
export async function strays({ warehouse, root }: Lab): Promise<string[]> {
  const known = new Set<string>()
  for (const { name } of await warehouse.tables()) {
    for (const { id } of await warehouse.snapshots(name)) {
      const described = await warehouse.describe(name, { files: true, at: id })
      for (const { path } of described.dataFiles!) known.add(path)
    }
  }
  return filesBelow(root).filter((path) => path.endsWith('.parquet') && !known.has(path))
}

/** The files as a table function of DuckDB. */
export function scanOf(paths: readonly string[]): string {
  return `read_parquet([${paths.map(quoteString).join(', ')}], hive_partitioning = false, union_by_name = true)`
}
