/**
 * How values of DuckDB travel. Neither Parquet nor JSON has all of its types: what would come back as another type or value is carried
 * as text (or in parts), and made what it was on the other side.
 */
import { quoteIdentifier, quoteString } from '../common/data-type.ts'
import { SkepError } from '../errors.ts'
import type { RowsColumn } from './exchange.ts'
import { parseTypeTree, printTypeTree, type TypeTree } from './type-tree.ts'

/** What carries values: a Parquet file, or JSON. */
export type Medium = 'parquet' | 'json'

/** How the values of one type travel. */
export interface StoredType {
  /** The type that is carried. */
  type: string
  /** True when it is the type itself. */
  same: boolean
  /** An expression that gives what is carried for a value that the expression `value` gives. */
  pack(value: string): string
  /** The expression back. */
  unpack(stored: string): string
}

/** Types that come back as they went in from a Parquet file, and whose values JSON holds too, see `inline-values.ts`. */
const PLAIN_TYPES = [
  'BOOLEAN',
  'TINYINT',
  'SMALLINT',
  'INTEGER',
  'BIGINT',
  'UTINYINT',
  'USMALLINT',
  'UINTEGER',
  'UBIGINT',
  'FLOAT',
  'DOUBLE',
  'DATE',
  'TIMESTAMP',
  'TIMESTAMP WITH TIME ZONE',
  'VARCHAR',
]

/** Types that come back from a Parquet file as they went in. */
const PARQUET_TYPES = new Set([...PLAIN_TYPES, 'DECIMAL', 'TIME', 'TIMESTAMP_NS', 'BLOB', 'UUID', 'JSON'])

/** Types whose values JSON holds, see `inline-values.ts`. */
const JSON_TYPES = new Set(PLAIN_TYPES)

/** Types whose text names one value alone. */
const TEXT_TYPES = new Set([
  ...PARQUET_TYPES,
  'HUGEINT',
  'UHUGEINT',
  'BIGNUM',
  'INTERVAL',
  'TIME WITH TIME ZONE',
  'TIME_NS',
  'TIMESTAMP_S',
  'TIMESTAMP_MS',
  'BIT',
  'ENUM',
  '"NULL"',
])

/** True when values of this type, as DuckDB names it, can travel exactly. */
export function canTravel(type: string): boolean {
  const tree = parseTypeTree(type)
  return tree !== undefined && isExact(tree)
}

/** How values of a column travel. @throws COLUMN_TYPE_UNSUPPORTED for a type that cannot travel exactly */
export function storedType({ name, type }: RowsColumn, medium: Medium): StoredType {
  const tree = parseTypeTree(type)
  if (tree && canTravel(type)) return storedTree(tree, medium)
  const message = `column "${name}" is of type ${type.slice(0, 200)}, whose values cannot be passed between tasks; cast it`
  throw new SkepError('COLUMN_TYPE_UNSUPPORTED', message, { column: name, type: type.slice(0, 200) })
}

function isExact(tree: TypeTree): boolean {
  if (tree.kind === 'leaf') return TEXT_TYPES.has(tree.name) || tree.name === 'GEOMETRY'
  // What has no text as a type cannot be made an array or a member again.
  const isPrintable = tree.kind !== 'array' && tree.kind !== 'union' ? true : printTypeTree(tree) !== undefined
  return isPrintable && partsOf(tree).every(isExact)
}

function partsOf(tree: Exclude<TypeTree, { kind: 'leaf' }>): TypeTree[] {
  switch (tree.kind) {
    case 'list':
    case 'array':
      return [tree.element]
    case 'map':
      return [tree.key, tree.value]
    case 'struct':
      return tree.fields.map(({ type }) => type)
    case 'union':
      return tree.members.map(({ type }) => type)
  }
}

function storedTree(tree: TypeTree, medium: Medium, depth = 0): StoredType {
  const whole = printTypeTree(tree)
  const cast = whole === undefined ? undefined : castType(tree, medium)
  if (cast === undefined) return storedParts(tree, medium, depth)
  if (cast === whole) return { type: cast, same: true, pack: (value) => value, unpack: (stored) => stored }
  return { type: cast, same: false, pack: (v) => `CAST(${v} AS ${cast})`, unpack: (v) => `CAST(${v} AS ${whole})` }
}

/** The type that is carried, when plain casts lead there and back; undefined when they do not. */
function castType(tree: TypeTree, medium: Medium): string | undefined {
  if (tree.kind === 'leaf') return castLeaf(tree, medium)
  const parts = tree.kind === 'union' ? [undefined] : partsOf(tree).map((part) => castType(part, medium))
  if (parts.includes(undefined)) return undefined
  switch (tree.kind) {
    case 'list':
    case 'array':
      return `${parts[0]}[]`
    case 'map':
      return `MAP(${parts.join(', ')})`
    case 'struct': {
      // An object of JavaScript has no entry of that name.
      if (tree.fields.some(({ name }) => name === undefined || name === '__proto__')) return undefined
      return `STRUCT(${tree.fields.map(({ name }, k) => `${quoteIdentifier(name!)} ${parts[k]}`).join(', ')})`
    }
  }
}

