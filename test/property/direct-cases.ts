/** Random cases for direct queries: what the rows are, how they are stored, and which reader a query on them must have. */
import fc from 'fast-check'
import type { BehaviouralQuery, Filter, FilterValue, RowsCondition, Step } from '../../src/behaviour/types.ts'
import { arbitraryQuery, type QueryColumn, type QuerySource } from '../oracle/arbitrary-query.ts'
import { THREADS, type ThreadCount } from './direct-lab.ts'

/** A kind of actors or times: SQL for the number in `a` or `t`. */
interface Key {
  type: string
  sql: string
  /** Only folders can hold it. */
  registeredOnly?: boolean
  /** Direct queries take it where files are sorted, and where they are not. */
  direct: { sorted: boolean; unsorted: boolean }
}

const BOTH = { sorted: true, unsorted: true }
const NEITHER = { sorted: false, unsorted: false }
const SORTED = { sorted: true, unsorted: false }

const integerActor = (type: string, bits: number): Key => ({
  type,
  sql: `CASE a WHEN 0 THEN ${-(2n ** BigInt(bits - 1))} WHEN 1 THEN ${2n ** BigInt(bits - 1) - 1n} ELSE (a * 7919) % ${2 ** Math.min(bits - 2, 40)} - a % 50 END`,
  direct: BOTH,
})
const unsignedActor = (type: string, bits: number): Key => ({
  type,
  sql: `CASE a WHEN 1 THEN ${2n ** BigInt(bits) - 1n} ELSE (a * 7919) % ${2 ** Math.min(bits - 1, 40)} END`,
  registeredOnly: true,
  direct: BOTH,
})

const ACTORS: Key[] = [
  integerActor('TINYINT', 8),
  integerActor('SMALLINT', 16),
  integerActor('INTEGER', 32),
  integerActor('BIGINT', 64),
  unsignedActor('UTINYINT', 8),
  unsignedActor('UINTEGER', 32),
  unsignedActor('UBIGINT', 64),
  { type: 'VARCHAR', sql: `'u' || a`, direct: BOTH },
  {
    type: 'VARCHAR',
    sql: `CASE a % 7 WHEN 0 THEN (CASE a WHEN 0 THEN '' ELSE 'shared prefix of many actors ' || lpad(a::VARCHAR, 30, '0') END)
      WHEN 1 THEN repeat('long', 300) || a WHEN 2 THEN 'é😀' || a WHEN 3 THEN 'n' || chr(0) || a
      WHEN 4 THEN chr(57344) || a WHEN 5 THEN left(repeat('abcdefgh', 9), 1 + a % 40) ELSE a::VARCHAR END`,
    direct: BOTH,
  },
  { type: 'UUID', sql: 'md5(a::VARCHAR)', direct: BOTH },
  { type: 'BLOB', sql: `unhex(left(md5(a::VARCHAR), 2 * (a % 17)))`, direct: BOTH },
  { type: 'DATE', sql: `DATE '1969-12-30' + CAST(a AS INTEGER)`, direct: BOTH },
  { type: 'DECIMAL(12,2)', sql: 'a / 4', direct: SORTED },
]

interface TimeKey extends Key {
  unit: string
  spans: fc.Arbitrary<number | bigint | string>
  bounds: fc.Arbitrary<[number | bigint | string, number | bigint | string]>
}

const ticks = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 100_000 }))
const seconds = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map((quarters) => `${quarters / 4}s`),
  fc.constantFrom('1m', '1h', '2d', '300000w'),
)
const days = fc.integer({ min: 0, max: 60 }).map((count) => `${count}d`)
const BASE = 1_600_000_000
const stamp = (at: number) => new Date((BASE + at / 2) * 1000).toISOString().slice(0, -1)
const instants = fc
  .uniqueArray(fc.oneof(fc.nat(40), fc.nat(100_000)), { minLength: 2, maxLength: 2 })
  .map((pair): [string, string] => pair.sort((x, y) => x - y).map(stamp) as [string, string])
