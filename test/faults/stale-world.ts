/** Tables whose files change under a warehouse that is kept open, and a DuckDB made anew for every look at them. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { quoteString } from '../../src/common/data-type.ts'
import type { ImportOptions } from '../../src/inputs/import.ts'
import type { Chance } from '../chance.ts'
import { ForeignTable, field, type LabFile } from '../conformance/foreign-lab.ts'
import type { Lab } from '../conformance/import-lab.ts'
import { judge, type Outcome } from '../property/split-judge.ts'

/** Rows of every other source: these have the same size, and only their footers and values tell them apart. */
export const ROWS = 40
const SOURCES = 10
const KEYS = { actor: 'k', time: 'n' }

/** What a change was, in words; and what puts everything back, where that is a change to be made later. */
export interface Change {
  what: string
  back?: () => void
}

/** The tables of a run. */
export class StaleWorld {
  readonly #lab: Lab
  readonly #chance: Chance
  readonly #id: string
  readonly #sources: string[] = []
  /** Folder of each registered table. */
  readonly #folders = new Map<string, string>()
  /** What each managed table is made of, by its snapshots. */
  readonly #managed = new Map<string, { sources: string[]; type: string }>()
  /** Past states that can be asked for: snapshot ids and what they had. */
  readonly past: { table: string; id: number; sql: string }[] = []
  #ice: ForeignTable | undefined
  #iceFiles: LabFile[] = []
  #gone = new Map<string, Set<number>>()
  #numbers = 0

  constructor(lab: Lab, chance: Chance, id: string) {
    this.#lab = lab
    this.#chance = chance
    this.#id = id
  }

  /** Names of tables. */
  get tables(): string[] {
    return [...this.#folders.keys(), ...this.#managed.keys(), 'ice']
  }

  /** Those whose files others change. */
  get folders(): string[] {
    return [...this.#folders.keys()]
  }

  async begin(): Promise<void> {
    for (let s = 0; s < SOURCES; s++) {
      const sql = `SELECT ${s * 25}::BIGINT + i AS k, '${s}-' || (10 + i) AS v, (hash(i * ${s + 1}) % 100)::BIGINT AS n FROM range(${s % 2 === 0 ? ROWS : ROWS + 3 * s}) t(i)`
      const path = await this.#lab.write(
        sql,
        `${this.#id}/sources/${s}.parquet`,
        'FORMAT parquet, COMPRESSION uncompressed',
      )
      this.#sources.push(path)
    }
    for (const name of ['thin', 'thick', 'wide']) await this.#register(name)
    for (const name of ['held', 'kept']) await this.#create(name)
    await this.#attach()
  }

  /** Makes room for the tables of another world. */
  async end(): Promise<void> {
    for (const name of this.#managed.keys()) await this.#lab.warehouse.drop(name)
    for (const name of [...this.#folders.keys(), 'ice']) await this.#lab.warehouse.unregister(name)
  }

  /** How DuckDB answers, from the files as they are. */
  async judge(sql: string, past?: { table: string; sql: string }): Promise<Outcome> {
    const instance = await DuckDBInstance.create(':memory:')
    const duck = await instance.connect()
    try {
      await duck.run(`SET TimeZone = 'UTC'; SET threads = 1`)
      for (const table of this.tables) {
        const select = past?.table === table ? past.sql : this.#selectOf(table)
        await duck.run(`CREATE VIEW ${table} AS ${select}`)
      }
      return await judge(duck, sql, [])
    } finally {
      duck.closeSync()
      instance.closeSync()
    }
  }

  #selectOf(table: string): string {
    const folder = this.#folders.get(table)
    if (folder !== undefined) return `SELECT k, v, n FROM read_parquet('${folder}/**/*.parquet')`
    const managed = this.#managed.get(table)
    if (managed) return managedSql(managed.sources, managed.type)
    const selects = this.#iceFiles.map(({ path }) => {
      const gone = [...(this.#gone.get(path) ?? [])]
      const kept = gone.length > 0 ? ` WHERE file_row_number NOT IN (${gone.join(', ')})` : ''
      return `SELECT k, v, n FROM read_parquet('${path}', file_row_number = true)${kept}`
    })
    return selects.join(' UNION ALL ')
  }

  async #register(name: string): Promise<void> {
    const folder = `${this.#lab.dir}/${this.#id}/${name}-${++this.#numbers}`
    mkdirSync(`${folder}/d`, { recursive: true })
    const most = { thin: 3, thick: 17, wide: 60 }[name] ?? 3
    const files = 1 + this.#chance.below(most)
    for (let f = 0; f < files; f++) copyFileSync(this.#chance.pick(this.#sources), `${folder}/d/${f}.parquet`)
    await this.#lab.warehouse.register(name, folder, { ...KEYS, validate: 'single' })
    this.#folders.set(name, folder)
  }

  async #create(name: string): Promise<void> {
    const type = this.#chance.pick(['BIGINT', 'VARCHAR', 'DOUBLE'])
    this.#managed.set(name, { sources: [], type })
    await this.#append(name, { ...KEYS, buckets: 1 + this.#chance.below(24) })
  }

  async #append(name: string, options: ImportOptions = {}): Promise<void> {
    const table = this.#managed.get(name)!
    const source = this.#chance.pick(this.#sources)
    const file = await this.#lab.write(
      managedSql([source], table.type),
      `${this.#id}/import-${++this.#numbers}.parquet`,
    )
    await this.#lab.warehouse.import(name, [file], options)
    table.sources = [...table.sources, source]
    const snapshots = await this.#lab.warehouse.snapshots(name)
    this.past.push({ table: name, id: snapshots.at(-1)!.id as number, sql: managedSql(table.sources, table.type) })
  }

