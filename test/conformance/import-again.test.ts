import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Catalog } from '../../src/catalog/catalog.ts'
import { newSchema } from '../../src/catalog/iceberg/schema.ts'
import { AlreadyImported, LEDGER_PROPERTY } from '../../src/catalog/ledger.ts'
import { systemSources } from '../../src/catalog/sources.ts'
import type { DataFile } from '../../src/catalog/types.ts'
import { primitive } from '../../src/common/data-type.ts'
import type { ImportOptions } from '../../src/inputs/import.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { answering } from '../answering.ts'
import { failure, filesBelow, type Lab, openLab } from './import-lab.ts'
import type { Job } from './races-child.ts'

const CHILD = fileURLToPath(new URL('./races-child.ts', import.meta.url))
const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const ONCE: ImportOptions = { once: true }

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

const rowsOf = async (table: string) => (await lab.warehouse.sql(`FROM ${table} ORDER BY ALL`)).rows.map(({ a }) => a)
const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')

/** A CSV file with one row. */
const source = (value: number, name: string) => lab.text(`a\n${value}\n`, name)

/** The file of a table's newest metadata, and what is in it. */
async function newest(table: string): Promise<{ file: string; metadata: Record<string, unknown> }> {
  const { metadataLocation } = await lab.warehouse.describe(table)
  return { file: metadataLocation!, metadata: JSON.parse(readFileSync(metadataLocation!, 'utf8')) }
}

/** The hashes that a table remembers, oldest first. */
async function ledgerOf(table: string): Promise<string[]> {
  const { file, metadata } = await newest(table)
  const name = (metadata.properties as Record<string, string>)[LEDGER_PROPERTY]!
  return JSON.parse(readFileSync(file.replace(/[^/]+$/, name), 'utf8')).sha256
}

describe('a file that was imported before', () => {
  test('changes nothing, under its name or another, and the rest is imported', async () => {
    const [one, two] = [source(1, 'before/one.csv'), source(2, 'before/two.csv')]
    const copy = lab.text(readFileSync(one), 'before/copy.csv')
    expect(await lab.warehouse.import('before', [one], ONCE)).toMatchObject({ rows: 1, sources: 1, skipped: [] })
    const first = (await newest('before')).file
    const files = filesBelow(lab.root)
    const again = await lab.warehouse.import('before', [one, copy], ONCE)
    expect(again).toMatchObject({ created: false, rows: 0, sources: 0, files: 0, skipped: [one, copy] })
    expect((await newest('before')).file).toBe(first)
    expect(filesBelow(lab.root)).toEqual(files)
    expect(again.snapshotId).toBe((await lab.warehouse.snapshots('before'))[0]!.id)
    const rest = await lab.warehouse.import('before', [`${lab.dir}/before/*.csv`], ONCE)
    expect(rest).toMatchObject({ rows: 1, sources: 1, skipped: [copy, one] })
    expect(await rowsOf('before')).toEqual([1, 2])
    expect(await ledgerOf('before')).toEqual([sha256(one), sha256(two)])
  })

  test('is remembered without once, too, and may be imported again without it', async () => {
    const path = source(7, 'plain.csv')
    for (let k = 0; k < 2; k++) await lab.warehouse.import('plain', [path])
    expect(await lab.warehouse.import('plain', [path], ONCE)).toMatchObject({ skipped: [path] })
    expect(await rowsOf('plain')).toEqual([7, 7])
    expect(await ledgerOf('plain')).toEqual([sha256(path)])
  })

  test('is another one as soon as a byte is another, even with its old name, size and time', async () => {
    const path = source(1, 'bytes.csv')
    utimesSync(path, 1, 1)
    await lab.warehouse.import('bytes', [path], ONCE)
    writeFileSync(path, 'a\n2\n')
    utimesSync(path, 1, 1)
    expect(await lab.warehouse.import('bytes', [path], ONCE)).toMatchObject({ rows: 1, skipped: [] })
    expect(await rowsOf('bytes')).toEqual([1, 2])
  })

  test('is told by its bytes as they lie there: packed and unpacked are two', async () => {
    const plain = source(3, 'packed.csv')
    const packed = lab.text(gzipSync(readFileSync(plain)), 'packed.csv.gz')
    await lab.warehouse.import('packed', [plain], ONCE)
    expect(await lab.warehouse.import('packed', [packed], ONCE)).toMatchObject({ rows: 1 })
    expect(await lab.warehouse.import('packed', [packed], ONCE)).toMatchObject({ rows: 0, skipped: [packed] })
    expect(await ledgerOf('packed')).toEqual([sha256(plain), sha256(packed)])
  })

  test('is imported once when one call names it twice', async () => {
    const [one, other] = [source(5, 'twice/one.csv'), source(5, 'twice/other.csv')]
    const done = await lab.warehouse.import('twice', [one, other, one], ONCE)
    expect(done).toMatchObject({ rows: 1, sources: 1, skipped: [other] })
    expect(await lab.warehouse.import('twice_both', [one, other])).toMatchObject({ rows: 2, sources: 2, skipped: [] })
    expect(await ledgerOf('twice_both')).toEqual([sha256(one)])
  })

  test('is known from the standard input', async () => {
    const path = source(11, 'stdin.csv')
    const run = (line: string) =>
      promisify(execFile)('bash', ['-c', `${process.execPath} ${CLI} import ${line} --warehouse ${lab.root}`])
    const json = JSON.parse((await run(`- --table piped --once --json < ${path}`)).stdout)
    expect(json).toMatchObject({ rows: 1, skipped: [] })
    expect((await run(`- --table piped --once < ${path}`)).stdout).toMatch(/nothing imported, 1 file skipped/)
    expect(await lab.warehouse.import('piped', [path], ONCE)).toMatchObject({ skipped: [path] })
    expect(await rowsOf('piped')).toEqual([11])
  })

  test('may be Parquet', async () => {
    const path = await lab.write('SELECT 1 AS a FROM range(1000)')
    await lab.warehouse.import('parquet', [path], ONCE)
    expect(await lab.warehouse.import('parquet', [path], ONCE)).toMatchObject({ rows: 0, skipped: [path] })
  })
})

