/** Iceberg tables as other engines write them, made by hand: metadata as JSON, manifests by Avro schemas of their own, files by DuckDB. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { DiskReader } from '../../src/catalog/file-reader.ts'
import { parseFooter, readFooterBytes } from '../../src/catalog/folder/footer.ts'
import { type AvroSchema, writeAvro } from '../../src/catalog/iceberg/avro.ts'
import { parseUuid, toFixedTwosComplement } from '../../src/catalog/iceberg/bytes.ts'
import { bucketOf } from '../../src/catalog/iceberg/transforms.ts'
import { fromIceberg, type IcebergField, type IcebergType } from '../../src/catalog/iceberg/types.ts'
import { encodeValue } from '../../src/catalog/iceberg/values.ts'
import type { ColumnStatistics, Scalar } from '../../src/catalog/types.ts'
import { type DataType, isFloat, printType, quoteIdentifier, quoteString } from '../../src/common/data-type.ts'
import type { Lab } from './import-lab.ts'

/** One field of a partition spec. */
export interface LabField {
  columnId: number
  transform: string
  name: string
  fieldId: number
}

type Partition = (Scalar | null)[]

/** A file as a manifest is to list it. */
export interface LabFile {
  path: string
  rows: number
  sizeBytes: number
  partition: Partition
  content?: 0 | 1 | 2
  format?: string
  columns?: ReadonlyMap<number, ColumnStatistics>
  /** Types of the columns, where they are not those of the schema. */
  types?: ReadonlyMap<number, DataType>
  referenced?: string
  sortOrderId?: number
}

/** A file with what its manifest says of it. */
export interface LabEntry {
  file: LabFile
  status?: number
  sequence?: number | null
}

/** A manifest with its files. */
export interface LabManifest {
  entries: LabEntry[]
  specId?: number
  deletes?: boolean
  sequence?: number
  /** Of the Avro file: as some writers do it. */
  change?: (record: Record<string, unknown>) => Record<string, unknown>
}

type Named = { name: string; type: AvroSchema; 'field-id': number }

const SYNC = Buffer.alloc(16, 7)
/** A field of a later time, which readers skip. (icebird cannot unpack blocks of less than 1 KiB.) */
const LATER = { later: 'x'.repeat(1100) }
const needed = (id: number, name: string, type: AvroSchema): Named => ({ name, type, 'field-id': id })
const optional = (id: number, name: string, type: AvroSchema): Named =>
  ({ name, type: ['null', type], default: null, 'field-id': id }) as Named
const record = (name: string, fields: Named[]): AvroSchema => ({ type: 'record', name, fields })
const byColumn = (keyId: number, valueId: number, value: string): AvroSchema => ({
  type: 'array',
  logicalType: 'map',
  items: record(`k${keyId}_v${valueId}`, [needed(keyId, 'key', 'int'), needed(valueId, 'value', value)]),
})

/** A field of a schema, optional. */
export function field(id: number, name: string, type: IcebergType): IcebergField {
  return { id, name, required: false, type }
}

/** A snapshot id that JavaScript would round; written to JSON as a number. */
export const bigId = (k: number) => `${3051729675574597004n + BigInt(k)}`

/** A table that another engine writes, step by step. */
export class ForeignTable {
  readonly lab: Lab
  readonly dir: string
  readonly version: 1 | 2 | 3
  readonly location: string
  schemas: { id: number; fields: IcebergField[] }[]
  specs: { id: number; fields: LabField[] }[]
  snapshots: Record<string, unknown>[] = []
  properties: Record<string, string> = {}
  /** What the metadata says besides. */
  more: Record<string, unknown> = {}
  sequence = 0
  /** Of format version 1: without the lists that came later. */
  isOldest = false
  readonly #idOf: (k: number) => number | string
  #files = 0
  #versions = 0

  constructor(
    lab: Lab,
    name: string,
    options: {
      version?: 1 | 2 | 3
      fields: IcebergField[]
      spec?: LabField[]
      location?: string
      idOf?: (k: number) => number
    },
  ) {
    this.lab = lab
    this.dir = join(lab.dir, name)
    this.version = options.version ?? 2
    this.#idOf = options.idOf ?? bigId
    this.location = options.location ?? this.dir
    this.schemas = [{ id: 0, fields: options.fields }]
    this.specs = [{ id: 0, fields: options.spec ?? [] }]
    mkdirSync(join(this.dir, 'metadata'), { recursive: true })
    mkdirSync(join(this.dir, 'data'), { recursive: true })
  }

