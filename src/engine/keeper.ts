/** Fenced engines by the folders that they may read: one is current, an outgrown one lives until its last user has given it back. */
import { dirname, resolve } from 'node:path'
import { foreignFiles } from '../catalog/stamp-files.ts'
import type { DataFile, Table } from '../catalog/types.ts'
import { SETTINGS, type Settings } from '../config.ts'
import { firstChanged, type KnownFile } from '../storage/file-tree.ts'
import type { Engine, Session } from './engine.ts'

interface Kept {
  opening: Promise<Engine>
  /** Sessions that are as good as new. */
  spare: Session[]
  roots: string[]
  users: number
  /** True once it gets no more queries. */
  outgrown: boolean
  /** True once nothing can be done with it. */
  broken: boolean
  /** True once a task has run in it. */
  used: boolean
  /** Versions of foreign files that it may have read, by path. */
  seen: Map<string, string>
}

/** In place of a version: the engine may have read another one than that which was planned. */
const UNSURE = 'unsure'

/** What a query is about to read. */
export interface Reading {
  roots: readonly string[]
  files: readonly DataFile[]
}

/** What the tables, and files to be written into these folders, need of an engine. Files of attached tables may lie outside of their folder. */
export function readingOf(tables: readonly Table[], folders: readonly string[] = []): Reading {
  const foreign = tables.filter(({ kind }) => kind !== 'managed')
  return {
    roots: [...new Set([...foreign.flatMap(rootsOf), ...folders])],
    files: foreign.flatMap(({ snapshot }) => snapshot.files),
  }
}

function rootsOf({ kind, location, snapshot }: Table): string[] {
  if (kind === 'registered') return [location]
  const inside = location.endsWith('/') ? location : `${location}/`
  const paths = snapshot.files.flatMap(({ path, deletes = [] }) => [path, ...deletes.map((file) => file.path)])
  const outside = paths.filter((path) => !path.startsWith(inside))
  const folders = [...new Set(outside.map((path) => dirname(path)))]
  return [location, ...(folders.length > SETTINGS.engineRoots.default ? [commonFolder(folders)] : folders)]
}

/** The deepest folder that has all of these. */
function commonFolder(folders: readonly string[]): string {
  const [first = '', ...others] = folders
  const parts = first.split('/')
  const shared = parts.findIndex((_, k) => {
    const folder = `${parts.slice(0, k + 1).join('/')}/`
    return !others.every((other) => `${other}/`.startsWith(folder))
  })
  return parts.slice(0, shared < 0 ? parts.length : shared).join('/') || '/'
}

/** The use of an engine, to be given back. */
export interface EngineLease extends AsyncDisposable {
  engine: Engine
  /** Tells that the files were found as they had been planned, after all that was read of them. */
  confirm(): void
  /** Announces a task; true when it is the first one of the engine. */
  beginTask(): boolean
}

/** A session, and whether its engine may read below these folders, and will read these files as they are now. */
export interface SessionLease {
  session: Session
  suits(reading: Reading): boolean
  /** Tells that the files were found as they had been planned, after all that was read of them. */
  confirm(): void
  /** Announces a task; true when it is the first one of the engine. */
  beginTask(): boolean
  /** Gives the session back; `reusable` when all that it made, and all settings that it has, are those of a transaction that is open or was never begun. */
  close(how?: 'reusable'): void
}

/**
 * Keeps the current engine. A query over a folder that it may not read makes a new one, which may read both: the fence of a running engine
 * cannot be moved. So does a query over a file that was written anew since: DuckDB keeps footers, and knows a file by its place,
 * size and time, which programs can set.
 */
export class EngineKeeper {
  readonly #settings: Settings
  readonly #root: string
  readonly #spillPath: string
  readonly #share: number | undefined
  #current: Kept | undefined
  #made = 0
  readonly #endings = new Set<Promise<void>>()
  readonly #resets = new Set<Promise<void>>()

  constructor(options: { settings: Settings; root: string; spillPath: string; share?: number }) {
    this.#share = options.share
    this.#settings = options.settings
    this.#root = options.root
    this.#spillPath = options.spillPath
  }

  /** A session of an engine that may read the warehouse and these folders. */
  async lease(reading: Reading = NOTHING): Promise<SessionLease> {
    return await this.#sessionOf(this.#take(reading), reading)
  }

  /** A session of an engine of its own, which may reach these folders too: for a file that is written there, and no longer than that. */
  async leaseOnce(reading: Reading): Promise<SessionLease> {
    const kept = this.#open(reading)
    kept.users++
    kept.outgrown = true
    return await this.#sessionOf(kept, reading)
  }

