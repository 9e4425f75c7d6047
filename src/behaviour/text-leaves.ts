/**
 * Predicates over text columns, cut into leaves of one column each: a leaf is decided for each entry of a dictionary, and what is
 * left to decide for a row is how its leaves combine.
 */
import { printType } from '../common/data-type.ts'
import type { Predicate } from './predicate-sql.ts'

/** The leaves of one column, each with its bit. */
export interface TextColumn {
  name: string
  leaves: { predicate: Predicate; bit: number }[]
}

/** Predicates as leaves. */
export interface TextLeaves {
  columns: TextColumn[]
  /** The mask of predicates for each value that the leaves' bits together can take; absent when leaf p is predicate p. */
  combinations?: BigUint64Array<ArrayBuffer>
}

/** Leaves of queries whose predicates combine several columns: their combinations are listed. */
const COMBINED_LEAVES_MAX = 14

/** The leaves of these predicates; undefined when one of them reads anything but top-level text columns, or too many combine. */
export function textLeaves(predicates: readonly Predicate[]): TextLeaves | undefined {
  const names = predicates.map(soleColumn)
  if (names.includes(undefined)) return undefined
  const combine = names.includes(SEVERAL)
  const leaves: { name: string; predicate: Predicate }[] = []
  const trees = combine
    ? predicates.map((predicate) => cut(predicate, leaves))
    : predicates.map((predicate, k) => addLeaf(leaves, names[k] as string, predicate))
  if (combine && leaves.length > COMBINED_LEAVES_MAX) return undefined
  const columns = [...Map.groupBy(leaves.entries(), ([, { name }]) => name)].map(([name, own]) => ({
    name,
    leaves: own.map(([bit, { predicate }]) => ({ predicate, bit })),
  }))
  return combine ? { columns, combinations: combinationsOf(trees, leaves.length) } : { columns }
}

const SEVERAL = Symbol('several columns')

/** The one text column that a predicate reads, or that there are several; undefined when it reads anything else. */
function soleColumn(predicate: Predicate): string | typeof SEVERAL | undefined {
  if (predicate.kind === 'not') return soleColumn(predicate.of)
  if (predicate.kind === 'and' || predicate.kind === 'or') {
    const names = new Set(predicate.of.map(soleColumn))
    if (names.has(undefined)) return undefined
    return names.size === 1 ? [...names][0] : SEVERAL
  }
  const [name] = predicate.path
  return predicate.path.length === 1 && printType(predicate.type) === 'VARCHAR' ? name : undefined
}

type Tree = { kind: 'leaf'; bit: number } | { kind: 'and' | 'or'; of: Tree[] } | { kind: 'not'; of: Tree }

function addLeaf(leaves: { name: string; predicate: Predicate }[], name: string, predicate: Predicate): Tree {
  return { kind: 'leaf', bit: leaves.push({ name, predicate }) - 1 }
}

function cut(predicate: Predicate, leaves: { name: string; predicate: Predicate }[]): Tree {
  const name = soleColumn(predicate)
  if (typeof name === 'string') {
    const known = leaves.findIndex((leaf) => leaf.name === name && isSame(leaf.predicate, predicate))
    return known < 0 ? addLeaf(leaves, name, predicate) : { kind: 'leaf', bit: known }
  }
  if (predicate.kind === 'not') return { kind: 'not', of: cut(predicate.of, leaves) }
  if (predicate.kind !== 'and' && predicate.kind !== 'or') throw new Error('a predicate of one column is a leaf')
  return { kind: predicate.kind, of: predicate.of.map((part) => cut(part, leaves)) }
}

function isSame(a: Predicate, b: Predicate): boolean {
  const print = (predicate: Predicate) =>
    JSON.stringify(predicate, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
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
