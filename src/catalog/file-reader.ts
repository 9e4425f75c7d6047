/** How tables that others write are read: files by their absolute paths, each call bounded, each failure coded. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import { DiskStore, isMissing, readError } from '../storage/disk-store.ts'
import { stampFiles } from '../storage/file-tree.ts'
import type { ByteRange, CallOptions, ObjectInfo, StampedFile } from '../storage/object-store.ts'

/** Files by absolute paths, as users and other programs write them. Nothing is ever written. */
export interface FileReader {
  /** The bytes of a file, or of a range of it (clamped to its end); undefined when there is none. @throws FILE_LIMIT for more than `limitBytes` */
  read(
    path: string,
    options?: CallOptions & { range?: ByteRange; limitBytes?: number },
  ): Promise<Uint8Array | undefined>
  /** The names of the files and folders right in a folder, in no order; none when it does not exist. */
  list(folder: string, options?: CallOptions): Promise<string[]>
  /** Size, version and time of a file, or undefined when there is none. */
  stat(path: string, options?: CallOptions): Promise<ObjectInfo | undefined>
  /** Sizes and stamps of many files, undefined for what is no file: what a query holds its files against when it is done. */
  stamp(paths: readonly string[], options?: CallOptions): Promise<(StampedFile | undefined)[]>
}

/** The files of this machine's disks. */
export class DiskReader implements FileReader {
  readonly #store = new DiskStore('/')

  async read(
    path: string,
    { limitBytes = SETTINGS.attachedFileBytes.default, ...options }: Parameters<FileReader['read']>[1] = {},
  ): Promise<Uint8Array | undefined> {
    const sizeBytes = options.range ? sizeOf(options.range) : ((await this.stat(path, options))?.sizeBytes ?? 0)
    if (sizeBytes > limitBytes) throw tooLarge(path, limitBytes)
    return await this.#store.read(below(path), options)
  }

  async list(folder: string, options: CallOptions = {}): Promise<string[]> {
    options.signal?.throwIfAborted()
    try {
      return await readdir(folder)
    } catch (error) {
      if (isMissing(error)) return []
      throw readError(error, folder)
    }
  }

  async stat(path: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const found = await this.#store.stat(below(path), options)
    return found && { ...found, path }
  }

  async stamp(paths: readonly string[], options: CallOptions = {}): Promise<(StampedFile | undefined)[]> {
    return await stampFiles('', paths, options)
  }
}

function sizeOf({ start, end }: ByteRange): number {
  return Math.max(0, end - start)
}

/** Absolute paths are those below the root of the disk. */
function below(path: string): string {
  return join('/', path).slice(1)
}

function tooLarge(file: string, limit: number): SkepError<'FILE_LIMIT'> {
  const message = `${file} has more than ${limit} bytes: no metadata that Skep reads is so large`
  return new SkepError('FILE_LIMIT', message, { setting: 'attachedFileBytes', limit })
}
