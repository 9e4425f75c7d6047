/** The log of a Delta table on its store: finding a version and reading what it consists of. */
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import { BoundedCache } from '../bounded-cache.ts'
import type { FileReader } from '../file-reader.ts'
import type { At } from '../pick-snapshot.ts'
import type { Action, CommitInfo } from './actions.ts'
import { damagedLog, incompleteLog } from './errors.ts'
import { readEntry } from './log-entry.ts'
import { entryName, type LogFiles, type LogPlan, logFiles, newestVersion, planVersion } from './log-files.ts'
import { type DeltaState, StateBuilder } from './state.ts'

/** What an entry of the log did, in numbers. */
export interface EntrySummary {
  version: number
  timeMs: number
  info: CommitInfo
  added: number
  removed: number
  /** True when some action changed the rows of the table. */
  dataChange: boolean
  /** Statistics of the added files, where all have them as text. */
  stats: string[] | undefined
}

interface KnownState {
  state: DeltaState
  /** The file that stands for the version, and its version: while it is the same, so is the state. */
  proof: { path: string; version: string }
}

/** A file of the log that was listed is gone: what is there has to be looked at anew. */
class EntryGone extends Error {
  readonly file: string

  constructor(file: string) {
    super(`${file} went away`)
    this.file = file
  }
}

/** The logs of any number of tables. What is cached is immutable, and looked at before it is used. */
export class DeltaLogs {
  readonly #reader: FileReader
  readonly #maxFiles: number
  readonly #states = new BoundedCache<KnownState>(SETTINGS.attachedCacheBytes.default)
  readonly #summaries = new BoundedCache<{ version: string; summary: EntrySummary }>(
    SETTINGS.attachedCacheBytes.default,
  )
  /** The newest version that was read, by table. */
  readonly #newest = new BoundedCache<number>(SETTINGS.cachedVersions.default)

  constructor(reader: FileReader, options: { maxFiles: number }) {
    this.#reader = reader
    this.#maxFiles = options.maxFiles
  }

  /**
   * The newest state of a table, or the one that is asked for. One listing and one look when it is known already; of newer versions
   * only their entries are read.
   *
   * @throws FILE_NOT_FOUND for a folder without a log
   * @throws SNAPSHOT_NOT_FOUND for a version that never was, or is not kept any more
   * @throws TABLE_INVALID, FILE_LIMIT, FILE_UNREADABLE
   */
  async state(root: string, { at, ...options }: CallOptions & { at?: At | undefined } = {}): Promise<DeltaState> {
    return await this.#settled(root, options, async (files) => {
      const newest = newestVersion(files)!
      const version = at === undefined ? newest : await this.#versionAt(root, files, at, options)
      return await this.#stateOf(root, files, version, options)
    })
  }

  /** What each entry that is there did, newest last. @throws as `state` */
  async history(root: string, options: CallOptions = {}): Promise<EntrySummary[]> {
    return await this.#settled(root, options, async ({ entries }) => {
      const summaries: EntrySummary[] = []
      for (const version of entries) summaries.push(await this.#summary(root, version, options))
      return summaries
    })
  }

  /** The outcome of `read` over a listing all of whose files stayed until they were read. */
  async #settled<T>(root: string, options: CallOptions, read: (files: LogFiles) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const files = logFiles(await this.#reader.list(folderOf(root), options))
      if (newestVersion(files) === undefined) throw noLog(root)
      try {
        return await read(files)
      } catch (error) {
        if (!(error instanceof EntryGone)) throw error
        if (attempt === SETTINGS.attachedAttempts.default)
          throw incompleteLog(error.file, 'it went away time and again')
      }
    }
  }

  async #versionAt(root: string, { entries, checkpoints }: LogFiles, at: At, options: CallOptions): Promise<number> {
    if ('snapshotId' in at) {
      const wanted = Number(at.snapshotId)
      const isThere = entries.includes(wanted) || checkpoints.some(({ version }) => version === wanted)
      if (isThere) return wanted
      throw noVersion(root, String(at.snapshotId), 'there is no such version, or it is not kept any more')
    }
    for (const version of entries.toReversed()) {
      if ((await this.#summary(root, version, options)).timeMs <= at.timeMs) return version
    }
    throw noVersion(root, timeText(at.timeMs), 'the log does not go back so far')
  }

  async #stateOf(root: string, files: LogFiles, version: number, options: CallOptions): Promise<DeltaState> {
    const same = await this.#known(root, version, options)
    options.cacheUse?.note(same !== undefined)
    if (same) return same
    const plan = planVersion(files, version)
    const base = await this.#baseOf(root, files, version, options)
    if (!base && 'missing' in plan) {
      const missing = `${folderOf(root)}/${entryName(plan.missing)}`
      if (version === newestVersion(files)) throw incompleteLog(missing, `version ${version} of the table needs it`)
      throw noVersion(root, String(version), `${missing} is not kept any more`)
    }
    const path = `${folderOf(root)}/${files.entries.includes(version) ? entryName(version) : checkpointName(plan)}`
    const proof = await this.#reader.stat(path, options)
    if (!proof) throw new EntryGone(path)
    const state = base
      ? await this.#extend(root, base, version, options)
      : await this.#read(root, plan as LogPlan, options)
    this.#states.set(keyOf(root, version), { state, proof: { path, version: proof.version } }, state.weight)
    this.#newest.set(root, Math.max(version, this.#newest.get(root) ?? 0), 1)
    return state
  }

  /** The state of a version that was read before, unless its log was written anew. */
  async #known(root: string, version: number, options: CallOptions): Promise<DeltaState | undefined> {
    const known = this.#states.get(keyOf(root, version))
    const found = known && (await this.#reader.stat(known.proof.path, options))
    return found?.version === known?.proof.version ? known?.state : undefined
  }

  /** The newest known state, when all entries from there on are to be had. */
  async #baseOf(
    root: string,
    { entries }: LogFiles,
    version: number,
    options: CallOptions,
  ): Promise<DeltaState | undefined> {
    const newest = this.#newest.get(root)
    if (newest === undefined || newest >= version) return undefined
    const between = entries.filter((entry) => entry > newest && entry <= version)
    return between.length === version - newest ? await this.#known(root, newest, options) : undefined
  }

  async #extend(root: string, base: DeltaState, version: number, options: CallOptions): Promise<DeltaState> {
    const builder = new StateBuilder(root, this.#maxFiles, base)
    for (let entry = base.version + 1; entry <= version; entry++) builder.take(await this.#entry(root, entry, options))
    return builder.build(version)!
  }

  async #read(root: string, { version, checkpoint, entries }: LogPlan, options: CallOptions): Promise<DeltaState> {
    const builder = new StateBuilder(root, this.#maxFiles)
    for (const name of checkpoint?.files ?? []) await this.#checkpoint(root, name, builder, options)
    for (const entry of entries) builder.take(await this.#entry(root, entry, options))
    const state = builder.build(version)
    if (state) return state
    const first = checkpoint ? checkpoint.files[0]! : entryName(entries[0] ?? 0)
    throw damagedLog(`${folderOf(root)}/${first}`, 'it says neither what the table is nor who may read it')
  }

  async #checkpoint(root: string, name: string, builder: StateBuilder, options: CallOptions): Promise<void> {
    // Loaded when it is first needed: logs that go back to their beginning do without it.
    const { readCheckpoint } = await import('./checkpoint.ts')
    const sidecars: string[] = []
    const take = (actions: Action[]) => {
      builder.take(actions)
      for (const action of actions) if (action.kind === 'sidecar') sidecars.push(action.path)
    }
    const source = `${folderOf(root)}/${name}`
    const bytes = await this.#bytes(source, options)
    if (name.endsWith('.json')) take(readEntry(bytes, { root, source }))
    else await readCheckpoint(bytes, { root, source }, take, options)
    for (const path of sidecars) {
      const place = { root, source: path.includes('/') ? path : `${folderOf(root)}/_sidecars/${path}` }
      await readCheckpoint(await this.#bytes(place.source, options), place, (actions) => builder.take(actions), options)
    }
  }

  async #entry(root: string, version: number, options: CallOptions): Promise<Action[]> {
    const source = `${folderOf(root)}/${entryName(version)}`
    return readEntry(await this.#bytes(source, options), { root, source })
  }

  async #bytes(path: string, options: CallOptions): Promise<Uint8Array> {
    const bytes = await this.#reader.read(path, options)
    if (bytes === undefined) throw new EntryGone(path)
    return bytes
  }

  async #summary(root: string, version: number, options: CallOptions): Promise<EntrySummary> {
    const path = `${folderOf(root)}/${entryName(version)}`
    const found = await this.#reader.stat(path, options)
    if (!found) throw new EntryGone(path)
    const known = this.#summaries.get(path)
    options.cacheUse?.note(known?.version === found.version)
    if (known?.version === found.version) return known.summary
    const summary = summarise(version, await this.#entry(root, version, options), found.modifiedMs)
    const weight = SETTINGS.attachedEntryBytes.default + (summary.stats ?? []).join('').length
    this.#summaries.set(path, { version: found.version, summary }, weight)
    return summary
  }
}

