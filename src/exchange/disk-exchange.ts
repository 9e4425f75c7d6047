/** The exchange of a query in the folder of a warehouse: its objects are files. */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { checkPath } from '../storage/path.ts'
import { nameOfProcess, systemProcesses } from '../storage/processes.ts'
import { removeFolder } from '../storage/temporary.ts'
import type { Exchange } from './exchange.ts'

/** The folder of all exchanges, below the warehouse; never listed among its objects. */
export const EXCHANGE_FOLDER = '.exchange'

/** A name for a query of this process: its folder tells whose it is, so that vacuum finds what dead processes left. */
export function newQueryName(): string {
  return `${nameOfProcess(systemProcesses().self)}-${randomBytes(6).toString('hex')}`
}

/** Objects of one query, in a folder that appears with the first of them. */
export class DiskExchange implements Exchange {
  /** Absolute path of the folder. */
  readonly folder: string
  readonly #made = new Set<string>()

  /**
   * @param root absolute path of the warehouse
   * @param query what {@link newQueryName} gave
   */
  constructor(root: string, query: string) {
    checkPath(query)
    this.folder = `${root}/${EXCHANGE_FOLDER}/${query}`
  }

  async place(name: string): Promise<string> {
    const path = this.#path(name)
    const folder = dirname(path)
    if (!this.#made.has(folder)) {
      await mkdir(folder, { recursive: true })
      this.#made.add(folder)
    }
    return path
  }

  /** A file is an object as soon as it is written. */
  async keep(name: string): Promise<void> {
    checkPath(name)
  }

  async fetch(names: readonly string[]): Promise<string[]> {
    return names.map((name) => this.#path(name))
  }

  /** Ends the exchange: nothing of it is left. */
  async remove(): Promise<void> {
    await removeFolder(this.folder)
  }

  #path(name: string): string {
    checkPath(name)
    return `${this.folder}/${name}`
  }
}
