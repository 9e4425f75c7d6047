/** `skep run`. */
import { readSettings } from '../../config.ts'
import { defineCommand, type FlagSpecs } from '../command.ts'
import { readQueryText } from '../input-text.ts'
import { POOL_FLAGS, readPoolFlags } from '../pool-flags.ts'
import { ROWS_FLAGS, ROWS_USAGE, runForRows } from '../run-rows.ts'

const FLAGS = { ...ROWS_FLAGS, ...POOL_FLAGS } as const satisfies FlagSpecs

/** Runs a Buzz document. */
export const runCommand = defineCommand({
  summary: 'Runs a Buzz document: steps of SQL over catalogs, or over the tables of the warehouse',
  usage: `skep run DOC.json ${ROWS_USAGE} [--pool inline|threads] [--max-cost DOLLARS] [--max-bytes SIZE]`,
  description:
    'A document has `steps`, `capacity` and, unless its steps read tables of the warehouse, `catalogs`. The rows are those of its last step.',
  arguments: [{ name: 'DOC.json', help: 'The document; `-` reads it from the standard input.' }],
  flags: FLAGS,
  examples: [
    { line: 'skep run delays.json', does: 'the rows of the last step as a table' },
    { line: 'skep run delays.json --format csv --out delays.csv', does: 'all rows into a file' },
    { line: 'skep run delays.json --explain', does: 'which files its partition filters leave, and where it would run' },
  ],
  run: async (context) => {
    const { flags, signal, terminal } = context
    const readDocument = async () => {
      const { parseDocument } = await import('../../planner/buzz.ts')
      return parseDocument(await readQueryText(context.arguments[0]!, context), readSettings(terminal.env))
    }
    await runForRows(context, readDocument, { signal, ...readPoolFlags(flags) })
  },
})