const integers = (from: bigint) =>
  fc
    .uniqueArray(fc.oneof(fc.nat(40), fc.nat(100_000)), { minLength: 2, maxLength: 2 })
    .map((pair): [bigint, bigint] => pair.sort((x, y) => x - y).map((x) => from + BigInt(x)) as [bigint, bigint])
const dates = integers(18_000n).map(
  ([from, to]): [string, string] =>
    [from, to]
      .map((day) => (day > 90_000n ? 90_000n + ((day * 7n) % 1000n) : day))
      .sort((x, y) => Number(x - y))
      .map((day, k) => new Date((Number(day) + k) * 86_400_000).toISOString().slice(0, 10)) as [string, string],
)

const TIMES: TimeKey[] = [
  { type: 'INTEGER', sql: 't - 1000', direct: BOTH, unit: 'one', spans: ticks, bounds: integers(-1000n) },
  { type: 'SMALLINT', sql: 't % 30000', direct: BOTH, unit: 'one', spans: ticks, bounds: integers(0n) },
  {
    type: 'BIGINT',
    sql: `CASE t % 3 WHEN 0 THEN -9223372036854775808 + t WHEN 1 THEN 9223372036854775807 - t ELSE t END`,
    direct: BOTH,
    unit: 'one',
    spans: fc.oneof(ticks, fc.constantFrom(2n ** 63n, 2n ** 64n - 1n, 2n ** 70n)),
    bounds: fc.constantFrom<[bigint, bigint][]>(
      [-(2n ** 63n), 2n ** 63n - 1n],
      [1n - 2n ** 63n, 2n ** 63n - 2n],
      [-(2n ** 64n), 0n],
      [5n, 2n ** 65n],
    ),
  },
  {
    type: 'DATE',
    sql: `DATE '2019-04-14' + CAST(t % 70000 AS INTEGER)`,
    direct: BOTH,
    unit: 'day',
    spans: days,
    bounds: dates,
  },
  {
    type: 'TIMESTAMP',
    sql: `make_timestamp(CAST(${BASE}000000 + t * 500000 AS BIGINT))`,
    direct: BOTH,
    unit: 'us',
    spans: seconds,
    bounds: instants,
  },
  {
    type: 'TIMESTAMP WITH TIME ZONE',
    sql: `make_timestamptz(CAST(${BASE}000000 + t * 500000 AS BIGINT))`,
    direct: BOTH,
    unit: 'us',
    spans: seconds,
    bounds: instants,
  },
  {
    type: 'TIMESTAMP',
    sql: `CASE t % 40 WHEN 0 THEN TIMESTAMP '-infinity' WHEN 1 THEN TIMESTAMP 'infinity' ELSE make_timestamp(CAST(${BASE}000000 + t * 500000 AS BIGINT)) END`,
    direct: BOTH,
    unit: 'us',
    spans: seconds,
    bounds: instants,
  },
  { type: 'DOUBLE', sql: 't / 4', direct: NEITHER, unit: 'one', spans: ticks, bounds: integers(0n) },
  {
    type: 'UINTEGER',
    sql: 't',
    direct: NEITHER,
    registeredOnly: true,
    unit: 'one',
    spans: ticks,
    bounds: integers(0n),
  },
]

const TEXTS = ['view', 'cart', 'buy', '', 'A', 'a', 'é', '😀', 'n\0l', "it's", '\ue000', 'view ', 'x'.repeat(700)]
/** Odd ones: a statement of our own could trip over them. */
const NAMES = ['event', 'place', 'mask', 'm', 'PLACE2', 'with space', 'q"uote', 'unnest', 'k', 'ünï', '$1', 'texts']

type Nulls = 'none' | 'some' | 'blocks' | 'all'

/** A text column. */
export interface TextSpec {
  name: string
  /** How many different texts it has. */
  count: number
  nulls: Nulls
}

