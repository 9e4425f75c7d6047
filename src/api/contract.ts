/** What goes in and out of every route. */
import { type Static, type TSchema, Type } from 'typebox'
import type { EndpointName } from './endpoints.ts'
import { FUNNEL_ROCKET } from './funnel-rocket.ts'
import * as s from './schemas.ts'

/** The parts of a call. What has no schema is not taken. */
export interface Contract {
  summary: string
  params?: TSchema
  /** Of the URL. */
  query?: TSchema
  /** Of JSON. */
  body?: TSchema
  /** True for a body that is read by whoever takes it, from its text: that tells where it is wrong, and keeps integers of any size. */
  asText?: true
  /** The content types of a body that is no JSON. */
  consumes?: readonly string[]
  status?: 200 | 201 | 202 | 204
  response?: TSchema
  /** Of an error, where it has another form than elsewhere. */
  failure?: TSchema
}

const optional = Type.Optional
const table = s.closed({ table: Type.String() })
const column = s.closed({ table: Type.String(), column: Type.String() })
const name = s.closed({ name: Type.String() })
const id = s.closed({ id: Type.String() })
const stream = optional(
  Type.Union([Type.Boolean(), Type.Literal('rows')], {
    description:
      '`true`: progress as NDJSON, then the result; `rows`: columns, progress, rows and statistics as NDJSON',
  }),
)
const atText = optional(
  Type.String({ description: 'ISO 8601 time or snapshot id; `t=id`, repeated with commas, for several tables' }),
)
const limits = { maxBytes: optional(Type.Integer({ minimum: 0 })), maxCost: optional(Type.Number({ minimum: 0 })) }
const asked = { pool: optional(s.PoolName), explain: optional(Type.Boolean()), ...limits }

/** Content types of files that are imported, and the formats that they stand for; an archive may have files of any one format. */
export const FILE_TYPES = {
  'application/vnd.apache.parquet': 'parquet',
  'application/x-parquet': 'parquet',
  'text/csv': 'csv',
  'application/x-ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
  'application/octet-stream': undefined,
  'application/x-tar': undefined,
} as const