  async #sessionOf(kept: Kept, reading: Reading): Promise<SessionLease> {
    try {
      const session = kept.spare.pop() ?? (await (await kept.opening).session())
      const doubt = new Doubt(kept, reading)
      let open = true
      const close = (how?: 'reusable') => {
        if (!open) return
        open = false
        doubt.settle()
        if (session.stuck) this.#retire(kept, session.stuck)
        else if (how === 'reusable') this.#reuseSoon(kept, session)
        else {
          session.close()
          this.#giveBack(kept)
        }
      }
      const beginTask = () => isFirstTask(kept)
      return { session, suits: (other) => doubt.suits(other), confirm: () => doubt.confirm(), beginTask, close }
    } catch (error) {
      this.#giveBack(kept)
      throw error
    }
  }

  #reuseSoon(kept: Kept, session: Session): void {
    const reset = this.#reuse(kept, session)
    this.#resets.add(reset)
    void reset.finally(() => this.#resets.delete(reset))
  }

  /** Keeps a session for the next lease. */
  async #reuse(kept: Kept, session: Session): Promise<void> {
    const isNew = await session.reset()
    if (isNew && !kept.outgrown && kept.spare.length < this.#settings.spareSessions) kept.spare.push(session)
    else session.close()
    this.#giveBack(kept)
  }

  /** An engine that may read the warehouse and these folders. */
  async leaseEngine(reading: Reading): Promise<EngineLease> {
    const kept = this.#take(reading)
    const engine = await kept.opening
    const doubt = new Doubt(kept, reading)
    const end = async () => {
      doubt.settle()
      this.#giveBack(kept)
    }
    return { engine, confirm: () => doubt.confirm(), beginTask: () => isFirstTask(kept), [Symbol.asyncDispose]: end }
  }

  /** Ends the current engine once its users are done, and waits for the end of all. */
  async close(): Promise<void> {
    await Promise.all(this.#resets)
    this.#outgrow()
    await Promise.all(this.#endings)
  }

  #take({ roots, files }: Reading): Kept {
    const wanted = roots.map((root) => resolve(root))
    if (!this.#current || !suits(this.#current, { roots: wanted, files })) {
      const kept = this.#open({ roots, files })
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

  #open(reading: Reading): Kept {
    const roots = this.#union(reading.roots)
    const spillPath = `${this.#spillPath}-${++this.#made}`
    const onBroken = () => this.#abandon(kept)
    const options = { settings: this.#settings, spillPath, roots, share: this.#share, onBroken }
    // Loaded when it is first needed: lists of tables do without it.
    const opening = import('./engine.ts').then(({ Engine }) => Engine.open(options))
    const kept: Kept = { opening, spare: [], roots, users: 0, ...FRESH, seen: new Map() }
    suits(kept, { roots, files: reading.files })
    return kept
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

  /** An engine that is broken ends when its users have given it back, each with an error of its own. */
  #abandon(kept: Kept): void {
    kept.outgrown = true
    kept.broken = true
    for (const session of kept.spare.splice(0)) session.close()
    if (this.#current === kept) this.#outgrow()
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
    for (const session of kept.spare.splice(0)) session.close()
    const ending = kept.opening.then(
      (engine) => engine[Symbol.asyncDispose](),
      () => undefined,
    )
    this.#endings.add(ending)
    void ending.finally(() => this.#endings.delete(ending))
  }
}

const FRESH = { outgrown: false, broken: false, used: false }

/**
 * What a lease may have read in another version than was planned. A query that ends early, or in an error, never learns that its files
 * changed; and they may come back as they were, with their folder, after the engine has read others in their place.
 */
class Doubt {
  readonly #kept: Kept
  #files: readonly KnownFile[]

  constructor(kept: Kept, { files }: Reading) {
    this.#kept = kept
    this.#files = readable(files)
  }

  suits(reading: Reading): boolean {
    const fits = suits(this.#kept, reading)
    if (fits) this.#files = [...this.#files, ...readable(reading.files)]
    return fits
  }

  confirm(): void {
    this.#files = []
  }

  /** Has no query use the engine for these files again, should one of them have changed. They are looked at before this returns, unless their disk is slow. */
  settle(): void {
    const { seen, outgrown } = this.#kept
    const files = this.#files
    if (outgrown || files.length === 0) return
    const distrust = () => {
      for (const { path } of files) seen.set(path, UNSURE)
    }
    void firstChanged('', files).then((changed) => changed === undefined || distrust(), distrust)
  }
}

/** All that others may change of these files, of which tasks read parts, but what cannot be read. */
function readable(files: readonly DataFile[]): KnownFile[] {
  const found = foreignFiles(files.filter(({ foreign }) => foreign?.problem === undefined))
  return found.map(({ path, version }) => ({ path, version }))
}

const NOTHING: Reading = { roots: [], files: [] }

/** True once for each engine. */
function isFirstTask(kept: Kept): boolean {
  const { used } = kept
  kept.used = true
  return !used
}

/** True when the engine may be used; the files are then remembered as seen. */
function suits({ roots, broken, seen }: Kept, reading: Reading): boolean {
  if (broken || !covers(roots, reading.roots)) return false
  const foreign = foreignFiles(reading.files)
  const news = foreign.filter(({ path }) => !seen.has(path))
  if (seen.size > 0 && seen.size + news.length > SETTINGS.seenFiles.default) return false
  if (foreign.some(({ path, version }) => (seen.get(path) ?? version) !== version)) return false
  for (const { path, version } of news) seen.set(path, version)
  return true
}

function covers(roots: readonly string[], wanted: readonly string[]): boolean {
  return wanted.every((path) =>
    roots.some((root) => path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`)),
  )
}
