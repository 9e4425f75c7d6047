/** Random cases for the kernel alone: the masks are made here, and its totals and levels are compared with the oracle's. */
import { deepStrictEqual, strictEqual } from 'node:assert'
import fc from 'fast-check'
import {
  externalConditions,
  heldColumns,
  Kernel,
  type KernelLevels,
  type KernelRows,
} from '../../src/behaviour/kernel.ts'
import type { Predicate } from '../../src/behaviour/predicate-sql.ts'
import type { BehaviouralQuery, Filter, RowsCondition, SequenceClause, Step } from '../../src/behaviour/types.ts'
import { type ValidQuery, validateQuery } from '../../src/behaviour/validate.ts'
import { parseType } from '../../src/common/data-type.ts'
import { readSettings } from '../../src/config.ts'
import { arbitraryQuery, type QueryColumn, type QuerySource, RULES, sequenceArbitrary } from './arbitrary-query.ts'
import { answer, positiveSteps } from './oracle.ts'
import { conditionHolds } from './rows.ts'
import { type Cell, isMissing, type OracleTable } from './table.ts'

/** A table of flags in the kernel's order, a query on it, and the places where its rows are cut into chunks. */
export interface KernelCase {
  table: OracleTable
  query: BehaviouralQuery
  cuts: number[]
}

const FLAGS = ['p0', 'p1', 'p2', 'p3', 'p4']
const HOLDS = ['h0', 'h1']
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
      const held = fc.constantFrom<Cell>(null, 1n, 2n)
      const row = fc.tuple(times, amount, held, held, ...FLAGS.map(() => flag)).map((cells): Cell[] => cells)
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
    ...HOLDS.map((name) => ({ name, type: 'BIGINT' })),
    ...FLAGS.map((name) => ({ name, type: 'BOOLEAN' })),
  ]
  const inOrder = (rows: Cell[][]) => rows.toSorted(([a], [b]) => (a! < b! ? -1 : a! > b! ? 1 : 0))
  const rows = actors.flatMap((actor, user) => inOrder(actor).map((row) => [BigInt(user), ...row]))
  return { columns, actor: 'user', time: 'ts', timeUnit: 's', rows }
}

/** Spans in seconds, some in fractions or far beyond all times. */
function spansArbitrary(): {
  short: fc.Arbitrary<number>
  long: fc.Arbitrary<number | bigint>
  texts: fc.Arbitrary<string>
} {
  return {
    short: fc.integer({ min: 0, max: 8 }),
    long: fc.constantFrom<number | bigint>(2n ** 63n, 2n ** 64n - 1n, 2n ** 64n - 2n, 2n ** 65n, 1e300, 2 ** 53),
    texts: fc.constantFrom('0s', '1s', '1.5s', '2500ms', 'PT2S', 'PT3.999S', '0.05m', '4s', 'PT0M6S', '30000w'),
  }
}

