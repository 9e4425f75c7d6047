/** Documents of steps for tests: catalogs as real folders, and DuckDB as the judge, which makes each step a table of its own. */
import { quoteIdentifier, quoteString } from '../../src/common/data-type.ts'
import type { BuzzDocument, BuzzStep } from '../../src/planner/buzz.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import type { Lab } from './import-lab.ts'

/** A document of steps over catalogs that are folders of the lab, by their names. */
export function documentOf(
  lab: Lab,
  steps: readonly BuzzStep[],
  { zones = 1, catalogs = [] }: { zones?: number; catalogs?: readonly string[] } = {},
): BuzzDocument {
  return {
    steps: [...steps],
    capacity: { zones },
    catalogs: catalogs.map((name) => ({ name, type: 'Static', uri: `${lab.dir}/${name}` })),
  }
}

/** A step that reads catalogs. */
export function bee(name: string, sql: string, filter?: string): BuzzStep {
  return { name, sql, step_type: 'HBee', ...(filter !== undefined && { partition_filter: filter }) }
}

/** A step that reads steps. */
export function comb(name: string, sql: string): BuzzStep {
  return { name, sql, step_type: 'HComb' }
}

/** The mock catalog `M(n,k)`: n files of one row, k partition columns, of which each has the number of its file. */
export async function mockCatalog(lab: Lab, name: string, n: number, k: number): Promise<void> {
  for (let i = 1; i <= n; i++) {
    const folders = Array.from({ length: k }, (_, j) => `part_key_${j + 1}=part_value_00${i}/`).join('')
    await lab.write(`SELECT ${i % 2}::BIGINT AS data_col`, `${name}/${folders}file_${i}.parquet`)
  }
}

/** What DuckDB makes of a document, its rows in no order. Filters are conditions of the steps' catalogs; these have at least one Hive folder. */
export async function judgeDocument(lab: Lab, { steps, catalogs = [] }: BuzzDocument): Promise<string[]> {
  for (const [k, { name, sql, partition_filter = 'true' }] of steps.entries()) {
    for (const catalog of catalogs) {
      const files = `read_parquet(${quoteString(`${catalog.uri}/**/*.parquet`)}, hive_partitioning = true)`
      const view = `CREATE OR REPLACE TEMP VIEW ${quoteIdentifier(catalog.name)}`
      const isRead = steps[k]!.step_type === 'HBee' && sql.includes(catalog.name)
      await lab.duck.run(
        `${view} AS SELECT * FROM ${files} AS ${catalog.name} WHERE (\n${isRead ? partition_filter : 'true'}\n)`,
      )
    }
    await lab.duck.run(`CREATE OR REPLACE TEMP TABLE ${quoteIdentifier(name)} AS ${sql.replace(/;\s*(--.*)?$/, '')}`)
  }
  const rows = await lab.duck.runAndReadAll(
    `SELECT to_json("a row")::VARCHAR FROM ${quoteIdentifier(steps.at(-1)!.name)} AS "a row"`,
  )
  for (const { name } of steps) await lab.duck.run(`DROP TABLE ${quoteIdentifier(name)}`)
  for (const { name } of catalogs) await lab.duck.run(`DROP VIEW ${quoteIdentifier(name)}`)
  return rows
    .getRows()
    .map(([row]) => normal(String(row)))
    .sort()
}

/** The rows of a document as texts, in no order. */
export async function rowsOf(
  warehouse: Warehouse,
  document: BuzzDocument,
  options: { pool?: 'inline' | 'threads' } = {},
): Promise<string[]> {
  const { rows } = await warehouse.run(document, options)
  return rows.map((row) => normal(JSON.stringify(row))).sort()
}

/** Numbers that JSON writes as text and as numbers count as the same. */
function normal(row: string): string {
  const values = JSON.parse(row) as Record<string, unknown>
  return JSON.stringify(Object.entries(values).map(([name, value]) => [name, value === null ? null : String(value)]))
}
