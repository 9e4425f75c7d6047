/** An object store in memory: for tests, simulations and throw-away warehouses. */
import { compareUtf8 } from '../common/text.ts'
import { throwIfAborted } from '../errors.ts'
import type { ByteRange, CallOptions, ObjectInfo, ObjectPage, ObjectStore } from './object-store.ts'
import { checkPath, checkPrefix, isAfter, listLimit, pageOf } from './path.ts'

/** A store whose objects live as long as it does. Bytes are copied on their way in and out. */
export class MemoryStore implements ObjectStore {
  readonly root: string
  readonly #objects = new Map<string, { bytes: Uint8Array; version: number; modifiedMs: number }>()
  readonly #now: () => number
  #writes = 0

  constructor(root = 'memory:', options: { now?: () => number } = {}) {
    this.root = root
    this.#now = options.now ?? Date.now
  }

  async list(prefix: string, options: CallOptions & { after?: string; limit?: number } = {}): Promise<ObjectPage> {
    throwIfAborted(options.signal)
    checkPrefix(prefix)
    const limit = listLimit(options.limit)
    const paths = [...this.#objects.keys()].filter((path) => path.startsWith(prefix) && isAfter(path, options.after))
    const sorted = paths.sort(compareUtf8).slice(0, limit + 1)
    return pageOf(
      sorted.map((path) => this.#info(path)!),
      limit,
    )
  }

  async stat(path: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    throwIfAborted(options.signal)
    checkPath(path)
    return this.#info(path)
  }

  async read(path: string, options: CallOptions & { range?: ByteRange } = {}): Promise<Uint8Array | undefined> {
    throwIfAborted(options.signal)
    checkPath(path)
    const { start, end } = options.range ?? { start: 0 }
    return this.#objects.get(path)?.bytes.slice(start, end)
  }

  async put(path: string, bytes: Uint8Array, options: CallOptions = {}): Promise<void> {
    throwIfAborted(options.signal)
    checkPath(path)
    this.#objects.set(path, { bytes: bytes.slice(), version: ++this.#writes, modifiedMs: this.#now() })
  }

  async putIfAbsent(path: string, bytes: Uint8Array, options: CallOptions = {}): Promise<boolean> {
    throwIfAborted(options.signal)
    checkPath(path)
    if (this.#objects.has(path)) return false
    await this.put(path, bytes)
    return true
  }

  async delete(path: string, options: CallOptions = {}): Promise<void> {
    throwIfAborted(options.signal)
    checkPath(path)
    this.#objects.delete(path)
  }

  #info(path: string): ObjectInfo | undefined {
    const object = this.#objects.get(path)
    if (object === undefined) return undefined
    const { bytes, version, modifiedMs } = object
    return { path, sizeBytes: bytes.length, version: String(version), modifiedMs }
  }
}
