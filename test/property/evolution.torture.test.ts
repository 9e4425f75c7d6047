/** Random histories of one table — imports of random columns and types, alterations — against a model of rows by field id. */
import fc from 'fast-check'
import { icebergRead } from 'icebird'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Alteration } from '../../src/catalog/alteration.ts'
import { quoteIdentifier } from '../../src/common/data-type.ts'
import { failure, type Lab, openLab } from '../conformance/import-lab.ts'
import { fetchFromDisk } from '../fetch.ts'
import { runs, tortureTimeout } from '../torture.ts'
import {
  holds,
  literal,
  type Model,
  type ModelColumn,
  type ModelRow,
  type ModelType,
  promotable,
  shown,
  type Value,
  widest,
} from './evolution-model.ts'

let lab: Lab
let tables = 0

beforeAll(async () => {
  lab = await openLab({ SKEP_THREADS: '1' })
  vi.stubGlobal('fetch', fetchFromDisk)
})

afterAll(async () => {
  vi.unstubAllGlobals()
  await lab.close()
})

/** The other reader finds plain names only. */
const PLAIN_NAMES = ['a', 'b', 'c', 'd', 'filename', 'E', 'f']
const ANY_NAMES = ['a', 'b', 'c', 'É', 'b c', 'd"', 'filename', '日']
const TYPES: ModelType[] = [
  'INTEGER',
  'BIGINT',
  'FLOAT',
  'DOUBLE',
  'VARCHAR',
  'INTEGER[]',
  'DECIMAL(5,2)',
  'DECIMAL(12,2)',
  'DECIMAL(30,2)',
]

/** Values that fit every type of their family, so that filters meet equal ones in files of different types. */
const INTEGERS = [-1n, 0n, 1n, 7n, 2_147_483_647n, -2_147_483_648n]
const LONGS = [...INTEGERS, 2_147_483_648n, -9_223_372_036_854_775_808n, 9_007_199_254_740_993n]
const FLOATS = [0.1, 99.8, -1.5, 0, 16_777_216, 3.25]
const DOUBLES = [...FLOATS, 16_777_217, 1e300]
const HUNDREDTHS = [0n, 1n, -125n, 99_999n]
const TEXTS = ['', 'x', 'y', 'x-long-text']

function valuesOf(type: ModelType): readonly Value[] {
  switch (type) {
    case 'INTEGER':
      return INTEGERS
    case 'BIGINT':
      return LONGS
    case 'FLOAT':
      return FLOATS.map(Math.fround)
    case 'DOUBLE':
      return DOUBLES
    case 'VARCHAR':
      return TEXTS
    case 'INTEGER[]':
      return [[], [1n, 2n]]
    default:
      return type === 'DECIMAL(5,2)' ? HUNDREDTHS : [...HUNDREDTHS, 100_000_000_025n - 99_000_000_000n]
  }
}

const pick = fc.nat({ max: 1000 })
const at = <T>(list: readonly T[], k: number): T => list[k % list.length]!

const arbitraryImport = fc.record({
  kind: fc.constant('import' as const),
  columns: fc.array(fc.record({ name: pick, type: pick, keep: fc.boolean() }), { minLength: 1, maxLength: 4 }),
  rows: fc.array(fc.array(pick, { minLength: 5, maxLength: 5 }), { minLength: 1, maxLength: 5 }),
})
const arbitraryAlter = fc.record({
  kind: fc.constant('alter' as const),
  rename: fc.array(fc.tuple(pick, pick), { maxLength: 2 }),
  drop: fc.array(pick, { maxLength: 1 }),
  widen: fc.array(fc.tuple(pick, pick), { maxLength: 1 }),
})
const arbitraryFilter = fc.record({ column: pick, op: pick, value: pick })
const arbitraryHistory = fc.record({
  keyed: fc.boolean(),
  plainNames: fc.boolean(),
  steps: fc.array(fc.oneof({ weight: 3, arbitrary: arbitraryImport }, { weight: 2, arbitrary: arbitraryAlter }), {
    minLength: 4,
    maxLength: 8,
  }),
  filters: fc.array(arbitraryFilter, { minLength: 3, maxLength: 3 }),
})

type ImportStep = typeof arbitraryImport extends fc.Arbitrary<infer T> ? T : never
type AlterStep = typeof arbitraryAlter extends fc.Arbitrary<infer T> ? T : never
type Filter = typeof arbitraryFilter extends fc.Arbitrary<infer T> ? T : never

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
const findByName = ({ columns }: Model, name: string) => columns.find((column) => same(column.name, name))

interface SourceColumn {
  name: string
  type: ModelType
}

