/** A table of random values of many types in one Parquet file, and an engine to read it with: for tests of targets and aggregations. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findReference } from '../../src/behaviour/column.ts'
import type { Predicate } from '../../src/behaviour/predicate-sql.ts'
import type { Condition, ValidQuery } from '../../src/behaviour/validate.ts'
import type { ColumnStatistics, DataFile, Table } from '../../src/catalog/types.ts'
import { type DataType, parseType, primitive } from '../../src/common/data-type.ts'
import { readSettings } from '../../src/config.ts'
import { Engine, type Session } from '../../src/engine/engine.ts'
import type { RowSource } from '../../src/worker/actor-rows.ts'

/** Columns of the table and the SQL that makes their values from `r`, the number of the row. */
export type ValueColumns = Record<string, { type: string; sql: string }>

const random = (salt: number, count: number) => `(hash(r * 31 + ${salt}) % ${count})::BIGINT`

/** Actors `who` with times `at`, a flag, and values of every kind: nulls, NaN, infinities, ties, and numbers of all sizes. */
export const VALUE_COLUMNS: ValueColumns = {
  who: { type: 'VARCHAR', sql: `'u' || ${random(1, 400)}` },
  at: { type: 'BIGINT', sql: 'r' },
  flag: { type: 'BOOLEAN', sql: `CASE ${random(2, 4)} WHEN 0 THEN true WHEN 1 THEN false WHEN 2 THEN true END` },
  small: { type: 'INTEGER', sql: `CASE WHEN ${random(3, 5)} > 0 THEN ${random(4, 7)} - 3 END` },
  big: { type: 'BIGINT', sql: `CASE WHEN ${random(5, 5)} > 0 THEN 9223372036854775807 - ${random(6, 3)} END` },
  money: { type: 'DECIMAL(9,2)', sql: `CASE WHEN ${random(7, 5)} > 0 THEN (${random(8, 11)} - 5) / 4 END` },
  wide: {
    type: 'DECIMAL(38,4)',
    sql: `CASE WHEN ${random(9, 5)} > 0 THEN CAST(CASE WHEN ${random(10, 2)} = 0 THEN '-' ELSE '' END || '9876543210987654321098765432109' || ${random(11, 900)} || '.0001' AS DECIMAL(38,4)) END`,
  },
  price: { type: 'DOUBLE', sql: `CASE WHEN ${random(12, 6)} > 0 THEN ${random(13, 400)} / 100.0::DOUBLE - 1 END` },
  wild: {
    type: 'DOUBLE',
    sql: `CASE ${random(14, 40)} WHEN 0 THEN 'NaN'::DOUBLE WHEN 1 THEN 1e300 WHEN 2 THEN -1e300 WHEN 3 THEN 1e-300 WHEN 4 THEN 0.1 WHEN 5 THEN 1e17 WHEN 6 THEN -0.0::DOUBLE WHEN 7 THEN NULL WHEN 8 THEN 5e-324 WHEN 9 THEN -1e17 ELSE ${random(15, 1000)} / 7.0::DOUBLE END`,
  },
  single: { type: 'FLOAT', sql: `CASE WHEN ${random(16, 6)} > 0 THEN (${random(17, 9)} / 10.0)::FLOAT END` },
  infinite: {
    type: 'DOUBLE',
    sql: `CASE ${random(18, 900)} WHEN 0 THEN 'Infinity'::DOUBLE WHEN 1 THEN '-Infinity'::DOUBLE WHEN 2 THEN 'NaN'::DOUBLE ELSE ${random(19, 3)}::DOUBLE END`,
  },
  word: {
    type: 'VARCHAR',
    sql: `CASE ${random(20, 8)} WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'é' WHEN 3 THEN '𐍈' WHEN 4 THEN '\uffee' ELSE 'w' || ${random(21, 30)} END`,
  },
  day: { type: 'DATE', sql: `CASE WHEN ${random(22, 5)} > 0 THEN DATE '2026-11-20' + ${random(23, 9)}::INTEGER END` },
  seen: {
    type: 'TIMESTAMP',
    sql: `CASE WHEN ${random(24, 5)} > 0 THEN TIMESTAMP '2026-11-20 08:14:00.5' + to_microseconds(${random(25, 9)} * 250000) END`,
  },
  zoned: {
    type: 'TIMESTAMP WITH TIME ZONE',
    sql: `CASE WHEN ${random(26, 5)} > 0 THEN TIMESTAMPTZ '2026-11-20 08:14:00+00' + to_microseconds(${random(27, 9)} * 250000) END`,
  },
  nested: { type: 'STRUCT(n INTEGER, t VARCHAR)', sql: `{'n': ${random(28, 5)}, 't': 't' || ${random(29, 4)}}` },
}