function castLeaf({ name, text }: TypeTree & { kind: 'leaf' }, medium: Medium): string | undefined {
  if (name === 'GEOMETRY') return undefined
  return (medium === 'parquet' ? PARQUET_TYPES : JSON_TYPES).has(name) ? text : 'VARCHAR'
}

/** Values are taken apart, and put together again. `depth` tells variables apart that stand in each other. */
function storedParts(tree: TypeTree, medium: Medium, depth: number): StoredType {
  switch (tree.kind) {
    case 'leaf':
      return storedGeometry(tree.text, medium)
    case 'list':
    case 'array':
      return storedList(tree, medium, depth)
    case 'map':
      return storedMap(tree, medium, depth)
    case 'struct':
      return storedStruct(tree, medium, depth)
    case 'union':
      return storedUnion(tree, medium, depth)
  }
}

function storedGeometry(text: string, medium: Medium): StoredType {
  const type = medium === 'parquet' ? 'BLOB' : 'VARCHAR'
  return {
    type,
    same: false,
    pack: (value) => `CAST(st_aswkb(${value}) AS ${type})`,
    unpack: (stored) => `CAST(st_geomfromwkb(CAST(${stored} AS BLOB)) AS ${text})`,
  }
}

function storedList(tree: TypeTree & { kind: 'list' | 'array' }, medium: Medium, depth: number): StoredType {
  const element = storedTree(tree.element, medium, depth + 1)
  const item = `e${depth}`
  return {
    type: `${element.type}[]`,
    same: false,
    pack: (value) => `list_transform(${value}, lambda ${item}: ${element.pack(item)})`,
    unpack: (stored) => {
      const list = `list_transform(${stored}, lambda ${item}: ${element.unpack(item)})`
      return tree.kind === 'list' ? list : `CAST(${list} AS ${printTypeTree(tree)})`
    },
  }
}

function storedMap(tree: TypeTree & { kind: 'map' }, medium: Medium, depth: number): StoredType {
  const key = storedTree(tree.key, medium, depth + 1)
  const value = storedTree(tree.value, medium, depth + 1)
  const entry = `e${depth}`
  const each = (map: string, k: string, v: string) =>
    `map_from_entries(list_transform(map_entries(${map}), lambda ${entry}: struct_pack(k := ${k}, v := ${v})))`
  return {
    type: `MAP(${key.type}, ${value.type})`,
    same: false,
    pack: (map) => each(map, key.pack(`${entry}.key`), value.pack(`${entry}.value`)),
    unpack: (map) => each(map, key.unpack(`${entry}.key`), value.unpack(`${entry}.value`)),
  }
}

function storedStruct({ fields }: TypeTree & { kind: 'struct' }, medium: Medium, depth: number): StoredType {
  const parts = fields.map(({ type }) => storedTree(type, medium, depth + 1))
  const isNamed = fields.every(({ name }) => name !== undefined)
  const item = `e${depth}`
  const packed = parts.map(({ pack }, k) => `f${k} := ${pack(fieldAt(item, k))}`).join(', ')
  const values = parts.map(({ unpack }, k) => unpack(fieldAt(item, k)))
  const named = values.map((value, k) => `${quoteIdentifier(fields[k]!.name ?? '')} := ${value}`)
  const whole = isNamed ? `struct_pack(${named.join(', ')})` : `row(${values.join(', ')})`
  return {
    type: `STRUCT(${parts.map(({ type }, k) => `f${k} ${type}`).join(', ')})`,
    same: false,
    pack: (value) => unlessNull(value, item, `struct_pack(${packed})`),
    unpack: (stored) => unlessNull(stored, item, whole),
  }
}

/** The number of the member, from 1, and the value in its own place among the members. */
function storedUnion(tree: TypeTree & { kind: 'union' }, medium: Medium, depth: number): StoredType {
  const parts = tree.members.map(({ name, type }) => ({ name, stored: storedTree(type, medium, depth + 1) }))
  const item = `e${depth}`
  const packed = parts.map(
    ({ name, stored: { pack } }, k) => `m${k} := ${pack(`union_extract(${item}, ${quoteString(name)})`)}`,
  )
  const members = parts.map(({ name, stored: { unpack } }, k) => {
    const member = `union_value(${quoteIdentifier(name)} := ${unpack(fieldAt(item, k + 1))})`
    return `CAST(${member} AS ${printTypeTree(tree)})`
  })
  return {
    type: `STRUCT(tag UTINYINT, ${parts.map(({ stored }, k) => `m${k} ${stored.type}`).join(', ')})`,
    same: false,
    pack: (value) =>
      unlessNull(value, item, `struct_pack(tag := enum_code(union_tag(${item})) + 1, ${packed.join(', ')})`),
    unpack: (stored) => unlessNull(stored, item, `list_extract([${members.join(', ')}], ${fieldAt(item, 0)})`),
  }
}

/** The field of a struct at a place, from 0. */
function fieldAt(struct: string, place: number): string {
  return `struct_extract_at(${struct}, ${place + 1})`
}

/** What `then` gives for a value, which it knows as `item`; null for null. By a list, because CASE gives no arrays. */
function unlessNull(value: string, item: string, then: string): string {
  return `list_extract(list_transform(list_filter([${value}], lambda ${item}: ${item} IS NOT NULL), lambda ${item}: ${then}), 1)`
}
