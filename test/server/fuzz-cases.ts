/** Requests that no client should send, from a seed: out of the schemas of every route, and out of nothing. */
import { gzipSync } from 'node:zlib'
import { CONTRACT, type Contract } from '../../src/api/contract.ts'
import { ENDPOINTS, type Endpoint, type EndpointName } from '../../src/api/endpoints.ts'
import type { Chance } from '../chance.ts'

/** A request: its target as it is sent, and a body with what is said of it. */
export interface FuzzCase {
  method: string
  target: string
  headers: Record<string, string>
  body?: Buffer
}

/** Content types that clients, pages and guesses send. */
export const CONTENT_TYPES: readonly string[] = [
  ...[
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset=UTF-16',
    'application/json; charset=latin1',
  ],
  ...[
    'APPLICATION/JSON',
    ' application/json ',
    'application/json,text/plain',
    'application/json; x="',
    'application/jsonx',
    'xapplication/json',
  ],
  ...[
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/ld+json',
    'application/vnd.api+json',
    'text/json',
  ],
  ...[
    'application/x-ndjson',
    'application/jsonl',
    'application/ndjson',
    'text/csv',
    'text/csv; header=present',
    'TEXT/CSV',
  ],
  ...[
    'application/vnd.apache.parquet',
    'application/x-parquet',
    'application/octet-stream',
    'application/x-www-form-urlencoded',
  ],
  ...[
    'multipart/form-data',
    'multipart/form-data; boundary=x',
    'multipart/mixed; boundary=""',
    'text/plain',
    'text/plain; charset=utf-8',
  ],
  ...[
    'text/html',
    'text/xml',
    'application/xml',
    'application/soap+xml',
    'application/graphql',
    'application/sql',
    'application/yaml',
  ],
  ...[
    'application/msgpack',
    'application/cbor',
    'application/protobuf',
    'application/grpc',
    'application/pdf',
    'application/zip',
  ],
  ...[
    'application/gzip',
    'application/wasm',
    'image/png',
    'image/svg+xml',
    'audio/ogg',
    'video/mp4',
    'font/woff2',
    'model/gltf+json',
  ],
  ...[
    'message/http',
    '*/*',
    'application/*',
    'json',
    '/',
    ';',
    'application/',
    '/json',
    'a/b/c',
    'application/json\\',
    '__proto__',
    'constructor/x',
  ],
  ...['x'.repeat(2000), 'application/json; '.repeat(100)],
]

const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'MKCOL',
  'COPY',
  'LOCK',
  'SEARCH',
  'PURGE',
  'QUERY',
]

/** Tables that writing requests may have their way with; `events` is only read. */
export const BAIT = ['bait', 'bait2']

const NAMES = [
  ...[
    'bait',
    'nothing',
    'BAIT',
    'a b',
    'ü',
    '表',
    '😀',
    'x'.repeat(128),
    'x'.repeat(129),
    'x'.repeat(3000),
    '-',
    '_',
    '1',
    '.',
    '..',
    '...',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'null',
    'undefined',
    'NaN',
    '*',
    '?',
    '#',
    '%',
    "'",
    '"',
    ';',
    '\\',
    '`',
    '$1',
    '$x',
    '{{x}}',
  ],
  ...[
    "x' OR 1=1 --",
    'bait"; DROP TABLE t; --',
    '<script>',
    '\n',
    '\r\n',
    '\0',
    '\t',
    '\u2028',
    '\ufeff',
    '../../etc/passwd',
    'C:\\x',
    'con',
  ],
]

const TRAPS = [
  ...[
    '%00',
    '%',
    '%z',
    '%zz',
    '%2',
    '%2e',
    '%2e%2e',
    '%2e%2e%2f',
    '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '..%2f..%2f',
    '%5c..%5c',
    '%252e%252e',
  ],
  ...[
    '%c0%af',
    '%c0%ae%c0%ae',
    '%e0%80%af',
    '%f0%80%80%af',
    '%ff',
    '%fe%ff',
    '%ed%a0%80',
    '%ed%b0%80',
    '%u0041',
    '%0d%0a',
    '%0d%0aX:%20y',
    '%20',
    '+',
  ],
  ...[
    '.',
    '..',
    './',
    '../',
    '//',
    ';x=y',
    ':',
    ':table',
    '*',
    '**',
    '~',
    '@',
    '!',
    "'",
    '"',
    '<',
    '>',
    '[',
    ']',
    '{',
    '}',
    '|',
    '^',
    '`',
  ],
]

