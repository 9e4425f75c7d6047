/**
 * Seals: checksums that metadata carries, so that damage which still parses is noticed. Programs that do not know of them
 * read the files all the same, and files of theirs that carry none are read without.
 */
import { CHECKSUM_DIGITS, checksumOf } from '../common/checksum.ts'
import { damagedMetadata } from './damage.ts'

/** A sealed document begins with one mark and ends with the other: no single hole can take both. */
const OPENING = '{"skep-sealed":true,'
const CLOSING = new RegExp(`,"skep-checksum":"([0-9a-f]{${CHECKSUM_DIGITS}})"}$`)
const CLOSING_BYTES = `,"skep-checksum":"${'0'.repeat(CHECKSUM_DIGITS)}"}`.length
const MARKS = ['skep-sealed', 'skep-checksum']

/**
 * The bytes of a JSON object with a checksum of them and of the path where they are to stand (below the store's root): a
 * copy of another file, or of an older version, does not pass for it.
 */
export function sealJson(bytes: Uint8Array, path: string): Uint8Array {
  const inner = bytes.subarray(1, -1)
  return Buffer.concat([
    Buffer.from(OPENING),
    inner,
    Buffer.from(`,"skep-checksum":"${checksumOf(path, '\n', inner)}"}`),
  ])
}

/** The JSON object that was sealed at this path; a document without any mark is given as it is. @throws TABLE_INVALID naming the path */
export function unsealJson(bytes: Uint8Array, path: string): Uint8Array {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isOpened = buffer.subarray(0, OPENING.length).toString('latin1') === OPENING
  const found = CLOSING.exec(buffer.subarray(-CLOSING_BYTES).toString('latin1'))?.[1]
  if (isOpened && found !== undefined) {
    const inner = buffer.subarray(OPENING.length, -CLOSING_BYTES)
    if (checksumOf(path, '\n', inner) !== found) throw damagedMetadata(path, 'it does not match its checksum')
    return Buffer.concat([Buffer.from('{'), inner, Buffer.from('}')])
  }
  if (MARKS.some((mark) => buffer.includes(`"${mark}"`))) throw damagedMetadata(path, 'its checksum is torn')
  return bytes
}

const NAME_MARK = '-sha256-'
const SEALED_NAME = new RegExp(`${NAME_MARK}([0-9a-f]{${CHECKSUM_DIGITS}})\\.avro$`)

/** The name of an Avro file whose content is this: `name`, and what its content has to hash to. */
export function sealedName(name: string, bytes: Uint8Array): string {
  return `${name}${NAME_MARK}${checksumOf(bytes)}.avro`
}

/** Passes for bytes that hash to what the name of their file says, or whose file's name says nothing. @throws TABLE_INVALID naming `file` */
export function checkSealedName(file: string, bytes: Uint8Array): void {
  const expected = SEALED_NAME.exec(file)?.[1]
  if (expected === undefined || checksumOf(bytes) === expected) return
  throw damagedMetadata(file, 'it does not match the checksum in its name')
}
