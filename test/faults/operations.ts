/** What changes a warehouse: each is tried under every fault at every call it makes to the store. */
import type { Catalog, TableDraft } from '../../src/catalog/catalog.ts'
import { readSettings } from '../../src/config.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { vacuum } from '../../src/maintenance/vacuum.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { systemProcesses } from '../../src/storage/processes.ts'
import { schema, testSources, writeRow } from './world.ts'

const settings = readSettings({})
/** Long after whatever the catalogs of a test did. */
const LATER_MS = 1_700_000_900_000

/** One process at work on the warehouse. What it has to remember for a retry is in `memory`. */
export interface Process {
  catalog: Catalog
  store: ObjectStore
  memory: Map<string, unknown>
}

/** A change, and the state that it is made upon. */
export interface Operation {
  name: string
  /** Makes the old state. */
  setUp(process: Process): Promise<void>
  /** Makes the new state; called again, by another process with the same memory, after it died or failed. */
  run(process: Process): Promise<void>
  /** How a retry may end when the first call had taken effect: with the error that says so. */
  repeated?: ErrorCode
  /** Whether it may have taken effect although it failed. */
  isPartial?: true
}

async function makeTable({ catalog, store }: Process): Promise<void> {
  const draft = catalog.draft('t', { schema })
  await catalog.create(draft, [await writeRow(store, draft, 0)])
  const table = await catalog.loadManaged('t')
  await catalog.append(table, [await writeRow(store, table, 1)])
  await catalog.register('folder', { path: '/data' })
}

async function nothing(): Promise<void> {}

function remember<T>({ memory }: Process, key: string, make: () => T): T {
  if (!memory.has(key)) memory.set(key, make())
  return memory.get(key) as T
}

const commitId = 'the-only-one'

/** All of them. To add one takes its name, what it needs and what it does. */
export const OPERATIONS: readonly Operation[] = [
  {
    name: 'create with files',
    setUp: nothing,
    run: async (process) => {
      const draft = remember<TableDraft>(process, 'draft', () => process.catalog.draft('t', { schema }))
      const files = [await writeRow(process.store, draft, 2), await writeRow(process.store, draft, 3)]
      await process.catalog.create(draft, files)
    },
  },
  {
    name: 'create without files, anew',
    setUp: makeTable,
    repeated: 'TABLE_EXISTS',
    run: async ({ catalog }) => {
      await catalog.create(catalog.draft('u', { schema }), [])
    },
  },
  {
    name: 'append',
    setUp: makeTable,
    run: async ({ catalog, store }) => {
      const table = await catalog.loadManaged('t')
      await catalog.append(table, [await writeRow(store, table, 2)], { commitId })
    },
  },
  {
    name: 'replace',
    setUp: makeTable,
    run: async ({ catalog, store }) => {
      const table = await catalog.loadManaged('t')
      await catalog.replace(table, [await writeRow(store, table, 2)], { commitId })
    },
  },
  {
    name: 'replace by nothing',
    setUp: makeTable,
    run: async ({ catalog }) => {
      await catalog.replace(await catalog.loadManaged('t'), [], { commitId })
    },
  },
  {
    name: 'alter',
    setUp: makeTable,
    run: async ({ catalog }) => void (await catalog.alter('t', { comment: 'of rows' }, { commitId })),
  },
  {
    name: 'vacuum',
    setUp: makeTable,
    // What it could not remove after its commit, the next one removes.
    isPartial: true,
    run: async ({ store }) => {
      const sources = { ...testSources(5), now: () => LATER_MS }
      await vacuum({ store, sources, processes: systemProcesses(), settings }, 't', { olderThanMs: 0 })
    },
  },
  {
    name: 'drop',
    setUp: makeTable,
    repeated: 'TABLE_NOT_FOUND',
    run: async ({ catalog }) => catalog.drop('t'),
  },
  {
    name: 'register',
    setUp: makeTable,
    repeated: 'TABLE_EXISTS',
    run: async ({ catalog }) => catalog.register('other', { path: '/more' }),
  },
  {
    name: 'unregister',
    setUp: makeTable,
    repeated: 'TABLE_NOT_FOUND',
    run: async ({ catalog }) => catalog.unregister('folder'),
  },
]
