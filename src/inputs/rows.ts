/** The rows of an import: read from its sources once, and what columns and keys they go with. */
import { mkdir } from 'node:fs/promises'
import type { ManagedTable } from '../catalog/catalog.ts'
import type { TableKeys } from '../catalog/types.ts'
import { printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import { isSkepError } from '../errors.ts'
import { type ImportColumns, planColumns } from './columns.ts'
import { requireWhole } from './compressed.ts'
import { type StoredColumn, settledType } from './fit.ts'
import { chooseKeys } from './keys.ts'
import { readerSql } from './readers.ts'
import type { RejectFile } from './rejects/file.ts'
import { siftSources } from './rejects/sift.ts'
import { rejectAll, stageChecked } from './rejects/stage.ts'
import { type Import, reading } from './work.ts'

/** Rows to be imported, and for what columns and keys. */
export interface Found {
  /** As they are stored. */
  columns: readonly StoredColumn[]
  keys: TableKeys
  /** SELECT of these columns. */
  rows: string
  count: number
  /** Rows that were left out. */
  rejected: number
}

/** The rows of the sources as the table, or a new one when there is none, can take them; every other row ends the import or is rejected. */
export async function readRows(work: Import, table: ManagedTable | undefined): Promise<Found> {
  const { table: name, options, session, files, rejects } = work
  if (rejects && files[0]!.format !== 'parquet') return await readSifted(work, rejects, table)
  const planned = await planColumns(session, files, options.types ?? {}, table)
  const keys = chooseKeys(name, options, planned.stored, table)
  const settled = await settleColumns(work, planned.stored, await stageRows(work, planned))
  return { ...settled, keys, count: await countRows(work, settled.rows), rejected: 0 }
}

/** The rows that parse; every other one is written to the rejects. */
async function readSifted(work: Import, rejects: RejectFile, table: ManagedTable | undefined): Promise<Found> {
  const { table: name, options, session } = work
  const sifted = await siftSources(work)
  if (sifted.sound === 0 && sifted.damaged > 0) {
    await rejectAll(work, sifted, rejects)
    return { columns: [], keys: {}, rows: '', count: 0, rejected: sifted.damaged }
  }
  const planned = await planColumns(session, sifted.copies, options.types ?? {}, table, sifted.names.number)
  const keys = chooseKeys(name, options, planned.stored, table)
  const { rows, ...counts } = await stageChecked(work, sifted, planned, rejects)
  return { ...(await settleColumns(work, planned.stored, rows)), keys, ...counts }
}

/** A SELECT of the stored columns: over the sources themselves where they are Parquet, else over rows that were parsed once. */
async function stageRows(work: Import, { reader, select }: ImportColumns): Promise<string> {
  const source = `SELECT ${select} FROM ${readerSql(work.files, reader)}`
  if (work.files[0]!.format === 'parquet') return source
  const staged = `${work.context.spillPath}/staged.parquet`
  await mkdir(work.context.spillPath, { recursive: true })
  const copy = `COPY (${source}) TO ${quoteString(staged)} (FORMAT parquet, COMPRESSION snappy)`
  await whileWhole(work, () => reading(work, () => work.session.run(copy, work.phase('read', 0, 0.4))))
  return `SELECT * FROM read_parquet(${quoteString(staged)})`
}

/** Parsed rows whose columns are as narrow as the table has them, where their values allow it. */
async function settleColumns(
  work: Import,
  columns: readonly StoredColumn[],
  rows: string,
): Promise<{ columns: readonly StoredColumn[]; rows: string }> {
  const open = columns.filter(({ orNarrower }) => orNarrower)
  if (open.length === 0) return { columns, rows }
  const ranges = open.map(
    ({ name }, k) => `min(${quoteIdentifier(name)}) AS l${k}, max(${quoteIdentifier(name)}) AS h${k}`,
  )
  const [row] = await work.session.rows<Record<string, bigint | null>>(`SELECT ${ranges.join(', ')} FROM (${rows})`)
  const types = new Map(
    open.map((column, k) => [column, settledType(column, { min: row![`l${k}`]!, max: row![`h${k}`]! })] as const),
  )
  const settled = columns.map((column) => ({ name: column.name, type: types.get(column) ?? column.type }))
  const list = settled.map(
    ({ name, type }) => `CAST(${quoteIdentifier(name)} AS ${printType(type)}) AS ${quoteIdentifier(name)}`,
  )
  return { columns: settled, rows: `SELECT ${list.join(', ')} FROM (${rows})` }
}

/** Runs `step` while compressed sources are checked to be whole; damage is said rather than what came of it. */
async function whileWhole({ files, options: { signal } }: Import, step: () => Promise<unknown>): Promise<void> {
  const failed = new AbortController()
  const checking = requireWhole(files, signal ? AbortSignal.any([signal, failed.signal]) : failed.signal)
  const stepping = step().catch((error: unknown) => {
    failed.abort()
    throw error
  })
  const errors = (await Promise.allSettled([checking, stepping])).flatMap((end) =>
    end.status === 'rejected' ? [end.reason as unknown] : [],
  )
  if (errors.length > 0) throw errors.find((error) => !isSkepError(error, 'CANCELLED')) ?? errors[0]
}

async function countRows(work: Import, rows: string): Promise<number> {
  const [row] = await reading(work, () =>
    work.session.rows<{ n: bigint }>(`SELECT count(*) AS n FROM (${rows})`, work.run),
  )
  return Number(row!.n)
}
