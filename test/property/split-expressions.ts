/** Random expressions of SQL over the columns that are in sight. */
import { quoteIdentifier } from '../../src/common/data-type.ts'
import type { BoundValue } from '../../src/engine/parameters.ts'
import type { Chance } from '../chance.ts'
import type { Cat, GrammarTable } from './split-tables.ts'

/** A column in sight. */
export interface Column {
  /** Names of its table, quoted; none for aliases and outputs. */
  table?: string
  name: string
  cat: Cat
}

/** What a place in a query sees. */
export interface Scope {
  columns: readonly Column[]
  /** Columns of the query around it. */
  outer?: readonly Column[]
  /** What is in sight beside them, where that is more. */
  all?: readonly Column[]
  /** True where no subquery may stand. */
  flat?: boolean
  /** A column whose value is another in every row. */
  unique?: string
}

const COMMON: readonly Cat[] = ['int', 'int', 'int', 'text', 'text', 'dbl', 'bool', 'dec', 'date', 'ts']

/** What a random query is made from. */
export class Expressions {
  readonly chance: Chance
  readonly tables: readonly GrammarTable[]
  readonly params: BoundValue[] = []
  /** Makes a scalar subquery of this kind; set by the grammar of queries. */
  subquery: (cat: Cat, scope: Scope) => string = () => 'NULL'
  /** Makes a subquery of one column. */
  column: (cat: Cat, scope: Scope) => string = () => 'SELECT NULL'

  constructor(chance: Chance, tables: readonly GrammarTable[]) {
    this.chance = chance
    this.tables = tables
  }

  may(probability: number): boolean {
    return this.chance.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    return this.chance.pick(items)
  }

  /** A kind that some column in sight has, or a common one. */
  cat(scope: Scope): Cat {
    return scope.columns.length > 0 && this.may(0.7) ? this.pick(scope.columns).cat : this.pick(COMMON)
  }

  /** A name as it may be written. */
  identifier(name: string): string {
    const plain = /^[a-z][a-z0-9_]*$/i.test(name) && !/^(order|group|user|at|day|name)$/i.test(name)
    if (plain && this.may(0.8)) return this.may(0.1) ? name.toUpperCase() : name
    return quoteIdentifier(this.may(0.1) ? name.toUpperCase() : name)
  }

  /** A reference to a column, with its table's name where it needs one, and often where it does not. */
  reference(column: Column, scope: Scope): string {
    const same = [...(scope.all ?? scope.columns), ...(scope.outer ?? [])].filter(
      ({ name }) => name.toLowerCase() === column.name.toLowerCase(),
    )
    const isBare = column.table === undefined || (same.length === 1 && this.may(0.7)) || this.may(0.005)
    return isBare ? this.identifier(column.name) : `${column.table}.${this.identifier(column.name)}`
  }

  /** An expression of this kind. */
  of(cat: Cat, scope: Scope, depth = 2): string {
    const own = scope.columns.filter((column) => column.cat === cat)
    const outer = (scope.outer ?? []).filter((column) => column.cat === cat)
    if (outer.length > 0 && this.may(0.12)) return this.reference(this.pick(outer), scope)
    if (own.length > 0 && this.may(depth > 0 ? 0.55 : 0.85)) return this.reference(this.pick(own), scope)
    if (depth <= 0 || this.may(cat === 'bool' ? 0.03 : 0.12)) return this.constant(cat)
    if (!scope.flat && this.may(0.04)) return this.subquery(cat, scope)
    if (this.may(0.15)) return this.#general(cat, scope, depth - 1)
    return this.pick(FORMS[cat])(this, scope, depth - 1)
  }

  constant(cat: Cat): string {
    const text = this.pick(CONSTANTS[cat])
    if (!this.may(0.06)) return text
    const value = { int: this.chance.below(5), text: this.pick(['a', 'buy', "it's"]), dbl: 1.5, bool: true }[
      cat as string
    ]
    if (value === undefined) return text
    this.params.push(value)
    return cat === 'dbl' ? `$${this.params.length}::DOUBLE` : `$${this.params.length}`
  }

