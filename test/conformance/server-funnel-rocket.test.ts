/** Registering, listing and describing tables under the routes of Funnel Rocket: shapes as its own answers have them. */
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemSources } from '../../src/catalog/sources.ts'
import { VersionedLog } from '../../src/catalog/versioned-log.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { EVENTS, failure, type Json, KEYS, useDatasets } from './datasets-lab.ts'

const data = useDatasets()
const { ask, register, serve } = data

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/)

describe('POST /datasets/register', () => {
  test('answers as there', async () => {
    const before = Date.now()
    const answer = await register('shape', {
      basepath: `file://${data.folder}/`,
      pattern: '*.parquet',
      validationMode: 'FIRST_LAST',
    })
    expect(answer.status).toBe(200)
    expect(answer.type).toContain('application/json')
    const { stats, warnings, ...rest } = answer.json
    expect(rest).toEqual({
      success: true,
      requestId: expect.any(String),
      dataset: {
        basepath: data.folder,
        groupIdColumn: 'user_id',
        id: { name: 'shape', registeredAt: TIME },
        timestampColumn: 'ts',
        totalParts: 3,
      },
    })
    expect(warnings).toHaveLength(1)
    const at = Date.parse(rest.dataset.id.registeredAt)
    expect(at).toBeGreaterThanOrEqual(before)
    expect(at).toBeLessThanOrEqual(Date.now())
    expect(stats).toMatchObject({
      invoker: { totalTasks: 2, failedTasks: 0 },
      dataset: { parts: 3, totalSize: stats.bytes },
    })
    expect(stats.totalTime).toBeGreaterThan(0)
  })

  test.each([
    ['SINGLE', true, 1, false],
    ['FIRST_LAST', true, 2, false],
    ['SAMPLE', true, 3, false],
    ['ALL', true, 3, true],
    ['ALL', false, 1, false],
  ])('checks files in the mode %s, uniques %s', async (validation_mode, validate_uniques, tasks, together) => {
    const body = { name: 'modes', basepath: data.folder, group_id_column: 'user_id', timestamp_column: 'ts' }
    const { json } = await ask('POST', '/datasets/register', { ...body, validation_mode, validate_uniques })
    expect(json.stats).toMatchObject({ invoker: { totalTasks: tasks }, actorsTogether: together })
    expect((await ask('GET', '/datasets/modes/empty-query')).json.query).toEqual({
      matchingGroups: 270,
      matchingGroupRows: 2700,
    })
  })

  test('samples, and compares, when nothing is said', async () => {
    expect((await register('defaults')).json.stats.checkedFiles).toBe(3)
    expect((await data.lab.warehouse.describe('defaults')).actorsTogether).toBe(false)
  })

  test.each([true, false])(
    'keeps queries right where a group is in several files, compared %s',
    async (validateUniques) => {
      const scattered = join(data.lab.dir, 'scattered')
      for (const part of [0, 1])
        await data.lab.write(
          `SELECT i % 10 AS user_id, i * 2 + ${part} AS ts FROM range(50) t(i)`,
          `scattered/${part}.parquet`,
        )
      const { json } = await register('scattered', { basepath: scattered, validateUniques })
      expect(json.warnings).toHaveLength(1)
      const query = { query: { conditions: [{ filter: ['ts', '>=', 0], target: ['count', '==', 10] }] } }
      expect((await ask('POST', '/datasets/scattered/query', query)).json.query).toEqual({
        matchingGroups: 10,
        matchingGroupRows: 100,
      })
    },
  )

  test('puts a folder in the place of one of that name', async () => {
    const other = join(data.lab.dir, 'one-part')
    cpSync(join(data.folder, 'part-1.parquet'), join(other, 'only.parquet'))
    const first = (await register('again')).json.dataset
    const count = (await ask('GET', '/datasets')).json.length
    const same = (await register('again')).json.dataset
    const second = (await register('Again', { basepath: other })).json.dataset
    expect(Date.parse(same.id.registeredAt)).toBeGreaterThan(Date.parse(first.id.registeredAt))
    expect(Date.parse(second.id.registeredAt)).toBeGreaterThan(Date.parse(same.id.registeredAt))
    expect(second).toMatchObject({ basepath: other, totalParts: 1, id: { name: 'Again' } })
    const list = (await ask('GET', '/datasets')).json
    expect(list).toHaveLength(count)
    expect(list[0]).toEqual(second)
    expect((await ask('GET', '/datasets/again/empty-query')).json.query.matchingGroupRows).toBe(900)
  })

  test('refuses what is no argument of its own', async () => {
    const post = async (body: unknown) => await ask('POST', '/datasets/register', body)
    const { groupIdColumn: _, ...rest } = { name: 'no', basepath: data.folder, ...KEYS }
    expect(failure(await post(rest), 400, 'ARGUMENT_INVALID').errorMessage).toContain('groupIdColumn is missing')
    failure(await post({ ...rest, groupIdColumn: 'user_id', group_id_column: 'user_id' }), 400, 'ARGUMENT_INVALID')
    failure(await register('no', { nonsense: 1 }), 400, 'ARGUMENT_INVALID')
    failure(await register('no', { validationMode: 'sometimes' }), 400, 'ARGUMENT_INVALID')
    failure(await register('no', { validateUniques: 'true' }), 400, 'ARGUMENT_INVALID')
    failure(await register('no', { groupIdColumn: 'nobody' }), 400, 'COLUMN_NOT_FOUND')
    failure(await register('no', { pattern: '*.nothing' }), 400, 'FILE_NOT_FOUND')
    failure(await register('no', { basepath: `${data.folder}-not` }), 400, 'FILE_NOT_FOUND')
    failure(await register('no', { basepath: 's3://bucket/dir/' }), 400, 'ARGUMENT_INVALID')
    failure(await register('a/b'), 400, 'TABLE_NAME_INVALID')
    failure(await post('{"name": '), 400, 'JSON_INVALID')
    const managed = await data.lab.write('SELECT 1 AS u, 2 AS t')
    await data.lab.warehouse.import('taken', [managed], { actor: 'u', time: 't' })
    failure(await register('taken'), 409, 'TABLE_EXISTS')
    expect((await data.lab.warehouse.describe('taken')).kind).toBe('managed')
    failure(await ask('GET', '/datasets/no/schema'), 404, 'TABLE_NOT_FOUND')
  })

  test('stays inside the folders that requests may name', async () => {
    const on = await serve({ SKEP_ROOTS: join(data.lab.dir, 'elsewhere') })
    failure(await register('outside', {}, on), 403, 'PATH_FORBIDDEN')
    failure(
      await register('outside', { basepath: `file://${data.lab.dir}/elsewhere/../events` }, on),
      403,
      'PATH_FORBIDDEN',
    )
  })
})

