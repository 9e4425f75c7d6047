/** A server from its start to its end. */
import type { AddressInfo } from 'node:net'
import { isIPv6 } from 'node:net'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import type { Warehouse } from '../warehouse.ts'
import { Access } from './access.ts'
import { Admission } from './admission.ts'
import { buildApp } from './app.ts'
import type { ServerContext } from './context.ts'
import { Queries, type QueryRecord, type QueryStore } from './queries.ts'

/** Where a server listens, and for whom. */
export interface ServerOptions {
  /** An address of this machine; the loopback one when absent. */
  host?: string
  /** 0 for one that is free. */
  port?: number
  /** The one token of an admin. */
  token?: string | undefined
  /** The version that it tells. */
  version: string
  logger?: FastifyBaseLogger | false
}

const LOOPBACK = '127.0.0.1'

/** A server that listens. */
export class Server implements AsyncDisposable {
  /** Where it is: `http://127.0.0.1:4213`. */
  readonly url: string
  readonly #app: FastifyInstance
  readonly #context: ServerContext
  readonly #state: { isReady: boolean }

  private constructor(app: FastifyInstance, context: ServerContext, state: { isReady: boolean }) {
    this.#app = app
    this.#context = context
    this.#state = state
    const { address, port } = app.server.address() as AddressInfo
    this.url = `http://${isIPv6(address) ? `[${address}]` : address}:${port}`
  }

  /**
   * A server over a warehouse, which stays its caller's.
   *
   * @throws ARGUMENT_INVALID for an address that others can reach while there is no token, and for one that cannot be had
   */
  static async start(warehouse: Warehouse, options: ServerOptions): Promise<Server> {
    const { host = LOOPBACK, port = 4213, token, version, logger = false } = options
    const { settings } = warehouse
    const state = { isReady: false }
    const context: ServerContext = {
      warehouse,
      settings,
      access: new Access({ ...settings, host, token }),
      admission: new Admission({
        places: settings.concurrentQueries,
        mostWaiting: settings.queuedQueries,
        longestMs: settings.queueMs,
      }),
      queries: new Queries(new MemoryStore()),
      version,
      isReady: () => state.isReady,
    }
    const app = await buildApp(context, logger)
    try {
      await app.listen({ host, port })
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      const reason =
        code === 'EADDRINUSE'
          ? `port ${port} is in use; choose another with --port`
          : `cannot listen on ${host}:${port} (${code})`
      throw new SkepError('ARGUMENT_INVALID', reason, { argument: 'port' }, { cause: error })
    }
    state.isReady = true
    return new Server(app, context, state)
  }

  /** Takes no new queries, gives those that run their time, and ends. */
  async close(): Promise<void> {
    const { admission, queries, settings } = this.#context
    this.#state.isReady = false
    const timer = setTimeout(() => queries.cancelAll(), settings.shutdownMs)
    await admission.close()
    clearTimeout(timer)
    // A connection that never asked for anything does not count as idle, and would be waited for.
    const last = setTimeout(() => this.#app.server.closeAllConnections(), SETTINGS.lastAnswersMs.default)
    await this.#app.close()
    clearTimeout(last)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

class MemoryStore implements QueryStore {
  readonly #records = new Map<string, QueryRecord>()

  put(record: QueryRecord): void {
    this.#records.set(record.id, record)
  }

  get(id: string): QueryRecord | undefined {
    return this.#records.get(id)
  }

  list({ limit }: { limit?: number } = {}): QueryRecord[] {
    return [...this.#records.values()].reverse().slice(0, limit)
  }
}
