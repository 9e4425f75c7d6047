/** The server as a process of its own, whose memory can be told. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** A server that runs as `skep serve`. */
export interface ServerProcess extends AsyncDisposable {
  url: string
  child: ChildProcess
  /** Megabytes of memory: now, and the most so far. */
  memory(): { now: number; peak: number }
}

/** A server over the warehouse in this folder, on a free port. */
export async function startProcess(root: string, env: Record<string, string> = {}): Promise<ServerProcess> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--json', '--port', '0', '--warehouse', root], {
    env: { ...process.env, SKEP_LOG_LEVEL: 'silent', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const [first] = (await Promise.race([once(child.stdout!, 'data'), ended])) as [unknown]
  if (!Buffer.isBuffer(first)) throw new Error('the server did not start')
  const { url } = JSON.parse(first.toString()) as { url: string }
  return {
    url,
    child,
    memory: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? Number.NaN) / 1024
      return { now: of('VmRSS'), peak: of('VmHWM') }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}
