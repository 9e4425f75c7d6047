/** Folders that others change: what is noticed, what is read again, and that no answer mixes states. */
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import fs from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSkepError } from '../../src/errors.ts'
import { runs, tortureTimeout } from '../torture.ts'
import { countCalls } from './file-calls.ts'
import { failure, type Lab, openLab, scanOf } from './import-lab.ts'

let lab: Lab
let folders = 0

beforeAll(async () => {
  lab = await openLab()
  // The judge would else answer from what it kept of a file that was written in place, of the same size, a moment ago.
  await lab.duck.run('SET enable_external_file_cache = false')
})

afterAll(async () => {
  await lab.close()
})

const keys = { actor: 'who', time: 'ts' }
/** Files of one `seed` and size differ in their values only: they have the same number of bytes. */
const rows = (from: number, many = 100) =>
  `SELECT ${from} + i AS who, i AS ts, hash(i)::VARCHAR AS text FROM range(${many}) t(i)`
const PLAIN = 'FORMAT parquet, COMPRESSION uncompressed'

async function folderOf(files: Record<string, string>): Promise<string> {
  const name = `c${++folders}`
  for (const [file, select] of Object.entries(files)) await lab.write(select, `${name}/${file}`, PLAIN)
  await lab.warehouse.register(name, `${lab.dir}/${name}`, keys)
  return name
}

const state = async (name: string) => {
  const { rows: found } = await lab.warehouse.sql(
    `SELECT count(*) AS n, min(who) AS low, max(who) AS high FROM ${name}`,
  )
  return Object.values(found[0]!)
}
const isTogether = async (name: string) => (await lab.warehouse.describe(name)).actorsTogether