  #general(cat: Cat, scope: Scope, depth: number): string {
    const own = () => this.of(cat, scope, depth)
    switch (this.chance.below(5)) {
      case 0:
        return `CASE WHEN ${this.of('bool', scope, depth)} THEN ${own()} ELSE ${own()} END`
      case 1:
        return `coalesce(${own()}, ${own()})`
      case 2:
        return `nullif(${own()}, ${own()})`
      case 3:
        return `CASE ${this.of('int', scope, depth)} WHEN 1 THEN ${own()} WHEN 2 THEN ${own()} END`
      default:
        return `(${own()})`
    }
  }
}

type Form = (g: Expressions, scope: Scope, depth: number) => string

const CONSTANTS: Record<Cat, string[]> = {
  int: ['0', '1', '2', '3', '5', 'NULL::INTEGER', '-1', '10'],
  dec: ['0.5', '1.25', '10.00::DECIMAL(9,2)'],
  dbl: ['1.5::DOUBLE', '0::DOUBLE', "'nan'::DOUBLE", '1e0', "'-inf'::DOUBLE"],
  text: ["'a'", "'b'", "''", "'it''s'", "'é'", 'NULL::VARCHAR', "'buy'", "'u3'"],
  bool: ['true', 'true', 'true', 'false', 'NULL::BOOLEAN'],
  date: ["DATE '2026-01-01'", "DATE '2026-02-28'"],
  ts: ["TIMESTAMP '2026-01-01 00:00:00'", "TIMESTAMP '2026-01-05 12:00:00'"],
  list: ['[1, 2]', '([]::INTEGER[])', '[3, NULL]'],
  struct: ["{'a': 1, 'b': 'x'}", 'struct_pack(a := 2, b := NULL::VARCHAR)'],
  blob: ["'abc'::BLOB", "'\\x00'::BLOB"],
  uuid: ["'00000000-0000-4000-8000-000000000001'::UUID"],
  time: ["TIME '08:14:00'"],
}

