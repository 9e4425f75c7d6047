/** Plans of behavioural queries: their JSON for the layouts that tables have. */
import { describe, expect, test } from 'vitest'
import { checkQueryValue } from '../../src/behaviour/json.ts'
import { validateQuery } from '../../src/behaviour/validate.ts'
import type { Column, DataFile, Table } from '../../src/catalog/types.ts'
import { parseType } from '../../src/common/data-type.ts'
import { readSettings } from '../../src/config.ts'
import { behaviourPlan } from '../../src/planner/behaviour-plan.ts'
import type { Plan } from '../../src/planner/plan.ts'

const settings = { ...readSettings({}), splitRows: 1000, rowGroupRows: 100 }
const TYPES = { user: 'VARCHAR', ts: 'TIMESTAMP', event: 'VARCHAR', price: 'DOUBLE', note: 'VARCHAR' }
const columns = Object.entries(TYPES).map(
  ([name, type], k): Column => ({ id: k + 1, name, type: parseType(type), required: false }),
)

function fileOf(path: string, rows: number, more: Partial<DataFile> = {}): DataFile {
  const known = new Map([
    [1, { nulls: 0 }],
    [2, { nulls: 0, lower: 1n, upper: 2_000_000n }],
    [4, { nulls: 3, lower: 0.5, upper: 20 }],
  ])
  return { path, rows, sizeBytes: rows * 10, specId: 0, partition: [], columns: known, sorted: false, ...more }
}

function tableOf(kind: Table['kind'], files: DataFile[], buckets?: number): Table {
  const fields = buckets
    ? [{ fieldId: 1000, name: 'bucket', columnId: 1, transform: { kind: 'bucket' as const, count: buckets } }]
    : []
  const schema = { id: 0, columns }
  const spec = { id: 0, fields }
  return {
    name: 'events',
    kind,
    location: kind === 'managed' ? '/data/warehouse/t' : '/folder',
    keys: { actor: 'user', time: 'ts' },
    schema,
    spec,
    snapshot: { schema, specs: new Map([[0, spec]]), files },
    actorsTogether: false,
    hiveColumns: [],
  }
}

function planOf(table: Table, source: object): Plan {
  const valid = validateQuery(source, { columns, keys: table.keys }, settings)
  const query = { source: checkQueryValue(source, settings), valid }
  return behaviourPlan(table, table.snapshot.files, query, { root: '/data/warehouse', settings })
}

const QUERY = {
  timeframe: { from: '2026-11-20', to: '2026-11-21' },
  query: { conditions: [{ filter: ['event', '==', 'buy'], target: ['sum', 'price', '>', 10] }] },
}

const FULL_COLUMNS = [
  { id: 1, name: 'user', type: 'VARCHAR' },
  { id: 2, name: 'ts', type: 'TIMESTAMP' },
  { id: 3, name: 'event', type: 'VARCHAR' },
  { id: 4, name: 'price', type: 'DOUBLE' },
  { id: 5, name: 'note', type: 'VARCHAR' },
]
const STATISTICS = {
  1: { nulls: 0 },
  2: { nulls: 0, lower: 'i:1', upper: 'i:2000000' },
  4: { nulls: 3, lower: 0.5, upper: 20 },
}

test('buckets are tasks, small ones together, each a group of files that shares no actor with another', () => {
  const bucket = (path: string, rows: number, number: bigint) =>
    fileOf(`/data/warehouse/t/${path}`, rows, { partition: [number], sorted: true })
  const table = tableOf(
    'managed',
    [bucket('a', 600, 0n), bucket('b', 300, 1n), bucket('c', 50, 1n), bucket('d', 900, 2n)],
    4,
  )
  const file = (path: string, rows: number) => ({
    path: `t/${path}`,
    rows,
    bytes: rows * 10,
    sorted: true,
    columns: STATISTICS,
  })
  const plan: unknown = {
    stages: [
      {
        id: 'behaviour',
        does: 'runs the query over the actors of the files',
        work: {
          kind: 'behaviour',
          query: QUERY,
          table: { name: 'events', kind: 'managed', keys: { actor: 'user', time: 'ts' }, columns: FULL_COLUMNS },
          inputs: [],
        },
        tasks: [
          {
            id: 'behaviour-0',
            files: { rows: [file('a', 600), { ...file('b', 300), group: 1 }, { ...file('c', 50), group: 1 }] },
            rows: 950,
            bytes: 9500,
          },
          { id: 'behaviour-1', files: { rows: [file('d', 900)] }, rows: 900, bytes: 9000 },
        ],
      },
    ],
  }
  expect(JSON.parse(JSON.stringify(planOf(table, QUERY)))).toEqual(plan)
})