describe('what is noticed', () => {
  const changes: [what: string, change: (dir: string) => Promise<void>, after: number[], together: boolean][] = [
    ['nothing', async () => {}, [200, 0, 1099], true],
    ['a file added', async (dir) => void (await write(dir, 'c', 2000)), [300, 0, 2099], false],
    ['a file removed', async (dir) => rmSync(`${dir}/a.parquet`), [100, 1000, 1099], true],
    ['a file added in a new folder', async (dir) => void (await write(dir, 'x/y/c', 2000)), [300, 0, 2099], false],
    ['a file that does not count', async (dir) => writeFileSync(`${dir}/notes.txt`, 'x'), [200, 0, 1099], true],
    ['a file in a hidden folder', async (dir) => void (await write(dir, '_x/c', 2000)), [200, 0, 1099], true],
    ['a file written in place', async (dir) => void (await write(dir, 'a', 5000)), [200, 1000, 5099], false],
    ['a file replaced by a rename', (dir) => replace(dir, 5000, 'rename', false), [200, 1000, 5099], false],
    ['… of the same size and time', (dir) => replace(dir, 5000, 'rename', true), [200, 1000, 5099], false],
    ['… in place, of the same size and time', (dir) => replace(dir, 5000, 'copy', true), [200, 1000, 5099], false],
    ['a file renamed', async (dir) => renameSync(`${dir}/a.parquet`, `${dir}/z.parquet`), [200, 0, 1099], false],
    ['a folder renamed', async (dir) => renameSync(`${dir}/sub`, `${dir}/bus`), [200, 0, 1099], false],
    ['a folder removed', async (dir) => rmSync(`${dir}/sub`, { recursive: true }), [100, 0, 99], true],
  ]
  const write = (dir: string, name: string, from: number) =>
    lab.write(rows(from), `${dir.slice(lab.dir.length + 1)}/${name}.parquet`, PLAIN)
  async function replace(dir: string, from: number, how: 'rename' | 'copy', sameTime: boolean): Promise<void> {
    const path = `${dir}/a.parquet`
    const { atime, mtime, size } = statSync(path)
    const other = await lab.write(rows(from), `other-${++folders}.parquet`, PLAIN)
    expect(statSync(other).size).toBe(size)
    if (how === 'rename') renameSync(other, path)
    else copyFileSync(other, path)
    if (sameTime) utimesSync(path, atime, mtime)
  }

  test.for(changes)('%s', async ([, change, after, together]) => {
    const name = await folderOf({ 'a.parquet': rows(0), 'sub/b.parquet': rows(1000) })
    expect(await state(name)).toEqual([200, 0, 1099])
    expect(await isTogether(name)).toBe(true)
    await change(`${lab.dir}/${name}`)
    // A WHERE clause that the old bounds would answer with no file at all, and one that needs them all.
    const { rows: found } = await lab.warehouse.sql(`SELECT count(*) AS n FROM ${name} WHERE who >= 2000`)
    expect(found[0]!.n).toBe(after[2]! >= 2000 ? 100 : 0)
    expect(await state(name)).toEqual(after)
    expect(await isTogether(name)).toBe(together)
    // Another process knows only what was registered.
    const other = await lab.open({})
    expect((await other.sql(`SELECT count(*) AS n FROM ${name}`)).rows[0]!.n).toBe(after[0])
    await other.close()
  })

  test('footers that the engine keeps are not those of an older file, whatever its size and times', async () => {
    const name = await folderOf({ 'a.parquet': rows(0) })
    const path = `${lab.dir}/${name}/a.parquet`
    const old = new Date('2020-01-01')
    for (const from of [1000, 2000, 3000, 1000]) {
      copyFileSync(await lab.write(rows(from), `other-${++folders}.parquet`, PLAIN), path)
      utimesSync(path, old, old)
      expect(await state(name)).toEqual([100, from, from + 99])
      expect((await lab.warehouse.sql(`SELECT count(*) AS n FROM ${name} WHERE who >= ${from + 50}`)).rows[0]!.n).toBe(
        50,
      )
      if (from === 2000) {
        await lab.warehouse.unregister(name)
        await lab.warehouse.register(name, `${lab.dir}/${name}`, keys)
      }
    }
  })

  test('a link is no file, nor a way out of the folder', async () => {
    const name = await folderOf({ 'a.parquet': rows(0) })
    const outside = await lab.write(rows(9000), `other-${++folders}.parquet`, PLAIN)
    await fs.symlink(outside, `${lab.dir}/${name}/b.parquet`)
    expect(await state(name)).toEqual([100, 0, 99])
    await write(`${lab.dir}/${name}`, 'c', 100)
    rmSync(`${lab.dir}/${name}/a.parquet`)
    await fs.symlink(outside, `${lab.dir}/${name}/a.parquet`)
    expect(await state(name)).toEqual([100, 100, 199])
  })
})

