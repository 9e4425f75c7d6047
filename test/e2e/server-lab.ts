/** `skep serve` as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Lab } from '../conformance/import-lab.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** How a process ended. */
export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A server that listens. */
export interface Serving extends AsyncDisposable {
  url: string
  port: number
  child: ChildProcess
  /** The lines of its log until now. */
  log: string[]
  ended: Promise<Ended>
  sql(sql: string, init?: RequestInit): Promise<Response>
}

/** The server of a lab's warehouse. */
export async function serve(lab: Lab, env: Record<string, string> = {}): Promise<Serving> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', '0', '--json'], {
    cwd: lab.dir,
    env: { ...process.env, NO_COLOR: '1', SKEP_THREADS: '2', SKEP_WAREHOUSE: lab.root, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log: string[] = []
  createInterface(child.stderr!).on('line', (line) => log.push(line))
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Ended)
  const [line] = (await Promise.race([
    once(createInterface(child.stdout!), 'line'),
    ended.then(() => Promise.reject(new Error(log.join('\n')))),
  ])) as [string]
  const { url } = JSON.parse(line) as { url: string }
  return {
    url,
    port: Number(new URL(url).port),
    child,
    log,
    ended,
    sql: async (sql, init = {}) =>
      await fetch(`${url}/api/v1/sql`, {
        method: 'POST',
        body: JSON.stringify({ sql }),
        ...init,
        headers: { 'content-type': 'application/json', ...init.headers },
      }),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await ended
    },
  }
}
