/** Partitions and bounds of tables that others wrote leave files out, and never a row. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IcebergField } from '../../src/catalog/iceberg/types.ts'
import { ForeignTable, field, type LabField } from '../conformance/foreign-lab.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'

/** Values of each column, as SQL, with the partition transforms that it takes. */
const COLUMNS: Record<string, { type: string; sql: string; transforms: string[]; values: string[] }> = {
  i: {
    type: 'int',
    sql: 'INTEGER',
    transforms: ['truncate[10]', 'truncate[7]', 'bucket[5]', 'identity'],
    values: ['-2147483648', '-21', '-20', '-11', '-10', '-9', '-1', '0', '1', '9', '10', '13', '14', '2147483647'],
  },
  b: {
    type: 'long',
    sql: 'BIGINT',
    transforms: ['truncate[1000]', 'bucket[3]', 'void'],
    values: [
      '-9223372036854775808',
      '-1001',
      '-1000',
      '-1',
      '0',
      '999',
      '1000',
      '9007199254740993',
      '9223372036854775807',
    ],
  },
  m: {
    type: 'decimal(9,2)',
    sql: 'DECIMAL(9,2)',
    transforms: ['truncate[50]', 'bucket[4]', 'identity'],
    values: ['-9999999.99', '-0.51', '-0.50', '-0.01', '0', '0.49', '0.50', '1.25', '9999999.99'],
  },
  s: {
    type: 'string',
    sql: 'VARCHAR',
    transforms: ['truncate[1]', 'truncate[2]', 'truncate[4]', 'bucket[4]', 'identity'],
    values: [
      "''",
      "'a'",
      "'ab'",
      "'abc'",
      "'abcd'",
      "'abcde'",
      "'ac'",
      "'é'",
      "'éé'",
      "'éa'",
      "'😀'",
      "'😀x'",
      "'😀😀y'",
      "'z\uFFFD'",
      "'\uD7FF\uD7FFx'",
      'chr(1114111)',
      "chr(1114111) || 'a'",
      "repeat('é', 20) || '1'",
      "repeat('é', 20) || '2'",
      "repeat('😀', 17)",
    ],
  },
  y: {
    type: 'binary',
    sql: 'BLOB',
    transforms: ['truncate[1]', 'truncate[2]', 'bucket[4]'],
    values: ["''", "'\\x00'", "'a'", "'a\\xFF'", "'ab'", "'abc'", "'\\xFF'", "'\\xFF\\xFFa'", "'0123456789abcdef0'"],
  },
  d: {
    type: 'date',
    sql: 'DATE',
    transforms: ['year', 'month', 'day', 'bucket[4]', 'identity'],
    values: [
      "'0001-01-01'",
      "'1899-12-31'",
      "'1968-12-31'",
      "'1969-01-01'",
      "'1969-11-30'",
      "'1969-12-31'",
      "'1970-01-01'",
      "'1970-02-01'",
      "'2024-02-29'",
      "'2024-12-31'",
      "'9999-12-31'",
    ],
  },
  t: {
    type: 'timestamp',
    sql: 'TIMESTAMP',
    transforms: ['year', 'month', 'day', 'hour', 'bucket[4]'],
    values: [
      "'1899-12-31 23:59:59'",
      "'1968-12-31 23:59:59.999999'",
      "'1969-12-31 22:59:59.999999'",
      "'1969-12-31 23:00:00'",
      "'1969-12-31 23:59:59.999999'",
      "'1970-01-01'",
      "'1970-01-01 00:59:59.999999'",
      "'1970-01-01 01:00:00'",
      "'2024-02-29 12:34:56.789'",
      "'2024-12-31 23:59:59.999999'",
    ],
  },
  z: {
    type: 'timestamptz',
    sql: 'TIMESTAMP WITH TIME ZONE',
    transforms: ['year', 'month', 'day', 'hour'],
    values: [
      "'1969-12-31 23:59:59.999999+00'",
      "'1970-01-01 00:00:00+00'",
      "'2024-12-31 23:30:00-01'",
      "'2024-12-31 23:59:59.999999+00'",
      "'2025-01-01 00:00:00+00'",
    ],
  },
  f: {
    type: 'double',
    sql: 'DOUBLE',
    transforms: ['identity', 'void'],
    values: ["'-inf'", '-1.5', '-0.0', '0.0', '0.1', "'inf'", "'nan'"],
  },
  u: {
    type: 'uuid',
    sql: 'UUID',
    transforms: ['bucket[4]', 'identity'],
    values: [
      "'00000000-0000-0000-0000-000000000000'",
      "'0f8fad5b-d9cb-469f-a165-70867728950e'",
      "'0f8fad5b-d9cb-469f-2165-70867728950e'",
      "'80000000-0000-0000-0000-000000000000'",
      "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    ],
  },
}
const NAMES = Object.keys(COLUMNS)
const FIELDS: IcebergField[] = [
  field(1, 'k', 'int'),
  ...NAMES.map((name, i) => field(i + 2, name, COLUMNS[name]!.type)),
]
const TABLES = runs(8, 150)
const QUERIES = runs(30, 200)

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
})
afterAll(async () => {
  await lab.close()
})

