/** What the SQL view remembers: the text, and what was asked from this browser. */
import { stored } from '../../stored.ts'

/** A query as it is asked. */
export interface Asked {
  sql: string
  /** As of when, in the form of addresses; absent for now. */
  at?: string | undefined
  /** Where `sql` begins in the text of the editor: it may be a selection. */
  from: number
}

/** A query that was asked, or a text that another one took the place of. */
export interface Past {
  text: string
  at?: string | undefined
  /** ISO 8601. */
  time: string
}

const PASTS = 100
/** Texts beyond are kept by this browser and not in the address, which cannot hold them everywhere. */
const LONGEST_LINK = 6000

/** The text of the editor, of this window. */
export const text = stored('sql.text', '', () => sessionStorage)
/** The text that the address was last given: one that differs has come from a link. */
export const written = stored('sql.written', '', () => sessionStorage)
/** Newest first. */
export const pasts = stored<readonly Past[]>('sql.history', [])

/** Keeps a text in the history of this browser, once. */
export function remember(past: Omit<Past, 'time'>): void {
  if (past.text.trim() === '') return
  const others = pasts.value.filter(({ text, at }) => text !== past.text || at !== past.at)
  pasts.value = [{ ...past, time: new Date().toISOString() }, ...others].slice(0, PASTS)
}

/** Whether an address can hold a text. */
export function fitsLink(sql: string): boolean {
  return encodeURIComponent(sql).length <= LONGEST_LINK
}

/** What the API takes for the text of an address: snapshot ids by table, a time, or one snapshot id. */
export function atOf(at: string): string | Record<string, string> {
  if (!at.includes('=')) return at
  return Object.fromEntries(
    at.split(',').map((pair) => {
      const cut = pair.lastIndexOf('=')
      return [pair.slice(0, cut).trim(), pair.slice(cut + 1).trim()]
    }),
  )
}
