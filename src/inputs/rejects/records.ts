/** Cuts the bytes of text files into records, sound ones and such that no reader could make a row of; pure. */
import { isUtf8 } from 'node:buffer'

/** One record: the bytes `[start, end)` of a buffer, without its line end. */
export interface TextRecord {
  start: number
  end: number
  /** Of the file, from 1: the line on which it begins. */
  line: number
  /** Why it cannot be read; absent for a sound one. */
  reason?: string
}

/** The records in a buffer, and where the first one begins that may go on beyond it. */
export interface Records {
  found: TextRecord[]
  used: number
}

/** Cuts buffers that follow each other; keeps count of the lines. */
export interface Cutter {
  /** With `isLast`, all of the buffer is used. */
  cut(bytes: Buffer, isLast: boolean): Records
}

const NEWLINE = 10
const RETURN = 13
const SPACE = 32
const QUOTE = 34
const BRACE = 123

/** Longest record of CSV that the engine reads. */
const CSV_BYTES_MAX = 2_000_000
/** Longest line of NDJSON that the engine reads. */
const JSON_BYTES_MAX = 16 * 1024 * 1024

/**
 * Cuts NDJSON: lines that are not blank. Sound is one that begins with `{` and is UTF-8; whether it is JSON is for the engine to say.
 */
export function jsonCutter(): Cutter {
  const lines = lineCutter(JSON_BYTES_MAX)
  return {
    cut: (bytes, isLast) => {
      const { found, used } = lines.cut(bytes, isLast)
      const records = found.flatMap((record) => {
        if (record.reason !== undefined) return [record]
        const first = firstText(bytes, record)
        if (first === record.end) return []
        return [bytes[first] === BRACE ? record : { ...record, reason: 'not a JSON object' }]
      })
      return { found: checkText(bytes, used, records), used }
    },
  }
}

/** Where the first byte of a record stands that is no white space; its end when there is none. */
export function firstText(bytes: Buffer, { start, end }: Pick<TextRecord, 'start' | 'end'>): number {
  let k = start
  while (k < end && (bytes[k] === SPACE || (bytes[k]! >= 9 && bytes[k]! <= RETURN))) k++
  return k
}

/** Cuts text into its lines; one that is longer than `most` bytes is one without sense, however long it goes on. */
function lineCutter(most: number): Cutter {
  let line = 1
  let isSkipping = false
  return {
    cut: (bytes, isLast) => {
      const found: TextRecord[] = []
      let start = 0
      for (;;) {
        const newline = bytes.indexOf(NEWLINE, start)
        if (newline < 0 && !isLast && bytes.length - start <= most) return { found, used: start }
        const end = newline < 0 ? bytes.length : newline
        const isEmptyEnd = newline < 0 && end === start
        if (!isSkipping && !isEmptyEnd) {
          found.push({ start, end, line, ...(end - start > most && { reason: longReason(most) }) })
        }
        isSkipping = newline < 0
        if (newline < 0) return { found, used: end }
        line++
        start = newline + 1
      }
    },
  }
}

function longReason(most: number): string {
  return `longer than ${most} bytes`
}

/** Marks records that are not UTF-8. */
function checkText(bytes: Buffer, used: number, records: TextRecord[]): TextRecord[] {
  if (isUtf8(bytes.subarray(0, used))) return records
  return records.map((record) =>
    record.reason === undefined && !isUtf8(bytes.subarray(record.start, record.end))
      ? { ...record, reason: 'not UTF-8' }
      : record,
  )
}

/** What one look at a record of CSV tells. */
interface Look {
  outcome: 'whole' | 'unfinished' | 'damaged'
  /** Where its text ends, and where the next record begins. */
  end: number
  next: number
  fields: number
  /** Where the last value that is asked for ends, and the number of values until the last one that is not empty. */
  wantedEnd: number
  filled: number
  newlines: number
  reason?: string
}

/**
 * Cuts CSV by the rules of the engine's strict reading: a value is quoted when a quote begins it, one blank aside; lines may end
 * in `\n` or `\r\n`; blank lines are no rows unless there is one column only; empty values too many at the end are forgiven. The
 * first record tells the number of values. After damage by quotes the next line is a new record: a quote that is never closed
 * costs its own line only. With `withBlank`, blank lines count as records all the same.
 */
