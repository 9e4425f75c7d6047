/** The mask bits of a text column's dictionary entries: each text is asked for once in a query. */
import type { KernelColumns } from '../behaviour/kernel.ts'
import { SETTINGS } from '../config.ts'
import { Undecodable } from './open-file.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Fills the kernel's table with the bits of the dictionary that it holds. */
export class TextMasks {
  readonly #kernel: KernelColumns
  readonly #ask: (texts: (string | null)[]) => Promise<BigUint64Array>
  /** By the text's bytes, each as one character. */
  readonly #known = new Map<string, bigint>()
  #ofNull: bigint | undefined

  constructor(kernel: KernelColumns, ask: (texts: (string | null)[]) => Promise<BigUint64Array>) {
    this.#kernel = kernel
    this.#ask = ask
  }

  /** Fills the table for the `entries` texts of the kernel's dictionary, and null behind them. */
  async fill(entries: number): Promise<void> {
    const texts = this.#read(entries)
    const unknown = [...new Set(texts.filter((text) => !this.#known.has(text)))]
    if (unknown.length > 0 || this.#ofNull === undefined) await this.#learn(unknown)
    const at = this.#kernel.tableStart(entries + 1)
    const table = new BigUint64Array(this.#kernel.memory.buffer, at, entries + 1)
    for (const [k, text] of texts.entries()) table[k] = this.#known.get(text)!
    table[entries] = this.#ofNull!
  }

  #read(entries: number): string[] {
    const memory = Buffer.from(this.#kernel.memory.buffer)
    return Array.from({ length: entries }, (_, k) => {
      const start = this.#kernel.entryStart(k)
      return memory.toString('latin1', start, start + this.#kernel.entryLength(k))
    })
  }

  async #learn(unknown: string[]): Promise<void> {
    if (this.#known.size + unknown.length > SETTINGS.directTexts.default)
      throw new Undecodable('a text column has too many values')
    const masks = await this.#ask([...unknown.map(decode), null])
    for (const [k, text] of unknown.entries()) this.#known.set(text, masks[k]!)
    this.#ofNull = masks[unknown.length]!
  }
}

function decode(latin1: string): string {
  try {
    return utf8.decode(Buffer.from(latin1, 'latin1'))
  } catch (error) {
    throw new Undecodable('a text is not UTF-8', { cause: error })
  }
}