const NUMBERS = [
  '0',
  '-0',
  '-1',
  '1',
  '1.5',
  '1e3',
  '1e308',
  '1e309',
  '-1e309',
  '1e-400',
  '9007199254740993',
  '9'.repeat(400),
  '0x10',
  '01',
  '+1',
  'NaN',
  'Infinity',
]
const WORDS = ['true', 'false', 'TRUE', 'null', 'rows', 'yes', '', ' ', 'undefined', '[]', '{}', '"']

const SCALARS: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -0,
    1,
    -1,
    1.5,
    1e308,
    -1e308,
    5e-324,
    Number.MAX_SAFE_INTEGER,
    2 ** 53,
    -(2 ** 63),
    2 ** 64,
    1e21,
  ],
  ...[
    '',
    ' ',
    'x',
    '\0',
    '\ud800',
    '\udc00\ud800',
    '\uffff',
    '\u202e',
    '💥',
    'x'.repeat(10_000),
    '__proto__',
    'constructor',
    'SELECT 1',
    '1',
    'null',
  ],
  ...[
    [],
    {},
    [[]],
    [{}],
    { a: 1 },
    [null],
    [1, 'x', null],
    { '': '' },
    { length: 1 },
    { toString: 1 },
    Object.fromEntries([['then', 1]]),
    { toJSON: 1 },
    { type: 'bigint', value: 'x' },
  ],
]

type Schema = Readonly<Record<string, unknown>> & {
  properties?: Record<string, Schema>
  anyOf?: Schema[]
  enum?: unknown[]
  items?: Schema
  patternProperties?: Record<string, Schema>
}

/** A value of a schema, for the most part. */
function sampleOf(schema: Schema, chance: Chance, depth = 0): unknown {
  if (depth > 6) return null
  if (schema.anyOf) return sampleOf(chance.pick(schema.anyOf), chance, depth + 1)
  if (schema.enum) return chance.pick(schema.enum)
  if ('const' in schema) return schema.const
  switch (schema.type) {
    case 'string':
      return chance.pick([
        'SELECT 1',
        'SELECT count(*) FROM events',
        'bait',
        'actor',
        'ts',
        'x',
        '',
        '2026-01-01',
        'INTEGER',
        '/tmp/nowhere',
      ])
    case 'integer':
    case 'number':
      return chance.pick([0, 1, 2, 10, 1000])
    case 'boolean':
      return chance.below(2) === 0
    case 'array':
      return Array.from({ length: chance.below(4) }, () => sampleOf(schema.items ?? {}, chance, depth + 1))
    case 'object':
      return objectOf(schema, chance, depth)
    default:
      return chance.below(3) === 0 ? chance.pick(SCALARS) : chance.pick(DOCUMENTS)
  }
}

function objectOf(schema: Schema, chance: Chance, depth: number): Record<string, unknown> {
  const required = new Set((schema.required as string[] | undefined) ?? [])
  const own = Object.entries(schema.properties ?? {}).filter(([key]) => required.has(key) || chance.below(3) === 0)
  const more = Object.values(schema.patternProperties ?? {}).map((value): [string, Schema] => [
    chance.pick(['files', 'x', 'actor']),
    value,
  ])
  return Object.fromEntries([...own, ...more].map(([key, value]) => [key, sampleOf(value, chance, depth + 1)]))
}

const CONDITION = { filter: ['event', '==', 'build'] }
const STEP = { name: 's', step_type: 'HBee', sql: 'SELECT event, count(*) AS n FROM events GROUP BY 1' }

/** Documents that are right, to be made wrong. */
const DOCUMENTS: readonly unknown[] = [
  { query: { conditions: [CONDITION] } },
  {
    query: {
      relation: 'and',
      conditions: [CONDITION, { filter: ['files', '>', 3], target: 'count', op: '>', value: 2 }],
    },
  },
  { funnel: { sequence: [CONDITION, { filter: ['event', '==', 'tests'] }], window: '7 days' } },
  {
    timeframe: { from: '2020-01-01', to: '2021-01-01' },
    query: { conditions: [CONDITION], aggregations: [{ type: 'count', column: 'project' }] },
  },
  { steps: [STEP], capacity: { zones: 1 } },
  { steps: [STEP, { name: 'r', step_type: 'HComb', sql: 'SELECT sum(n) AS n FROM s' }], capacity: { zones: 2 } },
  { steps: [STEP], capacity: { zones: 1 }, catalogs: [{ name: 'c', type: 'Static', uri: '/nowhere' }] },
]

