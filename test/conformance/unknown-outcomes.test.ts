import { beforeEach, describe, expect, test } from 'vitest'
import type { Catalog, TableDraft } from '../../src/catalog/catalog.ts'
import type { DataFile } from '../../src/catalog/types.ts'
import { SkepError } from '../../src/errors.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { answering } from '../answering.ts'
import { makeTemplates, newCatalog, schema, writeRow } from '../faults/world.ts'

type Step = 'late' | 'lost' | 'refused' | 'full'

let store: MemoryStore
let late: (() => Promise<unknown>)[]
/** What others do while a writer waits for the reply that it does not get. */
let meanwhile: () => Promise<void>
beforeEach(async () => {
  await makeTemplates(4)
  store = new MemoryStore()
  late = []
  meanwhile = async () => {}
})

/** The store as a writer sees it whose conditional writes of some path go wrong in these ways, one after the other. */
function troubled(path: RegExp, steps: Step[]): ObjectStore {
  const unavailable = () => new SkepError('STORE_UNAVAILABLE', 'no answer', {})
  return answering(store, 'putIfAbsent', async (to, bytes) => {
    const step = path.test(to) ? steps.shift() : undefined
    if (step === undefined) return await store.putIfAbsent(to, bytes)
    if (step === 'full') throw new SkepError('DISK_FULL', 'full', {})
    if (step === 'lost') await store.putIfAbsent(to, bytes)
    if (step === 'late') late.push(() => store.putIfAbsent(to, bytes))
    await meanwhile()
    throw unavailable()
  })
}

async function arriveLate(): Promise<void> {
  for (const write of late.splice(0)) await write()
}

async function create(catalog: Catalog): Promise<TableDraft> {
  const draft = catalog.draft('t', { schema })
  await catalog.create(draft, [await writeRow(store, draft, 0)])
  return draft
}

/** The rows of the table; every file of it has to be there. */
async function rows(): Promise<number[]> {
  const { snapshot } = await newCatalog(store, 99).loadManaged('t')
  for (const { path } of snapshot.files) {
    if (!(await store.stat(path.slice(store.root.length + 1)))) throw new Error(`${path} is gone`)
  }
  return snapshot.files.map(({ path }) => Number(/row-(\d+)/.exec(path)![1])).sort((a, b) => a - b)
}

const unknown = { code: 'STORE_UNAVAILABLE', details: { outcome: 'unknown', table: 't' } }
const ALL_LATE: Step[] = ['late', 'late', 'late', 'late', 'late']

describe('a commit', () => {
  let files: DataFile[]
  async function append(path: RegExp, steps: Step[]) {
    await create(newCatalog(store, 1))
    const writer = newCatalog(troubled(path, steps), 2)
    const table = await writer.loadManaged('t')
    files = [await writeRow(store, table, 1)]
    return { table, commit: () => writer.append(table, files, { commitId: 'mine' }) }
  }

  test.each<[Step[]]>([[['late', 'full']], [['late', 'refused', 'full', 'full', 'full']], [ALL_LATE]])(
    'that arrives after its writer gave up (%j) is unknown, and whole',
    async (steps) => {
      const { commit } = await append(/v2\.metadata/, [...steps, ...Array<Step>(9).fill('full')])
      await expect(commit()).rejects.toMatchObject({ ...unknown, details: { commitId: 'mine' } })
      expect(await rows()).toEqual([0])
      await arriveLate()
      expect(await rows()).toEqual([0, 1])
    },
  )

  test('that is unknown says what to look for', async () => {
    const { commit } = await append(/v2\.metadata/, [...ALL_LATE])
    const words = 'look for the commit id mine in `skep snapshots t --json` before you repeat it'
    await expect(commit()).rejects.toThrow(words)
  })

  test('that is unknown is found by its id when it is tried again, under newer versions too', async () => {
    const { table, commit } = await append(/v2\.metadata/, [...ALL_LATE])
    await expect(commit()).rejects.toMatchObject(unknown)
    await arriveLate()
    const other = newCatalog(store, 3)
    await other.append(table, [await writeRow(store, table, 2)])
    await other.append(table, [await writeRow(store, table, 3)])
    const again = await other.append(table, files, { commitId: 'mine' })
    expect(again).toMatchObject({ repeated: true, snapshotId: (await other.snapshots('t'))[1]!.id })
    expect(await rows()).toEqual([0, 1, 2, 3])
  })

  test('that is lost, and under newer versions before it is read back, is known to be ours', async () => {
    const { table, commit } = await append(/v2\.metadata/, ['lost'])
    meanwhile = async () => {
      await newCatalog(store, 3).append(table, [await writeRow(store, table, 2)])
    }
    expect(await commit()).not.toHaveProperty('repeated')
    expect(await rows()).toEqual([0, 1, 2])
  })

  test.each<[string, Step]>([
    ['ours', 'lost'],
    ['not ours', 'refused'],
  ])('whose version, which was %s, was removed under newer ones is looked up by its id', async (_, step) => {
    const { table, commit } = await append(/v2\.metadata/, [step])
    meanwhile = async () => {
      const other = newCatalog(store, 3)
      await other.append(table, [await writeRow(store, table, 2)])
      await other.append(table, [await writeRow(store, table, 3)])
      for (const version of [1, 2]) await store.delete(`tables/${table.uuid}/metadata/v${version}.metadata.json`)
    }
    await commit()
    expect(await rows()).toEqual([0, 1, 2, 3])
    expect(await newCatalog(store, 4).snapshots('t')).toHaveLength(4)
  })

  test('that is refused at once is known not to have happened', async () => {
    const { commit } = await append(/v2\.metadata/, ['full'])
    await expect(commit()).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect((await store.list('', { limit: 1000 })).objects.filter(({ path }) => path.includes('/snap-'))).toHaveLength(
      1,
    )
  })
})

