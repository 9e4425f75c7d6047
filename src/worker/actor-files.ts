/** One thread's share of sorted files of whole actors: it takes files until none is left, and adds up what their actors reached. */
import type { KernelLevels } from '../behaviour/kernel.ts'
import { Decoder } from './decoder.ts'
import { CONTROL, type DirectJob, type Lookup, type Pause, type PieceOutcome, type ShareOutcome } from './direct-job.ts'
import { isStopped, takePiece } from './pieces.ts'
import { concatenate, type Reached } from './reached.ts'

type ActorsJob = Extract<DirectJob, { kind: 'actors' }>

/** What this thread found in its files. @throws Undecodable when the engine has to read one of the files */
export async function runActorFiles(job: ActorsJob, lookup: Lookup, pause?: Pause): Promise<ShareOutcome> {
  const decoder = new Decoder(job.decoding, lookup)
  const pieces: PieceOutcome[] = []
  const count = job.decoding.files.length
  for (let piece = takePiece(job.control, count); piece < count; piece = takePiece(job.control, count)) {
    pieces.push(await runFile(job, decoder, piece, pause))
    Atomics.add(job.control, CONTROL.done, 1)
  }
  return { totals: decoder.kernel.totals(), pieces, blocks: [] }
}

async function runFile(job: ActorsJob, decoder: Decoder, piece: number, pause?: Pause): Promise<PieceOutcome> {
  using open = decoder.open(piece)
  const { kernel } = decoder
  const outcome: PieceOutcome = { piece, rows: 0, actors: 0 }
  const kept: Reached[] = []
  const keep = (reached: KernelLevels) => {
    outcome.actors += reached.levels.length
    if (job.keepReached) kept.push({ levels: reached.levels.slice(), matched: reached.matched.slice() })
  }
  kernel.columns.beginTask()
  for (let group = 0; group < open.found.groupRows.length && !isStopped(job.control); group++) {
    const rows = await decoder.decode(open, group)
    outcome.rows += rows
    keep(kernel.feedDecoded(rows))
    if (pause) await pause()
  }
  keep(kernel.finish())
  return job.keepReached ? { ...outcome, ...concatenate(kept, outcome.actors) } : outcome
}