const cell = (name: string) => {
  const { values, sql } = COLUMNS[name]!
  return fc
    .oneof({ weight: 8, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: fc.constant('NULL') })
    .map((value) => `CAST(${value} AS ${sql})`)
}

const row = fc.tuple(...NAMES.map(cell))
const specField = fc
  .constantFrom(...NAMES)
  .chain((name) => fc.record({ name: fc.constant(name), transform: fc.constantFrom(...COLUMNS[name]!.transforms) }))
const spec = fc.uniqueArray(specField, { minLength: 1, maxLength: 2, selector: ({ name }) => name })

const comparison = (names: readonly string[]) =>
  fc.constantFrom(...names).chain((name) => {
    const constant = cell(name)
    const op = fc.constantFrom('=', '<', '<=', '>', '>=', '<>')
    const arms: fc.Arbitrary<string>[] = [
      fc.tuple(op, constant).map(([o, value]) => `${name} ${o} ${value}`),
      fc.tuple(constant, constant).map((values) => `${name} IN (${values.join(', ')})`),
      fc.tuple(constant, constant).map(([a, b]) => `${name} BETWEEN ${a} AND ${b}`),
      fc.constantFrom(`${name} IS NULL`, `${name} IS NOT NULL`),
    ]
    const prefix = fc.constantFrom('a', 'ab', 'abcd', 'é', 'éé', '😀', '😀😀', 'z', 'é'.repeat(18))
    if (name === 's') arms.push(prefix.map((text) => `s LIKE '${text}%'`))
    return fc.oneof(...arms)
  })
/** Conditions that most often speak of columns by which the table is partitioned. */
const condition = (partitioned: readonly string[]) => {
  const one = fc.oneof({ weight: 3, arbitrary: comparison(partitioned) }, { weight: 1, arbitrary: comparison(NAMES) })
  const pair = fc.tuple(one, one, fc.constantFrom('AND', 'OR'))
  return fc.oneof(
    one,
    pair.map(([a, b, word]) => `(${a} ${word} ${b})`),
  )
}

/** The table, attached, and the same rows in one of DuckDB's own. */
async function makeTable(name: string, rows: string[][], fields: LabField[], withStatistics: boolean): Promise<void> {
  const selects = rows.map(
    (cells, k) => `SELECT ${k} AS k, ${cells.map((sql, c) => `${sql} AS ${NAMES[c]}`).join(', ')}`,
  )
  await lab.duck.run(`CREATE TABLE ${name} AS ${selects.join(' UNION ALL ')}`)
  const table = new ForeignTable(lab, name, { fields: FIELDS, spec: fields })
  const files = await table.writeParts(`FROM ${name}`)
  table.commit([{ entries: files.map((file) => ({ file: withStatistics ? file : { ...file, columns: new Map() } })) }])
  table.finish()
  await lab.warehouse.attach(name, table.dir, { type: 'iceberg' })
}

test(
  'with every transform, whatever is asked',
  async () => {
    let number = 0
    let queries = 0
    let pruned = 0
    const cases = spec.chain((fields) =>
      fc.record({
        rows: fc.array(row, { minLength: 12, maxLength: 24 }),
        fields: fc.constant(fields),
        withStatistics: fc.boolean(),
        conditions: fc.array(condition(fields.map(({ name }) => name)), { minLength: QUERIES, maxLength: QUERIES }),
      }),
    )
    const property = fc.asyncProperty(cases, async ({ rows, fields, withStatistics, conditions }) => {
      const name = `p${++number}`
      const labFields = fields.map(({ name: column, transform }, k) => ({
        columnId: FIELDS.find((candidate) => candidate.name === column)!.id,
        transform,
        name: transform === 'identity' ? column : `${column} ${k}`,
        fieldId: 1000 + k,
      }))
      await makeTable(name, rows, labFields, withStatistics)
      for (const where of conditions) {
        const { rows: found, stats } = await lab.warehouse.sql(`SELECT k FROM ${name} WHERE ${where} ORDER BY k`)
        const wanted = await lab.judge(`SELECT k FROM ${name} WHERE ${where} ORDER BY k`)
        expect(
          found.map(({ k }) => [k]),
          `${JSON.stringify(labFields)} ${where}`,
        ).toEqual(wanted)
        queries++
        if (stats.filesPruned > 0) pruned++
      }
    })
    await fc.assert(property, { numRuns: TABLES, seed: tortureSeed(), endOnFailure: true })
    expect(pruned).toBeGreaterThan(queries / 3)
  },
  tortureTimeout(60_000),
)
