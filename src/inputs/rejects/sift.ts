/** Numbered copies of the sound records of text files: each record keeps the place that it has in its source. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, writeFile } from 'node:fs/promises'
import { quoteIdentifier, quoteString } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import { guarded } from '../columns.ts'
import { requireWhole } from '../compressed.ts'
import { delimiterOf, dialectSql } from '../readers.ts'
import { firstLine, type SourceFile, textOf } from '../sources.ts'
import type { Import } from '../work.ts'
import { judgeLines } from './json-lines.ts'
import { type Cutter, csvCutter, firstText, jsonCutter, type TextRecord } from './records.ts'
import type { NumberedNames } from './values.ts'

/** Text sources, sifted. */
export interface Sifted {
  /** Copies of those sources that have a sound record, header lines aside; the first one's when none has. */
  copies: SourceFile[]
  names: NumberedNames
  delimiter: string
  /** Records that can be a row, and such that cannot. */
  sound: number
  damaged: number
}

/** Some records of a file, in the order of its lines. */
export interface Batch {
  bytes: Buffer
  records: TextRecord[]
}

/** Records, or bytes, that tell whether a file of CSV has a header. */
const HEAD_RECORDS = 20_480
const HEAD_BYTES = 8 << 20
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf])
/** A place is the number of the file times this, plus the line. */
const LINES_MAX = 2 ** 36

/** The place of a record, as one number. */
export function placeOf(file: number, line: number): number {
  const place = file * LINES_MAX + line
  assert(line < LINES_MAX && Number.isSafeInteger(place), 'too many files or lines to number them')
  return place
}

/** The records of a text file, in bounded memory. @throws FILE_INVALID, CANCELLED */
export async function* cutSource(work: Import, file: SourceFile, delimiter: string): AsyncGenerator<Batch> {
  for await (const { bytes, records } of cutText(file, delimiter, work.options.signal)) {
    const judged = file.format === 'csv' ? records : await judgeLines(work.session, bytes, records, work.run)
    yield { bytes, records: judged }
  }
}

async function* cutText(file: SourceFile, delimiter: string, signal?: AbortSignal): AsyncGenerator<Batch> {
  const cutter: Cutter = file.format === 'csv' ? csvCutter(delimiter) : jsonCutter()
  let rest: Buffer = Buffer.alloc(0)
  let isFirst = true
  for await (const part of textOf(file, SETTINGS.bufferBytes.default, signal)) {
    const own = isFirst && part.subarray(0, 3).equals(BYTE_ORDER_MARK) ? part.subarray(3) : part
    isFirst = false
    rest = rest.length === 0 ? own : Buffer.concat([rest, own])
    const { found, used } = cutter.cut(rest, false)
    yield { bytes: rest, records: found }
    rest = rest.subarray(used)
  }
  yield { bytes: rest, records: cutter.cut(rest, true).found }
}

/** Copies the sound records of all sources. @throws ROW_INVALID when the line that names the columns is damaged */
export async function siftSources(work: Import): Promise<Sifted> {
  const { files, context, options } = work
  await mkdir(context.spillPath, { recursive: true })
  await requireWhole(files, options.signal ?? new AbortController().signal)
  const delimiter = files[0]!.format === 'csv' ? delimiterOf(await firstLine(files[0]!)) : ','
  const suffix = randomBytes(4).toString('hex')
  const names = { number: `skep_place_${suffix}`, column: `skep_column_${suffix}`, reason: `skep_reason_${suffix}` }
  const sifted: Sifted = { copies: [], names, delimiter, sound: 0, damaged: 0 }
  const copies: { copy: SourceFile; sound: number }[] = []
  for (const [k, file] of files.entries()) {
    const done = await siftFile(work, file, k, sifted)
    sifted.sound += done.sound
    sifted.damaged += done.damaged
    copies.push(done)
  }
  const filled = copies.filter(({ sound }) => sound > 0)
  return { ...sifted, copies: (filled.length > 0 ? filled : copies.slice(0, 1)).map(({ copy }) => copy) }
}

