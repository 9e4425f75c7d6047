/** Tables as Funnel Rocket sees them: folders of files with a group id and a timestamp. */
import { relative } from 'node:path'
import type { ResponseOf } from '../../api/contract.ts'
import { SETTINGS } from '../../config.ts'
import type { TableDescription, TableSummary } from '../../coordinator/describe.ts'
import { isSkepError, SkepError } from '../../errors.ts'
import { mapConcurrent } from '../../storage/concurrent.ts'
import type { Warehouse } from '../../warehouse.ts'

type Dataset = ResponseOf<'datasets'>[number]

/** A table that has a group id and a timestamp. */
export interface DatasetTable extends TableDescription {
  keys: TableDescription['keys'] & { actor: string; time: string }
}

/** A table in full. @throws TABLE_NOT_FOUND; KEY_INVALID for one without actor or time */
export async function datasetTable(
  warehouse: Warehouse,
  name: string,
  options: { files?: boolean } = {},
): Promise<DatasetTable> {
  const table = await warehouse.describe(name, options)
  const { actor, time } = table.keys
  if (actor !== undefined && time !== undefined) return { ...table, keys: { ...table.keys, actor, time } }
  const key = actor === undefined ? 'actor' : 'time'
  throw new SkepError('KEY_INVALID', `table "${table.name}" has no ${key} column, and so is no dataset`, {
    table: table.name,
    key,
  })
}

/** All tables that are datasets, newest first. */
export async function listDatasets(warehouse: Warehouse): Promise<Dataset[]> {
  const tables = await warehouse.tables()
  const found = await mapConcurrent(tables, SETTINGS.storeCalls.default, async (table) => datasetOf(warehouse, table))
  const time = ({ id }: Dataset) => Date.parse(id.registeredAt)
  return found.filter((dataset) => dataset !== undefined).sort((a, b) => time(b) - time(a))
}

/** The table as a dataset; undefined for one that is none, or none any more. */
async function datasetOf(
  warehouse: Warehouse,
  { name, location, actor, time, files }: TableSummary,
): Promise<Dataset | undefined> {
  if (location === undefined || actor === undefined || time === undefined) return undefined
  try {
    const { since } = await warehouse.origin(name)
    return datasetDocument({ name, location, files, keys: { actor, time } }, since)
  } catch (error) {
    if (isSkepError(error, 'TABLE_NOT_FOUND')) return undefined
    throw error
  }
}

/** The document of a dataset; `since` is ISO 8601 in UTC. */
export function datasetDocument(
  { name, location, keys, files }: Pick<DatasetTable, 'name' | 'location' | 'files'> & Pick<DatasetTable, 'keys'>,
  since: string,
): Dataset {
  return {
    basepath: location,
    groupIdColumn: keys.actor,
    // As Python prints it, and reads it back.
    id: { name, registeredAt: since.replace(/\.(\d{3})Z$/, '.$1000+00:00') },
    timestampColumn: keys.time,
    totalParts: files,
  }
}

/** The files of a table: names below its folder, and whole paths of those that lie elsewhere. */
export function partsDocument({ location, bytes, dataFiles = [] }: TableDescription): ResponseOf<'datasetParts'> {
  const filenames = dataFiles.map(({ path }) => (path.startsWith(`${location}/`) ? relative(location, path) : path))
  return { filenames, namingMethod: 'LIST', totalParts: dataFiles.length, totalSize: bytes }
}
