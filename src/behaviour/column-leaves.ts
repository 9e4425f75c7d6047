/**
 * Predicates cut into leaves of one column each, for readers that decode columns themselves.
 *
 * A leaf of a text column is decided once for each entry of a dictionary; one of a number column by comparing each value. What is left to
 * decide for a row is how its leaves combine.
 */
import { type DataType, printType } from '../common/data-type.ts'
import { LIMITS } from '../common/limits.ts'
import type { Literal } from './literal.ts'
import type { Predicate } from './predicate-sql.ts'
import type { ValueOperator } from './types.ts'

/** The leaves of one text column, each with its bit. */
export interface TextColumn {
  name: string
  leaves: { predicate: Predicate; bit: number }[]
}

/** How a value is tested: against an integer in the ticks of its type, or a double; `null` holds for null and NaN. */
export type NumberTest = { op: '==' | '<' | '<=' | '>' | '>='; value: bigint | number } | { op: 'null' }

/** The leaves of one number column. A leaf holds when one of its tests does, or, negated, when none does; null passes no test but `null`. */
export interface NumberColumn {
  name: string
  float: boolean
  leaves: { tests: NumberTest[]; negated: boolean; bit: number }[]
}

/** Predicates as leaves. */
export interface ColumnLeaves {
  texts: TextColumn[]
  numbers: NumberColumn[]
  /** The mask of predicates for each value that the leaves' bits together can take; absent when leaf p is predicate p. */
  combinations?: BigUint64Array<ArrayBuffer>
}

type Leaf = { name: string } & ({ predicate: Predicate } | { float: boolean; tests: NumberTest[]; negated: boolean })

/** The leaves of these predicates; undefined when one reads anything but top-level columns of text or number, or too many combine. */
export function columnLeaves(predicates: readonly Predicate[]): ColumnLeaves | undefined {
  const single = predicates.map(leafOf)
  if (single.every((leaf) => leaf !== undefined)) return grouped(single)
  const leaves: Leaf[] = []
  const trees = predicates.map((predicate) => cut(predicate, leaves))
  if (trees.includes(undefined) || leaves.length > LIMITS.directLeaves.default) return undefined
  return { ...grouped(leaves), combinations: combinationsOf(trees as Tree[], leaves.length) }
}

function grouped(leaves: readonly Leaf[]): ColumnLeaves {
  const texts = leaves.flatMap((leaf, bit) => ('predicate' in leaf ? [{ ...leaf, bit }] : []))
  const numbers = leaves.flatMap((leaf, bit) => ('tests' in leaf ? [{ ...leaf, bit }] : []))
  return {
    texts: [...Map.groupBy(texts, ({ name }) => name)].map(([name, own]) => ({
      name,
      leaves: own.map(({ predicate, bit }) => ({ predicate, bit })),
    })),
    numbers: [...Map.groupBy(numbers, ({ name }) => name)].map(([name, own]) => ({
      name,
      float: own[0]!.float,
      leaves: own.map(({ tests, negated, bit }) => ({ tests, negated, bit })),
    })),
  }
}

/** The predicate as one leaf, if it is one: all of it about one text column, or one comparison of a number. */
function leafOf(predicate: Predicate): Leaf | undefined {
  const name = textColumn(predicate)
  if (name !== undefined) return { name, predicate }
  if (predicate.kind === 'and' || predicate.kind === 'or') return undefined
  if (predicate.kind === 'not') {
    const inner = leafOf(predicate.of)
    return inner && 'tests' in inner ? { ...inner, negated: !inner.negated } : undefined
  }
  return numberLeaf(predicate)
}

/** The one text column that a predicate reads. */
function textColumn(predicate: Predicate): string | undefined {
  if (predicate.kind === 'not') return textColumn(predicate.of)
  if (predicate.kind === 'and' || predicate.kind === 'or') {
    const [first, ...others] = predicate.of.map(textColumn)
    return others.every((name) => name === first) ? first : undefined
  }
  return predicate.path.length === 1 && printType(predicate.type) === 'VARCHAR' ? predicate.path[0] : undefined
}

const INTEGERS = new Set(['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'])
const FLOATS = new Set(['FLOAT', 'DOUBLE'])
const LONG_DIGITS = 18

/** Whether values of the type are stored as integers or doubles that order as the values do. */
function numberKind(type: DataType): 'integer' | 'float' | undefined {
  if (type.kind === 'decimal') return type.precision <= LONG_DIGITS ? 'integer' : undefined
  const name = printType(type)
  return INTEGERS.has(name) ? 'integer' : FLOATS.has(name) ? 'float' : undefined
}