  get fields(): IcebergField[] {
    return this.schemas.at(-1)!.fields
  }

  /** How metadata spells a path. */
  spell(path: string): string {
    return path.startsWith(`${this.dir}/`) ? `${this.location}/${path.slice(this.dir.length + 1)}` : path
  }

  /** The rows of a query as a data file, with the statistics that its footer has. */
  async write(
    sql: string,
    options: { fields?: IcebergField[]; partition?: Partition; ids?: boolean; columns?: string } = {},
  ): Promise<LabFile> {
    const { fields = this.fields, partition = [], ids = true } = options
    const path = this.#path('parquet')
    const columns = fields.map(({ name, type }) => {
      const quoted = quoteIdentifier(name)
      return `CAST(${quoted} AS ${printType(fromIceberg(type))}) AS ${quoted}`
    })
    const fieldIds = ids ? `, FIELD_IDS {${fields.map(idSql).join(', ')}}` : ''
    const copy = `COPY (SELECT ${columns.join(', ')} FROM (${sql})) TO ${quoteString(path)}`
    await this.lab.duck.run(`${copy} (FORMAT parquet, WRITE_BLOOM_FILTER false${fieldIds})`)
    const { size } = statSync(path)
    const footer = parseFooter(path, size, await readFooterBytes(new DiskReader(), { path, sizeBytes: size }))
    const known = fields.flatMap(({ id, name }) => {
      const statistics = footer.columns.find((column) => column.name === name)?.statistics
      return statistics ? [[id, { values: footer.rows, sizeBytes: 1, ...statistics }] as const] : []
    })
    const types = new Map(fields.map(({ id, type }) => [id, fromIceberg(type)]))
    return { path, rows: footer.rows, sizeBytes: size, partition, columns: new Map(known), types }
  }

