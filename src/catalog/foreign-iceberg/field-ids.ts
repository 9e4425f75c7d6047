/**
 * What the footers of data files say of their columns: whether these have field ids at all, and what fields inside nested columns are called.
 * The engine finds columns by their ids, and fields inside them by their names.
 */
import { SETTINGS } from '../../config.ts'
import { isSkepError } from '../../errors.ts'
import { mapConcurrent } from '../../storage/concurrent.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import { readFooterBytes } from '../folder/footer.ts'
import { fileMetaData, type SchemaElement } from '../folder/parquet-format.ts'
import { readStruct, thriftInput } from '../folder/thrift.ts'
import type { IcebergField, IcebergType } from '../iceberg/types.ts'
import { unsupportedFeature } from './errors.ts'
import type { ForeignMetadata } from './metadata.ts'
import type { ForeignReader } from './reader.ts'
import { partsOf } from './specs.ts'

/** A data file whose footer can be read. */
export interface FooterFile {
  path: string
  sizeBytes: number
  /** The manifest that lists it. */
  manifest: string
}

const NAME_MAPPING = 'schema.name-mapping.default'

/**
 * Passes when the engine can read these files by field ids. Footers are read of all files where the table has taken in files of others
 * or has nested columns that have not always been as they are, else of one file for each manifest.
 *
 * @throws TABLE_FEATURE_UNSUPPORTED
 */
export async function checkFieldIds(
  reader: ForeignReader,
  metadata: ForeignMetadata,
  fields: readonly IcebergField[],
  files: readonly FooterFile[],
  options: CallOptions,
): Promise<void> {
  const nested = nestedFields(fields)
  const isMixed = NAME_MAPPING in metadata.properties || (nested.nameById.size > 0 && metadata.schemas.length > 1)
  const isForgetful = nested.nameById.size > 0 && hasGaps(metadata)
  const looked = isMixed || isForgetful ? files : firstOfEach(files)
  await mapConcurrent(looked, SETTINGS.footerReads.default, async (file) => {
    const elements = await readElements(reader, file, options)
    if (elements) checkNames(file.path, elements, nested)
  })
}

function firstOfEach(files: readonly FooterFile[]): FooterFile[] {
  return [...Map.groupBy(files, ({ manifest }) => manifest).values()].map((some) => some[0]!)
}

/** Ids of schemas count from 0: a gap is one that was forgotten, and files of it may be left. */
function hasGaps({ schemas }: ForeignMetadata): boolean {
  return Math.max(...schemas.map((schema) => schema['schema-id'])) >= schemas.length
}

/** The fields of structs inside columns. */
interface NestedFields {
  nameById: ReadonlyMap<number, string>
  /** By the id of the struct and the name of the field in it. */
  idByName: ReadonlyMap<string, number>
}

function nestedFields(fields: readonly IcebergField[]): NestedFields {
  const nameById = new Map<number, string>()
  const idByName = new Map<string, number>()
  const walk = (parent: number, type: IcebergType) => {
    for (const part of partsOf(type)) {
      if (typeof type !== 'string' && type.type === 'struct') {
        nameById.set(part.id, part.name)
        idByName.set(nameKey(parent, part.name), part.id)
      }
      walk(part.id, part.type)
    }
  }
  for (const { id, type } of fields) walk(id, type)
  return { nameById, idByName }
}

function nameKey(parent: number | undefined, name: string | undefined): string {
  return `${parent} ${name}`
}

/** Undefined for a file that is not there or damaged: that is no matter before a query has to read it, which then says so. */
async function readElements(
  reader: ForeignReader,
  { path, sizeBytes }: FooterFile,
  options: CallOptions,
): Promise<SchemaElement[] | undefined> {
  try {
    const bytes = await readFooterBytes(reader, { path, sizeBytes }, options)
    return readStruct(thriftInput(path, bytes), fileMetaData).schema ?? []
  } catch (error) {
    if (isSkepError(error, 'FILE_NOT_FOUND') || isSkepError(error, 'FILE_INVALID')) return undefined
    throw error
  }
}

function checkNames(file: string, elements: readonly SchemaElement[], nested: NestedFields): void {
  const columns = withParents(elements)
  if (columns.length > 0 && columns.every(({ element }) => element.fieldId === undefined)) {
    throw unsupportedFeature(file, 'files without field ids')
  }
  for (const { element, parent } of columns) {
    const { fieldId: id, name } = element
    if (id === undefined) continue
    const isRenamed = nested.nameById.has(id) && nested.nameById.get(id) !== name
    const isReplaced = (nested.idByName.get(nameKey(parent, name)) ?? id) !== id
    if (isRenamed || isReplaced) throw unsupportedFeature(file, `renamed fields inside nested columns ("${name}")`)
  }
}

/** The nodes below the root, each with the id of the nearest node above it that has one. */
function withParents(elements: readonly SchemaElement[]): { element: SchemaElement; parent?: number }[] {
  const open: { left: number; id: number | undefined }[] = []
  return elements.slice(1).map((element) => {
    const parent = open.findLast(({ id }) => id !== undefined)?.id
    const above = open.at(-1)
    if (above) above.left--
    open.push({ left: element.childCount ?? 0, id: element.fieldId })
    while (open.length > 0 && open.at(-1)!.left <= 0) open.pop()
    return { element, ...(parent !== undefined && { parent }) }
  })
}
