/** The columns that a Parquet schema describes, with the types that DuckDB's `read_parquet` gives them. */
import { type DataType, primitive } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import { foldName } from './names.ts'
import { CONVERTED, PHYSICAL, REPETITION, type SchemaElement } from './parquet-format.ts'
import { damagedFile } from './thrift.ts'

/** One top-level column of a file. */
interface ParquetColumn {
  name: string
  type: DataType
  /** True when the file's schema forbids nulls. */
  required: boolean
  /** For a column of primitive type: the position of its chunk in every row group, and how it is stored. */
  leaf?: { index: number; element: SchemaElement }
}

/** All columns of a file. `leaves` are the stored columns, in the order of the chunks of a row group. */
export interface ParquetSchema {
  columns: ParquetColumn[]
  leaves: SchemaElement[]
}

interface Node {
  name: string
  type: DataType
}

interface Walk {
  file: string
  elements: SchemaElement[]
  at: number
  leaves: SchemaElement[]
}

/**
 * The columns in the file's order. As DuckDB does, names that differ only in case get a suffix (`a`, `A_1`), and a column
 * without a name gets one (`C0`).
 *
 * @throws FILE_INVALID when the schema contradicts itself
 * @throws COLUMN_TYPE_UNSUPPORTED for a type that DuckDB cannot read
 */
export function readSchema(file: string, elements: SchemaElement[]): ParquetSchema {
  const count = elements[0]?.childCount
  if (count === undefined || count < 1) throw damagedFile(file, 'its schema has no columns')
  const walk: Walk = { file, elements, at: 1, leaves: [] }
  const columns: ParquetColumn[] = []
  for (let i = 0; i < count; i++) columns.push(readColumn(walk))
  if (walk.at !== elements.length) throw damagedFile(file, 'its schema has nodes without a parent')
  const named = uniqueNames(columns).map((column, index) => ({ ...column, name: column.name || `C${index}` }))
  return { columns: named, leaves: walk.leaves }
}

function readColumn(walk: Walk): ParquetColumn {
  const element = walk.elements[walk.at]
  const index = walk.leaves.length
  const node = readNode(walk, walk.elements[0]!, SETTINGS.footerDepth.default)
  const required = (element?.repetition ?? REPETITION.REQUIRED) === REPETITION.REQUIRED
  const flat = element !== undefined && !element.childCount && element.repetition !== REPETITION.REPEATED
  return { ...node, required, ...(flat ? { leaf: { index, element } } : {}) }
}

function readNode(walk: Walk, parent: SchemaElement, levels: number): Node {
  const element = walk.elements[walk.at++]
  if (!element || levels === 0) throw damagedFile(walk.file, 'its schema is incomplete or nested too deeply')
  if (element.name === undefined) throw damagedFile(walk.file, 'its schema has a column without a name')
  if (element.childCount) return readGroup(walk, element, parent, levels)
  walk.leaves.push(element)
  const type = leafType(walk.file, element)
  return { name: element.name, type: repeated(element) ? { kind: 'list', element: type } : type }
}

function repeated(element: SchemaElement): boolean {
  return element.repetition === REPETITION.REPEATED
}

function readGroup(walk: Walk, element: SchemaElement, parent: SchemaElement, levels: number): Node {
  const children: Node[] = []
  const leavesBefore = walk.leaves.length
  for (let i = 0; i < element.childCount!; i++) children.push(readNode(walk, element, levels - 1))
  if (walk.leaves.length === leavesBefore) throw damagedFile(walk.file, 'its schema has an empty group')
  const name = element.name!
  if (element.logical?.variant) return { name, type: { kind: 'other', text: 'VARIANT' } }
  const isPair =
    element.converted === CONVERTED.MAP_KEY_VALUE || (parent.converted === CONVERTED.MAP && parent.childCount === 1)
  if (isPair) return { name, type: mapType(walk.file, element, children) }
  const type = groupType(element, children)
  return { name, type: repeated(element) ? { kind: 'list', element: type } : type }
}

function mapType(file: string, element: SchemaElement, children: Node[]): DataType {
  if (children.length !== 2 || !repeated(element))
    throw damagedFile(file, `its map "${element.name}" has no keys or values`)
  return { kind: 'map', key: children[0]!.type, value: children[1]!.type }
}

/** A single child of a list, a map or a repeated group stands for the group itself; this covers lists of two and of three levels. */
function groupType(element: SchemaElement, children: Node[]): DataType {
  const wrapper = element.converted === CONVERTED.LIST || element.converted === CONVERTED.MAP || repeated(element)
  if (children.length === 1 && wrapper) return children[0]!.type
  return { kind: 'struct', fields: uniqueNames(children).map(({ name, type }) => ({ name, type })) }
}

function uniqueNames<N extends { name: string }>(nodes: N[]): N[] {
  const collisions = new Map<string, number>()
  return nodes.map((node) => {
    let { name } = node
    for (let key = foldName(name); collisions.has(key); key = foldName(name)) {
      const count = collisions.get(key)! + 1
      collisions.set(key, count)
      name = `${name}_${count}`
    }
    collisions.set(foldName(name), 0)
    return { ...node, name }
  })
}

const { BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY } = PHYSICAL

