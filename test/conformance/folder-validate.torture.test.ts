/** The four modes of `register --validate`, and what they let queries rely on. */
import { renameSync, rmSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RegisterOptions, RegisterResult } from '../../src/inputs/register.ts'
import { runs, tortureTimeout } from '../torture.ts'
import { failure, type Lab, openLab } from './import-lab.ts'

let lab: Lab
let folders = 0

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

const keys = { actor: 'who', time: 'ts' }
const MODES = ['single', 'first_last', 'sample', 'all'] as const

/** A folder of files, each with the rows of a SELECT; its name, which is that of its table too. */
async function folderOf(selects: readonly string[], names?: readonly string[]): Promise<string> {
  const name = `v${++folders}`
  for (const [k, select] of selects.entries()) {
    await lab.write(select, `${name}/${names?.[k] ?? `${String(k).padStart(3, '0')}.parquet`}`)
  }
  return name
}

const register = (name: string, options: Partial<RegisterOptions> = {}): Promise<RegisterResult> =>
  lab.warehouse.register(name, `${lab.dir}/${name}`, { ...keys, ...options })
const isTogether = async (name: string) => (await lab.warehouse.describe(name)).actorsTogether
const actors = (...values: (string | number)[]) =>
  `SELECT who, 1 AS ts FROM (VALUES ${values.map((v) => `(${typeof v === 'number' ? v : `'${v}'`})`).join(', ')}) t(who)`

describe('what each mode compares', () => {
  // 30 files; one actor in common between two of them.
  const shared = (one: number, other: number) =>
    Array.from({ length: 30 }, (_, k) => actors(k * 10, k * 10 + 5, k === one || k === other ? 7777 : k * 10 + 6))

  test.for([
    ['single', [0, 29], undefined],
    ['first_last', [0, 29], ['000.parquet', '029.parquet']],
    ['first_last', [0, 28], undefined],
    ['sample', [0, 29], ['000.parquet', '029.parquet']],
    ['sample', [13, 29], ['013.parquet', '029.parquet']],
    ['sample', [12, 29], undefined],
    ['all', [12, 28], ['012.parquet', '028.parquet']],
    ['all', [0, 1], ['000.parquet', '001.parquet']],
  ] as const)('%s, an actor in the files %o', async ([validate, [one, other], files]) => {
    const name = await folderOf(shared(one, other))
    const result = await register(name, { validate })
    const checkedFiles = { single: 1, first_last: 2, sample: 10, all: 30 }[validate]
    expect(result).toMatchObject({ validate, checkedFiles, files: 30, actorsTogether: false })
    expect(result.scattered).toEqual(files && { actor: '7777', files })
    expect(result.warnings).toHaveLength(1)
    for (const part of files ? ['7777', ...files] : [`--validate ${validate}`])
      expect(result.warnings[0]).toContain(part)
    expect(await isTogether(name)).toBe(false)
  })

  test.for(MODES)('%s, no actor in two files: only `all` is relied upon', async (validate) => {
    const name = await folderOf(shared(-1, -1))
    const result = await register(name, { validate })
    expect([result.actorsTogether, await isTogether(name)]).toEqual([validate === 'all', validate === 'all'])
    expect(result.scattered).toBeUndefined()
    expect(result.warnings).toHaveLength(validate === 'all' ? 0 : 1)
  })

  test.for(MODES)('%s of a single file', async (validate) => {
    const name = await folderOf([actors(1, 2)])
    expect(await register(name, { validate })).toMatchObject({ checkedFiles: 1, actorsTogether: validate === 'all' })
  })

  test('a mode that is none', async () => {
    const name = await folderOf([actors(1)])
    const error = await failure(() => register(name, { validate: 'some' as 'all' }))
    expect(error).toMatchObject({ code: 'ARGUMENT_INVALID', details: { argument: 'validate' } })
  })
})

