/** Rows of sifted sources: those that fit the columns are staged, every other one is written down. */
import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { quoteIdentifier, quoteString } from '../../common/data-type.ts'
import type { ImportColumns } from '../columns.ts'
import { type Import, reading } from '../work.ts'
import type { RejectFile } from './file.ts'
import type { TextRecord } from './records.ts'
import { cutSource, placeOf, type Sifted } from './sift.ts'
import { checkedRows } from './values.ts'

/** Rows that can be written, and how many were left out. */
export interface CheckedRows {
  /** SELECT of the stored columns. */
  rows: string
  count: number
  rejected: number
}

/** Reads the numbered copies once: every record becomes a row, or is rejected for a reason. */
export async function stageChecked(
  work: Import,
  sifted: Sifted,
  columns: ImportColumns,
  rejects: RejectFile,
): Promise<CheckedRows> {
  const { session, context } = work
  const { names, copies } = sifted
  const path = `${context.spillPath}/staged.parquet`
  await mkdir(context.spillPath, { recursive: true })
  const rows = checkedRows(copies, columns, names)
  await reading({ ...work, files: copies }, () =>
    session.run(
      `COPY (${rows}) TO ${quoteString(path)} (FORMAT parquet, COMPRESSION snappy)`,
      work.phase('read', 0, 0.4),
    ),
  )
  const staged = `read_parquet(${quoteString(path)})`
  const [number, column, reason] = [names.number, names.column, names.reason].map(quoteIdentifier)
  const [counts] = await session.rows<{ good: bigint; read: bigint }>(
    `SELECT count(*) FILTER (WHERE ${reason} IS NULL) AS good, count(DISTINCT ${number}) AS read FROM ${staged}`,
    work.run,
  )
  const count = Number(counts!.good)
  assert(Number(counts!.read) === sifted.sound, `${counts!.read} records were read of ${sifted.sound}`)
  const rejected = sifted.damaged + sifted.sound - count
  const bad = `SELECT ${number}, ${column}, ${reason} FROM ${staged} WHERE ${reason} IS NOT NULL ORDER BY 1`
  // Lines are judged meanwhile, and a session does one thing at a time.
  using reader = await work.engine.session()
  await writeRejects(work, sifted, readPlaces({ ...work, session: reader }, bad), rejects, rejected)
  const stored = columns.stored.map(({ name }) => quoteIdentifier(name)).join(', ')
  return { rows: `SELECT ${stored} FROM ${staged} WHERE ${reason} IS NULL`, count, rejected }
}

/** Writes down the damaged records of sources of which no record can be a row. */
export async function rejectAll(work: Import, sifted: Sifted, rejects: RejectFile): Promise<void> {
  assert(sifted.sound === 0, 'some records are sound')
  await writeRejects(work, sifted, undefined, rejects, sifted.damaged)
}

interface BadPlace {
  place: number
  column?: string
  reason: string
}

/** Places with what is wrong there, a chunk at a time. */
async function* readPlaces({ session, run }: Import, sql: string): AsyncGenerator<BadPlace> {
  const result = await session.stream(sql, run)
  for (;;) {
    const chunk = await session.fetch(() => result.fetchChunk(), run)
    if (!chunk || chunk.rowCount === 0) return
    for (const [place, column, reason] of chunk.getRows()) {
      const name = column === null ? {} : { column: String(column) }
      yield { place: Number(place), ...name, reason: String(reason) }
    }
  }
}

/** Reads the sources once more, for the text of what is rejected; nothing when there is none. */
async function writeRejects(
  work: Import,
  sifted: Sifted,
  bad: AsyncGenerator<BadPlace> | undefined,
  rejects: RejectFile,
  expected: number,
): Promise<void> {
  const { files, context } = work
  await rejects.clear()
  let written = 0
  let next = expected > 0 ? await bad?.next() : undefined
  for (const [k, file] of expected > 0 ? files.entries() : []) {
    for await (const { bytes, records } of cutSource(work, file, sifted.delimiter)) {
      for (const record of records) {
        const place = placeOf(k, record.line)
        while (next && !next.done && next.value.place < place) next = await bad!.next()
        const found = next && !next.done && next.value.place === place ? next.value : undefined
        const reason = record.reason ?? found?.reason
        if (reason === undefined) continue
        const { text, line } = { text: textIn(bytes, record, context.settings.rejectTextBytes), line: record.line }
        await rejects.add({ file: file.label, line, ...(found?.column && { column: found.column }), reason, text })
        written++
      }
    }
  }
  await rejects.sync()
  assert(written === expected, `${written} rows were rejected of ${expected}`)
}

function textIn(bytes: Buffer, { start, end }: TextRecord, most: number): string {
  return bytes.toString('utf8', start, Math.min(end, start + most)).toWellFormed()
}
