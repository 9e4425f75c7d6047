/** Pages of other origins that were named may read answers. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ENDPOINTS } from '../api/endpoints.ts'
import type { Access } from './access.ts'

const METHODS = [...new Set(Object.values(ENDPOINTS).map(({ method }) => method))].join(', ')

/** Adds the headers that a browser asks for; none unless the origin was named. */
export function corsHeaders(access: Access, { headers }: FastifyRequest, reply: FastifyReply): void {
  const { origin } = headers
  if (access.origins.size > 0) reply.header('vary', 'origin')
  if (origin === undefined || !access.origins.has(origin.toLowerCase())) return
  reply.header('access-control-allow-origin', origin)
  reply.header('access-control-allow-methods', METHODS)
  reply.header('access-control-allow-headers', 'authorization, content-type, content-encoding')
  reply.header('access-control-max-age', '600')
}

/** Whether a browser asks on behalf of such a page what it may send. */
export function isPreflight(access: Access, { headers }: FastifyRequest): boolean {
  const { origin } = headers
  return origin !== undefined && access.origins.has(origin.toLowerCase())
}
