/** Random queries whose answers SQL leaves open in nothing. */
import { quoteIdentifier } from '../../src/common/data-type.ts'
import type { BoundValue } from '../../src/engine/parameters.ts'
import type { Chance } from '../chance.ts'
import { aggregate, windowCall } from './split-calls.ts'
import { type Column, Expressions, type Scope } from './split-expressions.ts'
import type { Cat, GrammarTable } from './split-tables.ts'

/** A query with its values. `ordered`: the order of its rows is given, up to rows that are equal. */
export interface RandomQuery {
  sql: string
  params: BoundValue[]
  ordered: boolean
}

/** A random query over these tables. */
export function randomQuery(chance: Chance, tables: readonly GrammarTable[]): RandomQuery {
  const g = new Expressions(chance, tables)
  const grammar = new Grammar(g)
  const { sql, ordered } = grammar.query({ depth: 2, commons: [] })
  // Some parts of the query were made and not used.
  const used = [...new Set([...sql.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)))]
  const numbered = sql.replace(/\$(\d+)/g, (_, number) => `$${used.indexOf(Number(number)) + 1}`)
  return { sql: numbered, params: used.map((number) => g.params[number - 1]!), ordered }
}

interface Place {
  /** How many levels of queries may stand in it. */
  depth: number
  commons: readonly CommonTable[]
  outer?: readonly Column[]
  /** The kinds of its columns; free when absent. */
  cats?: readonly Cat[]
  /** True when its columns need names of their own. */
  named?: boolean
}

interface CommonTable {
  name: string
  columns: Column[]
}

interface Made {
  sql: string
  columns: Column[]
  ordered: boolean
}

interface Source {
  sql: string
  columns: Column[]
  unique?: string
}

const ALIASES = ['x', 'y', 'k', 'v', 'c0', 'k0', 'p0', 's0', 'n', 'id', 'total', 'a b', 'skep_1', 'Order']

class Grammar {
  readonly #g: Expressions
  #names = 0

  constructor(g: Expressions) {
    this.#g = g
    g.subquery = (cat, scope) => {
      const place = this.#inside(scope)
      const { sql, columns } = this.#from({ ...place, depth: 0 })
      return `(SELECT ${aggregate(g, cat, { columns, outer: place.outer! })} FROM ${sql}${this.#where({ columns, outer: place.outer! }, 0.6)})`
    }
    g.column = (cat, scope) => {
      const place = this.#inside(scope)
      const { sql, columns } = this.#from({ ...place, depth: 0 })
      const own = { columns, outer: place.outer!, flat: true }
      return `SELECT ${g.of(cat, own, 1)} FROM ${sql}${this.#where(own, 0.6)}`
    }
  }

  #commons: readonly CommonTable[] = []

  #inside(scope: Scope): Place {
    return { depth: 0, commons: this.#commons, outer: this.#g.may(0.5) ? scope.columns : [] }
  }

  /** A query with WITH, set operations, ORDER BY and LIMIT. */
  query(place: Place): Made {
    const g = this.#g
    if (place.depth > 0 && g.may(0.2)) return this.#with(place)
    const body = place.depth > 0 && g.may(0.12) ? this.#union(place) : undefined
    return body ? this.#ended(body, place) : this.#select(place)
  }

