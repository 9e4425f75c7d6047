import { readdirSync, readFileSync } from 'node:fs'
import { PassThrough, Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Terminal } from '../../src/cli/command.ts'
import { showProgress } from '../../src/cli/output/progress.ts'
import { PipeClosed, streamSink } from '../../src/cli/output/sink.ts'
import { runCli } from '../../src/cli/run.ts'

function terminal(options: { tty?: boolean; input?: string; env?: Record<string, string> } = {}) {
  const make = () => Object.assign(new PassThrough(), options.tty ? { isTTY: true, columns: 60 } : {})
  const stdout = make()
  const stderr = make()
  const value: Terminal = { stdin: Readable.from([options.input ?? '']), stdout, stderr, env: options.env ?? {} }
  const told = (stream: PassThrough) => String(stream.read() ?? '')
  return { value, out: () => told(stdout), err: () => told(stderr) }
}

const SIGNAL = new AbortController().signal

describe('a command line in a terminal', () => {
  test('has colours, and tables as wide as there is room', async () => {
    const { value, out } = terminal({ tty: true })
    const wide = "SELECT repeat('x', 200) AS a, 'y' AS b"
    expect(await runCli(['sql', wide, '--warehouse', '/nonexistent/skep'], value, SIGNAL)).toBe(0)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is looked for
    const colours = /\u001b\[\d+m/g
    const text = out()
    expect(text).toMatch(colours)
    for (const line of text.replaceAll(colours, '').split('\n')) expect(line.length).toBeLessThanOrEqual(60)
  })

  test('has its errors coloured, without NO_COLOR', async () => {
    const coloured = terminal({ tty: true })
    expect(await runCli(['nix'], coloured.value, SIGNAL)).toBe(2)
    expect(coloured.err()).toContain('\u001b[31m')
    const plain = terminal({ tty: true, env: { NO_COLOR: '1' } })
    await runCli(['nix'], plain.value, SIGNAL)
    expect(plain.err()).toMatch(/^skep: ARGUMENT_INVALID: /)
  })

  test('that was cancelled says so whatever it died of', async () => {
    const { value, out } = terminal()
    expect(await runCli(['sql', 'SELECT 1', '--json'], value, AbortSignal.abort())).toBe(130)
    expect(JSON.parse(out())).toMatchObject({ error: { code: 'CANCELLED' } })
  })

  test('does not read more of a query than a query may have', async () => {
    const { value, out } = terminal({ env: { SKEP_QUERY_BYTES: '1024' } })
    let chunks = 0
    value.stdin = Readable.from(
      (function* () {
        for (;;) {
          chunks++
          yield Buffer.alloc(500, ' ')
        }
      })(),
      { highWaterMark: 1 },
    )
    expect(await runCli(['sql', '-', '--json'], value, SIGNAL)).toBe(3)
    expect(JSON.parse(out())).toMatchObject({ error: { code: 'QUERY_TOO_LARGE' } })
    expect(chunks).toBeLessThan(10)
  })

  test('refuses a query that is not text', async () => {
    const { value, err } = terminal()
    value.stdin = Readable.from([Buffer.from([0x53, 0xff])])
    expect(await runCli(['sql', '-'], value, SIGNAL)).toBe(2)
    expect(err()).toContain('is not UTF-8')
  })
})

describe('progress', () => {
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

  test('shows on a terminal after half a second, and is gone at the end', async () => {
    const { value, err } = terminal({ tty: true })
    {
      using bar = showProgress(value, 'import')
      bar.update(0.5, '3 rows')
      await wait(250)
      expect(err()).toBe('')
      await wait(500)
      const line = err().split('\r\u001b[K').at(-1)!
      expect(line).toContain('import ━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌  50%  3 rows')
      expect(line.length).toBeLessThan(60)
    }
    expect(err().endsWith('\r\u001b[K')).toBe(true)
  })

  test('shows nowhere else, and not for what is done at once', async () => {
    const pipe = terminal()
    const quick = terminal({ tty: true })
    using _bar = showProgress(pipe.value, 'import')
    showProgress(quick.value, 'import')[Symbol.dispose]()
    await wait(750)
    expect(pipe.err() + quick.err()).toBe('')
  })
})

describe('the standard output', () => {
  test('that nobody reads any more ends the work', async () => {
    const stream = new PassThrough()
    const sink = streamSink(stream)
    await sink.write('a')
    stream.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    await expect(sink.write('b')).rejects.toBeInstanceOf(PipeClosed)
  })
})

describe('commands', () => {
  test('load the engine when they run, not before', () => {
    const root = fileURLToPath(new URL('../../src/cli', import.meta.url))
    const heavy = readdirSync(root, { recursive: true, encoding: 'utf8' })
      // Loaded where a server is named; it needs no engine then.
      .filter((name) => name.endsWith('.ts') && name !== 'served-warehouse.ts')
      .flatMap((name) => {
        const text = readFileSync(`${root}/${name}`, 'utf8')
        const values = [
          ...text.matchAll(
            /^import (?!type\b)[^'"]*? from '((?:\.\.\/)+(?!common|errors|config|api\/at-text|api\/rows)[a-z]+[/.][^']*)'/gm,
          ),
        ]
        return values.map(([, specifier]) => `${name}: ${specifier}`).filter((fault) => !INSIDE.test(fault))
      })
    expect(heavy).toEqual([])
    const runner = readFileSync(`${root}/run.ts`, 'utf8')
    expect(runner).toContain("await import('./served-warehouse.ts')")
    expect(runner).not.toMatch(/from '\.\/served-warehouse\.ts'/)
  })
})

/** Modules of the command line itself, as its subfolders name them. */
const INSIDE = /: \.\.\/(output\/|(arguments|at|command|heap|input-text|key-flags|package-root|report|types-flag)\.ts)/
