/** Leases: a writer says that it is at work before it writes a file, so that vacuum spares what no snapshot holds yet. */
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import type { Processes, ProcessMark } from '../storage/processes.ts'
import { newUuid, type Sources } from './sources.ts'
import { listObjects } from './versioned-log.ts'

/** The folder of a table, below its own, where writers announce themselves. */
export const WRITERS = 'writers'

/** A writer at work. The paths of all files that it writes contain its `id`. */
export interface Writer {
  readonly id: string
  /** Version of the name's log before the writer began: a later one may shut it out. */
  readonly nameVersion: number
  /** Ends the lease; with `keep` its object stays, for a writer that does not know whether its files became part of the table. */
  end(options?: { keep?: boolean }): Promise<void>
}

/** What the object of a lease says. */
export interface LeaseDocument extends ProcessMark {
  id: string
  table: string
}

/** A lease as vacuum finds it; without a document when it cannot be read. */
export interface FoundLease {
  path: string
  sizeBytes: number
  /** When it was last renewed. */
  modifiedMs: number
  document?: LeaseDocument
}

/** How writers announce themselves. */
export interface LeaseOptions {
  sources: Sources
  processes: Processes
  /** 0: a short step, whose lease is not renewed. */
  renewMs: number
}

/** Announces a writer in the folder of a table. It is renewed until it ends. @throws as a write to the store does */
export async function openWriter(
  store: ObjectStore,
  folder: string,
  of: { table: string; nameVersion: number },
  { sources, processes, renewMs }: LeaseOptions,
): Promise<Writer> {
  const id = newUuid(sources)
  const path = `${folder}/${WRITERS}/${id}.json`
  const document: LeaseDocument = { id, table: of.table, ...processes.self }
  const bytes = new TextEncoder().encode(JSON.stringify(document))
  await store.put(path, bytes).catch(async (error: unknown) => {
    await store.delete(path).catch(() => undefined)
    throw error
  })
  const ended = new AbortController()
  let renewing: Promise<void> | undefined
  const renew = async () => {
    for (;;) {
      await sources.sleep(renewMs, ended.signal)
      if (ended.signal.aborted) return
      // A lease that could not be renewed may lapse: what the writer then commits is still checked.
      renewing = store.put(path, bytes).catch(() => undefined)
      await renewing
    }
  }
  // Ends with CANCELLED, thrown by the sleep.
  if (renewMs > 0) void renew().catch(() => undefined)
  return {
    id,
    nameVersion: of.nameVersion,
    end: async ({ keep = false } = {}) => {
      ended.abort()
      await renewing
      if (!keep) await store.delete(path).catch(() => undefined)
    },
  }
}

/** The leases in the folder of a table. */
export async function readLeases(store: ObjectStore, folder: string, options: CallOptions = {}): Promise<FoundLease[]> {
  const leases: FoundLease[] = []
  for await (const { path, sizeBytes, modifiedMs } of listObjects(store, `${folder}/${WRITERS}/`, options)) {
    const bytes = await store.read(path, options)
    if (bytes === undefined) continue
    const document = parseLease(bytes)
    leases.push({ path, sizeBytes, modifiedMs, ...(document && { document }) })
  }
  return leases
}

function parseLease(bytes: Uint8Array): LeaseDocument | undefined {
  try {
    const json = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Record<string, unknown>> | null
    const { id, table, host, boot, pid, start } = json ?? {}
    const texts = [id, table, host, boot, start]
    if (!texts.every((text) => typeof text === 'string') || !Number.isSafeInteger(pid) || id === '') return undefined
    return { id, table, host, boot, pid, start } as LeaseDocument
  } catch {
    return undefined
  }
}

/** Whether the writer of a lease may still be at work: its process lives or, where that cannot be seen, it has renewed the lease not long ago. */
export function isAtWork(
  { modifiedMs, document }: FoundLease,
  { processes, nowMs, graceMs }: { processes: Processes; nowMs: number; graceMs: number },
): boolean {
  const liveness = document ? processes.liveness(document) : 'unknown'
  return liveness === 'unknown' ? nowMs - modifiedMs < graceMs : liveness === 'alive'
}
