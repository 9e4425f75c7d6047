/** The files of a Delta table as every other table's: typed partition values, statistics, and how each looks right now. */
import type { DataType } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import { mapConcurrent } from '../../storage/concurrent.ts'
import type { StampedFile } from '../../storage/file-tree.ts'
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
const counted = new WeakMap<AddFile, number>()

/** The files in the order of the log, each with its stamp. Files whose rows the log does not count are asked for them. @throws TABLE_INVALID, FILE_INVALID */
export async function dataFiles(
  reader: FileReader,
  files: Iterable<AddFile>,
  shape: TableShape,
  options: CallOptions,
): Promise<DataFile[]> {
  const all = [...files]
  const paths = all.map(({ path }) => path)
  const stamps = await reader.stamp(paths, options)
  return await mapConcurrent(all, SETTINGS.footerReads.default, async (add, k) => {
    const known = made.get(add)
    const file = known?.shape === shape ? known.file : await describeFile(reader, add, shape, stamps[k], options)
    const looked = withStamp(file, stamps[k])
    if (looked !== file || known?.file !== file) made.set(add, { shape, file: looked })
    return looked
  })
}

async function describeFile(
  reader: FileReader,
  add: AddFile,
  shape: TableShape,
  stamp: StampedFile | undefined,
  options: CallOptions,
): Promise<DataFile> {
  const { path, sizeBytes, stats, source } = add
  const { rows: known, columns } = readStatistics(stats, shape.columns, source)
  const rows = known ?? (await countRows(reader, add, stamp, options))
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

/** From the footer; a file that is not there as the log says has none to be counted, and whoever reads it is told. */
async function countRows(
  reader: FileReader,
  add: AddFile,
  stamp: StampedFile | undefined,
  options: CallOptions,
): Promise<number> {
  if (problemOf(add, stamp) !== undefined || !stamp) return 0
  const known = counted.get(add)
  if (known !== undefined) return known
  const { rows } = await readFooter(reader, stamp, options)
  counted.set(add, rows)
  return rows
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

/** Every file is read by the columns that the table has. */
const LAYOUT: NonNullable<DataFile['foreign']>['layout'] = []

function withStamp(file: DataFile, stamp: StampedFile | undefined): DataFile {
  const problem = problemOf(file, stamp)
  const version = stamp?.version ?? ''
  if (file.foreign?.version === version && file.foreign.problem === problem) return file
  return { ...file, foreign: { version, layout: LAYOUT, ...(problem !== undefined && { problem }) } }
}

function problemOf({ sizeBytes }: { sizeBytes: number }, stamp: StampedFile | undefined): string | undefined {
  if (!stamp) return 'it is not there, although the log of its table has it'
  if (stamp.sizeBytes === sizeBytes) return undefined
  return `it has ${stamp.sizeBytes} bytes where the log of its table says ${sizeBytes}`
}