/** An engine, a session, and the files of one table. */
export class ValueTable implements AsyncDisposable {
  readonly folder: string
  readonly engine: Engine
  readonly session: Session
  readonly table: Table

  private constructor(folder: string, engine: Engine, session: Session, table: Table) {
    this.folder = folder
    this.engine = engine
    this.session = session
    this.table = table
  }

  /** The rows numbered `from` to `to`, exclusive, in as many files. */
  static async create(rows: number, files = 1, columns = VALUE_COLUMNS): Promise<ValueTable> {
    const folder = await mkdtemp(join(tmpdir(), 'skep-values-'))
    const engine = await Engine.open({
      settings: readSettings({ SKEP_THREADS: '2' }),
      spillPath: join(folder, 'spill'),
    })
    const session = await engine.session()
    const list = Object.entries(columns).map(([name, { type, sql }]) => `CAST(${sql} AS ${type}) AS "${name}"`)
    const parts: DataFile[] = []
    for (let k = 0; k < files; k++) {
      const path = join(folder, `${k}.parquet`)
      const source = `SELECT ${list.join(', ')} FROM range(${rows}) t(r) WHERE r % ${files} = ${k}`
      await session.run(`COPY (${source}) TO '${path}' (FORMAT parquet)`)
      parts.push(fileOf(path, Math.ceil(rows / files)))
    }
    return new ValueTable(folder, engine, session, tableOf(columns, parts))
  }

  /** What statements of a query on the table are made from. */
  source(predicates: Predicate[], conditions: Condition[] = []): RowSource {
    const query: ValidQuery = {
      expanded: {},
      predicates,
      conditions,
      aggregations: { query: [], step: [], end: [] },
      columns: [],
      warnings: [],
    }
    return { table: this.table, query, actor: 'who', time: 'at', timeType: primitive('BIGINT') }
  }

  /** SQL of all rows. */
  get rows(): string {
    return `read_parquet([${this.table.snapshot.files.map(({ path }) => `'${path}'`).join(', ')}])`
  }

  /** The type of a column, or of a struct's field by its dotted path. */
  typeOf(column: string): DataType {
    return findReference(this.table.schema.columns, column)!.type
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.close()
    await this.engine[Symbol.asyncDispose]()
    await rm(this.folder, { recursive: true })
  }
}

function fileOf(path: string, rows: number): DataFile {
  const columns = new Map<number, ColumnStatistics>()
  return { path, rows, sizeBytes: 0, specId: 0, partition: [], columns, sorted: false }
}

function tableOf(columns: ValueColumns, files: DataFile[]): Table {
  const schema = {
    id: 0,
    columns: Object.entries(columns).map(([name, { type }], k) => ({
      id: k + 1,
      name,
      type: parseType(type),
      required: false,
    })),
  }
  return {
    name: 'values',
    kind: 'managed',
    location: '/',
    keys: { actor: 'who', time: 'at' },
    schema,
    spec: { id: 0, fields: [] },
    snapshot: { schema, specs: new Map(), files },
    actorsTogether: false,
    hiveColumns: [],
  }
}

/** A predicate that holds for the rows where a column of booleans is true. */
export function isTrue(column: string): Predicate {
  const literal = { kind: 'boolean' as const, value: true }
  return { kind: 'compare', column, path: [column], type: primitive('BOOLEAN'), operator: '==', literal }
}
