/** A server from its start to its end. */
import type { AddressInfo } from 'node:net'
import { isIPv6 } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import { QueryLog } from '../records/query-log.ts'
import { DiskStore } from '../storage/disk-store.ts'
import type { Warehouse } from '../warehouse.ts'
import { Access } from './access.ts'
import { Admission } from './admission.ts'
import { buildApp } from './app.ts'
import type { ServerContext } from './context.ts'
import { type Log, SILENT } from './log.ts'
import { Metrics } from './metrics.ts'
import { observeQueries } from './observe.ts'
import { Queries } from './queries.ts'
import type { Traces } from './traces.ts'

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
  /** The folder of the web page. */
  page?: string
  /** Nothing is logged when absent. */
  log?: Log
  /** Ended with the server. */
  traces?: Traces | undefined
}

const LOOPBACK = '127.0.0.1'

/** A server that listens. */
export class Server implements AsyncDisposable {
  /** Where it is: `http://127.0.0.1:4213`. */
  readonly url: string
  readonly #app: FastifyInstance
  readonly #context: ServerContext
  readonly #records: QueryLog
  readonly #state: { isReady: boolean }
  #closed: Promise<void> | undefined

  private constructor(
    app: FastifyInstance,
    context: ServerContext,
    { records, state }: { records: QueryLog; state: { isReady: boolean } },
  ) {
    this.#app = app
    this.#context = context
    this.#records = records
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
    const { host = LOOPBACK, port = 4213, token, version, page, log = SILENT, traces } = options
    const { settings } = warehouse
    const access = new Access({ ...settings, host, token })
    const records = await QueryLog.open(new DiskStore(warehouse.root), settings)
    const state = { isReady: false }
    const admission = new Admission({
      places: settings.concurrentQueries,
      mostWaiting: settings.queuedQueries,
      longestMs: settings.queueMs,
    })
    const isReady = () => state.isReady
    const context: ServerContext = {
      warehouse,
      settings,
      access,
      admission,
      queries: new Queries(records),
      version,
      page,
      isReady,
      metrics: new Metrics({ load: () => admission.load, workers: () => warehouse.workers(), isReady }),
      log,
      traces,
      reported: new WeakSet(),
    }
    observeQueries(context)
    const app = await buildApp(context)
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
    return new Server(app, context, { records, state })
  }

  /** Takes no new queries, gives those that run their time, and ends. */
  async close(): Promise<void> {
    this.#closed ??= this.#close()
    await this.#closed
  }

  async #close(): Promise<void> {
    const { log, traces } = this.#context
    const { closeGraceMs } = SETTINGS
    this.#state.isReady = false
    await this.#endQueries()
    const closed = this.#app.close()
    if (!(await isDoneWithin(closed, closeGraceMs.default))) {
      log.warn('connections that are still open are cut')
      this.#app.server.closeAllConnections()
      await closed
    }
    await this.#records.close()
    await traces?.[Symbol.asyncDispose]()
  }

  async #endQueries(): Promise<void> {
    const { admission, queries, settings, log } = this.#context
    const ended = admission.close()
    log.info({ ...admission.load }, 'no new queries are taken')
    if (await isDoneWithin(ended, settings.shutdownMs)) return
    log.warn({ ...admission.load }, 'queries that still run are cancelled')
    const message = 'the server ended before the query was done; try again'
    queries.cancelAll(new SkepError('SERVER_CLOSING', message, {}))
    if (await isDoneWithin(ended, SETTINGS.closeGraceMs.default)) return
    log.error({ ...admission.load }, 'queries that do not end are left behind')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

async function isDoneWithin(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), limitMs)
  try {
    return await Promise.race([work.then(() => true), promise])
  } finally {
    clearTimeout(timer)
  }
}
