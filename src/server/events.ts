/** Progress, and at last the result or the error, as NDJSON or server-sent events. */
import type { FastifyReply } from 'fastify'
import type { TaskProgress } from '../coordinator/run-figures.ts'
import type { SkepError } from '../errors.ts'
import { Output } from './output.ts'
import type { LiveQuery } from './queries.ts'
import { TYPES } from './reply.ts'

/** A stream of named documents. It begins with the first of them, or when the query has taken a while: until then errors have a status. */
export class Events {
  readonly #output: Output
  readonly #live: LiveQuery
  readonly #isSse: boolean
  readonly #intervalMs: number
  #timer: NodeJS.Timeout
  /** Whether a progress is on its way: others wait for the next time. */
  #isTelling = false
  #toldMs = Number.NEGATIVE_INFINITY
  #fraction = 0
  /** The end has come: nothing may follow it. */
  #isOver = false
  /** Documents go one after another. */
  #last: Promise<void> = Promise.resolve()

  constructor(
    reply: FastifyReply,
    live: LiveQuery,
    options: { isSse: boolean; beginMs: number; beatMs: number; intervalMs: number },
  ) {
    this.#live = live
    this.#isSse = options.isSse
    this.#intervalMs = options.intervalMs
    this.#output = new Output(reply, {
      'content-type': options.isSse ? TYPES.events : TYPES.ndjson,
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
    this.#timer = setTimeout(() => {
      this.#tell(undefined)
      // Connections on which nothing comes are cut, by proxies and by some clients.
      this.#timer = setInterval(() => this.#tell(undefined), options.beatMs)
    }, options.beginMs)
  }

  get isBegun(): boolean {
    return this.#output.isBegun
  }

  /** Tells how far the query is, unless that was told just now. */
  progress(fraction: number, tasks?: TaskProgress): void {
    if (this.#isOver) return
    this.#fraction = fraction
    const now = performance.now()
    if (now - this.#toldMs < this.#intervalMs) return
    this.#toldMs = now
    this.#tell(tasks)
  }

  /** One document, in pieces of JSON. @throws CANCELLED when nobody reads any more */
  async send(name: string, pieces: Iterable<string | Uint8Array>): Promise<void> {
    const sending = this.#last.then(async () => {
      await this.#output.write(this.#isSse ? `event: ${name}\ndata: ` : `{${JSON.stringify(name)}:`)
      for (const piece of pieces) await this.#output.write(piece)
      await this.#output.write(this.#isSse ? '\n\n' : '}\n')
    })
    // Whoever waits for it is told; later documents find out themselves.
    this.#last = sending.catch(() => {})
    await sending
  }

  /** The last progress and the end of the result. */
  async done(name: string, pieces: Iterable<string | Uint8Array>): Promise<void> {
    this.#close()
    await this.send('progress', [JSON.stringify({ id: this.#live.id, state: 'done', fraction: 1 })])
    await this.send(name, pieces)
    this.#output.end()
  }

  /** The error as the last document; false when the status can still tell it. */
  async failed(error: SkepError): Promise<boolean> {
    this.#close()
    // A document on its way may be the first one.
    await this.#last
    if (!this.#output.isBegun) return false
    await this.send('error', [JSON.stringify(error)]).catch(() => {})
    this.#output.end()
    return true
  }

  #close(): void {
    this.#isOver = true
    clearInterval(this.#timer)
  }

  #tell(tasks: TaskProgress | undefined): void {
    if (this.#isTelling) return
    this.#isTelling = true
    const { id, state } = this.#live.record
    const document = { id, state, fraction: this.#fraction, ...(tasks && { tasks }) }
    // Who has left is noticed by the query itself.
    void this.send('progress', [JSON.stringify(document)])
      .catch(() => {})
      .finally(() => {
        this.#isTelling = false
      })
  }
}
