/**
 * Every way in which Skep says no: one class, one table of codes, typed details.
 *
 * A kind is named by who must act. `docs/reference/errors.md` and this table are compared by a test.
 */

/** Who must act on an error: decides exit code, HTTP status and whether a retry makes sense. */
export type ErrorKind = 'user' | 'limit' | 'conflict' | 'unavailable' | 'cancelled' | 'internal'

/** Exit code and default HTTP status of each kind. */
export const ERROR_KINDS: Record<ErrorKind, { exitCode: number; status: number }> = {
  user: { exitCode: 2, status: 400 },
  limit: { exitCode: 3, status: 413 },
  conflict: { exitCode: 4, status: 409 },
  unavailable: { exitCode: 5, status: 503 },
  cancelled: { exitCode: 130, status: 499 },
  internal: { exitCode: 70, status: 500 },
}

/** One problem of a behavioural query: `path` is a JSON Pointer to the offending value. */
export interface Violation {
  kind: 'SCHEMA' | 'TYPE_MISMATCH' | 'DATASET_MISMATCH' | 'RELATION' | 'INVALID_ARGUMENTS'
  path: string
  message: string
}

/** One problem of a document of steps: `path` is a JSON Pointer to the offending value. */
export interface DocumentViolation {
  path: string
  message: string
}

/** What each code carries beside its message; all values are plain JSON. */
export interface ErrorDetails {
  ARGUMENT_INVALID: { argument: string; nearest?: string }
  BODY_LIMIT: { limitBytes: number; setting?: string }
  BYTES_LIMIT: { bytes: number; limit: number }
  CANCELLED: Record<string, never>
  CATALOG_NOT_FOUND: { catalog: string; uri: string }
  COLUMN_EXISTS: { table: string; column: string }
  COLUMN_NEEDED: { table: string; column: string; use: 'actor' | 'time' | 'partition' | 'sort' | 'last' }
  COLUMN_NOT_FOUND: { table: string; column: string; nearest?: string; step?: string }
  COLUMN_TYPE_UNSUPPORTED: { column: string; type: string }
  COMMIT_CONFLICT: { table: string; changed?: 'schema' }
  COST_LIMIT: { dollars: number; limit: number }
  DISK_FULL: { path?: string }
  DOCUMENT_INVALID: { violations: DocumentViolation[] }
  ENGINE_LOST: Record<string, never>
  FILE_CHANGED: { file: string }
  FILE_INVALID: { file: string; files?: string[] }
  FILE_LIMIT: { setting: string; limit: number }
  FILE_NOT_FOUND: { file: string }
  FILE_UNREADABLE: { file: string }
  FOLDER_CHANGED: { table?: string; file: string }
  HEADER_LIMIT: { limitBytes: number }
  INTERNAL: Record<string, never>
  JSON_INVALID: { position?: number }
  KEY_INVALID: { table: string; key: 'actor' | 'time' | 'timeUnit' | 'buckets'; file?: string }
  MEDIA_TYPE_UNSUPPORTED: { expected: string[] }
  MEMORY_LIMIT: { setting: string }
  METHOD_NOT_ALLOWED: { allowed: string[] }
  NOT_ACCEPTABLE: { offered: string[] }
  ORIGIN_FORBIDDEN: { header: 'host' | 'origin' }
  PATH_FORBIDDEN: { path: string }
  QUERY_NOT_FOUND: { id: string }
  QUERY_INTERRUPTED: Record<string, never>
  QUERY_INVALID: { kind: Violation['kind']; violations: Violation[] }
  QUERY_TIMEOUT: { setting: string; limitMs: number }
  QUERY_TOO_DEEP: { limit: number; path?: string; step?: string }
  QUERY_TOO_LARGE: { limitBytes: number; step?: string }
  REQUEST_TIMEOUT: { limitMs?: number }
  RESULT_LIMIT: { setting: string; limitBytes: number }
  ROLE_FORBIDDEN: { needed: string }
  ROUTE_NOT_FOUND: Record<string, never>
  ROW_INVALID: { file: string; line?: number; reason: string }
  ROW_LIMIT: { setting: string; limit: number }
  SAVED_LIMIT: { limit: number }
  SAVED_NOT_FOUND: { name: string; nearest?: string }
  SCHEMA_MISMATCH: { table?: string; files?: string[]; column?: string; expected?: string; found?: string }
  SERVER_BUSY: { retryAfterMs: number }
  SERVER_CLOSING: Record<string, never>
  SERVER_UNREACHABLE: { url: string; status?: number; outcome?: 'unknown' }
  SETTING_INVALID: { setting: string; variable: string }
  SNAPSHOT_NOT_FOUND: { table?: string; at: string }
  SQL_FORBIDDEN: { what: string; step?: string }
  SQL_INVALID: { position?: number; step?: string }
  STORE_UNAVAILABLE: { path?: string; outcome?: 'unknown'; table?: string; commitId?: string }
  TABLE_EXISTS: { table: string }
  TABLE_FEATURE_UNSUPPORTED: { table?: string; file: string; feature: string }
  TABLE_INVALID: { table?: string; file: string }
  TABLE_IN_USE: { table: string; lastUsedAt: string }
  TABLE_KIND: { table: string; kind: 'managed' | 'registered' | 'attached' }
  TABLE_NAME_INVALID: { table: string }
  TABLE_NOT_FOUND: { table: string; nearest?: string; step?: string }
  TOKEN_INVALID: Record<string, never>
  TOO_MANY_PREDICATES: { limit: number }
  TOO_MANY_STEPS: { limit: number; path: string }
  WAREHOUSE_UNWRITABLE: { path: string }
  WORKER_LOST: { task?: string }
}

