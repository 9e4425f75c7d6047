/** A kernel with the means to decode row groups into it. */
import type { NumberColumn, NumberTest } from '../behaviour/column-leaves.ts'
import { Kernel, type KernelColumns } from '../behaviour/kernel.ts'
import { type ColumnarFile, findColumns } from './column-chunks.ts'
import type { Decoding, Lookup } from './direct-job.ts'
import { OpenFile, ReadBuffer, Undecodable } from './open-file.ts'
import { decodePages } from './pages.ts'
import { TextMasks } from './text-masks.ts'

const ACTOR = 0
const TIME = 1
const MASK = 2
const NUMBER = 3

/** An open file and where its columns are. */
export interface DecodableFile extends Disposable {
  file: OpenFile
  found: ColumnarFile
}

/** Decodes row groups of files into its kernel. */
export class Decoder {
  readonly kernel: Kernel
  readonly #decoding: Decoding
  readonly #masks: TextMasks[]
  readonly #buffer = new ReadBuffer()

  constructor(decoding: Decoding, lookup: Lookup) {
    const kernel = new Kernel(decoding.program, { floatTimes: false })
    const { columns } = kernel
    const { from, to } = decoding.timeframe
    columns.setTimeframe(Number(from !== undefined), from ?? 0n, Number(to !== undefined), to ?? 0n)
    if (decoding.combinations) {
      const at = columns.combinationsRoom(decoding.combinations.length)
      new BigUint64Array(columns.memory.buffer, at, decoding.combinations.length).set(decoding.combinations)
    }
    for (const { float, leaves } of decoding.numbers) addLeaves(columns, float, leaves)
    this.kernel = kernel
    this.#decoding = decoding
    this.#masks = decoding.texts.map((_, column) => new TextMasks(columns, (texts) => lookup(column, texts)))
  }

  /** Opens the file of that place among the job's. @throws Undecodable, FILE_INVALID, or the system's error */
  open(place: number): DecodableFile {
    const { files, actor, time, texts, numbers } = this.#decoding
    const { path, sizeBytes } = files[place]!
    const file = new OpenFile(path, this.#buffer)
    try {
      if (file.sizeBytes !== sizeBytes) throw new Undecodable('it is not the file that the table has')
      const found = findColumns(file, [actor, time, ...texts, ...numbers])
      return { file, found, [Symbol.dispose]: () => file[Symbol.dispose]() }
    } catch (error) {
      file[Symbol.dispose]()
      throw error
    }
  }

  /** Decodes a row group behind the kernel's pending rows; gives how many of its rows count. @throws Undecodable */
  async decode({ file, found }: DecodableFile, group: number): Promise<number> {
    const rows = found.groupRows[group]!
    if (!(rows >= 0 && rows <= this.#decoding.groupRows)) throw new Undecodable('a row group is too long')
    const { columns } = this.kernel
    columns.beginGroup(rows)
    for (const [index, { physical, length, optional, unicode, chunks }] of found.columns.entries()) {
      const chunk = chunks[group]!
      if (chunk.values !== rows) throw new Undecodable('a column has more or fewer values than rows')
      const texts = this.#masks[index - 2]
      const purpose = index === 0 ? ACTOR : index === 1 ? TIME : texts ? MASK : NUMBER
      columns.openColumn(purpose, physical, length, Number(optional), Number(unicode))
      if (purpose === NUMBER) columns.useNumbers(index - 2 - this.#masks.length)
      // A chunk without a dictionary may still hold nulls.
      if (texts) await texts.fill(0)
      const onDictionary = texts ? (entries: number) => texts.fill(entries) : () => undefined
      await decodePages(columns, file.read(chunk.start, chunk.bytes), chunk.codec, rows, onDictionary)
    }
    return columns.endGroup()
  }
}

const OPERATORS: readonly NumberTest['op'][] = ['==', '<', '<=', '>', '>=', 'null']

function addLeaves(columns: KernelColumns, float: boolean, leaves: NumberColumn['leaves']): void {
  columns.addNumbers()
  for (const { tests, negated, bit } of leaves) {
    columns.addLeaf(bit, Number(negated))
    for (const test of tests)
      columns.addTest(OPERATORS.indexOf(test.op), test.op === 'null' ? 0n : bitsOf(test.value, float))
  }
}

function bitsOf(value: bigint | number, float: boolean): bigint {
  return float ? new BigUint64Array(new Float64Array([Number(value)]).buffer)[0]! : BigInt(value)
}
