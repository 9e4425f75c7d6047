/** Logs of Delta tables that change while they are read, and what is read of them again. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeltaTables } from '../../src/catalog/delta/delta-table.ts'
import { logFiles, planVersion } from '../../src/catalog/delta/log-files.ts'
import { DiskReader, type FileReader } from '../../src/catalog/file-reader.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { DeltaLab } from '../delta-lab.ts'

const name = (version: number, rest: string) => `${String(version).padStart(20, '0')}.${rest}`

describe('the files of a log', () => {
  test('that are whole checkpoints', () => {
    const part = (version: number, k: number, of: number) =>
      name(version, `checkpoint.${String(k).padStart(10, '0')}.${String(of).padStart(10, '0')}.parquet`)
    const { checkpoints, entries } = logFiles([
      part(3, 2, 2),
      part(3, 1, 2),
      part(5, 1, 3),
      part(5, 3, 3),
      name(4, 'checkpoint.parquet'),
      part(4, 1, 1),
      name(1, 'json'),
      name(10, 'json'),
      name(2, 'json'),
      name(2, 'crc'),
      name(2, 'json.tmp'),
      '_last_checkpoint',
      '99999999999999999999.json',
      `${name(0, 'json')}`.slice(1),
    ])
    expect(entries).toEqual([1, 2, 10])
    expect(checkpoints.map(({ version, files }) => [version, files.length])).toEqual([
      [3, 2],
      [4, 1],
    ])
  })

  test.for([
    [[0, 1, 2], [], 2, { version: 2, entries: [0, 1, 2] }],
    [[1, 2], [], 2, { missing: 0 }],
    [[0, 2], [], 2, { missing: 1 }],
    [[0, 1], [], 2, { missing: 2 }],
    [[0, 1, 2, 3], [1, 2], 3, { version: 3, entries: [3] }],
    [[], [2], 2, { version: 2, entries: [] }],
    [[2, 3], [2, 4], 3, { version: 3, entries: [3] }],
    [[2, 3], [4], 3, { missing: 0 }],
    [[3], [1], 3, { missing: 2 }],
  ] as [number[], number[], number, object][])(
    '%j with checkpoints %j make version %i',
    ([entries, at, version, plan], { expect }) => {
      const checkpoints = at.map((own) => ({ version: own, files: [`${own}`] }))
      expect(planVersion({ entries, checkpoints }, version)).toMatchObject(plan)
    },
  )
})

describe('a log that changes while it is read', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await openLab()
  })
  afterAll(async () => {
    await lab.close()
  })

  const state = async (own: string, versions: number): Promise<DeltaLab> => {
    const table = new DeltaLab(lab, own)
    for (let k = 0; k < versions; k++) {
      const file = await table.add(`${k}.parquet`, `SELECT ${k} AS i`, { stats: { numRecords: 1 } })
      table.commit(k === 0 ? [...table.begin([['i', 'integer']]), file] : [file])
    }
    return table
  }

  /** A disk on which something happens before each reading of a file. */
  class WatchedReader extends DiskReader {
    readonly reads: string[] = []
    readonly #before: (path: string, count: number) => void | Promise<void>

    constructor(before: (path: string, count: number) => void | Promise<void>) {
      super()
      this.#before = before
    }

    override async read(...[path, options]: Parameters<FileReader['read']>): Promise<Uint8Array | undefined> {
      this.reads.push(path.split('/').at(-1)!)
      await this.#before(path, this.reads.length)
      return await super.read(path, options)
    }
  }

  const paths = async (tables: DeltaTables, { root }: DeltaLab) =>
    (await tables.load(root, { name: 't' })).snapshot.files.map(({ path }) => path.split('/').at(-1))

  test('is one version: a clean-up in the middle sends it to the checkpoint', async () => {
    const table = await state('cleaned', 4)
    const all = [0, 1, 2, 3].flatMap((k) =>
      readFileSync(table.entry(k), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    )
    const reader = new WatchedReader(async (_path, count) => {
      if (count !== 3) return
      await table.checkpoint(all.filter((action) => !action.commitInfo))
      for (let k = 0; k < 4; k++) rmSync(table.entry(k))
    })
    const tables = new DeltaTables(reader, { maxFiles: 100 })
    expect(await paths(tables, table)).toEqual(['0.parquet', '1.parquet', '2.parquet', '3.parquet'])
    expect(reader.reads.at(-1)).toMatch(/checkpoint/)
  })

  test('is one version: what comes meanwhile is for the next look', async () => {
    const table = await state('grown', 2)
    const more = await table.add('late.parquet', 'SELECT 9 AS i')
    const reader = new WatchedReader((_path, count) => {
      if (count === 1) table.commit([more])
    })
    const tables = new DeltaTables(reader, { maxFiles: 100 })
    expect(await paths(tables, table)).toEqual(['0.parquet', '1.parquet'])
    const before = reader.reads.length
    expect(await paths(tables, table)).toEqual(['0.parquet', '1.parquet', 'late.parquet'])
    // The new entry, and the footer of the file that it does not count; nothing at all after that.
    expect(reader.reads.slice(before)).toEqual([name(2, 'json'), 'late.parquet'])
    await tables.load(table.root, { name: 't' })
    expect(reader.reads).toHaveLength(before + 2)
  })

  test('that is cleaned time and again is an error that names what is missing', async () => {
    const table = await state('vanishing', 3)
    const bytes = readFileSync(table.entry(1))
    const reader = new WatchedReader((path) => {
      if (path === table.entry(1)) rmSync(path)
      else writeFileSync(table.entry(1), bytes)
    })
    const tables = new DeltaTables(reader, { maxFiles: 100 })
    await expect(tables.load(table.root, { name: 't' })).rejects.toMatchObject({
      code: 'TABLE_INVALID',
      details: { file: table.entry(1) },
    })
  })

  test('with more files than may be held is refused', async () => {
    const table = await state('many', 5)
    const tables = new DeltaTables(new DiskReader(), { maxFiles: 4 })
    await expect(tables.load(table.root, { name: 't' })).rejects.toMatchObject({ code: 'FILE_LIMIT' })
  })
})

test('files of metadata that are too large are not read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-reader-'))
  writeFileSync(`${folder}/large`, 'x'.repeat(100))
  const reader = new DiskReader()
  await expect(reader.read(`${folder}/large`, { limitBytes: 99 })).rejects.toMatchObject({ code: 'FILE_LIMIT' })
  expect((await reader.read(`${folder}/large`, { limitBytes: 100 }))?.length).toBe(100)
  expect(await reader.read(`${folder}/none`)).toBeUndefined()
  expect(await reader.list(`${folder}/none`)).toEqual([])
  expect(await reader.list(folder)).toEqual(['large'])
  rmSync(folder, { recursive: true })
})