/** The name of an error, stable for scripts. */
export type ErrorCode = keyof ErrorDetails

interface CodeEntry {
  kind: ErrorKind
  /** HTTP status where it is not the kind's own. */
  status?: number
  /** One line for the reference page: what happened and what to do. */
  help: string
}

/** The table of codes. */
export const ERROR_CODES: Record<ErrorCode, CodeEntry> = {
  ARGUMENT_INVALID: { kind: 'user', help: 'An option or argument is missing, unknown or malformed; see `--help`.' },
  BODY_LIMIT: {
    kind: 'limit',
    help: 'The body of a request is larger than 16 MiB, or an uploaded file larger than `SKEP_UPLOAD_BYTES`.',
  },
  BYTES_LIMIT: {
    kind: 'limit',
    help: 'The files that the query would have to read are larger than `--max-bytes` allows; nothing was run.',
  },
  CANCELLED: { kind: 'cancelled', help: 'The call was cancelled by its caller (Ctrl-C or an `AbortSignal`).' },
  CATALOG_NOT_FOUND: {
    kind: 'user',
    help: 'There is nothing at the `uri` of a catalog of a document, or no Parquet file below it.',
  },
  COLUMN_EXISTS: { kind: 'user', status: 409, help: 'The table has a column or partition field of this name already.' },
  COLUMN_NEEDED: {
    kind: 'user',
    help: 'The column is a key of the table, or its files are partitioned or sorted by it, or it is the last one: it cannot be dropped.',
  },
  COLUMN_NOT_FOUND: { kind: 'user', help: 'The table has no such column; the nearest known name is in the details.' },
  COLUMN_TYPE_UNSUPPORTED: {
    kind: 'user',
    help: 'The column has a type that a table cannot store (choose one with `--types column=TYPE`), or of which no values are suggested.',
  },
  COMMIT_CONFLICT: {
    kind: 'conflict',
    help: 'Another writer changed the table in a way that cannot be combined with this change; read it again and repeat.',
  },
  COST_LIMIT: {
    kind: 'limit',
    help: 'By the estimate the query costs more than `--max-cost` allows; nothing was run.',
  },
  DISK_FULL: { kind: 'limit', help: 'The disk of the warehouse is full; nothing was changed. Make room and repeat.' },
  DOCUMENT_INVALID: {
    kind: 'user',
    help: 'The document of steps is not valid; `violations` lists every problem with a JSON Pointer to it.',
  },
  ENGINE_LOST: {
    kind: 'unavailable',
    help: 'A query met a defect of the engine while it ran, and the engine was replaced under the others, this one among them; run it again.',
  },
  FILE_CHANGED: {
    kind: 'conflict',
    help: 'A source file was changed or went away while it was imported; nothing was imported. Repeat when it is complete.',
  },
  FILE_INVALID: {
    kind: 'user',
    help: 'The file is empty, truncated, damaged or not of the format that its name says.',
  },
  FILE_LIMIT: {
    kind: 'limit',
    help: 'The folder, table or import has more files than `SKEP_IMPORT_FILES`; name fewer or raise it.',
  },
  FILE_NOT_FOUND: { kind: 'user', help: 'No file matches the path or glob.' },
  FILE_UNREADABLE: { kind: 'user', help: 'The file exists but may not be read; check its permissions.' },
  FOLDER_CHANGED: {
    kind: 'conflict',
    help: 'A file of a registered folder changed while it was read, several times over; nothing that mixes states is returned. Try again.',
  },
  HEADER_LIMIT: { kind: 'limit', status: 431, help: 'The head of a request is larger than 16 KiB.' },
  INTERNAL: { kind: 'internal', help: 'A defect of Skep; please report it with the command that led to it.' },
  JSON_INVALID: { kind: 'user', help: 'The text is not JSON.' },
  KEY_INVALID: {
    kind: 'user',
    help: 'The actor or time column, its unit or the number of buckets is missing, of an unsupported type, or differs from the table.',
  },
  MEDIA_TYPE_UNSUPPORTED: {
    kind: 'user',
    status: 415,
    help: 'The body of a request is declared as nothing that the route takes; the details list what it takes.',
  },
  MEMORY_LIMIT: { kind: 'limit', help: 'The query needs more memory than `SKEP_MEMORY`; raise it or ask for less.' },
  METHOD_NOT_ALLOWED: {
    kind: 'user',
    status: 405,
    help: 'The path exists, but not for this method; the details and the `Allow` header list those that it has.',
  },
  NOT_ACCEPTABLE: {
    kind: 'user',
    status: 406,
    help: 'The `Accept` header of the request names no type that the answer can have; the details list those.',
  },
  ORIGIN_FORBIDDEN: {
    kind: 'user',
    status: 403,
    help: 'The request names a host that is not one of the server, or comes from a page of another origin; see `SKEP_HOSTS` and `SKEP_CORS`.',
  },
  PATH_FORBIDDEN: {
    kind: 'user',
    status: 403,
    help: 'The path lies outside of the folders that requests of this role may name; see `SKEP_ROOTS`.',
  },
  QUERY_NOT_FOUND: { kind: 'user', status: 404, help: 'The server knows no query of this id.' },
  QUERY_INTERRUPTED: {
    kind: 'unavailable',
    help: 'The process that ran the query ended before the query did; run it again. Only the log of queries says so.',
  },
  QUERY_INVALID: {
    kind: 'user',
    help: 'The behavioural query is not valid; `violations` lists every problem with a JSON Pointer to it.',
  },
  QUERY_TIMEOUT: { kind: 'limit', help: 'The query ran longer than `SKEP_QUERY_TIMEOUT_MS`.' },
  QUERY_TOO_DEEP: { kind: 'limit', help: 'Filters, parentheses of a relation or JSON are nested too deeply.' },
  QUERY_TOO_LARGE: {
    kind: 'limit',
    help: 'The text of the query is larger than `SKEP_QUERY_BYTES`, or a saved query than 256 KB.',
  },
  REQUEST_TIMEOUT: {
    kind: 'limit',
    status: 408,
    help: 'A request comes too slowly; see `SKEP_HEADERS_MS`, `SKEP_BODY_MS` and `SKEP_UPLOAD_STALL_MS`.',
  },
  RESULT_LIMIT: {
    kind: 'limit',
    help: 'The result is larger than `SKEP_RESULT_BYTES`; ask for less, or for NDJSON, CSV or Parquet, which stream.',
  },
  ROLE_FORBIDDEN: {
    kind: 'user',
    status: 403,
    help: 'The role of the token is too small for this request; the details name the one it needs.',
  },
  ROUTE_NOT_FOUND: { kind: 'user', status: 404, help: 'The server has nothing at this path.' },
  ROW_INVALID: { kind: 'user', help: 'A row of an imported file does not parse; nothing was imported.' },
  ROW_LIMIT: { kind: 'limit', help: 'The result has more rows than `SKEP_RESULT_ROWS`; add a LIMIT or raise it.' },
  SAVED_LIMIT: { kind: 'limit', help: 'The warehouse has as many saved queries as it may have; remove some.' },
  SAVED_NOT_FOUND: {
    kind: 'user',
    status: 404,
    help: 'The warehouse has no saved query of this name; the nearest known name is in the details.',
  },
  SCHEMA_MISMATCH: { kind: 'user', help: 'Files disagree with each other or with the table about columns or types.' },
  SERVER_BUSY: {
    kind: 'limit',
    status: 429,
    help: 'Too many queries run and wait already; try again after the time that `Retry-After` says.',
  },
  SERVER_CLOSING: { kind: 'unavailable', help: 'The server is about to end and takes no new queries; try again.' },
  SERVER_UNREACHABLE: {
    kind: 'unavailable',
    help: 'The server cannot be reached, or the connection broke off before its answer was complete; try again. Where the details say `outcome: "unknown"`, a change may have been made: look before you repeat it.',
  },
  SETTING_INVALID: { kind: 'user', help: 'An environment variable of Skep has a value that it cannot take.' },
  SNAPSHOT_NOT_FOUND: { kind: 'user', help: 'The table has no such snapshot; `skep snapshots T` lists them.' },
  SQL_FORBIDDEN: { kind: 'user', help: 'Only queries over tables of the warehouse are allowed.' },
  SQL_INVALID: { kind: 'user', help: 'The SQL does not parse or does not fit the tables.' },
  STORE_UNAVAILABLE: {
    kind: 'unavailable',
    help: 'The storage of the warehouse does not answer; nothing was changed, try again. Where the details say `outcome: "unknown"`, the change may have taken effect: look before you repeat it.',
  },
  TABLE_EXISTS: { kind: 'user', status: 409, help: 'A table of this name exists already.' },
  TABLE_FEATURE_UNSUPPORTED: {
    kind: 'user',
    help: 'A table that others wrote uses a feature of its format that Skep does not read; the details name it. Rewrite the table without it.',
  },
  TABLE_INVALID: { kind: 'user', help: 'Metadata of a table is damaged or of a version that Skep does not read.' },
  TABLE_IN_USE: {
    kind: 'conflict',
    help: 'The table was queried within `SKEP_UNREGISTER_IDLE_MS`, or is just now; wait, or unregister it with `force`.',
  },
  TABLE_KIND: {
    kind: 'user',
    help: 'The command does not fit the kind of the table: registered and attached tables are read-only, `drop` is for managed ones and `unregister` for the others.',
  },
  TABLE_NAME_INVALID: {
    kind: 'user',
    help: 'A table name starts with a letter or `_`, continues with letters, digits, `_` or `-`, and has at most 128 characters.',
  },
  TABLE_NOT_FOUND: {
    kind: 'user',
    status: 404,
    help: 'The warehouse has no such table; the nearest known name is in the details.',
  },
  TOKEN_INVALID: {
    kind: 'user',
    status: 401,
    help: 'The request has no token, or one that the server does not know; send `Authorization: Bearer …`.',
  },
  TOO_MANY_PREDICATES: { kind: 'limit', help: 'The query has more distinct row filters than a mask has bits.' },
  TOO_MANY_STEPS: { kind: 'limit', help: 'A sequence has more steps than the limit for its order.' },
  WAREHOUSE_UNWRITABLE: { kind: 'user', help: 'The folder of the warehouse may not be written.' },
  WORKER_LOST: {
    kind: 'unavailable',
    help: 'Workers died or fell silent each time that they ran the same task, as when one runs out of memory; nothing was changed, try again.',
  },
}