describe('GET /datasets', () => {
  test('has all tables with an actor and a time, newest first', async () => {
    const source = await data.lab.write(EVENTS.replaceAll('PART', '7'))
    await register('older')
    await data.lab.warehouse.import('managed', [source], { actor: 'user_id', time: 'ts', buckets: 1 })
    await data.lab.warehouse.import('keyless', [source])
    await register('newer')
    const { json } = await ask('GET', '/datasets')
    const names = json.map(({ id }: Json) => id.name)
    expect(names.slice(0, 3)).toEqual(['newer', 'managed', 'older'])
    expect(names).not.toContain('keyless')
    expect(json[1]).toEqual({
      basepath: (await data.lab.warehouse.describe('managed')).location,
      groupIdColumn: 'user_id',
      id: { name: 'managed', registeredAt: TIME },
      timestampColumn: 'ts',
      totalParts: 1,
    })
    const times = json.map(({ id }: Json) => Date.parse(id.registeredAt))
    expect(times).toEqual(times.toSorted((a: number, b: number) => b - a))
    // A later import is no later registration.
    await data.lab.warehouse.import('managed', [source])
    expect((await ask('GET', '/datasets')).json[1]).toEqual({ ...json[1], totalParts: 2 })
  })
})

describe('GET /datasets/:name/schema', () => {
  const categories = { event: 3 / 2700, page: 2 / 2700 }

  test('short', async () => {
    await register('columns')
    const expected = {
      columns: {
        user_id: 'STRING',
        ts: 'INT',
        event: 'STRING',
        price: 'FLOAT',
        vip: 'BOOL',
        page: 'STRING',
        note: 'STRING',
        n: 'INT',
        day: 'DATE',
      },
      minTimestamp: 1000,
      maxTimestamp: 7293,
      sourceCategoricals: ['page'],
      potentialCategoricals: ['user_id', 'event'],
    }
    expect((await ask('GET', '/datasets/columns/schema')).json).toEqual(expected)
    expect((await ask('GET', '/datasets/columns/schema?full=yes')).json).toEqual(expected)
    expect((await ask('GET', '/datasets/COLUMNS/schema?full=1&other=x')).json).toEqual(expected)
  })

  test('full', async () => {
    const { json } = await ask('GET', '/datasets/columns/schema?full=True')
    const plain = { categorical: false }
    const column = (name: string, dtypeName: string, coltype: string, colattrs: Json) => ({
      name,
      dtypeName,
      coltype,
      colattrs,
    })
    const { event, page, ...columns } = json.columns
    expect({ ...json, columns }).toEqual({
      columns: {
        user_id: column('user_id', 'object', 'STRING', { categorical: true, catUniqueRatio: 0.1 }),
        ts: column('ts', 'int64', 'INT', { ...plain, numericMin: 1000, numericMax: 7293 }),
        price: column('price', 'float64', 'FLOAT', { ...plain, numericMin: 0.25, numericMax: 9.75 }),
        vip: column('vip', 'bool', 'BOOL', plain),
        note: column('note', 'object', 'STRING', plain),
        n: column('n', 'int32', 'INT', { ...plain, numericMin: 0, numericMax: 99 }),
        day: column('day', 'DATE', 'DATE', plain),
      },
      unsupportedColumns: { tags: 'BIGINT[]' },
      groupIdColumn: 'user_id',
      timestampColumn: 'ts',
    })
    expect(event).toEqual(
      column('event', 'object', 'STRING', {
        categorical: true,
        catTopValues: { cart: expect.closeTo(2 / 3), view: expect.closeTo(1 / 3) },
        catUniqueRatio: expect.closeTo((categories.event * 2) / 3),
      }),
    )
    expect(page).toEqual(
      column('page', 'category', 'STRING', {
        categorical: true,
        catTopValues: { a: expect.closeTo(0.5), b: expect.closeTo(0.5) },
        catUniqueRatio: expect.closeTo(categories.page),
      }),
    )
  })

  test('of a managed table with times of its own type, and of one without rows', async () => {
    const rows = `SELECT i AS u, TIMESTAMP '2026-03-01 10:00:00' + INTERVAL (i) HOUR AS at, ['x', 'y'][1 + i % 2] AS kind, (i / 4)::DECIMAL(9,2) AS paid FROM range(50) t(i)`
    await data.lab.warehouse.import('timed', [await data.lab.write(rows)], { actor: 'u', time: 'at' })
    expect((await ask('GET', '/datasets/timed/schema')).json).toEqual({
      columns: { u: 'INT', at: 'TIMESTAMP', kind: 'STRING', paid: 'FLOAT' },
      minTimestamp: '2026-03-01T10:00:00',
      maxTimestamp: '2026-03-03T11:00:00',
      sourceCategoricals: [],
      potentialCategoricals: ['kind'],
    })
    const full = (await ask('GET', '/datasets/timed/schema?full=true')).json
    expect(full.columns.paid).toEqual({
      name: 'paid',
      dtypeName: 'DECIMAL(9,2)',
      coltype: 'FLOAT',
      colattrs: { categorical: false, numericMin: 0, numericMax: 12.25 },
    })
    await data.lab.write(`${EVENTS.replaceAll('PART', '0')} LIMIT 0`, 'empty/part.parquet')
    await register('empty', { basepath: join(data.lab.dir, 'empty') })
    const empty = (await ask('GET', '/datasets/empty/schema')).json
    expect(empty).toMatchObject({ sourceCategoricals: [], potentialCategoricals: [] })
    expect(Object.keys(empty)).not.toContain('minTimestamp')
    expect((await ask('GET', '/datasets/empty/schema?full=true')).json.columns.event.colattrs).toEqual({
      categorical: false,
    })
    expect((await ask('GET', '/datasets/empty/empty-query')).json.query).toEqual({
      matchingGroups: 0,
      matchingGroupRows: 0,
    })
  })
})