/** How rows are made and stored. */
export interface DirectCase {
  salt: number
  rows: number
  actors: number
  heavyPercent: number
  times: number
  /** Places in the lists of actors and times. */
  actor: number
  time: number
  actorNulls: Nulls
  timeNulls: Nulls
  texts: TextSpec[]
  layout: DirectLayout
}

/** How the files of a case are made. */
export interface DirectLayout {
  kind: 'managed' | 'registered'
  files: number
  by: 'row' | 'actor' | 'block'
  order: 'hash' | 'key' | 'time' | 'row'
  buckets: number
  imports: number
  threads: ThreadCount
  compression: string
  version: string
  groupRows: number
  /** Most entries of a dictionary; 1 in effect forbids them. */
  dictionary: number
}

/** Codecs that direct queries unpack, and the others. */
export const CODECS = ['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli']
const OTHER_CODECS = ['lz4', 'lz4_raw']

const layouts: fc.Arbitrary<DirectLayout> = fc.record({
  kind: fc.constantFrom('managed', 'registered'),
  files: fc.integer({ min: 1, max: 4 }),
  by: fc.constantFrom('row', 'actor', 'block'),
  order: fc.constantFrom('hash', 'key', 'time', 'row'),
  buckets: fc.integer({ min: 1, max: 8 }),
  imports: fc.constantFrom(1, 1, 1, 2, 3),
  threads: fc.constantFrom(...THREADS),
  compression: fc.oneof(
    { arbitrary: fc.constantFrom(...CODECS), weight: 12 },
    { arbitrary: fc.constantFrom(...OTHER_CODECS), weight: 1 },
  ),
  version: fc.constantFrom('v1', 'v2'),
  groupRows: fc.constantFrom(2048, 4096, 122_880),
  dictionary: fc.oneof({ arbitrary: fc.constant(1_000_000), weight: 11 }, { arbitrary: fc.constant(1), weight: 1 }),
})

const nulls = fc.constantFrom<Nulls[]>('none', 'none', 'some', 'blocks', 'all')
const keyNulls = fc.constantFrom<Nulls[]>('none', 'none', 'none', 'none', 'some', 'blocks')

const textSpecs = fc.shuffledSubarray(NAMES, { minLength: 1, maxLength: 3 }).chain((names) =>
  fc.tuple(
    ...names.map((name) =>
      fc.record<TextSpec>({
        name: fc.constant(name),
        count: fc.constantFrom(1, 3, 3, 8, 12, 12, 40, 40, 40, 300),
        nulls,
      }),
    ),
  ),
)

/** Random cases. */
export function directCases(): fc.Arbitrary<DirectCase> {
  return fc
    .record({
      salt: fc.nat(2 ** 30),
      rows: fc.oneof(
        { arbitrary: fc.integer({ min: 1, max: 60 }), weight: 1 },
        { arbitrary: fc.integer({ min: 2000, max: 9000 }), weight: 4 },
      ),
      actors: fc.constantFrom(1, 3, 40, 120, 1500),
      heavyPercent: fc.constantFrom(0, 0, 10, 60),
      times: fc.constantFrom(4, 60, 1500, 100_000),
      actor: fc.nat(ACTORS.length - 1),
      // Most are of a type that can be direct.
      time: fc.oneof({ arbitrary: fc.nat(6), weight: 9 }, { arbitrary: fc.nat(TIMES.length - 1), weight: 1 }),
      actorNulls: keyNulls,
      timeNulls: keyNulls,
      texts: textSpecs,
      layout: layouts,
    })
    .map((given) => {
      // A folder's keys have no nulls, and some types are only in folders.
      const registeredOnly = ACTORS[given.actor]!.registeredOnly || TIMES[given.time]!.registeredOnly
      const kind = registeredOnly ? 'registered' : given.layout.kind
      const layout = { ...given.layout, kind } as DirectLayout
      const none = { actorNulls: 'none', timeNulls: 'none' } as const
      return kind === 'registered' ? { ...given, ...none, layout } : { ...given, layout }
    })
}

