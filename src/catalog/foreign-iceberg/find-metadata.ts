/** Finding the metadata file that says what a table is now. Source: Iceberg specification, "File System Tables" and "Metastore Tables". */
import { gunzipSync } from 'node:zlib'
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import { guardForeign } from './errors.ts'
import { type ForeignMetadata, parseForeignMetadata } from './metadata.ts'
import { type ForeignPlace, plainPath } from './place.ts'
import { type ForeignReader, readWhole } from './reader.ts'

/** Metadata, and where its table is. */
export interface FoundMetadata {
  metadata: ForeignMetadata
  place: ForeignPlace
}

const METADATA_NAME = /(?:\.gz)?\.metadata\.json(?:\.gz)?$/
const HINT = 'version-hint.text'

/**
 * The newest metadata of the table in a folder, or that of the metadata file itself when `root` is one.
 *
 * @throws FILE_NOT_FOUND when there is none
 * @throws TABLE_INVALID, TABLE_FEATURE_UNSUPPORTED
 */
export async function findMetadata(
  reader: ForeignReader,
  root: string,
  options: CallOptions = {},
): Promise<FoundMetadata> {
  const plain = plainPath(root)
  const metadata = METADATA_NAME.test(plain)
    ? await readMetadata(reader, plain, options)
    : await newestMetadata(reader, `${plain}/metadata`, options)
  const folder = METADATA_NAME.test(plain) ? folderOf(plain) : plain
  return { metadata, place: { folder, location: metadata.location } }
}

/** Metadata stands in a folder of this name below its table's, unless the table keeps it elsewhere. */
function folderOf(file: string): string {
  const parent = file.slice(0, file.lastIndexOf('/'))
  return parent.endsWith('/metadata') ? parent.slice(0, -'/metadata'.length) : parent
}

async function newestMetadata(reader: ForeignReader, folder: string, options: CallOptions): Promise<ForeignMetadata> {
  const names = (await reader.list(folder, options)).filter((name) => METADATA_NAME.test(name))
  const hinted = await hintedNames(reader, folder, new Set(names), options)
  const candidates = hinted ?? newestNames(names)
  const all = await Promise.all(candidates.map((name) => readMetadata(reader, `${folder}/${name}`, options)))
  const newest = all.reduce<ForeignMetadata | undefined>(
    (best, metadata) => (best === undefined || metadata.updatedMs > best.updatedMs ? metadata : best),
    undefined,
  )
  if (newest) return newest
  throw new SkepError('FILE_NOT_FOUND', `there is no Iceberg table: ${folder} has no metadata file`, { file: folder })
}

/** The file that the hint names. A number is a lower bound: a version counts as soon as its file is there, the hint comes later. */
async function hintedNames(
  reader: ForeignReader,
  folder: string,
  names: ReadonlySet<string>,
  options: CallOptions,
): Promise<string[] | undefined> {
  const bytes = await reader.read(`${folder}/${HINT}`, options)
  const hint = bytes && Buffer.from(bytes).toString('utf8').trim()
  if (hint === undefined || hint === '') return undefined
  if (/^\d+$/.test(hint)) {
    const versions = [...names].filter((name) => kindOf(name) === 'version')
    return versions.some((name) => numberOf(name) >= Number(hint)) ? highest(versions) : undefined
  }
  const found = [hint, `${hint}.metadata.json`, `v${hint}.metadata.json`].find((name) => names.has(name))
  return found === undefined ? undefined : [found]
}

/** The names with the highest number, of either kind of table: which of them is newest only their content tells. */
function newestNames(names: readonly string[]): string[] {
  return [...Map.groupBy(names, kindOf)].flatMap(([kind, some]) => (kind === undefined ? [] : highest(some)))
}

function highest(names: readonly string[]): string[] {
  const newest = Math.max(...names.map(numberOf))
  return names.filter((name) => numberOf(name) === newest)
}

/** Tables of a file system count versions; catalogs add an id, as several writers may try one number. */
function kindOf(name: string): 'version' | 'catalog' | undefined {
  if (/^v\d+\./.test(name)) return 'version'
  return /^\d+-/.test(name) ? 'catalog' : undefined
}

function numberOf(name: string): number {
  return Number(/^v?(\d+)/.exec(name)?.[1])
}

async function readMetadata(reader: ForeignReader, file: string, options: CallOptions): Promise<ForeignMetadata> {
  const bytes = await readWhole(reader, file, options)
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b
  return parseForeignMetadata(isPacked ? guardForeign(file, () => unpack(bytes)) : bytes, file)
}

function unpack(bytes: Uint8Array): Uint8Array {
  return gunzipSync(bytes, { maxOutputLength: SETTINGS.manifestBlockBytes.default })
}
