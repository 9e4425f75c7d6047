/** What goes in and out of the routes of Funnel Rocket, under the names that its clients know. */
import { Type } from 'typebox'
import * as s from './schemas.ts'

const optional = Type.Optional
const text = Type.String()
const count = Type.Integer({ minimum: 0 })
const named = s.closed({ name: Type.String() })
const flag = (what: string) =>
  optional(Type.String({ description: `${what}: \`true\` in any case; all else is false` }))
const stream = flag('Progress and the result as newline-separated JSON')

const Modes = s.oneOf('SINGLE', 'FIRST_LAST', 'SAMPLE', 'ALL')

/** What is registered, under keys in either spelling. */
const RegisterBody = s.closed({
  name: optional(text),
  basepath: optional(text),
  pattern: optional(text),
  groupIdColumn: optional(text),
  group_id_column: optional(text),
  timestampColumn: optional(text),
  timestamp_column: optional(text),
  validationMode: optional(Modes),
  validation_mode: optional(Modes),
  validateUniques: optional(Type.Boolean()),
  validate_uniques: optional(Type.Boolean()),
  timeUnit: optional(s.TimeUnit),
  time_unit: optional(s.TimeUnit),
})

/** A table with an actor and a time. */
const Dataset = Type.Object({
  basepath: text,
  groupIdColumn: text,
  id: Type.Object({ name: text, registeredAt: text }),
  timestampColumn: text,
  totalParts: count,
})

const Value = Type.Union([Type.Number(), text, Type.Boolean()])

/** Columns by name with their types. */
const ShortSchema = Type.Object({
  columns: Type.Record(text, text),
  minTimestamp: optional(Value),
  maxTimestamp: optional(Value),
  sourceCategoricals: Type.Array(text),
  potentialCategoricals: Type.Array(text),
})

/** Columns by name with all that is known of their values. */
const FullSchema = Type.Object({
  columns: Type.Record(
    text,
    Type.Object({
      name: text,
      dtypeName: text,
      coltype: text,
      colattrs: Type.Object({
        categorical: Type.Boolean(),
        numericMin: optional(Value),
        numericMax: optional(Value),
        catTopValues: optional(Type.Record(text, Type.Number())),
        catUniqueRatio: optional(Type.Number()),
      }),
    }),
  ),
  unsupportedColumns: optional(Type.Record(text, text)),
  groupIdColumn: text,
  timestampColumn: text,
})

const Figures = Type.Record(text, Type.Number())

/** What a job took, in seconds; the figures of other routes stand beside these. */
const Stats = Type.Object({
  totalTime: Type.Number(),
  invoker: Type.Object({
    enqueueTime: optional(Type.Number()),
    pollTime: optional(Type.Number()),
    totalTasks: count,
    failedTasks: count,
    taskSuccessOverTime: optional(Figures),
  }),
  worker: optional(
    Type.Object({
      coldTasks: count,
      warmTasks: count,
      invokeLatency: optional(Figures),
      loadTime: optional(Figures),
      totalTime: optional(Figures),
      scannedRows: optional(count),
      scannedGroups: optional(count),
      cache: Type.Object({ source: count, diskCache: count }),
    }),
  ),
  dataset: Type.Object({ totalSize: optional(count), parts: count }),
  cost: optional(Type.Number()),
})

const QueryResult = Type.Object({
  success: Type.Literal(true),
  requestId: text,
  query: Type.Object({ matchingGroups: count, matchingGroupRows: count }),
  funnel: optional(Type.Object({ sequence: Type.Array(Type.Object({ matchingGroups: count })) })),
  stats: Stats,
})

/** What an error is answered with on these routes. */
const failure = Type.Object({
  success: Type.Literal(false),
  errorMessage: text,
  error: Type.Object({ code: text, message: text, details: Type.Object({}) }),
})

/** Their contract, by the names of the routes. */
export const FUNNEL_ROCKET = {
  datasets: {
    summary: 'Funnel Rocket: the tables that have an actor and a time, newest first',
    response: Type.Array(Dataset),
    failure,
  },
  datasetRegister: {
    summary: 'Funnel Rocket: registers a folder, in place of one that is registered under the name',
    query: Type.Object({ stream }),
    body: RegisterBody,
    response: Type.Object({ success: Type.Literal(true), requestId: text, dataset: Dataset, stats: Stats }),
    failure,
  },
  datasetUnregister: {
    summary: 'Funnel Rocket: forgets a registered folder, unless it was queried just now',
    params: named,
    query: Type.Object({ force: flag('Also one that was queried just now') }),
    response: Type.Object({
      success: Type.Boolean(),
      datasetFound: Type.Boolean(),
      datasetLastUsed: optional(Type.Integer({ description: 'Seconds since 1970' })),
    }),
    failure,
  },
  datasetSchema: {
    summary: 'Funnel Rocket: the columns of a table',
    params: named,
    query: Type.Object({ full: flag('With all that is known of their values') }),
    response: Type.Union([ShortSchema, FullSchema]),
    failure,
  },
  datasetParts: {
    summary: 'Funnel Rocket: the files of a table',
    params: named,
    response: Type.Object({
      filenames: Type.Array(text),
      namingMethod: Type.Literal('LIST'),
      totalParts: count,
      totalSize: count,
    }),
    failure,
  },
  datasetQuery: {
    summary: 'Funnel Rocket: the result of a query',
    params: named,
    query: Type.Object({ stream }),
    body: s.Json,
    asText: true,
    response: QueryResult,
    failure,
  },
  datasetEmptyQuery: {
    summary: 'Funnel Rocket: how many actors and rows there are',
    params: named,
    query: Type.Object({ stream }),
    response: QueryResult,
    failure,
  },
} as const
