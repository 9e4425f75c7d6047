/** How many queries run at the same time, how many wait, and when no more are taken. */
import { type ErrorDetails, SkepError, throwIfAborted } from '../errors.ts'

interface Waiting {
  enter(place: Disposable): void
  refuse(error: SkepError): void
}

/** The places of a server. */
export class Admission {
  readonly #places: number
  readonly #mostWaiting: number
  readonly #longestMs: number
  readonly #waiting: Waiting[] = []
  #taken = 0
  #isClosed = false
  /** How long a place is held, smoothed: for the advice when to come back. */
  #heldMs = 100
  #whenEmpty: (() => void) | undefined

  constructor(options: { places: number; mostWaiting: number; longestMs: number }) {
    this.#places = options.places
    this.#mostWaiting = options.mostWaiting
    this.#longestMs = options.longestMs
  }

  /** How many hold places, and how many wait for one. */
  get load(): { running: number; waiting: number } {
    return { running: this.#taken, waiting: this.#waiting.length }
  }

  /** A place, to be disposed of; first come, first served. @throws SERVER_BUSY, SERVER_CLOSING, CANCELLED */
  async enter(signal: AbortSignal): Promise<Disposable> {
    throwIfAborted(signal)
    if (this.#isClosed) throw closing()
    if (this.#taken < this.#places) return this.#take()
    if (this.#waiting.length >= this.#mostWaiting) throw this.#busy()
    return await this.#wait(signal)
  }

  /** Takes nobody any more, sends away who waits, and ends when all places are free. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const waiting of this.#waiting.splice(0)) waiting.refuse(closing())
    if (this.#taken > 0) await new Promise<void>((resolve) => (this.#whenEmpty = resolve))
  }

  #take(): Disposable {
    const started = performance.now()
    this.#taken++
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (!held) return
        held = false
        this.#heldMs += (performance.now() - started - this.#heldMs) / 8
        this.#taken--
        // Taken on behalf of the next one at once: nobody may come between.
        this.#waiting.shift()?.enter(this.#take())
        if (this.#taken === 0) this.#whenEmpty?.()
      },
    }
  }

  async #wait(signal: AbortSignal): Promise<Disposable> {
    return await new Promise((resolve, reject) => {
      const leave = (error: SkepError) => {
        const at = this.#waiting.indexOf(waiting)
        if (at >= 0) this.#waiting.splice(at, 1)
        waiting.refuse(error)
      }
      const abort = () => leave(new SkepError('CANCELLED', 'the call was cancelled', {}))
      const timer = setTimeout(() => leave(this.#busy()), this.#longestMs)
      const end = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
      }
      const waiting: Waiting = {
        enter: (place) => {
          end()
          resolve(place)
        },
        refuse: (error) => {
          end()
          reject(error)
        },
      }
      signal.addEventListener('abort', abort)
      this.#waiting.push(waiting)
    })
  }

  #busy(): SkepError<'SERVER_BUSY'> {
    const waits = (this.#waiting.length + 1) / this.#places
    const details: ErrorDetails['SERVER_BUSY'] = {
      retryAfterMs: Math.round(Math.min(60_000, Math.max(1000, waits * this.#heldMs))),
    }
    const message = `${this.#taken} queries run and ${this.#waiting.length} wait already; try again in ${Math.ceil(details.retryAfterMs / 1000)} s`
    return new SkepError('SERVER_BUSY', message, details)
  }
}

function closing(): SkepError<'SERVER_CLOSING'> {
  return new SkepError('SERVER_CLOSING', 'the server is about to end and takes no new queries; try again', {})
}