describe('what a table remembers', () => {
  test('is bounded, the oldest go first, and what comes again is young', async () => {
    const small = await lab.open({ SKEP_LEDGER_FILES: '3' })
    const paths = [0, 1, 2, 3, 4].map((k) => source(k, `bounded/${k}.csv`))
    for (const path of paths.slice(0, 3)) await small.import('bounded', [path], ONCE)
    await small.import('bounded', [paths[0]!])
    await small.import('bounded', [paths[3]!], ONCE)
    expect(await ledgerOf('bounded')).toEqual([2, 0, 3].map((k) => sha256(paths[k]!)))
    expect(await small.import('bounded', [paths[1]!], ONCE)).toMatchObject({ rows: 1, skipped: [] })
    await small.import('bounded_at_once', paths, ONCE)
    expect(await ledgerOf('bounded_at_once')).toEqual(paths.slice(2).map(sha256))
    await small.close()
  })

  test('begins anew when the rows are replaced', async () => {
    const [one, two] = [source(1, 'replaced/one.csv'), source(2, 'replaced/two.csv')]
    await lab.warehouse.import('replaced', [one], ONCE)
    await lab.warehouse.import('replaced', [two], { replace: true })
    expect(await ledgerOf('replaced')).toEqual([sha256(two)])
    expect(await lab.warehouse.import('replaced', [one, two], ONCE)).toMatchObject({ rows: 1, skipped: [two] })
    expect(await rowsOf('replaced')).toEqual([1, 2])
  })

  test('cannot be asked for by who replaces the rows', async () => {
    const path = source(1, 'both.csv')
    const error = await failure(() => lab.warehouse.import('both', [path], { once: true, replace: true }))
    expect(error.code).toBe('ARGUMENT_INVALID')
  })

  test('ends with the table', async () => {
    const path = source(1, 'dropped.csv')
    await lab.warehouse.import('dropped', [path], ONCE)
    await lab.warehouse.drop('dropped')
    expect(await lab.warehouse.import('dropped', [path], ONCE)).toMatchObject({ created: true, rows: 1 })
  })

  test('outlives its snapshots, and a table that was set back', async () => {
    const paths = [1, 2, 3].map((k) => source(k, `history/${k}.csv`))
    for (const path of paths) await lab.warehouse.import('history', [path], ONCE)
    const { file, metadata } = await newest('history')
    const [first] = metadata.snapshots as { 'snapshot-id': number }[]
    const id = first!['snapshot-id']
    // As another program writes it: without our checksum.
    const { 'skep-sealed': _, 'skep-checksum': __, ...unsealed } = metadata
    const back = {
      ...unsealed,
      'current-snapshot-id': id,
      snapshots: [first],
      refs: { main: { 'snapshot-id': id, type: 'branch' } },
      'snapshot-log': [{ 'snapshot-id': id, 'timestamp-ms': metadata['last-updated-ms'] }],
    }
    writeFileSync(file.replace('v3.', 'v4.'), JSON.stringify(back))
    expect(await rowsOf('history')).toEqual([1])
    expect(await lab.warehouse.import('history', paths, ONCE)).toMatchObject({ rows: 0, skipped: paths })
    expect(await lab.warehouse.import('history', [paths[2]!])).toMatchObject({ rows: 1 })
    expect(await rowsOf('history')).toEqual([1, 3])
  })

  test.for(['missing', 'cut off', 'of another kind'])(
    'a ledger that is %s is an error that names it',
    async (damage) => {
      const table = `ledger_${damage.replaceAll(' ', '_')}`
      const path = source(1, `${table}.csv`)
      await lab.warehouse.import(table, [path])
      const { file, metadata } = await newest(table)
      const name = (metadata.properties as Record<string, string>)[LEDGER_PROPERTY]!
      const ledger = file.replace(/[^/]+$/, name)
      if (damage === 'missing') rmSync(ledger)
      else
        writeFileSync(
          ledger,
          damage === 'cut off' ? readFileSync(ledger).subarray(0, 40) : '{"version":1,"sha256":[1]}',
        )
      for (const options of [{}, ONCE]) {
        const error = await failure(() => lab.warehouse.import(table, [path], options))
        expect(error).toMatchObject({ code: 'TABLE_INVALID', details: { file: expect.stringContaining(name) } })
      }
      expect(await rowsOf(table)).toEqual([1])
      expect(await lab.warehouse.import(table, [path], { replace: true })).toMatchObject({ rows: 1 })
      expect(await ledgerOf(table)).toEqual([sha256(path)])
    },
  )
})

