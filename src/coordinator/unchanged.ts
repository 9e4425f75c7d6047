/** Answers from files that others may change: none leaves us unless its files stayed as they were planned. */
import { foreignFiles } from '../catalog/stamp-files.ts'
import type { DataFile } from '../catalog/types.ts'
import { SETTINGS } from '../config.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { firstChanged } from '../storage/file-tree.ts'
import type { CallOptions } from '../storage/object-store.ts'

/** Succeeds when all foreign files among these are as they were when the query was planned; those that could not be read then are told of elsewhere. @throws FOLDER_CHANGED */
export async function requireUnchanged(files: readonly DataFile[], options: CallOptions = {}): Promise<void> {
  const readable = files.filter(({ foreign }) => foreign?.problem === undefined)
  const file = await firstChanged('', foreignFiles(readable), options)
  if (file === undefined) return
  const message = `${file} changed or vanished while the query read it; try again when its writer is done`
  throw new SkepError('FOLDER_CHANGED', message, { file })
}

/** The result of a step that reads these files. What goes wrong because they changed is told as that. @throws FOLDER_CHANGED, and what `step` does */
export async function stepUnchanged<T>(
  files: readonly DataFile[],
  options: CallOptions,
  step: () => Promise<T>,
): Promise<T> {
  try {
    return await step()
  } catch (error) {
    if (!isBeyond(error)) await requireUnchanged(files, options)
    throw error
  }
}

/** The same for a step whose result counts only when the files are unchanged at its end. */
export async function readUnchanged<T>(
  files: readonly DataFile[],
  options: CallOptions,
  read: () => Promise<T>,
): Promise<T> {
  return await stepUnchanged(files, options, async () => {
    const result = await read()
    await requireUnchanged(files, options)
    return result
  })
}

/**
 * The batches of a result, of which the last comes only when the result is known to be complete, and the files to be unchanged, which
 * `onUnchanged` is told. The first is there already, so that a short result is wholly checked by now. @throws FOLDER_CHANGED, here and
 * later, and what the result fails with
 */
export async function batchesUnchanged<T>(
  files: readonly DataFile[],
  options: CallOptions & { onUnchanged?: () => void },
  batches: AsyncIterable<T>,
): Promise<AsyncIterable<T>> {
  const checked = checkedBatches(files, options, batches)
  const first = await checked.next()
  return resumed(first, checked)
}

async function* resumed<T>(first: IteratorResult<T>, rest: AsyncGenerator<T>): AsyncGenerator<T> {
  if (first.done) return
  yield first.value
  yield* rest
}

async function* checkedBatches<T>(
  files: readonly DataFile[],
  options: CallOptions & { onUnchanged?: () => void },
  batches: AsyncIterable<T>,
): AsyncGenerator<T> {
  const source = batches[Symbol.asyncIterator]()
  const next = async () => {
    const step = await stepUnchanged(files, options, () => source.next())
    if (!step.done) return step
    await requireUnchanged(files, options)
    options.onUnchanged?.()
    return step
  }
  let held = await next()
  while (!held.done) {
    const following = await next()
    yield held.value
    held = following
  }
}

/** Errors that changed files do not explain. */
function isBeyond(error: unknown): boolean {
  return isSkepError(error) && (error.kind === 'cancelled' || error.kind === 'limit' || error.code === 'FOLDER_CHANGED')
}

/** The result of `work`, which is done again while files change under it, at most `retries` times, and when its engine is lost. */
export async function retryChanged<T>(retries: number, work: () => Promise<T>): Promise<T> {
  const left = { FOLDER_CHANGED: retries, ENGINE_LOST: SETTINGS.engineRetries.default }
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const code = isSkepError(error, 'FOLDER_CHANGED') || isSkepError(error, 'ENGINE_LOST') ? error.code : undefined
      if (code === undefined || left[code]-- <= 0) throw error
    }
  }
}
