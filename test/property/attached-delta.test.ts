/** Attached tables against DuckDB over their files: pruning, pools and states in the past never change an answer. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { type Chance, chanceOf } from '../chance.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { DeltaLab, type Field } from '../delta-lab.ts'
import { comparable } from '../oracle/document.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
})
afterAll(async () => {
  await lab.close()
})

const FIELDS: Field[] = [
  ['region', 'string'],
  ['who', 'string'],
  ['day', 'date'],
  ['ts', 'timestamp'],
  ['n', 'long'],
  ['price', 'decimal(12,2)'],
  ['score', 'double'],
  ['late', 'integer'],
]
const COLUMNS = FIELDS.map(([name]) => name)

/** Rows around a place, so that files differ in their bounds. Long texts are cut in statistics, times to milliseconds. */
const rowsOf = (seed: number, count: number, late: boolean) => `SELECT
    CASE WHEN h % 11 = 0 THEN NULL ELSE repeat(chr((97 + (${seed} + h % 3) % 26)::INTEGER), 34) || (h % 7) END AS who,
    TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_microseconds(((${seed} * 86400000 + h % 90000000) * 1000 + h % 1000)::BIGINT) AS ts,
    (h % 1000 - ${seed} * 100)::BIGINT AS n,
    CASE WHEN h % 5 = 0 THEN NULL ELSE ((h % 100000)::DECIMAL(12,2) / 100 + ${seed})::DECIMAL(12,2) END AS price,
    CASE WHEN h % 50 = 0 THEN 'NaN'::DOUBLE ELSE h % 100 / 7.0 + ${seed} END AS score
    ${late ? ', (h % 4)::INTEGER AS late' : ''}
  FROM (SELECT (hash(i, ${seed}) % 1000000007)::BIGINT AS h FROM range(${count}) t(i))`

/** The statistics that Spark would write: texts cut to 32 characters, times to milliseconds. */
async function statsOf(path: string, late: boolean): Promise<object> {
  const columns = ['who', 'ts', 'n', 'price', 'score', ...(late ? ['late'] : [])]
  const text = (name: string, which: 'min' | 'max') =>
    name === 'who'
      ? which === 'min'
        ? `left(min(who), 32)`
        : `CASE WHEN len(max(who)) > 32 THEN left(max(who), 32) || chr(65533) ELSE max(who) END`
      : name === 'ts'
        ? `strftime(${which}(ts) AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%gZ')`
        : `CAST(${which}(${name}) AS VARCHAR)`
  const select = columns.flatMap((name) => [text(name, 'min'), text(name, 'max'), `count(*) - count(${name})`])
  const [row = []] = (await lab.judge(
    `SELECT count(*), ${select.join(', ')} FROM read_parquet('${path}')`,
  )) as string[][]
  const number = (name: string, value: unknown) =>
    value === null || name === 'who' || name === 'ts' || value === 'nan' || value === 'NaN'
      ? value === 'nan'
        ? 'NaN'
        : value
      : Number(value)
  const pick = (offset: number) =>
    Object.fromEntries(
      columns.flatMap((name, k) =>
        row[1 + 3 * k + offset] === null ? [] : [[name, number(name, row[1 + 3 * k + offset])]],
      ),
    )
  return {
    numRecords: Number(row[0]),
    minValues: pick(0),
    maxValues: pick(1),
    nullCount: Object.fromEntries(columns.map((name, k) => [name, Number(row[3 + 3 * k])])),
  }
}

interface Made {
  name: string
  /** The rows of each version, as DuckDB reads them. */
  versions: string[]
}

/** A table with a random history. */
async function randomTable(chance: Chance, name: string): Promise<Made> {
  const table = new DeltaLab(lab, name)
  const partitioned = chance.below(3) > 0
  const live = new Map<string, string>()
  const versions: string[] = []
  const all: Record<string, unknown>[] = []
  let late = false
  for (let version = 0; version < 5; version++) {
    const actions: Record<string, unknown>[] = []
    if (version === 0) actions.push(...table.begin(FIELDS, { partitionColumns: partitioned ? ['day', 'region'] : [] }))
    if (version > 1 && chance.below(3) === 0) late = true
    for (const path of [...live.keys()])
      if (chance.below(4) === 0) {
        actions.push(table.removed(encodeURI(path)))
        live.delete(path)
      }
    for (let k = chance.below(4); k >= 0; k--) {
      const seed = chance.below(12)
      const day = chance.below(5) === 0 ? null : `2026-01-0${1 + (seed % 5)}`
      const region = chance.pick([null, 'n orth', 'süd', 'x=y&z'])
      const path = `day=${day}/file ${version}-${k}.parquet`
      const rows = rowsOf(seed, 50 + chance.below(300), late)
      const inside = partitioned
        ? rows
        : `SELECT *, ${valueSql(region, 'VARCHAR')} AS region, ${valueSql(day, 'DATE')} AS day FROM (${rows})`
      const file = await lab.write(inside, `${name}/${path}`)
      const stats = chance.below(4) === 0 ? undefined : await statsOf(file, late)
      const partitionValues = partitioned ? { day, region } : {}
      actions.push(table.added(path, { uri: encodeURI(path), partitionValues, ...(stats && { stats }) }))
      const told = partitioned ? `${valueSql(day, 'DATE')} AS day, ${valueSql(region, 'VARCHAR')} AS region, ` : ''
      live.set(
        path,
        `SELECT ${told}*${late ? '' : ', NULL::INTEGER AS late'} FROM read_parquet('${file}', hive_partitioning = false)`,
      )
    }
    all.push(...actions)
    table.commit(actions)
    if (version === 2 && chance.below(2) === 0) {
      const gone = new Set(all.flatMap((a) => (a.remove ? [(a.remove as { path: string }).path] : [])))
      await table.checkpoint(
        all.filter((a) => !a.remove && !gone.has((a.add as { path: string } | undefined)?.path ?? '')),
        1 + chance.below(2),
      )
    }
    const union = [...live.values()].join(' UNION ALL BY NAME ')
    versions.push(`(SELECT ${COLUMNS.join(', ')} FROM (${union}))`)
  }
  await lab.warehouse.attach(name, table.root, { type: 'delta', actor: 'who', time: 'ts' })
  return { name, versions }
}

