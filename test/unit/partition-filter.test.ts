/** Conditions on partitions, held against what they say of each file: of made-up tables, which have more files than one statement takes. */
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DataFile, PartitionSpec, Scalar, Table } from '../../src/catalog/types.ts'
import { parseType } from '../../src/common/data-type.ts'
import { readSettings, SETTINGS } from '../../src/config.ts'
import { filterFiles } from '../../src/coordinator/partition-filter.ts'
import { Engine, type Session } from '../../src/engine/engine.ts'
import { failure } from '../conformance/import-lab.ts'

const settings = readSettings({})
let engine: Engine
let session: Session
beforeAll(async () => {
  engine = await Engine.open({ settings, spillPath: join(tmpdir(), 'skep-filter', 'spill'), roots: [] })
  session = await engine.session()
})
afterAll(async () => {
  session.close()
  await engine[Symbol.asyncDispose]()
})

const TYPES = { n: 'BIGINT', name: 'VARCHAR', day: 'DATE', amount: 'DECIMAL(9,2)', at: 'TIMESTAMP' }
type Values = Partial<Record<keyof typeof TYPES, Scalar | null>>

/** A table that is partitioned by the columns of these values. Nothing of it is anywhere. */
function tableOf(name: string, values: readonly Values[], specs?: ReadonlyMap<number, PartitionSpec>): Table {
  const columns = Object.entries(TYPES).map(([column, type], k) => ({
    id: k + 1,
    name: column,
    type: parseType(type),
    required: false,
  }))
  const fields = columns.map(({ id, name }) => ({
    fieldId: 1000 + id,
    name,
    columnId: id,
    transform: { kind: 'identity' as const },
  }))
  const spec = { id: 0, fields }
  const files = values.map(
    (value, k): DataFile => ({
      path: `/t/${k}.parquet`,
      rows: 1,
      sizeBytes: k,
      specId: 0,
      partition: columns.map((column) => value[column.name as keyof Values] ?? null),
      columns: new Map(),
      sorted: false,
    }),
  )
  const schema = { id: 0, columns }
  const snapshot = { schema, specs: specs ?? new Map([[0, spec]]), files }
  return {
    name,
    kind: 'registered',
    location: '/t',
    keys: {},
    schema,
    spec,
    snapshot,
    actorsTogether: false,
    hiveColumns: [],
  }
}

async function kept(condition: string, ...tables: Table[]): Promise<number[]> {
  const byName = new Map(tables.map((table) => [table.name.toLowerCase(), table]))
  const { files } = await filterFiles({ session, settings, options: {} }, condition, byName)
  return files.map(({ sizeBytes }) => sizeBytes)
}

const COUNT = 2 * SETTINGS.filterRows.default + 7
const MANY = Array.from({ length: COUNT }, (_, k): Values => ({ n: BigInt(k), name: k % 3 === 0 ? null : `x${k % 4}` }))

test('more files than one statement takes', async () => {
  const table = tableOf('T', MANY)
  const last = COUNT - 1
  expect(await kept(`n IN (0, ${SETTINGS.filterRows.default}, ${last}, ${COUNT})`, table)).toEqual([
    0,
    SETTINGS.filterRows.default,
    last,
  ])
  expect(await kept(`length % 2 = 1 AND key LIKE '/t/%'`, table)).toEqual(
    MANY.flatMap((_, k) => (k % 2 === 1 ? [k] : [])),
  )
  const named = MANY.flatMap(({ name }, k) => (name === 'x1' ? [k] : []))
  expect(await kept(`t.name = 'x1'`, table)).toEqual(named)
})

test('values are as exact as the types are', async () => {
  const table = tableOf('t', [
    { n: 2n ** 62n, amount: -5n, day: -1n, at: 1n, name: `it's` },
    { n: 2n ** 62n + 1n, amount: 123n, day: 0n, at: -1n, name: 'a\0b' },
    {},
  ])
  expect(await kept('n = 4611686018427387905', table)).toEqual([1])
  expect(await kept('amount = -0.05', table)).toEqual([0])
  expect(await kept(`day = '1969-12-31' OR day IS NULL`, table)).toEqual([0, 2])
  expect(await kept(`"at" < '1970-01-01'`, table)).toEqual([1])
  expect(await kept(`name = 'it''s'`, table)).toEqual([0])
  expect(await kept(`length(name) = 3`, table)).toEqual([1])
  expect(await kept('day < current_date', table)).toEqual([0, 1])
})

test('a table without files takes the conditions that fit it, and no others', async () => {
  const empty = tableOf('t', [])
  expect(await kept('n > 1', empty)).toEqual([])
  expect((await failure(() => kept(`n > 'many'`, empty))).code).toBe('SQL_INVALID')
  expect((await failure(() => kept('nix > 1', empty))).code).toBe('COLUMN_NOT_FOUND')
})

test('a column that only some files are partitioned by is none', async () => {
  const table = tableOf('t', [{ n: 1n }])
  const [file] = table.snapshot.files as [DataFile]
  const other: PartitionSpec = { id: 1, fields: table.spec.fields.filter(({ name }) => name !== 'n') }
  const specs = new Map([...table.snapshot.specs, [1, other]])
  const mixed = {
    ...table,
    snapshot: { ...table.snapshot, specs, files: [file, { ...file, specId: 1, partition: [] }] },
  }
  const error = await failure(() => kept('n = 1', mixed))
  expect(error).toMatchObject({ code: 'COLUMN_NOT_FOUND', details: { table: 't', column: 'n' } })
  const told = [file, { ...file, specId: 1, sizeBytes: 7, partition: [], constants: new Map([[1, 1n]]) }]
  expect(await kept('n = 1', { ...mixed, snapshot: { ...mixed.snapshot, files: told } })).toEqual([0, 7])
  const unused = { ...mixed, snapshot: { ...mixed.snapshot, files: [file] } }
  expect(await kept('n = 1', unused)).toEqual([0])
})