/** The columns of a source: of a table's column mostly a type that goes with it, else any. */
function sourceColumns(
  model: Model,
  step: ImportStep,
  keys: readonly ModelColumn[],
  names: readonly string[],
): SourceColumn[] {
  const sources: SourceColumn[] = keys.map(({ name, type }, k) => ({ name, type: k === 0 ? 'BIGINT' : type }))
  for (const { name: n, type: t, keep } of step.columns) {
    const name = at(names, n)
    if (sources.some((source) => same(source.name, name))) continue
    const own = findByName(model, name)
    const fitting = TYPES.filter((type) => own && widest(own.type, type))
    sources.push({ name, type: own && keep ? at(fitting, t) : at(TYPES, t) })
  }
  return sources
}

/** The model after an import; undefined when the import has to be refused. */
function imported(
  model: Model,
  sources: readonly SourceColumn[],
  values: readonly (readonly Value[])[],
): Model | undefined {
  const columns: ModelColumn[] = []
  for (const column of model.columns) {
    const source = sources.find(({ name }) => same(name, column.name))
    const type = source ? widest(column.type, source.type) : column.type
    if (!type) return undefined
    columns.push({ ...column, type })
  }
  let { lastId } = model
  const fresh = sources.filter(({ name }) => !findByName(model, name))
  for (const [k, { name, type }] of fresh.entries()) columns.push({ id: lastId + k + 1, name, type })
  lastId += fresh.length + fresh.filter(({ type }) => type === 'INTEGER[]').length
  const ids = sources.map(({ name }) => columns.find((column) => same(column.name, name))!.id)
  const rows = values.map((row): ModelRow => new Map(row.map((value, k) => [ids[k]!, value])))
  return { columns, rows: [...model.rows, ...rows], lastId }
}

function alterationOf(model: Model, step: AlterStep, names: readonly string[]): Alteration {
  const name = (k: number) => at(model.columns, k).name
  return {
    rename: Object.fromEntries(step.rename.map(([from, to]) => [name(from), at(names, to)])),
    drop: [...new Set(step.drop.map(name))],
    widen: Object.fromEntries(step.widen.map(([column, type]) => [name(column), at(TYPES, type)])),
  }
}

/** The model after an alteration; undefined when it has to be refused. */
function altered(
  model: Model,
  { rename, drop, widen }: Required<Pick<Alteration, 'rename' | 'drop' | 'widen'>>,
  keys: ReadonlySet<number>,
): Model | undefined {
  const columns: ModelColumn[] = []
  for (const column of model.columns) {
    const { [column.name]: to } = rename
    const { [column.name]: type } = widen as Record<string, ModelType>
    if (drop.includes(column.name)) {
      if (to !== undefined || type !== undefined || keys.has(column.id)) return undefined
      continue
    }
    if (type !== undefined && type !== column.type && !promotable(column.type, type)) return undefined
    columns.push({ ...column, name: to ?? column.name, type: type ?? column.type })
  }
  const names = new Set(columns.map(({ name }) => name.toLowerCase()))
  return columns.length > 0 && names.size === columns.length ? { ...model, columns } : undefined
}

const sorted = (rows: readonly unknown[][]) => rows.map((row) => JSON.stringify(row)).toSorted()

/** The rows of the table by our own queries, and by the model. */
async function compareRows(table: string, model: Model, at?: number): Promise<void> {
  const list = model.columns.map(
    ({ name, type }, k) =>
      `${type === 'FLOAT' ? `CAST(${quoteIdentifier(name)} AS DOUBLE)` : quoteIdentifier(name)} AS c${k}`,
  )
  const { rows } = await lab.warehouse.sql(`SELECT ${list.join(', ')} FROM ${table}`, at === undefined ? {} : { at })
  const found = rows.map((row) => Object.values(row))
  const wanted = model.rows.map((row) => model.columns.map(({ id, type }) => shown(row.get(id), type)))
  expect(sorted(found)).toEqual(sorted(wanted))
  const { columns } = await lab.warehouse.sql(`FROM ${table} LIMIT 0`, at === undefined ? {} : { at })
  expect(columns).toEqual(model.columns.map(({ name, type }) => ({ name, type })))
}

const OPS = ['=', '<>', '<', '<=', '>', '>=']

async function compareFilter(table: string, model: Model, filter: Filter): Promise<void> {
  const column = at(model.columns, filter.column)
  const quoted = quoteIdentifier(column.name)
  const count = async (where: string) =>
    (await lab.warehouse.sql(`SELECT count(*) AS n FROM ${table} WHERE ${where}`)).rows[0]!.n
  const values = model.rows.map((row) => row.get(column.id) ?? null)
  expect(await count(`${quoted} IS NULL`)).toBe(values.filter((value) => value === null).length)
  if (column.type === 'INTEGER[]') return
  const op = at(OPS, filter.op)
  const constant = at(valuesOf(column.type), filter.value) as Exclude<Value, null>
  const wide = column.type === 'FLOAT' ? 'DOUBLE' : column.type
  const where = `${quoted} ${op} ${literal(constant, wide)}`
  const wanted = values.filter((value) => holds(value, op, constant)).length
  expect([where, await count(where)]).toEqual([where, wanted])
}

