/** Direct queries in the cases that random ones do not reach: many passes, odd files, names, sizes. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery, Filter, Step } from '../../src/behaviour/types.ts'
import { compareReaders, DirectLab } from './direct-lab.ts'

const steps = (...filters: Filter[]) => filters.map((filter) => ({ filter })) as [Step, ...Step[]]
const is = (event: string): Filter => ['event', '==', event]
const KEYS = { actor: 'who', time: 'ts' }

describe('unsorted files that are decoded in several passes', () => {
  const ROWS = 30_000
  let lab: DirectLab
  beforeAll(async () => {
    lab = await DirectLab.open({ SKEP_DIRECT_PART_ROWS: '500', SKEP_DIRECT_MEMORY: '200KB' })
  })
  afterAll(async () => {
    await lab[Symbol.asyncDispose]()
  })

  test.each(['VARCHAR', 'BIGINT', 'UUID'])('actors of %s', async (type) => {
    const folder = lab.newFolder()
    const who = type === 'UUID' ? `md5((hash(i) % 700)::VARCHAR)` : `(hash(i) % 700)`
    await lab.copy(
      `SELECT CAST(${who} AS ${type}) AS who, CAST(hash(i, 1) % 50000 AS BIGINT) AS ts,
        ['a', 'b', 'c', 'd'][CAST(1 + hash(i, 2) % 4 AS INTEGER)] AS event FROM range(${ROWS}) r(i)`,
      join(folder, 'a.parquet'),
      'ROW_GROUP_SIZE 2048',
    )
    const name = lab.newName()
    await lab.engine.register(name, folder, KEYS)
    const query: BehaviouralQuery = { funnel: { sequence: steps(is('a'), is('b'), is('c')), maxDuration: 5000 } }
    const stats = await compareReaders(lab, name, query)
    expect(stats).toMatchObject({ reader: 'direct', scannedRows: ROWS, scannedGroups: 700 })
  })
})
