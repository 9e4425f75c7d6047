/** What is protected, case by case: seals of metadata, checksums of data files, lists and drops of damaged tables. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Catalog, dataLocation } from '../../src/catalog/catalog.ts'
import { newSchema } from '../../src/catalog/iceberg/schema.ts'
import { sealJson, unsealJson } from '../../src/catalog/seal.ts'
import { systemSources } from '../../src/catalog/sources.ts'
import type { DataFile } from '../../src/catalog/types.ts'
import { parseType } from '../../src/common/data-type.ts'
import { SkepError } from '../../src/errors.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { FileChecker, sealFile } from '../../src/storage/sealed-file.ts'
import { Warehouse } from '../../src/warehouse.ts'
import { answering } from '../answering.ts'
import { dataFiles, failure, type Lab, openLab } from '../conformance/import-lab.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const bytesOf = (json: string) => new TextEncoder().encode(json)

describe('a sealed document', () => {
  const json = '{"a":1,"list":[1,2,3],"text":"ä"}'
  const sealed = Buffer.from(sealJson(bytesOf(json), 'x/v1.json'))

  test('gives back what was sealed, and is JSON that others can read', () => {
    expect(text(unsealJson(sealed, 'x/v1.json'))).toBe(json)
    expect(JSON.parse(text(sealed))).toMatchObject(JSON.parse(json))
  })

  test('notices every change of a byte, every cut and every addition', () => {
    for (let at = 0; at < sealed.length; at++) {
      for (const mask of [1, 0x20, 0x80, 0xff]) {
        const copy = Buffer.from(sealed)
        copy[at]! ^= mask
        expect(() => unsealJson(copy, 'x/v1.json'), `byte ${at}`).toThrow('x/v1.json is damaged')
      }
      if (at > 40) expect(() => unsealJson(sealed.subarray(0, at), 'x/v1.json')).toThrow('x/v1.json is damaged')
    }
    expect(() => unsealJson(Buffer.concat([sealed, Buffer.from(' ')]), 'x/v1.json')).toThrow('x/v1.json is damaged')
  })

  test('does not pass for another, or for another version of itself', () => {
    expect(() => unsealJson(sealed, 'x/v2.json')).toThrow('x/v2.json is damaged')
    expect(() => unsealJson(sealed, 'y/v1.json')).toThrow('y/v1.json is damaged')
  })

  test('without any mark is read as other programs wrote it', () => {
    expect(text(unsealJson(bytesOf(json), 'x/v1.json'))).toBe(json)
  })
})

describe('a catalog of damaged files', () => {
  const schema = newSchema([{ name: 'a', type: parseType('BIGINT') }])
  const open = (store: ObjectStore) => new Catalog(store, { sources: systemSources(), commitRetries: 5 })

  function file(table: { location: string }, name: string): DataFile {
    const columns = new Map([[1, { values: 10, nulls: 0, lower: 1n, upper: 9n }]])
    return {
      path: `${dataLocation(table)}/${name}.parquet`,
      rows: 10,
      sizeBytes: 100,
      specId: 0,
      partition: [],
      columns,
      sorted: false,
    }
  }

  async function twoTables() {
    const store = new MemoryStore()
    const catalog = open(store)
    const draft = catalog.draft('t', { schema })
    await catalog.create(draft, [file(draft, 'one')])
    await catalog.append(await catalog.loadManaged('t'), [file(draft, 'two')])
    await catalog.create(catalog.draft('u', { schema }), [])
    return { store, catalog, folder: `tables/${draft.uuid}/metadata` }
  }

  const rewrite = async (store: ObjectStore, path: string, change: (content: string) => string) =>
    await store.put(path, bytesOf(change(text((await store.read(path))!))))

  test('a digit that changed in metadata is noticed, where it would be an answer', async () => {
    const { store, folder } = await twoTables()
    await rewrite(store, `${folder}/v2.metadata.json`, (json) =>
      json.replace('"total-records":"20"', '"total-records":"21"'),
    )
    const error = await failure(() => open(store).load('t'))
    expect(error).toMatchObject({ code: 'TABLE_INVALID', details: { file: `${folder}/v2.metadata.json` } })
    expect(error.message).toContain('drop the table and import it again')
  })

  test('an older version in the place of the newest is noticed', async () => {
    const { store, folder } = await twoTables()
    await store.put(`${folder}/v2.metadata.json`, (await store.read(`${folder}/v1.metadata.json`))!)
    await expect(open(store).load('t')).rejects.toMatchObject({ code: 'TABLE_INVALID' })
  })

  test('the older of two manifests in the place of the newer is noticed', async () => {
    const { store, folder } = await twoTables()
    const manifests = (await store.list(`${folder}/m-`)).objects.map(({ path }) => path)
    await store.put(manifests[0]!, (await store.read(manifests[1]!))!)
    await expect(open(store).load('t')).rejects.toMatchObject({
      code: 'TABLE_INVALID',
      details: { file: manifests[0] },
    })
  })

  test('the newest version that was deleted is missed, and no older state is taken for the table', async () => {
    const { store, folder } = await twoTables()
    await store.delete(`${folder}/v2.metadata.json`)
    const error = await failure(() => open(store).load('t'))
    expect(error).toMatchObject({ code: 'TABLE_INVALID', details: { file: `${folder}/v2.metadata.json` } })
    expect(error.message).toContain(`${folder}/version-hint.text`)
    await store.delete('names/u/v1.json')
    await expect(open(store).entry('u')).rejects.toMatchObject({
      code: 'TABLE_INVALID',
      details: { file: 'names/u/v1.json' },
    })
  })

  test('metadata of another program, which has no checksum, is read', async () => {
    const { store, catalog, folder } = await twoTables()
    const table = await catalog.loadManaged('t')
    const foreign = JSON.parse(text((await store.read(`${folder}/v2.metadata.json`))!)) as Record<string, unknown>
    delete foreign['skep-sealed']
    delete foreign['skep-checksum']
    await store.put(`${folder}/v3.metadata.json`, bytesOf(JSON.stringify(foreign, undefined, 2)))
    expect((await open(store).loadManaged('t')).snapshot).toEqual(table.snapshot)
    await open(store).append(await open(store).loadManaged('t'), [file(table, 'three')])
    expect((await open(store).loadManaged('t')).snapshot.files).toHaveLength(3)
  })

  const DAMAGES: [string, (store: ObjectStore, folder: string) => Promise<void>][] = [
    [
      'newest metadata is torn',
      async (store, folder) => await rewrite(store, `${folder}/v2.metadata.json`, (json) => json.slice(0, 99)),
    ],
    ['newest metadata is missing', async (store, folder) => await store.delete(`${folder}/v2.metadata.json`)],
    [
      'metadata is all gone',
      async (store, folder) => {
        for (const { path } of (await store.list(`${folder}/`)).objects) await store.delete(path)
      },
    ],
    [
      'manifests are gone',
      async (store, folder) => {
        for (const { path } of (await store.list(`${folder}/m-`)).objects) await store.delete(path)
      },
    ],
    [
      'entry of the name is torn',
      async (store) => await rewrite(store, 'names/t/v1.json', (json) => json.slice(0, 20)),
    ],
    [
      'entry of the name is that of another',
      async (store) => await store.put('names/t/v1.json', (await store.read('names/u/v1.json'))!),
    ],
    ['entry of the name is missing', async (store) => await store.delete('names/t/v1.json')],
  ]

  test.each(DAMAGES)(
    'a table whose %s hides no other, can be dropped, and its name used again',
    async (_what, damage) => {
      const { store, catalog, folder } = await twoTables()
      const late = await catalog.loadManaged('t')
      const named = !/entry/.test(_what)
      await damage(store, folder)
      expect((await open(store).tables()).map(({ name }) => name)).toEqual(['t', 'u'])
      expect((await open(store).entry('u')).name).toBe('u')
      await open(store).drop('t')
      expect((await open(store).tables()).map(({ name }) => name)).toEqual(['u'])
      if (named)
        await expect(open(store).append(late, [file(late, 'late')])).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
      const left = (await store.list(`${folder}/`)).objects.filter(({ path }) => path.endsWith('.avro'))
      if (named) expect(left).toEqual([])
      await open(store).create(open(store).draft('t', { schema }), [])
      expect((await open(store).loadManaged('t')).snapshot.files).toEqual([])
      expect((await open(store).entry('u')).name).toBe('u')
    },
  )

  test('a damaged name can be freed by unregistering it as well', async () => {
    const { store } = await twoTables()
    await rewrite(store, 'names/t/v1.json', (json) => json.slice(0, 20))
    await open(store).unregister('t')
    expect((await open(store).tables()).map(({ name }) => name)).toEqual(['u'])
  })

  /** A store whose reads of a path go through `change`, the first `times` times. */
  function reading(
    store: ObjectStore,
    path: string,
    times: number,
    change: (bytes: Uint8Array) => Uint8Array,
  ): ObjectStore {
    let left = times
    return answering(store, 'read', async (from) => {
      const bytes = await store.read(from)
      return from === path && bytes && left-- > 0 ? change(bytes) : bytes
    })
  }

  test('what does not answer is not taken for damaged', async () => {
    const { store, folder } = await twoTables()
    const path = `${folder}/v2.metadata.json`
    const failing = reading(store, path, 99, () => {
      throw new SkepError('STORE_UNAVAILABLE', 'no answer', { path })
    })
    await expect(open(failing).drop('t')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(open(failing).tables()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect((await open(store).loadManaged('t')).snapshot.files).toHaveLength(2)
  })

  test('a read that failed once is not taken for damaged: the drop keeps the history', async () => {
    const { store, folder } = await twoTables()
    await open(reading(store, `${folder}/v2.metadata.json`, 1, (bytes) => bytes.subarray(0, 9))).drop('t')
    expect(JSON.parse(text((await store.read(`${folder}/v3.metadata.json`))!)).snapshots).toHaveLength(2)
  })
})