/** Does something once, right before the commit of an import. */
function beforeCommit(then: () => void): ImportOptions {
  let done = false
  return {
    onProgress: ({ phase }) => {
      if (phase !== 'commit' || done) return
      done = true
      then()
    },
  }
}

test('a file that changes or goes away while it is imported ends the import', async () => {
  const path = source(1, 'changing.csv')
  const before = filesBelow(lab.root)
  const tables = readdirSync(`${lab.root}/tables`)
  for (const change of [() => appendFileSync(path, '2\n'), () => rmSync(path)]) {
    const error = await failure(() => lab.warehouse.import('changing', [path], beforeCommit(change)))
    expect(error).toMatchObject({ code: 'FILE_CHANGED', details: { file: path } })
  }
  expect(filesBelow(lab.root)).toEqual(before)
  expect(readdirSync(`${lab.root}/tables`)).toEqual(tables)
})

describe('two imports of the same files at once', () => {
  let other: Worker
  beforeAll(() => {
    other = new Worker(CHILD)
  })
  afterAll(async () => {
    await other.terminate()
  })

  /** The other writer imports files once, right before our commit, and we wait for it as we stand. */
  const theirs = (table: string, path: string, options: object = ONCE) =>
    beforeCommit(() => {
      const shared = new SharedArrayBuffer(1024)
      const state = new Int32Array(shared, 0, 2)
      other.postMessage({ job: { root: lab.root, table, verb: 'import', path, options } satisfies Job, shared })
      expect(Atomics.wait(state, 0, 0, 30_000)).not.toBe('timed-out')
      expect(Buffer.from(new Uint8Array(shared, 8, state[1])).toString()).toBe('done')
    })

  /** Three files of a folder of the table's own; imported into it beforehand is a row of 0 when it is to be there. */
  async function prepare(table: string, isThere: boolean): Promise<string[]> {
    if (isThere) await lab.warehouse.import(table, [source(0, `${table}-seed.csv`)])
    return [1, 2, 3].map((k) => source(k, `${table}/${k}.csv`))
  }

  /** Data files, manifests, lists and ledgers that no state of the table has ever named. */
  async function strays(table: string): Promise<string[]> {
    const { file } = await newest(table)
    const folder = file.replace(/metadata\/[^/]+$/, '')
    const ours = filesBelow(folder)
    const versions = ours.filter((path) => path.endsWith('.metadata.json')).map((path) => readFileSync(path, 'utf8'))
    const { dataFiles } = await lab.warehouse.describe(table, { files: true })
    const named = [...versions, ...dataFiles!.map(({ path }) => path)].join(' ')
    return ours.filter((path) => /\/(ledger|snap)-|\.parquet$/.test(path) && !named.includes(basename(path)))
  }

  const CASES: [name: string, theirs: string, rows: number, skipped: number[]][] = [
    ['the other one has all of them', '*.csv', 0, [0, 1, 2]],
    ['the other one has one of them', '2.csv', 2, [1]],
  ]

  test.for([true, false].flatMap((isThere) => CASES.map((one) => [isThere, ...one] as const)))(
    'table there: %s, %s',
    async ([isThere, , glob, rows, skipped]) => {
      const table = `race_${isThere}_${rows}`
      const paths = await prepare(table, isThere)
      const done = await lab.warehouse.import(table, paths, {
        ...ONCE,
        ...theirs(table, `${lab.dir}/${table}/${glob}`),
      })
      expect(done).toMatchObject({ created: false, rows, sources: rows, skipped: skipped.map((k) => paths[k]) })
      expect(await rowsOf(table)).toEqual(isThere ? [0, 1, 2, 3] : [1, 2, 3])
      expect(new Set(await ledgerOf(table))).toEqual(
        new Set([...(isThere ? [`${lab.dir}/${table}-seed.csv`] : []), ...paths].map(sha256)),
      )
      expect(await strays(table)).toEqual([])
    },
  )

  test('one of them does not ask for once: both rows are there, and the hash is', async () => {
    const paths = await prepare('race_plain', true)
    await lab.warehouse.import('race_plain', paths, theirs('race_plain', `${lab.dir}/race_plain/2.csv`))
    expect(await rowsOf('race_plain')).toEqual([0, 1, 2, 2, 3])
    expect(await lab.warehouse.import('race_plain', paths, ONCE)).toMatchObject({ skipped: paths })
    expect(await strays('race_plain')).toEqual([])
  })

  test('rejects are those of the files that were imported in the end', async () => {
    const paths = [1, 2, 3].map((k) => lab.text(`a,b\n${k},0\n${k}\n`, `race_rejects/${k}.csv`))
    const [ours, others] = [`${lab.dir}/ours.ndjson`, `${lab.dir}/others.ndjson`]
    const options = { ...ONCE, rejects: ours }
    const meanwhile = theirs('race_rejects', `${lab.dir}/race_rejects/2.csv`, { ...ONCE, rejects: others })
    const done = await lab.warehouse.import('race_rejects', paths, { ...options, ...meanwhile })
    expect(done).toMatchObject({ rows: 2, rejected: 2, skipped: [paths[1]] })
    const rejected = [ours, others].map((path) => readFileSync(path, 'utf8').match(/\d\.csv/g))
    expect(rejected).toEqual([['1.csv', '3.csv'], ['2.csv']])
  })

  test('processes that all import overlapping files: each file is there once', async () => {
    const table = 'race_processes'
    const paths = Array.from({ length: 6 }, (_, k) => source(k, `${table}/${k}.csv`))
    const globs = ['[012].csv', '[234].csv', '[450].csv', '*.csv', '[135].csv', '*.csv']
    const outputs = await Promise.all(
      globs.map((glob) => {
        const job: Job = { root: lab.root, table, verb: 'import', path: `${lab.dir}/${table}/${glob}`, options: ONCE }
        return promisify(execFile)(process.execPath, [CHILD, JSON.stringify(job)])
      }),
    )
    expect(outputs.map(({ stdout }) => stdout.trim())).toEqual(globs.map(() => 'done'))
    expect(await rowsOf(table)).toEqual([0, 1, 2, 3, 4, 5])
    expect((await ledgerOf(table)).toSorted()).toEqual(paths.map(sha256).toSorted())
    expect(await strays(table)).toEqual([])
  }, 120_000)
})

