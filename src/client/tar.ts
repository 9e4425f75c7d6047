/** Several files as one body: a tar archive (POSIX ustar, with a pax header where a name or size does not fit). */
import { SkepError } from '../errors.ts'
import { cancelled } from './errors.ts'

/** A file with its name; a `File` of a browser is one. */
export interface NamedFile {
  readonly name: string
  /** In bytes. */
  readonly size: number
  stream(): ReadableStream<Uint8Array>
}

const BLOCK = 512

/** The archive of these files, read one after another as the archive is read. It fails with FILE_CHANGED for a file that has not the size it said. */
export function tarOf(files: readonly NamedFile[], signal?: AbortSignal): ReadableStream<Uint8Array> {
  const pieces = piecesOf(files, signal)
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { done, value } = await pieces.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: async () => {
        await pieces.return()
      },
    },
    { highWaterMark: 0 },
  )
}

async function* piecesOf(
  files: readonly NamedFile[],
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const file of files) {
    yield* headersOf(file)
    yield* contentOf(file, signal)
    const rest = file.size % BLOCK
    if (rest > 0) yield new Uint8Array(BLOCK - rest)
  }
  yield new Uint8Array(2 * BLOCK)
}

/** The bytes of a file, which have to be as many as it said. */
async function* contentOf(file: NamedFile, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  let sent = 0
  for await (const piece of file.stream()) {
    if (signal?.aborted) throw cancelled(signal.reason)
    sent += piece.length
    if (sent > file.size) throw changed(file)
    if (piece.length > 0) yield piece
  }
  if (sent < file.size) throw changed(file)
}

function changed({ name }: NamedFile): SkepError<'FILE_CHANGED'> {
  return new SkepError('FILE_CHANGED', `${name} was changed while it was read; nothing was imported`, { file: name })
}

function* headersOf({ name, size }: NamedFile): Generator<Uint8Array, void, undefined> {
  const bytes = new TextEncoder().encode(name)
  const fits = bytes.length <= NAME_LENGTH && !/[^\x20-\x7e]/.test(name)
  if (!fits || size > OCTAL_SIZE) {
    const records = new TextEncoder().encode(`${record('path', name)}${record('size', String(size))}`)
    yield headerOf(new TextEncoder().encode('pax'), records.length, 'x')
    yield padded(records)
  }
  yield headerOf(fits ? bytes : new TextEncoder().encode('file'), Math.min(size, OCTAL_SIZE), '0')
}

const NAME_LENGTH = 100
/** The largest size that a header can hold. */
const OCTAL_SIZE = 0o77777777777

/** One record of a pax header; its length counts itself. */
function record(key: string, value: string): string {
  const length = new TextEncoder().encode(` ${key}=${value}\n`).length
  let digits = String(length).length
  while (String(length + digits).length > digits) digits++
  return `${length + digits} ${key}=${value}\n`
}

function padded(bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(Math.ceil(bytes.length / BLOCK) * BLOCK)
  block.set(bytes)
  return block
}

function headerOf(name: Uint8Array, size: number, type: '0' | 'x'): Uint8Array {
  const block = new Uint8Array(BLOCK)
  const write = (at: number, text: string) => block.set(new TextEncoder().encode(text), at)
  block.set(name)
  write(100, '0000644\0')
  write(108, '0000000\0')
  write(116, '0000000\0')
  write(124, `${size.toString(8).padStart(11, '0')}\0`)
  write(136, '00000000000\0')
  // The sum is taken with blanks in its own place.
  write(148, ' '.repeat(8))
  write(156, type)
  write(257, 'ustar\0')
  write(263, '00')
  const sum = block.reduce((total, byte) => total + byte, 0)
  write(148, `${sum.toString(8).padStart(6, '0')}\0 `)
  return block
}
