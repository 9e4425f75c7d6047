/** Random cases for the kernel alone: the masks are made here, and its totals and levels are compared with the oracle's. */
import { deepStrictEqual, strictEqual } from 'node:assert'
import fc from 'fast-check'
import { externalConditions, Kernel } from '../../src/behaviour/kernel.ts'
import type { Predicate } from '../../src/behaviour/predicate-sql.ts'
import type { BehaviouralQuery, RowsCondition, Step } from '../../src/behaviour/types.ts'
import { type ValidQuery, validateQuery } from '../../src/behaviour/validate.ts'
import { parseType } from '../../src/common/data-type.ts'
import { readSettings } from '../../src/config.ts'
import { arbitraryQuery, type QuerySource } from './arbitrary-query.ts'
import { answer } from './oracle.ts'
import { conditionHolds } from './rows.ts'
import type { Cell, OracleTable } from './table.ts'

/** A table of flags in the kernel's order, a query on it, and the places where its rows are cut into chunks. */
export interface KernelCase {
  table: OracleTable
  query: BehaviouralQuery
  cuts: number[]
}

const FLAGS = ['p0', 'p1', 'p2', 'p3', 'p4']
const limits = readSettings({})

/** Times near zero, with many ties, or anywhere in the range of the type. */
function timesArbitrary(type: string): fc.Arbitrary<fc.Arbitrary<bigint | number>> {
  const near = fc.bigInt(0n, 7n)
  if (type === 'DOUBLE') {
    const doubles = fc.double({ noNaN: true })
    const halves = near.map((time) => Number(time) / 2 - 1)
    const pool = fc
      .array(doubles, { minLength: 1, maxLength: 4 })
      .map((values) => fc.constantFrom(...values, 0, -0, Infinity))
    return fc.oneof({ arbitrary: fc.constant(halves), weight: 4 }, { arbitrary: pool, weight: 1 })
  }
  const bases = [-3n, 2n ** 53n - 2n, 2n ** 63n - 8n, -(2n ** 63n)]
  const extremes = fc.constantFrom(-(2n ** 63n), 1n - 2n ** 63n, -1n, 0n, 1n, 2n ** 63n - 2n, 2n ** 63n - 1n)
  return fc.oneof(
    { arbitrary: fc.constantFrom(...bases).map((base) => near.map((time) => base + time)), weight: 4 },
    { arbitrary: fc.constant(extremes), weight: 1 },
  )
}

function tableArbitrary(): fc.Arbitrary<OracleTable> {
  return fc.constantFrom('BIGINT', 'BIGINT', 'DOUBLE').chain((timeType) =>
    timesArbitrary(timeType).chain((times) => {
      const flag = fc.constantFrom<Cell>(true, true, false, false, null)
      const amount = fc.constantFrom<Cell>(null, -2n, 1n, 3n)
      const row = fc.tuple(times, amount, ...FLAGS.map(() => flag)).map((cells): Cell[] => cells)
      const actor = fc.array(row, { minLength: 1, maxLength: 9 })
      return fc.array(actor, { minLength: 1, maxLength: 5 }).map((actors) => tableOf(timeType, actors))
    }),
  )
}

function tableOf(timeType: string, actors: Cell[][][]): OracleTable {
  const columns = [
    { name: 'user', type: 'BIGINT' },
    { name: 'ts', type: timeType },
    { name: 'amount', type: 'BIGINT' },
    ...FLAGS.map((name) => ({ name, type: 'BOOLEAN' })),
  ]
  const inOrder = (rows: Cell[][]) => rows.toSorted(([a], [b]) => (a! < b! ? -1 : a! > b! ? 1 : 0))
  const rows = actors.flatMap((actor, user) => inOrder(actor).map((row) => [BigInt(user), ...row]))
  return { columns, actor: 'user', time: 'ts', rows }
}

function sourceOf(table: OracleTable): QuerySource {
  const short = fc.integer({ min: 0, max: 8 })
  const long = fc.constantFrom<number | bigint>(2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 2n, 2n ** 65n, 1e300, 2 ** 53)
  return {
    filters: table.columns
      .filter(({ type }) => type === 'BOOLEAN')
      .map((column) => ({ ...column, literals: fc.boolean() })),
    aggregations: table.columns.filter(({ name }) => name === 'amount'),
    durations: fc.oneof({ arbitrary: short, weight: 5 }, { arbitrary: long, weight: 1 }),
  }
}