describe('what is read again', () => {
  test('nothing while nothing changes; then only what is new', async () => {
    const files = Object.fromEntries(Array.from({ length: 30 }, (_, k) => [`d${k % 3}/${k}.parquet`, rows(k * 1000)]))
    const name = await folderOf(files)
    const first = await countCalls(lab.dir, () => state(name))
    expect(first).toMatchObject({ result: [3000, 0, 29_099], listed: [], opened: [] })
    const other = await lab.open({})
    const elsewhere = await countCalls(lab.dir, () => other.sql(`SELECT count(*) AS n FROM ${name} WHERE who = 5`))
    expect(elsewhere).toMatchObject({ result: { stats: { files: 1, filesPruned: 29 } }, listed: [], opened: [] })
    await other.close()
    await lab.write(rows(90_000), `${name}/d1/new.parquet`, PLAIN)
    await lab.write(rows(95_000), `${name}/d2/2.parquet`, PLAIN)
    await setTimeout(50)
    const then = await countCalls(lab.dir, () => state(name))
    expect(then.result).toEqual([3100, 0, 95_099])
    expect(then.opened.map((path) => path.split('/').slice(-2).join('/')).sort()).toEqual([
      'd1/new.parquet',
      'd2/2.parquet',
    ])
    // DuckDB writes beside a file and renames, so both folders have changed; the third has not.
    expect(then.listed.filter((path) => path.endsWith('/d0'))).toEqual([])
    const last = await countCalls(lab.dir, () => state(name))
    expect(last).toMatchObject({ result: [3100, 0, 95_099], listed: [], opened: [] })
  })

  test('columns that come and go, and types that widen and narrow again', async () => {
    const name = await folderOf({
      'a.parquet': 'SELECT 1::INTEGER AS who, 1 AS ts',
      'b.parquet': 'SELECT 2::INTEGER AS who, 2 AS ts',
    })
    const describe = async () =>
      (await lab.warehouse.describe(name)).columns.map(({ name: c, type, max }) => [c, type, max])
    await lab.write(`SELECT 3::BIGINT AS who, 3 AS ts, 'x' AS extra`, `${name}/c.parquet`)
    expect(await describe()).toEqual([
      ['who', 'BIGINT', 3],
      ['ts', 'INTEGER', 3],
      ['extra', 'VARCHAR', 'x'],
    ])
    const { rows: found } = await lab.warehouse.sql(`SELECT who, extra FROM ${name} ORDER BY who`)
    expect(found.map((row) => [row.who, row.extra])).toEqual([
      [1, null],
      [2, null],
      [3, 'x'],
    ])
    expect((await lab.warehouse.sql(`SELECT who FROM ${name} WHERE extra IS NOT NULL`)).stats.files).toBe(1)
    await lab.write(`SELECT 0.5::DOUBLE AS ts, 4 AS who`, `${name}/d.parquet`)
    expect((await describe())[1]).toEqual(['ts', 'DOUBLE', 3])
    expect((await lab.warehouse.sql(`SELECT who FROM ${name} WHERE ts < 1`)).rows).toEqual([{ who: 4 }])
    for (const file of ['c', 'd']) rmSync(`${lab.dir}/${name}/${file}.parquet`)
    expect(await describe()).toEqual([
      ['who', 'INTEGER', 2],
      ['ts', 'INTEGER', 2],
    ])
    expect((await lab.warehouse.sql(`SELECT who FROM ${name} WHERE ts < 2`)).rows).toEqual([{ who: 1 }])
  })
})

describe('binary columns whose files have bloom filters', () => {
  test('every value is found', async () => {
    const value = (k: number | string) => `unhex(md5('k' || ${k}))`
    const select = `SELECT i AS who, i AS ts, ${value('i % 200')} AS b FROM range(8000) t(i) ORDER BY i % 200`
    const name = `c${++folders}`
    await lab.write(select, `${name}/a.parquet`, 'FORMAT parquet, ROW_GROUP_SIZE 2048')
    await lab.warehouse.register(name, `${lab.dir}/${name}`, keys)
    const path = `${lab.dir}/${name}/a.parquet`
    const filters = await lab.judge(
      `SELECT count(bloom_filter_offset) > 0 FROM parquet_metadata('${path}') WHERE path_in_schema = 'b'`,
    )
    expect(filters).toEqual([[true]])
    for (let k = 0; k < 200; k += 7) {
      for (const where of [
        `b = ${value(k)}`,
        `b IN (${value(k)})`,
        `b IN (SELECT ${value(k)})`,
        `b = (SELECT ${value(k)})`,
        `b >= ${value(k)} AND b <= ${value(k)}`,
      ]) {
        const { rows: found } = await lab.warehouse.sql(`SELECT count(*) AS n FROM ${name} WHERE ${where}`)
        expect(found, where).toEqual([{ n: 40 }])
      }
    }
    const joined = `SELECT count(*) AS n FROM ${name} JOIN (SELECT ${value(3)} AS b) USING (b)`
    expect((await lab.warehouse.sql(joined)).rows).toEqual([{ n: 40 }])
  })
})

