/** Delta tables as every other table: one version of one, and its history. */
import type { CallOptions } from '../../storage/object-store.ts'
import type { FileReader } from '../file-reader.ts'
import { foldName } from '../folder/names.ts'
import type { At } from '../pick-snapshot.ts'
import type { Column, PartitionSpec, Schema, SnapshotInfo, Table } from '../types.ts'
import type { MetaData } from './actions.ts'
import { dataFiles, type TableShape } from './data-files.ts'
import { damagedLog } from './errors.ts'
import { requireReadable } from './features.ts'
import { DeltaLogs, type EntrySummary } from './log.ts'
import { entryName } from './log-files.ts'
import { readColumns } from './schema.ts'
import type { DeltaState } from './state.ts'
import { readStatistics } from './statistics.ts'

/** Which state of a table is wanted, and under which name. */
export interface DeltaOptions extends CallOptions {
  /** The name that the table has here. */
  name: string
  at?: At | undefined
}

/** Ids of partition fields, as tables with ids of their own have them. */
const PARTITION_FIELD_IDS = 1000

/** The Delta tables that a warehouse reads. What was read once of an immutable log is not read again while memory is left for it. */
export class DeltaTables {
  readonly #reader: FileReader
  readonly #logs: DeltaLogs
  readonly #shapes = new WeakMap<MetaData, TableShape>()

  constructor(reader: FileReader, options: { maxFiles: number }) {
    this.#reader = reader
    this.#logs = new DeltaLogs(reader, options)
  }

  /**
   * The table in a folder (an absolute path): its newest version, unless `at` asks for another. It has no keys.
   *
   * @throws FILE_NOT_FOUND, SNAPSHOT_NOT_FOUND, TABLE_INVALID
   * @throws TABLE_FEATURE_UNSUPPORTED naming what of the format is used and not read
   * @throws FILE_LIMIT for a table of more files than `maxFiles`
   */
  async load(root: string, { name, at, ...options }: DeltaOptions): Promise<Table> {
    const state = await this.#logs.state(root, { at, ...options })
    const source = `${root}/_delta_log/${entryName(state.version)}`
    requireReadable(state, source)
    const shape = this.#shapeOf(state, source)
    const { columns, spec } = shape
    const files = await dataFiles(this.#reader, state.files.values(), shape, options)
    const schema: Schema = { id: 0, columns }
    const { description } = state.metaData
    return {
      name,
      kind: 'attached',
      format: 'delta',
      ...(description !== undefined && { comment: description }),
      location: root,
      keys: {},
      schema,
      spec,
      snapshot: { id: state.version, schema, specs: new Map([[spec.id, spec]]), files },
      actorsTogether: false,
      hiveColumns: [],
    }
  }

  /** The versions whose entries are kept, newest last. @throws as `load` */
  async history(root: string, options: CallOptions = {}): Promise<SnapshotInfo[]> {
    return (await this.#logs.history(root, options)).map(snapshotInfo)
  }

  #shapeOf({ metaData }: DeltaState, source: string): TableShape {
    const known = this.#shapes.get(metaData)
    if (known) return known
    const columns = readColumns(metaData.schemaString, source)
    const partitionColumns = metaData.partitionColumns.map((name) => partitionColumn(columns, name, source))
    const spec: PartitionSpec = {
      id: 0,
      fields: partitionColumns.map(({ id, name }, k) => ({
        fieldId: PARTITION_FIELD_IDS + k,
        name,
        columnId: id,
        transform: { kind: 'identity' },
      })),
    }
    const shape = { columns, partitionColumns, spec }
    requireDistinct(columns, source)
    this.#shapes.set(metaData, shape)
    return shape
  }
}

function partitionColumn(columns: readonly Column[], name: string, source: string): Column {
  const found =
    columns.find((column) => column.name === name) ?? columns.find((column) => foldName(column.name) === foldName(name))
  if (found) return found
  throw damagedLog(source, `the table is partitioned by ${JSON.stringify(name)}, which it has no column of`)
}

function requireDistinct(columns: readonly Column[], source: string): void {
  const names = new Set(columns.map(({ name }) => foldName(name)))
  if (names.size !== columns.length) throw damagedLog(source, 'the schema has two columns of one name')
  if (columns.length === 0) throw damagedLog(source, 'the schema has no columns')
}

function snapshotInfo({ version, timeMs, info, added, removed, dataChange, stats }: EntrySummary): SnapshotInfo {
  const counts = stats?.map((text) => readStatistics(text, [], entryName(version)).rows)
  const rows = counts?.includes(undefined) ? undefined : counts?.reduce<number>((sum, count) => sum + count!, 0)
  return {
    id: version,
    parentId: version === 0 ? null : version - 1,
    time: new Date(timeMs).toISOString(),
    operation: operationOf({ added, removed, dataChange }),
    summary: {
      ...(info.operation !== undefined && { operation: info.operation }),
      ...(info.mode !== undefined && { mode: info.mode }),
      'added-data-files': String(added),
      'deleted-data-files': String(removed),
      ...(rows !== undefined && { 'added-records': String(rows) }),
    },
  }
}

function operationOf(entry: Pick<EntrySummary, 'added' | 'removed' | 'dataChange'>): SnapshotInfo['operation'] {
  const { added, removed, dataChange } = entry
  if (added + removed > 0 && !dataChange) return 'replace'
  if (removed === 0) return 'append'
  return added === 0 ? 'delete' : 'overwrite'
}
