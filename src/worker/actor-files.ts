/** One thread's share of sorted files of whole actors: it takes files until none is left, and adds up what their actors reached. */
import type { KernelLevels } from '../behaviour/kernel.ts'
import { Decoder } from './decoder.ts'
import { CONTROL, type DirectJob, type Lookup, type PieceOutcome, type ShareOutcome } from './direct-job.ts'
import { isStopped, takePiece } from './pieces.ts'

type ActorsJob = Extract<DirectJob, { kind: 'actors' }>

/** What this thread found in its files. @throws Undecodable when the engine has to read one of the files */
export async function runActorFiles(job: ActorsJob, lookup: Lookup): Promise<ShareOutcome> {
  const decoder = new Decoder(job.decoding, lookup)
  const pieces: PieceOutcome[] = []
  const count = job.decoding.files.length
  for (let piece = takePiece(job.control, count); piece < count; piece = takePiece(job.control, count)) {
    pieces.push(await runFile(job, decoder, piece))
    Atomics.add(job.control, CONTROL.done, 1)
  }
  return { totals: decoder.kernel.totals(), pieces, blocks: [] }
}

async function runFile(job: ActorsJob, decoder: Decoder, piece: number): Promise<PieceOutcome> {
  using open = decoder.open(piece)
  const { kernel } = decoder
  const outcome: PieceOutcome = { piece, rows: 0, actors: 0 }
  const kept: Kept[] = []
  const keep = (reached: KernelLevels) => {
    outcome.actors += reached.levels.length
    if (job.keepReached) kept.push({ levels: reached.levels.slice(), matched: reached.matched.slice() })
  }
  kernel.columns.beginTask()
  for (let group = 0; group < open.found.groupRows.length && !isStopped(job.control); group++) {
    const rows = await decoder.decode(open, group)
    outcome.rows += rows
    keep(kernel.feedDecoded(rows))
  }
  keep(kernel.finish())
  return job.keepReached ? { ...outcome, ...concatenate(kept, outcome.actors) } : outcome
}

interface Kept {
  levels: Int32Array<ArrayBuffer>
  matched: BigUint64Array<ArrayBuffer>
}

function concatenate(parts: readonly Kept[], length: number): Kept {
  const whole = { levels: new Int32Array(length), matched: new BigUint64Array(length) }
  let at = 0
  for (const { levels, matched } of parts) {
    whole.levels.set(levels, at)
    whole.matched.set(matched, at)
    at += levels.length
  }
  return whole
}
