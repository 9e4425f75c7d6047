import { expect, test } from 'vitest'
import { parseTransform } from '../../src/catalog/iceberg/transforms.ts'
import type { DataFile, Scalar, Table } from '../../src/catalog/types.ts'
import { primitive } from '../../src/common/data-type.ts'
import { actorTasks } from '../../src/planner/actor-tasks.ts'

/** Specs by their transforms of the columns `user` (1) and `day` (2). */
const specOf = (id: number, transforms: [columnId: number, transform: string][]) => ({
  id,
  fields: transforms.map(([columnId, text], k) => ({
    fieldId: 1000 + k,
    name: `f${k}`,
    columnId,
    transform: parseTransform(text)!,
  })),
})

const SPECS = [
  specOf(0, [[1, 'bucket[4]']]),
  specOf(1, [
    [2, 'day'],
    [1, 'bucket[4]'],
  ]),
  specOf(2, [[1, 'bucket[8]']]),
  specOf(3, [[1, 'truncate[4]']]),
]

const file = (path: string, specId: number, ...partition: (Scalar | null)[]): DataFile => ({
  path,
  rows: 1,
  sizeBytes: 1,
  specId,
  partition,
  columns: new Map(),
  sorted: false,
})

function groups(files: DataFile[]): string[][] {
  const columns = [
    { id: 1, name: 'user', type: primitive('VARCHAR'), required: false },
    { id: 2, name: 'day', type: primitive('DATE'), required: false },
  ]
  const schema = { id: 0, columns }
  const table: Table = {
    name: 't',
    kind: 'attached',
    format: 'iceberg',
    location: '/t',
    keys: { actor: 'user', time: 'day' },
    schema,
    spec: SPECS[0]!,
    snapshot: { schema, specs: new Map(SPECS.map((spec) => [spec.id, spec])), files },
    actorsTogether: false,
    hiveColumns: [],
  }
  return actorTasks(table, files).map((task) => task.files.map(({ path }) => path))
}

test('files of several specs with one number of buckets go by their bucket', () => {
  const files = [
    file('a', 0, 1n),
    file('b', 1, 1n, 3n),
    file('c', 1, 3n, 1n),
    file('d', 0, null),
    file('e', 1, 9n, null),
  ]
  expect(groups(files)).toEqual([['a', 'c'], ['b'], ['d', 'e']])
})

test('files with other numbers of buckets, or none, are one task', () => {
  expect(groups([file('a', 0, 1n), file('b', 2, 5n)])).toEqual([['a', 'b']])
  expect(groups([file('a', 0, 1n), file('b', 3, 'user')])).toEqual([['a', 'b']])
  expect(groups([])).toEqual([])
})
