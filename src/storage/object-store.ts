/** Where a warehouse keeps its bytes: a flat space of immutable objects under one root. */
import type { CacheUse } from './cache-use.ts'

/** One object as a listing shows it. */
export interface ObjectInfo {
  /** Path below the store's root, with `/` between its parts and none in front. */
  path: string
  sizeBytes: number
  /** Changes whenever the bytes may have changed: an entity tag, or size and modification time. */
  version: string
  /** When its bytes were last written, by the store's clock: milliseconds since 1970. */
  modifiedMs: number
}

/** A file by its stamp. */
export type StampedFile = Pick<ObjectInfo, 'path' | 'sizeBytes' | 'version'>

/** One page of a listing, in the order of the paths' UTF-8 bytes. */
export interface ObjectPage {
  objects: ObjectInfo[]
  /** Passed as `after` to get the next page; absent on the last one. */
  next?: string
}

/** Half-open range of bytes `[start, end)`. */
export interface ByteRange {
  start: number
  end: number
}

/** What a wait can be ended with, and who is told what of it was remembered. */
export interface CallOptions {
  signal?: AbortSignal | undefined
  cacheUse?: CacheUse | undefined
}

/**
 * An object store. Every implementation passes one conformance suite.
 *
 * Paths never leave the root: `..`, empty parts, backslashes, NUL and absolute paths are refused with `ARGUMENT_INVALID`.
 * Writes are atomic (readers see all or nothing) and durable before they resolve.
 * Foreign errors are wrapped where they enter: `DISK_FULL`, `WAREHOUSE_UNWRITABLE`, `FILE_UNREADABLE`, `STORE_UNAVAILABLE`.
 */
export interface ObjectStore {
  /** The root as users and other programs address it: an absolute path, or a URL such as `s3://bucket/prefix`. */
  readonly root: string
  /** Objects whose path starts with `prefix`, from all depths; at most `limit` (1,000 when absent) a page. A missing root is empty. */
  list(prefix: string, options?: CallOptions & { after?: string; limit?: number }): Promise<ObjectPage>
  /** Size and version of an object, or undefined when there is none. */
  stat(path: string, options?: CallOptions): Promise<ObjectInfo | undefined>
  /** The bytes of an object, or of a range of it (clamped to its end); undefined when there is no such object. */
  read(path: string, options?: CallOptions & { range?: ByteRange }): Promise<Uint8Array | undefined>
  /** Writes an object, replacing one of that path. */
  put(path: string, bytes: Uint8Array, options?: CallOptions): Promise<void>
  /** Writes an object unless one of that path exists; false when one did. Of any number of racing writers one gets true. */
  putIfAbsent(path: string, bytes: Uint8Array, options?: CallOptions): Promise<boolean>
  /** Deletes an object; deleting one that does not exist succeeds. */
  delete(path: string, options?: CallOptions): Promise<void>
}