const valueSql = (value: string | null, type: string) => (value === null ? `NULL::${type}` : `'${value}'::${type}`)

function randomCondition(chance: Chance, depth = 0): string {
  if (depth < 2 && chance.below(3) === 0)
    return `(${randomCondition(chance, depth + 1)} ${chance.pick(['AND', 'OR'])} ${randomCondition(chance, depth + 1)})`
  const op = chance.pick(['<', '<=', '=', '>', '>='])
  const who = `repeat('${String.fromCharCode(97 + chance.below(16))}', ${chance.pick([1, 32, 34])}) || '${chance.below(7)}'`
  return chance.pick([
    `who ${op} ${who}`,
    `who LIKE '${String.fromCharCode(97 + chance.below(16)).repeat(chance.pick([1, 33]))}%'`,
    `region ${op} 'süd'`,
    `region IS ${chance.pick(['', 'NOT '])}NULL`,
    `day ${op} DATE '2026-01-0${1 + chance.below(6)}'`,
    `day IN (DATE '2026-01-02', DATE '2026-01-04')`,
    `ts ${op} TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_microseconds(${chance.below(13)} * 86400000000 + ${chance.below(90_000_000)}::BIGINT * 1000)`,
    `n ${op} ${chance.below(2000) - 1000}`,
    `price ${op} ${(chance.below(100_000) / 100).toFixed(2)}`,
    `score ${op} ${chance.below(20)}`,
    `late ${chance.pick(['IS NULL', 'IS NOT NULL', '= 2'])}`,
  ])
}

const DIGEST = `count(*)::INTEGER AS rows, CAST(sum(hash(${COLUMNS.join(', ')})) AS VARCHAR) AS digest`

test('queries of random tables in random states answer what DuckDB finds in their files', {
  timeout: tortureTimeout(120_000),
}, async () => {
  const seed = tortureSeed()
  let pruned = 0
  for (let k = 0; k < runs(6, 200); k++) {
    const chance = chanceOf(seed, k)
    const { name, versions } = await randomTable(chance, `random${k}`)
    for (let q = 0; q < 12; q++) {
      const at = chance.below(versions.length)
      const where = q === 0 ? 'true' : randomCondition(chance)
      const { rows, stats } = await lab.warehouse.sql(
        `SELECT ${DIGEST} FROM ${name} WHERE ${where}`,
        at === 4 && q % 2 ? {} : { at },
      )
      const [[rowsThere, digest] = []] = await lab.judge(`SELECT ${DIGEST} FROM ${versions[at]} WHERE ${where}`)
      pruned += stats.filesPruned
      expect(rows, `seed ${seed}, table ${k} at ${at}: ${where}`).toEqual([{ rows: rowsThere, digest }])
    }
  }
  expect(pruned).toBeGreaterThan(0)
})

describe('on every pool', () => {
  let table: Made
  let split: Warehouse
  beforeAll(async () => {
    table = await randomTable(chanceOf(7, 7), 'pooled')
    split = await lab.open({ SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '100' })
  })
  afterAll(async () => {
    await split.close()
  })

  /** A table of ours has no rows without an actor, of which others are warned. */
  const behaviourOf = (result: Parameters<typeof comparable>[0]) => ({
    ...(comparable(result) as object),
    warnings: [],
  })

  const TEXTS = [
    `SELECT region, day, count(*)::INTEGER AS c, sum(n)::BIGINT AS n, max(who) AS w FROM pooled GROUP BY ALL ORDER BY ALL`,
    `SELECT * FROM pooled ORDER BY ALL LIMIT 50`,
    `SELECT count(*)::INTEGER AS c, count(a.late)::INTEGER AS l FROM pooled a JOIN pooled b USING (who, n)`,
  ]
  const QUERIES: Record<string, BehaviouralQuery> = {
    'a funnel': { funnel: { sequence: [{ filter: ['n', '>', 0] }, { filter: ['price', '>', 500] }] } },
    'a filter on a partition': { query: { conditions: [{ filter: ['region', '==', 'süd'] }] } },
    'an aggregation': { query: { aggregations: [{ column: 'day' }, { column: 'n', type: 'sum' }] } },
  }

  test.for(['inline', 'threads'] as const)('%s: the same rows as in one engine', async (pool, { expect }) => {
    for (const text of TEXTS) {
      const whole = await lab.warehouse.sql(text)
      const divided = await split.sql(text, { pool })
      expect(divided.stats.tasks).toBeGreaterThan(1)
      expect(divided.rows).toEqual(whole.rows)
    }
  })

  test.for(['inline', 'threads'] as const)(
    '%s: the same behaviour as of a table of our own',
    async (pool, { expect }) => {
      const copy = await lab.write(`FROM ${table.versions.at(-1)} WHERE who IS NOT NULL`)
      await lab.warehouse.import(`own_${pool}`, [copy], { actor: 'who', time: 'ts' })
      for (const [what, query] of Object.entries(QUERIES)) {
        const own = behaviourOf(await lab.warehouse.query(`own_${pool}`, query))
        expect(behaviourOf(await lab.warehouse.query('pooled', query)), what).toEqual(own)
        expect(behaviourOf(await split.query('pooled', query, { pool })), `${what}, split`).toEqual(own)
      }
    },
  )
})
