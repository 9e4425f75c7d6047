/** What every pool does with attempts at tasks: one suite for all of them. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Stage } from '../../src/planner/plan.ts'
import type { Pool, TaskResult } from '../../src/pool/pool.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import type { BehaviourOutcome } from '../../src/worker/behaviour-task.ts'
import { failure, type Lab, openLab, scanOf } from './import-lab.ts'
import {
  begin,
  ENDLESS,
  IDLE_MS,
  idleCpuMs,
  leftovers,
  POOLS,
  poolSettings,
  resultOf,
  SOON_MS,
  sqlMessage,
  stageMessages,
  until,
} from './pool-lab.ts'

const ROWS = 20_000
const EVENTS = `SELECT i AS id, 'u' || i % 500 AS who, i AS ts, ['a', 'b', 'c'][1 + i % 3] AS event,
  CASE WHEN i % 10 > 0 THEN i / 8 END AS v FROM range(${ROWS}) t(i)`
const KEYS = { actor: 'who', time: 'ts' }
const STEPS = {
  query: {
    conditions: [{ filter: ['event', '==', 'a'], target: ['count', '>', 10] }],
    aggregations: [{ column: 'v', type: 'sum' }],
  },
}

let lab: Lab
let divided: Warehouse
beforeAll(async () => {
  lab = await openLab()
  await lab.warehouse.import('stored', [await lab.write(EVENTS)], { ...KEYS, buckets: 4 })
  await lab.write(EVENTS, 'folder/a.parquet')
  await lab.warehouse.register('scattered', join(lab.dir, 'folder'), KEYS)
  divided = await lab.open({ SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '3000' })
})
afterAll(async () => {
  await divided.close()
  await lab.close()
})

/** The first stage of the plan of a query. */
async function firstStage(sql: string): Promise<Stage> {
  return (await divided.explain(sql)).stages![0]!
}

/** Rows that came inline, as lists of values. */
function inlineRows(results: readonly TaskResult[]): unknown[][] {
  return results.flatMap(({ rows }) => Array.from({ length: rows.count }, (_, k) => rows.inline!.map((c) => c[k])))
}

