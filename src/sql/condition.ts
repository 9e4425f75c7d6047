/** The part of a WHERE clause that can tell whole files to be irrelevant. */
import { asciiLower } from '../common/text.ts'
import { STABLE_FUNCTIONS } from './functions.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** A column as the SQL names it: with the alias of its table, or without. */
export interface ColumnName {
  qualifier?: string
  column: string
}

/** Comparison of a column with a constant. */
export type CompareOp = '=' | '<' | '<=' | '>' | '>='

/**
 * What is known to hold for every row that survives a WHERE clause. `V` is what stands for a constant: an expression of
 * the tree first, its value once the engine has computed it. `unknown` holds for any row.
 */
export type Condition<C, V> =
  | { kind: 'and' | 'or'; children: Condition<C, V>[] }
  | { kind: 'compare'; column: C; op: CompareOp; value: V }
  | { kind: 'in'; column: C; values: V[] }
  | { kind: 'prefix'; column: C; value: V }
  | { kind: 'null'; column: C; negated: boolean }
  | { kind: 'unknown' }

/** A condition as it is read from the tree. */
export type TreeCondition = Condition<ColumnName, TreeNode>

const UNKNOWN: TreeCondition = { kind: 'unknown' }

const OPS: Record<string, CompareOp> = {
  COMPARE_EQUAL: '=',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
}

const FLIPPED: Record<CompareOp, CompareOp> = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' }

/** The condition that an expression of a WHERE clause stands for; `unknown` where it says nothing about one column. */
export function readCondition(expression: unknown): TreeCondition {
  if (!isNode(expression)) return UNKNOWN
  const type = text(expression.type)
  if (type === 'CONJUNCTION_AND' || type === 'CONJUNCTION_OR') {
    const children = nodes(expression.children).map(readCondition)
    return { kind: type === 'CONJUNCTION_AND' ? 'and' : 'or', children }
  }
  if (OPS[type]) return comparison(expression, OPS[type])
  if (type === 'COMPARE_BETWEEN') return between(expression)
  if (type === 'COMPARE_IN') return membership(nodes(expression.children))
  if (type === 'OPERATOR_IS_NULL' || type === 'OPERATOR_IS_NOT_NULL') {
    const column = columnName(nodes(expression.children)[0])
    return column ? { kind: 'null', column, negated: type === 'OPERATOR_IS_NOT_NULL' } : UNKNOWN
  }
  return type === 'FUNCTION' ? prefix(expression) : UNKNOWN
}

function comparison({ left, right }: TreeNode, op: CompareOp): TreeCondition {
  const leftColumn = columnName(left)
  if (leftColumn && isConstant(right)) return { kind: 'compare', column: leftColumn, op, value: right }
  const rightColumn = columnName(right)
  return rightColumn && isConstant(left)
    ? { kind: 'compare', column: rightColumn, op: FLIPPED[op], value: left }
    : UNKNOWN
}

function between({ input, lower, upper }: TreeNode): TreeCondition {
  const column = columnName(input)
  if (!column) return UNKNOWN
  const children: TreeCondition[] = []
  if (isConstant(lower)) children.push({ kind: 'compare', column, op: '>=', value: lower })
  if (isConstant(upper)) children.push({ kind: 'compare', column, op: '<=', value: upper })
  return { kind: 'and', children }
}

function membership([subject, ...values]: TreeNode[]): TreeCondition {
  const column = columnName(subject)
  return column && values.length > 0 && values.every(isConstant) ? { kind: 'in', column, values } : UNKNOWN
}

/** `col LIKE 'abc%'` and `starts_with(col, 'abc')`; of a pattern only the part before its first wildcard counts. */
function prefix(expression: TreeNode): TreeCondition {
  const [subject, pattern] = nodes(expression.children)
  const column = columnName(subject)
  const literal =
    pattern && isNode(pattern.value) && pattern.type === 'VALUE_CONSTANT' ? pattern.value.value : undefined
  if (!column || !pattern || typeof literal !== 'string') return UNKNOWN
  switch (text(expression.function_name)) {
    case 'starts_with':
    case 'prefix':
    case '^@':
      return { kind: 'prefix', column, value: pattern }
    case '~~':
      return { kind: 'prefix', column, value: withText(pattern, literal.split(/[%_]/, 1)[0]!) }
    default:
      return UNKNOWN
  }
}

function withText(constant: TreeNode, value: string): TreeNode {
  return { ...constant, value: { ...(constant.value as TreeNode), value } }
}

function columnName(expression: unknown): ColumnName | undefined {
  if (!isNode(expression) || expression.type !== 'COLUMN_REF' || !Array.isArray(expression.column_names))
    return undefined
  const names = expression.column_names as string[]
  if (names.length === 1) return { column: names[0]! }
  return names.length === 2 ? { qualifier: names[0]!, column: names[1]! } : undefined
}

/** True for an expression without columns whose value is the same throughout a transaction. */
function isConstant(expression: unknown): expression is TreeNode {
  if (!isNode(expression)) return false
  switch (expression.class) {
    case 'CONSTANT':
    case 'PARAMETER':
      return true
    case 'CAST':
      return isConstant(expression.child)
    case 'FUNCTION':
      return (
        STABLE_FUNCTIONS.has(asciiLower(text(expression.function_name))) && nodes(expression.children).every(isConstant)
      )
    default:
      return false
  }
}

/**
 * The part of a condition that no row of nulls meets: what still holds on the side of an outer join that is filled up
 * with nulls. Where it rules rows out, the nulls that stand in for them are ruled out too.
 */
export function nullRejecting(condition: TreeCondition): TreeCondition {
  return mapLeaves(condition, (leaf) => (leaf.kind === 'null' && !leaf.negated ? UNKNOWN : leaf))
}

/** The condition without what it says about columns that both sides of a join share (USING, NATURAL) and that it names without a table. */
export function withoutShared(condition: TreeCondition, shared: readonly string[] | 'all'): TreeCondition {
  if (shared.length === 0) return condition
  const names = shared === 'all' ? undefined : new Set(shared.map((name) => asciiLower(name)))
  const isShared = ({ qualifier, column }: ColumnName) =>
    qualifier === undefined && (names === undefined || names.has(asciiLower(column)))
  return mapLeaves(condition, (leaf) => (leaf.kind !== 'unknown' && isShared(leaf.column) ? UNKNOWN : leaf))
}

type Leaf = Exclude<TreeCondition, { children: TreeCondition[] }>

function mapLeaves(condition: TreeCondition, leaf: (leaf: Leaf) => TreeCondition): TreeCondition {
  if (!('children' in condition)) return leaf(condition)
  return { kind: condition.kind, children: condition.children.map((child) => mapLeaves(child, leaf)) }
}
