/** The kernel in JavaScript's hands: a query is loaded into an instance of the WebAssembly module, rows are fed, totals read. */
import { KERNEL_WASM } from './generated/kernel-wasm.ts'
import type { RelationNode } from './relation.ts'
import type { Span } from './typing-time.ts'
import type { Condition, Sequence, Step, ValidQuery } from './validate.ts'

/** Rows as the kernel takes them: grouped by actor, ascending in time. */
export interface KernelRows {
  count: number
  /** 1 where a row is the first of its actor, else 0 (bytes); or a key that differs between actors that follow each other (64 bits). */
  actors: Uint8Array | BigInt64Array | BigUint64Array
  /** Integer times, or doubles when the kernel was made for float times. */
  times: BigInt64Array | Float64Array
  /** Bit p: the row satisfies predicate p. Of any width. */
  masks: Uint8Array | Uint16Array | Uint32Array | BigUint64Array | BigInt64Array
  /** For each of {@link heldColumns} the number of the row's series inside its actor, from 1; 0 for a row that is in none. */
  series?: Int32Array[]
}

/** What the kernel found out about actors that it completed, in their order. Views are valid until the next call. */
export interface KernelLevels {
  /** 0 where the relation does not hold, else 1 + required funnel steps passed. */
  levels: Int32Array
  /** Bit k: the k-th optional step of the funnel was matched. */
  matched: BigUint64Array
}

/** What the kernel has added up. Actors and rows that satisfy the relation; for each positive step of the funnel those that passed it. */
export interface KernelTotals {
  groups: number
  rows: number
  steps: { groups: number; rows: number }[]
}

/** What of a query the kernel runs. */
export type KernelProgram = Pick<ValidQuery, 'conditions' | 'relation' | 'funnel'>

/** The distinct lists of columns that sequences hold constant, in the order of their series numbers. */
export function heldColumns(query: KernelProgram): string[][] {
  const lists = sequencesOf(query).map(({ hold }) => hold)
  const distinct = new Map(lists.filter((list) => list.length > 0).map((list) => [JSON.stringify(list), list]))
  return [...distinct.values()]
}

function sequencesOf({ conditions, funnel }: KernelProgram): Sequence[] {
  const own = conditions.flatMap((condition) => (condition.kind === 'sequence' ? [condition.sequence] : []))
  return funnel ? [...own, funnel.sequence] : own
}

/** What of the kernel takes columns as Parquet stores them; see `kernel/columns.ts` and `kernel/regroup.ts`. Addresses are of its memory. */
export interface KernelColumns {
  readonly memory: { readonly buffer: ArrayBuffer }
  setTimeframe(withFrom: number, from: bigint, withTo: number, to: bigint): void
  combinationsRoom(count: number): number
  beginTask(): void
  beginGroup(rows: number): void
  openColumn(purpose: number, physical: number, length: number, optional: number, unicode: number): void
  pageStart(bytes: number): number
  inputStart(bytes: number): number
  unpackPage(packed: number, at: number, end: number): number
  readDictionary(bytes: number, count: number): number
  entryStart(entry: number): number
  entryLength(entry: number): number
  tableStart(count: number): number
  readPage(encoding: number, rows: number, levelsEnd: number, bytes: number): number
  isFilled(): number
  endGroup(): number
  addNumbers(): number
  addLeaf(bit: number, negated: number): void
  addTest(op: number, value: bigint): void
  useNumbers(column: number): void
  setHashKey(low: bigint, high: bigint): void
  keepActors(words: number): void
  cut(count: number, bits: number, width: number): void
  offsetsStart(): number
  reservePart(rows: number): void
  partFirstStart(): number
  partSecondStart(): number
  partTimesStart(): number
  partMasksStart(): number
  regroup(count: number, width: number): void
}

interface KernelExports extends KernelColumns {
  useFloatTimes(): void
  setHolds(count: number): void
  addSequence(strict: number, anyOrder: number, ties: number, hold: number): number
  setWithin(sequence: number, bits: bigint): void
  addStep(sequence: number, predicate: number): void
  setStepWithin(sequence: number, bits: bigint): void
  setStepAfter(sequence: number, bits: bigint): void
  addOptionalStep(sequence: number, predicate: number): void
  addNegativeStep(sequence: number, predicate: number): void
  addCount(predicate: number, op: number, value: bigint, includeZero: number): void
  addSequenceCondition(sequence: number): void
  addExternal(bit: number): void
  pushCondition(condition: number): void
  pushOperator(operator: number): void
  setFunnel(sequence: number): void
  reserve(count: number): void
  startsEnd(): number
  timesEnd(): number
  masksEnd(): number
  seriesEnd(hold: number): number
  takeKeys(count: number): void
  takeMasks(count: number, width: number): void
  reserveExternal(count: number, width: number): number
  feed(count: number): number
  finish(): number
  levelsStart(): number
  optionalWordsStart(): number
  totalGroups(): bigint
  totalRows(): bigint
  totalStepGroups(step: number): bigint
  totalStepRows(step: number): bigint
  totalOptionalGroups(step: number): bigint
  totalOptionalRows(step: number): bigint
}

