import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../../src/cli/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'skep-alter-'))
const SIGNAL = new AbortController().signal

/** A command line in the warehouse of this file. */
async function skep(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const terminal = { stdin: Readable.from(['']), stdout, stderr, env: { SKEP_THREADS: '1' } }
  const code = await runCli([...argv, '--warehouse', join(folder, 'skep')], terminal, SIGNAL)
  return { code, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') }
}

async function columns(table: string): Promise<[name: string, type: string, comment?: string][]> {
  const { out } = await skep('describe', table, '--json')
  return (JSON.parse(out) as { columns: { name: string; type: string; comment?: string }[] }).columns.map(
    ({ name, type, comment }) => (comment === undefined ? [name, type] : [name, type, comment]),
  )
}

beforeAll(async () => {
  writeFileSync(join(folder, 'a.csv'), 'a,a=b,c\n1,2,3.5\n')
  writeFileSync(join(folder, 'b.csv'), 'a,d\n7,x\n')
})

afterAll(() => rmSync(folder, { recursive: true }))

/** A fresh table with the columns `a`, `a=b` and `c`. */
let tables = 0
async function make(): Promise<string> {
  const table = `t${++tables}`
  expect((await skep('import', join(folder, 'a.csv'), '--table', table, '--types', 'a=INTEGER,c=FLOAT')).code).toBe(0)
  return table
}

describe('skep alter', () => {
  test('makes all its changes at once, and says so', async () => {
    const table = await make()
    const { code, out, err } = await skep(
      ...['alter', table, '--rename', 'a=c', '--rename', 'c=a', '--drop', 'A=B'],
      ...['--widen', 'a=BIGINT', '--comment', 'C=x=y', '--comment', 'hello'],
    )
    expect({ code, out, err }).toEqual({ code: 0, out: `${table}: altered\n`, err: '' })
    expect(await columns(table)).toEqual([
      ['c', 'BIGINT'],
      ['a', 'FLOAT', 'x=y'],
    ])
    const described = await skep('describe', table)
    expect(described.out).toMatch(/comment +hello\n/)
    expect(described.out).toContain('x=y')
  })

  test('takes the longest way to a column whose name holds an equals sign', async () => {
    const table = await make()
    await skep('alter', table, '--drop', 'a')
    await skep('alter', table, '--rename', 'a=b=c=d', '--comment', 'a=b=say', '--comment', '=c=not a column')
    expect(await columns(table)).toEqual([
      ['c=d', 'BIGINT', 'say'],
      ['c', 'FLOAT'],
    ])
    const { out } = await skep('describe', table, '--json')
    expect(JSON.parse(out)).toMatchObject({ comment: 'c=not a column' })
    await skep('alter', table, '--comment', '=', '--comment', 'c=d=')
    expect(JSON.parse((await skep('describe', table, '--json')).out)).not.toHaveProperty('comment')
  })

  test('that changes nothing says that too', async () => {
    const table = await make()
    expect((await skep('alter', table, '--rename', 'a=a')).out).toBe(`${table}: was so already\n`)
    expect(JSON.parse((await skep('alter', table, '--drop', 'c', '--json')).out)).toEqual({ table, changed: true })
  })

  test.each([
    [['--rename', 'a'], 'ARGUMENT_INVALID', 'expected OLD=NEW'],
    [['--widen', 'a'], 'ARGUMENT_INVALID', 'expected C=TYPE'],
    [['--rename', 'a=x', '--rename', 'a=y'], 'ARGUMENT_INVALID', 'stands twice'],
    [['--comment', 'one', '--comment', 'two'], 'ARGUMENT_INVALID', 'one comment'],
    [['--rename', 'aa=x'], 'COLUMN_NOT_FOUND', 'did you mean "a"?'],
    [[], 'ARGUMENT_INVALID', 'nothing to change'],
  ])('refuses %j', async (flags, code, message) => {
    const table = await make()
    const { code: exit, err } = await skep('alter', table, ...flags)
    expect(exit).toBe(2)
    expect(err).toContain(code)
    expect(err).toContain(message)
  })
})

test('skep import says which columns are new or wider', async () => {
  const table = await make()
  const { err } = await skep('import', join(folder, 'b.csv'), '--table', table, '--types', 'a=BIGINT')
  expect(err).toContain('new column d: null in earlier rows')
  expect(err).toContain('column a: now BIGINT, was INTEGER')
})
