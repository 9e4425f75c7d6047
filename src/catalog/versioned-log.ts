/** The one way in which anything changes: a folder of numbered immutable versions, of which the highest counts. */
import { SETTINGS } from '../config.ts'
import { isSkepError, SkepError } from '../errors.ts'
import type { CallOptions, ObjectInfo, ObjectStore } from '../storage/object-store.ts'
import { missingMetadata } from './damage.ts'
import { sealJson, unsealJson } from './seal.ts'
import type { Sources } from './sources.ts'

/** The file that tells other programs which version is newest, and us that a version which it names was there. */
const HINT = 'version-hint.text'

/** What a listing of a log's folder shows. */
export interface LogListing {
  /** The highest version, 0 when there is none. */
  listed: number
  /** Whether there is a hint. */
  isHinted: boolean
}

/** A listing with one more file of the folder. */
export function withFile(listing: LogListing | undefined, name: string, suffix: string): LogListing {
  const { listed, isHinted } = listing ?? { listed: 0, isHinted: false }
  return { listed: Math.max(listed, versionOf(name, suffix)), isHinted: isHinted || name === HINT }
}

/**
 * A log of versions `v1<suffix>`, `v2<suffix>` … in a folder of a store. Whoever writes version n+1 first has changed the state
 * that version n was; everybody else learns that they lost.
 *
 * Whoever removes old versions removes them from the lowest up, and never the highest: while one is there, so are all above it.
 */
export class VersionedLog {
  readonly #store: ObjectStore
  readonly #sources: Sources
  readonly #folder: string
  readonly #suffix: string

  constructor(store: ObjectStore, sources: Sources, folder: string, suffix: '.json' | '.metadata.json') {
    this.#store = store
    this.#sources = sources
    this.#folder = folder
    this.#suffix = suffix
  }

  /** The path of a version below the store's root. */
  path(version: number): string {
    return `${this.#folder}/v${version}${this.#suffix}`
  }

  /**
   * The highest version, 0 when there is none. A listing, unless it was `seen`, and the reading of a hint, which may be old but never ahead;
   * in place of the listing two look-ups and a few more for the versions that have come since when `known`, a version that was there
   * once, is still there.
   *
   * @throws TABLE_INVALID when the hint names a later version: that one was lost
   */
  async head(options: CallOptions = {}, known = 0, seen?: LogListing): Promise<number> {
    const found = known > 0 ? await this.#fromKnown(known, options) : undefined
    if (found !== undefined) return found
    const { listed, hinted } = await this.#ends(options, seen)
    if (hinted > listed) throw this.#lost(listed, hinted)
    return listed
  }

