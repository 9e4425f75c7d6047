/** What every route of the API does. */
import { readAt } from '../api/at-text.ts'
import type { AtOption } from '../coordinator/at.ts'
import type { SqlOptions } from '../coordinator/calls.ts'
import { SkepError } from '../errors.ts'
import type { PoolName } from '../planner/plan.ts'
import { ANSWERED, type Call, type Handlers } from './context.ts'
import { readParams } from './params.ts'
import { requireDocumentInside, requireInside, requireTableInside } from './paths.ts'
import { answerRows, figuresOf } from './rows.ts'
import { answerDocument, aside } from './underway.ts'
import { importBody } from './upload.ts'

/** The handlers of queries. */
export const QUERY_HANDLERS: Pick<Handlers, 'sql' | 'query' | 'run' | 'queries' | 'queryById' | 'cancel'> = {
  sql: async (call) => {
    const { sql, params, at } = call.body
    const options = {
      ...askedOptions(call.body),
      ...(at !== undefined && { at }),
      ...(params && { params: readParams(params) }),
    }
    const asked = { kind: 'sql' as const, text: sql, ...whoOf(call), ...poolOf(call.body) }
    return await answerRows(call, {
      asked,
      query: sql,
      options,
      explain: call.body.explain ?? false,
      stream: streamOf(call.query),
      ...(call.query.rows !== undefined && { mostRows: call.query.rows }),
    })
  },
  run: async (call) => {
    const query = await requireDocumentInside(call, call.text)
    const asked = { kind: 'run' as const, text: call.text, ...whoOf(call), ...poolOf(call.query) }
    const explain = call.query.explain ?? false
    return await answerRows(call, {
      asked,
      query,
      options: askedOptions(call.query),
      explain,
      stream: streamOf(call.query),
    })
  },
  query: async (call) => {
    const { warehouse } = call.context
    const { table } = call.params
    const at = atOf(call.query)
    const asked = { kind: 'query' as const, text: call.text, table, ...whoOf(call), ...poolOf(call.query) }
    return await answerDocument(call, asked, { stream: streamOf(call.query) !== false }, async (running) => {
      const options = { ...askedOptions(call.query), ...(at !== undefined && { at }), ...running }
      if (call.query.explain) return { document: await warehouse.explainQuery(table, call.text, options) }
      const document = await warehouse.query(table, call.text, options)
      return { document, figures: figuresOf(document.stats) }
    })
  },
  queries: async ({ context, query }) => await context.queries.list(query.limit),
  queryById: async ({ context, params }) => await context.queries.get(params.id),
  cancel: async ({ context, params }) => await context.queries.cancel(params.id),
}

/** The handlers of tables. */
export const TABLE_HANDLERS: Pick<
  Handlers,
  | 'tables'
  | 'table'
  | 'files'
  | 'snapshots'
  | 'register'
  | 'attach'
  | 'import'
  | 'alter'
  | 'rollback'
  | 'remove'
  | 'verify'
  | 'vacuum'
  | 'vacuumTable'
  | 'column'
  | 'values'
