/** The file that rejected rows go to: it appears when the import is done, or not at all. */
import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import type { SourceFile } from '../sources.ts'
import { wrapWriteError } from '../write-errors.ts'

/** A row that was left out. */
export interface Reject {
  /** The source file, as it was named. */
  file: string
  /** From 1: the line on which the row begins. */
  line: number
  /** The column, where one value is to blame. */
  column?: string
  reason: string
  /** What the row says, cut where it is long. */
  text: string
}

const CSV_HEADER = 'file,line,column,reason,text\n'

/** Rejected rows on their way into a file: CSV when its name says so, else NDJSON. */
export class RejectFile implements AsyncDisposable {
  readonly #path: string
  readonly #isCsv: boolean
  readonly #temporary: string
  readonly #handle: FileHandle
  #text = ''
  #isThere = true

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.#path = path
    this.#isCsv = extname(path).toLowerCase() === '.csv'
    this.#temporary = temporary
    this.#handle = handle
  }

  /** A file that will be at `path`, in place of one that is there. @throws ARGUMENT_INVALID for a path that cannot be written or is a source */
  static async open(path: string, sources: readonly SourceFile[]): Promise<RejectFile> {
    const target = resolve(path)
    const known = await stat(target).catch(() => undefined)
    if (path === '-' || path === '' || (known && !known.isFile())) throw invalid(`"${path}" is no file`)
    if (sources.some((source) => source.path === target)) throw invalid(`${path} is a file that is imported`)
    const temporary = join(dirname(target), `.${basename(target)}-${randomBytes(6).toString('hex')}.tmp`)
    try {
      return new RejectFile(target, temporary, await open(temporary, 'wx'))
    } catch (cause) {
      throw invalid(`${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
    }
  }

  /** Begins anew. */
  async clear(): Promise<void> {
    this.#text = this.#isCsv ? CSV_HEADER : ''
    await this.#guard(() => this.#handle.truncate(0))
    await this.#flush()
  }

  /** Adds a row at the end. */
  async add(reject: Reject): Promise<void> {
    const { file, line, column, reason, text } = reject
    this.#text += this.#isCsv
      ? `${[file, String(line), column ?? '', reason, text].map(csvField).join(',')}\n`
      : `${JSON.stringify({ file, line, ...(column === undefined ? {} : { column }), reason, text })}\n`
    if (this.#text.length >= SETTINGS.bufferBytes.default) await this.#flush()
  }

  /** Makes what was added durable, under another name still. @throws DISK_FULL */
  async sync(): Promise<void> {
    await this.#flush()
    await this.#guard(() => this.#handle.sync())
  }

  /** Gives the file its name. */
  async publish(): Promise<void> {
    await this.#handle.close()
    await this.#guard(() => rename(this.#temporary, this.#path))
    this.#isThere = false
  }

  /** Removes what was not published. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isThere) return
    await this.#handle.close().catch(() => undefined)
    await unlink(this.#temporary).catch(() => undefined)
  }

  async #flush(): Promise<void> {
    const text = this.#text
    this.#text = ''
    // From the place after the last: truncating leaves the position of the handle behind the end.
    await this.#guard(async () => {
      const { size } = await this.#handle.stat()
      const bytes = Buffer.from(text)
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#handle.write(bytes, at, bytes.length - at, size + at)).bytesWritten
      }
    })
  }

  async #guard<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step()
    } catch (error) {
      throw wrapWriteError(error, this.#path)
    }
  }
}

function csvField(value: string): string {
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}

function invalid(why: string, cause?: unknown): SkepError {
  return new SkepError('ARGUMENT_INVALID', `--rejects: ${why}`, { argument: 'rejects' }, { cause })
}
