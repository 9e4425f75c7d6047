/** A server over a warehouse of its own with real data, and ways to talk to it: whole answers, and bytes on a socket. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Role } from '../../src/api/endpoints.ts'
import { ERROR_CODES, ERROR_KINDS, type ErrorCode } from '../../src/errors.ts'
import { Server, type ServerOptions } from '../../src/server/server.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'

/** Commits of public projects: `project`, `actor`, `ts`, `event`, `files`. */
export const CONTRIBUTIONS = fileURLToPath(new URL('../../examples/data/contributions.parquet', import.meta.url))

/** How many rows they are. */
export const CONTRIBUTIONS_ROWS = 117_258

/** A token of each role, as a tokens file has them. */
export const TOKENS: Readonly<Record<Role, string>> = {
  reader: 'reader-0f2c6d',
  writer: 'writer-81b7aa',
  admin: 'admin-5e90c4',
}

/** A statement that ends only when it is told to. */
export const ENDLESS =
  'SELECT count(*) AS n FROM range(100000000) a, range(100000000) b WHERE hash(a.range, b.range) = 1'

/** What came back. */
export interface Answer {
  status: number
  headers: Headers
  text: string
}

/** A request. */
export interface Ask {
  token?: string
  body?: string | Uint8Array<ArrayBuffer> | ReadableStream
  headers?: Record<string, string>
  signal?: AbortSignal
}

/** A server with its warehouse. */
export interface ServerLab extends AsyncDisposable {
  lab: Lab
  warehouse: Warehouse
  server: Server
  url: string
  port: number
  /** The answer to a request. A body that is no file is JSON unless its headers say otherwise. */
  call(method: string, path: string, ask?: Ask): Promise<Answer>
  /** The document that SQL is answered with. */
  sql(sql: string, ask?: Ask): Promise<Answer>
  /** The answer to a request whose body has not been read yet. */
  open(method: string, path: string, ask?: Ask): Promise<Response>
  /** All that is answered to bytes on a socket until it is closed, or nothing has come for `quietMs`. */
  raw(bytes: string | Uint8Array, options?: { quietMs?: number; end?: boolean }): Promise<string>
  socket(): Promise<Socket>
}

/** What a lab is opened with. */
export interface LabOptions extends Omit<Partial<ServerOptions>, 'version'> {
  env?: Record<string, string>
  /** Whether there is a file of tokens, that of {@link TOKENS}. */
  tokens?: boolean
  /** Made before the server starts: what tests need beside `events`. */
  prepare?: (lab: Lab, warehouse: Warehouse) => Promise<void>
}

/** A server on a free port over a warehouse with the managed table `events`. */
export async function startLab({ env = {}, tokens = false, prepare, ...options }: LabOptions = {}): Promise<ServerLab> {
  const lab = await openLab()
  const file = join(lab.dir, 'tokens.json')
  writeFileSync(file, JSON.stringify(Object.entries(TOKENS).map(([role, token]) => ({ name: role, token, role }))))
  const warehouse = await lab.open({ SKEP_MEMORY: '1GB', ...(tokens && { SKEP_TOKENS_FILE: file }), ...env })
  await warehouse.import('events', [CONTRIBUTIONS], { actor: 'actor', time: 'ts', buckets: 4 })
  await prepare?.(lab, warehouse)
  const server = await Server.start(warehouse, { port: 0, version: '0.0.0', ...options })
  const port = Number(new URL(server.url).port)
  const url = `http://127.0.0.1:${port}`
  const open: ServerLab['open'] = async (method, path, { token, body, headers, signal } = {}) =>
    await fetch(url + path, {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(typeof body === 'string' && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body, duplex: 'half' }),
      ...(signal && { signal }),
    } as RequestInit)
  const call: ServerLab['call'] = async (...asked) => {
    const response = await open(...asked)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  return {
    lab,
    warehouse,
    server,
    url,
    port,
    open,
    call,
    sql: async (sql, ask) => await call('POST', '/api/v1/sql', { ...ask, body: JSON.stringify({ sql }) }),
    raw: async (bytes, how) => await rawAnswer(await connected(port), bytes, how),
    socket: async () => await connected(port),
    [Symbol.asyncDispose]: async () => {
      await server.close()
      await warehouse.close()
      await lab.close()
    },
  }
}

/** A socket to a port of this machine. */
export async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  return socket
}

/** All that comes back for bytes, until the socket is closed or nothing has come for a while. */
export async function rawAnswer(
  socket: Socket,
  bytes: string | Uint8Array,
  { quietMs = 500, end = false }: { quietMs?: number; end?: boolean } = {},
): Promise<string> {
  const pieces: Buffer[] = []
  return await new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(Buffer.concat(pieces).toString('latin1'))
    }
    let timer = setTimeout(done, quietMs * 4)
    socket.on('data', (piece) => {
      pieces.push(piece)
      clearTimeout(timer)
      timer = setTimeout(done, quietMs)
    })
    // A connection that is reset has said what it had to say.
    socket.once('error', done).once('close', done)
    if (end) socket.end(bytes)
    else socket.write(bytes)
  })
}

/** What is wrong with an answer that is an error, by the contract of errors; undefined when nothing is. */
export function faultOf({ status, headers, text }: Answer): string | undefined {
  if (status < 400) return undefined
  if (!/^application\/json\b/.test(headers.get('content-type') ?? '')) return `type ${headers.get('content-type')}`
  const { error, ...others } = readJson(text) as { error?: Partial<Record<'code' | 'message' | 'details', unknown>> }
  // The Funnel Rocket paths say the same in their own words as well.
  const { success, errorMessage, ...unknown } = others as { success?: unknown; errorMessage?: unknown }
  if (success !== undefined && (success !== false || errorMessage !== error?.message)) return text
  if (Object.keys(unknown).length > 0 || Object.keys(error ?? {}).join() !== 'code,message,details') return text
  const entry = Object.hasOwn(ERROR_CODES, String(error!.code)) ? ERROR_CODES[error!.code as ErrorCode] : undefined
  if (!entry) return `unknown code ${String(error!.code)}`
  if (entry.kind === 'internal') return `INTERNAL: ${text}`
  const expected = entry.status ?? ERROR_KINDS[entry.kind].status
  if (status !== expected) return `${String(error!.code)} with ${status} instead of ${expected}`
  if (typeof error!.message !== 'string' || error!.message === '') return 'no message'
  return typeof error!.details === 'object' ? undefined : 'no details'
}

/** The code of an answer that is an error. */
export function codeOf({ text }: Pick<Answer, 'text'>): string | undefined {
  return (readJson(text) as { error?: { code?: string } }).error?.code
}

function readJson(text: string): object {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

/** What lies in the folder of data on its way, but for folders that are empty. */
export function leftOver(root: string): string[] {
  return ['.tmp', '.exchange']
    .map((name) => join(root, name))
    .filter((path) => existsSync(path))
    .flatMap((path) => readdirSync(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Ends when `is` holds; fails after `ms`. */
export async function eventually(what: string, is: () => boolean | Promise<boolean>, ms = 5000): Promise<void> {
  const end = performance.now() + ms
  while (!(await is())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
    await sleep(20)
  }
}