/** Replaces files by renames and in place, and takes them away for moments, until it is told to end. */
const WRITER = `
  const { workerData, parentPort } = require('node:worker_threads')
  const { copyFileSync, renameSync, rmSync, utimesSync } = require('node:fs')
  const { dir, sources, pauseMs, seed } = workerData
  let state = seed
  const random = (n) => (state = (state * 48271) % 2147483647) % n
  let on = true, changes = 0
  parentPort.on('message', () => { on = false })
  const step = () => {
    if (!on) { parentPort.postMessage(changes); return parentPort.close() }
    const path = dir + '/' + random(4) + '.parquet'
    const source = sources[random(sources.length)]
    const way = random(4)
    if (way === 0) copyFileSync(source, path)
    else if (way === 1 && random(3) === 0) rmSync(path, { force: true })
    else { copyFileSync(source, dir + '/.next'); utimesSync(dir + '/.next', 1e9, 1e9); renameSync(dir + '/.next', path) }
    changes++
    setTimeout(step, random(pauseMs))
  }
  step()
`

describe('while a writer replaces files', () => {
  test('every answer is of whole files, or a coded error', { timeout: tortureTimeout(60_000) }, async () => {
    const dir = `${lab.dir}/writer`
    mkdirSync(dir)
    // A state of a file: 3,000 rows, of 1,500 actors, of one generation.
    const sources: string[] = []
    for (let g = 0; g < 5; g++) {
      const select = `SELECT i // 2 AS who, i AS ts, ${g} AS generation, (${g} * 7 + i)::BIGINT AS value,
        CASE WHEN i % 2 = 0 THEN 'one' ELSE 'two' END AS event FROM range(3000) t(i)`
      sources.push(await lab.write(select, `sources/${g}.parquet`, `${PLAIN}, ROW_GROUP_SIZE 2048`))
    }
    for (let k = 0; k < 4; k++) copyFileSync(sources[k]!, `${dir}/${k}.parquet`)
    await lab.warehouse.register('writer', dir, keys)
    const writer = new Worker(WRITER, { eval: true, workerData: { dir, sources, pauseMs: 120, seed: 7 } })
    const outcomes = { right: 0, errors: 0 }
    const until = performance.now() + runs(6_000, 180_000)
    // On a machine that is slow enough every answer is overtaken: then a little longer.
    while (performance.now() < until + (outcomes.right === 0 ? 30_000 : 0)) {
      try {
        const { rows: found } = await lab.warehouse.sql(
          `SELECT generation, count(*) AS n, sum(value - generation * 7 - ts) AS wrong, sum(ts) AS total FROM writer GROUP BY ALL`,
        )
        for (const { n, wrong, total } of found) {
          expect([Number(n) % 3000, Number(wrong)]).toEqual([0, 0])
          expect(Number(total)).toBe((Number(n) / 3000) * 4_498_500)
        }
        const sequence = [{ filter: ['event', '==', 'one'] }, { filter: ['event', '==', 'two'] }]
        const { funnel } = await lab.warehouse.query('writer', { funnel: { sequence } } as never)
        expect(funnel!.sequence.map(({ matchingGroups }) => matchingGroups)).toEqual([1500, 1500])
        outcomes.right++
      } catch (error) {
        if (!isSkepError(error)) throw error
        // A file that is written in place is cut off for a moment, and then is no Parquet file.
        expect(['FOLDER_CHANGED', 'FILE_NOT_FOUND', 'FILE_INVALID'], `${error.code}: ${error.message}`).toContain(
          error.code,
        )
        outcomes.errors++
      }
    }
    const changes = await new Promise<number>((done) => {
      writer.once('message', done)
      writer.postMessage('end')
    })
    await writer.terminate()
    console.log(`files replaced under queries: ${changes} changes, ${outcomes.right} right, ${outcomes.errors} refused`)
    expect(changes).toBeGreaterThan(10)
    expect(outcomes.right).toBeGreaterThan(0)
  })

  test('a file that never comes to rest is an error, not a wait', async () => {
    const name = await folderOf({ 'a.parquet': rows(0) })
    const path = `${lab.dir}/${name}/a.parquet`
    const bytes = readFileSync(path)
    const writing = setInterval(() => writeFileSync(path, bytes), 1)
    try {
      const started = performance.now()
      const outcome = await lab.warehouse.sql(`SELECT count(*) AS n FROM ${name}`).catch((error: unknown) => error)
      if (isSkepError(outcome)) expect(outcome).toMatchObject({ code: 'FOLDER_CHANGED', kind: 'conflict' })
      else expect(outcome).toMatchObject({ rows: [{ n: 100 }] })
      expect(performance.now() - started).toBeLessThan(20_000)
    } finally {
      clearInterval(writing)
    }
    expect(await state(name)).toEqual([100, 0, 99])
  })

  test('a file that vanishes while its rows are streamed', async () => {
    const name = await folderOf({ 'a.parquet': rows(0, 200_000), 'b.parquet': rows(500_000, 200_000) })
    await using stream = await lab.warehouse.stream(`SELECT * FROM ${name}`)
    const error = await failure(async () => {
      for await (const batch of stream.batches) {
        expect(batch.length).toBeGreaterThan(0)
        rmSync(`${lab.dir}/${name}/b.parquet`, { force: true })
      }
    })
    expect(error.code).toBe('FOLDER_CHANGED')
  })
})

