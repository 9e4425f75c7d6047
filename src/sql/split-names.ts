/** What the names in a SELECT mean: columns of its FROM clause, or expressions of its list under their aliases. */
import { asciiLower } from '../common/text.ts'
import { columnPath, expressionKey, integerConstant, replaceNodes, someNode } from './build.ts'
import { type CommonTables, commonTable, commonTablesIn, isSubquery, tableName, Unsplittable } from './relations.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** The columns of the tables of the warehouse and of stages, by lower-case names of the tables; names in lower case. */
export type KnownColumns = ReadonlyMap<string, ReadonlySet<string>>

/** The names of the columns that a FROM clause gives, in lower case; undefined where they are not known without the engine. */
export function columnsOf(ref: unknown, scope: CommonTables, known: KnownColumns): Set<string> | undefined {
  if (!isNode(ref)) return undefined
  const renamed = Array.isArray(ref.column_name_alias)
    ? ref.column_name_alias.map((name) => asciiLower(text(name)))
    : []
  const own = columnsOfSource(ref, scope, known)
  return own && new Set([...own, ...renamed])
}

function columnsOfSource(ref: TreeNode, scope: CommonTables, known: KnownColumns): ReadonlySet<string> | undefined {
  switch (ref.type) {
    case 'BASE_TABLE': {
      const common = commonTable(ref, scope)
      if (!common) return known.get(tableName(ref))
      const aliases = isNode(common.entry.value) ? common.entry.value.aliases : []
      const own = outputsOf(common.query, common.seen, known)
      return own && new Set([...own, ...(Array.isArray(aliases) ? aliases.map((name) => asciiLower(text(name))) : [])])
    }
    case 'SUBQUERY':
      return isNode(ref.subquery) && isNode(ref.subquery.node) ? outputsOf(ref.subquery.node, scope, known) : undefined
    case 'JOIN': {
      const [left, right] = [columnsOf(ref.left, scope, known), columnsOf(ref.right, scope, known)]
      return left && right && new Set([...left, ...right])
    }
    case 'EMPTY':
      return new Set()
    default:
      return undefined
  }
}

function outputsOf(query: TreeNode, outer: CommonTables, known: KnownColumns): Set<string> | undefined {
  if (query.type === 'SET_OPERATION_NODE') return isNode(query.left) ? outputsOf(query.left, outer, known) : undefined
  if (query.type !== 'SELECT_NODE') return undefined
  const names = new Set<string>()
  for (const item of nodes(query.select_list)) {
    if (item.class === 'STAR') {
      const all = columnsOf(query.from_table, commonTablesIn(query, outer), known)
      if (!all) return undefined
      for (const name of all) names.add(name)
    } else {
      const name = outputName(item)
      if (name !== undefined) names.add(asciiLower(name))
    }
  }
  return names
}

/** The name of an output that has one of its own: its alias, or its column's name. */
export function outputName(item: TreeNode): string | undefined {
  return text(item.alias) || columnPath(item)?.at(-1)
}

/** A SELECT whose names are to be understood. */
export class SelectNames {
  readonly #items: readonly TreeNode[]
  readonly #aliases = new Map<string, number>()
  readonly #columns: ReadonlySet<string> | undefined

  constructor(select: TreeNode, scope: CommonTables, known: KnownColumns) {
    this.#items = nodes(select.select_list)
    this.#columns = columnsOf(select.from_table, scope, known)
    for (const [k, item] of this.#items.entries()) {
      const alias = asciiLower(text(item.alias))
      // Of several items with one alias the last has it.
      if (alias !== '') this.#aliases.set(alias, k)
    }
  }

  /** An expression of a WHERE or GROUP BY clause or of the list, where columns go before aliases; without aliases. */
  resolved<T>(expression: T): T {
    return this.#replaced(expression, (name) => {
      if (this.#columns === undefined) throw new Unsplittable(`"${name}" may be a column or an alias`)
      return !this.#columns.has(name)
    })
  }

  /** An expression of a HAVING or QUALIFY clause, where the engine may take either first; without aliases. */
  resolvedAfter<T>(expression: T): T {
    return this.#replaced(expression, (name, place) => {
      const path = columnPath(this.#items[place])
      if (path?.length === 1 && asciiLower(path[0]!) === name) return false
      if (this.#columns?.has(name) !== false) throw new Unsplittable(`"${name}" may be a column or an alias`)
      return true
    })
  }

  /** The place in the list that an expression of an ORDER BY or GROUP BY clause names by its number, by an alias, or because it is the same. */
  place(expression: TreeNode, by: 'number' | 'number or name'): number | undefined {
    const number = integerConstant(expression)
    if (number !== undefined) {
      if (number < 1 || number > this.#items.length) throw new Unsplittable('a number is no place in the list')
      return number - 1
    }
    if (by === 'number') return undefined
    const path = columnPath(expression)
    const found = path?.length === 1 ? this.#aliases.get(asciiLower(path[0]!)) : undefined
    if (found !== undefined) return found
    const key = expressionKey(expression)
    const place = this.#items.findIndex((item) => expressionKey(item) === key)
    return place < 0 ? undefined : place
  }

  #replaced<T>(expression: T, meansAlias: (name: string, place: number) => boolean): T {
    return replaceNodes(expression, (node) => {
      if (isSubquery(node) && someNode(node, (inner) => this.#mentionsAlias(inner))) {
        throw new Unsplittable('a subquery may name an alias')
      }
      if (node.class === 'LAMBDA' && someNode(node.lhs, (inner) => this.#mentionsAlias(inner))) {
        throw new Unsplittable('a lambda has the name of an alias')
      }
      const path = columnPath(node)
      if (path?.length !== 1) return undefined
      const name = asciiLower(path[0]!)
      const place = this.#aliases.get(name)
      if (place === undefined || !meansAlias(name, place)) return undefined
      const item = this.#items[place]!
      if (expressionKey(item) === expressionKey(node)) return undefined
      return this.resolved({ ...item, alias: '' })
    })
  }

  #mentionsAlias(node: TreeNode): boolean {
    const path = columnPath(node)
    return (
      path?.length === 1 && this.#aliases.has(asciiLower(path[0]!)) && this.#columns?.has(asciiLower(path[0]!)) !== true
    )
  }
}
