/** Registration of a folder by the arguments of Funnel Rocket. */
import type { BodyOf } from '../../api/contract.ts'
import type { Validation } from '../../catalog/types.ts'
import type { TaskProgress } from '../../coordinator/run-figures.ts'
import { SkepError } from '../../errors.ts'
import type { RegisterOptions, RegisterResult } from '../../inputs/register.ts'
import type { ANSWERED, Call } from '../context.ts'
import { requireInside } from '../paths.ts'
import { datasetDocument, datasetTable } from './datasets.ts'
import { answerJob } from './job.ts'
import { seconds } from './stats.ts'

type Body = BodyOf<'datasetRegister'>

/** The arguments of a registration. */
interface RegisterArguments {
  name: string
  path: string
  options: RegisterOptions
}

const MODES: Record<string, Validation> = { SINGLE: 'single', FIRST_LAST: 'first_last', SAMPLE: 'sample', ALL: 'all' }

/** Registers a folder, in place of one that is registered under the name, and answers with the dataset. */
export async function register(call: Call<'datasetRegister'>, stream: boolean): Promise<typeof ANSWERED> {
  const { body, caller, context } = call
  const { warehouse } = context
  const { name, path, options } = readArguments(body)
  await requireInside(call, path)
  const asked = { kind: 'register' as const, text: path, table: name, who: caller.name }
  return await answerJob(call, asked, { stream, status: 'RUNNING' }, async ({ signal, onProgress }) => {
    const started = performance.now()
    // How many tasks there are is not known before the files are.
    const tell = (fraction: number, tasks?: TaskProgress) => tasks && onProgress(fraction, tasks)
    const result = await warehouse.register(name, path, { ...options, signal, onProgress: tell })
    const { since } = await warehouse.origin(name)
    const dataset = datasetDocument(await datasetTable(warehouse, name), since)
    const stats = registerStats(result, performance.now() - started)
    const warnings = result.warnings.length > 0 ? { warnings: result.warnings } : {}
    const { rows, bytes, checkedFiles: tasks } = result
    return { document: { dataset, stats, ...warnings }, figures: { rows, bytes }, tasks }
  })
}

/** A file that is compared with others counts as a task. */
function registerStats(result: RegisterResult, ms: number): object {
  const { files, rows, bytes, checkedFiles, actorsTogether } = result
  return {
    files,
    rows,
    bytes,
    checkedFiles,
    actorsTogether,
    ms: Math.round(ms),
    totalTime: seconds(ms),
    invoker: { totalTasks: checkedFiles, failedTasks: 0 },
    dataset: { totalSize: bytes, parts: files },
  }
}

/** @throws ARGUMENT_INVALID for one that is missing, or that comes in both spellings */
function readArguments(body: Body): RegisterArguments {
  const { name, basepath, pattern } = body
  const mode = either(body, 'validationMode', 'validation_mode') ?? 'SAMPLE'
  const isCompared = either(body, 'validateUniques', 'validate_uniques') ?? true
  const timeUnit = either(body, 'timeUnit', 'time_unit')
  return {
    name: required(name, 'name'),
    path: required(basepath, 'basepath').replace(/^file:\/\//, ''),
    options: {
      actor: required(either(body, 'groupIdColumn', 'group_id_column'), 'groupIdColumn'),
      time: required(either(body, 'timestampColumn', 'timestamp_column'), 'timestampColumn'),
      // One file is compared with none: actors then count as scattered, so that answers stay right.
      validate: isCompared ? MODES[mode]! : 'single',
      replace: true,
      ...(pattern !== undefined && { pattern }),
      ...(timeUnit !== undefined && { timeUnit }),
    },
  }
}

function either<K extends keyof Body, L extends keyof Body>(body: Body, camel: K, snake: L): Body[K] | Body[L] {
  if (body[camel] === undefined || body[snake] === undefined) return body[camel] ?? body[snake]
  throw new SkepError('ARGUMENT_INVALID', `body: ${camel} and ${snake} are the same; give one of them`, {
    argument: camel,
  })
}

function required<T>(value: T | undefined, argument: string): T {
  if (value !== undefined) return value
  throw new SkepError('ARGUMENT_INVALID', `body: ${argument} is missing`, { argument })
}
