/** Lines of JSON that come in pieces. */

/**
 * The documents of a stream of lines. Nothing is read ahead of whoever takes them; leaving the loop early ends the stream.
 *
 * @throws SyntaxError for a line that is no JSON, a last one that was cut off among them, and what the stream fails with
 */
export async function* documentsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown, void, undefined> {
  const reader = body.getReader()
  let isOver = false
  try {
    const line = new Line()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      let start = 0
      for (let end = value.indexOf(NEWLINE); end >= 0; end = value.indexOf(NEWLINE, start)) {
        line.add(value.subarray(start, end))
        start = end + 1
        yield* line.take()
      }
      line.add(value.subarray(start))
    }
    isOver = true
    yield* line.take()
  } finally {
    if (!isOver) await reader.cancel().catch(() => {})
    reader.releaseLock()
  }
}

const NEWLINE = 0x0a

/** A line on its way. It is cut as bytes: the byte of a line's end is part of no other character. */
class Line {
  #pieces: Uint8Array[] = []

  add(piece: Uint8Array): void {
    if (piece.length > 0) this.#pieces.push(piece)
  }

  /** The document of the line; none for an empty one. The next one begins. */
  take(): unknown[] {
    const decoder = new TextDecoder('utf-8', { fatal: true })
    const parts = this.#pieces.map((piece) => decoder.decode(piece, { stream: true }))
    const text = parts.join('') + decoder.decode()
    this.#pieces = []
    return text.trim() === '' ? [] : [JSON.parse(text)]
  }
}
