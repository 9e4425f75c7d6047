/** The files of a Delta table as every other table's: typed partition values, and statistics. */
import type { DataType } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import { isSkepError, SkepError } from '../../errors.ts'
import { mapConcurrent } from '../../storage/concurrent.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import type { FileReader } from '../file-reader.ts'
import { readFooter } from '../folder/footer.ts'
import type { Column, ColumnStatistics, DataFile, PartitionSpec, Scalar } from '../types.ts'
import type { AddFile } from './actions.ts'
import { damagedLog } from './errors.ts'
import { readStatistics } from './statistics.ts'
import { partitionValue } from './values.ts'

/** Columns and partitions of a table at one version. */
export interface TableShape {
  columns: Column[]
  /** In the order of the partition's values. */
  partitionColumns: Column[]
  spec: PartitionSpec
}

/** What a file is once its statistics were read; made once for each shape. */
interface Made {
  shape: TableShape
  file: DataFile
}

const made = new WeakMap<AddFile, Made>()

/** The files in the order of the log. Files whose rows the log does not count are asked for them. @throws TABLE_INVALID, FILE_INVALID, FILE_NOT_FOUND */
export async function dataFiles(
  reader: FileReader,
  files: Iterable<AddFile>,
  shape: TableShape,
  options: CallOptions,
): Promise<DataFile[]> {
  return await mapConcurrent([...files], SETTINGS.footerReads.default, async (add) => {
    const known = made.get(add)
    if (known?.shape === shape) return known.file
    const file = await describeFile(reader, add, shape, options)
    made.set(add, { shape, file })
    return file
  })
}

async function describeFile(
  reader: FileReader,
  add: AddFile,
  shape: TableShape,
  options: CallOptions,
): Promise<DataFile> {
  const { path, sizeBytes, stats, source } = add
  const { rows: known, columns } = readStatistics(stats, shape.columns, source)
  const rows = known ?? (await countRows(reader, add, options))
  const partition = shape.partitionColumns.map((column) => partitionOf(add, column))
  for (const [k, { id }] of shape.partitionColumns.entries()) columns.set(id, exactly(partition[k]!, rows))
  return {
    path,
    rows,
    sizeBytes,
    specId: shape.spec.id,
    partition,
    columns,
    sorted: false,
    ...(partition.length > 0 && {
      constants: new Map(shape.partitionColumns.map(({ id }, k) => [id, partition[k]!])),
    }),
  }
}

/** From the footer. */
async function countRows(reader: FileReader, { path, sizeBytes }: AddFile, options: CallOptions): Promise<number> {
  try {
    return (await readFooter(reader, { path, sizeBytes, version: '' }, options)).rows
  } catch (cause) {
    if (!isSkepError(cause, 'FILE_NOT_FOUND')) throw cause
    const message = `${path} is not there, although the log of its table lists it`
    throw new SkepError('FILE_INVALID', message, { file: path }, { cause })
  }
}

function partitionOf({ partitionValues, path, source }: AddFile, { name, type }: Column): Scalar | null {
  const text = (Object.hasOwn(partitionValues, name) ? partitionValues[name] : null) ?? null
  const value = partitionValue(text, type)
  if (value !== undefined) return value
  throw damagedLog(source, `${path} has ${JSON.stringify(text)} where "${name}" should be ${typeText(type)}`)
}

function typeText(type: DataType): string {
  return type.kind === 'primitive' ? type.name : type.kind
}

function exactly(value: Scalar | null, rows: number): ColumnStatistics {
  if (value === null) return { values: rows, nulls: rows }
  if (Number.isNaN(value)) return { values: rows, nulls: 0, nans: rows }
  return { values: rows, nulls: 0, nans: 0, lower: value, upper: value }
}
