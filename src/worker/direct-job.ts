/**
 * Behavioural queries as worker threads run them: files are decoded straight into the kernel. Everything here can be posted to a thread.
 *
 * Sorted files of whole actors take one job. Others take two: rows are cut into parts by a hash of their actors, and left in shared
 * memory; then each part, whose actors are in no other, is brought into order.
 */
import type { NumberColumn } from '../behaviour/column-leaves.ts'
import type { KernelProgram, KernelTotals } from '../behaviour/kernel.ts'
import type { SoughtColumn } from './column-chunks.ts'

/** What decoding files needs to know. */
export interface Decoding {
  program: KernelProgram
  /** Their sizes tell a file from another that has taken its place. */
  files: { path: string; sizeBytes: number }[]
  actor: SoughtColumn
  time: SoughtColumn
  /** Text columns whose dictionaries are asked for: they add the bits of {@link Lookup}'s answer to the masks. */
  texts: SoughtColumn[]
  /** Columns whose values are compared, and the leaves that add bits to the masks. */
  numbers: (SoughtColumn & Pick<NumberColumn, 'float' | 'leaves'>)[]
  /** Ticks of the time column: [from, to). */
  timeframe: { from?: bigint; to?: bigint }
  /** The mask for each value that the bits of all leaves together can take; absent when those bits are the mask. */
  combinations?: BigUint64Array
  /** Row groups of more rows are not decoded. */
  groupRows: number
}

/** Shared between the threads of a job; places are named by {@link CONTROL}. */
export type Control = Int32Array<SharedArrayBuffer>

/** Places in {@link Control}: the next piece of work, whether to stop, pieces done, and words of 8 bytes taken of the arena. */
export const CONTROL = { next: 0, stop: 1, done: 2, taken: 3 } as const

/** A new control. */
export function newControl(): Control {
  return new Int32Array(new SharedArrayBuffer(Object.keys(CONTROL).length * Int32Array.BYTES_PER_ELEMENT))
}

/** How rows lie in the arena. */
export interface PartLayout {
  arena: SharedArrayBuffer
  /** Words of 8 bytes that say who the actor is: an integer, or the two of a text's hash. */
  actorWords: 1 | 2
  /** Bytes of a mask. */
  maskBytes: 1 | 2 | 4 | 8
}

/** Work for several threads; each takes piece after piece of it. */
export type DirectJob =
  | { kind: 'actors'; decoding: Decoding; control: Control; keepReached: boolean }
  | {
      kind: 'cut'
      decoding: Decoding
      control: Control
      layout: PartLayout
      /** There are 2^partBits parts; those of [from, to) are kept. */
      partBits: number
      from: number
      to: number
      hashKey: [bigint, bigint]
    }
  | {
      kind: 'parts'
      program: KernelProgram
      control: Control
      layout: PartLayout
      from: number
      to: number
      blocks: Block[]
    }

/** Rows of one row group in the arena, arranged by part, column after column. */
export interface Block {
  /** In words of 8 bytes. */
  at: number
  rows: number
  /** Where each kept part begins among the rows, and behind the last where it ends. */
  offsets: Int32Array<ArrayBuffer>
}

/** Mask bits of texts of a column (its place in `texts`); null stands for null. */
export type Lookup = (column: number, texts: (string | null)[]) => Promise<BigUint64Array>

/** Waited for between pieces of work, by a thread that has to hear of its end meanwhile. */
export type Pause = () => Promise<void>

/** What the actors of one file or part reached, in its order. */
export interface PieceOutcome {
  piece: number
  rows: number
  actors: number
  levels?: Int32Array<ArrayBuffer>
  matched?: BigUint64Array<ArrayBuffer>
}

/** What one thread found. */
export interface ShareOutcome {
  totals: KernelTotals
  pieces: PieceOutcome[]
  blocks: Block[]
}

/** The shares of a job, or why the engine has to run it. */
export type JobOutcome = { shares: ShareOutcome[] } | { undecodable: string }

/** What runs jobs: the threads of a process, or the thread that asks. */
export interface ShareRunner {
  /** False while threads would have to be started for a job. */
  readonly isReady: boolean
  /** Runs a job. @throws INTERNAL, and what `lookup` throws */
  run(job: DirectJob, lookup: Lookup): Promise<JobOutcome>
  /** Runs `use` with shared memory of at least so many bytes, whose content is arbitrary. */
  withArena<T>(bytes: number, use: (arena: SharedArrayBuffer) => Promise<T>): Promise<T>
}