const OPERATORS = ['==', '!=', '>', '>=', '<', '<=']
const NODES = { and: -1, or: -2, not: -3 }

/** What is used of the runtime's WebAssembly; the types of Node leave it out. */
interface WasmRuntime {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object, imports: object) => { exports: object }
}

const wasm = (globalThis as unknown as { WebAssembly: WasmRuntime }).WebAssembly
let compiled: object | undefined

/** The conditions that the kernel cannot decide from masks: those with a value target, in the order of their bits. */
export function externalConditions(query: KernelProgram): Extract<Condition, { kind: 'rows' }>[] {
  return query.conditions
    .filter((condition) => condition.kind === 'rows')
    .filter((rows) => rows.target.type !== 'count')
}

/** Words of 64 bits that each actor's external conditions take. */
export function externalWidth(conditions: number): number {
  return Math.ceil(conditions / 64)
}

/** One run of a query over the actors of one task. */
export class Kernel {
  readonly #exports: KernelExports
  readonly #steps: Step[]

  /** `words` holds the decided bits of {@link externalConditions}, {@link externalWidth} words for each actor, in the order in which rows will come. */
  constructor(query: KernelProgram, options: { floatTimes: boolean; words?: BigUint64Array }) {
    compiled ??= new wasm.Module(Buffer.from(KERNEL_WASM, 'base64'))
    this.#exports = new wasm.Instance(compiled, {}).exports as unknown as KernelExports
    if (options.floatTimes) this.#exports.useFloatTimes()
    this.#exports.setHolds(heldColumns(query).length)
    loadConditions(this.#exports, query, options.floatTimes)
    if (query.relation) loadRelation(this.#exports, query.relation)
    if (query.funnel) {
      this.#exports.setFunnel(loadSequence(this.#exports, query, query.funnel.sequence, options.floatTimes))
    }
    this.#steps = positiveSteps(query)
    if (options.words && options.words.length > 0) this.#loadWords(options.words, externalConditions(query).length)
  }

  #loadWords(words: BigUint64Array, conditions: number): void {
    const start = this.#exports.reserveExternal(words.length, externalWidth(conditions))
    new BigUint64Array(this.#exports.memory.buffer, start, words.length).set(words)
  }

  /** Takes rows; tells about the actors that they completed. */
  feed({ count, actors, times, masks, series = [] }: KernelRows): KernelLevels {
    const kernel = this.#exports
    kernel.reserve(count)
    if (actors.BYTES_PER_ELEMENT === 1) this.#copy(kernel.startsEnd(), actors)
    else {
      this.#copy(kernel.inputStart(count * 8), actors)
      kernel.takeKeys(count)
    }
    this.#copy(kernel.timesEnd(), times)
    if (masks.BYTES_PER_ELEMENT === 8) this.#copy(kernel.masksEnd(), masks)
    else {
      this.#copy(kernel.inputStart(masks.byteLength), masks)
      kernel.takeMasks(count, masks.BYTES_PER_ELEMENT)
    }
    for (const [hold, numbers] of series.entries()) this.#copy(kernel.seriesEnd(hold), numbers)
    return this.#levels(kernel.feed(count))
  }

  /** Where columns are decoded; {@link feedDecoded} takes the rows that came of it. */
  get columns(): KernelColumns {
    return this.#exports
  }

  /** Takes rows that were decoded in place; tells about the actors that they completed. */
  feedDecoded(count: number): KernelLevels {
    return this.#levels(this.#exports.feed(count))
  }

  #copy(to: number, { buffer, byteOffset, byteLength }: NodeJS.TypedArray): void {
    new Uint8Array(this.#exports.memory.buffer, to, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength))
  }

  /** Ends the stream; tells about the last actor, if there was any. */
  finish(): KernelLevels {
    return this.#levels(this.#exports.finish())
  }

  #levels(count: number): KernelLevels {
    const { memory, levelsStart, optionalWordsStart } = this.#exports
    return {
      levels: new Int32Array(memory.buffer, levelsStart(), count),
      matched: new BigUint64Array(memory.buffer, optionalWordsStart(), count),
    }
  }

  /** What has been added up so far. */
  totals(): KernelTotals {
    const kernel = this.#exports
    let required = 0
    let optional = 0
    const steps = this.#steps.map((step) => {
      const k = step.optional ? optional++ : required++
      const groups = step.optional ? kernel.totalOptionalGroups(k) : kernel.totalStepGroups(k)
      const rows = step.optional ? kernel.totalOptionalRows(k) : kernel.totalStepRows(k)
      return { groups: Number(groups), rows: Number(rows) }
    })
    return { groups: Number(kernel.totalGroups()), rows: Number(kernel.totalRows()), steps }
  }
}