  #path(extension: string): string {
    return join(this.dir, 'data', `file-${++this.#files}.${extension}`)
  }

  /** A file of position deletes: rows of files by their numbers. */
  async writeDeletes(rows: [file: LabFile, position: number][], options: Partial<LabFile> = {}): Promise<LabFile> {
    const path = this.#path('deletes.parquet')
    const values = rows.map(([file, position]) => `(${quoteString(this.spell(file.path))}, ${position}::BIGINT)`)
    await this.lab.duck.run(
      `COPY (SELECT * FROM (VALUES ${values.join(', ')}) AS v(file_path, pos) ORDER BY ALL) TO ${quoteString(path)}
       (FORMAT parquet, FIELD_IDS {file_path: 2147483546, pos: 2147483545})`,
    )
    return { path, rows: rows.length, sizeBytes: statSync(path).size, partition: [], content: 1, ...options }
  }

  /** Rows as data files, one for each combination of partition values. The query has a column `k`, unique. */
  async writeParts(sql: string): Promise<LabFile[]> {
    const spec = this.specs.at(-1)!.fields
    const columns = spec.map(({ columnId }) => this.fields.find(({ id }) => id === columnId)!)
    const values = spec.map(({ transform }, k) => valueSql(columns[k]!, transform))
    const read = await this.lab.duck.runAndReadAll(`SELECT k, ${values.join(', ')} FROM (${sql}) ORDER BY k`)
    const rows = read.getRows().map(([key, ...cells]) => ({
      key: Number(key),
      partition: cells.map((cell, k) => transformed(cell, spec[k]!.transform, fromIceberg(columns[k]!.type))),
    }))
    const groups = Map.groupBy(rows, ({ partition }) => partition.map((v) => `${typeof v} ${String(v)}`).join('\0'))
    const files: LabFile[] = []
    for (const group of groups.values()) {
      const where = `k IN (${group.map(({ key }) => key).join(', ')})`
      files.push(await this.write(`FROM (${sql}) WHERE ${where}`, { partition: group[0]!.partition }))
    }
    return files
  }

  /** One more snapshot, of these manifests. */
  commit(
    manifests: LabManifest[],
    options: { id?: number | string; operation?: string; schemaId?: number } = {},
  ): void {
    const id = options.id ?? this.#idOf(this.snapshots.length)
    const sequence = ++this.sequence
    const timeMs = 1_700_000_000_000 + sequence * 1000
    const written = manifests.map((manifest, k) => ({
      manifest,
      path: this.#writeManifest(manifest, id, `${sequence}-${k}`),
    }))
    const parent = this.snapshots.at(-1)?.['snapshot-id']
    const common = {
      'snapshot-id': typeof id === 'string' ? `@${id}` : id,
      'timestamp-ms': timeMs,
      ...(parent !== undefined && { 'parent-snapshot-id': parent }),
    }
    if (this.version === 1 && this.more.embedded === true) {
      this.snapshots.push({ ...common, manifests: written.map(({ path }) => this.spell(path)) })
      return
    }
    const list = join(this.dir, 'metadata', `snap-${sequence}.avro`)
    writeFileSync(list, this.#listBytes(written, sequence))
    this.snapshots.push({
      ...common,
      ...(this.version > 1 && {
        'sequence-number': sequence,
        'schema-id': options.schemaId ?? this.schemas.at(-1)!.id,
      }),
      'manifest-list': this.spell(list),
      summary: { operation: options.operation ?? 'append', 'total-records': '1' },
    })
  }

  #listBytes(written: { manifest: LabManifest; path: string }[], sequence: number): Uint8Array {
    const counts = (prefix: string) => `${prefix}_${this.version === 1 ? 'data_' : ''}files_count`
    const later = [
      needed(517, 'content', 'int'),
      needed(515, 'sequence_number', 'long'),
      needed(516, 'min_sequence_number', 'long'),
    ]
    const schema = record('manifest_file', [
      needed(500, 'manifest_path', 'string'),
      needed(501, 'manifest_length', 'long'),
      needed(502, 'partition_spec_id', 'int'),
      ...(this.version === 1 ? [] : later),
      optional(503, 'added_snapshot_id', 'long'),
      optional(504, counts('added'), 'int'),
      optional(505, counts('existing'), 'int'),
      optional(506, counts('deleted'), 'int'),
      needed(9999, 'later', 'string'),
    ])
    const records = written.map(({ manifest, path }) => ({
      manifest_path: this.spell(path),
      manifest_length: statSync(path).size,
      partition_spec_id: manifest.specId ?? this.specs.at(-1)!.id,
      content: manifest.deletes ? 1 : 0,
      sequence_number: manifest.sequence ?? sequence,
      min_sequence_number: 1,
      added_snapshot_id: null,
      [counts('added')]: manifest.entries.length,
      [counts('existing')]: null,
      [counts('deleted')]: 0,
      ...LATER,
    }))
    return writeAvro(schema, records, { 'format-version': String(this.version) }, SYNC)
  }

  #writeManifest(manifest: LabManifest, id: number | string, name: string): string {
    const { entries, specId = this.specs.at(-1)!.id, deletes = false, change = (same) => same } = manifest
    const spec = this.specs.find((candidate) => candidate.id === specId)!.fields
    const all = new Map(this.schemas.flatMap(({ fields }) => fields).map((column) => [column.id, column]))
    const types = spec.map(({ columnId, transform }) => partitionType(transform, fromIceberg(all.get(columnId)!.type)))
    const partition = record(
      'r102',
      spec.map((own, k) => optional(own.fieldId, avroName(own.name), avroType(types[k]!, own.fieldId))),
    )
    const records = entries.map(({ file, status = 1, sequence = null }) => ({
      status,
      snapshot_id: BigInt(id),
      sequence_number: sequence,
      file_sequence_number: sequence,
      data_file: {
        content: file.content ?? 0,
        file_path: this.spell(file.path),
        file_format: file.format ?? 'PARQUET',
        partition: Object.fromEntries(
          spec.map((own, k) => [avroName(own.name), toAvro(file.partition[k] ?? null, types[k]!)]),
        ),
        record_count: file.rows,
        file_size_in_bytes: file.sizeBytes,
        block_size_in_bytes: 67_108_864,
        ...metrics(file),
        equality_ids: file.content === 2 ? [1] : null,
        sort_order_id: file.sortOrderId ?? null,
        referenced_data_file: file.referenced ?? null,
      },
      ...LATER,
    }))
    const header = {
      schema: JSON.stringify({ type: 'struct', 'schema-id': this.schemas.at(-1)!.id, fields: this.fields }),
      'partition-spec': JSON.stringify(specJson(spec)),
      'partition-spec-id': String(specId),
      'format-version': String(this.version),
      ...(this.version > 1 && { content: deletes ? 'deletes' : 'data' }),
    }
    const path = join(this.dir, 'metadata', `${name}-m.avro`)
    writeFileSync(path, writeAvro(this.#entrySchema(partition), records.map(change), header, SYNC))
    return path
  }

  #entrySchema(partition: AvroSchema): AvroSchema {
    const isOld = this.version === 1
    const dataFile = record('r2', [
      ...(isOld ? [] : [needed(134, 'content', 'int')]),
      needed(100, 'file_path', 'string'),
      needed(101, 'file_format', 'string'),
      needed(102, 'partition', partition),
      needed(103, 'record_count', 'long'),
      needed(104, 'file_size_in_bytes', 'long'),
      ...(isOld ? [needed(105, 'block_size_in_bytes', 'long')] : []),
      optional(108, 'column_sizes', byColumn(117, 118, 'long')),
      optional(109, 'value_counts', byColumn(119, 120, 'long')),
      optional(110, 'null_value_counts', byColumn(121, 122, 'long')),
      ...(isOld ? [] : [optional(137, 'nan_value_counts', byColumn(138, 139, 'long'))]),
      optional(125, 'lower_bounds', byColumn(126, 127, 'bytes')),
      optional(128, 'upper_bounds', byColumn(129, 130, 'bytes')),
      ...(isOld ? [] : [optional(135, 'equality_ids', { type: 'array', items: 'int', 'element-id': 136 })]),
      optional(140, 'sort_order_id', 'int'),
      ...(isOld ? [] : [optional(143, 'referenced_data_file', 'string')]),
    ])
    return record('manifest_entry', [
      needed(0, 'status', 'int'),
      isOld ? needed(1, 'snapshot_id', 'long') : optional(1, 'snapshot_id', 'long'),
      ...(isOld ? [] : [optional(3, 'sequence_number', 'long'), optional(4, 'file_sequence_number', 'long')]),
      needed(2, 'data_file', dataFile),
      needed(9999, 'later', 'string'),
    ])
  }

  /** The table's metadata as one more file; its path. */
  finish(style: 'hadoop' | 'catalog' | 'gzip' = 'hadoop'): string {
    const number = ++this.#versions
    const names = {
      hadoop: `v${number}.metadata.json`,
      catalog: `${String(number).padStart(5, '0')}-6b9f1e5c-0000-4000-8000-${String(number).padStart(12, '0')}.metadata.json`,
      gzip: `v${number}.gz.metadata.json`,
    }
    const path = join(this.dir, 'metadata', names[style])
    const text = JSON.stringify(this.#json(number), null, 1).replaceAll(/"@(\d+)"/g, '$1')
    writeFileSync(path, style === 'gzip' ? gzipSync(text) : text)
    if (style === 'hadoop') writeFileSync(join(this.dir, 'metadata/version-hint.text'), String(number))
    return path
  }

  #json(number: number): object {
    const current = this.snapshots.at(-1)?.['snapshot-id']
    const { embedded: _, ...more } = this.more
    const common = {
      'format-version': this.version,
      'table-uuid': '6b9f1e5c-6ff5-4f4b-a6a2-000000000001',
      location: this.location,
      'last-updated-ms': 1_700_000_000_000 + number,
      'last-column-id': 1000,
      properties: this.properties,
      ...(current !== undefined && { 'current-snapshot-id': current }),
      snapshots: this.snapshots,
    }
    if (this.version === 1) {
      const fields = specJson(this.specs.at(-1)!.fields).map(({ 'field-id': _id, ...rest }) => rest)
      // As Spark writes it today; long ago there was no more than the first line.
      const old = { schema: { type: 'struct', fields: this.fields }, 'partition-spec': fields }
      return this.isOldest ? { ...common, ...old, ...more } : { ...common, ...old, ...this.#lists(), ...more }
    }
    return {
      ...common,
      'last-sequence-number': this.sequence,
      ...this.#lists(),
      'last-partition-id': 1999,
      'default-sort-order-id': 0,
      'sort-orders': [{ 'order-id': 0, fields: [] }],
      'snapshot-log': this.snapshots.map((snapshot) => ({
        'snapshot-id': snapshot['snapshot-id'],
        'timestamp-ms': snapshot['timestamp-ms'],
      })),
      ...more,
    }
  }

  #lists(): object {
    const struct = ({ id, fields }: { id: number; fields: IcebergField[] }) => ({
      type: 'struct',
      'schema-id': id,
      fields,
    })
    return {
      'current-schema-id': this.schemas.at(-1)!.id,
      schemas: this.schemas.map(struct),
      'default-spec-id': this.specs.at(-1)!.id,
      'partition-specs': this.specs.map(({ id, fields }) => ({ 'spec-id': id, fields: specJson(fields) })),
    }
  }
}