test('any changes of a folder: queries see what DuckDB sees', { timeout: tortureTimeout(60_000) }, async () => {
  const place = fc.constantFrom('a', 'b', 'x/a', 'x/b', 'y/z/a', '_k=1/a')
  const change = fc.oneof(
    fc.record({ kind: fc.constant('write' as const), place, from: fc.nat(9), many: fc.nat(3) }),
    fc.record({ kind: fc.constant('copy' as const), place, from: fc.nat(9), many: fc.nat(3) }),
    fc.record({ kind: fc.constant('remove' as const), place }),
    fc.record({ kind: fc.constant('move' as const), place, to: place }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 8 }), async (changes) => {
      const name = `c${++folders}`
      const dir = `${lab.dir}/${name}`
      const select = (from: number, many: number) =>
        `SELECT i AS who, ${from} + i AS ts, '${from}' AS text FROM range(${many}) t(i)`
      await lab.write(select(0, 3), `${name}/keep.parquet`, PLAIN)
      await lab.warehouse.register(name, dir, keys)
      const present = new Set(['keep'])
      for (const step of changes) {
        const path = `${dir}/${step.place}.parquet`
        if (step.kind === 'remove') rmSync(path, { force: true })
        else if (step.kind === 'move') {
          if (!present.has(step.place) || step.to === step.place) continue
          mkdirSync(`${dir}/${step.to}`.replace(/\/[^/]*$/, ''), { recursive: true })
          renameSync(path, `${dir}/${step.to}.parquet`)
          present.add(step.to)
        } else {
          const made = await lab.write(select(step.from * 10, step.many), `made-${++folders}.parquet`, PLAIN)
          mkdirSync(path.replace(/\/[^/]*$/, ''), { recursive: true })
          if (step.kind === 'copy') copyFileSync(made, path)
          else renameSync(made, path)
        }
        if (step.kind === 'remove' || step.kind === 'move') present.delete(step.place)
        else present.add(step.place)
        await compare(
          name,
          [...present].map((file) => `${dir}/${file}.parquet`),
          present.has('_k=1/a'),
        )
      }
      await lab.warehouse.unregister(name)
      rmSync(dir, { recursive: true })
    }),
    { numRuns: runs(12, 400) },
  )
})

async function compare(name: string, paths: string[], isMixed: boolean): Promise<void> {
  if (isMixed && paths.length > 1) {
    // One file lies in a folder of a partition, others do not.
    expect((await failure(() => lab.warehouse.sql(`FROM ${name}`))).code).toBe('SCHEMA_MISMATCH')
    return
  }
  for (const [where, order] of [
    ['true', 'ALL'],
    ['ts BETWEEN 20 AND 41', 'ALL'],
    [`text = '30'`, 'ALL'],
  ]) {
    const { rows: found } = await lab.warehouse.sql(
      `SELECT who, ts, text FROM ${name} WHERE ${where} ORDER BY ${order}`,
    )
    const wanted = await lab.judge(`SELECT who, ts, text FROM ${scanOf(paths)} WHERE ${where} ORDER BY ${order}`)
    expect(found.map((row) => Object.values(row).map(String))).toEqual(wanted.map((row) => row.map(String)))
  }
}
