/** Random tables for queries that are run in parts: the same rows in a warehouse and in a DuckDB that knows no warehouse. */
import { quoteIdentifier } from '../../src/common/data-type.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { type Chance, chanceOf } from '../chance.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'

/** What a column can be used for. */
export type Cat = 'int' | 'dec' | 'dbl' | 'text' | 'bool' | 'date' | 'ts' | 'list' | 'struct' | 'blob' | 'uuid' | 'time'

/** A table as the grammar knows it; its column `id` is different in every row. */
export interface GrammarTable {
  name: string
  rows: number
  columns: { name: string; cat: Cat }[]
}

/** Warehouses over one folder, which split in different ways, and the judge. */
export interface World {
  lab: Lab
  tables: GrammarTable[]
  warehouses: Warehouse[]
  close(): Promise<void>
}

const TYPES: { type: string; cat: Cat; values: string[] }[] = [
  { type: 'TINYINT', cat: 'int', values: ['0', '1', '-3', '7', 'NULL'] },
  { type: 'SMALLINT', cat: 'int', values: ['0', '1', '2', '300', 'NULL', 'NULL'] },
  { type: 'INTEGER', cat: 'int', values: ['0', '1', '2', '3', '4', '-5', '70000', 'NULL'] },
  { type: 'BIGINT', cat: 'int', values: ['0', '1', '2', '5', '4000000000000000000', 'NULL'] },
  { type: 'UTINYINT', cat: 'int', values: ['0', '1', '9', 'NULL'] },
  { type: 'USMALLINT', cat: 'int', values: ['0', '1', '600'] },
  { type: 'UINTEGER', cat: 'int', values: ['0', '2', '4000000000', 'NULL'] },
  { type: 'UBIGINT', cat: 'int', values: ['0', '3', '18000000000000000000', 'NULL'] },
  { type: 'DECIMAL(9,2)', cat: 'dec', values: ['0', '1.25', '-3.5', '99.99', 'NULL'] },
  { type: 'DECIMAL(18,3)', cat: 'dec', values: ['0', '0.125', '12345678.5', 'NULL'] },
  { type: 'DECIMAL(38,4)', cat: 'dec', values: ['0', '1.0001', '-1000000000000000000000.5', 'NULL'] },
  { type: 'DOUBLE', cat: 'dbl', values: ['0', '1', '0.5', '-2.25', '3', 'NULL'] },
  { type: 'DOUBLE', cat: 'dbl', values: ["'-0'", '0', "'nan'", "'inf'", "'-inf'", '1.5', 'NULL'] },
  { type: 'FLOAT', cat: 'dbl', values: ['0', '0.25', '-1.5', "'nan'", 'NULL'] },
  { type: 'VARCHAR', cat: 'text', values: ["'a'", "'b'", "'A'", "''", "'it''s'", "'é😀'", "'x\ny'", "'%_'", 'NULL'] },
  { type: 'VARCHAR', cat: 'text', values: ["'view'", "'buy'", "'Buy'", "'12'", "'null'"] },
  { type: 'BOOLEAN', cat: 'bool', values: ['true', 'false', 'NULL'] },
  { type: 'DATE', cat: 'date', values: ["'2026-01-01'", "'2026-02-28'", "'1969-12-31'", 'NULL'] },
  { type: 'TIMESTAMP', cat: 'ts', values: ["'2026-01-01 00:00:00'", "'2026-01-01 12:30:00.123456'", 'NULL'] },
  { type: 'TIMESTAMPTZ', cat: 'ts', values: ["'2026-01-01 00:00:00+02'", "'2027-01-01 12:30:00+00'", 'NULL'] },
  { type: 'INTEGER[]', cat: 'list', values: ['[]', '[1, 2]', '[3, NULL]', '[1]', 'NULL'] },
  {
    type: 'STRUCT(a INTEGER, b VARCHAR)',
    cat: 'struct',
    values: ["{'a': 1, 'b': 'x'}", "{'a': NULL, 'b': 'y'}", "{'a': 2, 'b': NULL}", 'NULL'],
  },
  { type: 'BLOB', cat: 'blob', values: ["'\\x00\\xFF'", "'abc'", 'NULL'] },
  {
    type: 'UUID',
    cat: 'uuid',
    values: ["'00000000-0000-4000-8000-000000000001'", "'f0000000-0000-4000-8000-000000000002'", 'NULL'],
  },
  { type: 'TIME', cat: 'time', values: ["'08:14:00'", "'23:59:59.5'", 'NULL'] },
]

const NAMES = [
  'k',
  'v',
  'c0',
  'k0',
  'p0',
  'd0',
  's0',
  'skep_1',
  'Order',
  'a b',
  'X',
  'y',
  'n',
  'Name',
  'q"q',
  'z.z',
  'é',
]

interface Column {
  name: string
  sql: string
  cat: Cat
}

function randomColumns(chance: Chance, count: number): Column[] {
  const names = [...NAMES]
  const columns: Column[] = [{ name: 'id', sql: 'i::BIGINT', cat: 'int' }]
  for (let k = 0; k < count; k++) {
    const [name] = names.splice(chance.below(names.length), 1)
    const { type, cat, values } = chance.next() < 0.25 ? TYPES[chance.pick([2, 5, 11, 14, 15])]! : chance.pick(TYPES)
    const list = values.map((value) => (value === 'NULL' ? 'NULL' : `${value}::${type}`)).join(', ')
    const place = `1 + (hash(i * ${7 + 2 * k} + ${chance.below(1000)}) % ${values.length})::BIGINT`
    columns.push({ name: name!, cat, sql: `(([${list}])[${place}])::${type}` })
  }
  return columns
}

