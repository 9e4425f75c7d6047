/** Tables of some thousand rows made by SQL, stored in many ways, and queried twice: decoded directly, and through the engine. */
import { deepStrictEqual } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BehaviouralResult } from '../../src/behaviour/result.ts'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import type { BehaviouralStats } from '../../src/coordinator/behaviour-result.ts'
import type { QueryOptions } from '../../src/coordinator/calls.ts'
import { QueryWork } from '../../src/coordinator/query-work.ts'
import { type ErrorCode, isSkepError } from '../../src/errors.ts'
import { Warehouse } from '../../src/warehouse.ts'
import { comparable } from '../oracle/document.ts'
import { ParquetWriter } from '../oracle/parquet.ts'
import { queryText } from '../oracle/text.ts'

/** Numbers of threads that direct queries are run with. */
export const THREADS = [1, 2, 3] as const
export type ThreadCount = (typeof THREADS)[number]

/** A folder with a warehouse, opened with several numbers of threads for direct queries and once for the engine alone. */
export class DirectLab implements AsyncDisposable {
  readonly folder: string
  readonly writer: ParquetWriter
  readonly engine: Warehouse
  readonly #direct: Map<ThreadCount, Warehouse>
  #names = 0

  private constructor(folder: string, writer: ParquetWriter, engine: Warehouse, direct: Map<ThreadCount, Warehouse>) {
    this.folder = folder
    this.writer = writer
    this.engine = engine
    this.#direct = direct
  }

  /** A lab whose warehouses have these variables set. */
  static async open(env: Record<string, string> = {}): Promise<DirectLab> {
    const folder = await mkdtemp(join(tmpdir(), 'skep-direct-'))
    const open = (own: Record<string, string>) =>
      Warehouse.open(join(folder, 'warehouse'), { env: { SKEP_ROW_GROUP_ROWS: '2048', ...own, ...env } })
    const direct = new Map<ThreadCount, Warehouse>()
    for (const count of THREADS) {
      // Unsorted rows of most cases are one part; here they are many.
      const parts: Record<string, string> = count === 3 ? { SKEP_DIRECT_PART_ROWS: '150' } : {}
      direct.set(count, await open({ SKEP_DIRECT_ROWS: '0', SKEP_THREADS: String(count), ...parts, ...env }))
    }
    const engine = await open({ SKEP_DIRECT_GROUP_ROWS: '0', SKEP_THREADS: '2' })
    return new DirectLab(folder, await ParquetWriter.open(), engine, direct)
  }

  /** The warehouse whose queries are direct where they can be. */
  direct(threads: ThreadCount = 2): Warehouse {
    return this.#direct.get(threads)!
  }

  /** A warehouse of the same folder that has read nothing yet; queries are direct where they can be. */
  static async beside({ folder }: DirectLab, env: Record<string, string> = {}): Promise<Warehouse> {
    return await Warehouse.open(join(folder, 'warehouse'), {
      env: { SKEP_DIRECT_ROWS: '0', SKEP_THREADS: '2', ...env },
    })
  }

  /** A name that has not been used. */
  newName(): string {
    return `t${this.#names++}`
  }

  /** A new folder for files. */
  newFolder(): string {
    const folder = join(this.folder, `files-${this.#names++}`)
    mkdirSync(folder)
    return folder
  }

  /** Writes the rows of a SELECT as a file. */
  async copy(select: string, path: string, options: string): Promise<void> {
    await this.writer.run(`COPY (${select}) TO '${path}' (FORMAT parquet${options && `, ${options}`})`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.writer[Symbol.dispose]()
    for (const warehouse of [...this.#direct.values(), this.engine]) await warehouse.close()
    await rm(this.folder, { recursive: true })
  }
}

type Document = BehaviouralResult<BehaviouralStats>

/** Statistics that differ from one run to the next. */
const OF_THE_RUN: ReadonlySet<string> = new Set(['reader', 'ms', ...Object.keys(new QueryWork().stats())])

/** What of two documents has to be the same: all but what read the rows, and how long it took. */
export function facts(document: Document): unknown {
  const stats = Object.entries(document.stats).filter(([name]) => !OF_THE_RUN.has(name))
  return { answer: comparable(document), stats: Object.fromEntries(stats) }
}

/** Throws unless both ways give the same document; gives what the first one cost. */
export async function compareReaders(
  lab: DirectLab,
  table: string,
  query: BehaviouralQuery,
  options: QueryOptions & { threads?: ThreadCount } = {},
): Promise<BehaviouralStats> {
  const { threads, ...rest } = options
  const given = await lab.direct(threads).query(table, query, rest)
  const expected = await lab.engine.query(table, query, rest)
  deepStrictEqual(expected.stats.reader, 'engine')
  deepStrictEqual(facts(given), facts(expected), queryText(query))
  return given.stats
}

/** What a query ends with: its document, or the code of its error. An error without a code is thrown on. */
export async function outcomeOf(call: Promise<Document>): Promise<{ facts: unknown } | { code: ErrorCode }> {
  try {
    return { facts: facts(await call) }
  } catch (error) {
    if (isSkepError(error)) return { code: error.code }
    throw error
  }
}
