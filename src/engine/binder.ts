/** What planning needs of the engine: parse trees, and the values of constant expressions. */

import type { Scalar } from '../catalog/types.ts'
import { type DataType, isFloat, isInteger, printType } from '../common/data-type.ts'
import { isSkepError } from '../errors.ts'
import type { WantedConstant } from '../planner/prune.ts'
import { isNode, nodes, readTree, type SerializedSql, selectOf, type TreeNode, text } from '../sql/tree.ts'
import type { RunOptions, Session } from './engine.ts'
import type { BoundValue, BoundValues } from './parameters.ts'

/** The parse tree of a text, or DuckDB's refusal. */
export async function parseSql(session: Session, text: string, options: RunOptions): Promise<SerializedSql> {
  const [row] = await session.ask<{ tree: string }>('SELECT json_serialize_sql($1::VARCHAR) AS tree', text, options)
  return readTree(row!.tree)
}

/**
 * The value of each expression in the type of its column, or undefined where it has none that compares exactly as the
 * expression itself does (or is null, or cannot be computed): the planner then draws no conclusion from it.
 */
export async function evaluateConstants(
  session: Session,
  wanted: readonly WantedConstant[],
  params: BoundValues | undefined,
  options: RunOptions,
): Promise<(Scalar | undefined)[]> {
  const bound = parametersOf(
    wanted.map((w) => w.expression),
    params,
  )
  // A parameter without a value is an error of the query itself.
  if (wanted.length === 0 || bound === undefined) return wanted.map(() => undefined)
  const literals = wanted.map(literalValue)
  if (literals.every((value) => value !== undefined)) return literals
  try {
    const [select] = await session.rows<{ sql: string }>('SELECT json_deserialize_sql($1::JSON) AS sql', {
      ...options,
      userSql: true,
      params: [selectOf(wanted.map((w) => tried(w.expression)))],
    })
    const names = wanted.map((_, k) => `c${k}`)
    const outputs = wanted.flatMap(({ type }, k) => probes(`c${k}`, type))
    const result = await session.run(`SELECT ${outputs.join(', ')} FROM (${select!.sql}) AS t(${names.join(', ')})`, {
      ...options,
      userSql: true,
      params: bound,
    })
    const [row = []] = await result.getRows()
    return wanted.map(({ type }, k) => exactValue(type, row[3 * k], row[3 * k + 1], row[3 * k + 2]))
  } catch (error) {
    // An expression that cannot be computed fails again, with its own message, in the query itself.
    if (isSkepError(error, 'SQL_INVALID')) return wanted.map(() => undefined)
    throw error
  }
}

const SIGNED_BITS: Record<string, number | undefined> = { TINYINT: 8, SMALLINT: 16, INTEGER: 32, BIGINT: 64 }

/** What needs no engine: whole numbers for columns of integers, texts for columns of text. */
function literalValue({ expression, type }: WantedConstant): Scalar | undefined {
  if (expression.class !== 'CONSTANT' || !isNode(expression.value) || expression.value.is_null !== false)
    return undefined
  const { type: literal, value } = expression.value
  const own = isNode(literal) ? text(literal.id) : ''
  if (own === 'VARCHAR') return printType(type) === 'VARCHAR' && typeof value === 'string' ? value : undefined
  const bits = SIGNED_BITS[printType(type)]
  if (SIGNED_BITS[own] === undefined || bits === undefined || typeof value !== 'number') return undefined
  const whole = Number.isSafeInteger(value) ? BigInt(value) : undefined
  return whole !== undefined && BigInt.asIntN(bits, whole) === whole ? whole : undefined
}

/** The expression, or null where it fails: an error would end the transaction of the query. */
function tried(expression: TreeNode): TreeNode {
  return { class: 'OPERATOR', type: 'OPERATOR_TRY', alias: '', children: [printable(expression)] }
}

/** The expression as it survives being printed: parameters by name, for of numbered ones none may be missing; floats, which would become decimals, from their text. */
export function printable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(printable)
  if (!isNode(value) || 'rawJSON' in value) return value
  if (value.class === 'PARAMETER') return { ...value, identifier: parameterName(text(value.identifier)) }
  if (isDouble(value)) return doubleOf(value.value.value)
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, printable(child)]))
}

