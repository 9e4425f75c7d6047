/** Delta tables made by hand: data files by DuckDB, logs as their specification says, checkpoints by another writer of Parquet. */
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parquetWriteFile } from 'hyparquet-writer'
import type { Lab } from './conformance/import-lab.ts'

/** A column of a schema: its name, its type as Delta's JSON has it. */
export type Field = [name: string, type: unknown, metadata?: object]

/** What an added file says beside its path and size. */
export interface AddOptions {
  partitionValues?: Record<string, string | null>
  stats?: unknown
  /** As the log writes the path; the file's own when absent. */
  uri?: string
  size?: number
  more?: object
}

export interface TableOptions {
  partitionColumns?: string[]
  configuration?: Record<string, string>
  protocol?: object
}

export type Action = Record<string, unknown>

/** One Delta table. */
export class DeltaLab {
  readonly root: string
  readonly #lab: Lab
  readonly #name: string
  version = -1

  constructor(lab: Lab, name: string) {
    this.#lab = lab
    this.#name = name
    this.root = join(lab.dir, name)
    mkdirSync(this.log, { recursive: true })
  }

  get log(): string {
    return join(this.root, '_delta_log')
  }

  entry(version = this.version): string {
    return join(this.log, `${String(version).padStart(20, '0')}.json`)
  }

  /** The actions that make the table. */
  begin(
    fields: readonly Field[],
    { partitionColumns = [], configuration = {}, protocol }: TableOptions = {},
  ): Action[] {
    return [
      { protocol: protocol ?? { minReaderVersion: 1, minWriterVersion: 2 } },
      {
        metaData: {
          id: '11111111-2222-3333-4444-555555555555',
          format: { provider: 'parquet', options: {} },
          schemaString: JSON.stringify(struct(fields)),
          partitionColumns,
          configuration,
          createdTime: 0,
        },
      },
    ]
  }

  /** Writes the rows of a query into a file of the table; the action that adds it. */
  async add(path: string, sql: string, options: AddOptions = {}): Promise<Action> {
    await this.#lab.write(sql, `${this.#name}/${path}`)
    return this.added(path, options)
  }

  added(path: string, { partitionValues = {}, stats, uri = path, size, more = {} }: AddOptions = {}): Action {
    const text = stats === undefined || typeof stats === 'string' ? stats : JSON.stringify(stats)
    return {
      add: {
        path: uri,
        size: size ?? statSync(join(this.root, path)).size,
        partitionValues,
        modificationTime: 0,
        dataChange: true,
        ...(text !== undefined && { stats: text }),
        ...more,
      },
    }
  }

  removed(path: string): Action {
    return { remove: { path, deletionTimestamp: 0, dataChange: true } }
  }

  /** Writes the next entry of the log. */
  commit(actions: readonly Action[], info: object = { operation: 'WRITE' }): number {
    this.version++
    const timestamp = 1_700_000_000_000 + this.version * 60_000
    const lines = [{ commitInfo: { timestamp, ...info } }, ...actions].map((action) => JSON.stringify(action))
    writeFileSync(this.entry(), `${lines.join('\n')}\n`)
    return this.version
  }

  /** Writes a checkpoint of these actions at the current version, in one file or several parts. */
  async checkpoint(actions: readonly Action[], parts = 1): Promise<string[]> {
    const version = String(this.version).padStart(20, '0')
    const share = Math.ceil(actions.length / parts)
    const names: string[] = []
    for (let part = 1; part <= parts; part++) {
      const digits = (number: number) => String(number).padStart(10, '0')
      const name =
        parts === 1 ? `${version}.checkpoint.parquet` : `${version}.checkpoint.${digits(part)}.${digits(parts)}.parquet`
      await writeCheckpoint(join(this.log, name), actions.slice((part - 1) * share, part * share))
      names.push(join(this.log, name))
    }
    return names
  }
}

/** A struct type in the JSON of a schema. */
export function struct(fields: readonly Field[]): object {
  return {
    type: 'struct',
    fields: fields.map(([name, type, metadata = {}]) => ({ name, type, nullable: true, metadata })),
  }
}

const TEXT = { type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' } as const
const LONG = { type: 'INT64', repetition_type: 'OPTIONAL' } as const
const INT = { type: 'INT32', repetition_type: 'OPTIONAL' } as const
const BOOL = { type: 'BOOLEAN', repetition_type: 'OPTIONAL' } as const

type Leaf = typeof TEXT | typeof LONG | typeof INT | typeof BOOL
type Tree = { [name: string]: Leaf | Tree | 'map' | 'list' }

/** The columns of a checkpoint, as far as readers look at them. */
const SHAPE: Tree = {
  protocol: { minReaderVersion: INT, minWriterVersion: INT, readerFeatures: 'list', writerFeatures: 'list' },
  metaData: {
    id: TEXT,
    description: TEXT,
    format: { provider: TEXT, options: 'map' },
    schemaString: TEXT,
    partitionColumns: 'list',
    configuration: 'map',
    createdTime: LONG,
  },
  add: {
    path: TEXT,
    partitionValues: 'map',
    size: LONG,
    modificationTime: LONG,
    dataChange: BOOL,
    stats: TEXT,
    deletionVector: { storageType: TEXT, pathOrInlineDv: TEXT, offset: INT, sizeInBytes: INT, cardinality: LONG },
  },
  remove: { path: TEXT, deletionTimestamp: LONG, dataChange: BOOL },
  sidecar: { path: TEXT, sizeInBytes: LONG, modificationTime: LONG },
}

/** Writes actions as rows of a Parquet file. */
export async function writeCheckpoint(path: string, actions: readonly Action[]): Promise<void> {
  const schema = [
    { name: 'root', num_children: Object.keys(SHAPE).length },
    ...Object.entries(SHAPE).flatMap(([name, tree]) => elements(name, tree)),
  ]
  mkdirSync(join(path, '..'), { recursive: true })
  const columnData = Object.keys(SHAPE).map((name) => ({
    name,
    data: actions.map((action) => fitted(action[name], SHAPE[name]!)),
  }))
  await parquetWriteFile({ filename: path, columnData: columnData as never, schema: schema as never })
}

function elements(name: string, tree: Tree[string]): object[] {
  if (tree === 'map') {
    return [
      { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'MAP' },
      { name: 'key_value', repetition_type: 'REPEATED', num_children: 2 },
      { ...TEXT, name: 'key', repetition_type: 'REQUIRED' },
      { ...TEXT, name: 'value' },
    ]
  }
  if (tree === 'list') {
    return [
      { name, repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { ...TEXT, name: 'element' },
    ]
  }
  if ('type' in tree && typeof tree.type === 'string') return [{ ...tree, name }]
  const children = Object.entries(tree as Tree)
  return [
    { name, repetition_type: 'OPTIONAL', num_children: children.length },
    ...children.flatMap(([child, own]) => elements(child, own)),
  ]
}

function fitted(value: unknown, tree: Tree[string]): unknown {
  if (value === undefined || value === null) return null
  if (tree === 'map' || tree === 'list') return value
  if ('type' in tree && typeof tree.type === 'string') return tree.type === 'INT64' ? BigInt(value as number) : value
  return Object.fromEntries(
    Object.entries(tree as Tree).map(([name, own]) => [name, fitted((value as Record<string, unknown>)[name], own)]),
  )
}
