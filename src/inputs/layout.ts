/** Where an import's rows go: sorted files for each bucket of a keyed table, plain files for others. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readdir } from 'node:fs/promises'
import { dataLocation } from '../catalog/catalog.ts'
import type { DataFile, PartitionSpec, Schema, TableKeys } from '../catalog/types.ts'
import { printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import { SETTINGS } from '../config.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import { removeFolder } from '../storage/temporary.ts'
import { bucketName, withBuckets } from './buckets.ts'
import { type Import, reading } from './work.ts'
import { sync, writeFiles } from './write.ts'

/** The table that is written for, made or not. */
export interface Target {
  location: string
  /** With which the names of the files of this import begin. */
  prefix: string
  schema: Schema
  spec: PartitionSpec
  keys: TableKeys
}

/** Writes rows as data files of the table; gives what was written. */
export async function writeTable(work: Import, target: Target, rows: string, count: number): Promise<DataFile[]> {
  const folder = dataLocation(target)
  await mkdir(folder, { recursive: true })
  if (count === 0) return []
  const files = isKeyed(target) ? await writeBuckets(work, target, rows, count) : await writePlain(work, target, rows)
  await sync(folder)
  const written = files.reduce((sum, file) => sum + file.rows, 0)
  assert(written === count, `${written} rows were written of ${count}`)
  return files
}

function isKeyed({ spec, keys }: Target): boolean {
  return keys.actor !== undefined && keys.time !== undefined && spec.fields.length === 1
}

function newPath(target: Target): string {
  return `${dataLocation(target)}/${target.prefix}-${randomBytes(6).toString('hex')}`
}

/** Removes what a failed import has written, in part or whole; with a table that was not made yet, its folder. */
export async function removeWritten(target: Target, withTable: boolean): Promise<void> {
  if (withTable) return await removeFolder(target.location)
  const folder = dataLocation(target)
  const names = await readdir(folder).catch(() => [])
  await Promise.all(
    names.filter((name) => name.includes(target.prefix)).map((name) => removeFolder(`${folder}/${name}`)),
  )
}

async function writePlain(work: Import, target: Target, rows: string): Promise<DataFile[]> {
  const size = work.files.reduce((sum, file) => sum + file.sizeBytes, 0)
  const { settings } = work.context
  const order = target.keys.time === undefined ? '' : ` ORDER BY ${quoteIdentifier(target.keys.time)}`
  const write = {
    rows: `${rows}${order}`,
    path: newPath(target),
    ...(size > settings.fileBytes ? { fileBytes: settings.fileBytes } : {}),
    specId: target.spec.id,
    partition: [],
    sorted: false,
  }
  return await reading(work, () =>
    writeFiles(work.session, target.schema.columns, write, settings, work.phase('write', 0.4, 1)),
  )
}

/** One sorted file for each bucket (and one for rows without actor); large buckets are cut between actors. */
async function writeBuckets(work: Import, target: Target, rows: string, count: number): Promise<DataFile[]> {
  const { transform } = target.spec.fields[0]!
  const buckets = transform.kind === 'bucket' ? transform.count : 1
  const parts = buckets === 1 ? singleBucket(target, rows) : await partition(work, target, rows, buckets)
  const sizes = parts.reduce((sum, part) => sum + (part.rows ?? count), 0)
  const sources = work.files.reduce((sum, file) => sum + file.sizeBytes, 0)
  let done = 0
  const written = await mapConcurrent(parts, Math.min(2, work.context.settings.threads), async (part) => {
    using session = await work.engine.session()
    const bytes = (sources * (part.rows ?? count)) / Math.max(1, sizes)
    const files = await reading(work, () => writeBucket(work, session, target, part, bytes))
    work.phase('write', 0.6, 1).onProgress?.(++done / parts.length)
    return files
  })
  return written.flat()
}

interface Part {
  bucket: number | null
  rows?: number
  sql: string
}

function singleBucket({ keys }: Target, rows: string): Part[] {
  const actor = quoteIdentifier(keys.actor!)
  return [
    { bucket: 0, sql: `SELECT * FROM (${rows}) WHERE ${actor} IS NOT NULL` },
    { bucket: null, sql: `SELECT * FROM (${rows}) WHERE ${actor} IS NULL` },
  ]
}