async function siftFile(work: Import, file: SourceFile, k: number, { names, delimiter }: Sifted) {
  const header = file.format === 'csv' ? await readHeader(work, file, k, delimiter) : undefined
  const path = `${work.context.spillPath}/numbered-${k}`
  await using copy = await open(path, 'w')
  let [sound, damaged, sizeBytes] = [0, 0, 0]
  if (header) {
    const line = [names.number, ...header.columns].map(quoteIdentifier).join(delimiter)
    sizeBytes += await write(copy, Buffer.from(`${line}\n`))
  }
  let isHeader = header?.isLine ?? false
  for await (const { bytes, records } of cutSource(work, file, delimiter)) {
    if (sound + damaged === 0) refuseArray(file, bytes, records[0])
    const rows = isHeader ? records.slice(1) : records
    if (records.length > 0) isHeader = false
    const good = rows.filter(({ reason }) => reason === undefined)
    sound += good.length
    damaged += rows.length - good.length
    sizeBytes += await write(copy, numbered(bytes, good, { file, k, names, delimiter }))
  }
  const { label, format, stamp } = file
  return { copy: { path, label, format, stamp, compression: 'none' as const, sizeBytes }, sound, damaged }
}

/** Passes unless a file that may be one JSON document is a list of objects: its lines are no rows. @throws ARGUMENT_INVALID */
function refuseArray({ format, label }: SourceFile, bytes: Buffer, first: TextRecord | undefined): void {
  if (format !== 'ndjson' || !first || !/\.json(\.\w+)?$/i.test(label) || bytes[firstText(bytes, first)] !== BRACKET)
    return
  const message = `${label} is a JSON list; with --rejects every line has to be an object of its own`
  throw new SkepError('ARGUMENT_INVALID', message, { argument: 'rejects' })
}

async function write(file: FileHandle, bytes: Buffer): Promise<number> {
  if (bytes.length > 0) await file.writeFile(bytes)
  return bytes.length
}

const BRACKET = 91
const BRACE_END = 125
const PREFIX_BYTES = 48

/** Records as lines that begin with their places. */
function numbered(
  bytes: Buffer,
  records: readonly TextRecord[],
  { file, k, names, delimiter }: { file: SourceFile; k: number; names: NumberedNames; delimiter: string },
): Buffer {
  const size = records.reduce((sum, { start, end }) => sum + end - start + PREFIX_BYTES, 0)
  const out = Buffer.allocUnsafe(size)
  let at = 0
  for (const { start, end, line } of records) {
    const place = placeOf(k, line)
    let from = start
    if (file.format === 'csv') at += out.write(`${place}${delimiter}`, at, 'latin1')
    else {
      from = firstText(bytes, { start, end }) + 1
      const isEmpty = bytes[firstText(bytes, { start: from, end })] === BRACE_END
      at += out.write(`{"${names.number}":${place}${isEmpty ? '' : ','}`, at, 'latin1')
    }
    at += bytes.copy(out, at, from, end)
    out[at++] = 10
  }
  return out.subarray(0, at)
}

/** The names of a file's columns, and whether its first line says them, as the engine sees it in the first sound records. */
async function readHeader(
  work: Import,
  file: SourceFile,
  k: number,
  delimiter: string,
): Promise<{ columns: string[]; isLine: boolean }> {
  const parts: Buffer[] = []
  let headBytes = 0
  for await (const { bytes, records } of cutSource(work, file, delimiter)) {
    const [first] = records
    if (parts.length === 0 && first?.reason !== undefined) throw headerError(file, first)
    const sound = records.filter(({ reason }) => reason === undefined)
    for (const { start, end } of sound) parts.push(bytes.subarray(start, end), Buffer.from('\n'))
    headBytes += bytes.length
    if (parts.length > 2 * HEAD_RECORDS || headBytes > HEAD_BYTES) break
  }
  const path = `${work.context.spillPath}/head-${k}`
  await writeFile(path, Buffer.concat(parts))
  const [found] = await guarded([{ ...file, path }], () =>
    work.session.rows<{ columns: string[]; isLine: boolean }>(
      `SELECT list_transform(Columns, lambda c: c.name) AS columns, HasHeader AS "isLine" FROM sniff_csv(${quoteString(path)}, ${dialectSql(delimiter)})`,
      work.run,
    ),
  )
  return found!
}

function headerError({ label }: SourceFile, { line, reason }: TextRecord): SkepError {
  const message = `${label}, line ${line}: ${reason}. The first line says what the columns are; nothing was imported`
  return new SkepError('ROW_INVALID', message, { file: label, line, reason: reason! })
}
