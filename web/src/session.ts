/** Who we are to the server, and the tables that it has: what several views need. */
import { computed, signal } from '@preact/signals'
import type { ResponseOf } from '../../src/api/contract.ts'
import { call } from './api/api.ts'
import { resource } from './api/resource.ts'

/** A table in the list. */
export type TableSummary = ResponseOf<'tables'>[number]
/** A table in full. */
export type TableDescription = ResponseOf<'table'>

/** Who asks, and what the server is. */
export const session = resource((signal) => call('session', { signal }))
/** The tables, by name. */
export const tables = resource((signal) => call('tables', { signal }))

/** Whether we may change tables and saved queries. */
export const mayWrite = computed(() => {
  const role = session.state.value.value?.role
  return role === 'writer' || role === 'admin'
})

const described = new Map<string, Promise<TableDescription>>()

/** A table in full, remembered until `forgetTables`. What failed is asked for again. @throws ApiError */
export function describe(table: string, at?: string): Promise<TableDescription> {
  const key = JSON.stringify([table, at])
  const known = described.get(key)
  if (known) return known
  const asked = call('table', { params: { table }, query: at === undefined ? {} : { at } })
  described.set(key, asked)
  asked.catch(() => described.delete(key))
  return asked
}

/** Grows whenever tables have changed: what shows one loads it again. */
export const tablesVersion = signal(0)

/** Loads the list of tables again, and forgets what was known of each. */
export async function forgetTables(): Promise<void> {
  described.clear()
  tablesVersion.value++
  await tables.reload()
}
