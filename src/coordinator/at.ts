/** Which state of its tables a query asks for. */
import type { CatalogEntry } from '../catalog/catalog.ts'
import type { At } from '../catalog/managed-tables.ts'
import type { SnapshotId } from '../catalog/types.ts'
import { SkepError } from '../errors.ts'

/** A time (ISO 8601 or Date: all tables that have a history as of then), a snapshot id (for the one such table of the query), or ids by table. */
export type AtOption = string | number | Date | Readonly<Record<string, SnapshotId>>

/** The state asked for of each table that has a history (all but registered ones), by name. @throws ARGUMENT_INVALID */
export function resolveAt(at: AtOption | undefined, entries: readonly CatalogEntry[]): Map<string, At> {
  const versioned = entries.filter(({ kind }) => kind !== 'registered').map(({ name }) => name)
  if (at === undefined) return new Map()
  if (typeof at === 'object' && !(at instanceof Date)) return byTable(at, versioned)
  const id = typeof at === 'number' ? at : /^\d+$/.test(String(at)) ? String(at) : undefined
  if (id === undefined) {
    const time: At = { timeMs: readTime(at) }
    return new Map(versioned.map((name) => [name, time]))
  }
  if (versioned.length !== 1) {
    throw invalid(
      `a snapshot id needs a query with one table that has snapshots, this one has ${versioned.length}; write table=id for each`,
    )
  }
  return new Map([[versioned[0]!, snapshot(id)]])
}

function byTable(ids: Readonly<Record<string, SnapshotId>>, versioned: readonly string[]): Map<string, At> {
  return new Map(
    Object.entries(ids).map(([table, id]) => {
      const name = versioned.find((candidate) => candidate.toLowerCase() === table.toLowerCase())
      if (name === undefined) throw invalid(`the query reads no table "${table}" that has snapshots`)
      return [name, snapshot(id)]
    }),
  )
}

function snapshot(id: SnapshotId): At {
  const number = Number(id)
  const isExact = Number.isSafeInteger(number)
  if ((typeof id === 'number' && !isExact) || !/^\d+$/.test(String(id))) throw invalid(`${id} is no snapshot id`)
  return { snapshotId: isExact ? number : String(id) }
}

const ISO_TIME = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/

/** Milliseconds since 1970; a time without zone is UTC. */
function readTime(at: string | number | Date): number {
  const text = String(at)
  const match = at instanceof Date ? undefined : ISO_TIME.exec(text)
  const needsZone = match && text.length > 10 && match[1] === undefined
  const ms =
    at instanceof Date
      ? at.getTime()
      : match
        ? Date.parse(needsZone ? `${text.replace(' ', 'T')}Z` : text.replace(' ', 'T'))
        : Number.NaN
  if (Number.isNaN(ms)) throw invalid(`"${text}" is neither an ISO 8601 time nor a snapshot id`)
  return ms
}

function invalid(message: string): SkepError<'ARGUMENT_INVALID'> {
  return new SkepError('ARGUMENT_INVALID', `at: ${message}`, { argument: 'at' })
}