test('scattered actors are brought together: needed columns alone, large files by ranges, one part for each task', () => {
  const layout = columns.map(({ name, type }) => ({ name, type }))
  const foreign = { version: 'v1', layout }
  const table = tableOf('registered', [
    fileOf('/folder/a.parquet', 2100, { foreign }),
    fileOf('/folder/b.parquet', 400, { foreign }),
    fileOf('/folder/c.parquet', 700, { foreign }),
  ])
  const file = { path: '/folder/a.parquet', layout: 0, version: 'v1' }
  const layouts = [FULL_COLUMNS.map(({ name, type }) => ({ name, type }))]
  const keys = { actor: 'user', time: 'ts' }
  const spec = { name: 'events', kind: 'registered', location: '/folder', keys, columns: FULL_COLUMNS }
  const needed = FULL_COLUMNS.slice(0, 4).map(({ name, type }) => ({ name, type }))
  const part = (k: number) => ({ id: `behaviour-${k}`, files: {}, part: k, rows: 0, bytes: 0 })
  const rangeTask = (k: number, from: number, to: number) => {
    const size = { rows: to - from, bytes: (to - from) * 10 }
    return { id: `scan-${k}`, files: { rows: [{ ...file, ...size, range: [from, to] }] }, ...size }
  }
  const plan: unknown = {
    stages: [
      {
        id: 'scan',
        does: 'reads the columns that the query needs, and cuts the rows by their actors',
        work: {
          kind: 'sql',
          sql: `SELECT "user", "ts", "event", "price" FROM "rows" WHERE "user" IS NOT NULL AND "ts" IS NOT NULL AND ("ts" >= CAST('2026-11-20T00:00:00' AS TIMESTAMP) AND "ts" < CAST('2026-11-21T00:00:00' AS TIMESTAMP))`,
          inputs: [{ view: 'rows', table: { ...spec, layouts } }],
          columns: needed,
          cut: { by: ['user'], parts: 4, when: 'always' },
        },
        tasks: [
          rangeTask(0, 0, 1100),
          rangeTask(1, 1100, 2100),
          {
            id: 'scan-2',
            files: {
              rows: [
                { ...file, path: '/folder/b.parquet', rows: 400, bytes: 4000 },
                { ...file, path: '/folder/c.parquet', rows: 700, bytes: 7000 },
              ],
            },
            rows: 1100,
            bytes: 11_000,
          },
        ],
      },
      {
        id: 'behaviour',
        does: 'runs the query over the actors of each part',
        work: {
          kind: 'behaviour',
          query: QUERY,
          table: spec,
          inputs: [{ view: 'rows', stage: 'scan', columns: needed, own: true, cut: { by: ['user'], parts: 4 } }],
        },
        tasks: [part(0), part(1), part(2), part(3)],
      },
    ],
  }
  expect(JSON.parse(JSON.stringify(planOf(table, QUERY)))).toEqual(plan)
})

describe('what decides between the two', () => {
  const stages = (table: Table) => planOf(table, {}).stages.map(({ id, tasks }) => `${id} ${tasks.length}`)
  const bucket = (rows: number, number: bigint, sorted = false) =>
    fileOf(`/${number}`, rows, { partition: [number], sorted })

  test('one sorted file streams, however long it is', () => {
    expect(stages(tableOf('managed', [bucket(50_000, 0n, true)], 1))).toEqual(['behaviour 1'])
  })

  test('unsorted rows of a few splits, or of many buckets, stay where they are', () => {
    expect(stages(tableOf('managed', [bucket(2000, 0n)], 1))).toEqual(['behaviour 1'])
    expect(
      stages(
        tableOf(
          'managed',
          [0n, 1n, 2n, 3n].map((number) => bucket(2500, number)),
          4,
        ),
      ),
    ).toEqual(['behaviour 4'])
  })

  test('one bucket far larger than the others is not waited for', () => {
    expect(stages(tableOf('managed', [bucket(9000, 0n), bucket(500, 1n)], 2))).toEqual(['scan 9', 'behaviour 10'])
  })

  test('without files nothing is to be done', () => {
    expect(stages(tableOf('managed', [], 1))).toEqual(['behaviour 0'])
  })

  test('integers beyond those of JSON travel as text', () => {
    const source = { query: { conditions: [{ filter: ['price', '<', 2n ** 70n], target: ['count', '>', 2 ** 60] }] } }
    const [stage] = planOf(tableOf('managed', [], 1), source).stages
    expect(stage!.work).toMatchObject({
      query:
        '{"query":{"conditions":[{"filter":["price","<",1180591620717411303424],"target":["count",">",1152921504606846976]}]}}',
    })
  })
})
