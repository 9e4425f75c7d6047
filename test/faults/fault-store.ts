/** A store that forwards every call to a real one, notes it, and does harm at the call it is told. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SkepError } from '../../src/errors.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'

/** What can happen to one call. A process that crashed makes no call any more. */
export const FAULTS = ['crash before', 'crash after', 'tear', 'refuse', 'lose reply'] as const
export type Fault = (typeof FAULTS)[number]

/** One call that a store got. */
export interface Call {
  method: 'list' | 'stat' | 'read' | 'put' | 'putIfAbsent' | 'delete'
  path: string
}

/** The end of a process. */
export class Crash extends Error {}

/** A real store behind a process that may die. */
export class FaultStore implements ObjectStore {
  readonly root: string
  readonly calls: Call[] = []
  isDead = false
  /** Whether the harm has been done. */
  isHit = false
  readonly #real: ObjectStore
  readonly #harm: { call: number; fault: Fault } | undefined

  constructor(real: ObjectStore, harm?: { call: number; fault: Fault }) {
    this.root = real.root
    this.#real = real
    this.#harm = harm
  }

  list: ObjectStore['list'] = (prefix, options) => this.#call('list', prefix, () => this.#real.list(prefix, options))
  stat: ObjectStore['stat'] = (path, options) => this.#call('stat', path, () => this.#real.stat(path, options))
  read: ObjectStore['read'] = (path, options) => this.#call('read', path, () => this.#real.read(path, options))
  delete: ObjectStore['delete'] = (path, options) => this.#call('delete', path, () => this.#real.delete(path, options))
  put: ObjectStore['put'] = (path, bytes, options) =>
    this.#call(
      'put',
      path,
      () => this.#real.put(path, bytes, options),
      () => this.#tear(path, bytes),
    )
  putIfAbsent: ObjectStore['putIfAbsent'] = (path, bytes, options) =>
    this.#call(
      'putIfAbsent',
      path,
      () => this.#real.putIfAbsent(path, bytes, options),
      // To write an object that is absent is atomic in every store: the request that is cut off did nothing.
      () => (this.#real instanceof DiskStore ? this.#tear(path, bytes) : Promise.resolve()),
    )

  async #call<T>(method: Call['method'], path: string, run: () => Promise<T>, tear = async () => {}): Promise<T> {
    if (this.isDead) throw new Crash('the process is dead')
    const index = this.calls.push({ method, path }) - 1
    if (index !== this.#harm?.call) return await run()
    this.isHit = true
    const { fault } = this.#harm
    if (fault === 'refuse') throw unavailable(path)
    if (fault === 'lose reply' || fault === 'crash after') await run()
    if (fault === 'lose reply') throw unavailable(path)
    if (fault === 'tear') await tear()
    this.isDead = true
    throw new Crash(`${fault} ${method} ${path}`)
  }

  /** On a disk the first half of the bytes stays in a temporary file; elsewhere in the object itself. */
  async #tear(path: string, bytes: Uint8Array): Promise<void> {
    const half = bytes.subarray(0, bytes.length >> 1)
    if (!(this.#real instanceof DiskStore)) return await this.#real.put(path, half)
    const folder = join(this.root, '.tmp')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, randomUUID()), half)
  }
}

/** True where a fault makes a difference to a call. */
export function applies(fault: Fault, { method }: Call): boolean {
  if (fault === 'tear') return method === 'put' || method === 'putIfAbsent'
  return !(fault === 'crash after' && (method === 'list' || method === 'stat' || method === 'read'))
}

function unavailable(path: string): SkepError {
  return new SkepError('STORE_UNAVAILABLE', 'the store did not answer', { path })
}
