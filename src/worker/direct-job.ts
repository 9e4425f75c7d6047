/** A behavioural query as worker threads run it: files of whole actors, decoded straight into the kernel. Everything here can be posted to a thread. */
import type { KernelProgram, KernelTotals } from '../behaviour/kernel.ts'
import type { SoughtColumn } from './column-chunks.ts'

/** What all shares of a query have in common. */
export interface DirectJob {
  program: KernelProgram
  /** One task each: sorted by (actor, time), with actors of its own. */
  files: string[]
  actor: SoughtColumn
  time: SoughtColumn
  /** Text columns whose dictionaries are asked for: they add the bits of {@link Lookup}'s answer to the masks. */
  texts: SoughtColumn[]
  /** Ticks of the time column: [from, to). */
  timeframe: { from?: bigint; to?: bigint }
  /** The mask for each value that the bits of the texts together can take; absent when those bits are the mask. */
  combinations?: BigUint64Array
  /** Whether what each actor reached is told. */
  keepReached: boolean
  /** Row groups of more rows are not decoded. */
  groupRows: number
  /** Shared between the shares: the number of the next file, then whether to stop. */
  control: Int32Array<SharedArrayBuffer>
}

/** Places in a job's `control`. */
export const CONTROL = { next: 0, stop: 1, done: 2 } as const

/** Mask bits of texts of a column (its place in `texts`); null stands for null. */
export type Lookup = (column: number, texts: (string | null)[]) => Promise<BigUint64Array>

/** What the actors of one file reached, in its order. */
export interface FileOutcome {
  file: number
  rows: number
  actors: number
  levels?: Int32Array<ArrayBuffer>
  matched?: BigUint64Array<ArrayBuffer>
}

/** What one thread found. */
export interface ShareOutcome {
  totals: KernelTotals
  files: FileOutcome[]
}
