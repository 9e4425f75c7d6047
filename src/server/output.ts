/** Bodies that are written piece by piece, no faster than they are read. */
import { once } from 'node:events'
import type { FastifyReply } from 'fastify'
import { SkepError } from '../errors.ts'

/** The body of an answer whose status is sent with its first piece. */
export class Output {
  readonly #reply: FastifyReply
  readonly #headers: Record<string, string>
  #isBegun = false

  constructor(reply: FastifyReply, headers: Record<string, string>) {
    this.#reply = reply
    this.#headers = headers
  }

  /** Whether the status has gone out, so that an error cannot be told by it any more. */
  get isBegun(): boolean {
    return this.#isBegun
  }

  /** Ends when the piece is on its way and the next one may come. @throws CANCELLED when nobody reads any more */
  async write(piece: string | Uint8Array): Promise<void> {
    this.#begin()
    const { raw } = this.#reply
    if (raw.destroyed) throw gone()
    if (raw.write(piece)) return
    const away = new AbortController()
    try {
      await Promise.race([
        once(raw, 'drain', { signal: away.signal }),
        once(raw, 'close', { signal: away.signal }).then(() => {
          throw gone()
        }),
      ])
    } finally {
      away.abort()
    }
  }

  /** The body is complete. */
  end(): void {
    this.#begin()
    this.#reply.raw.end()
  }

  /** The body is not complete, and must not look so. */
  destroy(): void {
    this.#reply.raw.destroy()
  }

  #begin(): void {
    if (this.#isBegun) return
    this.#isBegun = true
    this.#reply.hijack()
    const headers = Object.entries({ ...this.#reply.getHeaders(), ...this.#headers })
    for (const [name, value] of headers) if (value !== undefined) this.#reply.raw.setHeader(name, value)
    this.#reply.raw.writeHead(200)
  }
}

function gone(): SkepError<'CANCELLED'> {
  return new SkepError('CANCELLED', 'the caller closed the connection', {})
}
