/** The kernel in JavaScript's hands: a query is loaded into an instance of the WebAssembly module, rows are fed, totals read. */
import { KERNEL_WASM } from './generated/kernel-wasm.ts'
import type { RelationNode } from './relation.ts'
import type { Condition, Sequence, ValidQuery } from './validate.ts'

/** Rows as the kernel takes them: grouped by actor, ascending in time. */
export interface KernelRows {
  count: number
  /** 1 where a row is the first of its actor, else 0. */
  starts: Uint8Array
  /** Integer times, or doubles when the kernel was made for float times. */
  times: BigInt64Array | Float64Array
  /** Bit p: the row satisfies predicate p. */
  masks: BigInt64Array
}

/** What the kernel has added up. Actors and rows that satisfy the relation; for each positive step of the funnel those that passed it. */
export interface KernelTotals {
  groups: number
  rows: number
  steps: { groups: number; rows: number }[]
}

interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer }
  useFloatTimes(): void
  addSequence(): number
  setWithin(sequence: number, bits: bigint): void
  addStep(sequence: number, predicate: number): void
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
  reserveExternal(count: number, width: number): number
  feed(count: number): number
  finish(): number
  levelsStart(): number
  totalGroups(): bigint
  totalRows(): bigint
  totalStepGroups(step: number): bigint
  totalStepRows(step: number): bigint
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
export function externalConditions(query: ValidQuery): Extract<Condition, { kind: 'rows' }>[] {
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
  readonly #steps: number

  /** `words` holds the decided bits of {@link externalConditions}, {@link externalWidth} words for each actor, in the order in which rows will come. */
  constructor(query: ValidQuery, options: { floatTimes: boolean; words?: BigUint64Array }) {
    compiled ??= new wasm.Module(Buffer.from(KERNEL_WASM, 'base64'))
    this.#exports = new wasm.Instance(compiled, {}).exports as unknown as KernelExports
    if (options.floatTimes) this.#exports.useFloatTimes()
    loadConditions(this.#exports, query, options.floatTimes)
    if (query.relation) loadRelation(this.#exports, query.relation)
    if (query.funnel) this.#exports.setFunnel(loadSequence(this.#exports, query.funnel.sequence, options.floatTimes))
    this.#steps = query.funnel?.sequence.steps.filter((step) => !step.negative).length ?? 0
    if (options.words && options.words.length > 0) this.#loadWords(options.words, externalConditions(query).length)
  }

  #loadWords(words: BigUint64Array, conditions: number): void {
    const start = this.#exports.reserveExternal(words.length, externalWidth(conditions))
    new BigUint64Array(this.#exports.memory.buffer, start, words.length).set(words)
  }

  /** Takes rows; gives the levels of the actors that they completed: 0 where the relation does not hold, else 1 + funnel steps passed. The view is valid until the next call. */
  feed({ count, starts, times, masks }: KernelRows): Int32Array {
    this.#exports.reserve(count)
    const { buffer } = this.#exports.memory
    new Uint8Array(buffer, this.#exports.startsEnd(), count).set(starts)
    if (times instanceof Float64Array) new Float64Array(buffer, this.#exports.timesEnd(), count).set(times)
    else new BigInt64Array(buffer, this.#exports.timesEnd(), count).set(times)
    new BigInt64Array(buffer, this.#exports.masksEnd(), count).set(masks)
    return this.#levels(this.#exports.feed(count))
  }

  /** Ends the stream; gives the level of the last actor, if there was any. */
  finish(): Int32Array {
    return this.#levels(this.#exports.finish())
  }

  #levels(count: number): Int32Array {
    return new Int32Array(this.#exports.memory.buffer, this.#exports.levelsStart(), count)
  }

  /** What has been added up so far. */
  totals(): KernelTotals {
    const { totalGroups, totalRows, totalStepGroups, totalStepRows } = this.#exports
    const steps = Array.from({ length: this.#steps }, (_, k) => ({
      groups: Number(totalStepGroups(k)),
      rows: Number(totalStepRows(k)),
    }))
    return { groups: Number(totalGroups()), rows: Number(totalRows()), steps }
  }
}

function loadConditions(kernel: KernelExports, query: ValidQuery, floatTimes: boolean): void {
  let bit = 0
  for (const condition of query.conditions) {
    if (condition.kind === 'sequence') {
      kernel.addSequenceCondition(loadSequence(kernel, condition.sequence, floatTimes))
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

function loadSequence(kernel: KernelExports, sequence: Sequence, floatTimes: boolean): number {
  const index = kernel.addSequence()
  for (const step of sequence.steps) {
    if (step.negative) kernel.addNegativeStep(index, step.predicate)
    else kernel.addStep(index, step.predicate)
  }
  if (sequence.within !== undefined) kernel.setWithin(index, spanBits(sequence.within, floatTimes))
  return index
}

/** A span as the kernel compares it. No two integer times lie further apart than 2^64 - 1. */
function spanBits(span: bigint | number, floatTimes: boolean): bigint {
  if (floatTimes) return new BigUint64Array(new Float64Array([Number(span)]).buffer)[0]!
  const ticks = typeof span === 'bigint' ? span : BigInt(Math.floor(span))
  return ticks > 0xffffffffffffffffn ? 0xffffffffffffffffn : ticks
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
