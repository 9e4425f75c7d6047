/** How files are divided among tasks. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DataFile } from '../../src/catalog/types.ts'
import { type Packing, packFiles } from '../../src/planner/pack.ts'

const PACKING: Packing = { taskRows: 1000, tasksMax: 50, groupRows: 120, ranges: true }

function files(rows: readonly number[]): DataFile[] {
  return rows.map((count, k) => ({
    path: `/f${k}`,
    rows: count,
    sizeBytes: count * 10,
    specId: 0,
    partition: [],
    columns: new Map(),
    sorted: false,
  }))
}

const shape = (tasks: readonly DataFile[][]) =>
  tasks.map((task) => task.map(({ path, range }) => (range ? `${path}[${range}]` : path)).join(' '))

test('small files are read together, in their order', () => {
  expect(shape(packFiles(files([400, 400, 400, 400, 400]), PACKING))).toEqual(['/f0 /f1', '/f2 /f3 /f4'])
})

test('a large file is read by ranges that begin where row groups do', () => {
  expect(shape(packFiles(files([3100]), PACKING))).toEqual(['/f0[0,1080]', '/f0[1080,2160]', '/f0[2160,3100]'])
  expect(shape(packFiles(files([3100]), { ...PACKING, ranges: false }))).toEqual(['/f0'])
})

test('few rows are one task, and no files none', () => {
  expect(shape(packFiles(files([10, 20]), PACKING))).toEqual(['/f0 /f1'])
  expect(packFiles([], PACKING)).toEqual([])
})

test('every row of every file is in exactly one task; there are not too many tasks, and no two neighbours could be one', () => {
  const rows = fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 3000 }), fc.boolean(), (counts, taskRows, ranges) => {
      const packing = { ...PACKING, taskRows, ranges }
      const tasks = packFiles(files(counts), packing)
      const read = counts.map(() => [] as [number, number][])
      for (const { path, rows: count, range = [0, count] } of tasks.flat())
        read[Number(path.slice(2))]!.push(range as [number, number])
      for (const [k, ranges] of read.entries()) {
        const sorted = ranges.toSorted(([a], [b]) => a - b)
        expect(sorted[0]![0]).toBe(0)
        expect(sorted.at(-1)![1]).toBe(counts[k])
        for (const [n, [from]] of sorted.slice(1).entries()) expect(from).toBe(sorted[n]![1])
      }
      const total = counts.reduce((sum, count) => sum + count, 0)
      expect(tasks.length).toBeLessThanOrEqual(Math.max(1, Math.min(packing.tasksMax, Math.floor(total / taskRows))))
      expect(tasks.every((task) => task.length > 0)).toBe(true)
    }),
  )
})