function sourceOf(table: OracleTable): QuerySource {
  const { short, long, texts } = spansArbitrary()
  const flags = table.columns.filter(({ type }) => type === 'BOOLEAN')
  const numbers = table.columns.filter(({ name }) => name === 'amount')
  const durations = fc.oneof({ arbitrary: short, weight: 5 }, { arbitrary: long, weight: 1 })
  return {
    filters: flags.map((column): QueryColumn => ({ ...column, literals: fc.boolean() })),
    aggregations: numbers.map((column): QueryColumn => ({ ...column, literals: fc.integer({ min: -3, max: 4 }) })),
    holds: HOLDS,
    spans: fc.oneof({ arbitrary: durations, weight: 3 }, { arbitrary: texts, weight: 1 }),
    durations,
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

/** Cases of one funnel, in few actors with many rows of which many match a step and few a negative one. */
export function sequenceCases(): fc.Arbitrary<KernelCase> {
  const weighted = (weight: number) =>
    fc.oneof({ arbitrary: fc.constant(true), weight }, { arbitrary: fc.constant(false), weight: 8 - weight })
  const times = fc.oneof(fc.bigInt(0n, 12n), fc.bigInt(0n, 4n))
  const held = fc.constantFrom<Cell>(1n, 1n, 2n, null)
  const row = fc.tuple(times, fc.constant(null), held, held, ...[4, 4, 3, 1, 1].map(weighted))
  const actors = fc.array(fc.array(row, { minLength: 2, maxLength: 9 }), { minLength: 1, maxLength: 3 })
  return actors.chain((each) => {
    const table = tableOf('BIGINT', each)
    return fc.record({ table: fc.constant(table), query: funnelArbitrary(table), cuts: fc.constant([]) })
  })
}

/** Funnels whose steps each ask for one flag. */
function funnelArbitrary(table: OracleTable): fc.Arbitrary<BehaviouralQuery> {
  const flagOf = (...flags: string[]) =>
    fc.constantFrom(...flags).map((flag): { filter: Filter } => ({ filter: [flag, '==', true] }))
  const plain = sequenceArbitrary(sourceOf(table))
  return plain.chain((clause) => {
    const filters = clause.sequence.map((step) =>
      step.rowFound === false ? flagOf('p3', 'p3', 'p4', 'p2') : flagOf('p0', 'p0', 'p1', 'p2'),
    )
    return fc.tuple(...filters).map((given) => {
      const sequence = clause.sequence.map(({ filter: _, filters: __, ...step }, k) => ({ ...step, ...given[k]! }))
      return { funnel: { ...clause, sequence: sequence as unknown as [Step] } }
    })
  })
}

/** Cases of few steps in long actors, with a window and something that may not follow in it: chains cross in many ways. */
export function crossingCases(): fc.Arbitrary<KernelCase> {
  const flags = [3, 3, 3, 1, 1].map((weight) => fc.integer({ min: 0, max: 7 }).map((drawn) => drawn < weight))
  const row = fc.tuple(fc.bigInt(0n, 14n), fc.constant(null), fc.constant(1n), fc.constant(1n), ...flags)
  const actors = fc.array(fc.array(row, { minLength: 7, maxLength: 14 }), { minLength: 2, maxLength: 4 })
  const flag = fc.constantFrom('p0', 'p1', 'p2')
  const stepOf = (name: string, more: Omit<Step, 'filter' | 'filters'> = {}): Step => ({
    filter: [name, '==', true],
    ...more,
  })
  const span = (max: number) => fc.option(fc.integer({ min: 0, max }), { nil: undefined, freq: 2 })
  const gap = fc.oneof(
    { arbitrary: fc.constant<Step[]>([]), weight: 3 },
    { arbitrary: fc.constant([stepOf('p4', { rowFound: false })]), weight: 1 },
    { arbitrary: flag.map((name) => [stepOf(name, { optional: true })]), weight: 2 },
  )
  const spanned = fc.tuple(flag, span(6), span(3)).map(([name, within, after]) => {
    return stepOf(name, { ...(within === undefined ? {} : { within }), ...(after === undefined ? {} : { after }) })
  })
  const pairs = fc.array(fc.tuple(gap, spanned), { minLength: 1, maxLength: 2 })
  const funnel = fc
    .tuple(flag, pairs, fc.integer({ min: 3, max: 10 }), fc.constantFrom(...RULES))
    .map(([first, rest, within, rule]): SequenceClause => {
      const steps = [stepOf(first), ...rest.flatMap(([between, step]) => [...between, step])]
      return { ...rule, within, sequence: [...steps, stepOf('p3', { rowFound: false })] as unknown as [Step] }
    })
  return fc.tuple(actors, funnel).map(([each, clause]) => ({
    table: tableOf('BIGINT', each),
    query: { funnel: clause },
    cuts: [],
  }))
}

const EVENTS = 'ABCXY'

/** A case of one actor for each word: its letters are events at the times 0, 1, 2 and so on. In a sequence `!X` is a negative step, `X?` an optional one. */
export function wordsCase(words: string[], sequence: string[], extras: Omit<SequenceClause, 'sequence'>): KernelCase {
  const actors = words.map((word) =>
    [...word].map((letter, time): Cell[] => [BigInt(time), null, 1n, 1n, ...FLAGS.map((_, k) => EVENTS[k] === letter)]),
  )
  const steps = sequence.map((step): Step => {
    const filter = [FLAGS[EVENTS.indexOf(/[A-Z]/.exec(step)![0])]!, '==', true] as const
    if (step.startsWith('!')) return { filter, rowFound: false }
    return step.endsWith('?') ? { filter, optional: true } : { filter }
  })
  const funnel = { ...extras, sequence: steps as [Step, ...Step[]] }
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
    .map(([words, sequence, maxDuration]) => wordsCase(words, sequence.split(' '), { maxDuration }))
}

/** Counts as both sides give them. */
export interface KernelCounts {
  groups: number
  rows: number
  steps: { groups: number; rows: number }[]
}

/** What the kernel says of each actor: 0 or 1 + required steps passed, and a bit for each optional step. */
export interface ActorLevel {
  level: number
  matched: bigint
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

/** What the kernel says. */
export function kernelCounts({ table, query, cuts }: KernelCase): KernelCounts & { levels: ActorLevel[] } {
  const columns = table.columns.map(({ name, type }, index) => ({
    id: index + 1,
    name,
    type: parseType(type),
    required: false,
  }))
  const { actor, time, timeUnit } = table
  const valid = validateQuery(query, { columns, keys: { actor, time, ...(timeUnit ? { timeUnit } : {}) } }, limits)
  const floatTimes = table.columns[1]!.type === 'DOUBLE'
  const kernel = new Kernel(valid, { floatTimes, words: wordsOf(table, query, valid) })
  const rows = kernelRows(table, valid, floatTimes)
  const levels: ActorLevel[] = []
  const keep = ({ levels: given, matched }: KernelLevels) =>
    given.forEach((level, k) => {
      levels.push({ level, matched: matched[k]! })
    })
  let start = 0
  for (const end of [...cuts, table.rows.length].sort((a, b) => a - b)) {
    keep(kernel.feed(slice(rows, start, end)))
    start = end
  }
  keep(kernel.finish())
  return { ...kernel.totals(), levels }
}

/** All rows; actors as start flags when there is an odd number of rows, else as keys. */
function kernelRows(table: OracleTable, valid: ValidQuery, floatTimes: boolean): KernelRows {
  const { rows } = table
  const times = rows.map((row) => row[1]!)
  const isStart = (k: number) => rows[k - 1]?.[0] !== rows[k]![0]
  const masks = rows.map((row) =>
    valid.predicates.reduce((mask, each, bit) => mask | (holdsFor(table, each, row) ? 1n << BigInt(bit) : 0n), 0n),
  )
  return {
    count: rows.length,
    actors:
      rows.length % 2 === 1
        ? Uint8Array.from(rows, (_, k) => Number(isStart(k)))
        : BigInt64Array.from(rows, (row) => row[0] as bigint),
    times: floatTimes ? Float64Array.from(times as number[]) : BigInt64Array.from(times as bigint[]),
    masks: maskArray(masks, valid.predicates.length),
    series: heldColumns(valid).map((columns) => seriesNumbers(table, columns)),
  }
}

function maskArray(masks: bigint[], predicates: number): KernelRows['masks'] {
  if (predicates <= 8) return Uint8Array.from(masks, Number)
  if (predicates <= 16) return Uint16Array.from(masks, Number)
  return predicates <= 32 ? Uint32Array.from(masks, Number) : BigUint64Array.from(masks)
}

function seriesNumbers(table: OracleTable, columns: string[]): Int32Array {
  const places = columns.map((name) => table.columns.findIndex((column) => column.name === name))
  const known = new Map<string, number>()
  const sizes = new Map<Cell, number>()
  return Int32Array.from(table.rows, (row) => {
    const cells = places.map((place) => row[place]!)
    if (cells.some(isMissing)) return 0
    const key = [row[0], ...cells].join()
    const number = known.get(key) ?? (sizes.get(row[0]!) ?? 0) + 1
    if (!known.has(key)) sizes.set(row[0]!, number)
    known.set(key, number)
    return number
  })
}

function slice({ actors, times, masks, series }: KernelRows, start: number, end: number): KernelRows {
  return {
    count: end - start,
    actors: actors.slice(start, end),
    times: times.slice(start, end),
    masks: masks.slice(start, end),
    series: series!.map((numbers) => numbers.slice(start, end)),
  }
}

/** Predicates over flags, as their tree says. */
function holdsFor(table: OracleTable, predicate: Predicate, row: Cell[]): boolean {
  if (predicate.kind === 'and') return predicate.of.every((part) => holdsFor(table, part, row))
  if (predicate.kind === 'or') return predicate.of.some((part) => holdsFor(table, part, row))
  if (predicate.kind === 'not') return !holdsFor(table, predicate.of, row)
  const cell = row[table.columns.findIndex(({ name }) => name === predicate.column)]!
  if (predicate.kind === 'null') return (cell === null) === (predicate.operator === 'is null')
  const literals = predicate.kind === 'among' ? predicate.literals : [predicate.literal]
  const among = literals.some((literal) => literal.kind === 'boolean' && literal.value === cell)
  return among === (predicate.operator === '==' || predicate.operator === 'in')
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
  const { levels, ...totals } = kernelCounts(example)
  deepStrictEqual(totals, expectedCounts(example))
  strictEqual(levels.length, new Set(example.table.rows.map(([user]) => user)).size)
  strictEqual(levels.filter(({ level }) => level >= 1).length, totals.groups)
  deepStrictEqual(
    stepGroups(example.query.funnel, levels),
    totals.steps.map(({ groups }) => groups),
  )
}

/** For each positive step how many of the actors have passed it. */
function stepGroups(funnel: SequenceClause | undefined, levels: ActorLevel[]): number[] {
  if (funnel === undefined) return []
  let required = 0
  let optional = 0n
  return positiveSteps(funnel).map((index) => {
    if (!funnel.sequence[index]!.optional) {
      required++
      return levels.filter(({ level }) => level > required).length
    }
    const bit = 1n << optional++
    return levels.filter(({ matched }) => (matched & bit) !== 0n).length
  })
}