const NO_ACTOR = -1

/** Cuts the rows into one folder for each bucket, on disk: memory stays bounded, and every bucket is sorted on its own. */
async function partition(work: Import, target: Target, rows: string, buckets: number): Promise<Part[]> {
  const { session, context } = work
  const folder = `${context.spillPath}/buckets`
  await mkdir(context.spillPath, { recursive: true })
  const column = target.schema.columns.find(({ name }) => name === target.keys.actor)!
  const options = work.phase('partition', 0.4, 0.6)
  const name = bucketName(target.schema.columns)
  const bucketed = await reading(work, () => withBuckets(session, rows, column, { name, count: buckets }, options))
  const keyed = `SELECT * REPLACE (coalesce(${name}, ${NO_ACTOR}) AS ${name}) FROM (${bucketed})`
  await reading(work, () =>
    session.run(
      `COPY (${keyed}) TO ${quoteString(folder)} (FORMAT parquet, COMPRESSION uncompressed, PARTITION_BY (${name}))`,
      options,
    ),
  )
  const counts = await session.rows<{ folder: string; n: bigint }>(
    `SELECT parse_path(file_name)[-2] AS folder, sum(num_rows) AS n FROM parquet_file_metadata(${quoteString(`${folder}/*/*.parquet`)}) GROUP BY 1 ORDER BY 1`,
    work.run,
  )
  return counts.map(({ folder: part, n }) => {
    const bucket = Number(part.split('=')[1])
    const sql = `SELECT * FROM read_parquet(${quoteString(`${folder}/${part}/*.parquet`)}, hive_partitioning = false)`
    return { bucket: bucket === NO_ACTOR ? null : bucket, rows: Number(n), sql }
  })
}

async function writeBucket(
  work: Import,
  session: Session,
  target: Target,
  part: Part,
  bytes: number,
): Promise<DataFile[]> {
  const { settings } = work.context
  const actor = quoteIdentifier(target.keys.actor!)
  const order = `ORDER BY ${actor}, ${quoteIdentifier(target.keys.time!)}`
  const cuts =
    part.bucket === null ? [] : await cutPoints(session, part, actor, Math.ceil(bytes / settings.fileBytes), work.run)
  const type = printType(target.schema.columns.find(({ name }) => name === target.keys.actor)!.type)
  const bounds = [undefined, ...cuts, undefined].map((cut) => cut && `CAST(${quoteString(cut)} AS ${type})`)
  const files: DataFile[] = []
  for (let k = 0; k + 1 < bounds.length; k++) {
    const conditions = [bounds[k] && `${actor} >= ${bounds[k]}`, bounds[k + 1] && `${actor} < ${bounds[k + 1]}`].filter(
      Boolean,
    )
    const range = conditions.length === 0 ? part.sql : `SELECT * FROM (${part.sql}) WHERE ${conditions.join(' AND ')}`
    const write = {
      rows: `${range} ${order}`,
      path: newPath(target),
      specId: target.spec.id,
      partition: [part.bucket === null ? null : BigInt(part.bucket)],
      sorted: true,
    }
    files.push(...(await writeFiles(session, target.schema.columns, write, settings, work.run)))
  }
  return files
}

/** Actors, as text, at which a bucket is cut into `pieces` of about one size. */
async function cutPoints(
  session: Session,
  part: Part,
  actor: string,
  pieces: number,
  options: RunOptions,
): Promise<string[]> {
  if (pieces <= 1) return []
  const quantiles = Array.from({ length: pieces - 1 }, (_, k) => (k + 1) / pieces)
  const [row] = await session.rows<{ cuts: string[] }>(
    `SELECT CAST(list_sort(list_distinct(quantile_disc(a, [${quantiles.join(', ')}]))) AS VARCHAR[]) AS cuts
     FROM (SELECT ${actor} AS a FROM (${part.sql}) USING SAMPLE reservoir(${SETTINGS.cutSampleRows.default} ROWS) REPEATABLE (1))`,
    options,
  )
  return row!.cuts
}
