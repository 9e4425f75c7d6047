import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { compareUtf8 } from '../../src/common/text.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'

const base = mkdtempSync(join(tmpdir(), 'skep-store-'))
let folders = 0
const newFolder = () => join(base, String(++folders), 'root')
afterAll(() => rmSync(base, { recursive: true, force: true }))

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (value: Uint8Array | undefined) => value && new TextDecoder().decode(value)

async function listAll(store: ObjectStore, prefix: string, limit: number): Promise<string[]> {
  const paths: string[] = []
  let after: string | undefined
  for (let pages = 0; pages < 1000; pages++) {
    const page = await store.list(prefix, after === undefined ? { limit } : { limit, after })
    expect(page.objects.length).toBeLessThanOrEqual(limit)
    paths.push(...page.objects.map((o) => o.path))
    if (page.next === undefined) return paths
    after = page.next
  }
  throw new Error('a listing without end')
}

const STORES: [string, () => ObjectStore][] = [
  ['DiskStore', () => new DiskStore(newFolder())],
  ['MemoryStore', () => new MemoryStore()],
]

describe.each(STORES)('%s', (_name, open) => {
  let store: ObjectStore
  beforeEach(() => {
    store = open()
  })

  test('is empty before its first write', async () => {
    expect(await store.list('')).toEqual({ objects: [] })
    expect(await store.list('a/b')).toEqual({ objects: [] })
    expect(await store.stat('a')).toBeUndefined()
    expect(await store.read('a/b')).toBeUndefined()
    await store.delete('a/b')
  })

  test('reads what was put, and the replacement after it', async () => {
    await store.put('a/b', bytes('one'))
    const before = await store.stat('a/b')
    expect(before).toMatchObject({ path: 'a/b', sizeBytes: 3 })
    await store.put('a/b', bytes('two'))
    expect(text(await store.read('a/b'))).toBe('two')
    expect((await store.stat('a/b'))!.version).not.toBe(before!.version)
    await store.put('a/b', new Uint8Array())
    expect(await store.read('a/b')).toEqual(new Uint8Array())
  })

  test('says when an object was last written', async () => {
    // File systems may round times down, to two seconds at the coarsest.
    const before = Date.now() - 2000
    await store.put('a/b', bytes('one'))
    const { modifiedMs: first } = (await store.stat('a/b'))!
    expect(first).toBeGreaterThanOrEqual(before)
    expect(first).toBeLessThanOrEqual(Date.now() + 1)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(await store.putIfAbsent('a/b', bytes('two'))).toBe(false)
    expect((await store.stat('a/b'))!.modifiedMs).toBe(first)
    await store.put('a/b', bytes('three'))
    const [listed] = (await store.list('a/')).objects
    expect(listed!.modifiedMs).toBeGreaterThan(first)
    expect(listed).toEqual(await store.stat('a/b'))
  })

  test('a folder is not an object', async () => {
    await store.put('a/b/c', bytes('x'))
    expect(await store.stat('a/b')).toBeUndefined()
    expect(await store.read('a/b')).toBeUndefined()
    expect(await store.read('a/b/c/d')).toBeUndefined()
  })

  test('keeps its bytes apart from the caller’s', async () => {
    const mine = bytes('abc')
    await store.put('a', mine)
    mine[0] = 0
    const read = (await store.read('a'))!
    read[1] = 0
    expect(text(await store.read('a'))).toBe('abc')
  })

  test.each([
    [0, 4, '0123'],
    [3, 5, '34'],
    [8, 100, '89'],
    [10, 20, ''],
    [50, 60, ''],
    [5, 5, ''],
  ])('reads the range [%i, %i)', async (start, end, wanted) => {
    await store.put('r', bytes('0123456789'))
    expect(text(await store.read('r', { range: { start, end } }))).toBe(wanted)
  })

  test('lists in the order of UTF-8 bytes, with prefixes and pages', async () => {
    const paths = ['a', 'a-b', 'a.b/x', 'b/1', 'b/10', 'b/2', 'b-/z', 'b/c/d/e', 'ä/ö ü', 'x y/z', '𝄞', '\ufffd']
    for (const path of [...paths].reverse()) await store.put(path, bytes(path))
    const sorted = [...paths].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))
    for (const limit of [1, 2, 3, 100]) {
      expect(await listAll(store, '', limit)).toEqual(sorted)
      expect(await listAll(store, 'b/1', limit)).toEqual(['b/1', 'b/10'])
      expect(await listAll(store, 'b/', limit)).toEqual(['b/1', 'b/10', 'b/2', 'b/c/d/e'])
      expect(await listAll(store, 'a', limit)).toEqual(['a', 'a-b', 'a.b/x'])
      expect(await listAll(store, 'zz', limit)).toEqual([])
    }
    expect(text(await store.read('ä/ö ü'))).toBe('ä/ö ü')
    const { objects } = await store.list('ä')
    expect(objects).toEqual([{ ...(await store.stat('ä/ö ü'))! }])
  })

  test('pages of any random tree make the whole listing', async () => {
    const part = fc.stringMatching(/^[a-c.\- é]{1,3}$/).filter((p) => !p.startsWith('.'))
    const tree = fc.uniqueArray(fc.tuple(part, part, part), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(tree, part, fc.integer({ min: 1, max: 5 }), async (triples, prefix, limit) => {
        const fresh = open()
        const paths = [...new Set(triples.map(([a, b, c]) => `${a}/d${b}/${c}`))]
        for (const path of paths) await fresh.put(path, bytes(''))
        const wanted = paths.filter((p) => p.startsWith(prefix)).sort(compareUtf8)
        expect(await listAll(fresh, prefix, limit)).toEqual(wanted)
      }),
      { numRuns: 12 },
    )
  })

  test('of 20 racing writers one wins, and its bytes stay', async () => {
    const writers = Array.from({ length: 20 }, (_, i) => i)
    const won = await Promise.all(writers.map((i) => store.putIfAbsent('log/v1.json', bytes(`writer ${i}`))))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(text(await store.read('log/v1.json'))).toBe(`writer ${won.indexOf(true)}`)
    expect(await listAll(store, '', 10)).toEqual(['log/v1.json'])
  })

  test('deletes, also twice', async () => {
    await store.put('a/b', bytes('x'))
    await store.delete('a/b')
    await store.delete('a/b')
    expect(await store.read('a/b')).toBeUndefined()
    expect(await store.putIfAbsent('a/b', bytes('y'))).toBe(true)
  })

  test.each(['', '/a', 'a/', 'a//b', '..', 'a/../b', './a', 'a/.', 'a\\b', 'a\0b', '.tmp/x', `${'x'.repeat(256)}`])(
    'refuses the path %j',
    async (path) => {
      const refused = { code: 'ARGUMENT_INVALID' }
      await expect(store.read(path)).rejects.toMatchObject(refused)
      await expect(store.stat(path)).rejects.toMatchObject(refused)
      await expect(store.put(path, bytes('x'))).rejects.toMatchObject(refused)
      await expect(store.putIfAbsent(path, bytes('x'))).rejects.toMatchObject(refused)
      await expect(store.delete(path)).rejects.toMatchObject(refused)
      expect((await store.list('')).objects).toEqual([])
    },
  )

  test.each(['../', '/', 'a/../', 'a//', 'a\\', './x'])('refuses the prefix %j', async (prefix) => {
    await expect(store.list(prefix)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
  })

  test('refuses a page without objects', async () => {
    await expect(store.list('', { limit: 0 })).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
  })

  test('does nothing once its signal is aborted', async () => {
    const signal = AbortSignal.abort()
    const cancelled = { code: 'CANCELLED' }
    await expect(store.put('a', bytes('x'), { signal })).rejects.toMatchObject(cancelled)
    await expect(store.putIfAbsent('a', bytes('x'), { signal })).rejects.toMatchObject(cancelled)
    await expect(store.list('', { signal })).rejects.toMatchObject(cancelled)
    await expect(store.read('a', { signal })).rejects.toMatchObject(cancelled)
    await expect(store.stat('a', { signal })).rejects.toMatchObject(cancelled)
    await expect(store.delete('a', { signal })).rejects.toMatchObject(cancelled)
    expect(await store.stat('a')).toBeUndefined()
  })

  test('a reader never sees a torn object', async () => {
    const size = 300_000
    await store.put('t', new Uint8Array(size).fill(1))
    let isDone = false
    const reader = (async () => {
      let reads = 0
      for (; !isDone || reads === 0; reads++) {
        const seen = (await store.read('t'))!
        expect(seen).toHaveLength(size)
        expect(seen.every((b) => b === seen[0])).toBe(true)
      }
      return reads
    })()
    for (let i = 2; i < 12; i++) await store.put('t', new Uint8Array(size).fill(i))
    isDone = true
    expect(await reader).toBeGreaterThan(0)
  })
})

