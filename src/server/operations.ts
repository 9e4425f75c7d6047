/** What operators and pages ask of a server itself. */
import { basename } from 'node:path'
import { ANSWERED, type Handlers } from './context.ts'

/** The handlers of a server's own state, and of saved queries. */
export const OPERATION_HANDLERS: Pick<
  Handlers,
  | 'column'
  | 'values'
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
  column: async () => {
    throw new Error('soon')
  },
  values: async () => {
    throw new Error('soon')
  },
  savedQueries: async () => [],
  savedQuery: async () => {
    throw new Error('soon')
  },
  saveQuery: async () => {
    throw new Error('soon')
  },
  removeSavedQuery: async () => {
    throw new Error('soon')
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
  metrics: async () => {
    throw new Error('soon')
  },
}
