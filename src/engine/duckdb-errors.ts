/** DuckDB's errors as ours: wrapped once, where they enter. */
import { SkepError } from '../errors.ts'
import { memoryError } from './memory-guard.ts'

/** What was going on when DuckDB failed: decides whose fault a message is. */
export interface FailureContext {
  signal?: AbortSignal | undefined
  timeoutMs?: number
  /** True while a user's SQL runs: whatever does not fit is the user's to correct. */
  userSql?: boolean
  /** The text of the statement, in which DuckDB's message points at a place. */
  sql?: string | undefined
  /** What the user wrote, where the statement is or has it word by word: a place is told in it, and in nothing else. */
  ownSql?: string | undefined
  /** Why the statement was interrupted, when it was for another reason than the signal's. */
  ended?: SkepError | undefined
  /** True where others use the same engine, and may be who broke it. */
  isShared?: boolean
}

/** DuckDB's message without the echo of the statement that follows it: one line. */
export function firstParagraph(message: string): string {
  const text = message.split(/\n\s*\n|\nLINE \d+:|\nThis error signals /)[0] ?? message
  return text.replaceAll(/\s*\n\s*/g, ' ').trim()
}

const USER_ERRORS =
  /^(Parser|Binder|Catalog|Conversion|Out of Range|Invalid Input|Invalid|Invalid type|Mismatch Type|Not implemented|Syntax|Expression|Parameter Not (Allowed|Resolved)|Constraint|Dependency|Divide by Zero|Sequence|Settings|Executor) Error: /i

/** The coded error that stands for an error of DuckDB. */
export function fromDuckDB(error: unknown, context: FailureContext = {}): SkepError {
  if (error instanceof SkepError) return error
  const message = (error instanceof Error ? error.message : String(error)).replace(
    /^Failed to extract statements: /,
    '',
  )
  const text = firstParagraph(message)
  return (
    lostEngine(message, error, context) ??
    interruption(message, context) ??
    guarded(message) ??
    shortage(message, error) ??
    damagedFile(message, text, error) ??
    (context.userSql ? unfitParameters(text, error) : undefined) ??
    (context.userSql && USER_ERRORS.test(message) ? invalidSql(message, text, error, context) : undefined) ??
    new SkepError('INTERNAL', `the engine failed: ${text.slice(0, 300)}`, {}, { cause: error })
  )
}

const LOST = /^(FATAL Error|Failed to append): Failed: database has been invalidated because of a previous fatal error/

/** True for the error of a statement that the engine refuses because an earlier one broke it. */
export function isLostEngine(error: unknown): error is Error {
  return error instanceof Error && LOST.test(error.message)
}

/** What broke a shared engine may be of somebody else's query, and is not told. */
function lostEngine(message: string, cause: unknown, { isShared }: FailureContext): SkepError | undefined {
  if (!LOST.test(message)) return undefined
  if (isShared) {
    const text =
      'a query met a defect of the engine, which was replaced while this one ran; run it again, and report it if that ends alike'
    return new SkepError('ENGINE_LOST', text, {}, { cause })
  }
  const original = firstParagraph(/Original error: "([\s\S]*)"\s*$/.exec(message)?.[1] ?? message)
  return new SkepError('INTERNAL', `the engine failed: ${original.slice(0, 300)}`, {}, { cause })
}

function interruption(message: string, { signal, timeoutMs, ended }: FailureContext): SkepError | undefined {
  if (!/^INTERRUPT Error|Interrupted!/.test(message)) return undefined
  if (ended) return ended
  if (isTimeout(signal)) return timeoutError(timeoutMs ?? 0)
  return new SkepError('CANCELLED', 'the call was cancelled', {})
}

/** True when the signal was aborted by a deadline and not by a caller. */
export function isTimeout(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true && signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError'
}

/** The error of a query that met its deadline. */
export function timeoutError(limitMs: number): SkepError<'QUERY_TIMEOUT'> {
  return new SkepError(
    'QUERY_TIMEOUT',
    `the query took longer than ${limitMs} ms; raise SKEP_QUERY_TIMEOUT_MS or ask for less`,
    { setting: 'SKEP_QUERY_TIMEOUT_MS', limitMs },
  )
}

/** A call that a guard refused: what it says comes from us, and stands for itself. */
function guarded(message: string): SkepError | undefined {
  const [, mark, most] = /skep_(bytes|pairs|depth) beyond (\d+)/.exec(message) ?? []
  if (mark === 'depth') {
    const text = `a JSON value is nested more than ${most} levels deep`
    return new SkepError('QUERY_TOO_DEEP', text, { limit: Number(most) })
  }
  if (mark === 'bytes') return memoryError(`one call of a function would make values of more than ${most} bytes`)
  return mark === undefined ? undefined : memoryError('texts are too long to be compared letter by letter')
}

