/** A warehouse among canaries: files, a variable of the environment and a listener that no query may reach, and a judge of whether one did. */
import { createHash } from 'node:crypto'
import { copyFileSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { isSkepError } from '../../src/errors.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { dataFiles, type Lab, openLab } from '../conformance/import-lab.ts'

/** What every canary contains. */
export const CANARY = 'canary-in-a-coal-mine'

/** What the environment says, and the engine would tell: the folder of its user. */
export const HOME_CANARY = 'canary-of-the-home'

/** The playground. */
export interface Playground extends Lab {
  /** What stands for places in an attempt, by the name in braces. */
  places: Readonly<Record<string, string>>
  /** The attempt with its places. */
  fill(attempt: string): string
  /** Connections that the listener has seen. */
  connections(): number
  /** Every file, link and folder below the lab and beside the process, with what it contains. */
  tree(): Map<string, string>
}

/** What came of an attempt. */
export interface Outcome {
  /** True when it did anything but end in an error of the user's or of a limit. */
  succeeded: boolean
  /** Why it counts as a success, or the code of its error. */
  what: string
}

/** Opens the playground. `t` is a managed table, `f` a registered one. */
export async function openPlayground(): Promise<Playground> {
  const home = process.env.HOME
  process.env.HOME = `/${HOME_CANARY}`
  const lab = await openLab()
  const server = createServer((socket) => {
    seen++
    socket.destroy()
  })
  let seen = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  await lab.warehouse.import('t', [await lab.write(`SELECT i AS id, 'n' || i AS s FROM range(10) r(i)`)])
  await lab.write('SELECT i AS who, i AS at FROM range(5) r(i)', 'folder/a.parquet')
  await lab.warehouse.register('f', join(lab.dir, 'folder'), { actor: 'who', time: 'at', timeUnit: 's' })
  const places = { ...(await writeCanaries(lab)), PORT: String((server.address() as AddressInfo).port) }
  return {
    ...lab,
    places,
    fill: (attempt) =>
      attempt.replaceAll(/\{([A-Z]+)\}/g, (_, name: keyof typeof places) => places[name] ?? `{${name}}`),
    connections: () => seen,
    tree: () => new Map([...treeOf(lab.dir), ...namesIn(process.cwd())]),
    close: async () => {
      process.env.HOME = home
      await new Promise((resolve) => server.close(resolve))
      await lab.close()
    },
  }
}

async function writeCanaries(lab: Lab) {
  const data = (await dataFiles(lab.warehouse, 't'))[0]!
  const csv = lab.text(`secret\n${CANARY}\n`, 'outside/canary.csv')
  const parquet = await lab.write(`SELECT '${CANARY}' AS secret`, 'outside/canary.parquet')
  const db = join(lab.dir, 'outside/canary.db')
  await lab.duck.run(
    `ATTACH '${db}' AS canary; CREATE TABLE canary.secrets AS SELECT '${CANARY}' AS secret; DETACH canary`,
  )
  const copies = {
    NEAR: join(dirname(data), 'canary.csv'),
    TMP: join(lab.root, '.tmp/canary.csv'),
    EXCHANGE: join(lab.root, '.exchange/1-0-0-query/attempt/canary.csv'),
    NOTES: join(lab.dir, 'folder/notes.csv'),
  }
  for (const copy of Object.values(copies)) {
    mkdirSync(dirname(copy), { recursive: true })
    copyFileSync(csv, copy)
  }
  symlinkSync(csv, join(lab.dir, 'folder/link.csv'))
  symlinkSync(join(lab.dir, 'outside'), join(lab.root, 'linked'))
  return {
    ...copies,
    CSV: csv,
    PARQUET: parquet,
    JSON: lab.text(JSON.stringify({ secret: CANARY }), 'outside/canary.json'),
    TXT: lab.text(CANARY, 'outside/canary.txt'),
    DB: db,
    OUT: join(lab.dir, 'outside'),
    ROOT: lab.root,
    FOLDER: join(lab.dir, 'folder'),
    LINK: join(lab.dir, 'folder/link.csv'),
    LINKDIR: join(lab.root, 'linked'),
    DATA: data,
    UP: `${lab.root}/../outside`,
    RELATIVE: relativeTo(csv),
  }
}

function relativeTo(path: string): string {
  const up = process
    .cwd()
    .split('/')
    .filter(Boolean)
    .map(() => '..')
  return `${up.join('/')}${path}`
}

/** Folders that a process makes for its own data, and what a server remembers of queries. */
const OWN = /\/\.tmp\/\d+-[0-9a-f]+-\d+(\/|$)|\/warehouse\/queries(\/|$)/

function treeOf(root: string): [string, string][] {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true })
  return entries
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !OWN.test(path))
    .map((path) => [path, contentOf(path)])
}

function contentOf(path: string): string {
  const stat = lstatSync(path)
  if (stat.isSymbolicLink()) return `-> ${readlinkSync(path)}`
  if (stat.isDirectory()) return 'folder'
  return `${stat.mtimeMs} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
}

/** What stands in the folder of the process, where a relative path would lead. */
function namesIn(folder: string): [string, string][] {
  return readdirSync(folder).map((name) => [join(folder, name), 'beside'])
}

/** True where a text has one of the canaries, as it is or as bytes in one of the usual forms. */
export function hasCanary(value: unknown, canaries: readonly string[] = [CANARY, HOME_CANARY]): boolean {
  const json = JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v)) ?? ''
  return canaries.some((canary) => {
    const bytes = Buffer.from(canary)
    const forms = [canary, bytes.toString('base64').slice(0, 20), bytes.toString('hex')]
    return forms.some((form) => json.toLowerCase().includes(form.toLowerCase()))
  })
}

/** Makes an attempt and judges it by its answer alone; {@link Playground.tree} and {@link Playground.connections} tell the rest. */
export async function attempt(call: () => Promise<unknown>): Promise<Outcome> {
  try {
    const answer = await call()
    return { succeeded: true, what: hasCanary(answer) ? 'the canary' : 'an answer' }
  } catch (error) {
    const text = `${(error as Error).message} ${JSON.stringify(isSkepError(error) ? error.toJSON() : {})}`
    if (hasCanary(text)) return { succeeded: true, what: `the canary in an error: ${text}` }
    if (isSkepError(error) && (error.kind === 'user' || error.kind === 'limit')) {
      return { succeeded: false, what: error.code }
    }
    return { succeeded: true, what: `an error that has no code or is ours: ${text}` }
  }
}

/** The ways in which a user's SQL enters. */
export const ENTRANCES: Readonly<Record<string, (warehouse: Warehouse, sql: string) => Promise<unknown>>> = {
  sql: async (warehouse, sql) => (await warehouse.sql(sql)).rows,
  stream: async (warehouse, sql) => {
    await using stream = await warehouse.stream(sql)
    const rows: unknown[] = []
    for await (const batch of stream.batches) rows.push(...batch)
    return rows
  },
  explain: async (warehouse, sql) => (await warehouse.explain(sql)).plan,
  exportParquet: (warehouse, sql) => warehouse.exportParquet(sql, join(warehouse.root, '../exported.parquet')),
}
