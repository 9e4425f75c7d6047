import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VersionedLog } from '../../src/catalog/versioned-log.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { testSources } from '../faults/world.ts'

/** A log that has these versions, in a store that notes the calls it gets. */
async function logOf(lowest: number, highest: number) {
  const real = new MemoryStore()
  const calls: string[] = []
  const note = <A extends unknown[], T>(name: string, call: (...args: A) => Promise<T>) => {
    return async (...args: A) => {
      calls.push(name)
      return await call(...args)
    }
  }
  const store: ObjectStore = {
    root: real.root,
    list: note('list', real.list.bind(real)),
    stat: note('stat', real.stat.bind(real)),
    read: real.read.bind(real),
    put: real.put.bind(real),
    putIfAbsent: real.putIfAbsent.bind(real),
    delete: real.delete.bind(real),
  }
  const log = new VersionedLog(store, testSources(1), 'log', '.json')
  for (let version = lowest; version <= highest; version++) await real.put(log.path(version), new Uint8Array(1))
  return { log, calls }
}

test('the highest version is found from any that was seen before, whatever was removed since', async () => {
  const cases = fc.record({
    lowest: fc.integer({ min: 1, max: 40 }),
    more: fc.nat(80),
    known: fc.integer({ min: 0, max: 60 }),
  })
  const property = fc.asyncProperty(cases, async ({ lowest, more, known }) => {
    const highest = lowest + more
    const { log } = await logOf(lowest, highest)
    expect(await log.head({}, Math.min(known, highest))).toBe(highest)
  })
  await fc.assert(property, { numRuns: 300 })
})

test('it costs two look-ups when nothing has come, few when much has, and a listing when the known one is gone', async () => {
  const { log, calls } = await logOf(10, 200)
  expect(await log.head({}, 200)).toBe(200)
  expect(calls.splice(0)).toEqual(['stat', 'stat'])
  expect(await log.head({}, 100)).toBe(200)
  expect(calls.splice(0).length).toBeLessThan(17)
  expect(await log.head({}, 3)).toBe(200)
  expect(calls.splice(0)).toEqual(['stat', 'stat', 'list'])
  expect(await log.head({})).toBe(200)
  expect(calls).toEqual(['list'])
})
