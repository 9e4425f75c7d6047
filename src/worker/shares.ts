/** One thread's share of a job, and the thread that runs a job alone. */
import { setImmediate } from 'node:timers/promises'
import { toSkepError } from '../errors.ts'
import { runActorFiles } from './actor-files.ts'
import type { DirectJob, JobOutcome, Lookup, Pause, ShareOutcome, ShareRunner } from './direct-job.ts'
import { reasonForEngine } from './open-file.ts'
import { runCut, runParts } from './parts.ts'

/** What a share of a job finds. @throws Undecodable, and whatever {@link reasonForEngine} knows, when the engine has to run the job */
export async function runShare(job: DirectJob, lookup: Lookup, pause?: Pause): Promise<ShareOutcome> {
  switch (job.kind) {
    case 'actors':
      return await runActorFiles(job, lookup, pause)
    case 'cut':
      return await runCut(job, lookup, pause)
    case 'parts':
      return await runParts(job, pause)
  }
}

/** Runs jobs in the thread that asks for them, which hears between two row groups whether it is to stop. */
export const OWN_THREAD: ShareRunner = {
  isReady: true,
  async run(job: DirectJob, lookup: Lookup): Promise<JobOutcome> {
    let failure: { error: unknown } | undefined
    const asking: Lookup = async (column, texts) => {
      try {
        return await lookup(column, texts)
      } catch (error) {
        failure = { error }
        throw error
      }
    }
    try {
      return { shares: [await runShare(job, asking, () => setImmediate())] }
    } catch (error) {
      if (failure) throw failure.error
      const undecodable = reasonForEngine(error)
      if (undecodable === undefined) throw toSkepError(error)
      return { undecodable }
    }
  },
  withArena: (bytes, use) => use(new SharedArrayBuffer(bytes)),
}