  #with(place: Place): Made {
    const g = this.#g
    const commons = [...place.commons]
    const entries: string[] = []
    for (let k = 0; k < 1 + g.chance.below(2); k++) {
      const name = g.pick(['w', 'x', 'q', 'dim', 'ev', 'Big'])
      if (entries.some((entry) => entry.startsWith(`${quoteIdentifier(name)}`))) continue
      const { sql, columns } = this.query({ depth: place.depth - 1, commons: [...commons], named: true })
      const renamed = g.may(0.2) ? columns.map((column, at) => ({ ...column, name: `r${at}` })) : columns
      const list = renamed === columns ? '' : `(${renamed.map(({ name }) => name).join(', ')})`
      entries.push(
        `${quoteIdentifier(name)}${list} AS ${g.pick(['', '', 'MATERIALIZED ', 'NOT MATERIALIZED '])}(${sql})`,
      )
      commons.push({ name, columns: renamed })
    }
    const before = this.#commons
    this.#commons = commons
    const inner = { ...place, depth: place.depth - 1, commons }
    const made = this.query(inner)
    // The engine's parser does not take a query with a second WITH clause here.
    const body = made.sql.startsWith('WITH') ? this.#select(inner) : made
    this.#commons = before
    return { ...body, sql: `WITH ${entries.join(', ')} ${body.sql}` }
  }

  #union(place: Place): Made {
    const g = this.#g
    const cats =
      place.cats ??
      Array.from({ length: 1 + g.chance.below(3) }, () => g.pick<Cat>(['int', 'text', 'bool', 'date', 'int']))
    const inner = { ...place, depth: place.depth - 1, cats }
    const [left, right] = [this.#select(inner, true), this.#select(inner, true)]
    const operation = g.pick(['UNION ALL', 'UNION', 'INTERSECT', 'EXCEPT', 'UNION ALL', 'INTERSECT ALL', 'EXCEPT ALL'])
    return { sql: `(${left.sql}) ${operation} (${right.sql})`, columns: left.columns, ordered: false }
  }

  /** ORDER BY and LIMIT behind a set operation. */
  #ended(body: Made, { depth }: Place): Made {
    const g = this.#g
    if (depth < 2 || g.may(0.5)) return body
    const order = body.columns.map((_, k) => `${k + 1}${g.pick(['', ' DESC'])}`).join(', ')
    return { ...body, sql: `${body.sql} ORDER BY ${order}${this.#limit(0.5)}`, ordered: true }
  }

  #limit(probability: number): string {
    const g = this.#g
    if (!g.may(probability)) return ''
    const offset = g.may(0.3) ? ` OFFSET ${g.pick(['0', '1', '3', '1 + 1', '500'])}` : ''
    if (g.may(0.1)) {
      g.params.push(g.chance.below(6))
      return ` LIMIT $${g.params.length}${offset}`
    }
    return ` LIMIT ${g.pick(['0', '1', '2', '5', '17', '1000', '20 % ', '(SELECT 3)', '2 + 2'])}${offset}`
  }

  /** One SELECT. */
  #select(place: Place, bare = false): Made {
    const g = this.#g
    const source = this.#from(place)
    const scope: Scope = {
      columns: source.columns,
      ...(place.outer && { outer: place.outer }),
      ...(place.depth === 0 && { flat: true }),
      ...(source.unique !== undefined && { unique: source.unique }),
    }
    if (!place.cats && !place.named && g.may(0.05)) return this.#star(source, scope)
    return g.may(0.45) ? this.#grouped(source, scope, place, bare) : this.#rows(source, scope, place, bare)
  }

  #star(source: Source, scope: Scope): Made {
    const g = this.#g
    const column = g.pick(source.columns)
    const name = quoteIdentifier(column.name)
    const list = g.pick([
      '*',
      `* EXCLUDE (${name})`,
      `* REPLACE (${g.of(column.cat, scope, 1)} AS ${name})`,
      `* RENAME (${name} AS renamed)`,
      `COLUMNS('^[a-m].*')`,
      `COLUMNS(c -> c <> 'id'), 1 AS one`,
      'count(COLUMNS(*))',
      'min(COLUMNS(*))',
      column.table === undefined ? '*' : `${column.table}.*`,
    ])
    const total = g.may(0.4) ? ` ORDER BY ALL${this.#limit(0.5)}` : ''
    return {
      sql: `SELECT ${list} FROM ${source.sql}${this.#where(scope, 0.6)}${total}`,
      columns: [],
      ordered: total !== '',
    }
  }

  #where(scope: Scope, probability: number, aliases: readonly Column[] = []): string {
    const g = this.#g
    if (!g.may(probability)) return ''
    const seen = g.may(0.15) && aliases.length > 0 ? { ...scope, columns: [...scope.columns, ...aliases] } : scope
    return ` WHERE ${g.of('bool', seen, 3)}`
  }

  /** Kinds and aliases of the list. */
  #outputs(scope: Scope, { cats, named }: Place): { cat: Cat; alias: string | undefined }[] {
    const g = this.#g
    const wanted = cats ?? Array.from({ length: 1 + g.chance.below(4) }, () => g.cat(scope))
    const taken = new Set<string>()
    return wanted.map((cat) => {
      let alias: string | undefined = named || g.may(0.5) ? g.pick(ALIASES) : undefined
      if (alias !== undefined && named && taken.has(alias.toLowerCase())) alias = `u${++this.#names}`
      if (alias !== undefined) taken.add(alias.toLowerCase())
      return { cat, alias }
    })
  }

  #rows(source: Source, scope: Scope, place: Place, bare: boolean): Made {
    const g = this.#g
    const outputs = this.#outputs(scope, place)
    const isWindowed = g.may(0.1)
    const aliases: Column[] = []
    const list = outputs.map(({ cat, alias }) => {
      const seen = aliases.length > 0 && g.may(0.12) ? { ...scope, columns: [...scope.columns, ...aliases] } : scope
      const item = isWindowed && cat === 'int' && g.may(0.6) ? windowCall(g, scope) : g.of(cat, seen, 2)
      if (alias !== undefined) aliases.push({ name: alias, cat })
      return alias === undefined ? item : `${item} AS ${quoteIdentifier(alias)}`
    })
    const columns = outputs.map(({ cat, alias }, k) => ({ name: alias ?? `column ${k}`, cat }))
    const distinct = g.may(0.15)
    const on = !distinct && !bare && g.may(0.04) ? `ON (${g.of(g.cat(scope), { ...scope, flat: true }, 1)})` : undefined
    const qualify = isWindowed && g.may(0.4) ? ` QUALIFY ${windowCall(g, scope)} ${g.pick(['<', '>', '='])} 2` : ''
    const order = this.#order(list.length, scope, aliases, { bare, distinct, on })
    const head = distinct ? 'DISTINCT ' : on === undefined ? '' : `DISTINCT ${on} `
    return {
      sql: `SELECT ${head}${list.join(', ')} FROM ${source.sql}${this.#where(scope, 0.6, aliases)}${qualify}${order}`,
      columns,
      ordered: order !== '',
    }
  }

  /** An ORDER BY that leaves nothing open, and a LIMIT. */
  #order(
    count: number,
    scope: Scope,
    aliases: readonly Column[],
    { bare, distinct, on }: { bare: boolean; distinct: boolean; on?: string | undefined },
  ): string {
    const g = this.#g
    if (on === undefined && g.may(bare ? 0.8 : 0.6)) return ''
    if (on === undefined && g.may(0.15))
      return ` ORDER BY ALL${g.pick(['', ' DESC', ' NULLS FIRST'])}${this.#limit(0.6)}`
    const seen = g.may(0.3) ? { ...scope, columns: [...scope.columns, ...aliases] } : scope
    const free = distinct || !g.may(0.5) ? [] : [g.of(g.cat(seen), { ...seen, flat: g.may(0.8) }, 1)]
    const own = aliases.length > 0 && g.may(0.4) ? [g.identifier(g.pick(aliases).name)] : []
    const collated = !distinct && g.may(0.08) ? [`${g.of('text', { ...scope, flat: true }, 0)} COLLATE NOCASE`] : []
    const places = Array.from({ length: count }, (_, k) => String(k + 1))
    const keys = [...(on === undefined ? [] : [on.slice(4, -1)]), ...own, ...free, ...collated, ...places]
    const order = keys.map((key) => `${key}${g.pick(['', '', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST'])}`)
    return ` ORDER BY ${order.join(', ')}${this.#limit(0.6)}`
  }

  #grouped(source: Source, scope: Scope, place: Place, bare: boolean): Made {
    const g = this.#g
    const outputs = this.#outputs(scope, place)
    const isGlobal = g.may(0.25)
    const keys: { sql: string; cat: Cat; at: number; alias: string | undefined }[] = []
    const aliases: Column[] = []
    const inner = { ...scope, flat: true }
    const list = outputs.map(({ cat, alias }, k) => {
      const isKey = !isGlobal && g.may(k === 0 ? 0.8 : 0.3)
      const key = g.of(cat, inner, 1)
      if (isKey) keys.push({ sql: key, cat, at: k + 1, alias })
      const item = isKey ? key : this.#overAggregates(cat, scope, keys)
      if (alias !== undefined) aliases.push({ name: alias, cat })
      return alias === undefined ? item : `${item} AS ${quoteIdentifier(alias)}`
    })
    const columns = outputs.map(({ cat, alias }, k) => ({ name: alias ?? `column ${k}`, cat }))
    if (keys.length === 0 && !isGlobal)
      keys.push({ sql: g.of(g.cat(scope), inner, 1), cat: 'int', at: 0, alias: undefined })
    const distinct = g.may(0.06)
    const having = g.may(0.2) ? ` HAVING ${this.#having(scope, keys, aliases)}` : ''
    const groups = keys.length === 0 ? '' : ` GROUP BY ${this.#groups(keys)}`
    const order = this.#groupOrder(list.length, scope, keys, { bare, distinct })
    return {
      sql: `SELECT ${distinct ? 'DISTINCT ' : ''}${list.join(', ')} FROM ${source.sql}${this.#where(scope, 0.5, aliases)}${groups}${having}${order}`,
      columns,
      ordered: order !== '',
    }
  }

  #groups(keys: readonly { sql: string; at: number; alias: string | undefined }[]): string {
    const g = this.#g
    const terms = keys.map(({ sql, at, alias }) => {
      if (at > 0 && g.may(0.25)) return String(at)
      return alias !== undefined && g.may(0.25) ? g.identifier(alias) : sql
    })
    if (keys.every(({ at }) => at > 0) && g.may(0.15)) return 'ALL'
    if (!g.may(0.12)) return terms.join(', ')
    return g.pick([
      `ROLLUP (${terms.join(', ')})`,
      `CUBE (${terms.join(', ')})`,
      `GROUPING SETS ((${terms.join(', ')}), (), (${terms[0]}))`,
    ])
  }

  #overAggregates(cat: Cat, scope: Scope, keys: readonly { sql: string; cat: Cat }[]): string {
    const g = this.#g
    const call = aggregate(g, cat, scope)
    if (cat === 'int' && g.may(0.2)) return `${call} + ${aggregate(g, 'int', scope)}`
    if (g.may(0.1)) return `CASE WHEN ${aggregate(g, 'int', scope)} > 2 THEN ${call} END`
    if (cat === 'int' && keys.length > 0 && g.may(0.08)) return `GROUPING(${keys[0]!.sql})`
    if (cat === 'int' && g.may(0.08)) return `rank() OVER (ORDER BY ${call})`
    const key = keys.find((own) => own.cat === cat)
    return key && g.may(0.15) ? `coalesce(${call}, ${key.sql})` : call
  }

  #having(scope: Scope, keys: readonly { sql: string; cat: Cat }[], aliases: readonly Column[]): string {
    const g = this.#g
    const alias = aliases.find(({ cat }) => cat === 'int')
    if (alias && g.may(0.4)) return `${g.identifier(alias.name)} > 1`
    if (keys.length > 0 && g.may(0.3)) return `${keys[0]!.sql} IS NOT NULL`
    return `${aggregate(g, 'int', scope)} ${g.pick(['>', '<=', '<>'])} ${g.chance.below(6)}`
  }

  #groupOrder(
    count: number,
    scope: Scope,
    keys: readonly { sql: string }[],
    { bare, distinct }: { bare: boolean; distinct: boolean },
  ): string {
    const g = this.#g
    if (g.may(bare ? 0.8 : 0.6)) return ''
    if (g.may(0.2)) return ` ORDER BY ALL${this.#limit(0.6)}`
    const places = Array.from({ length: count }, (_, k) => String(k + 1))
    const free =
      distinct || !g.may(0.4)
        ? []
        : [keys.length > 0 && g.may(0.4) ? keys[0]!.sql : aggregate(g, g.pick(['int', 'text']), scope)]
    return ` ORDER BY ${[...free, ...places].map((key) => `${key}${g.pick(['', ' DESC', ' NULLS FIRST'])}`).join(', ')}${this.#limit(0.6)}`
  }

  /** A FROM clause. */
  #from(place: Place): Source {
    const g = this.#g
    const left = this.#relation(place)
    if (!g.may(place.depth > 0 ? 0.3 : 0.1)) return left
    return this.#join(left, this.#relation({ ...place, depth: 0 }))
  }

  #join(left: Source, right: Source): Source {
    const g = this.#g
    const columns = [...left.columns, ...right.columns]
    const scope: Scope = { columns, flat: true }
    const way = g.chance.below(10)
    const equal = () => {
      const cats: Cat[] = left.columns
        .map(({ cat }) => cat)
        .filter((cat) => right.columns.some((column) => column.cat === cat))
      const cat = cats.length > 0 ? g.pick(cats) : 'int'
      const [one, other] = [left, right].map((side) =>
        g.of(cat, { columns: side.columns, all: columns, flat: true }, 0),
      )
      return `${one} = ${other}`
    }
    if (way === 0)
      return {
        sql: `${left.sql} CROSS JOIN (SELECT 1 AS lone WHERE ${g.pick(['true', 'false', 'true'])})`,
        columns: left.columns,
      }
    if (way === 1)
      return { sql: `${left.sql} ${g.pick(['SEMI', 'ANTI'])} JOIN ${right.sql} ON ${equal()}`, ...withoutSql(left) }
    const shared = left.columns.filter((own) =>
      right.columns.some((other) => other.name === own.name && other.cat === own.cat),
    )
    const kind = g.pick(['', 'LEFT ', 'RIGHT ', 'FULL ', 'INNER ', 'LEFT '])
    if (way === 2 && shared.length > 0) {
      const column = g.pick(shared)
      const merged = [
        { name: column.name, cat: column.cat },
        ...columns.filter(({ name }) => name.toLowerCase() !== column.name.toLowerCase()),
      ]
      return { sql: `${left.sql} ${kind}JOIN ${right.sql} USING (${quoteIdentifier(column.name)})`, columns: merged }
    }
    if (way === 3) return { sql: `${left.sql}, ${right.sql}`, columns }
    const more = g.may(0.3) ? ` AND ${g.of('bool', scope, 1)}` : ''
    return { sql: `${left.sql} ${kind}JOIN ${right.sql} ON ${equal()}${more}`, columns }
  }

  #relation(place: Place): Source {
    const g = this.#g
    const alias = `t${++this.#names}`
    if (place.commons.length > 0 && g.may(0.6)) {
      const common = g.pick(place.commons)
      return { sql: `${quoteIdentifier(common.name)} AS ${alias}`, columns: within(alias, common.columns) }
    }
    if (place.depth > 0 && g.may(0.15)) {
      const { sql, columns } = this.query({ depth: place.depth - 1, commons: place.commons, named: true })
      return { sql: `(${sql}) AS ${alias}`, columns: within(alias, columns) }
    }
    if (g.may(0.05)) return this.#generated(alias)
    const table = g.pick([...g.tables, ...[1, 2, 3].flatMap(() => g.tables.filter(({ rows }) => rows > 30))])
    const hiding = place.commons.findLast(({ name }) => name.toLowerCase() === table.name.toLowerCase())
    const name = g.identifier(table.name)
    if (hiding) return { sql: `${name} AS ${alias}`, columns: within(alias, hiding.columns) }
    if (g.may(0.2)) {
      const own = quoteIdentifier(table.name)
      return { sql: name, columns: within(own, table.columns) }
    }
    if (g.may(0.05)) {
      const renamed = table.columns.map(({ cat }, k) => ({ name: `k${k}`, cat }))
      return {
        sql: `${name} AS ${alias}(${renamed.map((column) => column.name).join(', ')})`,
        columns: within(alias, renamed),
      }
    }
    return { sql: `${name} AS ${alias}`, columns: within(alias, table.columns), unique: `${alias}.id` }
  }

  #generated(alias: string): Source {
    const g = this.#g
    return g.pick([
      { sql: `range(${g.chance.below(9)}) AS ${alias}(k)`, columns: within(alias, [{ name: 'k', cat: 'int' }]) },
      {
        sql: `(VALUES (1, 'a'), (2, NULL), (3, 'buy')) AS ${alias}(k, v)`,
        columns: within(alias, [
          { name: 'k', cat: 'int' },
          { name: 'v', cat: 'text' },
        ]),
      },
      { sql: `unnest([1, 2, NULL]) AS ${alias}(n)`, columns: within(alias, [{ name: 'n', cat: 'int' }]) },
    ])
  }
}

function withoutSql({ columns, unique }: Source): Omit<Source, 'sql'> {
  return { columns, ...(unique !== undefined && { unique }) }
}

function within(table: string, columns: readonly { name: string; cat: Cat }[]): Column[] {
  return columns.map(({ name, cat }) => ({ table, name, cat }))
}