/** Every value as text, so that int and long, which the other reader keeps apart, compare. */
function plain(value: unknown, type: ModelType): unknown {
  if (value === null || value === undefined) return null
  if (Array.isArray(value)) return value.map(Number)
  if (type.startsWith('DECIMAL')) return Number(value)
  return type === 'VARCHAR' ? value : type === 'BIGINT' || type === 'INTEGER' ? String(value) : Number(value)
}

async function compareIcebird(table: string, model: Model): Promise<void> {
  const { location, metadataLocation } = await lab.warehouse.describe(table)
  const rows = await icebergRead({ tableUrl: location, metadataFileName: metadataLocation!.split('/').at(-1)! })
  const found = rows.map((row) => model.columns.map(({ name, type }) => plain(row[name], type)))
  const wanted = model.rows.map((row) =>
    model.columns.map(({ id, type }) => {
      const value = row.get(id) ?? null
      return plain(type.startsWith('DECIMAL') && value !== null ? Number(value) / 100 : value, type)
    }),
  )
  expect(sorted(found)).toEqual(sorted(wanted))
}

test(
  'a table is what its history made of it, to our queries and to another reader',
  async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryHistory, async ({ keyed, plainNames, steps, filters }) => {
        const names = plainNames ? PLAIN_NAMES : ANY_NAMES
        const table = `h${++tables}`
        const options = keyed ? { actor: 'who', time: 'ts', buckets: 2 } : {}
        const seed = keyed ? [1, 2, 3].map((k) => [BigInt(k), BigInt(k * 10)]) : [[1n]]
        let model = imported(
          { columns: [], rows: [], lastId: 0 },
          keyed
            ? [
                { name: 'who', type: 'INTEGER' },
                { name: 'ts', type: 'INTEGER' },
              ]
            : [{ name: 'a', type: 'INTEGER' }],
          seed,
        )!
        const keyIds = new Set(keyed ? [1, 2] : [])
        const write = async (sources: readonly SourceColumn[], values: readonly (readonly Value[])[]) =>
          await lab.write(
            values
              .map(
                (row) =>
                  `SELECT ${row.map((value, k) => `${literal(value, sources[k]!.type)} AS ${quoteIdentifier(sources[k]!.name)}`).join(', ')}`,
              )
              .join(' UNION ALL '),
            `${table}.parquet`,
          )
        await lab.warehouse.import(table, [await write(model.columns, seed)], options)
        const past: { id: number; model: Model }[] = []
        for (const step of steps) {
          if (step.kind === 'import') {
            const keys = model.columns.filter(({ id }) => keyIds.has(id)).toSorted((a, b) => a.id - b.id)
            const sources = sourceColumns(model, step, keys, names)
            const values = step.rows.map((row) =>
              sources.map(({ type }, k) => (row[k % 5]! % 7 === 0 ? null : at(valuesOf(type), row[k % 5]! + k))),
            )
            const next = imported(model, sources, values)
            const path = await write(sources, values)
            if (next === undefined) {
              expect((await failure(() => lab.warehouse.import(table, [path]))).code).toBe('SCHEMA_MISMATCH')
              continue
            }
            const { snapshotId } = await lab.warehouse.import(table, [path])
            model = next
            past.push({ id: snapshotId!, model })
          } else {
            const alteration = alterationOf(model, step, names) as Required<
              Pick<Alteration, 'rename' | 'drop' | 'widen'>
            >
            const isEmpty = step.rename.length + step.drop.length + step.widen.length === 0
            const next = isEmpty ? undefined : altered(model, alteration, keyIds)
            if (next === undefined) await failure(() => lab.warehouse.alter(table, alteration))
            else {
              await lab.warehouse.alter(table, alteration)
              model = next
            }
          }
          await compareRows(table, model)
        }
        for (const filter of filters) await compareFilter(table, model, filter)
        for (const then of past.slice(0, 2)) await compareRows(table, then.model, then.id)
        if (plainNames) await compareIcebird(table, model)
        if (keyed) {
          const nameOf = (id: number) => model.columns.find((column) => column.id === id)!.name
          expect((await lab.warehouse.describe(table)).keys).toEqual({ actor: nameOf(1), time: nameOf(2) })
        }
        await lab.warehouse.drop(table)
      }),
      { numRuns: runs(8, 200), endOnFailure: true },
    )
  },
  tortureTimeout(120_000),
)
