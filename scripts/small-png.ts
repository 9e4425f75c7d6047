/** Pictures of screens as small PNG files: at most 256 colours, chosen so that none is far from what it stands for. */
import { crc32, deflateSync, inflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const COLOURS = 256

/** The picture (8 bits a channel, RGB or RGBA without transparency, as browsers write it) with a palette. */
export function smallPng(png: Buffer): Buffer {
  const { width, height, pixels } = decode(png)
  const palette = paletteOf(pixels)
  const places = new Map<number, number>()
  const rows = Buffer.alloc(height * (width + 1))
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colour = pixels[y * width + x]!
      const known = places.get(colour)
      const place = known ?? nearest(palette, colour)
      if (known === undefined) places.set(colour, place)
      rows[y * (width + 1) + 1 + x] = place
    }
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 3, 0, 0, 0], 8)
  const colours = Buffer.from(palette.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]))
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', head),
    chunk('PLTE', colours),
    chunk('IDAT', deflateSync(rows, { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data])
  const size = Buffer.alloc(4)
  size.writeUInt32BE(data.length)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([size, body, sum])
}

function decode(png: Buffer): { width: number; height: number; pixels: Uint32Array } {
  const parts: Buffer[] = []
  let head: Buffer | undefined
  for (let at = SIGNATURE.length; at < png.length; ) {
    const size = png.readUInt32BE(at)
    const name = png.toString('latin1', at + 4, at + 8)
    const data = png.subarray(at + 8, at + 8 + size)
    if (name === 'IHDR') head = data
    if (name === 'IDAT') parts.push(data)
    at += size + 12
  }
  if (head?.[8] !== 8 || (head[9] !== 2 && head[9] !== 6) || head[12] !== 0) throw new Error('no plain RGB picture')
  const [width, height, channels] = [head.readUInt32BE(0), head.readUInt32BE(4), head[9] === 6 ? 4 : 3]
  const bytes = unfiltered(inflateSync(Buffer.concat(parts)), width * channels, height, channels)
  const pixels = new Uint32Array(width * height)
  for (let k = 0; k < pixels.length; k++) {
    const from = k * channels
    pixels[k] = (bytes[from]! << 16) | (bytes[from + 1]! << 8) | bytes[from + 2]!
  }
  return { width, height, pixels }
}

function unfiltered(data: Buffer, length: number, height: number, step: number): Uint8Array {
  const out = new Uint8Array(length * height)
  for (let y = 0; y < height; y++) {
    const kind = data[y * (length + 1)]!
    for (let x = 0; x < length; x++) {
      const at = y * length + x
      const left = x >= step ? out[at - step]! : 0
      const up = y > 0 ? out[at - length]! : 0
      const corner = x >= step && y > 0 ? out[at - length - step]! : 0
      out[at] = data[y * (length + 1) + 1 + x]! + guess(kind, left, up, corner)
    }
  }
  return out
}

function guess(kind: number, left: number, up: number, corner: number): number {
  if (kind === 0) return 0
  if (kind === 1) return left
  if (kind === 2) return up
  if (kind === 3) return (left + up) >> 1
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)]
  return a <= b && a <= c ? left : b <= c ? up : corner
}

/** The most frequent colours, each further than a distance from the others: the least distance that leaves no more than fit. */
function paletteOf(pixels: Uint32Array): number[] {
  const counts = new Map<number, number>()
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1)
  const colours = [...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour)
  for (let apart = 0; ; apart += 2) {
    const chosen = chosenOf(colours, apart)
    if (chosen) return chosen
  }
}

function chosenOf(colours: readonly number[], apart: number): number[] | undefined {
  const chosen: number[] = []
  for (const colour of colours) {
    if (chosen.some((other) => distance(colour, other) <= apart * apart)) continue
    if (chosen.length === COLOURS) return undefined
    chosen.push(colour)
  }
  return chosen
}

function nearest(palette: readonly number[], colour: number): number {
  let best = 0
  for (let k = 1; k < palette.length; k++) {
    if (distance(palette[k]!, colour) < distance(palette[best]!, colour)) best = k
  }
  return best
}

function distance(a: number, b: number): number {
  return ((a >> 16) - (b >> 16)) ** 2 + (((a >> 8) & 255) - ((b >> 8) & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2
}
