/** Every setting and limit of Skep, in one table: name, unit, default, environment variable. Those inside, which have no variable, are in `common/limits.ts`, those of a server in `common/serving.ts`. Compared with `docs/reference/settings.md` by a test. */
import { availableParallelism } from 'node:os'
import { LANGUAGE_LIMITS } from './common/language-limits.ts'
import { LIMITS, type LimitUnit } from './common/limits.ts'
import { SERVING } from './common/serving.ts'
import { SkepError } from './errors.ts'

type Unit = 'bytes' | 'ms' | 'rows' | 'count' | 'levels' | 'path' | 'name' | 'text' | 'dollars / 10⁹'

interface SettingEntry {
  /** The environment variable that sets it; absent for limits that are part of the language. */
  variable?: string
  unit: Unit | LimitUnit
  default: number | string
  minimum?: number
  maximum?: number
  /** Of a name: what it may be. */
  choices?: readonly string[]
  /** True for what nobody may see: it is no part of the settings of a warehouse, and has to be asked for. */
  secret?: true
  /** One line for the reference page. */
  help: string
}

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

/** The table. A size takes `B`, `KB`, `MB`, `GB` (binary units) or plain bytes. */
export const SETTINGS = {
  warehouse: { variable: 'SKEP_WAREHOUSE', unit: 'path', default: './.skep', help: 'Folder of the warehouse.' },
  memoryBytes: {
    variable: 'SKEP_MEMORY',
    unit: 'bytes',
    default: 2 * GIB,
    minimum: 256 * MIB,
    help: 'Memory that one process may use; work that needs more spills to a folder inside the warehouse.',
  },
  threads: {
    variable: 'SKEP_THREADS',
    unit: 'count',
    default: 0,
    minimum: 0,
    maximum: 1024,
    help: 'Threads of the engine; 0 means one for each core.',
  },
  pool: {
    variable: 'SKEP_POOL',
    unit: 'name',
    default: 'threads',
    choices: ['inline', 'threads'],
    help: 'Where tasks of queries run: `inline` in this process, `threads` on its worker threads.',
  },
  split: {
    variable: 'SKEP_SPLIT',
    unit: 'name',
    default: 'auto',
    choices: ['auto', 'always'],
    help: 'Which queries are divided into tasks: `auto` those that are faster so, which on one machine plain SQL never is; `always` all that can be.',
  },
  queryTimeoutMs: {
    variable: 'SKEP_QUERY_TIMEOUT_MS',
    unit: 'ms',
    default: 600_000,
    minimum: 1,
    help: 'Longest time that one query may run.',
  },
  resultRows: {
    variable: 'SKEP_RESULT_ROWS',
    unit: 'rows',
    default: 1_000_000,
    minimum: 1,
    help: 'Most rows that a result held in memory may have (tables, JSON, arrays of rows); CSV, NDJSON and Parquet stream without it.',
  },
  queryBytes: {
    variable: 'SKEP_QUERY_BYTES',
    unit: 'bytes',
    default: MIB,
    minimum: KIB,
    help: 'Largest text of a query: SQL, or the JSON of a behavioural query.',
  },
  distinctRows: {
    variable: 'SKEP_DISTINCT_ROWS',
    unit: 'rows',
    default: 5_000_000,
    minimum: 0,
    help: 'Rows of a table up to which the distinct numbers, dates and times of a column are counted exactly; of more their number is estimated.',
  },
  queriesKept: {
    variable: 'SKEP_QUERIES_KEPT',
    unit: 'count',
    default: 1000,
    minimum: 1,
    maximum: 100_000,
    help: 'Queries that the log of a warehouse remembers: the newest, of all processes.',
  },
  commitRetries: {
    variable: 'SKEP_COMMIT_RETRIES',
    unit: 'count',
    default: 1000,
    minimum: 0,
    help: 'How often a commit that lost a race is tried again on the new state.',
  },
  manifestMergeCount: {
    variable: 'SKEP_MANIFEST_MERGE_COUNT',
    unit: 'count',
    default: 100,
    minimum: 2,
    help: 'Small manifests of a table from which an append merges them into one.',
  },
  manifestBytes: { unit: 'bytes', default: 8 * MIB, help: 'Size from which a manifest is not merged any more.' },
  vacuumAgeMs: {
    variable: 'SKEP_VACUUM_AGE_MS',
    unit: 'ms',
    default: 7 * 86_400_000,
    minimum: 0,
    help: 'Age of what vacuum removes, unless it is told another: states that were replaced before then, and files that nobody has needed since.',
  },
  versionKeepMs: {
    variable: 'SKEP_VERSION_KEEP_MS',
    unit: 'ms',
    default: 86_400_000,
    minimum: 600_000,
    help: 'How long vacuum keeps old versions of metadata, and remembers what it removed: no single commit may take longer.',
  },
  leaseRenewMs: {
    variable: 'SKEP_LEASE_RENEW_MS',
    unit: 'ms',
    default: 60_000,
    minimum: 1000,
    help: 'How often an import says that it is still at work.',
  },
  leaseGraceMs: {
    variable: 'SKEP_LEASE_GRACE_MS',
    unit: 'ms',
    default: 900_000,
    minimum: 1000,
    help: 'How long vacuum spares the files of an import on another machine that has not said so.',
  },
  slowCommitMs: {
    unit: 'ms',
    default: 60_000,
    help: 'A commit that took longer makes sure that the state it followed is still in the history.',
  },
  vacuumsKept: {
    unit: 'count',
    default: 200,
    help: 'Vacuums of a table that its metadata remembers; a writer that has seen none of them ends as a conflict.',
  },
  fileBytes: {
    variable: 'SKEP_FILE_BYTES',
    unit: 'bytes',
    default: 128 * MIB,
    minimum: MIB,
    help: 'Size near which an import begins a new data file.',
  },
  rowGroupRows: {
    variable: 'SKEP_ROW_GROUP_ROWS',
    unit: 'rows',
    default: 120_000,
    minimum: 2048,
    help: 'Rows in a row group of the data files that an import writes.',
  },
  bucketRows: {
    variable: 'SKEP_BUCKET_ROWS',
    unit: 'rows',
    default: 1_000_000,
    minimum: 1,
    help: 'Rows for each bucket from which the number of buckets of a new event table is chosen (the next power of two).',
  },
  bucketsMax: {
    variable: 'SKEP_BUCKETS_MAX',
    unit: 'count',
    default: 256,
    minimum: 1,
    maximum: 4096,
    help: 'Most buckets of a table.',
  },
  importFiles: {
    variable: 'SKEP_IMPORT_FILES',
    unit: 'count',
    default: 100_000,
    minimum: 1,
    help: 'Most files that one import, one registered folder or one attached table may have.',
  },
  directRows: {
    variable: 'SKEP_DIRECT_ROWS',
    unit: 'rows',
    default: 250_000,
    minimum: 0,
    help: 'Rows from which a behavioural query decodes files itself, on worker threads, where their layout allows it; smaller tables go through the engine.',
  },
  directGroupRows: {
    variable: 'SKEP_DIRECT_GROUP_ROWS',
    unit: 'rows',
    default: 2_000_000,
    minimum: 0,
    help: 'Longest row group that is decoded so; files with longer ones go through the engine. 0 sends all through the engine.',
  },
  directPartRows: {
    variable: 'SKEP_DIRECT_PART_ROWS',
    unit: 'rows',
    default: 200_000,
    minimum: 1,
    help: 'Rows that unsorted files are cut into by their actors when they are decoded so: few enough for a processor’s cache.',
  },
  directMemoryBytes: {
    variable: 'SKEP_DIRECT_MEMORY',
    unit: 'bytes',
    default: 0,
    minimum: 0,
    help: 'Memory for the rows of unsorted files that are decoded so; 0 means 40 % of `SKEP_MEMORY`. Files whose rows need more are decoded several times.',
  },
  directPasses: {
    unit: 'count',
    default: 8,
    help: 'How often unsorted files are decoded at most for one query; beyond that they go through the engine.',
  },
  interruptGraceMs: {
    unit: 'ms',
    default: 1000,
    help: 'Time that a query has to notice that it was ended; after it the error is returned, and the query is left to itself.',
  },
  memoryOverrunBytes: {
    unit: 'bytes',
    default: 256 * MIB,
    help: 'How far the process may grow beyond `SKEP_MEMORY` before the query that fills it is ended.',
  },
  ledgerFiles: {
    variable: 'SKEP_LEDGER_FILES',
    unit: 'count',
    default: 100_000,
    minimum: 1,
    help: 'Source files that a table remembers for `--once`, by their hashes; the oldest are forgotten first.',
  },
  rejectTextBytes: { unit: 'bytes', default: 4 * KIB, help: 'Longest text of a line that `--rejects` writes.' },
  footerBytes: { unit: 'bytes', default: 64 * MIB, help: 'Longest footer of a Parquet file that is read.' },
  footerReads: { unit: 'count', default: 16, help: 'Footers of Parquet files that are read at the same time.' },
  attachedFileBytes: {
    unit: 'bytes',
    default: 512 * MIB,
    help: 'Largest file of metadata of an attached table that is read: log entries, checkpoints, manifests.',
  },
  attachedCacheBytes: {
    unit: 'bytes',
    default: 256 * MIB,
    help: 'Metadata of attached tables that a warehouse keeps in memory, by the size of what it was read from.',
  },
  attachedEntryBytes: {
    unit: 'bytes',
    default: 1024,
    help: 'What a file of an attached table is counted with there, beside the text of its statistics.',
  },
  attachedAttempts: {
    unit: 'count',
    default: 5,
    help: 'How often the log of an attached table is read anew because entries went away meanwhile.',
  },
  checkpointRows: {
    unit: 'rows',
    default: 20_000,
    help: 'Rows of the checkpoint of a Delta table that are read together.',
  },
  engineRoots: {
    unit: 'count',
    default: 16,
    help: 'Folders outside of an attached table that its files may lie in, each opened to the engine; of more, the one that has them all.',
  },
  sampledFiles: { unit: 'count', default: 10, help: 'Files that `skep register --validate sample` compares.' },
  folderRetries: {
    unit: 'count',
    default: 3,
    help: 'How often a query begins anew because a file of a registered folder changed while it was read.',
  },
  inlineRows: {
    unit: 'rows',
    default: 2000,
    help: 'Most rows that a task of a query sends within a message; more are written into Parquet files.',
  },
  inlineBytes: {
    unit: 'bytes',
    default: 256 * KIB,
    help: 'Size near which rows that a task of a query gave no longer fit into a message.',
  },
  taskRows: {
    unit: 'rows',
    default: 500_000,
    help: 'Rows near which a task of a behavioural query takes no further files of a registered folder.',
  },
  engineRetries: {
    unit: 'count',
    default: 1,
    help: 'How often a query begins anew because another one broke the engine under it, as long as nothing of its result has been given.',
  },
  spareSessions: { unit: 'count', default: 16, help: 'Sessions of an engine that are kept for the next queries.' },
  splitRows: {
    variable: 'SKEP_TASK_ROWS',
    unit: 'rows',
    default: 1_000_000,
    minimum: 1,
    help: 'Rows near which a task has enough: smaller files are read together, larger ones by ranges of rows. A table of no more rows is not divided.',
  },
  tasksMax: { unit: 'count', default: 10_000, help: 'Most tasks that the files of one table are divided among.' },
  partsMax: {
    unit: 'count',
    default: 32,
    help: 'Most parts that rows are cut into by a hash of their keys, for tasks that each take one.',
  },
  broadcastBytes: {
    variable: 'SKEP_BROADCAST_BYTES',
    unit: 'bytes',
    default: 64 * MIB,
    minimum: 0,
    help: 'Size of the files of a table up to which every task may read all of it, to join it with its part of a larger one.',
  },
  pushedLimitRows: {
    unit: 'rows',
    default: 100_000,
    help: 'Greatest LIMIT of a query that each of its tasks obeys too.',
  },
  lambdaMemoryBytes: {
    variable: 'SKEP_LAMBDA_MEMORY',
    unit: 'bytes',
    default: 1769 * MIB,
    minimum: 128 * MIB,
    help: 'For estimates: memory of a function on AWS Lambda; so much comes with one core.',
  },
  lambdaRowsPerSecond: {
    variable: 'SKEP_LAMBDA_ROWS_PER_SECOND',
    unit: 'rows',
    default: 5_000_000,
    minimum: 1,
    help: 'For estimates: rows that a function reads in a second.',
  },
  lambdaTaskMs: { unit: 'ms', default: 150, help: 'For estimates: time that a function takes beside reading.' },
  lambdaGbSecondPrice: {
    variable: 'SKEP_LAMBDA_GB_SECOND_PRICE',
    unit: 'dollars / 10⁹',
    default: 13_333,
    minimum: 0,
    help: 'For estimates: price of one GB of memory for one second.',
  },
  lambdaRequestPrice: {
    variable: 'SKEP_LAMBDA_REQUEST_PRICE',
    unit: 'dollars / 10⁹',
    default: 200,
    minimum: 0,
    help: 'For estimates: price of one call of a function.',
  },
  taskAttempts: {
    variable: 'SKEP_TASK_ATTEMPTS',
    unit: 'count',
    default: 4,
    minimum: 1,
    help: 'How often a task is tried whose workers are lost or whose storage does not answer, before its query ends with that error.',
  },
  taskLostMs: {
    variable: 'SKEP_TASK_LOST_MS',
    unit: 'ms',
    default: 30_000,
    minimum: 1000,
    help: 'A worker that gives no sign of life for so long is taken for lost, and its task is tried again.',
  },
  taskBeatMs: { unit: 'ms', default: 5000, help: 'How often a worker gives a sign of life at least.' },
  threadGraceMs: {
    unit: 'ms',
    default: 2000,
    help: 'Time that a worker thread has to end a task that nobody wants any more; after it the thread is replaced, and its other tasks are tried again.',
  },
  taskRetryMs: {
    unit: 'ms',
    default: 100,
    help: 'Wait before a task is tried a second time, give or take half of it; it doubles with each further try.',
  },
  taskRetryMaxMs: { unit: 'ms', default: 5000, help: 'Longest of these waits.' },
  taskLookahead: {
    unit: 'count',
    default: 2,
    help: 'Tasks given to a pool beyond those that it can run at a time, so that no worker waits for its next one.',
  },
  taskWatchMs: { unit: 'ms', default: 50, help: 'How often the coordinator looks for lost and slow tasks.' },
  hedgeFactor: {
    unit: 'count',
    default: 3,
    help: 'A task that runs so many times longer than the median of its stage is started a second time where workers are idle; the first result counts.',
  },
  hedgeLeastMs: { unit: 'ms', default: 1000, help: 'Least time that a task must have run to be started so.' },
  hedgePercent: {
    unit: 'count',
    default: 10,
    help: 'Of a hundred tasks of a stage, those that may be started so; one at least.',
  },
  progressMs: { unit: 'ms', default: 200, help: 'How often the progress of the tasks of a query is told at most.' },
  jsonValueDepth: { unit: 'levels', default: 1000, help: 'Levels of nested JSON in a value that SQL takes apart.' },
  sqlDepth: { unit: 'levels', default: 3000, help: 'Levels of the tree that SQL is parsed into.' },
  ...LANGUAGE_LIMITS,
  ...SERVING,
  ...LIMITS,
} as const satisfies Record<string, SettingEntry>

