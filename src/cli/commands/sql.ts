/** `skep sql`. */

import { readAt } from '../../api/at-text.ts'
import { SETTINGS } from '../../config.ts'
import type { SqlOptions } from '../../coordinator/calls.ts'
import { AT_FLAG } from '../at.ts'
import { defineCommand, type FlagSpecs } from '../command.ts'
import { readQueryText } from '../input-text.ts'
import { POOL_FLAGS, readPoolFlags } from '../pool-flags.ts'
import { ROWS_FLAGS, ROWS_USAGE, runForRows } from '../run-rows.ts'

const FLAGS = { ...ROWS_FLAGS, at: AT_FLAG, ...POOL_FLAGS } as const satisfies FlagSpecs

const SHOWN_ROWS = SETTINGS.shownRows.default

/** Runs a query in SQL. */
export const sqlCommand = defineCommand({
  summary: 'Runs a query in SQL over the tables of the warehouse',
  usage: `skep sql 'SELECT …' ${ROWS_USAGE} [--at X] [--pool inline|threads] [--max-cost DOLLARS] [--max-bytes SIZE]`,
  description: `The SQL is that of DuckDB. A table shows the first ${SHOWN_ROWS} rows, a file all of them.`,
  arguments: [{ name: 'SQL', help: 'The query; `-` reads it from the standard input.' }],
  flags: FLAGS,
  examples: [
    { line: "skep sql 'SELECT country, count(*) AS n FROM events GROUP BY ALL ORDER BY n DESC'", does: 'a table' },
    { line: "skep sql 'FROM events' --format csv --out events.csv", does: 'all rows into a file' },
    { line: "skep sql 'SELECT count(*) FROM events' --at 2026-11-20", does: 'as it was then' },
    { line: 'skep sql - --format ndjson < report.sql', does: 'a query from a file' },
    {
      line: "skep sql 'SELECT count(*) FROM events' --pool threads --explain",
      does: 'how it would be divided into tasks',
    },
  ],
  run: async (context) => {
    const { flags, signal } = context
    const [sql] = context.arguments as [string]
    const at = readAt(flags.at)
    const options: SqlOptions = { signal, ...(at === undefined ? {} : { at }), ...readPoolFlags(flags) }
    await runForRows(context, async () => (sql === '-' ? await readQueryText('-', context) : sql), options)
  },
})
