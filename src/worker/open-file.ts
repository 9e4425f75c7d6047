/** A file that a worker reads ranges of, without waiting: its thread has nothing else to do. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** Says that a file cannot be decoded here; the engine reads it, or says what is wrong with it. */
export class Undecodable extends Error {
  override readonly name = 'Undecodable'
}

/** An open file. What {@link read} gives is valid until the next call. */
export class OpenFile implements Disposable {
  readonly path: string
  readonly sizeBytes: number
  readonly #descriptor: number
  #buffer = Buffer.alloc(0)

  /** @throws the system's error when it cannot be opened */
  constructor(path: string) {
    this.path = path
    this.#descriptor = openSync(path, 'r')
    this.sizeBytes = fstatSync(this.#descriptor).size
  }

  /** The bytes [start, start + count). @throws Undecodable when the file has become shorter */
  read(start: number, count: number): Buffer {
    if (this.#buffer.length < count) this.#buffer = Buffer.allocUnsafeSlow(count)
    for (let done = 0; done < count; ) {
      const read = readSync(this.#descriptor, this.#buffer, done, count - done, start + done)
      if (read === 0) throw new Undecodable('it ends too early')
      done += read
    }
    return this.#buffer.subarray(0, count)
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }
}