function specJson(spec: LabField[]) {
  return spec.map(({ columnId, fieldId, name, transform }) => ({
    'source-id': columnId,
    'field-id': fieldId,
    name,
    transform,
  }))
}

function avroName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, '_')
}

function idSql({ id, name, type }: Pick<IcebergField, 'id' | 'name' | 'type'>): string {
  const key = quoteIdentifier(name)
  if (typeof type === 'string') return `${key}: ${id}`
  const parts =
    type.type === 'struct'
      ? type.fields
      : type.type === 'list'
        ? [{ id: type['element-id'], name: 'element', type: type.element }]
        : [
            { id: type['key-id'], name: 'key', type: type.key },
            { id: type['value-id'], name: 'value', type: type.value },
          ]
  return `${key}: {__duckdb_field_id: ${id}, ${parts.map(idSql).join(', ')}}`
}

/** A value as SQL that comes back as bigint, number, text or boolean. */
function scalarSql(name: string, type: DataType): string {
  const quoted = quoteIdentifier(name)
  switch (printType(type)) {
    case 'INTEGER':
    case 'BIGINT':
      return `${quoted}::BIGINT`
    case 'DATE':
      return `(${quoted} - DATE '1970-01-01')::BIGINT`
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
    case 'TIME':
      return `epoch_us(${quoted})`
    case 'UUID':
      return `${quoted}::VARCHAR`
    case 'BLOB':
      return `hex(${quoted})`
    default:
      return type.kind === 'decimal' ? `replace(${quoted}::VARCHAR, '.', '')::HUGEINT` : quoted
  }
}