/** SELECT of the rows of a case: `who`, `ts`, its texts, a number `n`, and where each row goes in `skep_file` and `skep_order`. */
export function rowsSql(example: DirectCase): string {
  const { salt, rows, actors, heavyPercent, times, actorNulls, timeNulls, texts, layout } = example
  const actor = ACTORS[example.actor]!
  const time = TIMES[example.time]!
  const random = (k: number) => `hash(i * 64 + ${k} + ${salt}::BIGINT * 1048576)`
  const maybe = (sql: string, type: string, kind: Nulls, k: number) =>
    `CASE WHEN ${nullSql(kind, random(k))} THEN NULL ELSE CAST(${sql} AS ${type}) END`
  const columns = texts.map(
    ({ name, count, nulls: kind }, k) =>
      `${maybe(textSql(`CAST(${random(20 + k)} % ${count} AS BIGINT)`), 'VARCHAR', kind, 30 + k)} AS "${name.replaceAll('"', '""')}"`,
  )
  const file = {
    row: random(5),
    actor: 'hash(a)',
    block: `(i // ${Math.max(1, Math.ceil(rows / layout.files))})`,
  }
  const order = {
    hash: `${random(6)}::VARCHAR`,
    key: 'NULL',
    time: `lpad(t::VARCHAR, 12, '0')`,
    row: `lpad(i::VARCHAR, 12, '0')`,
  }
  return `SELECT ${maybe(actor.sql, actor.type, actorNulls, 7)} AS who, ${maybe(time.sql, time.type, timeNulls, 8)} AS ts,
    ${columns.join(', ')}, CAST(${random(9)} % 10 AS INTEGER) AS n,
    ${file[layout.by]} % ${layout.files} AS skep_file, ${order[layout.order]} AS skep_order
    FROM (SELECT i, CASE WHEN ${random(1)} % 100 < ${heavyPercent} THEN 0 ELSE CAST(${random(2)} % ${actors} AS BIGINT) END AS a,
      CAST(${random(3)} % ${times} AS BIGINT) AS t FROM range(${rows}) r(i))`
}

function nullSql(kind: Nulls, random: string): string {
  return { none: 'false', some: `${random} % 5 = 0`, blocks: '(i // 2500) % 2 = 1', all: 'true' }[kind]
}

function textSql(place: string): string {
  const quoted = TEXTS.map(
    (text) =>
      `(${text
        .split('\0')
        .map((part) => `'${part.replaceAll("'", "''")}'`)
        .join(' || chr(0) || ')})`,
  )
  return `coalesce([${quoted.join(', ')}][${place} + 1], 'v' || ${place})`
}

const quotedName = (name: string) => `"${name.replaceAll('"', '""')}"`

/** The columns that files hold, in their order. */
export function storedColumns({ texts }: DirectCase): string {
  return ['who', 'ts', ...texts.map(({ name }) => quotedName(name)), 'n'].join(', ')
}

/** What queries on a case draw from. */
export function querySource(example: DirectCase, othersWeight: number): QuerySource {
  const { texts } = example
  const actor = ACTORS[example.actor]!
  const time = TIMES[example.time]!
  const literals = fc.oneof(
    { arbitrary: fc.constantFrom<FilterValue[]>(...TEXTS), weight: 6 },
    { arbitrary: fc.constantFrom<FilterValue[]>('v13', 'v20', 'v39', 'v200', 'no such', '\ud800', 'w'), weight: 1 },
  )
  const columns = texts.map(({ name }): QueryColumn => ({ name, type: 'VARCHAR', literals }))
  const number: QueryColumn = { name: 'n', type: 'INTEGER', literals: fc.integer({ min: 0, max: 9 }) }
  const who =
    actor.type === 'VARCHAR' ? [{ name: 'who', type: 'VARCHAR', literals: fc.constantFrom('', 'u1', 'u') }] : []
  const weighed = columns.flatMap((column) => Array.from({ length: 12 }, () => column))
  return {
    filters: [...weighed, ...who, ...Array.from({ length: othersWeight }, () => number)],
    aggregations: [...columns, number],
    holds: [...columns.map(({ name }) => name), 'n'],
    spans: time.spans as QuerySource['spans'],
    bounds: time.bounds,
    ...(time.unit === 'one' && { durations: time.spans as fc.Arbitrary<number | bigint> }),
  }
}

