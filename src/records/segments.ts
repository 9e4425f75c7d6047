/** The log of queries in the store: one object for each process that writes, read by all. */
import { randomUUID } from 'node:crypto'
import { SETTINGS } from '../config.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { ObjectInfo, ObjectStore } from '../storage/object-store.ts'
import { livenessOfName, nameOfProcess, type Processes } from '../storage/processes.ts'
import { interrupted, type QueryRecord, readRecord } from './query-record.ts'

const FOLDER = 'queries'
const SUFFIX = '.json'
const FORMAT = 1

/** What one writer wrote. */
export interface Segment {
  path: string
  version: string
  /** True when nothing will follow: its writer said so, has died, or has been silent for too long. */
  ended: boolean
  /** Where it has ended, no query of it runs any more. */
  records: readonly QueryRecord[]
}

/** What was read of an object, before it is known whether its writer lives. */
interface ReadSegment {
  version: string
  /** False for what is damaged, or of another format: it is left as it is. */
  known: boolean
  closed: boolean
  records: readonly QueryRecord[]
}

/** What reading segments needs. */
export interface SegmentPlace {
  store: ObjectStore
  processes: Processes
  now(): number
  /** How long the writer of a segment may be silent while a query of it runs, where nobody can look at it. */
  silentMs: number
}

/** The segments of a warehouse, as one of their writers sees them. */
export class Segments {
  /** Where this writer's own one is. */
  readonly path: string
  readonly #place: SegmentPlace
  #known = new Map<string, ReadSegment>()

  constructor(place: SegmentPlace) {
    this.#place = place
    this.path = `${FOLDER}/${nameOfProcess(place.processes.self)}-${randomUUID()}${SUFFIX}`
  }

  /** What all others wrote, as it is now; only what has changed is read. Objects that are no segments are left out. */
  async others(): Promise<Segment[]> {
    for (let attempt = 1; ; attempt++) {
      const listed = await this.#list()
      const found = await mapConcurrent(listed, SETTINGS.storeCalls.default, async (info) => ({
        info,
        read: await this.#read(info),
      }))
      // One that went away meanwhile is in another by now, which may have been read before.
      const vanished = found.some(({ read }) => read === undefined)
      if (vanished && attempt < SETTINGS.storeAttempts.default) continue
      const present = found.flatMap(({ info, read }) => (read ? [{ info, read }] : []))
      this.#known = new Map(present.map(({ info, read }) => [info.path, read]))
      return present.map(({ info, read }) => this.#judge(info, read))
    }
  }

  async #list(): Promise<ObjectInfo[]> {
    const { objects } = await this.#place.store.list(`${FOLDER}/`)
    return objects.filter(({ path }) => path.endsWith(SUFFIX) && path !== this.path)
  }

  async #read({ path, version }: ObjectInfo): Promise<ReadSegment | undefined> {
    const known = this.#known.get(path)
    if (known?.version === version) return known
    const bytes = await this.#place.store.read(path)
    return bytes && { version, ...parse(bytes) }
  }

  #judge({ path, modifiedMs }: ObjectInfo, { version, known, closed, records }: ReadSegment): Segment {
    const { processes, now, silentMs } = this.#place
    const liveness = livenessOfName(path.slice(FOLDER.length + 1), processes)
    const silent = liveness === 'unknown' && now() - modifiedMs > silentMs
    const ended = known && (closed || liveness === 'dead' || silent)
    return { path, version, ended, records: ended ? records.map(interrupted) : records }
  }

  /** Writes this writer's own segment, in place of what it had written. `closed`: nothing will follow. */
  async write(records: readonly QueryRecord[], closed: boolean): Promise<void> {
    const document = { format: FORMAT, closed, records }
    await this.#place.store.put(this.path, Buffer.from(JSON.stringify(document)))
  }

  /** Removes a segment whose records are in this writer's own one by now. */
  async remove(path: string): Promise<void> {
    await this.#place.store.delete(path)
  }

  /** True for a warehouse that has something in it: one that does not exist is not made for a log. */
  async hasWarehouse(): Promise<boolean> {
    return (await this.#place.store.list('', { limit: 1 })).objects.length > 0
  }
}

/** What an object holds. */
function parse(bytes: Uint8Array): Omit<ReadSegment, 'version'> {
  const document = parseJson(bytes)
  if (document?.format !== FORMAT || !Array.isArray(document.records))
    return { known: false, closed: false, records: [] }
  const records = document.records.flatMap((record) => readRecord(record) ?? [])
  return { known: true, closed: document.closed === true, records }
}

function parseJson(bytes: Uint8Array): { format?: unknown; closed?: unknown; records?: unknown } | null {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return null
  }
}
