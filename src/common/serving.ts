/** The settings of a server: who may use it, and how much it takes. Part of `SETTINGS`. */

const KIB = 1024
const MIB = 1024 * KIB

/** The table. */
export const SERVING = {
  token: {
    variable: 'SKEP_TOKEN',
    unit: 'text',
    default: '',
    secret: true,
    help: 'The one token of a server, of an admin; clients send it.',
  },
  tokensFile: {
    variable: 'SKEP_TOKENS_FILE',
    unit: 'path',
    default: '',
    help: 'A JSON list of `{ "name", "token", "role" }`: who may use a server, as `reader`, `writer` or `admin`.',
  },
  hosts: {
    variable: 'SKEP_HOSTS',
    unit: 'text',
    default: '',
    help: 'Names that a server is called by beside the loopback ones and that of `--host`, separated by commas; requests for others are refused.',
  },
  cors: {
    variable: 'SKEP_CORS',
    unit: 'text',
    default: '',
    help: 'Origins whose pages may use a server, separated by commas: `https://app.example.com`.',
  },
  roots: {
    variable: 'SKEP_ROOTS',
    unit: 'text',
    default: '',
    help: 'Folders that requests may name (register, attach, catalogs of documents), separated by commas; when absent, readers the warehouse’s own, others any.',
  },
  concurrentQueries: {
    variable: 'SKEP_CONCURRENT_QUERIES',
    unit: 'count',
    default: 8,
    minimum: 1,
    help: 'Queries and imports that a server runs at the same time.',
  },
  queuedQueries: {
    variable: 'SKEP_QUEUED_QUERIES',
    unit: 'count',
    default: 100,
    minimum: 0,
    help: 'How many more wait; beyond that a server answers 429.',
  },
  queueMs: {
    variable: 'SKEP_QUEUE_MS',
    unit: 'ms',
    default: 30_000,
    minimum: 0,
    help: 'Longest time that one of them waits before it is answered 429.',
  },
  uploadBytes: {
    variable: 'SKEP_UPLOAD_BYTES',
    unit: 'bytes',
    default: 10 * 1024 * MIB,
    minimum: 1,
    help: 'Largest file that a server takes for an import.',
  },
  resultBytes: {
    variable: 'SKEP_RESULT_BYTES',
    unit: 'bytes',
    default: 64 * MIB,
    minimum: KIB,
    help: 'Largest result that a server answers as one JSON document; NDJSON, CSV and Parquet stream without it.',
  },
  shutdownMs: {
    variable: 'SKEP_SHUTDOWN_MS',
    unit: 'ms',
    default: 30_000,
    minimum: 0,
    help: 'Time that a server which is told to end gives to the queries that run; after it they are cancelled.',
  },
  bodyBytes: { unit: 'bytes', default: 16 * MIB, help: 'Largest JSON body of a request.' },
} as const
