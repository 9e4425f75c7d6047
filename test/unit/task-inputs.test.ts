/** Which tasks of a stage run, and what they are told of the stages before. */
import { describe, expect, test } from 'vitest'
import { type StageOutput, taskInputs, tasksToRun } from '../../src/coordinator/task-inputs.ts'
import type { SqlWork } from '../../src/planner/plan.ts'
import type { TaskResult } from '../../src/pool/pool.ts'
import { Bed, resultOf, stage } from './dispatch-bed.ts'

type Cut = SqlWork['cut']
const large: Cut = { by: ['k'], parts: 3, when: 'large' }
const always: Cut = { by: ['k'], parts: 3, when: 'always' }

function output(cut: Cut, ...results: TaskResult[]): StageOutput {
  return { work: stage('x', 0, [], cut).work, results }
}

/** Objects of these parts; a negative one for an object of no part. Each has as many rows as its place in the list. */
function objects(...parts: number[]): TaskResult {
  const list = parts.map((part, k) => ({ name: `x/${k}`, rows: k + 1, bytes: 9, ...(part >= 0 && { part }) }))
  return resultOf(undefined, { objects: list, count: list.reduce((sum, { rows }) => sum + rows, 0) })
}

describe('the tasks to run', () => {
  const whole = [{ id: 's.0', files: {}, rows: 10, bytes: 100 }]
  const all = stage('s', 3, ['x*']).tasks
  const cases: [string, string[], Record<string, StageOutput>, unknown][] = [
    ['of inline rows only: the first, whole', ['x*'], { x: output(large, resultOf(1), resultOf(2)) }, whole],
    ['of uncut objects too', ['x*'], { x: output(large, objects(-1), resultOf(2), objects()) }, whole],
    ['of nothing at all', ['x*'], { x: output(large) }, whole],
    ['where one result was cut: all', ['x*'], { x: output(large, resultOf(1), objects(0, 2)) }, all],
    ['where one object was cut: all', ['x*'], { x: output(large, objects(-1, 0)) }, all],
    ['of rows that are always cut: all', ['x*'], { x: output(always, resultOf(1)) }, all],
    ['of rows that were not to be cut: all', ['x*'], { x: output(undefined, resultOf(1)) }, all],
    ['of two inputs, one cut: all', ['x*', 'y*'], { x: output(large, resultOf(1)), y: output(large, objects(1)) }, all],
    ['of two inputs, one always cut: all', ['x*', 'y*'], { x: output(large), y: output(always) }, all],
    ['of two uncut inputs', ['x*', 'y*'], { x: output(large, resultOf(1)), y: output(large, objects(-1)) }, whole],
    [
      'with a broadcast beside',
      ['x*', 'y'],
      { x: output(large, resultOf(1)), y: output(undefined, objects(1)) },
      whole,
    ],
  ]
  test.each(cases)('%s', (_, reads, outputs, expected) => {
    expect(tasksToRun(stage('s', 3, reads), new Map(Object.entries(outputs)))).toEqual(expected)
  })

  test('are all of them where each task reads everything, or files only', () => {
    const outputs = new Map([['x', output(large, resultOf(1))]])
    expect(tasksToRun(stage('s', 3, ['x']), outputs)).toHaveLength(3)
    expect(tasksToRun(stage('s', 3), new Map())).toHaveLength(3)
    expect(tasksToRun(stage('s', 0, ['x*']), outputs)).toEqual([])
  })
})

describe('what a task reads', () => {
  const inputsOf = (reads: string[], part: number | undefined, ...results: TaskResult[]) => {
    const outputs = new Map([['x', output(large, ...results)]])
    const [task] = stage('s', 1).tasks
    return taskInputs(stage('s', 3, reads), outputs)({ ...task!, ...(part !== undefined && { part }) })
  }

  test('is its own part of objects, what is of no part, and inline rows, for each task of the stage before', () => {
    const { x } = inputsOf(['x*'], 1, objects(0, 1, 1), resultOf(7), objects(2), objects(-1, 1))
    expect(x!.map(({ count }) => count)).toEqual([5, 1, 0, 3])
    expect(x!.map((rows) => rows.objects?.map(({ name }) => name))).toEqual([
      ['x/1', 'x/2'],
      undefined,
      [],
      ['x/0', 'x/1'],
    ])
    expect(x![1]!.inline).toEqual([[7]])
  })

  test('is everything without a part, in a broadcast, and where a stage is read both ways', () => {
    const everything = objects(0, 1, 2)
    expect(inputsOf(['x*'], undefined, everything)).toEqual({ x: [everything.rows] })
    expect(inputsOf(['x'], 1, everything)).toEqual({ x: [everything.rows] })
    expect(inputsOf(['x', 'x*'], 1, everything)).toEqual({ x: [everything.rows] })
    expect(inputsOf(['x*', 'x'], 1, everything)).toEqual({ x: [everything.rows] })
  })
})

describe('in a run', () => {
  test('few rows are merged by one task, whose message has no part; the others are not counted', async () => {
    const bed = new Bed()
    const tasks: number[] = []
    const { result } = await bed.run(
      [stage('a', 4, [], large), stage('b', 3, ['a*']), stage('c', 1, ['b'])],
      async ({ task }) => resultOf(task.id),
      { onProgress: (progress) => void tasks.push(progress.tasks) },
    )
    expect(bed.told.map(({ task }) => task.id)).toEqual(['a.0', 'a.1', 'a.2', 'a.3', 'b.0', 'c.0'])
    const [merging] = bed.attempts('b.0')
    expect('part' in merging!.task).toBe(false)
    expect(merging!.inputs.a).toHaveLength(4)
    expect(bed.attempts('c.0')[0]!.inputs.b).toHaveLength(1)
    expect(result!.results.get('b')).toHaveLength(1)
    expect([tasks[0], tasks.at(-1)]).toEqual([8, 6])
    expect(result!.stats.tasks).toBe(6)
  })

  test('many rows by all of them, each of its part', async () => {
    const bed = new Bed()
    await bed.run([stage('a', 4, [], large), stage('b', 3, ['a*'])], async ({ task, attempt }) => {
      if (task.id !== 'a.2') return resultOf(task.id)
      const list = [0, 1, 2].map((part) => ({ name: `${attempt}/${part}`, rows: 1, bytes: 1, part }))
      return resultOf(undefined, { objects: list })
    })
    const merging = bed.told.filter(({ task }) => task.id.startsWith('b'))
    expect(merging.map(({ task }) => task.part)).toEqual([0, 1, 2])
    expect(merging.map(({ inputs }) => inputs.a![2]!.objects!.map(({ name }) => name))).toEqual([
      ['a.2.1/0'],
      ['a.2.1/1'],
      ['a.2.1/2'],
    ])
  })
})
