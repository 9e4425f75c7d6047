/** The server: routes of the contract, what guards them, and what each is answered with. */
import accepts from '@fastify/accepts'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { CONTRACT, type Contract } from '../api/contract.ts'
import { ENDPOINTS, type Endpoint, type EndpointName } from '../api/endpoints.ts'
import { ErrorBody } from '../api/schemas.ts'
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import { type Caller, requireRole } from './access.ts'
import { ANSWERED, type Handlers, type ServerContext } from './context.ts'
import { corsHeaders, isPreflight } from './cors.ts'
import { QUERY_HANDLERS, TABLE_HANDLERS } from './handlers.ts'
import { OPERATION_HANDLERS } from './operations.ts'
import { errorOf, sendError } from './reply.ts'
import { validating } from './validation.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The least role that may use the route; every route has one. */
    role?: Endpoint['role']
    /** True where the handler reads the text of the body itself, to say where in it something is wrong. */
    asText?: boolean
  }
  interface FastifyRequest {
    caller: Caller
    /** The body as it came. */
    text: string
  }
}

const HANDLERS: Handlers = { ...QUERY_HANDLERS, ...TABLE_HANDLERS, ...OPERATION_HANDLERS }

/** A server of this context that does not listen yet. */
export async function buildApp(
  context: ServerContext,
  logger: FastifyBaseLogger | false = false,
): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify({
    ...(logger ? { loggerInstance: logger } : { logger: false }),
    bodyLimit: SETTINGS.bodyBytes.default,
    routerOptions: { maxParamLength: SETTINGS.paramCharacters.default },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    requestIdHeader: false,
    frameworkErrors: (error, _request, reply) => void sendError(reply as FastifyReply, error),
    clientErrorHandler: (error, socket) => {
      if (!socket.writable) return
      const body = JSON.stringify({ error: errorOf({ statusCode: 400, message: error.message }) })
      const head = `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}`
      socket.end(`${head}\r\nConnection: close\r\n\r\n${body}`)
    },
  })
  app.decorateRequest('caller')
  app.decorateRequest('text', '')
  app.setValidatorCompiler(validating)
  app.setSerializerCompiler(() => (document) => JSON.stringify(document))
  app.setErrorHandler((error, _request, reply) => sendError(reply, error))
  app.setNotFoundHandler(async (request, reply) => {
    if (request.method === 'OPTIONS' && isPreflight(context.access, request)) return await reply.code(204).send()
    return await sendError(reply, unknownRoute(app, request))
  })
  readJson(app)
  guard(app, context)
  await app.register(helmet, { contentSecurityPolicy: { directives: POLICY }, strictTransportSecurity: false })
  await app.register(accepts)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Skep',
        version: context.version,
        description: 'A serverless data warehouse with behavioural queries built in',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  })
  for (const name of Object.keys(ENDPOINTS) as EndpointName[]) addRoute(app, context, name)
  return app
}

/** The page brings all that it needs itself, and talks to its own server only. */
const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:', 'blob:'],
  fontSrc: ["'self'"],
  connectSrc: ["'self'"],
  workerSrc: ["'self'", 'blob:'],
  formAction: ["'self'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
  upgradeInsecureRequests: null,
}

/** Queries have a reader of JSON of their own. */
const AS_TEXT: ReadonlySet<EndpointName> = new Set<EndpointName>(['query', 'run'])

/** Only JSON is read, and kept as it came: queries say where in their text they are wrong. */
function readJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    request.text = body.toString()
    if (request.routeOptions.config.asText) return done(null, null)
    parse(request, request.text, done)
  })
}

/** Host, origin, token and role, in this order and before anything is read. */
function guard(app: FastifyInstance, context: ServerContext): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.role === undefined) throw new Error(`${String(route.method)} ${route.url} has no role`)
  })
  app.addHook('onRequest', async (request, reply) => {
    const { access } = context
    access.requireKnown(request.headers.host, request.headers.origin)
    corsHeaders(access, request, reply)
    const role = request.routeOptions.config.role ?? 'open'
    if (role === 'open') return
    request.caller = access.caller(request.headers.authorization)
    requireRole(request.caller, role)
  })
}

function addRoute(app: FastifyInstance, context: ServerContext, name: EndpointName): void {
  const { method, path, role } = ENDPOINTS[name]
  const contract: Contract = CONTRACT[name]
  const add = async (scope: FastifyInstance) => {
    // Files are streamed by whoever takes them.
    if (contract.consumes) scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    scope.route({
      method,
      url: path,
      config: { role, asText: AS_TEXT.has(name) },
      schema: schemaOf(name, contract, role),
      handler: async (request, reply) => await answer(context, name, request, reply),
    })
  }
  void app.register(add)
}

function schemaOf(
  name: EndpointName,
  { summary, params, query, body, consumes, response, status = 200 }: Contract,
  role: Endpoint['role'],
) {
  return {
    operationId: name,
    summary,
    description: role === 'open' ? 'Needs no token.' : `Needs the role ${role}.`,
    ...(role === 'open' ? { security: [] } : {}),
    ...(params && { params }),
    ...(query && { querystring: query }),
    ...(body && { body }),
    ...(consumes && { consumes: [...consumes] }),
    response: { [status]: response ?? { type: 'null', description: 'Nothing' }, default: ErrorBody },
  }
}

async function answer(
  context: ServerContext,
  name: EndpointName,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const { params, query, body, text, caller } = request
  // What a route's contract says of its parts has been checked by now.
  const call = { params, query, body, text, caller, request, reply, context } as never
  const result = await HANDLERS[name](call)
  if (result === ANSWERED) return reply
  const contract: Contract = CONTRACT[name]
  return await reply.code(contract.status ?? 200).send(result)
}

function unknownRoute(app: FastifyInstance, request: FastifyRequest): SkepError {
  const [path = ''] = request.url.split('?')
  const allowed = allowedMethods(path)
  if (allowed.length === 0 || app.hasRoute({ method: request.method, url: path })) {
    return new SkepError('ROUTE_NOT_FOUND', `there is nothing at ${path}; /api/v1/openapi.json lists what there is`, {})
  }
  return new SkepError('METHOD_NOT_ALLOWED', `${request.method} is not for ${path}; ${allowed.join(', ')} are`, {
    allowed,
  })
}

/** The methods that a path takes. */
function allowedMethods(path: string): string[] {
  const found = Object.values(ENDPOINTS).filter((endpoint) => patternOf(endpoint.path).test(path))
  const methods = new Set<string>(found.map(({ method }) => method))
  return [...methods, ...(methods.has('GET') ? ['HEAD'] : [])]
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/:[a-z]+/g, '[^/]+')}$`)
}
