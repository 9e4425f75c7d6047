/** The documents of the HTTP API as JSON schemas, from which its types, its validation and its OpenAPI description are made. */
import { type TEnum, type TProperties, Type } from 'typebox'

/** An object of these properties and no others. */
export const closed = <const P extends TProperties>(properties: P) =>
  Type.Object(properties, { additionalProperties: false })

/** A text of one of these. */
export const oneOf = <T extends string[]>(...values: T): TEnum<T> => Type.Enum(values) as TEnum<T>

const optional = Type.Optional
const text = Type.String()
const count = Type.Integer({ minimum: 0 })

/** A value in a row: numbers, texts, lists, objects. */
export const Json = Type.Unknown()

/** A snapshot: of tables of others it may be longer than a number holds. */
export const SnapshotId = Type.Union([Type.Integer(), Type.String()])

/** Which state of its tables a query reads. */
export const At = Type.Union([text, Type.Integer(), Type.Record(Type.String(), SnapshotId)], {
  description: 'ISO 8601 time, snapshot id, or snapshot ids by table',
})

/** The unit of integers that are times. */
export const TimeUnit = oneOf('s', 'ms', 'us', 'ns')
/** Where tasks run. */
export const PoolName = Type.String({ description: '`inline` or `threads`; the server’s `SKEP_POOL` when absent' })

/** What an error is answered with. */
export const ErrorBody = Type.Object({
  error: Type.Object({ code: text, message: text, details: Type.Object({}) }),
})

/** A table in a list. */
export const TableSummary = Type.Object({
  name: text,
  kind: oneOf('managed', 'registered', 'attached', 'unknown'),
  format: optional(oneOf('delta', 'iceberg')),
  location: optional(text),
  actor: optional(text),
  time: optional(text),
  columns: count,
  files: count,
  rows: count,
  bytes: count,
  error: optional(Type.Object({ code: text, message: text, details: Type.Object({}) })),
})

const Bound = Type.Union([Type.Number(), text, Type.Boolean()])

/** A data file of a table. */
export const FileDescription = Type.Object({
  path: text,
  rows: count,
  bytes: count,
  partition: Type.Record(text, Type.Union([Type.Number(), text, Type.Boolean(), Type.Null()])),
  sorted: Type.Boolean(),
})

/** All that is known of a table. */
export const TableDescription = Type.Object({
  name: text,
  kind: oneOf('managed', 'registered', 'attached'),
  format: optional(oneOf('delta', 'iceberg')),
  comment: optional(text),
  location: text,
  metadataLocation: optional(text),
  snapshotId: optional(SnapshotId),
  keys: Type.Object({ actor: optional(text), time: optional(text), timeUnit: optional(TimeUnit) }),
  actorsTogether: optional(Type.Boolean()),
  partitioning: Type.Array(text),
  columns: Type.Array(
    Type.Object({
      name: text,
      type: text,
      comment: optional(text),
      nulls: optional(count),
      min: optional(Bound),
      max: optional(Bound),
    }),
  ),
  files: count,
  rows: count,
  bytes: count,
  dataFiles: optional(Type.Array(FileDescription)),
})

/** One state of a table. */
export const SnapshotInfo = Type.Object({
  id: SnapshotId,
  parentId: Type.Union([SnapshotId, Type.Null()]),
  time: text,
  operation: oneOf('append', 'overwrite', 'replace', 'delete', 'unknown'),
  summary: Type.Record(text, text),
})

/** What a query cost; more figures may come. */
export const QueryStats = Type.Object({
  tasks: count,
  files: count,
  filesPruned: count,
  bytes: count,
  rows: count,
  ms: count,
  pool: optional(text),
})

/** The rows of a query. */
export const SqlResult = Type.Object({
  columns: Type.Array(Type.Object({ name: text, type: text })),
  rows: Type.Array(Type.Record(text, Json)),
  stats: QueryStats,
})