function valueSql({ name, type }: IcebergField, transform: string): string {
  const column = fromIceberg(type)
  const quoted = quoteIdentifier(name)
  const width = /^truncate\[(\d+)\]$/.exec(transform)?.[1]
  if (width !== undefined && printType(column) === 'VARCHAR') return `substring(${quoted}, 1, ${width})`
  if (transform === 'year') return `(year(${quoted}) - 1970)::BIGINT`
  if (transform === 'month') return `((year(${quoted}) - 1970) * 12 + month(${quoted}) - 1)::BIGINT`
  return scalarSql(name, column)
}

function floorTo(value: bigint, by: bigint): bigint {
  return value - (((value % by) + by) % by)
}

function transformed(cell: unknown, transform: string, type: DataType): Scalar | null {
  if (cell === null || transform === 'void') return null
  const value = fromSql(cell, type)
  const [, kind, argument] = /^(\w+)(?:\[(\d+)\])?$/.exec(transform)!
  const isDate = printType(type) === 'DATE'
  switch (kind) {
    case 'bucket':
      return BigInt(bucketOf(value, type, Number(argument)))
    case 'truncate':
      // The least integers come out at the other end of their type, as they do in Java.
      if (typeof value === 'bigint')
        return BigInt.asIntN(printType(type) === 'INTEGER' ? 32 : 64, floorTo(value, BigInt(argument!)))
      return value instanceof Uint8Array ? value.subarray(0, Number(argument)) : value
    case 'day':
      return isDate ? value : floorTo(value as bigint, 86_400_000_000n) / 86_400_000_000n
    case 'hour':
      return floorTo(value as bigint, 3_600_000_000n) / 3_600_000_000n
    default:
      return value
  }
}