/** Random cases. */
export function kernelCases(): fc.Arbitrary<KernelCase> {
  return tableArbitrary().chain((table) =>
    fc.record({
      table: fc.constant(table),
      query: arbitraryQuery(sourceOf(table)),
      cuts: fc.array(fc.nat(table.rows.length), { maxLength: 3 }),
    }),
  )
}

/** Cases of one funnel over rows of which many match a step and few a negative one: the hardest part of the kernel. */
export function sequenceCases(): fc.Arbitrary<KernelCase> {
  const weighted = (weight: number) =>
    fc.oneof({ arbitrary: fc.constant(true), weight }, { arbitrary: fc.constant(false), weight: 8 - weight })
  const row = fc.tuple(fc.bigInt(0n, 12n), fc.constant(null), ...[4, 4, 3, 1, 1].map(weighted))
  const actors = fc.array(fc.array(row, { minLength: 2, maxLength: 10 }), { minLength: 1, maxLength: 3 })
  return fc.record({
    table: actors.map((each) => tableOf('BIGINT', each)),
    query: sequenceArbitrary().map((funnel) => ({ funnel })),
    cuts: fc.constant([]),
  })
}

function sequenceArbitrary(): fc.Arbitrary<NonNullable<BehaviouralQuery['funnel']>> {
  const positive = fc.constantFrom('p0', 'p0', 'p1', 'p2').map((flag): Step => ({ filter: [flag, '==', true] }))
  const negative = fc
    .constantFrom('p3', 'p3', 'p4', 'p2')
    .map((flag): Step => ({ filter: [flag, '==', true], rowFound: false }))
  const gap = fc.oneof({ arbitrary: fc.constant([]), weight: 2 }, fc.array(negative, { minLength: 1, maxLength: 2 }))
  return fc
    .tuple(
      fc.oneof({ arbitrary: fc.constant([]), weight: 4 }, gap),
      fc.array(fc.tuple(positive, gap), { minLength: 1, maxLength: 4 }),
      fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined, freq: 6 }),
    )
    .map(([before, pairs, maxDuration]) => ({
      sequence: [...before, ...pairs.flatMap(([step, after]) => [step, ...after])] as [Step, ...Step[]],
      ...(maxDuration === undefined ? {} : { maxDuration }),
    }))
}

const EVENTS = 'ABCXY'

/** A case of one actor for each word: its letters are events at the times 0, 1, 2 and so on. In a sequence `!X` is a negative step. */
export function wordsCase(words: string[], sequence: string[], maxDuration: number): KernelCase {
  const actors = words.map((word) =>
    [...word].map((letter, time): Cell[] => [BigInt(time), null, ...FLAGS.map((_, k) => EVENTS[k] === letter)]),
  )
  const steps = sequence.map((step): Step => {
    const filter = [FLAGS[EVENTS.indexOf(step.at(-1)!)]!, '==', true] as const
    return step.startsWith('!') ? { filter, rowFound: false } : { filter }
  })
  const funnel = { sequence: steps as [Step, ...Step[]], maxDuration }
  return { table: tableOf('BIGINT', actors), query: { funnel }, cuts: [] }
}

/** All words of so many letters of {@link EVENTS}. */
export function allWords(length: number): string[] {
  if (length === 0) return ['']
  return allWords(length - 1).flatMap((word) => [...EVENTS].map((letter) => `${word}${letter}`))
}

/** Random words and a sequence with a window whose answer they may differ in. */
export function wordCases(): fc.Arbitrary<KernelCase> {
  const parts = fc.constantFrom('A', 'B', 'C', 'X', 'Y', 'AB', 'BC', 'AX', 'ABC', 'AXA', 'CY', 'AB', 'BA')
  const word = fc.array(parts, { minLength: 3, maxLength: 7 }).map((each) => each.join(''))
  const sequences = ['A !X B !Y', 'A !X B C !Y', 'A B !X C !Y', 'A !X B !X A !Y', 'A B C !Y', 'A B A !C !Y']
  return fc
    .tuple(
      fc.array(word, { minLength: 4, maxLength: 4 }),
      fc.constantFrom(...sequences),
      fc.integer({ min: 1, max: 9 }),
    )
    .map(([words, sequence, maxDuration]) => wordsCase(words, sequence.split(' '), maxDuration))
}