describe('data files', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await openLab()
    const rows = `SELECT i % 50 AS actor, TIMESTAMP '2026-01-01' + INTERVAL (i) SECOND AS ts, i AS n FROM range(3000) AS t(i)`
    await lab.warehouse.import('events', [await lab.write(rows)], { actor: 'actor', time: 'ts', buckets: 4 })
    await lab.warehouse.import('plain', [await lab.write('SELECT i AS n FROM range(100) AS t(i)')])
  })
  afterAll(() => lab.close())

  const sum = async (on = lab.warehouse) => (await on.sql('SELECT sum(n) AS s FROM events')).rows[0]!.s

  /** Changes one byte in the middle of a file. */
  function rot(path: string, options: { keepTimes: boolean }): () => void {
    const whole = readFileSync(path)
    const times = statSync(path)
    const copy = Buffer.from(whole)
    copy[Math.floor(copy.length / 3)]! ^= 4
    writeFileSync(path, copy)
    if (options.keepTimes) utimesSync(path, times.atimeMs / 1000, times.mtimeMs / 1000)
    return () => writeFileSync(path, whole)
  }

  test('carry a checksum of their content in their names', async () => {
    for (const path of await dataFiles(lab.warehouse, 'events')) {
      expect(basename(path)).toMatch(/-sha256-[0-9a-f]{32}-[0-9a-z]+\.parquet$/)
      expect(await new FileChecker().problem({ path, sizeBytes: statSync(path).size }, 'content')).toBeUndefined()
    }
  })

  test('that were written to are noticed before they are read, by every query that reads them', async () => {
    const [path] = await dataFiles(lab.warehouse, 'events')
    const mend = rot(path!, { keepTimes: false })
    const query = { query: { conditions: [{ filter: ['n', '>', 5] as [string, '>', number] }] } }
    for (const call of [
      () => sum(),
      () => lab.warehouse.query('events', query),
      () => lab.warehouse.explain('FROM events'),
    ]) {
      expect(await failure(call)).toMatchObject({ code: 'FILE_INVALID', details: { file: path } })
    }
    const others = await lab.warehouse.sql('SELECT count(*) AS n FROM plain')
    expect(others.rows).toEqual([{ n: 100 }])
    mend()
    expect(await sum()).toBe(4498500)
  })

  test('below which bits rotted, with their times as they were, are found by verify', async () => {
    const whole = await lab.warehouse.verify('events')
    expect(whole).toMatchObject({ snapshots: 1, manifests: 1, files: 4, withoutChecksum: 0, damaged: [] })
    const [path] = await dataFiles(lab.warehouse, 'events')
    const mend = rot(path!, { keepTimes: true })
    const found = await lab.warehouse.verify('events')
    expect(found.damaged.map(({ file }) => file)).toEqual([path])
    mend()
  })

  test('of every snapshot are verified, and their metadata, and all damage is told', async () => {
    await lab.warehouse.import('plain', [await lab.write('SELECT i AS n FROM range(5) AS t(i)')])
    const folder = (await lab.warehouse.describe('plain')).location
    // In the manifests of both snapshots, whichever of their lists is damaged.
    const one = (await dataFiles(lab.warehouse, 'plain')).at(-1)
    const list = readdirSync(join(folder, 'metadata')).find((name) => name.startsWith('snap-'))!
    const mends = [rot(one!, { keepTimes: false }), rot(join(folder, 'metadata', list), { keepTimes: false })]
    const { damaged, snapshots } = await lab.warehouse.verify('plain')
    expect(snapshots).toBe(2)
    expect(damaged.map(({ file }) => basename(file)).sort()).toEqual([basename(one!), list].sort())
    for (const mend of mends) mend()
    expect((await lab.warehouse.verify('plain')).damaged).toEqual([])
  })

  test('of a warehouse that was copied are read once, and then known to be whole', async () => {
    const root = join(lab.dir, 'copied')
    cpSync(lab.root, root, { recursive: true })
    const copy = await Warehouse.open(root)
    const [path] = await dataFiles(copy, 'events')
    const written = Number.parseInt(/-([0-9a-z]+)\.parquet$/.exec(path!)![1]!, 36)
    const later = new Date('2030-01-01T00:00:00Z')
    utimesSync(path!, later, later)
    expect(await sum(copy)).toBe(4498500)
    expect(Math.abs(statSync(path!).mtimeMs - written)).toBeLessThan(1)
    rot(path!, { keepTimes: false })
    expect(await failure(() => sum(copy))).toMatchObject({ code: 'FILE_INVALID', details: { file: path } })
    rmSync(path!)
    expect((await failure(() => sum(copy))).message).toContain('is missing')
    await copy.close()
  })

  test('are named by the command line, which lists what is damaged and ends with the code of its kind', async () => {
    const root = join(lab.dir, 'shell')
    cpSync(lab.root, root, { recursive: true, preserveTimestamps: true })
    const skep = (...argv: string[]) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...argv, '--warehouse', root], {
        encoding: 'utf8',
      })
      return { status, stdout, stderr }
    }
    expect(skep('verify', 'events').stdout).toMatch(/^events is whole: 1 snapshot, 1 manifest, 4 data files \(/)
    const [first, second] = await dataFiles(lab.warehouse, 'events')
    for (const path of [first!, second!]) rmSync(path.replace(lab.root, root))
    const found = skep('verify', 'events')
    expect(found.status).toBe(2)
    for (const path of [first!, second!]) expect(found.stderr).toContain(`${basename(path)} is damaged: it is missing`)
    const { error } = JSON.parse(skep('verify', 'events', '--json').stdout) as {
      error: { details: { files: string[] } }
    }
    expect(error.details.files.map((path) => basename(path))).toEqual([first, second].map((path) => basename(path!)))
    writeFileSync(join(root, 'names/plain/v1.json'), '{}')
    const listed = skep('tables')
    expect(listed.status).toBe(0)
    expect(listed.stdout).toMatch(/plain +│ damaged/)
    expect(listed.stdout).toMatch(/events │ managed │ actor │ ts +│ +3 │ +4 │ 3,000/)
    expect(listed.stderr).toContain('skep: warning: plain: names/plain/v1.json is damaged')
    const documents = JSON.parse(skep('tables', '--json').stdout) as { name: string; error?: { code: string } }[]
    expect(documents.map(({ name, error: problem }) => [name, problem?.code])).toEqual([
      ['events', undefined],
      ['plain', 'TABLE_INVALID'],
    ])
    expect(skep('drop', 'plain').status).toBe(0)
    expect(skep('verify', 'plain').stderr).toContain('TABLE_NOT_FOUND')
  })

  test('of other programs, whose names say nothing, are held against their size', async () => {
    const path = join(lab.dir, 'foreign.parquet')
    writeFileSync(path, 'x')
    const checker = new FileChecker()
    expect(await checker.problem({ path, sizeBytes: 1 }, 'content')).toBeUndefined()
    expect(await checker.problem({ path, sizeBytes: 2 }, 'time')).toBe('it has 1 bytes instead of 2')
    mkdirSync(join(lab.dir, 'sealed'))
    const plain = join(lab.dir, 'sealed/a.parquet')
    writeFileSync(plain, 'content')
    const sealed = await sealFile(plain)
    writeFileSync(sealed, 'cXntent')
    expect(await checker.problem({ path: sealed, sizeBytes: 7 }, 'time')).toBe(
      'it does not match the checksum in its name',
    )
  })

  test('of a folder are named when they cannot be read, whatever the engine says', async () => {
    for (const k of [1, 2, 3]) {
      const rows = `SELECT i AS actor, TIMESTAMP '2026-01-01' AS ts, md5(i::VARCHAR) AS note FROM range(${k * 1000}, ${k * 1000 + 500}) AS t(i)`
      await lab.write(rows, `folder/${k}.parquet`, 'FORMAT parquet, COMPRESSION gzip')
    }
    await lab.warehouse.register('folder', join(lab.dir, 'folder'), { actor: 'actor', time: 'ts' })
    const path = join(lab.dir, 'folder/2.parquet')
    const whole = readFileSync(path)
    const damaged = Buffer.from(whole)
    damaged.fill(0xff, 1000, 3000)
    writeFileSync(path, damaged)
    const calls = [
      () => lab.warehouse.sql('SELECT max(note) AS m FROM folder'),
      () => lab.warehouse.query('folder', { query: { conditions: [{ filter: ['note', '==', 'x'] }] } }),
      () => lab.warehouse.exportParquet('SELECT * FROM folder', join(lab.dir, 'out.parquet')),
    ]
    for (const call of calls)
      expect(await failure(call)).toMatchObject({ code: 'FILE_INVALID', details: { file: path } })
    writeFileSync(path, whole)
  })
})
