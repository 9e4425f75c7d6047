/** A warehouse with every kind of file in it, the damage done to one of them, and the judgement on what came of it. */
import { cpSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { chanceOf } from '../chance.ts'
import { filesBelow, type Lab, openLab } from '../conformance/import-lab.ts'
import { BLIND, type Damage, damageAvro, damageFooter, damageJson, damagePages } from './damage.ts'
import type { DamageJob, OperationEnd } from './damage-child.ts'
import { type JobEnd, Watched } from './watched.ts'

/** What a file of the warehouse is. */
export type FileKind = 'name' | 'hint' | 'metadata' | 'manifest list' | 'manifest' | 'ledger' | 'data' | 'folder data'

interface Target {
  kind: FileKind
  table: string
  path: string
}

/** What one case did. */
export interface Case {
  seed: number
  at: number
  target: Target
  damage: string
  /** Whether the warehouse was written to after the damage. */
  writing: boolean
}

/** How a case ended: the worst of its operations. */
export interface Verdict {
  outcome: 'error named' | 'right' | 'changed' | 'unnamed' | 'uncoded' | 'wrong' | 'crash' | 'hang' | 'memory'
  detail: string
}

/** The tables, and what is asked of each. Values of columns other than these are in the hash. */
const TABLES: Record<string, { keyed: boolean; sql: string[] }> = {
  events: { keyed: true, sql: keyedSql('events') },
  other: { keyed: true, sql: keyedSql('other') },
  plain: {
    keyed: false,
    sql: [
      'SELECT count(*) AS n FROM plain',
      'SELECT sum(hash(p)) AS h FROM plain AS p',
      'SELECT count(*) AS n FROM plain WHERE i > 300',
    ],
  },
  folder: { keyed: true, sql: keyedSql('folder') },
}

function keyedSql(table: string): string[] {
  return [
    `SELECT count(*) AS n FROM ${table}`,
    `SELECT sum(hash(t)) AS h, sum(price) AS s FROM ${table} AS t`,
    `SELECT count(*) AS n, max(ts) AS t FROM ${table} WHERE actor = 'u7'`,
    `SELECT event, count(*) AS n FROM ${table} WHERE ts >= TIMESTAMP '2026-01-01 06:00:00' GROUP BY event ORDER BY event`,
  ]
}

/** Rows of an event table. */
function eventsSql(from: number, rows: number, salt: number): string {
  return `SELECT 'u' || (i * ${salt} % 53) AS actor, TIMESTAMP '2026-01-01' + INTERVAL (i * 37) SECOND AS ts,
    ['view', 'cart', 'buy'][1 + (i * ${salt}) % 3] AS event, ((i * ${salt}) % 1000) / 4.0 AS price,
    CASE WHEN i % 5 = 0 THEN NULL ELSE md5((i * ${salt})::VARCHAR) END AS note FROM range(${from}, ${from + rows}) AS t(i)`
}

const PLAIN = `SELECT i::INTEGER AS i, i * 3 AS b, i * 1.25 AS x, (i * 1.5)::DECIMAL(12,2) AS d, DATE '2026-01-01' + i::INTEGER AS day,
  i % 2 = 0 AS flag, uuid_of(i) AS id, [i, i + 1] AS list, {'p': i, 'q': 'z' || i} AS pair, encode('b' || i) AS bin FROM range(600) AS t(i)`

const MANAGED = ['events', 'other', 'plain']
const ROWS_IMPORTED = 40

/** A warehouse to be damaged again and again. */
export class DamageLab implements AsyncDisposable {
  readonly #lab: Lab
  readonly #targets: Target[]
  readonly #source: string
  readonly #plainSource: string
  readonly #watched: Watched<DamageJob, OperationEnd[]>
  readonly #expected = new Map<string, string>()
  readonly #past: Map<string, number>

  private constructor(
    lab: Lab,
    targets: Target[],
    past: Map<string, number>,
    sources: { events: string; plain: string },
  ) {
    this.#lab = lab
    this.#past = past
    this.#targets = targets
    this.#source = sources.events
    this.#plainSource = sources.plain
    const module = new URL('./damage-child.ts', import.meta.url)
    this.#watched = new Watched(module, { processorMs: 20_000, timeMs: 300_000, memoryBytes: 1_500_000_000 })
  }

  static async open(): Promise<DamageLab> {
    const lab = await openLab()
    const { warehouse } = lab
    const keys = { actor: 'actor', time: 'ts', buckets: 4 }
    for (const [table, salt] of [
      ['events', 7],
      ['other', 11],
    ] as const) {
      await warehouse.import(table, [await lab.write(eventsSql(0, 1500, salt))], keys)
      await warehouse.import(table, [await lab.write(eventsSql(1500, 800, salt))])
    }
    await lab.duck.run(`CREATE MACRO uuid_of(i) AS CAST(md5(i::VARCHAR) AS UUID)`)
    const plain = await lab.write(PLAIN)
    await warehouse.import('plain', [plain])
    await warehouse.import('plain', [await lab.write(`${PLAIN} WHERE i % 3 > 0`)], { replace: true })
    const formats = ['PARQUET_VERSION v2, COMPRESSION zstd', 'COMPRESSION snappy', 'COMPRESSION uncompressed']
    for (const [k, format] of formats.entries()) {
      await lab.write(
        eventsSql(k * 700, 700, 13),
        `folder/part-${k}.parquet`,
        `FORMAT parquet, ROW_GROUP_SIZE 2048, ${format}`,
      )
    }
    await warehouse.register('folder', join(lab.dir, 'folder'), { actor: 'actor', time: 'ts' })
    const events = await lab.write(eventsSql(9000, ROWS_IMPORTED, 7))
    const sources = { events, plain: await lab.write(`${PLAIN} LIMIT ${ROWS_IMPORTED}`) }
    const past = new Map<string, number>()
    for (const table of MANAGED) past.set(table, Number((await warehouse.snapshots(table))[0]!.id))
    const damageLab = new DamageLab(lab, await findTargets(lab), past, sources)
    await damageLab.#learn()
    return damageLab
  }

  /** Runs one case: damages a file, looks at the warehouse from a process of its own, and mends it. */
  async run(seed: number, at: number, kinds?: readonly FileKind[]): Promise<{ case: Case; verdict: Verdict }> {
    const chance = chanceOf(seed, at)
    const kind = chance.pick(kinds ?? [...new Set(this.#targets.map((target) => target.kind))])
    const target = chance.pick(this.#targets.filter((candidate) => candidate.kind === kind))
    const others = this.#targets.filter(({ kind: k, path }) => k === kind && path !== target.path)
    const bytes = readFileSync(target.path)
    const [damage, apply] = chance.pick(damagesOf(kind))
    const damaged = apply(
      bytes,
      chance,
      others.map(({ path }) => readFileSync(path)),
    )
    // Only imports read a ledger.
    const writing = chance.next() < (kind === 'ledger' ? 0.8 : 0.12)
    const done: Case = { seed, at, target, damage, writing }
    if (damaged && bytes.equals(damaged)) return { case: done, verdict: { outcome: 'right', detail: 'no change' } }
    const root = writing ? this.#copy() : this.#lab.root
    const path = target.path.replace(this.#lab.root, root)
    const times = statSync(target.path)
    if (damaged) writeFileSync(path, damaged)
    else rmSync(path)
    try {
      const end = await this.#watched.run(this.#job(target.table, root, writing))
      return { case: done, verdict: this.#judge(done, end) }
    } finally {
      if (writing) rmSync(root, { recursive: true })
      if (!writing || path === target.path) {
        writeFileSync(path, bytes)
        utimesSync(path, times.atimeMs / 1000, times.mtimeMs / 1000)
      }
    }
  }

  #copy(): string {
    const root = join(this.#lab.dir, 'copy')
    rmSync(root, { recursive: true, force: true })
    cpSync(this.#lab.root, root, { recursive: true, preserveTimestamps: true })
    return root
  }

  #job(table: string, root: string, writing: boolean): DamageJob {
    const { keyed, sql } = TABLES[table]!
    const other = table === 'other' ? 'events' : 'other'
    const source = table === 'plain' ? this.#plainSource : this.#source
    const registered = table === 'folder'
    return {
      root,
      table,
      other,
      sql,
      otherSql: TABLES[other]!.sql[1]!,
      keyed,
      registered,
      ...(registered ? {} : { past: this.#past.get(table)! }),
      ...(writing ? { source } : {}),
    }
  }

  /** What every operation gives while nothing is damaged. */
  async #learn(): Promise<void> {
    for (const table of Object.keys(TABLES)) {
      const end = await this.#watched.run(this.#job(table, this.#lab.root, false))
      if (end.kind !== 'done') throw new Error(`${table}: ${end.kind} ${end.detail}`)
      for (const one of end.result) {
        if (!('value' in one)) throw new Error(`${table}: ${one.operation}: ${one.message}`)
        this.#expected.set(`${table} ${one.operation}`, one.value)
      }
    }
  }

  #judge(of: Case, end: JobEnd<OperationEnd[]>): Verdict {
    if (end.kind !== 'done') return { outcome: end.kind, detail: end.detail }
    const verdicts = end.result.map((one) => this.#judgeOne(of, one))
    const worst = verdicts.toSorted((a, b) => RANK.indexOf(a.outcome) - RANK.indexOf(b.outcome)).at(-1)!
    return worst
  }

  #judgeOne({ target, writing }: Case, one: OperationEnd): Verdict {
    const place = `${one.operation} of ${target.table}`
    if (!('value' in one)) {
      const { code, kind, message } = one
      const detail = `${place}: ${code}: ${message}${one.trace ? `\n${one.trace}` : ''}`
      if (kind === 'internal') return { outcome: 'uncoded', detail }
      // What is wrong with one table hides no other.
      if (one.operation === 'tables' || one.operation === 'other') return { outcome: 'wrong', detail }
      const isNamed = [message, JSON.stringify(one.details ?? {})].some((text) =>
        namesOf(target).some((name) => text.includes(name)),
      )
      return { outcome: isNamed ? 'error named' : 'unnamed', detail }
    }
    if (one.operation === 'tables') return this.#judgeList(target, one.value)
    if (writing) return judgeWritten(target, one, this.#expected)
    const expected = this.#expected.get(
      one.operation === 'other' ? otherKey(target.table) : `${target.table} ${one.operation}`,
    )
    if (one.value === expected) return { outcome: 'right', detail: '' }
    // A file of a folder has nothing to be held against: it reads as what it is now.
    const outcome = target.kind === 'folder data' && one.operation !== 'other' ? 'changed' : 'wrong'
    return { outcome, detail: `${place}: ${one.value.slice(0, 300)} instead of ${expected?.slice(0, 300)}` }
  }

  #judgeList(target: Target, value: string): Verdict {
    const rows = JSON.parse(value) as { name: string; error?: { code: string; message: string } }[]
    const expected = JSON.parse(this.#expected.get(`${target.table} tables`)!) as { name: string }[]
    const rest = (list: { name: string }[]) => JSON.stringify(list.filter(({ name }) => name !== target.table))
    if (rest(rows) !== rest(expected)) return { outcome: 'wrong', detail: `tables: ${value}` }
    const own = rows.find(({ name }) => name === target.table)
    if (own?.error) {
      const isNamed = namesOf(target).some((name) => own.error!.message.includes(name))
      return { outcome: isNamed ? 'error named' : 'unnamed', detail: `tables: ${own.error.message}` }
    }
    const isRight = JSON.stringify(own) === JSON.stringify(expected.find(({ name }) => name === target.table))
    return { outcome: isRight ? 'right' : 'wrong', detail: isRight ? '' : `tables: ${JSON.stringify(own)}` }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watched[Symbol.asyncDispose]()
    await this.#lab.close()
  }
}

const RANK: Verdict['outcome'][] = [
  'right',
  'changed',
  'error named',
  'unnamed',
  'uncoded',
  'wrong',
  'memory',
  'hang',
  'crash',
]

function otherKey(table: string): string {
  return table === 'other' ? 'events sql1' : 'other sql1'
}

/** After a write: the rows that were there and those that came, a name that is free, and another table that is whole. */
function judgeWritten(
  target: Target,
  one: { operation: string; value: string },
  expected: ReadonlyMap<string, string>,
): Verdict {
  const before = (JSON.parse(expected.get(`${target.table} sql0`)!) as { n: number }[])[0]!.n
  const right: Record<string, () => boolean> = {
    import: () => one.value === String(ROWS_IMPORTED),
    count: () => {
      const { n } = (JSON.parse(one.value) as { n: number }[])[0]!
      return n === before + ROWS_IMPORTED || n === before || target.kind === 'folder data'
    },
    drop: () => true,
    gone: () => one.value === 'false',
    other: () => one.value === expected.get(otherKey(target.table)),
  }
  if (right[one.operation]!()) return { outcome: 'right', detail: '' }
  return { outcome: 'wrong', detail: `${one.operation} of ${target.table} after writing: ${one.value}` }
}

/** By what a message may name the file: its name, and for what was deleted or stands for a whole log, the log. */
function namesOf({ path, kind, table }: Target): string[] {
  if (kind === 'name') return [`names/${table}/`]
  return [basename(path)]
}

function damagesOf(kind: FileKind): [string, Damage][] {
  const blind = Object.entries(BLIND)
  const weighted = (name: string, damage: Damage, times: number) =>
    Array.from({ length: times }, () => [name, damage] as [string, Damage])
  if (kind === 'metadata' || kind === 'name' || kind === 'ledger') return [...blind, ...weighted('json', damageJson, 6)]
  if (kind === 'manifest' || kind === 'manifest list') return [...blind, ...weighted('avro', damageAvro, 6)]
  if (kind === 'hint') return blind
  return [...blind, ...weighted('footer', damageFooter, 4), ...weighted('pages', damagePages, 4)]
}

async function findTargets(lab: Lab): Promise<Target[]> {
  const uuids = new Map<string, string>()
  for (const table of MANAGED) {
    uuids.set((await lab.warehouse.describe(table)).location.split('/').at(-1)!, table)
  }
  const inside = filesBelow(lab.root).flatMap((path): Target[] => {
    const [, top, second, ...rest] = path.slice(lab.root.length).split('/')
    const table = top === 'names' ? second! : uuids.get(second!)!
    const name = rest.at(-1) ?? ''
    if (name === 'version-hint.text') return [{ kind: 'hint', table, path }]
    if (top === 'names') return [{ kind: 'name', table, path }]
    if (name.endsWith('.metadata.json')) return [{ kind: 'metadata', table, path }]
    if (name.startsWith('ledger-')) return [{ kind: 'ledger', table, path }]
    if (name.endsWith('.avro')) return [{ kind: name.startsWith('snap-') ? 'manifest list' : 'manifest', table, path }]
    return [{ kind: 'data', table, path }]
  })
  const outside = [0, 1, 2].map(
    (k): Target => ({ kind: 'folder data', table: 'folder', path: join(lab.dir, `folder/part-${k}.parquet`) }),
  )
  return [...inside, ...outside]
}

/** A line for the table of outcomes. */
export function countVerdict(counts: Map<string, Record<string, number>>, of: Case, verdict: Verdict): void {
  const key = `${of.target.kind}: ${of.damage}`
  const row = counts.get(key) ?? {}
  row[verdict.outcome] = (row[verdict.outcome] ?? 0) + 1
  counts.set(key, row)
}

/** The counts of outcomes, one line for each kind of file and damage, and their sums. */
export function outcomeLines(counts: ReadonlyMap<string, Record<string, number>>): string[] {
  const sums = RANK.map((outcome) => [...counts.values()].reduce((sum, row) => sum + (row[outcome] ?? 0), 0))
  const line = (name: string, cells: readonly (string | number)[]) =>
    `${name.padEnd(26)}${cells.map((cell) => String(cell).padStart(13)).join('')}`
  const rows = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return [
    line('', RANK),
    ...rows.map(([name, row]) =>
      line(
        name,
        RANK.map((outcome) => row[outcome] ?? 0),
      ),
    ),
    line('all', sums),
  ]
}

/** The case as a line that tells how to see it again. */
export function caseText({ seed, at, target, damage, writing }: Case, verdict: Verdict): string {
  return `seed ${seed} case ${at}: ${damage} of a ${target.kind} (${basename(target.path)})${writing ? ', then writing' : ''}: ${verdict.outcome}: ${verdict.detail}`
}