function fromSql(cell: unknown, type: DataType): Scalar {
  if (typeof cell === 'string' && printType(type) === 'UUID') return parseUuid(cell)
  if (typeof cell === 'string' && printType(type) === 'BLOB') return Uint8Array.from(Buffer.from(cell, 'hex'))
  return cell as Scalar
}

function partitionType(transform: string, source: DataType): DataType {
  if (/^(bucket|year|month|hour)/.test(transform)) return { kind: 'primitive', name: 'INTEGER' }
  return transform === 'day' ? { kind: 'primitive', name: 'DATE' } : source
}

const DECIMAL_WIDTH = 16

function avroType(type: DataType, id: number): AvroSchema {
  if (type.kind === 'decimal') {
    const { precision, scale } = type
    return { type: 'fixed', name: `decimal_${id}`, size: DECIMAL_WIDTH, logicalType: 'decimal', precision, scale }
  }
  const types: Record<string, AvroSchema> = {
    BOOLEAN: 'boolean',
    INTEGER: 'int',
    BIGINT: 'long',
    FLOAT: 'float',
    DOUBLE: 'double',
    DATE: { type: 'int', logicalType: 'date' },
    TIME: { type: 'long', logicalType: 'time-micros' },
    TIMESTAMP: { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': false },
    'TIMESTAMP WITH TIME ZONE': { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true },
    VARCHAR: 'string',
    UUID: { type: 'fixed', name: `uuid_${id}`, size: 16, logicalType: 'uuid' },
    BLOB: 'bytes',
  }
  return types[printType(type)]!
}

function toAvro(value: Scalar | null, type: DataType): unknown {
  if (value === null) return null
  if (type.kind === 'decimal') return Buffer.from(toFixedTwosComplement(value as bigint, DECIMAL_WIDTH))
  if (value instanceof Uint8Array) return Buffer.from(value)
  return typeof value === 'bigint' && /^(INTEGER|DATE)$/.test(printType(type)) ? Number(value) : value
}

/** Writers cut texts and bytes in bounds to 16 characters. */
const BOUND = 16

function metrics({ columns = new Map(), types = new Map() }: LabFile): Record<string, unknown> {
  const list = (pick: (column: ColumnStatistics, id: number) => unknown) => {
    const items = [...columns].flatMap(([key, column]) => {
      const value = pick(column, key)
      return value === undefined ? [] : [{ key, value }]
    })
    return items.length === 0 ? null : items
  }
  return {
    column_sizes: list((column) => column.sizeBytes),
    value_counts: list((column) => column.values),
    null_value_counts: list((column) => column.nulls),
    nan_value_counts: list((column, id) => (types.has(id) && isFloat(types.get(id)!) ? column.nans : undefined)),
    lower_bounds: list((column, id) => bound(column.lower, types.get(id), cutLow)),
    upper_bounds: list((column, id) => bound(column.upper, types.get(id), cutHigh)),
  }
}

function bound(value: Scalar | undefined, type: DataType | undefined, cut: (value: Scalar) => Scalar | undefined) {
  const kept = value === undefined ? undefined : cut(value)
  const bytes = kept === undefined || type === undefined ? undefined : encodeValue(kept, type)
  return bytes && Buffer.from(bytes)
}

function cutLow(value: Scalar): Scalar {
  if (typeof value === 'string') return Array.from(value).slice(0, BOUND).join('')
  return value instanceof Uint8Array ? value.subarray(0, BOUND) : value
}

function cutHigh(value: Scalar): Scalar | undefined {
  if (value instanceof Uint8Array) return value.length <= BOUND ? value : undefined
  if (typeof value !== 'string') return value
  const points = Array.from(value)
  if (points.length <= BOUND) return value
  const last = points[BOUND - 1]!.codePointAt(0)! + 1
  return last === 0xd800 || last > 0x10ffff
    ? undefined
    : points.slice(0, BOUND - 1).join('') + String.fromCodePoint(last)
}