function isDouble(node: TreeNode): node is TreeNode & { value: TreeNode } {
  return node.class === 'CONSTANT' && isNode(node.value) && isNode(node.value.type) && node.value.type.id === 'DOUBLE'
}

function doubleOf(value: unknown): TreeNode {
  const digits = isNode(value) && 'rawJSON' in value ? value.rawJSON : String(value)
  const type = { id: 'VARCHAR', type_info: null }
  const child = { class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '', value: { type, is_null: false, value: digits } }
  const target = { id: 'DOUBLE', type_info: null }
  return { class: 'CAST', type: 'OPERATOR_CAST', alias: '', child, cast_type: target, try_cast: false }
}

function parameterName(identifier: string): string {
  return `p_${identifier}`
}

/** The values of the parameters in these expressions, by the names that {@link printable} gives them; undefined where one has none. */
export function parametersOf(
  expressions: readonly TreeNode[],
  params: BoundValues | undefined,
): BoundValues | undefined {
  const given = new Map(
    Array.isArray(params)
      ? params.map((value, k) => [String(k + 1), value] as const)
      : Object.entries((params as Record<string, BoundValue> | undefined) ?? {}),
  )
  const used = new Set(expressions.flatMap(parameterNames))
  if ([...used].some((name) => !given.has(name))) return undefined
  return Object.fromEntries([...used].map((name) => [parameterName(name), given.get(name)!]))
}

function parameterNames(node: TreeNode): string[] {
  if (node.class === 'PARAMETER') return [text(node.identifier)]
  return Object.values(node)
    .flatMap((child) => (Array.isArray(child) ? nodes(child) : isNode(child) ? [child] : []))
    .flatMap(parameterNames)
}

/** Three outputs for a constant: its own type, its value in the column's type as text, and whether the two are equal. */
function probes(name: string, type: DataType): string[] {
  const cast = `TRY_CAST(${name} AS ${printType(type)})`
  return [`typeof(${name})`, `TRY(${textOf(cast, type)})`, `TRY(${cast} = ${name})`]
}

function textOf(value: string, type: DataType): string {
  if (type.kind !== 'primitive') return `CAST(${value} AS VARCHAR)`
  switch (type.name) {
    case 'DATE':
      return `CAST(date_diff('day', DATE '1970-01-01', ${value}) AS VARCHAR)`
    case 'TIMESTAMP':
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
    case 'TIMESTAMP WITH TIME ZONE':
      return `CAST(epoch_us(${value}) AS VARCHAR)`
    case 'BLOB':
      return `hex(${value})`
    default:
      return `CAST(${value} AS VARCHAR)`
  }
}

/** Floats compare with integers as floats: from here on several integers are equal to one float. */
const EXACT_INTEGERS: Record<string, number | undefined> = { DOUBLE: 2 ** 52, FLOAT: 2 ** 23 }

function exactValue(type: DataType, typeName: unknown, value: unknown, equal: unknown): Scalar | undefined {
  if (equal !== true || typeof value !== 'string' || typeof typeName !== 'string') return undefined
  const exactTo = EXACT_INTEGERS[typeName]
  if (type.kind === 'decimal') return exactTo === undefined ? BigInt(value.replace('.', '')) : undefined
  if (isInteger(type))
    return Math.abs(Number(value)) >= (exactTo ?? Number.POSITIVE_INFINITY) ? undefined : BigInt(value)
  if (isFloat(type)) return printType(type) === 'FLOAT' ? Math.fround(Number(value)) : Number(value)
  return type.kind === 'primitive' ? primitiveValue(type.name, typeName, value) : undefined
}

function primitiveValue(name: string, typeName: string, value: string): Scalar | undefined {
  switch (name) {
    case 'BOOLEAN':
      return typeName === 'BOOLEAN' ? value === 'true' : undefined
    case 'VARCHAR':
      return typeName === 'VARCHAR' ? value : undefined
    case 'BLOB':
      return typeName === 'BLOB' ? Buffer.from(value, 'hex') : undefined
    case 'UUID':
      return Buffer.from(value.replaceAll('-', ''), 'hex')
    case 'DATE':
    case 'TIMESTAMP':
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
    case 'TIMESTAMP WITH TIME ZONE':
      return BigInt(value)
    default:
      return undefined
  }
}