/** An error that a user can act upon: a code of the table, a sentence that says what to do, and typed details. */
export class SkepError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'SkepError'
  readonly code: C
  readonly details: ErrorDetails[C]

  constructor(code: C, message: string, details: ErrorDetails[C], options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.details = details
  }

  /** Who must act. */
  get kind(): ErrorKind {
    return ERROR_CODES[this.code].kind
  }

  /** The HTTP status that this error is answered with. */
  get status(): number {
    const entry = ERROR_CODES[this.code]
    return entry.status ?? ERROR_KINDS[entry.kind].status
  }

  /** The exit code of a command that ends with this error. */
  get exitCode(): number {
    return ERROR_KINDS[this.kind].exitCode
  }

  /** The document that machines read: `{code, message, details}`. */
  toJSON(): { code: C; message: string; details: ErrorDetails[C] } {
    return { code: this.code, message: this.message, details: this.details }
  }
}

/** True for an error of ours with the given code, or with any code when none is given. */
export function isSkepError<C extends ErrorCode = ErrorCode>(error: unknown, code?: C): error is SkepError<C> {
  return error instanceof SkepError && (code === undefined || error.code === code)
}

/** The error itself when it is one of ours, else an `INTERNAL` one that keeps it as its cause and withholds its text. */
export function toSkepError(error: unknown): SkepError {
  if (isSkepError(error)) return error
  return new SkepError(
    'INTERNAL',
    'internal error; please report it with the command that led to it',
    {},
    { cause: error },
  )
}

/** Throws `CANCELLED` when the signal has been aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new SkepError('CANCELLED', 'the call was cancelled', {})
}
