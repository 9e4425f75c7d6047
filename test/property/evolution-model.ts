/** A table as a naive reader would keep it: columns with ids, rows as maps from ids to values. */

/** The types of the model: those that can be widened, and some that cannot. */
export type ModelType = 'INTEGER' | 'BIGINT' | 'FLOAT' | 'DOUBLE' | 'VARCHAR' | 'INTEGER[]' | `DECIMAL(${number},2)`

/** Integers and unscaled decimals as bigint. */
export type Value = bigint | number | string | readonly bigint[] | null

export interface ModelColumn {
  id: number
  name: string
  type: ModelType
}

export type ModelRow = ReadonlyMap<number, Value>

export interface Model {
  columns: ModelColumn[]
  rows: ModelRow[]
  lastId: number
}

const digitsOf = (type: ModelType) => Number(/^DECIMAL\((\d+),/.exec(type)?.[1])

/** The type that holds the values of both, reached from `own` by widening; undefined when there is none. */
export function widest(own: ModelType, other: ModelType): ModelType | undefined {
  if (own === other) return own
  const pair = [own, other].toSorted().join(' ')
  if (pair === 'BIGINT INTEGER') return 'BIGINT'
  if (pair === 'DOUBLE FLOAT') return 'DOUBLE'
  if (own === 'DOUBLE' && other === 'INTEGER') return 'DOUBLE'
  const [a, b] = [digitsOf(own), digitsOf(other)]
  return a && b ? `DECIMAL(${Math.max(a, b)},2)` : undefined
}

/** True when a column may become of that type. */
export function promotable(from: ModelType, to: ModelType): boolean {
  return from !== 'INTEGER[]' && widest(from, to) === to && !(from === 'INTEGER' && to === 'DOUBLE')
}

/** The value as SQL of exactly this type. */
export function literal(value: Value, type: ModelType): string {
  const text = (v: Value): string =>
    v === null
      ? 'NULL'
      : Array.isArray(v)
        ? `[${v.map(String).join(', ')}]`
        : type.startsWith('DECIMAL')
          ? decimal(v as bigint)
          : String(v)
  return type === 'INTEGER[]'
    ? `CAST(${text(value)} AS INTEGER[])`
    : value === null
      ? `CAST(NULL AS ${type})`
      : `CAST('${text(value)}' AS ${type})`
}

/** Unscaled hundredths as text. */
export function decimal(value: bigint): string {
  const digits = (value < 0n ? -value : value).toString().padStart(3, '0')
  return `${value < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** The value as the JSON of a query shows it; floats are asked for as doubles. */
export function shown(value: Value | undefined, type: ModelType): unknown {
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return value.map(Number)
  if (type === 'VARCHAR') return value
  if (type.startsWith('DECIMAL')) return decimal(value as bigint)
  const number = Number(value)
  return typeof value === 'bigint' && type !== 'DOUBLE' && !Number.isSafeInteger(number) ? String(value) : number
}

/** What a comparison of SQL says of a value that is not null, and a constant of the same kind. */
export function holds(value: Value | undefined, op: string, constant: Exclude<Value, null>): boolean {
  if (value === null || value === undefined) return false
  const [a, b] = [value as number, constant as number]
  switch (op) {
    case '=':
      return a === b || (a >= b && a <= b)
    case '<>':
      return a < b || a > b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    default:
      return a >= b
  }
}
