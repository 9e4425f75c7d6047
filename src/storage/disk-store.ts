/** An object store in a folder of a disk: every object is a file. */
import { randomUUID } from 'node:crypto'
import { closeSync, type Dirent, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { constants, link, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve, sep } from 'node:path'
import { compareUtf8 } from '../common/text.ts'
import { SETTINGS } from '../config.ts'
import { isSkepError, SkepError, throwIfAborted } from '../errors.ts'
import type { ByteRange, CallOptions, ObjectInfo, ObjectPage, ObjectStore } from './object-store.ts'
import { DiskPace } from './pace.ts'
import { checkPath, checkPrefix, isAfter, listLimit, pageOf } from './path.ts'
import { nameOfProcess, systemProcesses } from './processes.ts'

/** Folder below the root for files that are being written; what a crash leaves there is never listed. */
const TEMPORARY = '.tmp'

/**
 * A store below a folder, which is made at the first write. Writers only ever rename or link complete, synced files into place,
 * so readers of any process see all of an object or nothing. Symbolic links below the root are not listed.
 */
export class DiskStore implements ObjectStore {
  readonly root: string
  /** With which the names of temporary files begin, so that vacuum can tell whose they are. */
  readonly #mark = nameOfProcess(systemProcesses().self)
  readonly #pace = new DiskPace()

  constructor(root: string) {
    this.root = resolve(root)
  }

  async list(prefix: string, options: CallOptions & { after?: string; limit?: number } = {}): Promise<ObjectPage> {
    checkPrefix(prefix)
    const limit = listLimit(options.limit)
    const objects: ObjectInfo[] = []
    if (prefix.startsWith('.')) return { objects }
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    for await (const path of this.#walk(folder, { prefix, after: options.after, signal: options.signal })) {
      const info = await this.stat(path)
      if (info) objects.push(info)
      if (objects.length > limit) break
    }
    return pageOf(objects, limit)
  }

  async stat(path: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    throwIfAborted(options.signal)
    checkPath(path)
    try {
      const file = this.#file(path)
      const found = this.#pace.isFast
        ? this.#pace.look(() => statSync(file, { bigint: true, throwIfNoEntry: false }))
        : await stat(file, { bigint: true })
      if (!found?.isFile()) return undefined
      const version = `${found.size}-${found.mtimeNs}-${found.ino}`
      return { path, sizeBytes: Number(found.size), version, modifiedMs: Number(found.mtimeNs / 1_000_000n) }
    } catch (error) {
      if (isMissing(error)) return undefined
      throw readError(error, path)
    }
  }

  async read(path: string, options: CallOptions & { range?: ByteRange } = {}): Promise<Uint8Array | undefined> {
    throwIfAborted(options.signal)
    checkPath(path)
    try {
      const file = this.#file(path)
      const bytes = this.#pace.isFast ? this.#pace.look(() => readNow(file, options.range)) : undefined
      return bytes ?? (await readSoon(file, options))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw readError(error, path)
    }
  }

  async put(path: string, bytes: Uint8Array, options: CallOptions = {}): Promise<void> {
    await this.#write(path, bytes, options.signal, async (temporary, file) => {
      await rename(temporary, file)
      return true
    })
  }

  async putIfAbsent(path: string, bytes: Uint8Array, options: CallOptions = {}): Promise<boolean> {
    return await this.#write(path, bytes, options.signal, linkUnlessPresent)
  }

  async delete(path: string, options: CallOptions = {}): Promise<void> {
    throwIfAborted(options.signal)
    checkPath(path)
    try {
      await unlink(this.#file(path))
      await syncFolder(dirname(this.#file(path)))
    } catch (error) {
      if (!isMissing(error)) throw writeError(error, path)
    }
  }

  #file(path: string): string {
    return join(this.root, ...path.split('/'))
  }

  /** Writes a temporary file and has `place` give it its final name; true when it did. */
  async #write(
    path: string,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
    place: (temporary: string, file: string) => Promise<boolean>,
  ): Promise<boolean> {
    throwIfAborted(signal)
    checkPath(path)
    const temporary = join(this.root, TEMPORARY, `${this.#mark}-${randomUUID()}`)
    let isPlaced = false
    try {
      await this.#ensureFolder(dirname(temporary))
      await writeSynced(temporary, bytes)
      throwIfAborted(signal)
      isPlaced = await this.#place(temporary, this.#file(path), place)
      if (isPlaced) await syncFolder(dirname(this.#file(path)))
      return isPlaced
    } catch (error) {
      // Once the name exists, its durability is unknown rather than its absence known.
      throw isPlaced ? unavailable(error, path) : writeError(error, path)
    } finally {
      await unlink(temporary).catch(() => undefined)
    }
  }

  /** Another process may remove an empty folder between its making and its use, hence more than one attempt. */
  async #place(
    temporary: string,
    file: string,
    place: (temporary: string, file: string) => Promise<boolean>,
  ): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await place(temporary, file)
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' || attempt === SETTINGS.placeAttempts.default) throw error
        await this.#ensureFolder(dirname(file))
      }
    }
  }

  async #ensureFolder(folder: string): Promise<void> {
    const first = await mkdir(folder, { recursive: true })
    if (first === undefined) return
    for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
  }

  /** The paths below a folder (`''` or ending in `/`) in the order of their bytes. */
  async *#walk(
    folder: string,
    wanted: { prefix: string; after: string | undefined; signal: AbortSignal | undefined },
  ): AsyncGenerator<string> {
    throwIfAborted(wanted.signal)
    for (const { path, isFolder } of await this.#children(folder)) {
      if (isFolder) {
        if (mayHold(path, wanted.prefix, wanted.after)) yield* this.#walk(path, wanted)
      } else if (path.startsWith(wanted.prefix) && isAfter(path, wanted.after)) yield path
    }
  }

  /** A folder's path ends in `/` here: that is what makes the order of siblings the order of all paths below them. */
  async #children(folder: string): Promise<{ path: string; isFolder: boolean }[]> {
    const entries = await this.#readFolder(folder)
    const shown = entries.filter((entry) => (entry.isFile() || entry.isDirectory()) && isShown(folder, entry.name))
    const children = shown.map((entry) => {
      const isFolder = entry.isDirectory()
      return { path: `${folder}${entry.name}${isFolder ? '/' : ''}`, isFolder }
    })
    return children.sort((a, b) => compareUtf8(a.path, b.path))
  }

  async #readFolder(folder: string): Promise<Dirent[]> {
    try {
      return await readdir(join(this.root, ...folder.split('/')), { withFileTypes: true })
    } catch (error) {
      if (isMissing(error)) return []
      throw readError(error, folder)
    }
  }
}