function summarise(version: number, actions: readonly Action[], modifiedMs: number): EntrySummary {
  const info = actions.find((action) => action.kind === 'commitInfo')?.info ?? {}
  const adds = actions.filter((action) => action.kind === 'add')
  const removes = actions.filter((action) => action.kind === 'remove')
  const stats = adds.flatMap(({ file }) => (typeof file.stats === 'string' ? [file.stats] : []))
  return {
    version,
    timeMs: info.inCommitMs ?? info.timestampMs ?? modifiedMs,
    info,
    added: adds.length,
    removed: removes.length,
    dataChange: [...adds, ...removes].some((action) => action.dataChange),
    stats: stats.length === adds.length ? stats : undefined,
  }
}

function folderOf(root: string): string {
  return `${root}/_delta_log`
}

function keyOf(root: string, version: number): string {
  return `${root}\0${version}`
}

function checkpointName(plan: ReturnType<typeof planVersion>): string {
  return 'missing' in plan ? '' : (plan.checkpoint?.files[0] ?? '')
}

function noLog(root: string): SkepError<'FILE_NOT_FOUND'> {
  const file = folderOf(root)
  return new SkepError('FILE_NOT_FOUND', `${root} is no Delta table: ${file} has no entry`, { file })
}

function noVersion(root: string, at: string, why: string): SkepError<'SNAPSHOT_NOT_FOUND'> {
  return new SkepError('SNAPSHOT_NOT_FOUND', `${root} has no state of ${at}: ${why}`, { at })
}

function timeText(timeMs: number): string {
  const time = new Date(timeMs)
  return Number.isNaN(time.getTime()) ? String(timeMs) : time.toISOString()
}
