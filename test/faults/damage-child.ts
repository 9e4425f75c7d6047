/** The process that reads a damaged warehouse: whatever becomes of it is seen from outside. */
import { isSkepError } from '../../src/errors.ts'
import { Warehouse } from '../../src/warehouse.ts'

/** What is to be done with a warehouse that may be damaged. */
export interface DamageJob {
  root: string
  table: string
  /** A table that is whole. */
  other: string
  /** Statements over the table, and over the other one. */
  sql: string[]
  otherSql: string
  keyed: boolean
  /** The first snapshot of the table; absent for a registered one. */
  past?: number
  /** A file to import into the table, which is dropped afterwards: only for warehouses that nobody needs any more. */
  source?: string
  registered: boolean
}

/** How one operation ended: with a value as text, or an error. */
export type OperationEnd =
  | { operation: string; value: string }
  | { operation: string; code: string; kind: string; message: string; details: object; trace?: string }

const QUERY = {
  query: { conditions: [{ filter: ['event', '==', 'buy'] as const, target: ['count', '>', 1] as const }] },
  funnel: { sequence: [{ filter: ['event', '==', 'view'] as const }, { filter: ['event', '==', 'buy'] as const }] },
} as const

async function run(job: DamageJob): Promise<OperationEnd[]> {
  const ends: OperationEnd[] = []
  const env = { SKEP_THREADS: '2', SKEP_MEMORY: '512MB', SKEP_QUERY_TIMEOUT_MS: '240000' }
  await using warehouse = await Warehouse.open(job.root, { env })
  const attempt = async (operation: string, work: () => Promise<unknown>) => {
    try {
      ends.push({ operation, value: JSON.stringify((await work()) ?? null) })
    } catch (error) {
      ends.push({ operation, ...describeError(error) })
    }
  }
  const rows = async (text: string) => (await warehouse.sql(text)).rows
  if (job.source !== undefined) {
    const { source } = job
    if (!job.registered) await attempt('import', async () => (await warehouse.import(job.table, [source])).rows)
    await attempt('count', () => rows(job.sql[0]!))
    await attempt('drop', () => (job.registered ? warehouse.unregister(job.table) : warehouse.drop(job.table)))
    await attempt('gone', async () => (await warehouse.tables()).some(({ name }) => name === job.table))
    await attempt('other', () => rows(job.otherSql))
    return ends
  }
  await attempt('tables', () => warehouse.tables())
  await attempt('describe', () => warehouse.describe(job.table, { files: true }))
  await attempt('snapshots', () => warehouse.snapshots(job.table))
  for (const [k, text] of job.sql.entries()) await attempt(`sql${k}`, () => rows(text))
  if (job.past !== undefined) {
    const at = job.past
    await attempt('past', async () => (await warehouse.sql(job.sql[1]!, { at })).rows)
  }
  if (job.keyed)
    await attempt('query', async () => ({ ...(await warehouse.query(job.table, QUERY as never)), stats: 0 }))
  await attempt('other', () => rows(job.otherSql))
  return ends
}

function describeError(error: unknown) {
  if (!isSkepError(error)) {
    return {
      code: 'UNCODED',
      kind: 'internal',
      message: String(error),
      details: {},
      trace: (error as Error)?.stack ?? '',
    }
  }
  const { code, kind, message, details } = error
  const trace = kind === 'internal' ? { trace: String((error.cause as Error | undefined)?.stack ?? error.stack) } : {}
  return { code, kind, message, details, ...trace }
}

process.on('message', (message: { id: number; job: DamageJob }) => {
  void run(message.job).then(
    (ends) => process.send!({ id: message.id, ends }),
    (error: unknown) => process.send!({ id: message.id, ends: [{ operation: 'open', ...describeError(error) }] }),
  )
})
