/** Predicates that are the same however they are written, found to be the same. */
import { printQuery } from './json.ts'
import type { Predicate } from './predicate-sql.ts'

/** Distinct predicates and parts of predicates, each with a number of its own. */
export class PredicatePool {
  readonly #numbers = new Map<string, number>()
  readonly #places = new Map<number, number>()

  /** The distinct predicates, in the order in which they were first added. */
  readonly predicates: Predicate[] = []

  /** The place of a predicate among the distinct ones. */
  add(given: Predicate): number {
    const { id, predicate } = this.#canonical(given)
    const place = this.#places.get(id) ?? this.predicates.length
    if (place === this.predicates.length) this.predicates.push(predicate)
    this.#places.set(id, place)
    return place
  }

  /** The predicate without repeated parts, `and` inside `and` and `not` inside `not`, and a number that is the same for the same predicate in any order. */
  #canonical(given: Predicate): { id: number; predicate: Predicate } {
    if (given.kind === 'not') {
      if (given.of.kind === 'not') return this.#canonical(given.of.of)
      const { id, predicate } = this.#canonical(given.of)
      return { id: this.#number(`not ${id}`), predicate: { kind: 'not', of: predicate } }
    }
    if (given.kind !== 'and' && given.kind !== 'or') return { id: this.#number(leafKey(given)), predicate: given }
    const { kind } = given
    const parts = new Map<number, Predicate>()
    for (const part of flat(given, kind)) {
      const { id, predicate } = this.#canonical(part)
      parts.set(id, predicate)
    }
    if (parts.size === 1) {
      const [[id, predicate]] = [...parts] as [[number, Predicate]]
      return { id, predicate }
    }
    const key = `${kind} ${[...parts.keys()].sort((a, b) => a - b).join(' ')}`
    return { id: this.#number(key), predicate: { kind, of: [...parts.values()] } }
  }

  #number(key: string): number {
    const number = this.#numbers.get(key) ?? this.#numbers.size
    this.#numbers.set(key, number)
    return number
  }
}

function flat(predicate: Predicate, kind: 'and' | 'or'): Predicate[] {
  return predicate.kind === kind ? predicate.of.flatMap((part) => flat(part, kind)) : [predicate]
}

type Leaf = Exclude<Predicate, { kind: 'and' | 'or' | 'not' }>

function leafKey(leaf: Leaf): string {
  return printQuery([leaf.kind, leaf.operator, ...leaf.path, valuesKey(leaf)])
}

function valuesKey(leaf: Leaf): string {
  if (leaf.kind === 'null') return ''
  if (leaf.kind === 'compare') return literalKey(leaf.literal)
  return [...new Set(leaf.literals.map(literalKey))].sort().join()
}

function literalKey(literal: Extract<Leaf, { kind: 'compare' }>['literal']): string {
  return printQuery('exact' in literal ? [literal.floor, literal.exact] : Object.values(literal))
}