function rowsSql(columns: readonly Column[], from: number, to: number): string {
  const list = columns.map(({ name, sql }) => `${sql} AS ${quoteIdentifier(name)}`)
  return `SELECT ${list.join(', ')} FROM range(${from}, ${to}) r(i)`
}

/** Makes the tables and opens the warehouses. */
export async function openWorld(seed: number, at: number): Promise<World> {
  const chance = chanceOf(seed, at)
  const lab = await openLab()
  await lab.duck.run('SET threads = 1')
  const tables = [
    await importTable(lab, chance, { name: 'ev', rows: 60 + chance.below(100), keys: true }),
    await importTable(lab, chance, { name: 'Big', rows: 100 + chance.below(200), keys: false }),
    await importTable(lab, chance, { name: 'dim', rows: 3 + chance.below(12), keys: false }),
    await importTable(lab, chance, { name: 'one', rows: 1, keys: false }),
    await importTable(lab, chance, { name: 'none', rows: 0, keys: false }),
    await registerHive(lab, chance, 'logs'),
    await registerHive(lab, chance, 'Odd-files'),
  ]
  const warehouses = [
    await openWith(lab, { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '40' }),
    await openWith(lab, { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '25', SKEP_BROADCAST_BYTES: '0' }, { inlineRows: 5 }),
    await openWith(
      lab,
      { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '12', SKEP_BROADCAST_BYTES: '4KiB' },
      { pushedLimitRows: 3 },
    ),
  ]
  const close = async () => {
    for (const warehouse of warehouses) await warehouse.close()
    await lab.close()
  }
  return { lab, tables, warehouses, close }
}

async function openWith(lab: Lab, env: Record<string, string>, settings: object = {}): Promise<Warehouse> {
  const warehouse = await lab.open({ ...env, SKEP_THREADS: '1' })
  // Limits that have no variable: rows go through files, and are cut, at sizes that a test can have.
  Object.assign(warehouse.settings, settings)
  return warehouse
}

const KEYS: Column[] = [
  { name: 'user', sql: "'u' || (hash(i) % 20)", cat: 'text' },
  { name: 'at', sql: "TIMESTAMP '2026-01-01' + INTERVAL (hash(i * 3) % 900000) SECOND", cat: 'ts' },
]

async function importTable(
  lab: Lab,
  chance: Chance,
  { name, rows, keys }: { name: string; rows: number; keys: boolean },
): Promise<GrammarTable> {
  const columns = randomColumns(chance, 4 + chance.below(8))
  if (keys) columns.push(...KEYS)
  const middle = chance.below(rows + 1)
  const sources = [await lab.write(rowsSql(columns, 0, middle)), await lab.write(rowsSql(columns, middle, rows))]
  for (const [k, source] of sources.entries()) {
    await lab.warehouse.import(name, [source], keys && k === 0 ? { actor: 'user', time: 'at', buckets: 3 } : {})
  }
  return await judged(lab, { name, rows, columns }, sources)
}

/** A folder with Hive columns; some files lack columns, or have them in another order. */
async function registerHive(lab: Lab, chance: Chance, name: string): Promise<GrammarTable> {
  const columns = [...randomColumns(chance, 3 + chance.below(5)), ...KEYS]
  const sources: string[] = []
  const files = 2 + chance.below(5)
  let rows = 0
  for (let k = 0; k < files; k++) {
    const count = chance.pick([0, 1, 9, 20, 50])
    const own =
      k > 0 && chance.next() < 0.3
        ? columns.filter(({ name: own }) => ['id', 'user', 'at'].includes(own) || chance.next() < 0.6)
        : columns
    const order = chance.next() < 0.3 ? [...own].reverse() : own
    const path = `${name}/day=2026-01-0${1 + (k % 3)}/g=${k % 2}/${k}.parquet`
    sources.push(await lab.write(rowsSql(order, rows, rows + count), path))
    rows += count
  }
  await lab.warehouse.register(name, `${lab.dir}/${name}`, { actor: 'user', time: 'at' })
  return await judged(
    lab,
    { name, rows, columns: [...columns, ...hive('day'), ...hive('g')] },
    sources,
    ", hive_partitioning = true, hive_types = {'day': VARCHAR, 'g': VARCHAR}",
  )
}

function hive(name: string): Column[] {
  return [{ name, sql: name, cat: 'text' }]
}

async function judged(
  lab: Lab,
  { name, rows, columns }: { name: string; rows: number; columns: readonly Column[] },
  sources: readonly string[],
  options = '',
): Promise<GrammarTable> {
  const described = (await lab.warehouse.describe(name)).columns
  const list = described.map(
    ({ name, type }) => `CAST(${quoteIdentifier(name)} AS ${type}) AS ${quoteIdentifier(name)}`,
  )
  const files = `[${sources.map((path) => `'${path}'`).join(', ')}]`
  await lab.duck.run(
    `CREATE TABLE ${quoteIdentifier(name)} AS SELECT ${list.join(', ')} FROM read_parquet(${files}, union_by_name = true${options || ', hive_partitioning = false'})`,
  )
  const cats = new Map(columns.map(({ name, cat }) => [name, cat]))
  // Types of Hive columns are those of their values.
  const hiveCats: Record<string, Cat> = { BIGINT: 'int', DATE: 'date', VARCHAR: 'text' }
  return {
    name,
    rows,
    columns: described.map(({ name, type }) => ({
      name,
      cat: ['day', 'g'].includes(name) ? hiveCats[type]! : cats.get(name)!,
    })),
  }
}
