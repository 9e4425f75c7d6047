/** Damaged files: a direct query gives the document of the sound file, or what the engine makes of the damaged one. */
import { readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery, Step } from '../../src/behaviour/types.ts'
import { isSkepError } from '../../src/errors.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { compareReaders, DirectLab, outcomeOf } from './direct-lab.ts'

let lab: DirectLab
beforeAll(async () => {
  lab = await DirectLab.open({ SKEP_QUERY_TIMEOUT_MS: '30000' })
})
afterAll(async () => {
  await lab[Symbol.asyncDispose]()
})

const KEYS = { actor: 'who', time: 'ts' }
const steps = ['a', 'b'].map((event): Step => ({ filter: ['event', '==', event] })) as [Step, ...Step[]]
const QUERY: BehaviouralQuery = { funnel: { sequence: steps, maxDuration: 5000 } }

async function writeSound(type: string, options: string): Promise<{ folder: string; path: string }> {
  const folder = lab.newFolder()
  const path = join(folder, 'a.parquet')
  const number = '(hash(i) % 90)'
  const who = type === 'UUID' ? `md5(${number}::VARCHAR)` : type === 'VARCHAR' ? `'é' || ${number}` : number
  await lab.copy(
    `SELECT CAST(${who} AS ${type}) AS who, CAST(hash(i, 1) % 50000 AS BIGINT) AS ts,
      ['a', 'b', 'c', NULL][CAST(1 + hash(i, 2) % 4 AS INTEGER)] AS event FROM range(3000) r(i) ORDER BY i`,
    path,
    `ROW_GROUP_SIZE 2048, ${options}`,
  )
  return { folder, path }
}

interface Damage {
  kind: 'bit' | 'bytes' | 'move' | 'cut'
  /** Places as parts of the file's length. */
  at: number
  to: number
  value: number
  length: number
}

const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })
const damages: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom('bit', 'bit', 'bit', 'bytes', 'bytes', 'move', 'cut'),
  at: place,
  to: place,
  value: fc.nat(255),
  length: fc.integer({ min: 1, max: 40 }),
})

function damaged(sound: Buffer, { kind, at, to, value, length }: Damage): Buffer {
  const bytes = Buffer.from(sound)
  const [first, second] = [at, to].map((part) => Math.floor(part * bytes.length)) as [number, number]
  if (kind === 'bit') bytes[first]! ^= 1 << (value % 8)
  else if (kind === 'bytes') bytes.fill(value, first, Math.min(bytes.length, first + (length % 9)))
  else if (kind === 'move') sound.copy(bytes, second, first, first + length)
  return kind === 'cut' ? bytes.subarray(0, first) : bytes
}

const KINDS: [string, string][] = [
  ['VARCHAR', 'COMPRESSION uncompressed, PARQUET_VERSION v1'],
  ['VARCHAR', 'COMPRESSION snappy, PARQUET_VERSION v2'],
  ['VARCHAR', 'COMPRESSION zstd, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 60'],
  ['BIGINT', 'COMPRESSION uncompressed, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 60'],
  ['INTEGER', 'COMPRESSION gzip, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 60'],
  ['UUID', 'COMPRESSION brotli, PARQUET_VERSION v1'],
]

describe('a folder with a file that was damaged before it was registered', () => {
  test.each(KINDS)(
    'actors of %s, %s',
    async (type, options) => {
      const { folder, path } = await writeSound(type, options)
      const sound = readFileSync(path)
      const name = lab.newName()
      await lab.engine.register(name, folder, KEYS)
      const expected = await outcomeOf(lab.direct().query(name, QUERY))
      const isSound = (outcome: unknown) => JSON.stringify(outcome) === JSON.stringify(expected)
      const property = fc.asyncProperty(damages, async (damage) => {
        const other = lab.newFolder()
        writeFileSync(join(other, 'a.parquet'), damaged(sound, damage))
        const copy = lab.newName()
        try {
          await lab.engine.register(copy, other, KEYS)
        } catch (error) {
          if (isSkepError(error)) return
          throw error
        }
        const started = performance.now()
        const direct = await outcomeOf(lab.direct().query(copy, QUERY))
        expect(performance.now() - started).toBeLessThan(20_000)
        if (!('facts' in direct) || isSound(direct)) return
        // Where no checksum tells, both answer from what is there; nothing is answered where the engine refuses.
        expect(await outcomeOf(lab.engine.query(copy, QUERY))).toHaveProperty('facts')
      })
      await fc.assert(property, { numRuns: runs(8, 1500), seed: tortureSeed() })
      expect(await compareReaders(lab, name, QUERY)).toMatchObject({ reader: 'direct' })
    },
    tortureTimeout(120_000),
  )
})

describe('a managed table whose file changes behind its back', () => {
  async function importSound(): Promise<{ name: string; file: string; bytes: Buffer }> {
    const { path } = await writeSound('VARCHAR', 'COMPRESSION snappy')
    const name = lab.newName()
    await lab.engine.import(name, [path], { ...KEYS, buckets: 1 })
    const { dataFiles } = await lab.engine.describe(name, { files: true })
    const file = dataFiles![0]!.path
    return { name, file, bytes: readFileSync(file) }
  }

  const CHANGES: Record<string, (file: string, bytes: Buffer) => void> = {
    vanishes: (file) => unlinkSync(file),
    shrinks: (file, bytes) => truncateSync(file, bytes.length >> 1),
    'is emptied': (file) => truncateSync(file, 0),
    'loses its end': (file, bytes) => writeFileSync(file, Buffer.from(bytes).fill(0, bytes.length - 8)),
    'loses its footer': (file, bytes) =>
      writeFileSync(file, Buffer.from(bytes).fill(0, bytes.length - 300, bytes.length - 8)),
    'has a footer that is too long': (file, bytes) =>
      writeFileSync(file, Buffer.from(bytes).fill(255, bytes.length - 8, bytes.length - 4)),
    'loses its pages': (file, bytes) => writeFileSync(file, Buffer.from(bytes).fill(0, 4, bytes.length >> 1)),
  }

  test.each(Object.entries(CHANGES))('it %s: the error has a code, and the next query works', async (_, change) => {
    const { name, file, bytes } = await importSound()
    expect(await compareReaders(lab, name, QUERY)).toMatchObject({ reader: 'direct' })
    change(file, bytes)
    // A warehouse that has not read the file before: the engine keeps footers.
    await using fresh = await DirectLab.beside(lab)
    expect(await outcomeOf(fresh.query(name, QUERY))).toEqual({ code: 'FILE_INVALID' })
    writeFileSync(file, bytes)
    expect(await compareReaders(lab, name, QUERY)).toMatchObject({ reader: 'direct' })
  })

  test('it is replaced by a longer one: an error that names it', async () => {
    const [one, other] = [await importSound(), await importSound()]
    const folder = lab.newFolder()
    await lab.copy(
      `FROM '${other.file}' UNION ALL FROM '${other.file}'`,
      join(folder, 'b.parquet'),
      `FIELD_IDS {who: 1, ts: 2, event: 3}`,
    )
    writeFileSync(one.file, readFileSync(join(folder, 'b.parquet')))
    await using fresh = await DirectLab.beside(lab)
    await expect(fresh.query(one.name, QUERY)).rejects.toMatchObject({
      code: 'FILE_INVALID',
      details: { file: one.file },
    })
  })
})
