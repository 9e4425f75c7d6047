/** Doing a bounded number of things at once. */

/** The results of `work` on every item, in the items' order; at most `limit` run at a time. After a failure nothing new is begun, and what runs is awaited before it is thrown. */
export async function mapConcurrent<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length)
  let next = 0
  let hasFailed = false
  async function run(): Promise<void> {
    while (next < items.length && !hasFailed) {
      const index = next++
      results[index] = await work(items[index]!, index)
    }
  }
  const runners = Array.from({ length: Math.min(limit, items.length) }, () =>
    run().catch((error: unknown) => {
      hasFailed = true
      throw error
    }),
  )
  const outcomes = await Promise.allSettled(runners)
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  return results
}