describe('a creation', () => {
  test('that is repeated with its draft makes one table, and never removes it', async () => {
    const catalog = newCatalog(store, 1)
    const draft = await create(catalog)
    const again = await newCatalog(store, 2).create(draft, [await writeRow(store, draft, 0)])
    expect(again.snapshotId).toBe((await catalog.loadManaged('t')).snapshot.id)
    const signal = AbortSignal.abort()
    await expect(newCatalog(store, 3).create(draft, [], { signal })).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(await rows()).toEqual([0])
  })

  test('whose name arrives late outlives a retry that was refused', async () => {
    const writer = newCatalog(troubled(/^names/, [...ALL_LATE, 'full']), 1)
    const draft = writer.draft('t', { schema })
    const files = [await writeRow(store, draft, 0)]
    await expect(writer.create(draft, files)).rejects.toMatchObject(unknown)
    await expect(writer.create(draft, files)).rejects.toMatchObject({ code: 'DISK_FULL' })
    await arriveLate()
    expect(await rows()).toEqual([0])
  })

  test('whose first version arrives late is made by the retry', async () => {
    const writer = newCatalog(troubled(/v1\.metadata/, [...ALL_LATE]), 1)
    const draft = writer.draft('t', { schema })
    const files = [await writeRow(store, draft, 0)]
    const failure = writer.create(draft, files)
    await expect(failure).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(failure).rejects.not.toMatchObject(unknown)
    await arriveLate()
    await writer.create(draft, files)
    expect(await rows()).toEqual([0])
  })

  test('that lost its name to another removes its own files only', async () => {
    await create(newCatalog(store, 1))
    const other = newCatalog(store, 2)
    const draft = other.draft('t', { schema })
    const files = [await writeRow(store, draft, 1)]
    await expect(other.create(draft, files)).rejects.toMatchObject({ code: 'TABLE_EXISTS' })
    expect(await rows()).toEqual([0])
    expect((await store.list(`tables/${draft.uuid}/`)).objects).toEqual([])
  })
})

test.each(['drop', 'register', 'unregister'] as const)('an unknown %s says so', async (verb) => {
  const catalog = newCatalog(store, 1)
  await create(catalog)
  await catalog.register('r', { path: '/r' })
  const writer = newCatalog(troubled(verb === 'drop' ? /metadata/ : /^names/, [...ALL_LATE]), 2)
  const change =
    verb === 'drop' ? writer.drop('t') : verb === 'register' ? writer.register('new', {}) : writer.unregister('r')
  await expect(change).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', details: { outcome: 'unknown' } })
  await arriveLate()
  const names = (await catalog.tables()).map(({ name }) => name)
  expect(names).toEqual({ drop: ['r'], register: ['new', 'r', 't'], unregister: ['t'] }[verb])
})
