/** A server over a lab whose log, and whose metrics, are read. */
import { type Log, type LogLevel, openLog } from '../../src/server/log.ts'
import { Server } from '../../src/server/server.ts'
import type { Traces } from '../../src/server/traces.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import type { Lab } from './import-lab.ts'

/** A line of a log. */
export type Line = Record<string, unknown> & { msg: string; level: string }

/** A server, and what it has told. */
export interface Observed extends AsyncDisposable {
  server: Server
  /** That of the server alone. */
  warehouse: Warehouse
  log: Log
  lines: Line[]
  /** All that was logged, as it was written. */
  written(): string
  call(path: string, init?: RequestInit & { json?: unknown }): Promise<Response>
  /** The numbers of `/metrics`, by name and labels. */
  metrics(init?: RequestInit): Promise<Samples>
}

/** How a server is begun. */
export interface ObservedOptions {
  env?: Record<string, string>
  token?: string
  level?: LogLevel
  traces?: (log: Log) => Promise<Traces | undefined>
}

export async function observe(lab: Lab, options: ObservedOptions = {}): Promise<Observed> {
  const { env = {}, token, level = 'debug', traces } = options
  const texts: string[] = []
  const lines: Line[] = []
  const write = (text: string) => {
    texts.push(text)
    lines.push(JSON.parse(text) as Line)
  }
  const log = openLog(level, { write })
  const warehouse = await lab.open(env)
  const server = await Server.start(warehouse, { port: 0, version: '0', token, log, traces: await traces?.(log) })
  const call: Observed['call'] = async (path, { json, ...init } = {}) => {
    const body = json === undefined ? {} : { method: 'POST', body: JSON.stringify(json) }
    const headers = { ...(json !== undefined && { 'content-type': 'application/json' }), ...init.headers }
    return await fetch(server.url + path, { ...body, ...init, headers })
  }
  return {
    server,
    warehouse,
    log,
    lines,
    written: () => texts.join(''),
    call,
    metrics: async (init) => {
      const answer = await call('/metrics', init)
      return readMetrics(await answer.text())
    },
    [Symbol.asyncDispose]: async () => {
      await server.close()
      await warehouse.close()
    },
  }
}

/** The text format of Prometheus, read by its grammar. */
export class Samples {
  readonly types = new Map<string, string>()
  readonly values = new Map<string, number>()

  /** The number of this name with these labels, 0 when it was never counted. */
  get(name: string, labels: Record<string, string> = {}): number {
    return this.values.get(keyOf(name, labels)) ?? 0
  }

  /** The sum over all labels. */
  sum(name: string): number {
    return [...this.values].reduce((sum, [key, value]) => (key.split('{')[0] === name ? sum + value : sum), 0)
  }
}

function keyOf(name: string, labels: Record<string, string>): string {
  const sorted = Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `${name}{${sorted.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(',')}}`
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const COMMENT = new RegExp(`^# (?:HELP (${NAME}) .+|TYPE (${NAME}) (counter|gauge|histogram|summary|untyped))$`)
const LABEL = `([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\\\\n]|\\\\["\\\\n])*)"`
const SAMPLE = new RegExp(`^(${NAME})(?:\\{((?:${LABEL},?)*)\\})? (\\S+)$`)

/** @throws when a line is not of the format */
export function readMetrics(text: string): Samples {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const samples = new Samples()
  for (const line of text.split('\n').filter((candidate) => candidate !== '')) readLine(samples, line)
  return samples
}

function readLine(samples: Samples, line: string): void {
  if (line.startsWith('#')) {
    const comment = COMMENT.exec(line)
    if (!comment) throw new Error(`no comment: ${line}`)
    if (comment[2]) samples.types.set(comment[2], comment[3]!)
    return
  }
  const sample = SAMPLE.exec(line)
  if (!sample) throw new Error(`no sample: ${line}`)
  const [, name = '', labels = '', , , value = ''] = sample
  const pairs = [...labels.matchAll(new RegExp(LABEL, 'g'))].map(([, label, text]) => [label!, text!])
  const number = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value)
  const key = keyOf(name, Object.fromEntries(pairs) as Record<string, string>)
  const base = name.replace(/_(bucket|sum|count)$/, '')
  if (Number.isNaN(number) && value !== 'Nan') throw new Error(`no number: ${line}`)
  if (samples.values.has(key)) throw new Error(`twice: ${line}`)
  if (!samples.types.has(name) && !samples.types.has(base)) throw new Error(`no type: ${line}`)
  samples.values.set(key, number)
}
