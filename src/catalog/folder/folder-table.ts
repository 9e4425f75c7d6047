/** A registered folder as every other table: a schema, one partition spec, files with statistics. */
import { parentOf } from '../../storage/file-tree.ts'
import type { ColumnStatistics, DataFile, PartitionSpec, Schema, Table, WholeFolder } from '../types.ts'
import { areActorsTogether, type RegisteredFile, type Registration, type StatisticsList } from './registration.ts'

/** Iceberg's ids of partition fields start here; ours follow the custom. */
const PARTITION_FIELD_IDS = 1000

/**
 * The table that a registration describes, with its files below `root` (the registration's own unless it was moved).
 * Hive columns are identity fields of the one partition spec, so that files are pruned by them as in any partitioned table.
 */
export function tableOfRegistration(name: string, registration: Registration, root = registration.root): Table {
  const { columns, keys, hiveColumns } = registration
  const schema: Schema = { id: 0, columns }
  const spec: PartitionSpec = {
    id: 0,
    fields: hiveColumns.map((hive, index) => ({
      fieldId: PARTITION_FIELD_IDS + index,
      name: hive,
      columnId: columns.find((column) => column.name === hive)!.id,
      transform: { kind: 'identity' },
    })),
  }
  const folder = root.replace(/\/+$/, '')
  const whole = wholeFolders(registration, folder)
  const files = registration.files.map((file) => dataFile(file, folder, columns.length, whole))
  return {
    name,
    kind: 'registered',
    location: root,
    keys,
    schema,
    spec,
    snapshot: {
      schema,
      specs: new Map([[spec.id, spec]]),
      files,
      reading: { byId: false, narrower: narrowerIn(registration) },
    },
    actorsTogether: areActorsTogether(registration),
    hiveColumns,
  }
}

/** The DOUBLE columns that are FLOAT or integers in some files. */
function narrowerIn({ columns, differences }: Registration): Set<number> {
  const names = new Set(differences.flatMap((d) => (d.found && d.expected === 'DOUBLE' ? [d.column] : [])))
  return new Set(columns.flatMap(({ id, name }) => (names.has(name) ? [id] : [])))
}

/** The folders of whose Parquet files none is missing, by their paths below `root`. */
function wholeFolders({ folders, files }: Registration, root: string): Map<string, WholeFolder> {
  const counts = new Map<string, number>()
  for (const { path } of files) counts.set(parentOf(path), (counts.get(parentOf(path)) ?? 0) + 1)
  const whole = folders.filter(({ path, parquet }) => parquet !== undefined && parquet === counts.get(path))
  return new Map(
    whole.map(({ path, version, parquet }) => [path, { path: `${root}/${path}`, version, files: parquet! }]),
  )
}

function dataFile(
  file: RegisteredFile,
  root: string,
  columns: number,
  whole: ReadonlyMap<string, WholeFolder>,
): DataFile {
  const folder = whole.get(parentOf(file.path))
  const { path, rows, sizeBytes, version, partition, statistics, layout } = file
  return {
    path: `${root}/${path}`,
    rows,
    sizeBytes,
    specId: 0,
    partition,
    columns: new StatisticsMap(statistics, columns),
    sorted: false,
    foreign: { version, layout, ...(folder && { folder }) },
  }
}

/** A list of statistics by column ids, which count from 1. */
class StatisticsMap implements ReadonlyMap<number, ColumnStatistics> {
  readonly #list: StatisticsList
  readonly #columns: number

  constructor(list: StatisticsList, columns: number) {
    this.#list = list
    this.#columns = columns
  }

  get(id: number): ColumnStatistics | undefined {
    return id >= 1 && id <= this.#columns ? this.#list.at(id - 1) : undefined
  }

  has(id: number): boolean {
    return this.get(id) !== undefined
  }

  get size(): number {
    return [...this.keys()].length
  }

  *entries(): MapIterator<[number, ColumnStatistics]> {
    for (let id = 1; id <= this.#columns; id++) {
      const statistics = this.get(id)
      if (statistics) yield [id, statistics]
    }
  }

  *keys(): MapIterator<number> {
    for (const [id] of this.entries()) yield id
  }

  *values(): MapIterator<ColumnStatistics> {
    for (const [, statistics] of this.entries()) yield statistics
  }

  [Symbol.iterator](): MapIterator<[number, ColumnStatistics]> {
    return this.entries()
  }

  forEach(call: (value: ColumnStatistics, id: number, map: ReadonlyMap<number, ColumnStatistics>) => void): void {
    for (const [id, statistics] of this.entries()) call(statistics, id, this)
  }
}
