/** Forgetting a table by the rules of Funnel Rocket: a name that is unknown is no error, a table in use is one. */
import type { ResponseOf } from '../../api/contract.ts'
import type { TableOrigin } from '../../catalog/catalog.ts'
import { isSkepError, SkepError } from '../../errors.ts'
import type { QueryRecord } from '../../records/query-record.ts'
import { ANSWERED, type Call, type ServerContext } from '../context.ts'
import { sendJson } from '../underway.ts'
import { failureOf } from './failure.ts'

type Unregistered = ResponseOf<'datasetUnregister'>

/** What came of it. @throws TABLE_KIND for a managed table, whose data this would orphan */
export async function unregister(
  { context, reply }: Pick<Call, 'context' | 'reply'>,
  name: string,
  force: boolean,
): Promise<Unregistered | typeof ANSWERED> {
  const origin = await originOf(context, name)
  if (origin === 'unknown') return { success: true, datasetFound: false }
  const use = origin && (await lastUse(context, origin))
  const lastUsed = use && { datasetLastUsed: Math.floor(Date.parse(use.startedAt) / 1000) }
  if (origin?.kind !== 'managed' && use && !force && isRecent(context, use)) {
    const error = inUse(origin!.name, use)
    await sendJson(reply, JSON.stringify({ ...failureOf(error), datasetFound: true, ...lastUsed }), error.status)
    return ANSWERED
  }
  try {
    await context.warehouse.unregister(name)
  } catch (error) {
    if (!isSkepError(error, 'TABLE_NOT_FOUND')) throw error
    return { success: true, datasetFound: false }
  }
  return { success: true, datasetFound: true, ...lastUsed }
}

/** What the name stands for; `unknown` for a name that no table has or can have, nothing for one that is damaged. */
async function originOf({ warehouse }: ServerContext, name: string): Promise<TableOrigin | 'unknown' | undefined> {
  try {
    return await warehouse.origin(name)
  } catch (error) {
    if (isSkepError(error, 'TABLE_NOT_FOUND') || isSkepError(error, 'TABLE_NAME_INVALID')) return 'unknown'
    if (isSkepError(error, 'TABLE_INVALID')) return undefined
    throw error
  }
}

/** The newest query of a table since it has its name; of those that run, one is newer than any that is over. */
async function lastUse({ queries }: ServerContext, { name, since }: TableOrigin): Promise<QueryRecord | undefined> {
  const uses = (await queries.list(undefined)).filter((query) => query.startedAt >= since && isUse(query, name))
  return uses.find(isUnderway) ?? uses[0]
}

function isUse({ kind, state, table, text }: QueryRecord, name: string): boolean {
  if (state === 'failed') return false
  if (kind === 'query') return table?.toLowerCase() === name.toLowerCase()
  // The log knows the text of SQL and of documents, not their tables.
  return (kind === 'sql' || kind === 'run') && new RegExp(`(?<![\\w-])${name}(?![\\w-])`, 'i').test(text)
}

function isUnderway({ state }: QueryRecord): boolean {
  return state === 'queued' || state === 'running'
}

function isRecent({ settings }: ServerContext, use: QueryRecord): boolean {
  if (settings.unregisterIdleMs === 0) return false
  return isUnderway(use) || Date.now() - Date.parse(use.startedAt) < settings.unregisterIdleMs
}

function inUse(table: string, use: QueryRecord): SkepError<'TABLE_IN_USE'> {
  const what = isUnderway(use) ? 'is being queried' : `was queried at ${use.startedAt}`
  const message = `"${table}" ${what}; try again later, or with ?force=true`
  return new SkepError('TABLE_IN_USE', message, { table, lastUsedAt: use.startedAt })
}
