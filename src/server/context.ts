/** What the handlers of a server work with. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BodyOf, ParamsOf, QueryOf, ResponseOf } from '../api/contract.ts'
import type { EndpointName } from '../api/endpoints.ts'
import type { Settings } from '../config.ts'
import type { Warehouse } from '../warehouse.ts'
import type { Access, Caller } from './access.ts'
import type { Admission } from './admission.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Queries } from './queries.ts'
import type { Traces } from './traces.ts'

/** The parts of a server. */
export interface ServerContext {
  warehouse: Warehouse
  settings: Settings
  access: Access
  admission: Admission
  queries: Queries
  metrics: Metrics
  log: Log
  /** Absent when no collector is named. */
  traces?: Traces | undefined
  /** Causes of defects that were logged. */
  reported: WeakSet<object>
  /** The version of Skep. */
  version: string
  /** The folder of the web page, where it has been built. */
  page?: string | undefined
  /** Whether queries are taken. */
  isReady(): boolean
}

/** A request that may do what it asks for, and has the form of its contract. */
export interface Call<N extends EndpointName = EndpointName> {
  params: ParamsOf<N>
  query: QueryOf<N>
  body: BodyOf<N>
  /** The body as it came. */
  text: string
  caller: Caller
  request: FastifyRequest
  reply: FastifyReply
  context: ServerContext
}

/** What a handler gives that has answered itself. */
export const ANSWERED: unique symbol = Symbol('answered')

/** A handler: what it gives becomes the JSON document of the answer. */
export type Handler<N extends EndpointName> = (call: Call<N>) => Promise<ResponseOf<N> | typeof ANSWERED>

/** Handlers by the names of their routes. */
export type Handlers<N extends EndpointName = EndpointName> = { [K in N]: Handler<K> }