/** Queries on a case: most of them of a kind that is run directly. */
export function directQueries(example: DirectCase): fc.Arbitrary<BehaviouralQuery> {
  const whole = arbitraryQuery(querySource(example, 2))
  const fit = fc
    .tuple(arbitraryQuery(querySource(example, 0)), fc.integer({ min: 0, max: 3 }))
    .map(([query, keep]) => fitted(query, keep === 0) as BehaviouralQuery)
  return fc.oneof(
    { arbitrary: fit, weight: 8 },
    { arbitrary: manyPredicates(example), weight: 2 },
    { arbitrary: whole, weight: 1 },
  )
}

/** A query without what sends it to the engine: held columns and targets other than counts. */
function fitted(value: unknown, keepAggregations: boolean): unknown {
  if (Array.isArray(value)) return value.map((each) => fitted(each, keepAggregations))
  if (value === null || typeof value !== 'object') return value
  const isOut = (key: string, each: unknown) =>
    key === 'hold' || (key === 'target' && !isCount(each)) || (!keepAggregations && /aggregations$/i.test(key))
  const kept = Object.entries(value).filter(([key, each]) => !isOut(key, each))
  // Without its target a condition cannot ask for the zeros of a count.
  const plain = kept.some(([key]) => key === 'target') ? kept : kept.filter(([key]) => key !== 'includeZero')
  return Object.fromEntries(plain.map(([key, each]) => [key, fitted(each, keepAggregations)]))
}

function isCount(target: unknown): boolean {
  if (Array.isArray(target)) return target[0] === 'count'
  return (target as { type?: unknown } | undefined)?.type === 'count'
}

/** Queries of up to 63 predicates: masks of every width. */
function manyPredicates({ texts }: DirectCase): fc.Arbitrary<BehaviouralQuery> {
  const names = texts.map(({ name }) => name)
  return fc
    .record({
      count: fc.constantFrom(7, 8, 9, 15, 16, 17, 31, 32, 33, 50, 63),
      joined: fc.integer({ min: 0, max: 5 }),
      least: fc.integer({ min: 0, max: 3 }),
      relation: fc.constantFrom('or', 'and', undefined),
      funnel: fc.boolean(),
    })
    .map(({ count, joined, least, relation, funnel }): BehaviouralQuery => {
      const filterOf = (k: number): Filter => {
        const one: Filter = [names[k % names.length]!, k % 3 === 0 ? '!=' : '==', TEXTS[k] ?? `v${k}`]
        // A few over several columns, so that all of them are combined.
        return joined === 1 && k % 20 === 5 ? { or: [one, [names.at(-1)!, 'is null']] } : one
      }
      const filters = Array.from({ length: count }, (_, k) => filterOf(k))
      const conditions = filters.map(
        (filter, k): RowsCondition => ({ filter, target: ['count', k % 2 ? '>' : '<', least + (k % 5) + 1] }),
      )
      const steps = [filters[0]!, filters.at(-1)!].map((filter): Step => ({ filter })) as [Step, ...Step[]]
      const operator = relation === undefined ? {} : { relation }
      return { query: { conditions, ...operator }, ...(funnel && { funnel: { sequence: steps } }) }
    })
}

/** What is known of the stored files of a case. */
export interface StoredFacts {
  /** Every task is one sorted file. */
  sorted: boolean
  /** Columns that somewhere have pages of anything but dictionary codes. */
  plain: ReadonlySet<string>
  codecs: ReadonlySet<string>
  /** Files that a query had to read. */
  files?: number
}

