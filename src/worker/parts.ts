/** Unsorted files: row groups are decoded and cut into parts of whole actors, then parts are brought into order. */
import { Kernel, type KernelColumns, type KernelTotals } from '../behaviour/kernel.ts'
import { type DecodableFile, Decoder } from './decoder.ts'
import {
  type Block,
  CONTROL,
  type DirectJob,
  type Lookup,
  type PartLayout,
  type Pause,
  type PieceOutcome,
  type ShareOutcome,
} from './direct-job.ts'
import { Undecodable } from './open-file.ts'
import { isStopped, takePiece } from './pieces.ts'

type CutJob = Extract<DirectJob, { kind: 'cut' }>
type PartsJob = Extract<DirectJob, { kind: 'parts' }>

const NOTHING: KernelTotals = { groups: 0, rows: 0, steps: [] }

/** Decodes row groups and leaves their rows in the arena. @throws Undecodable when the engine has to read one of the files */
export async function runCut(job: CutJob, lookup: Lookup, pause?: Pause): Promise<ShareOutcome> {
  const decoder = new Decoder(job.decoding, lookup)
  const { columns } = decoder.kernel
  columns.setHashKey(...job.hashKey)
  columns.keepActors(job.layout.actorWords)
  const blocks: Block[] = []
  const end = Number.POSITIVE_INFINITY
  let wanted = takePiece(job.control, end)
  // Pieces are row groups, counted through all files.
  for (let file = 0, first = 0; file < job.decoding.files.length && wanted < end; file++) {
    using open = decoder.open(file)
    const groups = open.found.groupRows.length
    for (; wanted < first + groups; wanted = takePiece(job.control, end)) {
      const block = await cutGroup(job, decoder, open, wanted - first)
      if (block) blocks.push(block)
      if (pause) await pause()
    }
    first += groups
    Atomics.store(job.control, CONTROL.done, file)
  }
  return { totals: NOTHING, pieces: [], blocks }
}

async function cutGroup(job: CutJob, decoder: Decoder, open: DecodableFile, group: number): Promise<Block | undefined> {
  const { columns } = decoder.kernel
  const { layout, partBits, from, to } = job
  columns.beginTask()
  const count = await decoder.decode(open, group)
  columns.cut(count, partBits, layout.maskBytes)
  const bounds = new Int32Array(columns.memory.buffer, columns.offsetsStart(), 2 ** partBits + 1).slice(from, to + 1)
  const first = bounds[0]!
  const rows = bounds.at(-1)! - first
  if (rows === 0) return undefined
  const at = Atomics.add(job.control, CONTROL.taken, blockWords(rows, layout))
  if ((at + blockWords(rows, layout)) * 8 > layout.arena.byteLength)
    throw new Undecodable('it has more rows than were announced')
  const arena = new Uint8Array(layout.arena)
  let end = at * 8
  for (const { start, width } of partColumns(columns, layout)) {
    arena.set(new Uint8Array(columns.memory.buffer, start + first * width, rows * width), end)
    end += wholeWords(rows * width)
  }
  return { at, rows, offsets: bounds.map((offset) => offset - first) }
}

/** The columns of a part in the kernel, in the order in which they lie in a block. */
function partColumns(
  columns: KernelColumns,
  { actorWords, maskBytes }: PartLayout,
): { start: number; width: number }[] {
  return [
    { start: columns.partFirstStart(), width: 8 },
    ...(actorWords === 2 ? [{ start: columns.partSecondStart(), width: 8 }] : []),
    { start: columns.partTimesStart(), width: 8 },
    { start: columns.partMasksStart(), width: maskBytes },
  ]
}

function blockWords(rows: number, { actorWords, maskBytes }: PartLayout): number {
  return rows * (actorWords + 1) + wholeWords(rows * maskBytes) / 8
}

function wholeWords(bytes: number): number {
  return Math.ceil(bytes / 8) * 8
}

/** Bytes that an arena needs for so many rows in so many blocks. */
export function arenaBytes(rows: number, blocks: number, { actorWords, maskBytes }: Omit<PartLayout, 'arena'>): number {
  return rows * (8 * actorWords + 8 + maskBytes) + 8 * blocks
}

/** Brings parts into order, one after the other, and adds up what their actors reached. */
export async function runParts(job: PartsJob, pause?: Pause): Promise<ShareOutcome> {
  const kernel = new Kernel(job.program, { floatTimes: false })
  const { columns } = kernel
  columns.keepActors(job.layout.actorWords)
  const count = job.to - job.from
  const pieces: PieceOutcome[] = []
  for (let piece = takePiece(job.control, count); piece < count; piece = takePiece(job.control, count)) {
    const rows = takePart(job, columns, piece)
    columns.regroup(rows, job.layout.maskBytes)
    const actors = kernel.feedDecoded(rows).levels.length + kernel.finish().levels.length
    pieces.push({ piece: job.from + piece, rows, actors })
    Atomics.add(job.control, CONTROL.done, 1)
    if (pause) await pause()
  }
  if (isStopped(job.control)) pieces.length = 0
  return { totals: kernel.totals(), pieces, blocks: [] }
}

/** Puts the rows of a part, from all blocks, into the kernel; gives their number. */
function takePart({ layout, blocks }: PartsJob, columns: KernelColumns, part: number): number {
  const total = blocks.reduce((sum, { offsets }) => sum + offsets[part + 1]! - offsets[part]!, 0)
  columns.reservePart(total)
  const arena = new Uint8Array(layout.arena)
  const memory = new Uint8Array(columns.memory.buffer)
  const targets = partColumns(columns, layout)
  let done = 0
  for (const { at, rows, offsets } of blocks) {
    const from = offsets[part]!
    const to = offsets[part + 1]!
    let begin = at * 8
    for (const { start, width } of targets) {
      memory.set(arena.subarray(begin + from * width, begin + to * width), start + done * width)
      begin += wholeWords(rows * width)
    }
    done += to - from
  }
  return total
}