  async #attach(): Promise<void> {
    const fields = [field(1, 'k', 'long'), field(2, 'v', 'string'), field(3, 'n', 'long')]
    this.#ice = new ForeignTable(this.#lab, `${this.#id}/ice`, { fields })
    for (let f = 0; f < 20; f++)
      this.#iceFiles.push(await this.#ice.write(`FROM '${this.#chance.pick(this.#sources)}'`))
    await this.#commitIce()
    await this.#lab.warehouse.attach('ice', this.#ice.dir, { type: 'iceberg', ...KEYS })
  }

  async #commitIce(): Promise<void> {
    const ice = this.#ice!
    const gone = this.#iceFiles.flatMap((file) =>
      [...(this.#gone.get(file.path) ?? [])].map((row) => [file, row] as [LabFile, number]),
    )
    const data = { entries: this.#iceFiles.map((file) => ({ file, status: 0, sequence: 1 })) }
    const deletes = gone.length > 0 ? [{ deletes: true, entries: [{ file: await ice.writeDeletes(gone) }] }] : []
    ice.commit([data, ...deletes])
    ice.finish()
  }

  /** Changes something. */
  async change(): Promise<Change> {
    const kind = this.#chance.below(12)
    if (kind < 8) return this.changeFolder()
    if (kind === 8) {
      const file = this.#chance.pick(this.#iceFiles)
      const rows = this.#gone.get(file.path) ?? new Set()
      for (let k = 0; k < 3; k++) rows.add(this.#chance.below(ROWS))
      this.#gone.set(file.path, this.#chance.below(4) === 0 ? new Set() : rows)
      await this.#commitIce()
      return { what: 'other deleted rows' }
    }
    const name = this.#chance.pick([...this.#managed.keys()])
    if (kind < 11) {
      await this.#append(name)
      return { what: `append to ${name}` }
    }
    if (this.#chance.below(2) === 0) {
      await this.#lab.warehouse.drop(name)
      const kept = this.past.filter(({ table }) => table !== name)
      this.past.splice(0, this.past.length, ...kept)
      await this.#create(name)
      return { what: `${name} anew` }
    }
    const folder = this.#chance.pick([...this.#folders.keys()])
    await this.#lab.warehouse.unregister(folder)
    await this.#register(folder)
    return { what: `${folder} elsewhere` }
  }

  /** Changes a file of a folder, at once. */
  changeFolder(): Change {
    const name = this.#chance.pick([...this.#folders.keys()])
    const dir = `${this.#folders.get(name)!}/d`
    const files = readdirSync(dir).filter((file) => file.endsWith('.parquet'))
    const file = `${dir}/${this.#chance.pick(files)}`
    const source = this.#chance.pick(this.#sources)
    const next = `${this.#lab.dir}/${this.#id}/next-${++this.#numbers}`
    switch (this.#chance.below(9)) {
      case 0:
        copyFileSync(source, `${dir}/${++this.#numbers}.parquet`)
        return { what: `${name}: added` }
      case 1:
        if (files.length > 1) rmSync(file)
        return { what: `${name}: removed ${file}` }
      case 2:
        copyFileSync(source, next)
        keepTime(file, next)
        renameSync(next, file)
        return { what: `${name}: replaced ${file} by ${source}` }
      case 3: {
        const { atime, mtime } = statSync(file)
        copyFileSync(source, file)
        utimesSync(file, atime, mtime)
        return { what: `${name}: written ${file} from ${source}` }
      }
      case 4: {
        const other = `${dir}/${this.#chance.pick(files)}`
        if (other === file) return { what: 'nothing' }
        renameSync(file, next)
        renameSync(other, file)
        renameSync(next, other)
        return { what: `${name}: swapped ${file} and ${other}` }
      }
      case 5: {
        renameSync(file, next)
        copyFileSync(source, file)
        return { what: `${name}: ${file} aside`, back: () => existsSync(file) && renameSync(next, file) }
      }
      case 6: {
        // The files' own stamps stay through all of this.
        mkdirSync(next)
        for (const own of files) copyFileSync(this.#chance.pick(this.#sources), `${next}/${own}`)
        renameSync(dir, `${next}-old`)
        renameSync(next, dir)
        return {
          what: `${name}: folder aside`,
          back: () => {
            rmSync(dir, { recursive: true })
            renameSync(`${next}-old`, dir)
          },
        }
      }
      case 7:
        renameSync(file, `${dir}/${++this.#numbers}.parquet`)
        return { what: `${name}: renamed ${file}` }
      default:
        for (const own of files) copyFileSync(this.#chance.pick(this.#sources), `${dir}/${own}`)
        return { what: `${name}: all written` }
    }
  }

  /** Where an export may go to become part of a table. */
  exportTarget(): string {
    return `${this.#folders.get(this.#chance.pick([...this.#folders.keys()]))!}/d/export.parquet`
  }
}

function keepTime(from: string, to: string): void {
  const { atime, mtime } = statSync(from)
  utimesSync(to, atime, mtime)
}

function managedSql(sources: readonly string[], type: string): string {
  const value = type === 'VARCHAR' ? 'v' : `CAST(n AS ${type})`
  return `SELECT k, ${value} AS v, n FROM read_parquet([${sources.map(quoteString).join(', ')}])`
}
