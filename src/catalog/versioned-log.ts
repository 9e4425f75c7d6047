/** The one way in which anything changes: a folder of numbered immutable versions, of which the highest counts. */
import { isSkepError, SkepError } from '../errors.ts'
import type { CallOptions, ObjectInfo, ObjectStore } from '../storage/object-store.ts'
import type { Sources } from './sources.ts'

const PAGE_OBJECTS = 100_000
const UNAVAILABLE_ATTEMPTS = 5
const BACKOFF_MS = 20

/**
 * A log of versions `v1<suffix>`, `v2<suffix>` … in a folder of a store. Whoever writes version n+1 first has changed the state
 * that version n was; everybody else learns that they lost.
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

  /** The highest version, 0 when there is none. One listing, and never a hint that may be old. */
  async head(options: CallOptions = {}): Promise<number> {
    let head = 0
    for await (const path of listAll(this.#store, `${this.#folder}/v`, options)) {
      head = Math.max(head, versionOf(path.slice(this.#folder.length + 1), this.#suffix))
    }
    return head
  }

  /** The bytes of a version. @throws TABLE_INVALID when it is missing */
  async read(version: number, options: CallOptions = {}): Promise<Uint8Array> {
    const file = this.path(version)
    const bytes = await this.#store.read(file, options)
    if (bytes === undefined) throw new SkepError('TABLE_INVALID', `${file} is missing`, { file })
    return bytes
  }

  /**
   * True when these bytes became that version, false when another writer's did. They have to be unlike any other writer's (hold a
   * random id): when the reply to the write is lost, the version is read back, and bytes equal to these are ours.
   *
   * @throws STORE_UNAVAILABLE when the outcome stays unknown; the version may still appear later
   */
  async append(version: number, bytes: Uint8Array): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        return (
          (await this.#store.putIfAbsent(this.path(version), bytes)) || (await this.#holds(version, bytes)) === true
        )
      } catch (error) {
        if (!isSkepError(error, 'STORE_UNAVAILABLE')) throw error
        const isOurs = await this.#holds(version, bytes).catch(() => undefined)
        if (isOurs !== undefined) return isOurs
        if (attempt === UNAVAILABLE_ATTEMPTS) throw error
      }
      await this.#sources.sleep(this.#sources.random() * BACKOFF_MS * 2 ** attempt)
    }
  }

  /** Whether a version has these bytes; undefined when there is no such version. */
  async #holds(version: number, bytes: Uint8Array): Promise<boolean | undefined> {
    const found = await this.#store.read(this.path(version))
    return found && Buffer.compare(found, bytes) === 0
  }
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
    const page = await store.list(prefix, { ...options, ...paging, limit: PAGE_OBJECTS })
    yield* page.objects
    after = page.next
  } while (after !== undefined)
}