/** The settings of one warehouse: what the environment says, else the defaults. */
export type Settings = {
  readonly [K in keyof typeof SETTINGS]: (typeof SETTINGS)[K]['default'] extends string ? string : number
}

/** The values of all settings under this environment. `threads` is resolved to a number of cores. @throws SETTING_INVALID */
export function readSettings(env: Record<string, string | undefined> = process.env): Settings {
  const values: Record<string, number | string> = {}
  for (const [name, entry] of Object.entries<SettingEntry>(SETTINGS)) {
    const text = entry.variable === undefined ? undefined : env[entry.variable]?.trim()
    values[name] = text && !entry.secret ? parseSetting(name, entry, text) : entry.default
  }
  if (values.threads === 0) values.threads = availableParallelism()
  return values as unknown as Settings
}

/** The token of this environment, undefined for none. It is asked for, so that settings can be shown. */
export function readToken(env: Record<string, string | undefined> = process.env): string | undefined {
  return env[SETTINGS.token.variable]?.trim() || undefined
}

const SIZE_UNITS: Record<string, number> = { '': 1, B: 1, KB: KIB, MB: MIB, GB: GIB, KIB, MIB, GIB }

function parseSetting(name: string, entry: SettingEntry, text: string): number | string {
  if (entry.unit === 'path' || entry.unit === 'text') return text
  if (entry.choices) {
    if (entry.choices.includes(text)) return text
    const message = `${entry.variable}=${text}: expected one of ${entry.choices.join(', ')}`
    throw new SkepError('SETTING_INVALID', message, { setting: name, variable: entry.variable! })
  }
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text)
  const factor =
    match && (entry.unit === 'bytes' ? SIZE_UNITS[match[2]!.toUpperCase()] : match[2] === '' ? 1 : undefined)
  const value = factor === undefined || factor === null ? Number.NaN : Math.floor(Number(match![1]) * factor)
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = entry
  if (!(value >= minimum && value <= maximum)) {
    throw new SkepError(
      'SETTING_INVALID',
      `${entry.variable}=${text}: expected ${entry.unit === 'bytes' ? 'a size such as 512MB' : 'a whole number'} from ${minimum} to ${maximum}`,
      { setting: name, variable: entry.variable! },
    )
  }
  return value
}
