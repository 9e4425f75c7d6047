/** What the names of a warehouse stand for. */
import { SkepError } from '../errors.ts'
import type { Attachment, FoundName } from './names.ts'
import type { TableKind } from './types.ts'

/** What a name stands for. `registration` is a JSON object that only its maker understands. */
export type CatalogEntry =
  | { kind: 'managed'; name: string; uuid: string }
  | { kind: 'registered'; name: string; registration: object }
  | AttachedEntry

/** A name that stands for a table which others write. */
export type AttachedEntry = { kind: 'attached'; name: string } & Attachment

/** An entry of a table that is not ours. */
export type ForeignEntry = Exclude<CatalogEntry, { kind: 'managed' }>

/** Where a table came from. */
export interface TableOrigin {
  /** As its maker spelled it. */
  name: string
  kind: TableKind
  /** When it was made, registered or attached under its name: ISO 8601, UTC. */
  since: string
}

/** A name whose entry cannot be read: nothing is known of its table. */
export interface DamagedName {
  kind: 'damaged'
  name: string
  error: SkepError
}

/** An entry of a name that is taken. */
export function toEntry(entry: Exclude<FoundName['entry'], { state: 'absent' }>): CatalogEntry {
  const { state, ...rest } = entry
  return { kind: state, ...rest } as CatalogEntry
}

/** The error of a command that does not fit the kind of a table; `hint` says why, or what would. */
export function wrongKind({ name: table, kind }: { name: string; kind: TableKind }, hint: string): SkepError {
  const article = kind === 'attached' ? 'an' : 'a'
  return new SkepError('TABLE_KIND', `"${table}" is ${article} ${kind} table: ${hint}`, { table, kind })
}