/** What caused an error, without figures of one engine. */
function causeOf({ cause }: Error): string | undefined {
  return cause instanceof Error ? cause.message.split(/[(\n]/)[0] : undefined
}

const byFirst = (a: unknown[], b: unknown[]) => Number(a[0]) - Number(b[0])

describe.each(POOLS)('the pool "$name"', ({ make, here }) => {
  const settings = poolSettings()
  let pool: Pool
  beforeAll(() => {
    pool = make(lab.root, settings)
  })
  afterAll(() => pool[Symbol.asyncDispose]())

  /** A new pool that `use` may break. */
  async function withFresh<T>(use: (fresh: Pool) => Promise<T>): Promise<T> {
    await using fresh = make(newRoot(), settings)
    return await use(fresh)
  }

  let roots = 0
  function newRoot(): string {
    const root = join(lab.dir, `root-${++roots}`)
    mkdirSync(root, { recursive: true })
    return root
  }

  test.each(['stored', 'scattered'])('gives the exact rows of SQL over files of a table that is %s', async (table) => {
    const stage = await firstStage(`SELECT id, event, v FROM ${table} WHERE id % 97 = 3`)
    expect(stage.tasks.length).toBeGreaterThan(3)
    const results = await Promise.all(stageMessages(stage).map((message) => resultOf(pool, message)))
    const judged = await lab.duck.runAndReadAll(`SELECT id, event, v FROM (${EVENTS}) WHERE id % 97 = 3 ORDER BY id`)
    const expected = judged
      .getRowsJS()
      .map((row) => row.map((value) => (typeof value === 'bigint' ? Number(value) : value)))
    expect(inlineRows(results).toSorted(byFirst)).toEqual(expected)
  })

  test.each(['stored', 'scattered'])('runs a behavioural query on a table that is %s', async (table) => {
    const { stages } = await divided.explainQuery(table, STEPS as never)
    const messages = stageMessages(stages[0]!)
    const results = await Promise.all(messages.map((message) => resultOf(pool, message)))
    if (table === 'scattered') {
      const given = results.reduce((sum, { rows }) => sum + rows.count, 0)
      expect(given).toBe(ROWS)
      return
    }
    const outcomes = results.map(({ outcome }) => outcome as BehaviourOutcome)
    expect(outcomes.reduce((sum, { rows }) => sum + rows, 0)).toBe(ROWS)
    expect(outcomes.reduce((sum, { actors }) => sum + actors, 0)).toBe(500)
    await using reference = POOLS[0]!.make(lab.root, settings)
    for (const [k, message] of messages.entries()) {
      const { totals, rows, actors, tables } = (await resultOf(reference, message)).outcome as BehaviourOutcome
      expect(outcomes[k]).toMatchObject({ totals, rows, actors })
      expect(Object.keys(outcomes[k]!.tables)).toEqual(Object.keys(tables))
    }
  })

  test('gives few rows inline and many in objects, as plain JSON', async () => {
    const columns = 'n BIGINT, x DOUBLE, s VARCHAR'
    const rows = (count: number) =>
      `SELECT i - 2 AS n, [0.1, 'NaN'::DOUBLE, '-0'::DOUBLE, NULL][1 + i % 4] AS x, 'é' || i AS s FROM range(${count}) t(i)`
    const few = await resultOf(pool, sqlMessage(rows(4), columns))
    expect(few.rows.inline).toEqual([
      [-2, -1, 0, 1],
      [0.1, 'NaN', '-0', null],
      ['é0', 'é1', 'é2', 'é3'],
    ])
    const message = sqlMessage(rows(5000), columns)
    const many = await resultOf(pool, message)
    expect(many.attempt).toBe(message.attempt)
    expect(many.rows).toMatchObject({ count: 5000, columns: few.rows.columns })
    const objects = many.rows.objects!
    for (const { name } of objects) expect(name.startsWith(`${message.attempt}/`)).toBe(true)
    const paths = objects.map(({ name }) => join(lab.root, '.exchange/query', name))
    expect(await lab.judge(`SELECT count(*) FROM ${scanOf(paths)}`)).toEqual([['5000']])
    for (const result of [few, many]) {
      expect(JSON.parse(JSON.stringify(result))).toEqual(result)
      expect(structuredClone(result)).toEqual(result)
    }
  })

  test('runs as many as it has slots side by side, each giving signs of life', async () => {
    const heard = Array.from({ length: pool.slots }, () => begin(pool, sqlMessage(ENDLESS)))
    await until(() => heard.every(({ beats }) => beats.length >= 3))
    for (const { beats } of heard) for (const done of beats) expect(done >= 0 && done <= 1).toBe(true)
    for (const { stop } of heard) stop()
    for (const { result } of heard) expect(await failure(() => result)).toMatchObject({ code: 'CANCELLED' })
  })

  test('takes more than it has slots, of several queries, and gives each its own answer', async () => {
    const messages = Array.from({ length: pool.slots * 8 }, (_, k) =>
      sqlMessage('SELECT sum(i + $1) AS n FROM range(10000) t(i)', 'n HUGEINT', { query: `query-${k % 3}` }),
    )
    const results = messages.map((message, k) =>
      resultOf(pool, { ...message, work: { ...message.work, params: { 1: k } } as never }),
    )
    for (const [k, result] of (await Promise.all(results)).entries()) {
      expect(result).toMatchObject({
        attempt: messages[k]!.attempt,
        rows: { inline: [[`${49_995_000 + 10_000 * k}`]] },
      })
    }
  })

  test('gives signs of life in time', async () => {
    const started = performance.now()
    const heard = begin(pool, sqlMessage(ENDLESS))
    await until(() => heard.beats.length >= 10)
    expect(performance.now() - started).toBeLessThan(10 * settings.taskBeatMs + SOON_MS)
    heard.stop()
    await failure(() => heard.result)
  })

  test('ends a long statement soon when it is aborted, and goes on with others', async () => {
    const other = begin(pool, sqlMessage(ENDLESS))
    const heard = begin(pool, sqlMessage(ENDLESS))
    await until(() => heard.beats.length > 0 && other.beats.length > 0)
    const aborted = performance.now()
    heard.stop()
    expect(await failure(() => heard.result)).toMatchObject({ code: 'CANCELLED', details: {} })
    expect(performance.now() - aborted).toBeLessThan(SOON_MS)
    const before = other.beats.length
    await until(() => other.beats.length > before)
    other.stop()
    await failure(() => other.result)
    expect((await resultOf(pool, sqlMessage('SELECT 7::BIGINT AS n'))).rows.inline).toEqual([[7]])
    if (here) expect(await idleCpuMs()).toBeLessThan(IDLE_MS)
  })

  test('does not begin what was aborted before, or while it waits', async () => {
    const calls = { signal: AbortSignal.abort(), onBeat: () => {} }
    expect(await failure(() => pool.run(sqlMessage(ENDLESS), calls))).toMatchObject({ code: 'CANCELLED' })
    const heard = Array.from({ length: pool.slots * 3 }, () => begin(pool, sqlMessage(ENDLESS)))
    for (const { stop } of heard) stop()
    for (const { result } of heard) expect(await failure(() => result)).toMatchObject({ code: 'CANCELLED' })
    if (here) expect(await idleCpuMs()).toBeLessThan(IDLE_MS)
  })

  describe('comes back with an error as it is', () => {
    let reference: Pool
    beforeAll(() => {
      reference = POOLS[0]!.make(lab.root, settings)
    })
    afterAll(() => reference[Symbol.asyncDispose]())

    test.each([
      ['SQL_INVALID', `SELECT CAST('x' || i AS INTEGER)::BIGINT AS n FROM range(3) t(i)`],
      ['SQL_INVALID', 'SELECT 9223372036854775807 + i AS n FROM range(3) t(i)'],
      ['SQL_INVALID', `SELECT error('mine ' || i)::BIGINT AS n FROM range(3) t(i)`],
      ['SQL_INVALID', 'SELECT nothing AS n'],
      ['MEMORY_LIMIT', 'SELECT len(list(i)) AS n FROM range(1000000000) t(i)'],
      ['MEMORY_LIMIT', `SELECT length(repeat('x', 4000000000))::BIGINT AS n`],
    ])('%s of %s', async (code, sql) => {
      const [mine, theirs] = [
        await failure(() => resultOf(pool, sqlMessage(sql))),
        await failure(() => resultOf(reference, sqlMessage(sql))),
      ]
      expect(mine.code).toBe(code)
      expect(mine.toJSON()).toEqual(theirs.toJSON())
      expect(causeOf(mine)).toBe(causeOf(theirs))
    })

    test('of a file that is gone', async () => {
      const stage = await firstStage('SELECT id FROM stored WHERE id % 97 = 3')
      const [message] = stageMessages(stage)
      const files = { stored: message!.task.files.stored!.map((file) => ({ ...file, path: 'tables/gone.parquet' })) }
      const gone = { ...message!, task: { ...message!.task, files } }
      const [mine, theirs] = [await failure(() => resultOf(pool, gone)), await failure(() => resultOf(reference, gone))]
      expect(mine.code).toBe('FILE_INVALID')
      expect(mine.toJSON()).toEqual(theirs.toJSON())
    })
  })

  test('keeps two warehouses apart', async () => {
    const elsewhere = newRoot()
    await using other = make(elsewhere, settings)
    const many = (sign: string) =>
      sqlMessage(`SELECT ${sign}i AS n FROM range(5000) t(i)`, 'n BIGINT', { attempt: 'same' })
    const results = await Promise.all([resultOf(pool, many('')), resultOf(other, many('-'))])
    const sums = [lab.root, elsewhere].map((root, k) => {
      const paths = results[k]!.rows.objects!.map(({ name }) => join(root, '.exchange/query', name))
      return lab.judge(`SELECT sum(COLUMNS(*)) FROM ${scanOf(paths)}`)
    })
    expect(await Promise.all(sums)).toEqual([[['12497500']], [['-12497500']]])
    const stage = await firstStage('SELECT id FROM stored WHERE id % 97 = 3')
    const [message] = stageMessages(stage)
    expect((await resultOf(pool, message!)).rows.count).toBeGreaterThan(0)
    expect(await failure(() => resultOf(other, message!))).toMatchObject({ code: 'FILE_INVALID' })
  })

  describe('that is disposed of', () => {
    test.each(['at once', 'while they run'])('ends its tasks: %s', async (when) => {
      const fresh = make(newRoot(), settings)
      const heard = Array.from({ length: fresh.slots + 2 }, () => begin(fresh, sqlMessage(ENDLESS)))
      if (when === 'while they run') await until(() => heard.every(({ beats }) => beats.length > 0))
      const ended = performance.now()
      const ending = fresh[Symbol.asyncDispose]()
      for (const { result } of heard) expect(await failure(() => result)).toMatchObject({ code: 'CANCELLED' })
      await ending
      if (when === 'while they run') expect(performance.now() - ended).toBeLessThan(SOON_MS)
      expect(await failure(() => resultOf(fresh, sqlMessage(ENDLESS)))).toMatchObject({ code: 'CANCELLED' })
      await fresh[Symbol.asyncDispose]()
      if (here) expect(await idleCpuMs()).toBeLessThan(IDLE_MS)
    })

    test('leaves nothing that it spilled', async () => {
      const root = newRoot()
      const fresh = make(root, settings)
      const sorted = 'SELECT i AS n FROM range(300000000) t(i) ORDER BY hash(i)'
      const heard = Array.from({ length: fresh.slots }, () => begin(fresh, sqlMessage(sorted)))
      await until(() => leftovers(root).some((path) => path.includes('duckdb_temp')))
      await fresh[Symbol.asyncDispose]()
      for (const { result } of heard) expect(await failure(() => result)).toMatchObject({ code: 'CANCELLED' })
      // A statement that was given up is left to itself until it notices.
      await until(
        () => leftovers(root).length <= 1,
        SOON_MS,
        () => leftovers(root),
      )
      expect(leftovers(root).filter((path) => path !== '.tmp')).toEqual([])
    })

    test('without having been used ends at once', () => withFresh(async () => undefined))
  })
})