describe('all', () => {
  const long = (tail: string) => `${'x'.repeat(3000)}${tail}`

  test.for<[name: string, selects: string[], together: boolean, names?: string[]]>([
    ['an actor only in files that are far apart', [actors(1, 9), actors(2, 3), actors(4), actors(9, 10)], false],
    ['ranges that overlap without a common actor', [actors(1, 9), actors(2, 8), actors(3, 7)], true],
    ['ranges that touch', [actors(1, 2), actors(2, 3)], false],
    ['text that is longer than bounds in footers', [actors(long('a')), actors(long('b')), actors(long('c'))], true],
    ['a long text in two files', [actors(long('a')), actors(long('b')), actors(long('a'), 'y')], false],
    ['text of any kind', [actors('é', ''), actors('É', ' '), actors('e\u0301')], true],
    ['empty files between', [actors(1), `${actors(1)} WHERE false`, actors(2), `${actors(2)} WHERE false`], true],
    ['nothing but empty files', [`${actors(1)} WHERE false`, `${actors(1)} WHERE false`], true],
    ['integers of several widths', ['SELECT 7::TINYINT AS who, 1 AS ts', 'SELECT 7::BIGINT AS who, 1 AS ts'], false],
    ['widths, apart', ['SELECT 7::TINYINT AS who, 1 AS ts', 'SELECT 8::BIGINT AS who, 1 AS ts'], true],
    ['decimals', ['SELECT 1.50::DECIMAL(30,2) AS who, 1 AS ts', 'SELECT 1.5::DECIMAL(30,2) AS who, 1 AS ts'], false],
    ['UUIDs', [`SELECT uuid() AS who, 1 AS ts FROM range(50)`, `SELECT uuid() AS who, 1 AS ts FROM range(50)`], true],
    ['binary', [`SELECT '\\xFF\\x00'::BLOB AS who, 1 AS ts`, `SELECT '\\xFF\\x00'::BLOB AS who, 2 AS ts`], false],
    ['binary, apart', [`SELECT '\\xFF\\x00'::BLOB AS who, 1 AS ts`, `SELECT '\\xFF\\x01'::BLOB AS who, 2 AS ts`], true],
    ['dates', [`SELECT DATE 'infinity' AS who, 1 AS ts`, `SELECT DATE 'infinity' AS who, 1 AS ts`], false],
    ['folders that name actors', ['SELECT 1 AS ts', 'SELECT 1 AS ts'], true, ['who=a/f.parquet', 'who=b/f.parquet']],
    [
      'two files in one such folder',
      ['SELECT 1 AS ts', 'SELECT 2 AS ts'],
      false,
      ['who=a/f.parquet', 'who=a/g.parquet'],
    ],
    [
      'such folders, and a column of that name in the files',
      [actors('b'), actors('a')],
      true,
      ['who=a/f.parquet', 'who=b/f.parquet'],
    ],
  ])('%s', async ([, selects, together, names]) => {
    const name = await folderOf(selects, names)
    const result = await register(name)
    expect([result.actorsTogether, await isTogether(name)]).toEqual([together, together])
    if (together) expect(result.scattered).toBeUndefined()
    else expect(new Set(result.scattered!.files).size).toBe(2)
  })

  test('null actors are refused in every mode, wherever they are', async () => {
    const name = await folderOf([actors('a'), actors('b'), `SELECT NULL::VARCHAR AS who, 1 AS ts`, actors('c')])
    for (const validate of MODES) {
      const error = await failure(() => register(name, { validate }))
      expect(error).toMatchObject({ code: 'KEY_INVALID', details: { key: 'actor', file: '002.parquet' } })
    }
  })

  test('more layouts than are read one by one', async () => {
    const name = await folderOf(
      Array.from({ length: 20 }, (_, k) => `SELECT ${k} AS c${k}, ${k} AS who, ${k} AS ts UNION ALL SELECT 1, 50, 1`),
    )
    expect((await register(name)).scattered).toMatchObject({ actor: '50' })
    const { rows } = await lab.warehouse.sql(`SELECT count(*) AS n, sum(c3) AS a, sum(c19) AS b FROM ${name}`)
    expect(rows).toEqual([{ n: 40, a: 4, b: 20 }])
  })

  test('is exact: any actors in any files', { timeout: tortureTimeout(60_000) }, async () => {
    const file = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 12 }), fc.boolean(), async (files, asText) => {
        const value = asText ? `'u' || who` : 'who'
        const name = await folderOf(
          files.map(
            (own) => `SELECT ${value} AS who, 1 AS ts FROM (SELECT unnest(${JSON.stringify(own)}::INTEGER[]) AS who)`,
          ),
        )
        const seen = new Map<number, Set<number>>()
        for (const [k, own] of files.entries())
          for (const who of own) seen.set(who, (seen.get(who) ?? new Set()).add(k))
        const { actorsTogether, scattered } = await register(name)
        expect(actorsTogether).toBe([...seen.values()].every((places) => places.size === 1))
        if (!scattered) return
        const places = seen.get(Number(scattered.actor.replace('u', '')))!
        expect(scattered.files.every((path) => places.has(Number(path.slice(0, 3))))).toBe(true)
        rmSync(`${lab.dir}/${name}`, { recursive: true })
      }),
      { numRuns: runs(12, 600) },
    )
  })
})