function shortage(message: string, cause: unknown): SkepError | undefined {
  if (
    /No space left on device|ENOSPC|Disk quota exceeded|max_temp_directory_size|Could not write all bytes/i.test(
      message,
    )
  ) {
    return new SkepError('DISK_FULL', 'the disk of the warehouse is full; make room and repeat', {}, { cause })
  }
  if (/^IO Error: Failed to create directory .*\/\.tmp\//.test(message)) {
    return memoryError('the query needs more memory than there is, and there is no folder to spill to', cause)
  }
  if (/^Out of Memory Error|^std::bad_alloc/i.test(message)) {
    return memoryError('the query needs more memory than there is', cause)
  }
  return undefined
}

const DAMAGE =
  /No magic bytes found|too small to be a Parquet file|Footer length|Invalid Error: .*(thrift|TProtocol|parquet)|TProtocolException|don't know what type|Parquet file|parquet reader|ZSTD|Snappy|Corrupt|Failed to (read|decompress|seek)|Could not read|Invalid page|Page (decompression|header)|Could not decode|Out of buffer|bit width too large|DELTA_BINARY_PACKED|GZIP stream|invalid TType|Variable-length int|Varint-decoding|Negative size|Page size mismatch|Prefetch registered|Invalid string encoding|stats size for type|DBP decode|bitpacked data|DELTA_LENGTH_BYTE_ARRAY|FIXED_LEN_BYTE_ARRAY|converted type|block sizes|miniblocks|row group does not have|No such file or directory|No files found that match|BYTE_STREAM_SPLIT/i

function damagedFile(message: string, text: string, cause: unknown): SkepError | undefined {
  if (
    !/^(IO|Invalid Input|Invalid|TransactionContext|Serialization|Permission|INTERNAL) Error/i.test(message) ||
    !DAMAGE.test(message)
  ) {
    return undefined
  }
  const file = /["'](\/[^"']+)["']/.exec(message)?.[1]
  return new SkepError(
    'FILE_INVALID',
    `${file ? `${file}: ` : ''}a data file is missing or damaged (${text.replace(/^\w+( \w+)? Error: /, '').slice(0, 200)}); restore it from a copy`,
    { file: file ?? '' },
    { cause },
  )
}

/** Values for parameters that the query does not have. */
function unfitParameters(text: string, cause: unknown): SkepError | undefined {
  const match = /^Failed to (?:bind value: (?:Invalid Input Error: )?(.*)|retrieve bind parameter index)/.exec(text)
  if (!match) return undefined
  const reason = match[1] ?? 'the query has no parameter of one of the given names'
  return new SkepError('ARGUMENT_INVALID', `params: ${reason}`, { argument: 'params' }, { cause })
}

function invalidSql(message: string, text: string, cause: unknown, context: FailureContext): SkepError {
  const position = positionOf(message, context)
  const details = position === undefined ? {} : { position }
  return new SkepError('SQL_INVALID', text.replace(/^Invalid (Input )?Error: /i, ''), details, { cause })
}

/** The place in what the user wrote. */
function positionOf(message: string, { sql, ownSql }: FailureContext): number | undefined {
  if (sql === undefined || ownSql === undefined) return undefined
  const begin = sql.indexOf(ownSql)
  const place = linePosition(message, sql)
  if (begin < 0 || place === undefined) return undefined
  const position = place - [...sql.slice(0, begin)].length
  return position >= 0 && position <= [...ownSql].length ? position : undefined
}

/** The place that the echo of a line points at, in characters from the beginning of the statement. Of a long line the echo has a part. */
function linePosition(message: string, sql: string): number | undefined {
  const [, number = '', echo = '', indent = ''] = /\nLINE (\d+): (.*)\n(\s*)\^/.exec(message) ?? []
  const width = indent.length - `LINE ${number}: `.length
  if (number === '' || width < 0) return undefined
  const lines = sql.split('\n')
  const line = lines[Number(number) - 1]
  if (line === undefined) return undefined
  const isCut = echo.startsWith('...') && !line.startsWith('...')
  const begin = isCut ? plain(line).indexOf(plain(echo.slice(3).replace(/\.\.\.$/, ''))) : 0
  if (begin < 0) return undefined
  const before = lines.slice(0, Number(number) - 1).reduce((sum, text) => sum + [...text].length + 1, 0)
  return before + [...line.slice(0, begin)].length + charactersIn(line.slice(begin), isCut ? width - 3 : width)
}

function plain(line: string): string {
  return line.replaceAll(/\s/g, ' ')
}

const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u

/** How many characters a terminal shows in so many columns: some take two, some none. */
function charactersIn(text: string, columns: number): number {
  let left = columns
  let count = 0
  for (const character of text) {
    const width = WIDE.test(character) ? 2 : /[\p{M}\p{Cc}]/u.test(character) ? 0 : 1
    if (left <= 0 && width > 0) break
    left -= width
    count++
  }
  return count
}
