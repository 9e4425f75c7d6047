import { expect, test } from 'vitest'
import { parseHivePath, readHivePartitions } from '../../src/catalog/folder/hive.ts'
import { printType } from '../../src/common/data-type.ts'

function read(...paths: string[]) {
  const { columns, values } = readHivePartitions(paths)
  return { columns: columns.map(({ name, type }) => `${name} ${printType(type)}`), values }
}

test('folders become columns in the order of the path', () => {
  expect(read('day=2026-11-20/n=1/a.parquet', 'day=2026-11-21/n=-20/b.parquet')).toEqual({
    columns: ['day VARCHAR', 'n BIGINT'],
    values: [
      ['2026-11-20', 1n],
      ['2026-11-21', -20n],
    ],
  })
})

test('no partition folders, no columns', () => {
  expect(read('a.parquet', 'x/b.parquet', 'x=1.parquet', '=1/a.parquet', 'a=b=c/a.parquet')).toEqual({
    columns: [],
    values: [[], [], [], [], []],
  })
})

test.each([
  ['1', 'BIGINT', 1n],
  ['0', 'BIGINT', 0n],
  ['-5', 'BIGINT', -5n],
  ['9223372036854775807', 'BIGINT', 9223372036854775807n],
  ['9223372036854775808', 'VARCHAR', '9223372036854775808'],
  ['01', 'VARCHAR', '01'],
  ['+1', 'VARCHAR', '+1'],
  ['-0', 'VARCHAR', '-0'],
  ['1.5', 'VARCHAR', '1.5'],
  ['', 'VARCHAR', ''],
  ['a%20b%C3%A9%zz', 'VARCHAR', 'a bé%zz'],
  ['%3D%2F', 'VARCHAR', '=/'],
  ['__HIVE_DEFAULT_PARTITION__', 'VARCHAR', null],
  ['null', 'VARCHAR', null],
  ['%4EULL', 'VARCHAR', 'NULL'],
])('the value %s is %s %s', (text, type, value) => {
  expect(read(`k=${text}/a.parquet`)).toEqual({ columns: [`k ${type}`], values: [[value]] })
})

test('a column is of integers when all values but the nulls are', () => {
  expect(read('k=1/a', 'k=__HIVE_DEFAULT_PARTITION__/a').columns).toEqual(['k BIGINT'])
  expect(read('k=1/a', 'k=x/a')).toEqual({ columns: ['k VARCHAR'], values: [['1'], ['x']] })
})

test('names are equal without regard to case, and may come in any order', () => {
  expect(read('a=1/b=2/f', 'B=4/A=3/f').values).toEqual([
    [1n, 2n],
    [3n, 4n],
  ])
})

test.each([[['k=1/a.parquet', 'b.parquet']], [['b.parquet', 'k=1/a.parquet']], [['k=1/a.parquet', 'j=1/b.parquet']]])(
  'files of different partition columns are named: %j',
  (paths) => {
    expect(() => read(...paths)).toThrow(
      expect.objectContaining({ code: 'SCHEMA_MISMATCH', details: { files: paths } }),
    )
  },
)

test.each(['k=1/K=2/a', 'k=%C3%28/a'])('the path %s is refused', (path) => {
  expect(() => parseHivePath(path)).toThrow(
    expect.objectContaining({ code: 'SCHEMA_MISMATCH', details: expect.objectContaining({ files: [path] }) }),
  )
})