describe('commits to a store in memory', () => {
  const schema = newSchema([{ name: 'a', type: primitive('BIGINT') }])
  const file = (location: string, name: string): DataFile => ({
    path: `${location}/data/${name}.parquet`,
    rows: 1,
    sizeBytes: 1,
    specId: 0,
    partition: [],
    columns: new Map(),
    sorted: false,
  })
  const hashOf = (k: number) => createHash('sha256').update(String(k)).digest('hex')

  test('of twenty that bring the same files, overlapping, each file is added by exactly one', async () => {
    const store = new MemoryStore()
    const open = () => new Catalog(store, { sources: systemSources(), commitRetries: 1000 })
    await open().create(open().draft('t', { schema }), [])
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async (_, k) => {
        const catalog = open()
        const table = await catalog.loadManaged('t')
        let wanted = [k % 5, (k + 1) % 5]
        for (let attempt = 0; wanted.length > 0; attempt++) {
          const files = wanted.map((n) => file(table.location, `${n}-${k}-${attempt}`))
          const ledger = { hashes: wanted.map(hashOf), once: true, limit: 100 }
          try {
            await catalog.append(table, files, { ledger })
            return wanted
          } catch (error) {
            if (!(error instanceof AlreadyImported)) throw error
            wanted = wanted.filter((n) => !error.hashes.includes(hashOf(n)))
          }
        }
        return []
      }),
    )
    const table = await open().loadManaged('t')
    const numbers = table.snapshot.files.map(({ path }) => Number(/data\/(\d)/.exec(path)![1]))
    expect(numbers.toSorted()).toEqual([0, 1, 2, 3, 4])
    expect(outcomes.flat().toSorted()).toEqual([0, 1, 2, 3, 4])
    expect(await open().imported(table, [0, 1, 2, 3, 4, 5].map(hashOf))).toEqual([0, 1, 2, 3, 4].map(hashOf))
    const commits = outcomes.filter((own) => own.length > 0).length
    const { objects } = await store.list('tables/', { limit: 10_000 })
    expect(objects.filter(({ path }) => path.includes('/ledger-'))).toHaveLength(commits)
    expect(objects.filter(({ path }) => path.includes('/m-'))).toHaveLength(commits)
  })

  test('a ledger that only an older state has may be gone: the next attempt reads the newer one', async () => {
    const store = new MemoryStore()
    const catalog = new Catalog(store, { sources: systemSources(), commitRetries: 10 })
    const draft = catalog.draft('t', { schema })
    const entries = (k: number) => ({ ledger: { hashes: [hashOf(k)], once: true, limit: 100 } })
    await catalog.create(draft, [file(draft.location, '0')], entries(0))
    const late = new Catalog(
      raceAtLedger(store, () => catalog.append(table, [file(table.location, '1')], entries(1))),
      {
        sources: systemSources(),
        commitRetries: 10,
      },
    )
    const table = await catalog.loadManaged('t')
    await late.append(table, [file(table.location, '2')], entries(2))
    expect((await catalog.loadManaged('t')).snapshot.files).toHaveLength(3)
    expect(await catalog.imported(table, [0, 1, 2].map(hashOf))).toEqual([0, 1, 2].map(hashOf))
  })

  /** A store where, at the first reading of a ledger, another commit comes first and what it replaced is removed. */
  function raceAtLedger(store: MemoryStore, commit: () => Promise<unknown>): MemoryStore {
    let raced = false
    return answering(store, 'read', async (path) => {
      if (!raced && path.includes('/ledger-')) {
        raced = true
        await commit()
        await store.delete(path)
      }
      return await store.read(path)
    })
  }
})
