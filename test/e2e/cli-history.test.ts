/** `skep vacuum` and `skep rollback` as scripts and people see them. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skep-history-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function skep(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  return await new Promise((resolve) => {
    const options = { cwd: folder, env: { ...process.env, NO_COLOR: '1' } }
    execFile(process.execPath, [MAIN, ...argv], options, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err })
    })
  })
}

async function importNumber(n: number, ...flags: string[]): Promise<number> {
  await writeFile(join(folder, 'n.csv'), `n\n${n}\n`)
  const { out } = await skep('import', 'n.csv', '--table', 'numbers', '--json', ...flags)
  return (JSON.parse(out) as { snapshotId: number }).snapshotId
}

const numbers = async (...flags: string[]) =>
  (await skep('sql', 'FROM numbers ORDER BY n', '--format', 'csv', ...flags)).out

test('going back, forward, and giving the space back', { timeout: 180_000 }, async () => {
  const first = await importNumber(1)
  const second = await importNumber(2)
  expect(await skep('rollback', 'numbers', '--to', String(first))).toEqual({
    code: 0,
    out: `numbers: snapshot ${first} is the current one\n`,
    err: '',
  })
  expect(await numbers()).toBe('n\n1\n')
  const { out } = await skep('rollback', 'numbers', '--to', String(second), '--json')
  expect(JSON.parse(out)).toEqual({ table: 'numbers', snapshotId: second, metadataLocation: expect.any(String) })
  expect(await numbers()).toBe('n\n1\n2\n')
  await importNumber(3, '--replace')

  expect((await skep('vacuum')).out).toMatch(
    /^numbers: nothing to remove; 2 files \(.*too young\nin all: 0 snapshots, 0 files \(0 B\) removed\n$/,
  )
  const dry = await skep('vacuum', 'numbers', '--older-than', '0s', '--dry-run')
  expect(dry.out).toMatch(
    /^numbers: 2 snapshots, 2 data files \(.*would be removed\nin all: 2 snapshots, 8 files \(.*would be removed\n$/,
  )
  expect(await numbers('--at', String(second))).toBe('n\n1\n2\n')
  const real = JSON.parse((await skep('vacuum', 'numbers', '--older-than', '0s', '--json')).out)
  expect(real).toMatchObject({ dryRun: false, olderThanMs: 0, total: { snapshots: 2, files: 8 }, folders: [] })
  expect(await numbers()).toBe('n\n3\n')
  for (const [argv, code] of [
    [['rollback', 'numbers', '--to', String(first)], 'SNAPSHOT_NOT_FOUND'],
    [['rollback', 'numbers', '--to', 'yesterday'], 'ARGUMENT_INVALID'],
    [['vacuum', '--older-than', 'soon'], 'ARGUMENT_INVALID'],
  ] as const) {
    const { code: exit, err } = await skep(...argv)
    expect({ exit, err: err.split(':')[1] }).toEqual({ exit: 2, err: ` ${code}` })
  }
})