test('GET /datasets/:name/parts', async () => {
  const { json: registered } = await register('parts')
  expect((await ask('GET', '/datasets/parts/parts')).json).toEqual({
    filenames: ['part-0.parquet', 'part-1.parquet', 'part-2.parquet'],
    namingMethod: 'LIST',
    totalParts: 3,
    totalSize: registered.stats.dataset.totalSize,
  })
  const { json } = await ask('GET', '/datasets/timed/parts')
  expect(json).toMatchObject({ namingMethod: 'LIST', totalParts: json.filenames.length })
  for (const name of json.filenames) expect(name).toMatch(/^data\//)
  failure(await ask('GET', '/datasets/keyless/parts'), 400, 'KEY_INVALID')
})

test.each(['_x', 'A-b_9', 'register', 'datasets', `n${'x'.repeat(127)}`])(
  'serves a table of the name %s',
  async (name) => {
    expect((await register(name)).json.dataset.id.name).toBe(name)
    const encoded = [...name].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')
    expect((await ask('GET', `/datasets/${encoded}/parts`)).json.totalParts).toBe(3)
    expect((await ask('GET', `/datasets/${name}/empty-query`)).json.query.matchingGroups).toBe(270)
    expect((await ask('POST', `/datasets/${name}/unregister?force=true`)).json.datasetFound).toBe(true)
  },
)

test('a folder that was registered before names knew the time has that of its entry', async () => {
  await register('early')
  const log = new VersionedLog(new DiskStore(data.lab.root), systemSources(), 'names/early', '.json')
  const { since, ...entry } = JSON.parse(new TextDecoder().decode(await log.read(1)))
  expect(await data.lab.warehouse.origin('Early')).toEqual({ name: 'early', kind: 'registered', since })
  const from = Date.now()
  await log.append(2, new TextEncoder().encode(JSON.stringify({ ...entry, commitId: 'older' })))
  const at = Date.parse((await data.lab.warehouse.origin('early')).since)
  expect(Math.abs(at - from)).toBeLessThan(10_000)
  expect(at).toBeGreaterThan(Date.parse(since) - 1000)
})

test('the lines of the guide do what it says', async () => {
  const guide = readFileSync(new URL('../../docs/guides/funnel-rocket.md', import.meta.url), 'utf8')
  const script = /```sh\n([\s\S]*?)```/.exec(guide)![1]!
  const calls = [...script.matchAll(/^curl -s (?:-X (\w+) )?'?localhost:5000(\S+?)'?(?: -H \S+ \S+ -d '([^']*)')?$/gm)]
  expect(calls).toHaveLength(script.match(/curl/g)!.length)
  for (const [, method, path, body] of calls) {
    const answer = await ask(method ?? (body ? 'POST' : 'GET'), path!, body)
    expect({ path, status: answer.status, failed: answer.lines.at(-1).success === false }).toEqual({
      path,
      status: 200,
      failed: false,
    })
  }
})