> = {
  tables: async ({ context }) => await context.warehouse.tables(),
  table: async ({ context, params, query }) => {
    const at = atOf(query)
    return await context.warehouse.describe(params.table, at === undefined ? {} : { at })
  },
  files: async ({ context, params, query }) => {
    const at = atOf(query)
    const described = await context.warehouse.describe(params.table, { files: true, ...(at !== undefined && { at }) })
    return described.dataFiles ?? []
  },
  snapshots: async ({ context, params }) => await context.warehouse.snapshots(params.table),
  register: async (call) => {
    const { params, body, context, query } = call
    const { path, ...options } = body
    await requireInside(call, path)
    const asked = { kind: 'register' as const, text: path, table: params.table, ...whoOf(call) }
    return await answerDocument(call, asked, { stream: streamOf(query) !== false, status: 201 }, async (running) => {
      const document = await context.warehouse.register(params.table, path, { ...options, ...running })
      return { document, figures: { rows: document.rows, bytes: document.bytes } }
    })
  },
  attach: async (call) => {
    const { uri, ...options } = call.body
    await requireTableInside(call, uri)
    return await call.context.warehouse.attach(call.params.table, uri, options)
  },
  import: async (call) => {
    const { params, query } = call
    const { stream, types, ...options } = query
    const asked = { kind: 'import' as const, text: params.table, table: params.table, ...whoOf(call) }
    return await answerDocument(
      call,
      asked,
      { stream: streamOf({ stream }) !== false },
      async ({ signal, onProgress }) => {
        const document = await importBody(call, {
          ...options,
          ...(types !== undefined && { types: readTypes(types) }),
          signal,
          onProgress,
        })
        return { document, figures: { rows: document.rows, bytes: document.bytes } }
      },
    )
  },
  alter: async ({ context, params, body }) => ({
    table: params.table,
    changed: await context.warehouse.alter(params.table, body),
  }),
  rollback: async ({ context, params, body }) => await context.warehouse.rollback(params.table, body.snapshotId),
  remove: async ({ context, params, query, reply }) => {
    const { warehouse } = context
    if (query.drop) await warehouse.drop(params.table)
    else await warehouse.unregister(params.table)
    await reply.code(204).send()
    return ANSWERED
  },
  verify: async (call) =>
    await aside(call, async (signal) => await call.context.warehouse.verify(call.params.table, { signal })),
  vacuum: async (call) =>
    await aside(call, async (signal) => await call.context.warehouse.vacuum(undefined, { ...call.body, signal })),
  vacuumTable: async (call) =>
    await aside(
      call,
      async (signal) => await call.context.warehouse.vacuum(call.params.table, { ...call.body, signal }),
    ),
  column: async (call) => {
    const { table, column } = call.params
    const at = atOf(call.query)
    return await aside(
      call,
      async (signal) => await call.context.warehouse.column(table, column, { signal, ...(at !== undefined && { at }) }),
    )
  },
  values: async (call) => {
    const { table, column } = call.params
    const { at: _at, ...options } = call.query
    const at = atOf(call.query)
    return await aside(
      call,
      async (signal) =>
        await call.context.warehouse.values(table, column, { ...options, signal, ...(at !== undefined && { at }) }),
    )
  },
}

/** The option that `?at=` stands for. */
export function atOf({ at }: { at?: string }): AtOption | undefined {
  return at === undefined ? undefined : readAt(at.split(','))
}

/** Who asks, for the record. */
export function whoOf({ caller }: Pick<Call, 'caller'>): { who: string } {
  return { who: caller.name }
}

/** What `?stream=` asks for. */
export function streamOf({ stream = false }: { stream?: boolean | 'rows' | undefined }): boolean | 'rows' {
  return stream
}

interface Asked {
  pool?: string
  maxBytes?: number
  maxCost?: number
}

function poolOf({ pool }: Asked): { pool?: string } {
  return pool === undefined ? {} : { pool }
}

/** The options of a query; the name of a pool is checked by whoever runs it. */
function askedOptions({ pool, maxBytes, maxCost }: Asked): Pick<SqlOptions, 'pool' | 'maxBytes' | 'maxCost'> {
  return {
    ...(pool !== undefined && { pool: pool as PoolName }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(maxCost !== undefined && { maxCost }),
  }
}

/** @throws ARGUMENT_INVALID */
function readTypes(text: string): Record<string, string> {
  try {
    const types: unknown = JSON.parse(text)
    if (typeof types === 'object' && types !== null && Object.values(types).every((type) => typeof type === 'string')) {
      return types as Record<string, string>
    }
  } catch {
    // Told below.
  }
  throw new SkepError('ARGUMENT_INVALID', 'types: expected a JSON object such as {"price":"DECIMAL(10,2)"}', {
    argument: 'types',
  })
}
