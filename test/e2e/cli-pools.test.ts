/** Queries in tasks from the command line: Ctrl-C, and pools that there are not. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { leftovers, POOLS, SOON_MS } from '../conformance/pool-lab.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const ENDLESS = 'SELECT sum(hash(id, r.range) % 7) AS n FROM stored, range(100000000) r'

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
  const source = await lab.write('SELECT i AS id, i % 90 AS who, i AS ts FROM range(20000) t(i)')
  await lab.warehouse.import('stored', [source], { actor: 'who', time: 'ts', buckets: 4 })
})
afterAll(() => lab.close())

function start(argv: readonly string[], env: Record<string, string> = {}) {
  const divided = { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '3000', SKEP_THREADS: '2', SKEP_WAREHOUSE: lab.root }
  return spawn(process.execPath, [MAIN, ...argv], {
    cwd: lab.dir,
    env: { ...process.env, NO_COLOR: '1', ...divided, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function outcomeOf(child: ReturnType<typeof start>) {
  const [out, err, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code, signal, out, err }
}

describe.each(POOLS)('Ctrl-C with the pool "$name"', ({ name }) => {
  test.each([300, 900, 2500])('after %i ms ends a divided query within a second, and leaves nothing', async (ms) => {
    const child = start(['sql', ENDLESS, '--pool', name, '--json'])
    const outcome = outcomeOf(child)
    await new Promise((resolve) => setTimeout(resolve, ms))
    const interrupted = performance.now()
    child.kill('SIGINT')
    const { code, signal, out, err } = await outcome
    expect(performance.now() - interrupted).toBeLessThan(SOON_MS)
    expect(leftovers(lab.root).filter((path) => path !== '.tmp')).toEqual([])
    // Before it listens for signals it ends as any program does.
    if (signal === 'SIGINT') return
    expect({ code, err }).toEqual({ code: 130, err: '' })
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'CANCELLED' } })
  })

  test('twice ends it at once', async () => {
    const child = start(['sql', ENDLESS, '--pool', name])
    const outcome = outcomeOf(child)
    await new Promise((resolve) => setTimeout(resolve, 2000))
    child.kill('SIGINT')
    child.kill('SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 5))
    child.kill('SIGINT')
    const { code, signal, err } = await outcome
    expect(signal ?? code).toBe(signal ? 'SIGINT' : 130)
    expect(err).not.toContain('terminate called')
  })
})

test('a pool that there is not is refused', async () => {
  const flag = await outcomeOf(start(['sql', 'SELECT 1', '--pool', 'nonsense']))
  expect(flag).toMatchObject({ code: 2, out: '' })
  expect(flag.err).toMatch(/ARGUMENT_INVALID: .*--pool.*inline.*threads/)
  const variable = await outcomeOf(start(['query', 'stored', '--query', '{}'], { SKEP_POOL: 'x' }))
  expect(variable).toMatchObject({ code: 2, out: '' })
  expect(variable.err).toMatch(/SETTING_INVALID: SKEP_POOL=x: expected one of inline, threads/)
})