/** The value with one thing in it changed: another type, one missing, one too many. */
function mutated(value: unknown, chance: Chance): unknown {
  if (Array.isArray(value) && value.length > 0 && chance.below(4) > 0) {
    const at = chance.below(value.length)
    if (chance.below(5) === 0) return value.toSpliced(at, 1)
    return value.with(at, mutated(value[at], chance))
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && chance.below(5) > 0) {
    const entries = Object.entries(value)
    const at = chance.below(entries.length + 1)
    if (at === entries.length) return Object.fromEntries([...entries, [chance.pick(NAMES), chance.pick(SCALARS)]])
    if (chance.below(4) === 0) return Object.fromEntries(entries.toSpliced(at, 1))
    const [key, inner] = entries[at]!
    return Object.fromEntries(entries.with(at, [key, mutated(inner, chance)]))
  }
  return chance.pick(SCALARS)
}

const DEPTHS = [50, 200, 201, 1000, 10_000, 100_000]

/** Texts that are hardly JSON. */
function oddText(chance: Chance): Buffer {
  const depth = chance.pick(DEPTHS)
  const sound = JSON.stringify(chance.pick([...DOCUMENTS, { sql: 'SELECT 1' }, { sql: 'SELECT ?', params: [1] }]))
  const utf8 = Buffer.from(sound)
  const odd: (() => string | Buffer)[] = [
    () => '',
    () => ' ',
    () => 'null',
    () => '[]',
    () => '"x"',
    () => sound.slice(0, chance.below(sound.length)),
    () => `${sound}${chance.pick([',', '}', ']', '\0', ' x', sound])}`,
    () => `\ufeff${sound}`,
    () => Buffer.from(`\ufeff${sound}`, 'utf16le'),
    () => Buffer.from(sound, 'utf16le').swap16(),
    () => '['.repeat(depth),
    () => '['.repeat(depth) + ']'.repeat(depth),
    () => `{"sql":"SELECT ?","params":[${'['.repeat(depth)}${']'.repeat(depth)}]}`,
    () => `{"sql":"SELECT $x","params":{"x":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}}`,
    () => `{"query":{"conditions":${'['.repeat(depth)}${']'.repeat(depth)}}}`,
    () => `{"steps":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)},"capacity":{"zones":1}}`,
    () => `{"sql":"SELECT ${'('.repeat(depth)}1${')'.repeat(depth)}"}`,
    () => `{"sql":"SELECT 1","sql":"SELECT 2"}`,
    () => `{"__proto__":{"sql":"SELECT 1"}}`,
    () => `{"sql":"SELECT 1","__proto__":{"admin":true}}`,
    () => `{"sql":"SELECT 1","constructor":{"prototype":{"admin":true}}}`,
    () => `{"sql":"SELECT ?","params":[{"__proto__":null}]}`,
    () => `{"sql":"\\ud800"}`,
    () => `{"sql":"SELECT '\\ud800'"}`,
    () => `{"sql":"SELECT '\\u0000'"}`,
    () => `{"sql":"SELECT\0 1"}`,
    () => `{"sql":${chance.pick(NUMBERS)}}`,
    () => `{"sql":"SELECT ?","params":[${chance.pick(NUMBERS)}]}`,
    () => `{"sql":"SELECT 1","maxBytes":${chance.pick(NUMBERS)}}`,
    () => `{"sql":"SELECT 1","at":${chance.pick(NUMBERS)}}`,
    () => Buffer.concat([utf8.subarray(0, 5), Buffer.from([0xff, 0xfe, 0xc0, 0xaf]), utf8.subarray(5)]),
    () => gzipSync(sound),
    () => chance.bytes(chance.below(200)),
    () => 'x'.repeat(chance.pick([1000, 100_000])),
    () => `{"sql":"${'x'.repeat(chance.pick([1000, 300_000]))}"}`,
    () => `a=b&c=d`,
    () => `--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n1\r\n--x--\r\n`,
  ]
  return Buffer.from(chance.pick(odd)())
}

