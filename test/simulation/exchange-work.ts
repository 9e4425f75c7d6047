/** A query whose tasks do real work on a store, small enough that its answer can be had directly: sums and counts by key, cut by the key; and first values. */
import type { Rows, RowsObject } from '../../src/exchange/exchange.ts'
import type { SqlWork, Stage, TaskSpec } from '../../src/planner/plan.ts'
import type { TaskMessage, TaskResult } from '../../src/pool/pool.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'

/** Key, sum, count. */
type Sum = [key: number, sum: number, count: number]

/** A query, its data, and what it has to give. */
export interface Query {
  stages: Stage[]
  files: Map<string, number[]>
  /** Sums by key in the order of the keys, after what stands of the first values and of all under keys of their own. */
  answer: Sum[]
}

const KEYS = 11
const VALUES_KEY = -1
const FIRST_KEY = -2
/** Rows that a task gives inline, unless they are always cut. */
const INLINE_ROWS = 6

/** A query that this source of chance thinks of. */
export function drawQuery(random: () => number): Query {
  const upTo = (most: number) => 1 + Math.floor(random() * most)
  const paths = Array.from({ length: upTo(8) }, (_, k) => `data/f${k}`)
  const most = random() < 0.2 ? 5 : 40
  const files = new Map(paths.map((path) => [path, Array.from({ length: upTo(most) }, () => upTo(1000))]))
  const parts = upTo(4)
  const cut: SqlWork['cut'] = { by: ['key'], parts, when: random() < 0.3 ? 'always' : 'large' }
  const reading = (id: string) => paths.map((path, k) => task(`${id}.${k}`, path))
  const merging = Array.from({ length: parts }, (_, part) => ({ ...task(`merge.${part}`), part }))
  const numbers = [...files.values()].flat()
  const wanted = Math.floor(random() * (random() < 0.7 ? most * 2 : numbers.length * 1.3))
  // Some tasks find little of what is wanted.
  const least = Math.floor(random() * 1100)
  const found = numbers.filter((n) => n >= least)
  return {
    stages: [
      { ...stage('first', `first ${wanted} ${least}`, {}, reading('first')), enoughRows: wanted },
      stage('sums', 'sums', {}, reading('sums'), cut),
      stage('values', 'values', {}, reading('values')),
      stage('merge', `merge ${parts}`, { sums: true }, merging),
      stage('all', `all ${wanted}`, { merge: false, values: false, first: false }, [task('all.0')]),
    ],
    files,
    answer: [
      firstOf(found.slice(0, wanted)),
      [VALUES_KEY, 0, numbers.length],
      ...sumsOf(numbers.map((n) => [n % KEYS, n, 1])),
    ],
  }
}

function task(id: string, path?: string): TaskSpec {
  return { id, files: path === undefined ? {} : { t: [{ path, rows: 1, bytes: 8 }] }, rows: 1, bytes: 8 }
}

function stage(
  id: string,
  sql: string,
  reads: Record<string, boolean>,
  tasks: TaskSpec[],
  cut?: SqlWork['cut'],
): Stage {
  const inputs = Object.entries(reads).map(([from, own]) => ({ view: from, stage: from, columns: [], own }))
  return { id, does: id, work: { kind: 'sql', sql, inputs, columns: [], ...(cut && { cut }) }, tasks }
}

/** What tells which values these are, in which order, and how many. */
function firstOf(values: readonly number[]): Sum {
  return [FIRST_KEY, values.reduce((digest, value) => (digest * 31 + value) % 1_000_003, 0), values.length]
}

function sumsOf(rows: readonly Sum[]): Sum[] {
  const sums = new Map<number, Sum>()
  for (const [key, sum, count] of rows) {
    const before = sums.get(key) ?? [key, 0, 0]
    sums.set(key, [key, before[1] + sum, before[2] + count])
  }
  return [...sums.values()].sort((a, b) => a[0] - b[0])
}

/** What a task reaches while it runs. */
export interface Reach {
  store: ObjectStore
  /** Throws when the task was told to stop. */
  check(): void
}

/** Runs a task as a worker does: reads its files and inputs, writes its objects, answers. An object that is not there is an error. */
export async function runTask(message: TaskMessage, reach: Reach): Promise<TaskResult> {
  const rows = await writeRows(await computeRows(message, reach), message, reach)
  return { attempt: message.attempt, rows, stats: { ms: 1 } }
}

async function computeRows({ work, task: { files, part }, inputs, query }: TaskMessage, reach: Reach): Promise<Sum[]> {
  const [what, parts, least] = (work as SqlWork).sql.split(' ')
  if (what === 'first') {
    const numbers = (await readJson(files.t![0]!.path, reach)) as number[]
    const found = numbers.filter((n) => n >= Number(least)).slice(0, Number(parts))
    return found.map((n) => [FIRST_KEY, n, 1])
  }
  if (what === 'sums' || what === 'values') {
    const numbers = (await readJson(files.t![0]!.path, reach)) as number[]
    return what === 'values' ? [[VALUES_KEY, 0, numbers.length]] : sumsOf(numbers.map((n) => [n % KEYS, n, 1]))
  }
  if (what === 'all') {
    const values = sumsOf(await readRows(inputs.values!, query, reach))
    const first = (await readRows(inputs.first!, query, reach)).slice(0, Number(parts)).map(([, value]) => value)
    return [firstOf(first), ...values, ...(await readRows(inputs.merge!, query, reach)).sort((a, b) => a[0] - b[0])]
  }
  const rows = await readRows(inputs.sums!, query, reach, part)
  return sumsOf(part === undefined ? rows : rows.filter(([key]) => key % Number(parts) === part))
}

/** All these rows, without objects of other parts. */
export async function readRows(inputs: readonly Rows[], query: string, reach: Reach, part?: number): Promise<Sum[]> {
  const rows: Sum[] = []
  for (const { inline, objects } of inputs) {
    rows.push(...((inline ?? []) as Sum[]))
    for (const object of objects ?? []) {
      if (part !== undefined && object.part !== undefined && object.part !== part) continue
      rows.push(...((await readJson(`exchange/${query}/${object.name}`, reach)) as Sum[]))
    }
  }
  return rows
}

async function readJson(path: string, { store, check }: Reach): Promise<unknown> {
  check()
  const bytes = await store.read(path)
  check()
  if (!bytes) throw new Error(`${path} is not there`)
  return JSON.parse(new TextDecoder().decode(bytes))
}

async function writeRows(rows: Sum[], { work, query, attempt }: TaskMessage, reach: Reach): Promise<Rows> {
  const { cut } = work
  if (cut?.when !== 'always' && rows.length <= INLINE_ROWS) return { columns: [], count: rows.length, inline: rows }
  const objects: RowsObject[] = []
  for (const [part, some] of Map.groupBy(rows, ([key]) => (cut ? key % cut.parts : undefined))) {
    reach.check()
    const name = `${attempt}/part-${part ?? 'all'}`
    const bytes = new TextEncoder().encode(JSON.stringify(some))
    await reach.store.putIfAbsent(`exchange/${query}/${name}`, bytes)
    objects.push({ name, rows: some.length, bytes: bytes.length, ...(part !== undefined && { part }) })
  }
  return { columns: [], count: rows.length, objects }
}