const FORMS: Record<Cat, Form[]> = {
  int: [
    (g, s, d) => `${g.of('int', s, d)} % 3`,
    (g, s, d) => `(${g.of('int', s, d)} % 100) + ${g.chance.below(9)}`,
    (g, s, d) => `${g.of('int', s, d)} // 7`,
    (g, s, d) => `length(${g.of('text', s, d)})`,
    (g, s, d) => `len(${g.of('list', s, d)})`,
    (g, s, d) => `list_sum(${g.of('list', s, d)})`,
    (g, s, d) => `(${g.of('struct', s, d)}).a`,
    (g, s, d) => `${g.of('list', s, d)}[1]`,
    (g, s, d) => `extract(year FROM ${g.of('date', s, d)})`,
    (g, s, d) => `date_diff('day', ${g.of('date', s, d)}, DATE '2026-03-01')`,
    (g, s, d) => `(${g.of('bool', s, d)})::INTEGER`,
    (g, s, d) => `TRY_CAST(${g.of('text', s, d)} AS INTEGER)`,
    (g, s, d) => `greatest(${g.of('int', s, d)}, 1)`,
    (g, s, d) => `list_reduce(list_append(${g.of('list', s, d)}, 1), (x, y) -> coalesce(x, 0) + coalesce(y, 0))`,
  ],
  dec: [
    (g, s, d) => `${g.of('dec', s, d)} + 1`,
    (g, s, d) => `round(${g.of('dec', s, d)}, 1)`,
    (g, s, d) => `(${g.of('int', s, d)} % 1000)::DECIMAL(12,2)`,
    (g, s, d) => `-${g.of('dec', s, d)}`,
  ],
  dbl: [
    (g, s, d) => `${g.of('dbl', s, d)} * 2`,
    (g, s, d) => `${g.of('int', s, d)} / 4`,
    (g, s, d) => `abs(${g.of('dbl', s, d)})`,
    (g, s, d) => `(${g.of('int', s, d)} % 100)::DOUBLE`,
    (g, s, d) => `${g.of('dec', s, d)}::DOUBLE`,
  ],
  text: [
    (g, s, d) => `upper(${g.of('text', s, d)})`,
    (g, s, d) => `${g.of('text', s, d)} || '-' || ${g.of('text', s, d)}`,
    (g, s, d) => `substr(${g.of('text', s, d)}, 1, 2)`,
    (g, s, d) => `(${g.of(g.pick(['int', 'dec', 'bool', 'date', 'ts', 'uuid', 'list', 'struct']), s, d)})::VARCHAR`,
    (g, s, d) => `(${g.of('struct', s, d)}).b`,
    (g, s, d) => `reverse(${g.of('text', s, d)})`,
    (g, s, d) => `concat(${g.of('text', s, d)}, ${g.of('int', s, d)})`,
    (g, s, d) => `strftime(${g.of('date', s, d)}, '%Y-%m')`,
  ],
  bool: [
    (g, s, d) => {
      const cat = g.cat(s)
      return `${g.of(cat, s, d)} ${g.pick(['=', '<>', '<', '>=', 'IS DISTINCT FROM', '='])} ${g.of(cat, s, d)}`
    },
    (g, s, d) => `(${g.of('bool', s, d)} ${g.pick(['AND', 'OR'])} ${g.of('bool', s, d)})`,
    (g, s, d) => `NOT (${g.of('bool', s, d)})`,
    (g, s, d) => `${g.of(g.cat(s), s, d)} IS ${g.pick(['NULL', 'NOT NULL'])}`,
    (g, s, d) => `${g.of('int', s, d)} BETWEEN ${g.constant('int')} AND ${g.of('int', s, d)}`,
    (g, s, d) =>
      `${g.of('text', s, d)} ${g.pick(['LIKE', 'NOT LIKE', 'ILIKE'])} ${g.pick(["'%a%'", "'b_y'", "'u1%'"])}`,
    (g, s, d) => `${g.of('text', s, d)} ${g.pick(['IN', 'NOT IN'])} ('a', 'buy', 'u1')`,
    (g, s, d) => `${g.of('int', s, d)} IN (${g.constant('int')}, 1, 4, 9)`,
    (g, s, d) => `list_contains(${g.of('list', s, d)}, 1)`,
    (g, s, d) => (s.flat ? 'true' : `${g.of('int', s, d)} ${g.pick(['IN', 'NOT IN'])} (${g.column('int', s)})`),
    (g, s) => (s.flat ? 'false' : `${g.pick(['', 'NOT '])}EXISTS (${g.column('int', s)})`),
    (g, s, d) => (s.flat ? 'true' : `${g.of('text', s, d)} ${g.pick(['= ANY', '<> ALL'])} (${g.column('text', s)})`),
  ],
  date: [
    (g, s, d) => `date_trunc('month', ${g.of('date', s, d)})::DATE`,
    (g, s, d) => `${g.of('date', s, d)} + 1`,
    (g, s, d) => `(${g.of('ts', s, d)})::DATE`,
  ],
  ts: [
    (g, s, d) => `${g.of('ts', s, d)} + INTERVAL 1 DAY`,
    (g, s, d) => `date_trunc('hour', ${g.of('ts', s, d)})`,
    (g, s, d) => `(${g.of('date', s, d)})::TIMESTAMP`,
  ],
  list: [
    (g, s, d) => `[(${g.of('int', s, d)} % 100)::INTEGER, 1]`,
    (g, s, d) => `list_transform(${g.of('list', s, d)}, ${g.pick(['x', 'k', 'v', 'id'])} -> 1)`,
    (g, s, d) => `list_transform(${g.of('list', s, d)}, lambda x: x + 1)`,
    (g, s, d) => `list_filter(${g.of('list', s, d)}, x -> x > ${g.pick(['0', '1'])})`,
    (g, s, d) => `[x * 2 FOR x IN (${g.of('list', s, d)}) IF x IS NOT NULL]`,
    (g, s, d) => `list_sort(${g.of('list', s, d)})`,
    (g, s, d) => `(${g.of('list', s, d)})[1:2]`,
  ],
  struct: [(g, s, d) => `{'a': (${g.of('int', s, d)} % 100)::INTEGER, 'b': ${g.of('text', s, d)}}`],
  blob: [(g, s, d) => `encode(${g.of('text', s, d)})`],
  uuid: [(g, s, d) => `coalesce(${g.of('uuid', s, d)}, ${g.constant('uuid')})`],
  time: [(g, s, d) => `(${g.of('ts', s, d)})::TIMESTAMP::TIME`],
}
