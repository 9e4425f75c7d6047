/** The routes of Funnel Rocket. */
import type { BehaviouralQuery } from '../../behaviour/types.ts'
import type { ANSWERED, Call, Handlers } from '../context.ts'
import { figuresOf } from '../rows.ts'
import { aside } from '../underway.ts'
import { datasetTable, listDatasets, partsDocument } from './datasets.ts'
import { answerJob } from './job.ts'
import { register } from './register.ts'
import { fullSchema, shortSchema } from './schema.ts'
import { type DatasetStats, jobStats, tasksOf } from './stats.ts'
import { unregister } from './unregister.ts'

type DatasetRoute = Extract<keyof Handlers, `dataset${string}`>

/** The handlers of datasets. */
export const DATASET_HANDLERS: Pick<Handlers, DatasetRoute> = {
  datasets: async ({ context }) => await listDatasets(context.warehouse),
  datasetRegister: async (call) => await register(call, isTrue(call.query.stream)),
  datasetUnregister: async (call) => await unregister(call, call.params.name, isTrue(call.query.force)),
  datasetSchema: async (call) => {
    const { context, params, query } = call
    const { warehouse } = context
    const table = await datasetTable(warehouse, params.name, { files: true })
    const schema = isTrue(query.full) ? fullSchema : shortSchema
    return await aside(call, async (signal) => await schema(warehouse, table, signal))
  },
  datasetParts: async ({ context, params }) =>
    partsDocument(await datasetTable(context.warehouse, params.name, { files: true })),
  datasetQuery: async (call) => await query(call, call.params.name, call.text, isTrue(call.query.stream)),
  datasetEmptyQuery: async (call) => await query(call, call.params.name, '{}', isTrue(call.query.stream)),
}

/** Their flags are set by one word only. */
function isTrue(text: string | undefined): boolean {
  return text?.trim().toLowerCase() === 'true'
}

type AnyCall = Pick<Call, 'context' | 'caller' | 'reply'>

async function query(call: AnyCall, table: string, text: string, stream: boolean): Promise<typeof ANSWERED> {
  const { warehouse } = call.context
  const asked = { kind: 'query' as const, text, table, who: call.caller.name }
  return await answerJob(call, asked, { stream, status: 'RUNNING_QUERY' }, async (running) => {
    const { success: _, ...result } = await warehouse.query(table, text as BehaviouralQuery | string, running)
    const { stats } = result
    const { files, filesPruned, bytes } = stats
    const dataset: DatasetStats =
      filesPruned === 0
        ? { totalSize: bytes, parts: files }
        : { ...(await sizeOf(call, table, files + filesPruned)), parts: files + filesPruned }
    return {
      document: { ...result, stats: jobStats(stats, dataset) },
      figures: figuresOf(stats),
      tasks: tasksOf(stats),
    }
  })
}

/** The size of a table, as long as it has so many files. */
async function sizeOf({ context }: AnyCall, name: string, parts: number): Promise<{ totalSize?: number }> {
  const { files, bytes } = await context.warehouse.describe(name)
  return files === parts ? { totalSize: bytes } : {}
}
