/** Joins of two large tables: rows that can meet are brought together by a hash of what they are joined by. */
import { asciiLower } from '../common/text.ts'
import { columnPath, conjuncts, someNode } from './build.ts'
import { type CommonTables, commonTable, commonTablesIn, mentionsOf, tableName } from './relations.ts'
import { tableAliases } from './split-scan.ts'
import type { SplitColumn, SplitLimits, SplitTable } from './split-tables.ts'
import { isNode, type TreeNode, text } from './tree.ts'

/** The tables that are mentioned, the greatest first. */
export function bySize(
  mentions: ReadonlyMap<string, number>,
  tables: ReadonlyMap<string, SplitTable>,
): (SplitTable & { name: string })[] {
  const sized = [...mentions.keys()].flatMap((name) => {
    const table = tables.get(name)
    return table ? [{ name, ...table }] : []
  })
  return sized.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
}

/** A join of two large tables, and the columns of each that are equal in rows that meet. */
export interface ExchangedJoin {
  sides: [TreeNode, TreeNode]
  keys: [string[], string[]]
}

/** The join of the two largest tables of a SELECT, where rows can only meet that are equal in columns of one type. */
export function exchangedJoin(
  select: TreeNode,
  outer: CommonTables,
  tables: ReadonlyMap<string, SplitTable>,
  { wholeRows, broadcastBytes }: SplitLimits,
): ExchangedJoin | undefined {
  const mentions = mentionsOf(select, outer)
  const [first, second, ...others] = bySize(mentions, tables)
  if (!first || !second || first.rows <= wholeRows || others.some(({ bytes }) => bytes > broadcastBytes))
    return undefined
  if (mentions.get(first.name) !== 1 || mentions.get(second.name) !== 1) return undefined
  const scope = commonTablesIn(select, outer)
  let found: ExchangedJoin | undefined
  someNode(select.from_table, (node) => {
    if (node.type !== 'JOIN' || node.ref_type !== 'REGULAR') return false
    const sides = [node.left, node.right]
    const isLarge = (side: unknown): side is TreeNode =>
      isNode(side) &&
      side.type === 'BASE_TABLE' &&
      !side.sample &&
      !commonTable(side, scope) &&
      [first.name, second.name].includes(tableName(side)) &&
      !(Array.isArray(side.column_name_alias) && side.column_name_alias.length > 0)
    if (!sides.every(isLarge)) return false
    const keys = joinKeys(node, sides as [TreeNode, TreeNode], tables)
    if (keys) found = { sides: sides as [TreeNode, TreeNode], keys }
    return true
  })
  return found
}

/** Integers of these types are equal when their hashes are. */
const INTEGERS = new Set(['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT'])

function joinKeys(
  join: TreeNode,
  sides: [TreeNode, TreeNode],
  tables: ReadonlyMap<string, SplitTable>,
): [string[], string[]] | undefined {
  const columns = sides.map((side) => tables.get(tableName(side))!.columns)
  const find = (k: number, name: string) => columns[k]!.find((column) => asciiLower(column.name) === asciiLower(name))
  const pairs: [SplitColumn | undefined, SplitColumn | undefined][] = (
    Array.isArray(join.using_columns) ? join.using_columns.map(text) : []
  ).map((name) => [find(0, name), find(1, name)])
  const aliases = sides.map((side) => tableAliases(side)[0])
  for (const condition of conjuncts(join.condition)) {
    if (condition.type !== 'COMPARE_EQUAL') continue
    const paths = [columnPath(condition.left), columnPath(condition.right)]
    if (!paths.every((path) => path?.length === 2)) continue
    const owners = paths.map((path) => aliases.indexOf(asciiLower(path![0]!)))
    if (owners[0] === owners[1] || owners.includes(-1)) continue
    const [left, right] = owners[0] === 0 ? paths : [paths[1], paths[0]]
    pairs.push([find(0, left![1]!), find(1, right![1]!)])
  }
  const same = pairs.filter(
    ([left, right]) =>
      left && right && (left.type === right.type || (INTEGERS.has(left.type) && INTEGERS.has(right.type))),
  )
  return same.length === 0 ? undefined : [same.map(([left]) => left!.name), same.map(([, right]) => right!.name)]
}
