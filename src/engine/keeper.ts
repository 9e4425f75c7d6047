/** Fenced engines by the folders that they may read: one is current, an outgrown one lives until its last user has given it back. */
import { resolve } from 'node:path'
import type { Settings } from '../config.ts'
import type { Engine, Session } from './engine.ts'

interface Kept {
  opening: Promise<Engine>
  roots: string[]
  users: number
  outgrown: boolean
}

/** The use of an engine, to be given back. */
export interface EngineLease extends AsyncDisposable {
  engine: Engine
}

/** A session, and whether its engine may read below these folders. */
export interface SessionLease {
  session: Session
  covers(roots: readonly string[]): boolean
  close(): void
}

/** Keeps the current engine. A query over a folder that it may not read makes a new one, which may read both: the fence of a running engine cannot be moved. */
export class EngineKeeper {
  readonly #settings: Settings
  readonly #root: string
  readonly #spillPath: string
  #current: Kept | undefined
  #made = 0
  readonly #endings = new Set<Promise<void>>()

  constructor(options: { settings: Settings; root: string; spillPath: string }) {
    this.#settings = options.settings
    this.#root = options.root
    this.#spillPath = options.spillPath
  }

  /** A session of an engine that may read the warehouse and these folders. */
  async lease(roots: readonly string[]): Promise<SessionLease> {
    return await this.#sessionOf(this.#take(roots))
  }

  /** A session of an engine of its own, which may reach these folders too: for a file that is written there, and no longer than that. */
  async leaseOnce(roots: readonly string[]): Promise<SessionLease> {
    const kept = this.#open(this.#union(roots))
    kept.users++
    kept.outgrown = true
    return await this.#sessionOf(kept)
  }

  async #sessionOf(kept: Kept): Promise<SessionLease> {
    try {
      const session = await (await kept.opening).session()
      let open = true
      const close = () => {
        if (!open) return
        open = false
        session.close()
        if (session.stuck) this.#retire(kept, session.stuck)
        else this.#giveBack(kept)
      }
      return { session, covers: (others) => covers(kept.roots, others), close }
    } catch (error) {
      this.#giveBack(kept)
      throw error
    }
  }

  /** An engine that may read the warehouse and these folders. */
  async leaseEngine(roots: readonly string[]): Promise<EngineLease> {
    const kept = this.#take(roots)
    const engine = await kept.opening
    return { engine, [Symbol.asyncDispose]: async () => this.#giveBack(kept) }
  }

  /** Ends the current engine once its users are done, and waits for the end of all. */
  async close(): Promise<void> {
    this.#outgrow()
    await Promise.all(this.#endings)
  }

  #take(roots: readonly string[]): Kept {
    const wanted = roots.map((root) => resolve(root))
    if (!this.#current || !covers(this.#current.roots, wanted)) {
      const kept = this.#open(this.#union(roots))
      this.#outgrow()
      // One that cannot be opened is not kept: the next query tries again.
      kept.opening.catch(() => this.#forget(kept))
      this.#current = kept
    }
    this.#current.users++
    return this.#current
  }

  #union(roots: readonly string[]): string[] {
    return [...new Set([...(this.#current?.roots ?? [this.#root]), ...roots.map((root) => resolve(root))])]
  }

  #open(roots: string[]): Kept {
    const spillPath = `${this.#spillPath}-${++this.#made}`
    const options = { settings: this.#settings, spillPath, roots }
    // Loaded when it is first needed: lists of tables do without it.
    const opening = import('./engine.ts').then(({ Engine }) => Engine.open(options))
    return { opening, roots, users: 0, outgrown: false }
  }

  #forget(kept: Kept): void {
    if (this.#current === kept) this.#current = undefined
  }

  #outgrow(): void {
    const kept = this.#current
    this.#current = undefined
    if (!kept) return
    kept.outgrown = true
    if (kept.users === 0) this.#end(kept)
  }

  /** An engine whose threads are held by a statement that was given up gets no more queries, and ends after it. */
  #retire(kept: Kept, stuck: Promise<void>): void {
    if (this.#current === kept) this.#outgrow()
    void stuck.then(() => this.#giveBack(kept))
  }

  #giveBack(kept: Kept): void {
    kept.users--
    if (kept.outgrown && kept.users === 0) this.#end(kept)
  }

  #end(kept: Kept): void {
    const ending = kept.opening.then(
      (engine) => engine[Symbol.asyncDispose](),
      () => undefined,
    )
    this.#endings.add(ending)
    void ending.finally(() => this.#endings.delete(ending))
  }
}

function covers(roots: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((path) =>
    roots.some((root) => path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`)),
  )
}