function isShown(folder: string, name: string): boolean {
  return !(folder === '' && name.startsWith('.')) && (sep === '/' ? !name.includes('\\') : true)
}

function mayHold(folder: string, prefix: string, after: string | undefined): boolean {
  const isNear = folder.startsWith(prefix) || prefix.startsWith(folder)
  return isNear && (isAfter(folder, after) || after!.startsWith(folder))
}

async function linkUnlessPresent(temporary: string, file: string): Promise<boolean> {
  try {
    await link(temporary, file)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function writeSynced(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o666)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the names in a folder durable. Systems that cannot open a folder (Windows) keep them durable themselves. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Opening what is no file, and has no writer, does not wait for one. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** The bytes of a small file, or of a range of it; undefined where more than a look is needed. */
function readNow(file: string, range: ByteRange | undefined): Uint8Array | undefined {
  const handle = openSync(file, READ)
  try {
    const found = fstatSync(handle)
    const { start, length } = stretchOf(range, found.size)
    if (!found.isFile() || length > SETTINGS.quickBytes.default) return undefined
    const bytes = new Uint8Array(length)
    return readSync(handle, bytes, 0, length, start) === length ? bytes : undefined
  } finally {
    closeSync(handle)
  }
}

/** The bytes of a file, or of a range of it; undefined for what is no file. */
async function readSoon(
  file: string,
  { range, signal }: CallOptions & { range?: ByteRange },
): Promise<Uint8Array | undefined> {
  const handle = await open(file, READ)
  try {
    const found = await handle.stat()
    if (!found.isFile()) return undefined
    const { start, length } = stretchOf(range, found.size)
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length; ) {
      throwIfAborted(signal)
      const step = Math.min(SETTINGS.readStepBytes.default, length - done)
      const { bytesRead } = await handle.read(bytes, done, step, start + done)
      if (bytesRead === 0) throw new Error('the file became shorter while it was read')
      done += bytesRead
    }
    return bytes
  } finally {
    await handle.close()
  }
}

/** The part of a range that is inside the file. */
function stretchOf(range: ByteRange | undefined, sizeBytes: number): { start: number; length: number } {
  const start = Math.min(Math.max(range?.start ?? 0, 0), sizeBytes)
  return { start, length: Math.max(0, Math.min(range?.end ?? sizeBytes, sizeBytes) - start) }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}

/** True for the system's error of a path that does not exist. */
export function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(codeOf(error) ?? '')
}

/** The coded error for a failed read of a path. */
export function readError(error: unknown, path: string): SkepError {
  if (isSkepError(error)) return error
  const code = codeOf(error)
  if (code === 'EACCES' || code === 'EPERM') {
    return new SkepError('FILE_UNREADABLE', `${path} may not be read`, { file: path }, { cause: error })
  }
  return unavailable(error, path)
}

function writeError(error: unknown, path: string): SkepError {
  if (isSkepError(error)) return error
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new SkepError('DISK_FULL', 'the disk of the warehouse is full', { path }, { cause: error })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ENOTDIR':
    case 'EEXIST':
    case 'EISDIR':
      return new SkepError('WAREHOUSE_UNWRITABLE', `${path} cannot be written`, { path }, { cause: error })
    default:
      return unavailable(error, path)
  }
}

function unavailable(error: unknown, path: string): SkepError {
  if (isSkepError(error, 'STORE_UNAVAILABLE')) return error
  return new SkepError('STORE_UNAVAILABLE', `the storage failed on ${path}`, { path }, { cause: error })
}
