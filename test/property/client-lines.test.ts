/** Lines of JSON in pieces: whatever the pieces, the same documents. */
import { ReadableStream as NodeStream } from 'node:stream/web'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { documentsOf } from '../../src/client/lines.ts'

function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return NodeStream.from(pieces) as unknown as ReadableStream<Uint8Array>
}

/** The bytes cut at these places, some of which may be the same. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]
  return ends.map((end, k) => bytes.subarray(k === 0 ? 0 : ends[k - 1], end))
}

describe('documentsOf', () => {
  test('reads what was written, wherever it is cut', async () => {
    const documents = fc.array(fc.jsonValue({ noUnicodeString: false, maxDepth: 3 }), { maxLength: 8 })
    const property = fc.asyncProperty(
      documents,
      fc.array(fc.nat(), { maxLength: 40 }),
      fc.constantFrom('\n', '\r\n', '\n\n'),
      fc.boolean(),
      async (written, places, end, isEnded) => {
        const lines = written.map((document) => JSON.stringify(document)).join(end) + (isEnded ? end : '')
        const pieces = cut(new TextEncoder().encode(lines), places)
        expect(await Array.fromAsync(documentsOf(streamOf(pieces)))).toEqual(JSON.parse(JSON.stringify(written)))
      },
    )
    await fc.assert(property, { numRuns: 200 })
  })

  test('reads a line that is much longer than its pieces', async () => {
    const text = 'ü€😀'.repeat(300_000)
    const bytes = new TextEncoder().encode(`${JSON.stringify({ text })}\n{"after":1}\n`)
    const pieces = cut(
      bytes,
      Array.from({ length: 2000 }, (_, k) => k * 1351),
    )
    expect(await Array.fromAsync(documentsOf(streamOf(pieces)))).toEqual([{ text }, { after: 1 }])
  })

  test('refuses a line that was cut off, and bytes that are no text', async () => {
    const read = (bytes: Uint8Array) => Array.fromAsync(documentsOf(streamOf([bytes])))
    await expect(read(new TextEncoder().encode('{"a":1}\n{"a":'))).rejects.toThrow(SyntaxError)
    await expect(read(Uint8Array.of(0x22, 0xc3, 0x22, 0x0a))).rejects.toThrow(TypeError)
  })

  test('reads nothing ahead, and ends its source when it is left', async () => {
    let read = 0
    let isCancelled = false
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => controller.enqueue(new TextEncoder().encode(`${++read}\n`)),
        cancel: () => {
          isCancelled = true
        },
      },
      { highWaterMark: 0 },
    )
    for await (const document of documentsOf(body)) {
      expect(read).toBe(document)
      if (document === 5) break
    }
    expect({ read, isCancelled, isLocked: body.locked }).toEqual({ read: 5, isCancelled: true, isLocked: false })
  })
})
