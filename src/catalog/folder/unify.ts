/** One schema for files that disagree, as long as every value of theirs keeps its meaning and its precision. */
import { type DataType, isFloat, isInteger, type PrimitiveName, primitive, printType } from '../../common/data-type.ts'

/**
 * The type that holds every value of all these types, or undefined when none does without loss.
 *
 * Integers widen to the narrowest integer that holds both; FLOAT and integers of up to 32 bits join a DOUBLE; a column that
 * a writer calls NULL (it never had a value) joins any. Everything else must be equal. NULL alone is INTEGER, as in DuckDB.
 */
export function unifyTypes(types: DataType[]): DataType | undefined {
  const known = types.filter((type) => !isName(type, 'NULL'))
  const first = known[0]
  if (!first) return types.length > 0 ? primitive('INTEGER') : undefined
  const text = printType(first)
  if (known.every((type) => printType(type) === text)) return first
  if (known.every(isInteger)) return widestInteger(known)
  const hasDouble = known.some((type) => isName(type, 'DOUBLE'))
  return hasDouble && known.every(fitsDouble) ? primitive('DOUBLE') : undefined
}

function isName(type: DataType, name: PrimitiveName): boolean {
  return type.kind === 'primitive' && type.name === name
}

const INTEGER_BITS = { TINYINT: 8, SMALLINT: 16, INTEGER: 32, BIGINT: 64, HUGEINT: 128 } as const

type SignedName = keyof typeof INTEGER_BITS

function integerShape(type: DataType): { unsigned: boolean; bits: number } {
  const name = type.kind === 'primitive' ? type.name : ''
  const unsigned = name.startsWith('U')
  return { unsigned, bits: INTEGER_BITS[(unsigned ? name.slice(1) : name) as SignedName] }
}

function widestInteger(types: DataType[]): DataType | undefined {
  const shapes = types.map(integerShape)
  const unsigned = shapes.every((shape) => shape.unsigned)
  const bits = Math.max(...shapes.map((shape) => (shape.unsigned && !unsigned ? shape.bits * 2 : shape.bits)))
  const name = (Object.keys(INTEGER_BITS) as SignedName[]).find((key) => INTEGER_BITS[key] === bits)
  return name && primitive(unsigned ? (`U${name}` as PrimitiveName) : name)
}

const DOUBLE_INTEGER_BITS = 32

function fitsDouble(type: DataType): boolean {
  return isFloat(type) || (isInteger(type) && integerShape(type).bits <= DOUBLE_INTEGER_BITS)
}
