/** Saved queries, over a store in memory and one on disk, and from the outside of a warehouse. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type QueryToSave, SavedQueries } from '../../src/records/saved-queries.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { runs } from '../torture.ts'
import { failure, filesBelow, type Lab, openLab } from './import-lab.ts'

const NOW = Date.UTC(2026, 10, 20, 8, 14)
const savedAt = '2026-11-20T08:14:00.000Z'
const roots: string[] = []

const STORES: Record<string, () => ObjectStore> = {
  memory: () => new MemoryStore(),
  disk: () => {
    const root = mkdtempSync(join(tmpdir(), 'skep-saved-'))
    roots.push(root)
    return new DiskStore(root)
  },
}

afterAll(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true })
})

const sql = (text: string): QueryToSave => ({ kind: 'sql', sql: text })

describe.each(Object.keys(STORES))('saved queries in a store: %s', (kind) => {
  const open = () => new SavedQueries(STORES[kind]!(), () => NOW)

  test('are given back as they were, listed by name, replaced and removed', async () => {
    const saved = open()
    expect(await saved.list()).toEqual([])
    const first = await saved.save('Wöchentlich: nein'.replace(':', ''), { ...sql('SELECT 1'), description: '' })
    expect(first).toEqual({ name: 'Wöchentlich nein', kind: 'sql', sql: 'SELECT 1', description: '', savedAt })
    const funnel = { kind: 'query', table: 'events', query: { funnel: { sequence: [] } } } as const
    await saved.save('a funnel', funnel)
    await saved.save('doc', { kind: 'run', text: '{\n  "steps": []\n}' })
    expect(await saved.list()).toEqual([
      first,
      { name: 'a funnel', ...funnel, savedAt },
      { name: 'doc', kind: 'run', text: '{\n  "steps": []\n}', savedAt },
    ])
    expect(await saved.get('Wöchentlich nein'.normalize('NFD'))).toEqual(first)
    // What was answered can be saved again, under another name too.
    expect(await saved.save('copy', { ...(await saved.get('a funnel')) })).toEqual({ name: 'copy', ...funnel, savedAt })
    await saved.save('doc', sql('SELECT 2'))
    expect(await saved.get('doc')).toEqual({ name: 'doc', kind: 'sql', sql: 'SELECT 2', savedAt })
    await saved.remove('doc')
    expect((await saved.list()).map(({ name }) => name)).toEqual(['Wöchentlich nein', 'a funnel', 'copy'])
    expect((await failure(() => saved.get('doc'))).code).toBe('SAVED_NOT_FOUND')
    expect(await failure(() => saved.remove('a funel'))).toMatchObject({
      code: 'SAVED_NOT_FOUND',
      status: 404,
      details: { name: 'a funel', nearest: 'a funnel' },
    })
  })

  test('are told apart by names of any letters, which are never paths', async () => {
    const character = fc.oneof(
      fc.constantFrom('a', 'A', '.', '-', '_', ' ', '7', '%'),
      fc.constantFrom('é', 'ß', '蜂', '𐐷', 'İ', 'ı'),
    )
    const name = fc
      .array(character, { minLength: 1, maxLength: 128 })
      .map((letters) => letters.join('').trim().replaceAll('%', 'x'))
      .filter((text) => text !== '')
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(name, { minLength: 1, maxLength: 6 }), async (names) => {
        const saved = open()
        for (const [k, each] of names.entries()) await saved.save(each, sql(`SELECT ${k}`))
        for (const [k, each] of names.entries())
          expect(await saved.get(each)).toMatchObject({ name: each, sql: `SELECT ${k}` })
        expect((await saved.list()).map((each) => each.name).toSorted()).toEqual(names.toSorted())
        for (const each of names) await saved.remove(each)
        expect(await saved.list()).toEqual([])
      }),
      { numRuns: runs(kind === 'disk' ? 10 : 100, 300) },
    )
  })

  test.for([
    '',
    ' ',
    ' a',
    'a ',
    'a/b',
    '../a',
    'a\\b',
    'a\0',
    'a\n',
    'a:b',
    'a%2Fb',
    '😀',
    '\ud800',
    'x'.repeat(129),
    7,
    null,
    undefined,
  ])('refused as a name: %j', async (name) => {
    const saved = open()
    for (const call of [
      () => saved.save(name as string, sql('SELECT 1')),
      () => saved.get(name as string),
      () => saved.remove(name as string),
    ]) {
      expect(await failure(call)).toMatchObject({ code: 'ARGUMENT_INVALID', details: { argument: 'name' } })
    }
  })

  test('have objects whose names no file system takes for each other, or for something else', async () => {
    const store = STORES[kind]!()
    const saved = new SavedQueries(store, () => NOW)
    const names = ['A', 'a', '..', 'ß', `${'ß'.repeat(127)}a`, `${'ß'.repeat(127)}b`]
    for (const name of names) await saved.save(name, sql(`SELECT '${name}'`))
    for (const name of names) expect(await saved.get(name)).toMatchObject({ name, sql: `SELECT '${name}'` })
    const files = (await store.list('saved/')).objects.map(({ path }) => path.slice('saved/'.length))
    expect(files.filter((file) => !file.includes('~'))).toEqual(['%41.json', '%C3%9F.json', '...json', 'a.json'])
    expect(files.filter((file) => /^(%C3%9F){22}(%C3)?~[0-9a-f]{64}\.json$/.test(file))).toHaveLength(2)
  })

  const circle: { self?: object } = {}
  circle.self = circle
  const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)
  test.for<[string, unknown]>([
    ['query', null],
    ['query', 'SELECT 1'],
    ['query', []],
    ['kind', { sql: 'SELECT 1' }],
    ['kind', { kind: 'other', sql: 'SELECT 1' }],
    ['sql', { kind: 'sql' }],
    ['sql', { kind: 'sql', sql: 'SELECT 1', text: 'SELECT 1' }],
    ['sql', { kind: 'sql', sql: 7 }],
    ['sql', { kind: 'sql', sql: ' ' }],
    ['sql', { kind: 'sql', query: {} }],
    ['query', { kind: 'query', sql: 'SELECT 1' }],
    ['query', { kind: 'query', query: [] }],
    ['document', { kind: 'run', document: 7 }],
    ['table', { kind: 'query', query: {}, table: 7 }],
    ['description', { kind: 'sql', sql: 'SELECT 1', description: {} }],
    ['qery', { kind: 'query', qery: {} }],
    ['query', { kind: 'query', query: circle }],
    ['query', { kind: 'query', query: { deep } }],
    ['query', { kind: 'query', query: { n: 1n } }],
  ])('refused, naming %s: case %#', async ([argument, query]) => {
    const error = await failure(() => open().save('a', query as QueryToSave))
    expect(error).toMatchObject({ code: 'ARGUMENT_INVALID', details: { argument } })
  })

  test('have a greatest size and number', async () => {
    const saved = open()
    const error = await failure(() => saved.save('a', sql('x'.repeat(256 * 1024))))
    expect(error).toMatchObject({ code: 'QUERY_TOO_LARGE', details: { limitBytes: 256 * 1024 } })
    if (kind === 'disk') return
    for (let k = 0; k < 1000; k++) await saved.save(`n${k}`, sql('SELECT 1'))
    expect(await failure(() => saved.save('n1000', sql('SELECT 1')))).toMatchObject({
      code: 'SAVED_LIMIT',
      details: { limit: 1000 },
    })
    await saved.save('n999', sql('SELECT 2'))
    await saved.remove('n0')
    await saved.save('n1000', sql('SELECT 1'))
    expect(await saved.list()).toHaveLength(1000)
  })

  test('that are damaged hide no others', async () => {
    const store = STORES[kind]!()
    const saved = new SavedQueries(store, () => NOW)
    await saved.save('good', sql('SELECT 1'))
    await saved.save('bad one', sql('SELECT 1'))
    await store.put('saved/bad%20one.json', Buffer.from('{"name":"bad one",'))
    await store.put('saved/odd.json', Buffer.from('{"name":"odd","savedAt":"x","kind":"other"}'))
    expect(await saved.list()).toMatchObject([
      { name: 'bad one', error: { code: 'FILE_INVALID', details: { file: 'saved/bad%20one.json' } } },
      { name: 'good', sql: 'SELECT 1' },
      { name: 'odd', error: { code: 'FILE_INVALID' } },
    ])
    expect((await failure(() => saved.get('bad one'))).code).toBe('FILE_INVALID')
    await saved.save('bad one', sql('SELECT 3'))
    await saved.remove('odd')
    expect((await saved.list()).map(({ name }) => name)).toEqual(['bad one', 'good'])
  })
})

describe('saved queries of a warehouse', () => {
  let lab: Lab

  beforeAll(async () => {
    lab = await openLab()
  })

  afterAll(async () => {
    await lab.close()
  })

  test('a warehouse that does not exist has none, and is not made by looking', async () => {
    expect(await lab.warehouse.savedQueries()).toEqual([])
    expect((await failure(() => lab.warehouse.savedQuery('a'))).code).toBe('SAVED_NOT_FOUND')
    expect((await failure(() => lab.warehouse.removeSavedQuery('a'))).code).toBe('SAVED_NOT_FOUND')
    expect(existsSync(lab.root)).toBe(false)
  })

  test('other processes see them, tables do not mind them, and vacuum leaves them alone', async () => {
    await lab.warehouse.import('saved', [await lab.write('SELECT 1 AS a')])
    const kept = await lab.warehouse.saveQuery('saved', { kind: 'sql', sql: 'SELECT a FROM saved' })
    const before = filesBelow(lab.root)
    await lab.warehouse.vacuum(undefined, { olderThan: '0s' })
    expect(filesBelow(lab.root).filter((path) => path.includes('/saved/'))).toEqual(
      before.filter((path) => path.includes('/saved/')),
    )
    expect(readdirSync(join(lab.root, 'saved'))).toEqual(['saved.json'])
    await using other = await lab.open({})
    expect(await other.savedQueries()).toEqual([kept])
    expect((await other.sql((await other.savedQuery('saved')).sql!)).rows).toEqual([{ a: 1 }])
    expect((await other.tables()).map(({ name }) => name)).toEqual(['saved'])
    await other.drop('saved')
    await other.vacuum(undefined, { olderThan: '0s' })
    expect(await lab.warehouse.savedQuery('saved')).toEqual(kept)
    await other.removeSavedQuery('saved')
    expect(await lab.warehouse.savedQueries()).toEqual([])
  })
})