/** Counts as both sides give them. */
export interface KernelCounts {
  groups: number
  rows: number
  steps: { groups: number; rows: number }[]
  /** By actor: 0, or 1 + steps passed; only when the totals were read from the kernel. */
  levels?: number[]
}

/** What the oracle says of a case. */
export function expectedCounts({ table, query }: KernelCase): KernelCounts {
  const { query: all, funnel } = answer(table, query)
  return {
    groups: all.matchingGroups,
    rows: all.matchingGroupRows,
    steps: (funnel?.sequence ?? []).map((step) => ({ groups: step.matchingGroups, rows: step.matchingGroupRows })),
  }
}

/** What the kernel says, after checking that its levels and its totals agree. */
export function kernelCounts({ table, query, cuts }: KernelCase): KernelCounts {
  const columns = table.columns.map(({ name, type }, index) => ({
    id: index + 1,
    name,
    type: parseType(type),
    required: false,
  }))
  const valid = validateQuery(query, { columns, keys: { actor: table.actor, time: table.time } }, limits)
  const floatTimes = table.columns[1]!.type === 'DOUBLE'
  const kernel = new Kernel(valid, { floatTimes, words: wordsOf(table, query, valid) })
  const levels: number[] = []
  const ends = [...cuts, table.rows.length].sort((a, b) => a - b)
  let start = 0
  for (const end of ends) {
    levels.push(...kernel.feed(chunkOf(table, valid, start, end, floatTimes)))
    start = end
  }
  levels.push(...kernel.finish())
  return { ...kernel.totals(), levels }
}

function chunkOf(table: OracleTable, valid: ValidQuery, start: number, end: number, floatTimes: boolean) {
  const rows = table.rows.slice(start, end)
  const times = rows.map((row) => row[1]!)
  return {
    count: rows.length,
    starts: Uint8Array.from(rows, (row, k) => (table.rows[start + k - 1]?.[0] === row[0] ? 0 : 1)),
    times: floatTimes ? Float64Array.from(times as number[]) : BigInt64Array.from(times as bigint[]),
    masks: BigInt64Array.from(rows, (row) =>
      valid.predicates.reduce((mask, each, bit) => mask | (holdsFor(table, each, row) ? 1n << BigInt(bit) : 0n), 0n),
    ),
  }
}

function holdsFor(table: OracleTable, predicate: Predicate, row: Cell[]): boolean {
  if (predicate.kind === 'and') return predicate.of.every((part) => holdsFor(table, part, row))
  const cell = row[table.columns.findIndex(({ name }) => name === predicate.column)]!
  const value = predicate.literal.kind === 'boolean' && predicate.literal.value
  return (cell === value) === (predicate.operator === '==')
}

function wordsOf(table: OracleTable, query: BehaviouralQuery, valid: ValidQuery): BigUint64Array {
  const actors = [...Map.groupBy(table.rows, ([user]) => user).values()]
  const sources = externalConditions(valid).map(({ index }) => query.query!.conditions![index] as RowsCondition)
  return BigUint64Array.from(actors, (rows) =>
    sources.reduce((word, each, bit) => word | (conditionHolds(table, each, rows) ? 1n << BigInt(bit) : 0n), 0n),
  )
}

/** Throws unless the kernel's totals are the oracle's, and its levels add up to its totals. */
export function checkKernelCase(example: KernelCase): void {
  const { levels = [], ...totals } = kernelCounts(example)
  deepStrictEqual(totals, expectedCounts(example))
  const reached = (level: number) => levels.filter((each) => each >= level).length
  strictEqual(levels.length, new Set(example.table.rows.map(([user]) => user)).size)
  strictEqual(reached(1), totals.groups)
  deepStrictEqual(
    totals.steps.map((_, k) => reached(k + 2)),
    totals.steps.map(({ groups }) => groups),
  )
}
