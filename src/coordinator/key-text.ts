/** The texts that stand for values in maps, as SQL: what cuts a tie where a map is cut short. */
import { valueText } from '../behaviour/value-text.ts'
import { type DataType, isFloat } from '../common/data-type.ts'

/** SQL of what orders values as their texts in maps do; dates outside of the years 0 to 9999 apart. */
export function keyOrderSql(value: string, type: DataType): string {
  const inOrder = type.kind === 'primitive' && /^(DATE|TIME|TIME_NS|TIMESTAMP(_S|_MS|_NS)?)$/.test(type.name)
  return inOrder ? value : keyTextSql(value, type)
}

/** SQL of the text of a value, as {@link valueText} gives it; of dates outside of the years 1 to 9999 something else. */
export function keyTextSql(value: string, type: DataType): string {
  if (isFloat(type)) return floatTextSql(value)
  if (type.kind === 'decimal') return decimalTextSql(value, type)
  switch (type.kind === 'primitive' ? type.name : '') {
    case 'BOOLEAN':
      return `CASE WHEN ${value} THEN '${valueText(true, type)}' ELSE '${valueText(false, type)}' END`
    case 'BLOB':
      return `base64(${value})`
    case 'VARCHAR':
      return value
    case 'TIMESTAMP':
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
    case 'TIMESTAMP_NS':
      return `replace(CAST(${value} AS VARCHAR), ' ', 'T')`
    case 'TIMESTAMP WITH TIME ZONE':
      return `replace(replace(CAST(${value} AS VARCHAR), ' ', 'T'), '+00', 'Z')`
    default:
      return `CAST(${value} AS VARCHAR)`
  }
}

/** The engine leaves out the zero before the point where a type has no room for one. */
function decimalTextSql(value: string, { precision, scale }: { precision: number; scale: number }): string {
  const text = `CAST(${value} AS VARCHAR)`
  return precision === scale ? `regexp_replace(${text}, '^(-?)\\.', '\\10.')` : text
}

/** The engine's digits are the shortest too, but it writes other sizes with an exponent. */
function floatTextSql(value: string): string {
  const text = `CAST(${value} AS VARCHAR)`
  const sign = `CASE WHEN ${value} < 0 THEN '-' ELSE '' END`
  const digits = `replace(replace(split_part(${text}, 'e', 1), '.', ''), '-', '')`
  const exponent = `TRY_CAST(split_part(${text}, 'e', 2) AS INTEGER)`
  return `CASE
    WHEN ${value} = trunc(${value}) AND abs(${value}) < 1e16 THEN CAST(CAST(${value} AS BIGINT) AS VARCHAR) || '.0'
    WHEN ${exponent} IS NULL THEN ${text}
    WHEN ${exponent} BETWEEN 16 AND 20 THEN ${sign} || rpad(${digits}, ${exponent} + 1, '0')
    WHEN ${exponent} BETWEEN -6 AND -5 THEN ${sign} || '0.' || repeat('0', -1 - ${exponent}) || ${digits}
    ELSE regexp_replace(${text}, 'e-0', 'e-') END`
}