/** The positive steps of a query's funnel, in order; none without one. */
export function positiveSteps({ funnel }: KernelProgram): Step[] {
  return funnel?.sequence.steps.filter((step) => !step.negative) ?? []
}

function loadConditions(kernel: KernelExports, query: KernelProgram, floatTimes: boolean): void {
  let bit = 0
  for (const condition of query.conditions) {
    if (condition.kind === 'sequence') {
      kernel.addSequenceCondition(loadSequence(kernel, query, condition.sequence, floatTimes))
    } else if (condition.target.type === 'count') {
      const { op, value } = condition.target
      kernel.addCount(condition.predicate, OPERATORS.indexOf(op), countBound(value), Number(condition.includeZero))
    } else {
      kernel.addExternal(bit++)
    }
  }
}

/** No actor has 2^63 rows: a greater bound compares as the greatest one does. */
function countBound(value: number | bigint): bigint {
  const bound = BigInt(value)
  return bound > 0x7fffffffffffffffn ? 0x7fffffffffffffffn : bound
}

const TIES = { never: 0, stepOrder: 1 }
const TIES_SAME_ROW = 2

function loadSequence(kernel: KernelExports, query: KernelProgram, sequence: Sequence, floatTimes: boolean): number {
  const { order, ties, sameRow, hold, within, steps } = sequence
  const holds = heldColumns(query).map((list) => JSON.stringify(list))
  const series = hold.length === 0 ? -1 : holds.indexOf(JSON.stringify(hold))
  const rule = sameRow ? TIES_SAME_ROW : TIES[ties]
  const index = kernel.addSequence(Number(order === 'strict'), Number(order === 'any'), rule, series)
  for (const step of steps) {
    if (step.negative) kernel.addNegativeStep(index, step.predicate)
    else if (step.optional) kernel.addOptionalStep(index, step.predicate)
    else kernel.addStep(index, step.predicate)
    const { stepWithin, after } = reachable(step, floatTimes)
    if (stepWithin !== undefined) kernel.setStepWithin(index, spanBits(stepWithin, floatTimes))
    if (after !== undefined) kernel.setStepAfter(index, spanBits(after, floatTimes))
  }
  if (within !== undefined) kernel.setWithin(index, spanBits(within, floatTimes))
  return index
}

/** A step's spans, where no two integer times lie as far apart as it asks two that exclude each other. */
function reachable(
  { within, after }: Step,
  floatTimes: boolean,
): { stepWithin?: Span | undefined; after?: Span | undefined } {
  const isOut = !floatTimes && after !== undefined && after > GREATEST_SPAN
  return isOut ? { stepWithin: 0n, after: 1n } : { stepWithin: within, after }
}

const GREATEST_SPAN = 0xffffffffffffffffn

/** A span as the kernel compares it. No two integer times lie further apart than 2^64 - 1. */
function spanBits(span: bigint | number, floatTimes: boolean): bigint {
  if (floatTimes) return new BigUint64Array(new Float64Array([Number(span)]).buffer)[0]!
  const ticks = typeof span === 'bigint' ? span : BigInt(Math.floor(span))
  return ticks > GREATEST_SPAN ? GREATEST_SPAN : ticks
}

function loadRelation(kernel: KernelExports, node: RelationNode): void {
  if (node.kind === 'condition') {
    kernel.pushCondition(node.index)
    return
  }
  const operands = node.kind === 'not' ? [node.of] : node.of
  for (const [k, operand] of operands.entries()) {
    loadRelation(kernel, operand)
    if (k > 0) kernel.pushOperator(NODES[node.kind])
  }
  if (node.kind === 'not') kernel.pushOperator(NODES.not)
}