/** The reader that a query must have; undefined where both are right. */
export function expectedReader(
  example: DirectCase,
  facts: StoredFacts,
  query: BehaviouralQuery,
): 'direct' | 'engine' | undefined {
  const actor = ACTORS[example.actor]!
  const time = TIMES[example.time]!
  const bounds = Object.values(query.timeframe ?? {})
  // Files may all be ruled out; and no tick is that far away.
  if (facts.files === 0 || bounds.some((bound) => typeof bound === 'bigint' && bound < 1n - 2n ** 63n)) return undefined
  if (bounds.some((bound) => typeof bound === 'bigint' && bound >= 2n ** 63n)) return undefined
  const found = ingredients(query)
  const way = facts.sorted ? 'sorted' : 'unsorted'
  const textNames = new Set(example.texts.map(({ name }) => name))
  if (actor.type === 'VARCHAR') textNames.add('who')
  const filtered = [...found.columns]
  const isOut =
    found.hold ||
    found.values ||
    (found.aggregations && !facts.sorted) ||
    !actor.direct[way] ||
    !time.direct[way] ||
    filtered.some((name) => !textNames.has(name)) ||
    filtered.some((name) => facts.plain.has(name)) ||
    [...facts.codecs].some((codec) => /LZ4/.test(codec))
  if (isOut) return 'engine'
  return found.leaves <= 14 || !found.joined ? 'direct' : undefined
}

interface Ingredients {
  hold: boolean
  values: boolean
  aggregations: boolean
  columns: Set<string>
  leaves: number
  /** Some filter asks about several columns. */
  joined: boolean
}

function ingredients(query: BehaviouralQuery): Ingredients {
  const found: Ingredients = {
    hold: false,
    values: false,
    aggregations: false,
    columns: new Set(),
    leaves: 0,
    joined: false,
  }
  const { query: whole, ...others } = query
  walk(others, found)
  if (whole) walk({ ...whole, conditions: usedConditions(whole) }, found)
  return found
}

/** Conditions that the relation does not name are not run. */
function usedConditions({ conditions = [], relation = 'and' }: NonNullable<BehaviouralQuery['query']>): unknown[] {
  const names = [...relation.matchAll(/\$(\w+)/g)].map(([, name]) => name!.toLowerCase())
  if (names.length === 0) return [...conditions]
  return conditions.filter(
    ({ name }, k) => names.some((each) => Number(each) === k) || (name && names.includes(name.toLowerCase())),
  )
}

function walk(value: unknown, found: Ingredients): void {
  if (Array.isArray(value)) {
    for (const each of value) walk(each, found)
    return
  }
  if (value === null || typeof value !== 'object') return
  for (const [key, each] of Object.entries(value)) {
    if (key === 'hold') found.hold = true
    else if (key === 'target') found.values ||= !isCount(each)
    else if (/aggregations$/i.test(key)) found.aggregations ||= (each as unknown[]).length > 0
    else if (key === 'filter') addColumns(columnsOf(each as Filter), found)
    else if (key === 'filters') addColumns((each as Filter[]).flatMap(columnsOf), found)
    else walk(each, found)
  }
}

function addColumns(names: string[], found: Ingredients): void {
  for (const name of names) found.columns.add(name)
  found.leaves += names.length
  found.joined ||= new Set(names).size > 1
}

/** The column of each comparison; `between` is two of them. */
function columnsOf(filter: Filter): string[] {
  if (Array.isArray(filter)) return twice(filter[0] as string, filter[1] === 'between')
  if ('and' in filter) return filter.and.flatMap(columnsOf)
  if ('or' in filter) return filter.or.flatMap(columnsOf)
  if ('not' in filter) return columnsOf(filter.not)
  const { column, op } = filter as { column: string; op: string }
  return twice(column, op === 'between')
}

function twice(name: string, really: boolean): string[] {
  return really ? [name, name] : [name]
}