describe('a folder that grows', () => {
  test('new files make actors scattered until they are examined; a refresh finds them apart', async () => {
    const name = await folderOf([actors(1, 5), actors(2, 6)])
    await register(name)
    expect(await isTogether(name)).toBe(true)
    await lab.write(actors(3, 7), `${name}/002.parquet`)
    expect(await isTogether(name)).toBe(false)
    const refreshed = await register(name, { refresh: true })
    expect(refreshed).toMatchObject({ files: 3, checkedFiles: 3, actorsTogether: true, warnings: [] })
    expect(await isTogether(name)).toBe(true)
    rmSync(`${lab.dir}/${name}/001.parquet`)
    expect(await isTogether(name)).toBe(true)
  })

  test('a new file that shares an actor with an old one, and goes again', async () => {
    const name = await folderOf([actors(1, 5), actors(2, 6), actors(100)])
    await register(name)
    await lab.write(actors(3, 6), `${name}/new.parquet`)
    const refreshed = await register(name, { refresh: true })
    expect(refreshed.scattered).toEqual({ actor: '6', files: ['001.parquet', 'new.parquet'] })
    expect(await isTogether(name)).toBe(false)
    // The others were found apart, and are as they were.
    rmSync(`${lab.dir}/${name}/new.parquet`)
    expect(await isTogether(name)).toBe(true)
    expect(await register(name, { refresh: true })).toMatchObject({ actorsTogether: true, warnings: [] })
  })

  test('files that were compared are not compared again, nor read when their range meets no new one', async () => {
    const name = await folderOf([actors(1, 5), actors(2, 6), actors(100, 200)])
    await register(name)
    await lab.write(actors(3, 7), `${name}/003.parquet`)
    // Its stamp is put back below: to whoever looks into it the file is damaged.
    const original = `${lab.dir}/${name}/002.parquet`
    const { result, asked } = await spied(() => register(name, { refresh: true }))
    expect(result.actorsTogether).toBe(true)
    expect(asked.filter((sql) => sql.includes('file_index')).some((sql) => sql.includes(original))).toBe(false)
    expect(asked.some((sql) => sql.includes('file_index') && sql.includes('001.parquet'))).toBe(true)
    const again = await spied(() => register(name, { refresh: true }))
    expect(again.asked).toEqual([])
  })

  test('a changed file is compared anew', async () => {
    const name = await folderOf([actors(1, 5), actors(2, 6)])
    await register(name)
    const other = await lab.write(actors(2, 5))
    renameSync(other, `${lab.dir}/${name}/001.parquet`)
    expect(await isTogether(name)).toBe(false)
    expect((await register(name, { refresh: true })).scattered).toMatchObject({ actor: '5' })
  })

  test('a refresh may ask for another mode, but not for another folder, pattern or key', async () => {
    const name = await folderOf([actors(1, 5), actors(2, 6)])
    expect(await register(name, { refresh: true, validate: 'single' })).toMatchObject({ actorsTogether: false })
    expect(await register(name, { refresh: true })).toMatchObject({ actorsTogether: true })
    expect(await register(name, { refresh: true, validate: 'first_last' })).toMatchObject({ actorsTogether: false })
    for (const other of [{ pattern: '0*.parquet' }, { actor: 'ts' }, { timeUnit: 's' as const }]) {
      expect((await failure(() => register(name, { refresh: true, ...other }))).code).toBe('TABLE_EXISTS')
    }
    expect((await failure(() => register(name))).code).toBe('TABLE_EXISTS')
    await lab.warehouse.import('managed_one', [`${lab.dir}/${name}/000.parquet`])
    const path = `${lab.dir}/${name}`
    const error = await failure(() => lab.warehouse.register('managed_one', path, { ...keys, refresh: true }))
    expect(error.code).toBe('TABLE_EXISTS')
  })
})

/** What the engines were asked while a call ran. */
async function spied<T>(call: () => Promise<T>): Promise<{ result: T; asked: string[] }> {
  const { Session } = await import('../../src/engine/engine.ts')
  const asked: string[] = []
  const { run } = Session.prototype
  Session.prototype.run = function (sql, options) {
    asked.push(sql)
    return run.call(this, sql, options)
  }
  try {
    return { result: await call(), asked }
  } finally {
    Session.prototype.run = run
  }
}