  /** The highest version, given one that was there; undefined when that one is gone, or a later one is lost. Mostly it is the highest still. */
  async #fromKnown(known: number, options: CallOptions): Promise<number | undefined> {
    const stat = (version: number) => this.#store.stat(this.path(version), options)
    const [next, hinted] = await Promise.all([stat(known + 1), this.#hinted(options)])
    // While this one is there, none above it has been removed.
    if ((await stat(known)) === undefined) return undefined
    const highest = next === undefined ? known : await this.#climb(known + 1, options)
    return highest !== undefined && hinted <= highest ? highest : undefined
  }

  /** The highest version, found from one below it; undefined when that one is gone. */
  async #climb(known: number, options: CallOptions): Promise<number | undefined> {
    const has = async (version: number) => (await this.#store.stat(this.path(version), options)) !== undefined
    let version = known
    let isRising = true
    for (let step = 1; step >= 1; step = isRising ? step * 2 : step / 2) {
      if (await has(version + step)) version += step
      else isRising = false
    }
    // The next one was missing while this one was there: it was not removed, it was not written yet.
    return (await has(version)) ? version : undefined
  }

  /** The highest version that is or was there. */
  async last(options: CallOptions = {}): Promise<number> {
    const { listed, hinted } = await this.#ends(options)
    return Math.max(listed, hinted)
  }

  /** The hint is written after its version: where it is ahead of a listing, the listing may be the older of the two. */
  async #ends(options: CallOptions, seen?: LogListing): Promise<{ listed: number; hinted: number }> {
    const { listed, isHinted } = seen ?? (await this.#list(options))
    const hinted = isHinted ? await this.#hinted(options) : 0
    return { listed: hinted > listed ? (await this.#list(options)).listed : listed, hinted }
  }

  async #list(options: CallOptions): Promise<LogListing> {
    let listing: LogListing = { listed: 0, isHinted: false }
    for await (const path of listAll(this.#store, `${this.#folder}/v`, options)) {
      listing = withFile(listing, path.slice(this.#folder.length + 1), this.#suffix)
    }
    return listing
  }

  async #hinted(options: CallOptions): Promise<number> {
    const text = new TextDecoder().decode(await this.#store.read(`${this.#folder}/${HINT}`, options))
    return /^[1-9]\d{0,13}$/.test(text) ? Number(text) : 0
  }

  #lost(listed: number, hinted: number) {
    const newest = listed === 0 ? '' : `, or, if version ${listed} is the newest, write ${listed} into that file`
    return missingMetadata(this.path(hinted), `, which ${this.#folder}/${HINT} names${newest}`)
  }

  /** The JSON of a version as it was appended. @throws TABLE_INVALID when it is missing or does not match its checksum */
  async read(version: number, options: CallOptions = {}): Promise<Uint8Array> {
    const file = this.path(version)
    const bytes = await this.#store.read(file, options)
    if (bytes === undefined) throw missingMetadata(file)
    return unsealJson(bytes, file)
  }

  /**
   * True when this JSON object became that version, false when another writer's did. It has to be unlike any other writer's (hold a
   * random id): when the reply to the write is lost, the version is read back, and bytes equal to these are ours. Also false when
   * that version is gone again under newer ones: whether it was ours, the id in the newest one tells.
   *
   * @throws STORE_UNAVAILABLE with `outcome: 'unknown'` when that cannot be found out; the version may still appear later
   */
  async append(version: number, json: Uint8Array): Promise<boolean> {
    const isOurs = await this.#put(version, sealJson(json, this.path(version)))
    if (isOurs) await this.#hint(version)
    return isOurs
  }

  /** A hint that is missing or old costs nothing but the notice that a later version was lost. */
  async #hint(version: number): Promise<void> {
    const bytes = new TextEncoder().encode(String(version))
    await this.#store.put(`${this.#folder}/${HINT}`, bytes).catch(() => undefined)
  }

  async #put(version: number, bytes: Uint8Array): Promise<boolean> {
    let doubt: unknown
    for (let attempt = 1; ; attempt++) {
      const written = await this.#store.putIfAbsent(this.path(version), bytes).catch((error: unknown) => {
        // A refusal says that this attempt did nothing; an earlier one may still arrive.
        if (doubt === undefined && isRefusal(error)) throw error
        doubt ??= error
      })
      if (written) return true
      const isOurs = await this.#isOurs(version, bytes).catch((error: unknown) => {
        doubt ??= error
      })
      if (isOurs !== undefined) return isOurs
      if (written === false && doubt === undefined) return false
      if (attempt === SETTINGS.storeAttempts.default) throw unknownOutcome(this.path(version), doubt)
      await this.#sources.sleep(this.#sources.random() * SETTINGS.storeBackoffMs.default * 2 ** attempt)
    }
  }

  /** Whether a version is what was written; undefined when it is not written yet. */
  async #isOurs(version: number, bytes: Uint8Array): Promise<boolean | undefined> {
    const isOurs = await this.#holds(version, bytes)
    return isOurs === undefined && (await this.head()) > version ? false : isOurs
  }

  /** Whether a version has these bytes; undefined when there is no such version. */
  async #holds(version: number, bytes: Uint8Array): Promise<boolean | undefined> {
    const found = await this.#store.read(this.path(version))
    return found && Buffer.compare(found, bytes) === 0
  }
}

function isRefusal(error: unknown): boolean {
  return isSkepError(error) && error.kind !== 'unavailable' && error.kind !== 'internal'
}

function unknownOutcome(path: string, cause: unknown): SkepError {
  const message = `the storage failed on ${path}; whether it was written is not known`
  return new SkepError('STORE_UNAVAILABLE', message, { path, outcome: 'unknown' }, { cause })
}

/**
 * The error of a step whose outcome is not known, in the words of whoever asked for it: `what` may have happened, `look` finds out.
 * Other errors come back as they are.
 */
export function explainUnknown(
  error: unknown,
  table: string,
  words: { what: string; look: string; commitId?: string },
): unknown {
  if (!isSkepError(error, 'STORE_UNAVAILABLE') || error.details.outcome !== 'unknown') return error
  const { what, look, commitId } = words
  const message = `the storage did not answer in time, and whether ${what} is not known: ${look} before you repeat it`
  const details = { ...error.details, table, ...(commitId !== undefined && { commitId }) }
  return new SkepError('STORE_UNAVAILABLE', message, details, { cause: error })
}

/** The number in the name `v<number><suffix>` of a version, 0 for other names. */
export function versionOf(name: string, suffix: string): number {
  if (!name.startsWith('v') || !name.endsWith(suffix)) return 0
  const digits = name.slice(1, -suffix.length)
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : 0
}

/** The paths of all objects below a prefix, in the order of their bytes. */
export async function* listAll(store: ObjectStore, prefix: string, options: CallOptions = {}): AsyncGenerator<string> {
  for await (const { path } of listObjects(store, prefix, options)) yield path
}

/** All objects below a prefix, in the order of their paths' bytes. */
export async function* listObjects(
  store: ObjectStore,
  prefix: string,
  options: CallOptions = {},
): AsyncGenerator<ObjectInfo> {
  let after: string | undefined
  do {
    const paging = after === undefined ? {} : { after }
    const page = await store.list(prefix, { ...options, ...paging, limit: SETTINGS.logPage.default })
    yield* page.objects
    after = page.next
  } while (after !== undefined)
}