export function csvCutter(delimiter: string, withBlank = false): Cutter {
  const delim = delimiter.charCodeAt(0)
  let line = 1
  let width = 0
  let isSkipping = false

  const cut = (bytes: Buffer, isLast: boolean): Records => {
    const found: TextRecord[] = []
    let start = 0
    if (isSkipping) {
      start = bytes.indexOf(NEWLINE) + 1
      if (start === 0) return { found, used: bytes.length }
      isSkipping = false
    }
    while (start < bytes.length) {
      const look = lookAt(bytes, start, { delim, width, isLast })
      if (look.outcome === 'unfinished' && bytes.length - start <= CSV_BYTES_MAX) break
      if (look.outcome === 'whole') {
        if (width === 0 && look.end > start) width = look.fields
        if (look.end > start || width === 1) found.push(judge(look, start, line, width))
        else if (withBlank) found.push({ start, end: start, line })
        line += look.newlines + 1
        start = look.next
        continue
      }
      const own = lineAt(bytes, start, isLast)
      if (!own && bytes.length - start <= CSV_BYTES_MAX) break
      const reason = own ? look.reason : undefined
      found.push({ start, end: own?.end ?? bytes.length, line, reason: reason ?? longReason(CSV_BYTES_MAX) })
      isSkipping = own === undefined
      start = own?.next ?? bytes.length
      line++
    }
    return { found, used: start }
  }
  return {
    cut: (bytes, isLast) => {
      const { found, used } = cut(bytes, isLast)
      return { found: checkText(bytes, used, found), used }
    },
  }
}

function judge({ end, fields, wantedEnd, filled }: Look, start: number, line: number, width: number): TextRecord {
  if (end - start > CSV_BYTES_MAX) return { start, end, line, reason: longReason(CSV_BYTES_MAX) }
  if (fields === width) return { start, end, line }
  if (fields > width && filled <= width) return { start, end: wantedEnd, line }
  return { start, end, line, reason: `${fields} ${fields === 1 ? 'value' : 'values'} instead of ${width}` }
}

/** The line at a place, its end aside; undefined when it goes on beyond the buffer. */
function lineAt(bytes: Buffer, start: number, isLast: boolean): { end: number; next: number } | undefined {
  const newline = bytes.indexOf(NEWLINE, start)
  if (newline < 0) return isLast ? { end: bytes.length, next: bytes.length } : undefined
  return { end: bytes[newline - 1] === RETURN ? newline - 1 : newline, next: newline + 1 }
}

function lookAt(bytes: Buffer, start: number, how: { delim: number; width: number; isLast: boolean }): Look {
  const { delim, width, isLast } = how
  const size = bytes.length
  const look: Look = { outcome: 'whole', end: start, next: start, fields: 0, wantedEnd: start, filled: 0, newlines: 0 }
  const stop = (outcome: Look['outcome'], reason: string): Look => ({ ...look, outcome, reason })
  for (let k = start; ; k++) {
    const first = k
    let isEmpty = false
    if (bytes[k] === QUOTE || (bytes[k] === SPACE && bytes[k + 1] === QUOTE)) {
      const open = bytes[k] === QUOTE ? k : k + 1
      const close = closingQuote(bytes, open, look)
      // Whether a quote at the very end closes is for the next byte to say.
      if (close < 0 || (close + 1 >= size && !isLast)) return stop(isLast ? 'damaged' : 'unfinished', UNCLOSED)
      isEmpty = close === open + 1
      k = close + 1
      while (bytes[k] === SPACE) k++
    } else {
      while (k < size && bytes[k] !== delim && bytes[k] !== NEWLINE && bytes[k] !== RETURN) k++
      isEmpty = k === first
    }
    if (k >= size && !isLast) return stop('unfinished', UNCLOSED)
    look.fields++
    if (!isEmpty) look.filled = look.fields
    if (look.fields === width) look.wantedEnd = k
    if (bytes[k] === delim) continue
    look.end = k
    look.next = k + 1
    if (k >= size || bytes[k] === NEWLINE) return look
    if (bytes[k] !== RETURN) return stop('damaged', 'text after a closing quote')
    if (k + 1 >= size && !isLast) return stop('unfinished', UNCLOSED)
    look.next = k + 2
    return bytes[k + 1] === NEWLINE ? look : stop('damaged', 'a carriage return outside of quotes')
  }
}

const UNCLOSED = 'a quote that is not closed'

/** Where the quote stands that closes the one at `open`; negative when it does not in this buffer. Counts the lines in between. */
function closingQuote(bytes: Buffer, open: number, look: Look): number {
  for (let k = open + 1; k < bytes.length; k++) {
    if (bytes[k] === NEWLINE) look.newlines++
    if (bytes[k] !== QUOTE) continue
    if (bytes[k + 1] !== QUOTE) return k
    k++
  }
  return -1
}
