/** Random damage to random text files at known lines: exactly these lines are rejected, and all others are imported as they are. */
import { readFileSync } from 'node:fs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

type Random = (below: number) => number

/** A generator of whole numbers in [0, below), the same for a seed. */
function randomOf(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return ((z ^ (z >>> 16)) >>> 0) % below
  }
}

const pick = <T>(random: Random, items: readonly T[]): T => items[random(items.length)]!

interface Row {
  id: number
  n: number | null
  x: number | null
  d: string | null
  b: boolean | null
  s: string | null
}

const TYPES = { id: 'BIGINT', n: 'BIGINT', x: 'DOUBLE', d: 'DATE', b: 'BOOLEAN', s: 'VARCHAR' }
const NAMES = ['id', 'n', 'x', 'd', 'b', 's'] as const
// A quote that is followed by a letter cannot be taken for a closing one: damage by quotes is told without doubt.
const TEXTS = [
  'plain',
  'Zoë 😀',
  'a "word" in it',
  'two\nlines',
  'a\r\nb\nc',
  'with,comma;and\ttab|bar',
  'é"é',
  'w"',
  ' blank',
]

function newRow(random: Random, id: number): Row {
  const some = <T>(value: T): T | null => (random(8) === 0 ? null : value)
  return {
    id,
    n: some(random(2_000_000) - 1_000_000),
    x: some((random(4000) - 2000) / 8),
    d: some(`20${10 + random(20)}-0${1 + random(9)}-1${random(10)}`),
    b: some(random(2) === 0),
    s: some(`${pick(random, TEXTS)}${random(100)}`),
  }
}

/** A format: how a row is written, and how it is damaged. Damage gives the text of one rejected record. */
interface Format {
  head: string | undefined
  write(row: Row): string
  damages: ((row: Row, random: Random) => string | Buffer)[]
}

