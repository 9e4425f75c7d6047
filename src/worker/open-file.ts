/** A file that a worker reads ranges of, without waiting: its thread has nothing else to do. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { isSkepError } from '../errors.ts'

/** Says that a file cannot be decoded here; the engine reads it, or says what is wrong with it. */
export class Undecodable extends Error {
  override readonly name = 'Undecodable'
}

/**
 * Why the engine has to run a query instead, or says what is wrong: what an error of reading, unpacking or decoding means. Undefined for
 * a mistake of ours.
 */
export function reasonForEngine(error: unknown): string | undefined {
  // Traps are for want of memory, which is no more than 4 GB here; the engine spills.
  const isExpected =
    error instanceof Undecodable ||
    isSkepError(error) ||
    error instanceof RangeError ||
    (error instanceof Error && (error.name === 'RuntimeError' || 'syscall' in error))
  return isExpected ? (error as Error).message : undefined
}

/** Bytes that are read into again and again. */
export class ReadBuffer {
  #bytes = Buffer.alloc(0)

  /** Room for so many bytes; what was in it is lost. */
  take(count: number): Buffer {
    if (this.#bytes.length < count) this.#bytes = Buffer.allocUnsafeSlow(Math.max(count, 2 * this.#bytes.length))
    return this.#bytes.subarray(0, count)
  }
}

/** An open file. What {@link read} gives is valid until its buffer is read into again. */
export class OpenFile implements Disposable {
  readonly path: string
  readonly sizeBytes: number
  readonly #descriptor: number
  readonly #buffer: ReadBuffer

  /** @throws the system's error when it cannot be opened */
  constructor(path: string, buffer: ReadBuffer) {
    this.path = path
    this.#buffer = buffer
    this.#descriptor = openSync(path, 'r')
    this.sizeBytes = fstatSync(this.#descriptor).size
  }

  /** The bytes [start, start + count). @throws Undecodable when the file has become shorter */
  read(start: number, count: number): Buffer {
    const bytes = this.#buffer.take(count)
    for (let done = 0; done < count; ) {
      const read = readSync(this.#descriptor, bytes, done, count - done, start + done)
      if (read === 0) throw new Undecodable('it ends too early')
      done += read
    }
    return bytes
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}
