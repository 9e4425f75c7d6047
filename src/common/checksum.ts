/** Checksums of files: what tells damage from content. */
import { createHash, type Hash } from 'node:crypto'

/** Hexadecimal digits of a checksum: the first 128 bits of a SHA-256. */
export const CHECKSUM_DIGITS = 32

/** The checksum of these pieces, one after the other. */
export function checksumOf(...pieces: readonly (Uint8Array | string)[]): string {
  const hash = newHash()
  for (const piece of pieces) hash.update(piece)
  return digestOf(hash)
}

/** A hash to be fed piece by piece, for {@link digestOf}. */
export function newHash(): Hash {
  return createHash('sha256')
}

/** The checksum of what was fed to a hash. */
export function digestOf(hash: Hash): string {
  return hash.digest('hex').slice(0, CHECKSUM_DIGITS)
}