function csv(delimiter: string): Format {
  const field = (value: unknown): string => {
    const text = value === null ? '' : String(value)
    return /["\n\r]/.test(text) || text.includes(delimiter) ? `"${text.replaceAll('"', '""')}"` : text
  }
  const line = (values: readonly unknown[]) => values.map(field).join(delimiter)
  const valuesOf = (row: Row) => NAMES.map((name) => row[name])
  const withValue = (row: Row, name: (typeof NAMES)[number], text: string) =>
    line(NAMES.map((other) => (other === name ? text : row[other])))
  return {
    head: NAMES.join(delimiter),
    write: (row) => line(valuesOf(row)),
    damages: [
      (row, random) => line(valuesOf(row).slice(0, 1 + random(5))),
      (row) => `${line(valuesOf({ ...row, s: 'end' }))}${delimiter}more`,
      (row) => withValue(row, 'id', 'oops'),
      (row) => withValue(row, 'n', '2.5'),
      (row) => withValue(row, 'n', '1e3'),
      (row) => withValue(row, 'n', '99999999999999999999'),
      (row) => withValue(row, 'x', 'one'),
      (row) => withValue(row, 'd', '2020-02-30'),
      (row) => withValue(row, 'd', '2020-02-20 10:00:00'),
      (row) => withValue(row, 'b', 'perhaps'),
      (row) => `${line(valuesOf(row).slice(0, 5))}${delimiter}"closed"early`,
      (row) => `${line(valuesOf(row).slice(0, 5))}${delimiter}"never closed`,
      (row) => `"${line(valuesOf({ ...row, s: 'open' }))}`,
      (row) => `${line(valuesOf(row).slice(0, 5))}${delimiter}re\rturn`,
      (row) => Buffer.from(`${line(valuesOf(row).slice(0, 5))}${delimiter}\xff\xfe`, 'latin1'),
    ],
  }
}

function ndjson(): Format {
  const write = (row: Row) => JSON.stringify(row)
  const withValue = (row: Row, values: Record<string, unknown>) => JSON.stringify({ ...row, ...values })
  return {
    head: undefined,
    write,
    damages: [
      (row, random) => write(row).slice(0, 2 + random(write(row).length - 3)),
      (row) => `${write(row)},`,
      (row) => `${write(row)} ${write(row)}`,
      (row) => `[${write(row)}]`,
      () => 'null',
      () => 'no JSON',
      (row) => withValue(row, { id: 'oops' }),
      (row) => withValue(row, { n: 2.5 }),
      (row) => withValue(row, { n: true }),
      (row) => withValue(row, { n: 1e20 }),
      (row) => withValue(row, { x: 'one' }),
      (row) => withValue(row, { x: [1] }),
      (row) => withValue(row, { d: '2020-02-30' }),
      (row) => withValue(row, { d: '2020-02-20 10:00:00' }),
      (row) => withValue(row, { b: 'perhaps' }),
      (row) => write({ ...row, s: 'here' }).replace('here', '\\ud800'),
      (row) => Buffer.from(write({ ...row, s: 'here' }).replace('here', '\xff'), 'latin1'),
    ],
  }
}

interface Made {
  path: string
  rows: Row[]
  /** Lines at which rejected rows begin. */
  damaged: number[]
}

const linesIn = (text: string | Buffer) => text.toString('latin1').split('\n').length

/** A file of rows, damaged ones and blank lines between them. */
function makeFile(random: Random, name: string, format: Format, firstId: number, count: number): Made {
  const lineEnd = random(3) === 0 ? '\r\n' : '\n'
  const parts: Buffer[] = []
  const made: Made = { path: '', rows: [], damaged: [] }
  let line = 1
  const add = (text: string | Buffer) => {
    parts.push(Buffer.from(text), Buffer.from(lineEnd))
    line += linesIn(text)
  }
  if (format.head !== undefined) add(format.head)
  for (let k = 0; k < count; k++) {
    const row = newRow(random, firstId + k)
    if (random(5) === 0) {
      made.damaged.push(line)
      add(pick(random, format.damages)(row, random))
    } else {
      made.rows.push(row)
      add(format.write(row))
    }
    if (random(10) === 0) add('')
  }
  if (random(3) === 0) parts.pop()
  const bytes = Buffer.concat(parts)
  const packed = name.endsWith('.gz') ? gzipSync(bytes) : name.endsWith('.zst') ? zstdCompressSync(bytes) : bytes
  return { ...made, path: lab.text(packed, name) }
}

async function checkCase(seed: number, rowsAtMost: number): Promise<void> {
  const random = randomOf(seed)
  const isCsv = random(2) === 0
  const format = isCsv ? csv(pick(random, [',', ';', '\t', '|'])) : ndjson()
  const ending = `${isCsv ? 'csv' : 'ndjson'}${pick(random, ['', '', '.gz', '.zst'])}`
  const files = Array.from({ length: 1 + random(3) }, (_, k) =>
    makeFile(random, `case-${seed}/${k}.${ending}`, format, 1_000_000 * k, 1 + random(rowsAtMost)),
  )
  const table = `case_${seed}`
  const rejects = `${lab.dir}/rejects-${seed}.ndjson`
  const isThere = random(2) === 0
  if (isThere) {
    const columns = NAMES.map((name) => `CAST(NULL AS ${TYPES[name]}) AS ${name}`).join(', ')
    await lab.warehouse.import(table, [await lab.write(`SELECT ${columns} LIMIT 0`, `${table}.parquet`)])
  }
  const keys = !isThere && random(2) === 0 ? { actor: 's', time: 'd', buckets: 2 } : {}
  const paths = files.map(({ path }) => path)
  const done = await lab.warehouse.import(table, paths, { ...keys, ...(isThere ? {} : { types: TYPES }), rejects })
  const expected = files.flatMap(({ rows }) => rows)
  const damaged = files.flatMap(({ path, damaged: lines }) => lines.map((line) => ({ file: path, line })))
  const written = readFileSync(rejects, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((text) => JSON.parse(text))
  expect(written.map(({ file, line }) => ({ file, line }))).toEqual(damaged)
  for (const { reason } of written) expect(reason).toMatch(/\w/)
  expect(done).toMatchObject({ rows: expected.length, rejected: damaged.length })
  if (expected.length > 0 || isThere) {
    const { rows } = await lab.warehouse.sql(`SELECT id, n, x, d, b, s FROM ${table} ORDER BY id`)
    expect(rows).toEqual(expected)
    await lab.warehouse.drop(table)
  }
}

test('the damaged lines are rejected, and the others imported', { timeout: tortureTimeout(60_000) }, async () => {
  const first = tortureSeed()
  for (let k = 0; k < runs(12, 1500); k++) {
    await checkCase(first + k, 40).catch((cause: unknown) => {
      throw new Error(`seed ${first + k}: ${cause instanceof Error ? cause.message : cause}`, { cause })
    })
  }
})

test('also where records lie across the parts that are read', { timeout: tortureTimeout(60_000) }, async () => {
  const first = tortureSeed() + 1_000_000
  for (let k = 0; k < runs(1, 25); k++) {
    await checkCase(first + k, 60_000).catch((cause: unknown) => {
      throw new Error(`seed ${first + k}: ${cause instanceof Error ? cause.message : cause}`, { cause })
    })
  }
})