const PHYSICAL_TYPES: Record<number, DataType> = {
  [BOOLEAN]: primitive('BOOLEAN'),
  [INT32]: primitive('INTEGER'),
  [INT64]: primitive('BIGINT'),
  [INT96]: primitive('TIMESTAMP'),
  [FLOAT]: primitive('FLOAT'),
  [DOUBLE]: primitive('DOUBLE'),
  [BYTE_ARRAY]: primitive('BLOB'),
  [FIXED_LEN_BYTE_ARRAY]: primitive('BLOB'),
}

/** By converted type: what it becomes, and which physical types may carry it. */
const CONVERTED_TYPES: Record<number, { type: DataType; on: readonly number[] }> = {
  [CONVERTED.UTF8]: { type: primitive('VARCHAR'), on: [BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY] },
  [CONVERTED.ENUM]: { type: primitive('VARCHAR'), on: [BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY] },
  [CONVERTED.JSON]: { type: primitive('JSON'), on: [BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY] },
  [CONVERTED.DATE]: { type: primitive('DATE'), on: [INT32] },
  [CONVERTED.TIME_MILLIS]: { type: primitive('TIME'), on: [INT32] },
  [CONVERTED.TIME_MICROS]: { type: primitive('TIME'), on: [INT64] },
  [CONVERTED.TIMESTAMP_MILLIS]: { type: primitive('TIMESTAMP'), on: [INT64] },
  [CONVERTED.TIMESTAMP_MICROS]: { type: primitive('TIMESTAMP'), on: [INT64] },
  [CONVERTED.UINT_8]: { type: primitive('UTINYINT'), on: [INT32] },
  [CONVERTED.UINT_16]: { type: primitive('USMALLINT'), on: [INT32] },
  [CONVERTED.UINT_32]: { type: primitive('UINTEGER'), on: [INT32] },
  [CONVERTED.UINT_64]: { type: primitive('UBIGINT'), on: [INT64] },
  [CONVERTED.INT_8]: { type: primitive('TINYINT'), on: [INT32] },
  [CONVERTED.INT_16]: { type: primitive('SMALLINT'), on: [INT32] },
  [CONVERTED.INT_32]: { type: primitive('INTEGER'), on: [INT32] },
  [CONVERTED.INT_64]: { type: primitive('BIGINT'), on: [INT64] },
  [CONVERTED.INTERVAL]: { type: primitive('INTERVAL'), on: [FIXED_LEN_BYTE_ARRAY] },
}

function leafType(file: string, element: SchemaElement): DataType {
  const { type: physical, converted } = element
  const plain = physical === undefined ? undefined : PHYSICAL_TYPES[physical]
  if (physical === undefined || !plain) throw damagedFile(file, `its column "${element.name}" has no known type`)
  if (physical === FIXED_LEN_BYTE_ARRAY && !(element.typeLength !== undefined && element.typeLength >= 0)) {
    throw damagedFile(file, `its column "${element.name}" has no length`)
  }
  const logical = logicalType(element, physical)
  if (logical) return logical
  if (converted === undefined) return plain
  if (converted === CONVERTED.NULL) return primitive('NULL')
  if (converted === CONVERTED.DECIMAL) return decimalType(file, element, physical)
  const entry = CONVERTED_TYPES[converted]
  if (!entry?.on.includes(physical)) throw unsupported(file, element, `converted type ${converted}`)
  return entry.type
}

/** The type of a logical annotation that DuckDB heeds; the others come with a converted type. */
function logicalType({ logical, typeLength }: SchemaElement, physical: number): DataType | undefined {
  if (!logical) return undefined
  if (logical.unknown) return primitive('NULL')
  if (logical.uuid && physical === FIXED_LEN_BYTE_ARRAY) return primitive('UUID')
  if (logical.float16 && physical === FIXED_LEN_BYTE_ARRAY && typeLength === 2) return primitive('FLOAT')
  if (logical.timestamp) {
    if (logical.timestamp.adjustedToUtc) return primitive('TIMESTAMP WITH TIME ZONE')
    return primitive(logical.timestamp.unit?.nanos ? 'TIMESTAMP_NS' : 'TIMESTAMP')
  }
  if (logical.time) return primitive(logical.time.adjustedToUtc ? 'TIME WITH TIME ZONE' : 'TIME')
  if ((logical.geometry || logical.geography) && physical === BYTE_ARRAY) return { kind: 'other', text: 'GEOMETRY' }
  return undefined
}

const DECIMAL_DIGITS_MAX = 38

function decimalType(file: string, { precision, scale, name }: SchemaElement, physical: number): DataType {
  const carrier = [INT32, INT64, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY].some((type) => type === physical)
  if (!carrier || precision === undefined || scale === undefined || precision < 1 || scale < 0 || scale > precision) {
    throw damagedFile(file, `its decimal column "${name}" has no valid precision and scale`)
  }
  return precision > DECIMAL_DIGITS_MAX ? primitive('DOUBLE') : { kind: 'decimal', precision, scale }
}

function unsupported(file: string, element: SchemaElement, type: string): SkepError<'COLUMN_TYPE_UNSUPPORTED'> {
  const column = element.name ?? ''
  return new SkepError(
    'COLUMN_TYPE_UNSUPPORTED',
    `${file}: column "${column}" has Parquet's ${type}, which cannot be read`,
    {
      column,
      type,
    },
  )
}