/** The result of a behavioural query; see the reference of results. */
export const BehaviouralResult = Type.Object({
  success: Type.Literal(true),
  requestId: optional(text),
  query: Type.Object({ matchingGroups: count, matchingGroupRows: count }),
  funnel: optional(Type.Object({ sequence: Type.Array(Type.Object({ matchingGroups: count })) })),
  stats: QueryStats,
})

/** A worker that runs tasks. */
export const WorkerInfo = Type.Object({
  pool: text,
  id: text,
  state: oneOf('idle', 'busy', 'ending'),
  tasks: count,
})

const TaskCounts = Type.Object({
  tasks: count,
  queued: count,
  running: count,
  done: count,
  rows: count,
  bytes: count,
})

const queryFields = {
  id: text,
  kind: oneOf('sql', 'query', 'run', 'import', 'register'),
  text,
  table: optional(text),
  who: optional(text),
  state: oneOf('queued', 'running', 'done', 'failed', 'cancelled'),
  startedAt: text,
  queuedMs: optional(Type.Number()),
  ms: optional(Type.Number()),
  rows: optional(count),
  bytes: optional(count),
  cost: optional(Type.Number()),
  pool: optional(text),
  error: optional(Type.Object({ code: text, message: text })),
  progress: optional(Type.Object({ fraction: Type.Number(), tasks: optional(TaskCounts) })),
}

/** A query that ran or runs; while it runs, how far it is. */
export const QueryRecord = Type.Object(queryFields)

const ms = Type.Number({ minimum: 0 })
const PhaseSum = Type.Object({ totalMs: ms, maxMs: ms })

/** The work on a query: its phases over all tasks, and what tasks took that are done, or an even sample of them. */
export const QueryWork = Type.Object({
  phases: optional(Type.Object({ queue: PhaseSum, plan: PhaseSum, fetch: PhaseSum, scan: PhaseSum, merge: PhaseSum })),
  tasks: count,
  coldTasks: optional(count),
  warmTasks: optional(count),
  failedAttempts: optional(count),
  sparedTasks: optional(count),
  stoppedTasks: optional(count),
  files: optional(count),
  filesPruned: optional(count),
  cacheHits: optional(count),
  cacheMisses: optional(count),
  taskTimes: optional(
    Type.Array(
      Type.Object({
        startMs: ms,
        queueMs: ms,
        fetchMs: ms,
        scanMs: ms,
        stage: optional(text),
        worker: optional(text),
        rows: optional(count),
        cold: optional(Type.Boolean()),
      }),
    ),
  ),
})

/** A query with all that is known of it. */
export const QueryDetail = Type.Object({ ...queryFields, work: optional(QueryWork) })

/** A query to be saved. */
export const QueryToSave = closed({
  kind: oneOf('sql', 'query', 'run'),
  text: optional(text),
  sql: optional(text),
  query: optional(Type.Union([Type.Object({}), text])),
  document: optional(Type.Union([Type.Object({}), text])),
  table: optional(text),
  description: optional(text),
  name: optional(text),
  savedAt: optional(text),
})

/** A query that was saved; `error` where it cannot be read any more. */
export const SavedQuery = Type.Object({
  name: text,
  kind: optional(oneOf('sql', 'query', 'run')),
  text: optional(text),
  table: optional(text),
  description: optional(text),
  savedAt: optional(text),
  error: optional(Type.Object({ code: text, message: text, details: Type.Object({}) })),
})

const ValueCount = Type.Object({ value: Json, count })

/** Values with their numbers of rows. */
export const ValueCounts = Type.Array(ValueCount)

/** How the values of a column are distributed. */
export const ColumnDistribution = Type.Object({
  table: text,
  column: text,
  type: text,
  rows: count,
  nulls: count,
  nans: optional(count),
  infinities: optional(count),
  distinct: optional(count),
  distinctExact: optional(Type.Boolean()),
  min: optional(Json),
  max: optional(Json),
  histogram: optional(Type.Object({ edges: Type.Array(Json), counts: Type.Array(count) })),
  values: optional(ValueCounts),
  otherRows: optional(count),
})
