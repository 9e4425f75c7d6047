/** The server: routes of the contract, what guards them, and what each is answered with. */

import { randomUUID } from 'node:crypto'
import accepts from '@fastify/accepts'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import { CONTRACT, type Contract } from '../api/contract.ts'
import { ENDPOINTS, type Endpoint, type EndpointName } from '../api/endpoints.ts'
import { ErrorBody } from '../api/schemas.ts'
import { SETTINGS } from '../config.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { type Caller, namesOf, requireRole } from './access.ts'
import { Connections } from './connections.ts'
import { ANSWERED, type Handlers, type ServerContext } from './context.ts'
import { corsHeaders, isPreflight } from './cors.ts'
import { DATASET_HANDLERS } from './funnel-rocket/handlers.ts'
import { QUERY_HANDLERS, TABLE_HANDLERS } from './handlers.ts'
import { observeRequest, observeRequests, reportDefect } from './observe.ts'
import { OPERATION_HANDLERS } from './operations.ts'
import { addPage, PAGE_PATHS } from './page.ts'
import { errorOf, sendError } from './reply.ts'
import { validating } from './validation.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The least role that may use the route; every route has one. */
    role?: Endpoint['role']
    /** True when its JSON is read by its handler. */
    asText?: boolean
    /** The content types of its body. */
    takes?: readonly string[]
  }
  interface FastifyRequest {
    caller: Caller
    /** The body as it came. */
    text: string
  }
}

const HANDLERS: Handlers = { ...QUERY_HANDLERS, ...TABLE_HANDLERS, ...OPERATION_HANDLERS, ...DATASET_HANDLERS }

/** A server of this context that does not listen yet. */
export async function buildApp(context: ServerContext): Promise<FastifyInstance> {
  const connections = new Connections(context.settings)
  const app: FastifyInstance = fastify({
    ...connections.options(),
    loggerInstance: context.log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    genReqId: () => randomUUID(),
    bodyLimit: SETTINGS.bodyBytes.default,
    routerOptions: { maxParamLength: SETTINGS.paramCharacters.default },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    requestIdHeader: false,
    frameworkErrors: (error, request, reply) => {
      observeRequest(context, request as FastifyRequest, reply as FastifyReply)
      void sendError(reply as FastifyReply, error)
    },
  })
  // What a client expects beyond "100-continue" may be left out of account, and has an answer of ours then.
  app.server.on('checkExpectation', (request, response) => void app.server.emit('request', request, response))
  app.decorateRequest('caller')
  app.decorateRequest('text', '')
  app.setValidatorCompiler(validating)
  app.setSerializerCompiler(() => (document) => JSON.stringify(document))
  app.setErrorHandler(async (error, request, reply) => {
    if (errorOf(error).code === 'INTERNAL') reportDefect(context, error, { requestId: request.id })
    return await sendError(reply, withTypes(errorOf(error), request))
  })
  app.setNotFoundHandler(async (request, reply) => {
    if (request.method === 'OPTIONS' && isPreflight(context.access, request)) return await reply.code(204).send()
    return await sendError(reply, unknownRoute(request))
  })
  readJson(app)
  observeRequests(app, context)
  connections.limit(app)
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
  addPage(app, context.page)
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

/** Only JSON is read, and kept as it came: queries say where in their text they are wrong. */
function readJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    request.text = body.toString()
    if (request.routeOptions.config.asText) done(null)
    else parse(request, request.text, done)
  })
}

/** Host, origin, token and role, in this order and before anything is read. */
function guard(app: FastifyInstance, context: ServerContext): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.role === undefined) throw new Error(`${String(route.method)} ${route.url} has no role`)
  })
  app.addHook('onRequest', async (request, reply) => {
    const { access } = context
    for (const name of namesOf(request.raw)) access.requireKnown(name, request.headers.origin)
    corsHeaders(access, request, reply)
    if (!context.isReady()) reply.header('connection', 'close')
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
    if (contract.consumes) {
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    }
    scope.route({
      method,
      url: path,
      config: {
        role,
        asText: contract.asText === true,
        takes: contract.consumes ?? ['application/json'],
        readsBody: contract.consumes !== undefined,
      },
      schema: schemaOf(name, contract, role),
      handler: async (request, reply) => await answer(context, name, request, reply),
    })
  }
  void app.register(add)
}

function schemaOf(
  name: EndpointName,
  { summary, params, query, body, consumes, response, failure = ErrorBody, status = 200 }: Contract,
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
    response: { [status]: response ?? { type: 'null', description: 'Nothing' }, default: failure },
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

/** The error, which tells what types of bodies the route takes where that is what is wrong. */
function withTypes(error: SkepError, { routeOptions }: FastifyRequest): SkepError {
  const expected = [...(routeOptions.config.takes ?? [])]
  if (!isSkepError(error, 'MEDIA_TYPE_UNSUPPORTED') || expected.length === 0) return error
  return new SkepError('MEDIA_TYPE_UNSUPPORTED', `the body has to be declared as ${expected.join(' or ')}`, {
    expected,
  })
}

function unknownRoute(request: FastifyRequest): SkepError {
  const [path = ''] = request.url.split('?')
  const allowed = allowedMethods(path)
  if (allowed.length === 0 || allowed.includes(request.method)) {
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
  if (PAGE_PATHS.some((pattern) => patternOf(pattern).test(path))) methods.add('GET')
  return [...methods, ...(methods.has('GET') ? ['HEAD'] : [])]
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/:[a-z]+/g, '[^/]+')}$`)
}