function numberLeaf(predicate: Exclude<Predicate, { kind: 'and' | 'or' | 'not' }>): Leaf | undefined {
  const kind = numberKind(predicate.type)
  const [name] = predicate.path
  if (kind === undefined || name === undefined || predicate.path.length > 1) return undefined
  const leaf = { name, float: kind === 'float' }
  if (predicate.kind === 'null') {
    return { ...leaf, tests: [{ op: 'null' }], negated: predicate.operator === 'is not null' }
  }
  if (predicate.kind === 'among') {
    const tests = predicate.literals.map((literal) => comparison('==', literal))
    if (tests.length > LIMITS.directTests.default || tests.includes(undefined)) return undefined
    return { ...leaf, tests: tests.flatMap((test) => test!.tests), negated: predicate.operator === 'not in' }
  }
  const test = comparison(predicate.operator, predicate.literal)
  return test && { ...leaf, ...test }
}

type Comparison = { tests: NumberTest[]; negated: boolean }

const NEVER: Comparison = { tests: [], negated: false }
const NOT_NULL: Comparison = { tests: [{ op: 'null' }], negated: true }
const LEAST = -(2n ** 63n)
const GREATEST = 2n ** 63n - 1n

/** A comparison in terms of the greatest value of the type that is not above the literal. */
function comparison(operator: ValueOperator, literal: Literal): Comparison | undefined {
  if (operator === '!=') {
    const equal = comparison('==', literal)
    return equal && { ...equal, negated: true }
  }
  if (literal.kind !== 'ticks' && literal.kind !== 'float') return undefined
  const { floor, exact } = literal
  switch (operator) {
    case '==':
      return exact && isLong(floor) ? { tests: [{ op: '==', value: floor }], negated: false } : NEVER
    case '<':
    case '<=':
    case '>':
    case '>=':
      if (!isLong(floor)) return floor > 0 === operator.startsWith('<') ? NOT_NULL : NEVER
      return { tests: [{ op: exact ? operator : operator.startsWith('<') ? '<=' : '>', value: floor }], negated: false }
    default:
      return undefined
  }
}

function isLong(value: bigint | number): boolean {
  return typeof value === 'number' || (value >= LEAST && value <= GREATEST)
}

type Tree = { kind: 'leaf'; bit: number } | { kind: 'and' | 'or'; of: Tree[] } | { kind: 'not'; of: Tree }

/** The predicate over leaves, which are added to `leaves`; undefined when some part of it is none. */
function cut(predicate: Predicate, leaves: Leaf[]): Tree | undefined {
  const leaf = leafOf(predicate)
  if (leaf) {
    const known = leaves.findIndex((other) => isSame(other, leaf))
    return { kind: 'leaf', bit: known < 0 ? leaves.push(leaf) - 1 : known }
  }
  if (predicate.kind === 'not') {
    const of = cut(predicate.of, leaves)
    return of && { kind: 'not', of }
  }
  if (predicate.kind !== 'and' && predicate.kind !== 'or') return undefined
  const of = predicate.of.map((part) => cut(part, leaves))
  return of.includes(undefined) ? undefined : { kind: predicate.kind, of: of as Tree[] }
}

function isSame(a: Leaf, b: Leaf): boolean {
  const print = (leaf: Leaf) =>
    JSON.stringify(leaf, (_, value: unknown) =>
      typeof value === 'bigint'
        ? `${value}n`
        : Object.is(value, -0)
          ? '-0'
          : value === Infinity
            ? 'inf'
            : value === -Infinity
              ? '-inf'
              : value,
    )
  return print(a) === print(b)
}

function combinationsOf(trees: readonly Tree[], leaves: number): BigUint64Array<ArrayBuffer> {
  const combinations = new BigUint64Array(2 ** leaves)
  for (let bits = 0; bits < combinations.length; bits++) {
    for (const [k, tree] of trees.entries()) if (holds(tree, bits)) combinations[bits]! |= 1n << BigInt(k)
  }
  return combinations
}

function holds(tree: Tree, bits: number): boolean {
  switch (tree.kind) {
    case 'leaf':
      return ((bits >> tree.bit) & 1) === 1
    case 'not':
      return !holds(tree.of, bits)
    case 'and':
      return tree.of.every((part) => holds(part, bits))
    case 'or':
      return tree.of.some((part) => holds(part, bits))
  }
}
