/** What operators and pages ask of a server itself. */
import { basename } from 'node:path'
import { ANSWERED, type Handlers } from './context.ts'

/** The handlers of a server's own state, and of saved queries. */
export const OPERATION_HANDLERS: Pick<
  Handlers,
  | 'savedQueries'
  | 'savedQuery'
  | 'saveQuery'
  | 'removeSavedQuery'
  | 'workers'
  | 'session'
  | 'openapi'
  | 'healthz'
  | 'readyz'
  | 'metrics'
> = {
  savedQueries: async ({ context }) => await context.warehouse.savedQueries(),
  savedQuery: async ({ context, params }) => await context.warehouse.savedQuery(params.name),
  saveQuery: async ({ context, params, body }) => await context.warehouse.saveQuery(params.name, body),
  removeSavedQuery: async ({ context, params, reply }) => {
    await context.warehouse.removeSavedQuery(params.name)
    await reply.code(204).send()
    return ANSWERED
  },
  workers: async ({ context }) => context.warehouse.workers(),
  session: async ({ caller, context }) => ({
    who: caller.name,
    role: caller.role,
    version: context.version,
    warehouse: basename(context.warehouse.root),
  }),
  openapi: async ({ request }) => request.server.swagger(),
  healthz: async ({ reply }) => {
    await reply.type('text/plain').send('ok\n')
    return ANSWERED
  },
  readyz: async ({ reply, context }) => {
    const ready = context.isReady()
    await reply
      .code(ready ? 200 : 503)
      .type('text/plain')
      .send(ready ? 'ready\n' : 'closing\n')
    return ANSWERED
  },
  metrics: async ({ reply, context: { metrics } }) => {
    await reply.type(metrics.contentType).send(await metrics.text())
    return ANSWERED
  },
}