describe('DiskStore alone', () => {
  test('makes its folder at the first write, and leaves no temporary files', async () => {
    const root = newFolder()
    const store = new DiskStore(root)
    await store.list('')
    expect(() => readdirSync(root)).toThrow()
    await store.putIfAbsent('a/b', bytes('x'))
    await store.putIfAbsent('a/b', bytes('y'))
    expect(readdirSync(root).sort()).toEqual(['.tmp', 'a'])
    expect(readdirSync(join(root, '.tmp'))).toEqual([])
  })

  test('hides what a crash left behind', async () => {
    const root = newFolder()
    mkdirSync(join(root, '.tmp'), { recursive: true })
    writeFileSync(join(root, '.tmp', 'half'), 'torn')
    for (const prefix of ['', '.', '.tmp/', '.tmp/h']) {
      expect(await new DiskStore(root).list(prefix)).toEqual({ objects: [] })
    }
  })

  test('says that a warehouse below a file cannot be written', async () => {
    const root = newFolder()
    mkdirSync(root, { recursive: true })
    writeFileSync(join(root, 'file'), 'x')
    for (const below of [join(root, 'file'), join(root, 'file', 'deeper')]) {
      const store = new DiskStore(below)
      const refused = { code: 'WAREHOUSE_UNWRITABLE', kind: 'user' }
      await expect(store.put('a', bytes('x'))).rejects.toMatchObject(refused)
      await expect(store.putIfAbsent('a', bytes('x'))).rejects.toMatchObject(refused)
      expect(await store.list('')).toEqual({ objects: [] })
    }
    await expect(new DiskStore(root).put('file/x', bytes('x'))).rejects.toMatchObject({ code: 'WAREHOUSE_UNWRITABLE' })
  })

  test('sees objects that other programs wrote below its root', async () => {
    const root = newFolder()
    mkdirSync(join(root, 'tables/x/data'), { recursive: true })
    writeFileSync(join(root, 'tables/x/data/1.parquet'), 'PAR1')
    const { objects } = await new DiskStore(root).list('tables/')
    expect(objects).toMatchObject([{ path: 'tables/x/data/1.parquet', sizeBytes: 4 }])
  })
})
