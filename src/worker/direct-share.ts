/** One thread's share of a {@link DirectJob}: it takes files until none is left, and adds up what their actors reached. */
import { Kernel, type KernelLevels } from '../behaviour/kernel.ts'
import { type ColumnarFile, findColumns } from './column-chunks.ts'
import { CONTROL, type DirectJob, type FileOutcome, type Lookup, type ShareOutcome } from './direct-job.ts'
import { OpenFile, Undecodable } from './open-file.ts'
import { decodePages } from './pages.ts'
import { TextMasks } from './text-masks.ts'

const ACTOR = 0
const TIME = 1
const MASK = 2

/** @throws Undecodable when the engine has to read one of the files */
export async function runShare(job: DirectJob, lookup: Lookup): Promise<ShareOutcome> {
  const kernel = new Kernel(job.program, { floatTimes: false })
  const { columns } = kernel
  const { from, to } = job.timeframe
  columns.setTimeframe(Number(from !== undefined), from ?? 0n, Number(to !== undefined), to ?? 0n)
  if (job.combinations) {
    const at = columns.combinationsRoom(job.combinations.length)
    new BigUint64Array(columns.memory.buffer, at, job.combinations.length).set(job.combinations)
  }
  const masks = job.texts.map((_, column) => new TextMasks(columns, (texts) => lookup(column, texts)))
  const files: FileOutcome[] = []
  for (let file = next(job); file < job.files.length; file = next(job)) {
    files.push(await runFile(job, kernel, masks, file))
    Atomics.add(job.control, CONTROL.done, 1)
  }
  return { totals: kernel.totals(), files }
}

function next({ control }: DirectJob): number {
  return Atomics.load(control, CONTROL.stop) === 0 ? Atomics.add(control, CONTROL.next, 1) : Number.POSITIVE_INFINITY
}

async function runFile(job: DirectJob, kernel: Kernel, masks: TextMasks[], place: number): Promise<FileOutcome> {
  using file = new OpenFile(job.files[place]!)
  const found = findColumns(file, [job.actor, job.time, ...job.texts])
  const outcome: FileOutcome = { file: place, rows: 0, actors: 0 }
  const kept: Kept[] = []
  const keep = (reached: KernelLevels) => {
    outcome.actors += reached.levels.length
    if (job.keepReached) kept.push({ levels: reached.levels.slice(), matched: reached.matched.slice() })
  }
  kernel.columns.beginTask()
  for (const [group, rows] of found.groupRows.entries()) {
    if (Atomics.load(job.control, CONTROL.stop) !== 0) break
    if (!(rows >= 0 && rows <= job.groupRows)) throw new Undecodable('a row group is too long')
    const count = await decodeGroup(kernel, masks, { file, found, group, rows })
    outcome.rows += count
    keep(kernel.feedDecoded(count))
  }
  keep(kernel.finish())
  return job.keepReached ? { ...outcome, ...concatenate(kept, outcome.actors) } : outcome
}

interface Group {
  file: OpenFile
  found: ColumnarFile
  group: number
  rows: number
}

/** Decodes a row group behind the kernel's pending rows; gives how many of its rows count. */
async function decodeGroup(kernel: Kernel, masks: TextMasks[], { file, found, group, rows }: Group): Promise<number> {
  const { columns } = kernel
  columns.beginGroup(rows)
  for (const [index, { physical, length, optional, chunks }] of found.columns.entries()) {
    const chunk = chunks[group]!
    if (chunk.values !== rows) throw new Undecodable('a column has more or fewer values than rows')
    columns.openColumn(index === 0 ? ACTOR : index === 1 ? TIME : MASK, physical, length, Number(optional))
    const texts = masks[index - 2]
    const onDictionary = texts ? (entries: number) => texts.fill(entries) : () => undefined
    if (texts) await texts.fill(0)
    await decodePages(columns, file.read(chunk.start, chunk.bytes), chunk.codec, rows, onDictionary)
  }
  return columns.endGroup()
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
