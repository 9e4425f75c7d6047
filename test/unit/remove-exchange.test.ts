/** What queries left in the store goes when they end. */
import { expect, test } from 'vitest'
import { exchangePrefix, removeExchange } from '../../src/coordinator/remove-exchange.ts'
import { SkepError } from '../../src/errors.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'

/** A store that fails so many deletions and listings. */
class FailingStore extends MemoryStore {
  deletes = 0
  lists = 0

  override async delete(path: string): Promise<void> {
    if (this.deletes-- > 0) throw new SkepError('STORE_UNAVAILABLE', 'not now', { path })
    await super.delete(path)
  }

  override async list(...args: Parameters<MemoryStore['list']>): ReturnType<MemoryStore['list']> {
    if (this.lists-- > 0) throw new SkepError('STORE_UNAVAILABLE', 'not now', {})
    return await super.list(...args)
  }
}

async function filled(objects: number): Promise<FailingStore> {
  const store = new FailingStore()
  for (let k = 0; k < objects; k++) await store.put(`${exchangePrefix('q')}a.${k}.1/part-0`, new Uint8Array(1))
  for (const path of ['exchange/q2/a.0.1/x', 'exchange/qq', 'tables/q/x']) await store.put(path, new Uint8Array(1))
  return store
}

async function pathsOf(store: MemoryStore): Promise<string[]> {
  return (await store.list('', { limit: 10_000 })).objects.map(({ path }) => path)
}

const others = ['exchange/q2/a.0.1/x', 'exchange/qq', 'tables/q/x']

test.each([0, 1, 2345])('all %i objects of the query, over all pages, and nothing else', async (objects) => {
  const store = await filled(objects)
  expect(await removeExchange(store, 'q')).toEqual({ objects })
  expect(await pathsOf(store)).toEqual(others)
})

test('what fails is tried again', async () => {
  const store = await filled(50)
  store.deletes = 40
  store.lists = 1
  expect(await removeExchange(store, 'q')).toEqual({ objects: 50 })
  expect(await pathsOf(store)).toEqual(others)
})

test('what fails to the end is said, not thrown, and the rest goes', async () => {
  const store = await filled(50)
  store.deletes = 149
  const removal = await removeExchange(store, 'q')
  expect(removal).toMatchObject({ objects: 1, failure: { code: 'STORE_UNAVAILABLE' } })
  expect(await pathsOf(store)).toHaveLength(49 + others.length)
  store.lists = 99
  store.deletes = 0
  expect(await removeExchange(store, 'q')).toMatchObject({ objects: 0, failure: { code: 'STORE_UNAVAILABLE' } })
})

test.each(['', '..', 'a/../b', 'a//b'])('a query named "%s" has no folder', async (query) => {
  const store = await filled(5)
  expect(await removeExchange(store, query)).toMatchObject({ objects: 0, failure: { code: 'ARGUMENT_INVALID' } })
})
