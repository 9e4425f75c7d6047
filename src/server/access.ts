/** Who may ask the server for what: hosts, origins, tokens, roles. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { isIPv4 } from 'node:net'
import type { Endpoint, Role } from '../api/endpoints.ts'
import { SkepError } from '../errors.ts'

/** Whoever a token, or the lack of one, stands for. */
export interface Caller {
  name: string
  role: Role
}

/** A token with its owner. The token itself is kept as a hash only. */
interface Grant extends Caller {
  hash: Buffer
}

const ROLES: readonly Role[] = ['reader', 'writer', 'admin']
const LOCAL: Caller = { name: 'local', role: 'admin' }

/** What decides over requests. */
export interface AccessOptions {
  /** The address that the server listens on. */
  host: string
  token: string | undefined
  tokensFile: string
  /** Further names of the server, and origins of pages that may use it; separated by commas. */
  hosts: string
  cors: string
}

/** The rules of one server. */
export class Access {
  /** Origins of pages that may use the server. */
  readonly origins: ReadonlySet<string>
  readonly #grants: readonly Grant[]
  readonly #hosts: ReadonlySet<string>

  /** @throws ARGUMENT_INVALID for a host that others can reach while there is no token, and for a file of tokens that is none */
  constructor({ host, token, tokensFile, hosts, cors }: AccessOptions) {
    const own: Grant[] = token === undefined ? [] : [{ name: 'admin', role: 'admin', hash: hashOf(token) }]
    this.#grants = tokensFile === '' ? own : [...own, ...readTokens(tokensFile, own)]
    this.#hosts = new Set([bareHost(host.toLowerCase()), ...listOf(hosts).map(nameOfHost)])
    this.origins = new Set(listOf(cors).map((origin) => origin.toLowerCase().replace(/\/$/, '')))
    if (this.#grants.length === 0 && !isLoopback(bareHost(host))) {
      const message = `--host ${host}: others can reach the server there; set SKEP_TOKEN or SKEP_TOKENS_FILE first`
      throw new SkepError('ARGUMENT_INVALID', message, { argument: 'host' })
    }
  }

  /** Passes for a request for this server, from a page that may use it or from none. @throws ORIGIN_FORBIDDEN */
  requireKnown(host: string | undefined, origin: string | undefined): void {
    const name = host === undefined ? '' : nameOfHost(host)
    if (!isLoopback(name) && !this.#hosts.has(name)) {
      const message = `${host ?? 'a request without Host'} is no name of this server; SKEP_HOSTS lists them`
      throw new SkepError('ORIGIN_FORBIDDEN', message, { header: 'host' })
    }
    if (origin === undefined) return
    const from = origin.toLowerCase()
    const own = [`http://${host!.toLowerCase()}`, `https://${host!.toLowerCase()}`]
    if (own.includes(from) || this.origins.has(from)) return
    throw new SkepError(
      'ORIGIN_FORBIDDEN',
      `pages of ${origin} may not use this server; SKEP_CORS lists those that may`,
      { header: 'origin' },
    )
  }

  /** Who sent this header. @throws TOKEN_INVALID when tokens are needed and this is none of them */
  caller(authorization: string | undefined): Caller {
    if (this.#grants.length === 0) return LOCAL
    const hash = hashOf(/^bearer +(.+)$/i.exec(authorization ?? '')?.[1]?.trim() ?? '')
    // All are compared, so that the time tells nothing.
    const found = this.#grants.filter((grant) => timingSafeEqual(grant.hash, hash))
    if (found[0]) return found[0]
    const message = authorization === undefined ? 'a token is needed' : 'the token is not known'
    throw new SkepError('TOKEN_INVALID', `${message}; send it as "Authorization: Bearer …"`, {})
  }
}

/** What a request calls its server: in its `Host`, several of which are no name, and in a target that is a whole URL. */
export function namesOf({ rawHeaders, url = '' }: Pick<IncomingMessage, 'rawHeaders' | 'url'>): (string | undefined)[] {
  const hosts = rawHeaders.filter((_, k) => k % 2 === 1 && rawHeaders[k - 1]!.toLowerCase() === 'host')
  const target = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1]
  return [hosts.length === 0 ? undefined : hosts.join(', '), ...(target === undefined ? [] : [target])]
}

/** Passes for a caller whose role suffices. @throws ROLE_FORBIDDEN */
export function requireRole({ role }: Caller, needed: Endpoint['role']): void {
  if (needed === 'open' || ROLES.indexOf(role) >= ROLES.indexOf(needed)) return
  throw new SkepError('ROLE_FORBIDDEN', `a ${role} may not do this; it needs the role ${needed}`, { needed })
}

/** The texts of a list that is separated by commas. */
export function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/** Without the brackets of an IPv6 address. */
function bareHost(name: string): string {
  return name.replace(/^\[(.*)\]$/, '$1')
}

/** The name in a `Host` header, without its port. */
function nameOfHost(host: string): string {
  return bareHost(/^(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(host.toLowerCase())?.[1] ?? '')
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '::1' || (isIPv4(name) && name.startsWith('127.'))
}

/** The grants of a file, none of which has the token of one of `others`. */
function readTokens(path: string, others: readonly Grant[]): Grant[] {
  const fail = (reason: string): never => {
    throw new SkepError('ARGUMENT_INVALID', `SKEP_TOKENS_FILE ${path}: ${reason}`, { argument: 'SKEP_TOKENS_FILE' })
  }
  const list = parseTokens(path, fail)
  if (!Array.isArray(list)) return fail('expected a JSON list of { "name", "token", "role" }')
  // A server whose file names nobody would be open to everybody.
  if (list.length === 0) return fail('it names nobody')
  const grants = list.map((entry: unknown, k): Grant => {
    const { name, token, role } = (entry ?? {}) as Partial<Record<string, unknown>>
    if (typeof name !== 'string' || name === '') return fail(`entry ${k} has no name`)
    if (typeof token !== 'string' || token.trim() === '') return fail(`entry ${k} has no token`)
    const known = ROLES.find((candidate) => candidate === role)
    return known
      ? { name, role: known, hash: hashOf(token.trim()) }
      : fail(`entry ${k} has no role of ${ROLES.join(', ')}`)
  })
  const all = [...others, ...grants]
  const hashes = new Set(all.map(({ hash }) => hash.toString('hex')))
  if (hashes.size === all.length) return grants
  return fail('two entries have the same token, or one has that of SKEP_TOKEN')
}

function parseTokens(path: string, fail: (reason: string) => never): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    // What is in the file is told to nobody.
    return fail(error instanceof SyntaxError ? 'it is not JSON' : 'it cannot be read')
  }
}
