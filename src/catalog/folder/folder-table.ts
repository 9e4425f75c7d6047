/** A registered folder as every other table: a schema, one partition spec, files with statistics. */
import type { ColumnStatistics, DataFile, PartitionSpec, Schema, Table } from '../types.ts'
import type { RegisteredFile, Registration } from './registration.ts'

/** Iceberg's ids of partition fields start here; ours follow the custom. */
const PARTITION_FIELD_IDS = 1000

/**
 * The table that a registration describes, with its files below `root` (the registration's own unless it was moved).
 * Hive columns are identity fields of the one partition spec, so that files are pruned by them as in any partitioned table.
 */
export function tableOfRegistration(name: string, registration: Registration, root = registration.root): Table {
  const { columns, keys, hiveColumns, validation } = registration
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
  const files = registration.files.map((file) => dataFile(file, root))
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
    actorsTogether: validation.mode === 'all' && validation.actorsTogether,
    hiveColumns,
  }
}

/** The DOUBLE columns that are FLOAT or integers in some files. */
function narrowerIn({ columns, differences }: Registration): Set<number> {
  const names = new Set(differences.flatMap((d) => (d.found && d.expected === 'DOUBLE' ? [d.column] : [])))
  return new Set(columns.flatMap(({ id, name }) => (names.has(name) ? [id] : [])))
}

function dataFile({ path, rows, sizeBytes, partition, statistics }: RegisteredFile, root: string): DataFile {
  const columns = new Map<number, ColumnStatistics>()
  for (const [index, known] of statistics.entries()) if (known) columns.set(index + 1, known)
  return { path: `${root.replace(/\/+$/, '')}/${path}`, rows, sizeBytes, specId: 0, partition, columns, sorted: false }
}
