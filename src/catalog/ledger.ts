/**
 * Which source files a table was made of: an immutable list of SHA-256 hashes beside the table's metadata, named by a property
 * of the table, so that every commit carries it on and none can forget it.
 */
import { SkepError } from '../errors.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import { damagedMetadata, missingMetadata } from './damage.ts'
import type { TableMetadata } from './iceberg/metadata.ts'
import { sealJson, unsealJson } from './seal.ts'
import { newUuid, type Sources } from './sources.ts'

/** The table property that holds the name of the ledger's file in the folder of the metadata. */
export const LEDGER_PROPERTY = 'skep.ledger'

/** The source files of a commit. */
export interface LedgerEntries {
  /** SHA-256 of their bytes, in hexadecimal; each once. */
  hashes: readonly string[]
  /** True when the commit must not come about if the table has one of them already. */
  once: boolean
  /** Most hashes that are kept; the oldest go first. */
  limit: number
}

/** A commit that did not come about, because the table had some of its source files by then. */
export class AlreadyImported extends Error {
  override readonly name = 'AlreadyImported'
  readonly hashes: readonly string[]

  constructor(hashes: readonly string[]) {
    super(`${hashes.length} source files are in the table already`)
    this.hashes = hashes
  }
}

const NAME = /^ledger-[0-9a-f-]+\.json$/

/** The path of the ledger that a state of a table names, below the store's root; undefined when it names none. @throws TABLE_INVALID */
export function ledgerPath(metadata: TableMetadata, folder: string): string | undefined {
  const name = metadata.properties?.[LEDGER_PROPERTY]
  if (name === undefined) return undefined
  const file = `${folder}/metadata/${name}`
  if (NAME.test(name)) return file
  throw new SkepError('TABLE_INVALID', `the table names ${JSON.stringify(name)} as its ledger`, { file })
}

/** The hashes in a ledger, oldest first; none without a path. @throws TABLE_INVALID when it is missing or damaged */
export async function readLedger(
  store: ObjectStore,
  path: string | undefined,
  options: CallOptions = {},
): Promise<string[]> {
  if (path === undefined) return []
  const bytes = await store.read(path, options)
  if (bytes === undefined) throw missingMetadata(path, `, ${WHAT}`)
  const hashes = parseLedger(unsealJson(bytes, path))
  if (hashes === undefined) throw damagedMetadata(path, `it is no ledger; it is ${WHAT}`)
  return hashes
}

const WHAT = 'the list of source files that were imported; an import with --replace starts a new one'

function parseLedger(bytes: Uint8Array): string[] | undefined {
  let json: { version?: unknown; sha256?: unknown } | null
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
  if (json?.version !== 1 || !Array.isArray(json.sha256)) return undefined
  return json.sha256.every((hash) => typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash)) ? json.sha256 : undefined
}

/** A ledger with further hashes at its end, cut at its start to `limit`. */
export function extendLedger(before: readonly string[], { hashes, limit }: LedgerEntries): string[] {
  const own = new Set(hashes)
  return [...before.filter((hash) => !own.has(hash)), ...own].slice(-limit)
}

/** Writes a ledger under a name of its own. */
export async function writeLedger(
  store: ObjectStore,
  sources: Sources,
  folder: string,
  hashes: readonly string[],
): Promise<{ path: string; properties: Record<string, string> }> {
  const name = `ledger-${newUuid(sources)}.json`
  const path = `${folder}/metadata/${name}`
  const json = new TextEncoder().encode(JSON.stringify({ version: 1, sha256: hashes }))
  await store.put(path, sealJson(json, path))
  return { path, properties: { [LEDGER_PROPERTY]: name } }
}

/**
 * The properties of the next state of a table, with the ledger that follows from the last; `path` is what was written for it.
 * A commit that replaces all rows starts the ledger over.
 *
 * @throws AlreadyImported
 */
export async function nextLedger(
  store: ObjectStore,
  sources: Sources,
  base: { metadata: TableMetadata; folder: string; replaces: boolean },
  entries: LedgerEntries | undefined,
  options: CallOptions,
): Promise<{ path?: string; properties: Record<string, string> }> {
  const { metadata, folder, replaces } = base
  const { [LEDGER_PROPERTY]: last, ...rest } = metadata.properties ?? {}
  if (!entries) return { properties: replaces || last === undefined ? rest : { ...rest, [LEDGER_PROPERTY]: last } }
  const before = replaces ? [] : await readLedger(store, ledgerPath(metadata, folder), options)
  const known = entries.once ? knownHashes(before, entries.hashes) : []
  if (known.length > 0) throw new AlreadyImported(known)
  const written = await writeLedger(store, sources, folder, extendLedger(before, entries))
  return { path: written.path, properties: { ...rest, ...written.properties } }
}

/** Those of `hashes` that are in a ledger. */
export function knownHashes(ledger: readonly string[], hashes: readonly string[]): string[] {
  const all = new Set(ledger)
  return hashes.filter((hash) => all.has(hash))
}