const SQL_WORDS = [
  ...[
    'SELECT',
    'FROM',
    'WHERE',
    'GROUP BY',
    'ORDER BY',
    'HAVING',
    'LIMIT',
    'OFFSET',
    'WITH',
    'AS',
    'UNION ALL',
    'JOIN',
    'ON',
    'USING',
    'NOT',
    'NULL',
    'IN',
    'LIKE',
  ],
  ...[
    'events',
    'bait',
    'nothing',
    'actor',
    'ts',
    'event',
    'files',
    'x',
    '*',
    '1',
    '0',
    '-1',
    "'x'",
    '?',
    '$1',
    '$x',
    '(',
    ')',
    ',',
    '.',
    ';',
    '=',
    '<>',
    '||',
    '::',
  ],
  ...[
    'INTEGER',
    'count(*)',
    'sum(files)',
    'max(ts)',
    'list(event)',
    'struct_pack(a := 1)',
    'unnest([1, 2])',
    'DESCRIBE',
    'SUMMARIZE',
    'EXPLAIN',
    'PIVOT',
    'QUALIFY',
  ],
  ...[
    'DROP TABLE events',
    'DELETE FROM events',
    'COPY events TO',
    "'/tmp/x'",
    'ATTACH',
    'SET',
    'PRAGMA',
    'CASE',
    'WHEN',
    'THEN',
    'END',
    '--',
    '/*',
    '*/',
    "'",
    '"',
    '$$',
    '\\',
  ],
  ...[
    '1e400',
    '9'.repeat(50),
    '[',
    ']',
    '{',
    '}',
    'x -> x',
    ':=',
    'DATE',
    'INTERVAL',
    "INTERVAL '1' DAY",
    'OVER ()',
    'FILTER',
    'LATERAL',
    'VALUES',
    'TABLE',
    'RECURSIVE',
    '\u00a0',
    '\0',
    '💥',
  ],
]

function oddSql(chance: Chance): string {
  const words = Array.from({ length: 1 + chance.below(12) }, () => chance.pick(SQL_WORDS))
  return (chance.below(2) === 0 ? 'SELECT ' : '') + words.join(' ')
}

/** What stands for the parameters of a path, ready to be sent. */
function segment(chance: Chance, writes: boolean): string {
  if (chance.below(8) === 0) return chance.pick(TRAPS)
  if (chance.below(3) === 0) return encodeURIComponent(chance.pick(NAMES))
  return writes ? chance.pick(BAIT) : chance.pick(['events', 'actor', 'files', ...BAIT])
}

function queryOf(schema: Schema | undefined, chance: Chance): string {
  if (chance.below(3) > 0) return ''
  const known = Object.keys(schema?.properties ?? {})
  const keys = [...known, ...known, ...known, 'x', '__proto__', 'constructor', 'at', 'limit', 'stream', '']
  const values = [
    ...NUMBERS,
    ...WORDS,
    ...TRAPS,
    'inline',
    'threads',
    'actor',
    'x'.repeat(5000),
    ...NAMES.map((name) => encodeURIComponent(name)),
  ]
  const pairs = Array.from(
    { length: 1 + chance.below(3) },
    () => `${chance.pick(keys)}${chance.pick(['=', '=', '=', '', '[]=', '[a]=', '=='])}${chance.pick(values)}`,
  )
  const repeated = chance.below(5) === 0 ? [...pairs, ...pairs] : pairs
  const joined = repeated.join(chance.pick(['&', '&', '&&', ';']))
  return `?${chance.below(30) === 0 ? `${joined}&`.repeat(Math.max(1, Math.floor(8000 / (joined.length + 1)))) : joined}`
}

const ACCEPTED = [
  '*/*',
  'application/json',
  'application/x-ndjson',
  'text/csv',
  'application/vnd.apache.parquet',
  'text/event-stream',
  'text/html',
  'x',
  '',
  ';q=2',
  'a/b;q=x, */*;q=0',
]

