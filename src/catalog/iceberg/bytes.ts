/** Numbers and UUIDs as big-endian bytes. */

/** The shortest two's complement of an integer, most significant byte first; zero is one byte. */
export function toTwosComplement(value: bigint): Uint8Array {
  let length = 1
  while (BigInt.asIntN(length * 8, value) !== value) length++
  return toFixedTwosComplement(value, length)
}

/** The two's complement of an integer in `length` bytes, most significant first; higher bits are cut off. */
export function toFixedTwosComplement(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let rest = value
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return bytes
}

/** The integer that a two's complement stands for; no bytes are zero. */
export function fromTwosComplement(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return BigInt.asIntN(bytes.length * 8, value)
}

/** The 16 bytes of a UUID's text. */
export function parseUuid(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll('-', ''), 'hex'))
}
