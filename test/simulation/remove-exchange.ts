/** What tasks of a query left in the store, removed when the query ends. */
import { type SkepError, toSkepError } from '../../src/errors.ts'
import { mapConcurrent } from '../../src/storage/concurrent.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'

const REMOVALS_AT_ONCE = 16
const PASSES = 3

/** The folder of the objects of one query; of all queries when none is named. It ends in `/`. */
export function exchangePrefix(query?: string): string {
  return query === undefined ? 'exchange/' : `exchange/${query}/`
}

/** What was removed, and why something may be left. */
export interface ExchangeRemoval {
  objects: number
  failure?: SkepError
}

/**
 * Removes everything under the prefix of a query. It never throws: the answer stands without it, and vacuum removes what is left,
 * as it does with what a lost worker writes later.
 */
export async function removeExchange(store: ObjectStore, query: string): Promise<ExchangeRemoval> {
  const removal: ExchangeRemoval = { objects: 0 }
  for (let pass = 0; pass < PASSES; pass++) {
    delete removal.failure
    await removeAll(store, exchangePrefix(query), removal)
    if (!removal.failure) break
  }
  return removal
}

async function removeAll(store: ObjectStore, prefix: string, removal: ExchangeRemoval): Promise<void> {
  const failed = (error: unknown) => {
    removal.failure = toSkepError(error)
  }
  const remove = async (path: string) => {
    await store.delete(path)
    removal.objects++
  }
  for (let after: string | undefined; ; ) {
    const page = await store.list(prefix, after === undefined ? {} : { after }).catch(failed)
    if (!page) return
    await mapConcurrent(page.objects, REMOVALS_AT_ONCE, ({ path }) => remove(path).catch(failed))
    if (page.next === undefined) return
    after = page.next
  }
}
