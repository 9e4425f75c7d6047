/** Tar archives (ustar, pax, GNU long names), read as they come. */
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'

/** A file of an archive. Its content has to be read before the next entry. */
export interface ArchivedFile {
  name: string
  sizeBytes: number
  content: AsyncIterable<Buffer>
}

const BLOCK = 512

/** The files of an archive, in its order; folders are passed over. @throws FILE_INVALID for what is no archive, not all of one, or holds links and devices */
export async function* filesOf(source: AsyncIterable<Buffer>): AsyncGenerator<ArchivedFile, void, undefined> {
  const input = new Input(source)
  let told: Partial<Pick<ArchivedFile, 'name' | 'sizeBytes'>> = {}
  for (;;) {
    const header = await input.take(BLOCK)
    if (header.every((byte) => byte === 0)) break
    checkSum(header)
    const type = header.toString('latin1', 156, 157)
    const sizeBytes = told.sizeBytes ?? numberAt(header, 124, 12)
    switch (type) {
      case 'x':
      case 'L':
        if (sizeBytes > SETTINGS.archiveHeaderBytes.default) throw damaged('a header of it is too large')
        told = { ...told, ...describe(type, await input.takePadded(sizeBytes)) }
        continue
      case 'g':
      case '5':
        for await (const _ of input.pass(sizeBytes));
        break
      case '0':
      case '\0':
        yield { name: told.name ?? nameOf(header), sizeBytes, content: input.pass(sizeBytes) }
        break
      default:
        throw damaged(`${told.name ?? nameOf(header)} is no file but a link, a device or the like`)
    }
    told = {}
  }
  // Writers fill the last record with blocks of zeros.
  await input.drain()
}

function describe(type: 'x' | 'L', bytes: Buffer): Partial<Pick<ArchivedFile, 'name' | 'sizeBytes'>> {
  if (type === 'L') return { name: textOf(bytes) }
  const found: Partial<Pick<ArchivedFile, 'name' | 'sizeBytes'>> = {}
  for (let at = 0; at < bytes.length; ) {
    const blank = bytes.indexOf(0x20, at)
    const length = Number(bytes.toString('latin1', at, blank))
    if (blank < 0 || !Number.isSafeInteger(length) || length <= 0) throw damaged('a header of it is malformed')
    const [key, value = ''] = bytes.toString('utf8', blank + 1, at + length - 1).split(/=(.*)/s, 2)
    if (key === 'path') found.name = value
    if (key === 'size' && /^\d+$/.test(value)) found.sizeBytes = Number(value)
    at += length
  }
  return found
}

function nameOf(header: Buffer): string {
  const name = textOf(header.subarray(0, 100))
  const isUstar = header.toString('latin1', 257, 262) === 'ustar'
  const prefix = isUstar && header[262] === 0 ? textOf(header.subarray(345, 500)) : ''
  return prefix === '' ? name : `${prefix}/${name}`
}

/** The text up to the first NUL. */
function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}

/** Octal digits, or for large numbers bytes behind a first one of 0x80. */
function numberAt(header: Buffer, at: number, length: number): number {
  const field = header.subarray(at, at + length)
  const value =
    field[0] === 0x80
      ? field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0)
      : Number.parseInt(textOf(field).trim(), 8)
  if (!Number.isSafeInteger(value) || value < 0) throw damaged('a size in it is malformed')
  return value
}

function checkSum(header: Buffer): void {
  const sum = header.reduce((total, byte, k) => total + (k >= 148 && k < 156 ? 0x20 : byte), 0)
  if (sum !== Number.parseInt(textOf(header.subarray(148, 156)).trim(), 8)) throw damaged('a header of it is malformed')
}

function damaged(reason: string): SkepError<'FILE_INVALID'> {
  return new SkepError('FILE_INVALID', `the tar archive cannot be read: ${reason}`, { file: 'archive' })
}

/** Bytes by their number. */
class Input {
  readonly #source: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  async take(bytes: number): Promise<Buffer> {
    const pieces: Buffer[] = []
    for await (const piece of this.#next(bytes)) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  async takePadded(bytes: number): Promise<Buffer> {
    return (await this.take(Math.ceil(bytes / BLOCK) * BLOCK)).subarray(0, bytes)
  }

  /** The content of an entry; what fills its last block is passed over. */
  async *pass(bytes: number): AsyncGenerator<Buffer, void, undefined> {
    yield* this.#next(bytes)
    await this.take((BLOCK - (bytes % BLOCK)) % BLOCK)
  }

  async drain(): Promise<void> {
    while (!(await this.#source.next()).done);
  }

  async *#next(bytes: number): AsyncGenerator<Buffer, void, undefined> {
    let missing = bytes
    while (missing > 0) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#source.next()
        if (done) throw damaged('it breaks off')
        this.#rest = value
      }
      const piece = this.#rest.subarray(0, missing)
      this.#rest = this.#rest.subarray(piece.length)
      missing -= piece.length
      yield piece
    }
  }
}