function headersOf(chance: Chance, body: Buffer | undefined): Record<string, string> {
  return {
    ...(body && { 'content-type': chance.below(5) === 0 ? chance.pick(CONTENT_TYPES) : 'application/json' }),
    ...(chance.below(6) === 0 && { accept: chance.pick(ACCEPTED) }),
    ...(chance.below(25) === 0 && {
      'content-encoding': chance.pick(['gzip', 'zstd', 'br', 'deflate', 'identity', 'x', 'gzip, gzip']),
    }),
    ...(chance.below(40) === 0 && {
      range: 'bytes=0-',
      'if-none-match': '*',
      'x-http-method-override': 'DELETE',
      upgrade: 'h2c',
    }),
  }
}

/** Routes that make tables or read all files: a request to them costs more than others, and comes less often. */
const COSTLY: readonly string[] = ['import', 'register', 'attach', 'vacuum', 'vacuumTable', 'verify']

function routeOf(chance: Chance, names: readonly EndpointName[]): EndpointName {
  const name = chance.pick(names)
  return COSTLY.includes(name) && chance.below(4) > 0 ? chance.pick(names) : name
}

/** A request to a route of the table, with a body that was made of its schema and then spoilt. */
export function routeCase(chance: Chance, names: readonly EndpointName[]): FuzzCase {
  const name = routeOf(chance, names)
  const endpoint: Endpoint = ENDPOINTS[name]
  const contract: Contract = CONTRACT[name]
  const writes = endpoint.role !== 'reader' && endpoint.role !== 'open'
  const target =
    endpoint.path.replaceAll(/:[A-Za-z]+/g, () => segment(chance, writes)) +
    queryOf(contract.query as Schema | undefined, chance)
  const body = bodyOf(contract, chance)
  return { method: endpoint.method, target, headers: headersOf(chance, body), ...(body && { body }) }
}

function bodyOf(contract: Contract, chance: Chance): Buffer | undefined {
  if (contract.consumes)
    return chance.pick([Buffer.from('a,b\n1,2\n'), Buffer.from('{"a":1}\n'), oddText(chance), Buffer.alloc(0)])
  if (contract.body === undefined) return chance.below(10) === 0 ? oddText(chance) : undefined
  if (chance.below(4) === 0) return oddText(chance)
  let value = sampleOf(contract.body as Schema, chance)
  for (let changes = chance.below(4); changes > 0; changes--) value = mutated(value, chance)
  return Buffer.from(JSON.stringify(value) ?? 'null')
}

/** SQL of words that happen to stand beside each other. */
export function sqlCase(chance: Chance): FuzzCase {
  const sql = oddSql(chance)
  const isStep = chance.below(4) === 0
  const document = isStep
    ? {
        steps: [{ ...STEP, sql, ...(chance.below(2) === 0 && { partition_filter: oddSql(chance) }) }],
        capacity: { zones: 1 },
      }
    : { sql }
  const target = `/api/v1/${isStep ? 'run' : 'sql'}${chance.pick(['', '', '?stream=true', '?stream=rows', isStep ? '?explain=true' : ''])}`
  const headers = { ...headersOf(chance, undefined), 'content-type': 'application/json' }
  return { method: 'POST', target, headers, body: Buffer.from(JSON.stringify(document)) }
}

/** Any method for any path. */
export function pathCase(chance: Chance): FuzzCase {
  const paths = Object.values(ENDPOINTS).map(({ path }) =>
    path.replaceAll(/:[A-Za-z]+/g, () => chance.pick([...BAIT, ...TRAPS])),
  )
  const path = chance.pick([
    ...paths,
    '/',
    '',
    '*',
    '//',
    '/api',
    '/api/v1',
    '/api/v2/tables',
    '/index.html',
    '/favicon.ico',
    '/.git/config',
    '/datasets/x',
  ])
  const spoilt =
    chance.below(3) === 0
      ? `${path}${chance.pick([...TRAPS, '/', '//', '?', '#', '?#', `/${'x'.repeat(5000)}`])}`
      : path
  const body = chance.below(2) === 0 ? oddText(chance) : undefined
  return {
    method: chance.pick(METHODS),
    target: spoilt === '' ? '/' : spoilt,
    headers: headersOf(chance, body),
    ...(body && { body }),
  }
}

/** A request of any sort. */
export function anyCase(chance: Chance, names: readonly EndpointName[]): FuzzCase {
  const sort = chance.below(10)
  if (sort < 6) return routeCase(chance, names)
  return sort < 7 ? sqlCase(chance) : pathCase(chance)
}