/** The contract by the names of the routes. */
export const CONTRACT = {
  tables: { summary: 'The tables, by name', response: Type.Array(s.TableSummary) },
  table: { summary: 'A table in full', params: table, query: s.closed({ at: atText }), response: s.TableDescription },
  files: {
    summary: 'The data files of a table',
    params: table,
    query: s.closed({ at: atText }),
    response: Type.Array(s.FileDescription),
  },
  snapshots: { summary: 'The history of a table, newest last', params: table, response: Type.Array(s.SnapshotInfo) },
  column: {
    summary: 'The distribution of a column',
    params: column,
    query: s.closed({ at: atText }),
    response: s.ColumnDistribution,
  },
  values: {
    summary: 'Values of a column to suggest, most frequent first',
    params: column,
    query: s.closed({ prefix: optional(Type.String()), limit: optional(Type.Integer({ minimum: 1 })), at: atText }),
    response: s.ValueCounts,
  },
  register: {
    summary: 'Makes a folder of Parquet files a table, in place',
    params: table,
    query: s.closed({ stream }),
    body: s.closed({
      path: Type.String(),
      actor: Type.String(),
      time: Type.String(),
      timeUnit: optional(s.TimeUnit),
      pattern: optional(Type.String()),
      validate: optional(s.oneOf('single', 'first_last', 'sample', 'all')),
      refresh: optional(Type.Boolean()),
    }),
    status: 201,
    response: Type.Object({ table: Type.String(), files: Type.Integer(), rows: Type.Integer(), bytes: Type.Integer() }),
  },
  attach: {
    summary: 'Makes a table that others write one of this warehouse, in place',
    params: table,
    body: s.closed({
      uri: Type.String(),
      type: s.oneOf('delta', 'iceberg'),
      actor: optional(Type.String()),
      time: optional(Type.String()),
      timeUnit: optional(s.TimeUnit),
    }),
    status: 201,
    response: s.TableSummary,
  },
  import: {
    summary: 'Brings a file, the body, into a table; or several, as a tar archive, all or none',
    params: table,
    query: s.closed({
      actor: optional(Type.String()),
      time: optional(Type.String()),
      timeUnit: optional(s.TimeUnit),
      replace: optional(Type.Boolean()),
      format: optional(s.oneOf('parquet', 'csv', 'ndjson')),
      buckets: optional(Type.Integer({ minimum: 1 })),
      once: optional(Type.Boolean()),
      commitId: optional(Type.String()),
      types: optional(Type.String({ description: 'Types of columns as a JSON object: `{"price":"DECIMAL(10,2)"}`' })),
      stream,
    }),
    consumes: Object.keys(FILE_TYPES),
    response: Type.Object({ table: Type.String(), rows: Type.Integer(), files: Type.Integer(), bytes: Type.Integer() }),
  },
  alter: {
    summary: 'Renames, drops, widens or comments columns of a table',
    params: table,
    body: s.closed({
      rename: optional(Type.Record(Type.String(), Type.String())),
      drop: optional(Type.Array(Type.String())),
      widen: optional(Type.Record(Type.String(), Type.String())),
      comment: optional(Type.String()),
      comments: optional(Type.Record(Type.String(), Type.String())),
    }),
    response: s.closed({ table: Type.String(), changed: Type.Boolean() }),
  },
  rollback: {
    summary: 'Makes an earlier snapshot the current one',
    params: table,
    body: s.closed({ snapshotId: Type.Integer() }),
    response: Type.Object({ table: Type.String(), snapshotId: Type.Integer(), metadataLocation: Type.String() }),
  },
  remove: {
    summary: 'Forgets a registered or attached table; with `drop`, drops a managed one and its data',
    params: table,
    query: s.closed({ drop: optional(Type.Boolean()) }),
    status: 204,
  },
  verify: { summary: 'Reads all files of a table against their checksums', params: table, response: Type.Object({}) },
  vacuumTable: {
    summary: 'Removes what nobody needs any more from a table',
    params: table,
    body: s.closed({
      olderThan: optional(Type.Union([Type.String(), Type.Number()])),
      dryRun: optional(Type.Boolean()),
    }),
    response: Type.Object({}),
  },
  vacuum: {
    summary: 'Removes what nobody needs any more from the warehouse',
    body: s.closed({
      olderThan: optional(Type.Union([Type.String(), Type.Number()])),
      dryRun: optional(Type.Boolean()),
    }),
    response: Type.Object({}),
  },
  sql: {
    summary: 'The rows of a query in SQL',
    query: s.closed({
      stream,
      rows: optional(
        Type.Integer({
          minimum: 1,
          description: 'Most rows of a stream of rows; where the query has more, `{"more":true}` follows the last',
        }),
      ),
    }),
    body: s.closed({
      sql: Type.String(),
      params: optional(Type.Union([Type.Array(s.Json), Type.Record(Type.String(), s.Json)])),
      at: optional(s.At),
      ...asked,
    }),
    response: s.SqlResult,
  },
  query: {
    summary: 'The result of a behavioural query',
    params: table,
    query: s.closed({ at: atText, ...asked, stream }),
    body: s.Json,
    asText: true,
    response: s.BehaviouralResult,
  },
  run: {
    summary: 'The rows of the last step of a Buzz document',
    query: s.closed({ ...asked, stream }),
    body: s.Json,
    asText: true,
    response: s.SqlResult,
  },
  queries: {
    summary: 'The queries that run, and the last ones, newest first',
    query: s.closed({ limit: optional(Type.Integer({ minimum: 1 })) }),
    response: Type.Array(s.QueryRecord),
  },
  queryById: { summary: 'One of them, with the work on it', params: id, response: s.QueryDetail },
  cancel: { summary: 'Cancels a query', params: id, status: 202, response: s.QueryRecord },
  savedQueries: { summary: 'The saved queries, by name', response: Type.Array(s.SavedQuery) },
  savedQuery: { summary: 'A saved query', params: name, response: s.SavedQuery },
  saveQuery: {
    summary: 'Saves a query under a name, replacing one of that name',
    params: name,
    body: s.QueryToSave,
    response: s.SavedQuery,
  },
  removeSavedQuery: { summary: 'Removes a saved query', params: name, status: 204 },
  workers: { summary: 'The workers of the pools', response: Type.Array(s.WorkerInfo) },
  session: {
    summary: 'Who asks, and what the server is',
    response: Type.Object({
      who: Type.String(),
      role: Type.String(),
      version: Type.String(),
      warehouse: Type.String(),
    }),
  },
  openapi: { summary: 'This description', response: Type.Object({}) },
  ...FUNNEL_ROCKET,
  healthz: { summary: 'Whether the server is alive' },
  readyz: { summary: 'Whether it takes queries' },
  metrics: { summary: 'Metrics for Prometheus' },
} as const satisfies Record<EndpointName, Contract>

type Part<N extends EndpointName, K extends keyof Contract, Otherwise> =
  (typeof CONTRACT)[N] extends Record<K, infer S> ? (S extends TSchema ? Static<S> : Otherwise) : Otherwise

/** What is in the path of a route. */
export type ParamsOf<N extends EndpointName> = Part<N, 'params', Record<never, never>>
/** What may stand in its URL. */
export type QueryOf<N extends EndpointName> = Part<N, 'query', Record<never, never>>
/** What its body is. */
export type BodyOf<N extends EndpointName> = Part<N, 'body', undefined>
/** What it answers with. */
export type ResponseOf<N extends EndpointName> = Part<N, 'response', undefined>
