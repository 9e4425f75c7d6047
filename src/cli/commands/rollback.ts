/** `skep rollback`. */
import { wholeNumber } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { visible } from '../output/width.ts'

/** Makes an earlier snapshot of a table the current one. */
export const rollbackCommand = defineCommand({
  summary: 'Makes an earlier snapshot of a table the current one',
  usage: 'skep rollback T --to SNAPSHOT',
  description: 'The history stays: what was rolled back can be rolled forward again, until it expires.',
  arguments: [{ name: 'T', help: 'Name of the table.' }],
  flags: {
    to: { value: 'SNAPSHOT', required: true, help: 'Id of the snapshot, as `skep snapshots T` shows it.' },
  },
  examples: [
    { line: 'skep rollback events --to 4503599627370497', does: 'the table is again as that snapshot has it' },
  ],
  run: async ({ arguments: [table], flags, open, json, document, confirm }) => {
    const snapshot = wholeNumber('to', flags.to, 0)
    const warehouse = await open()
    const result = await warehouse.rollback(table!, snapshot)
    if (json) await document(result)
    else await confirm(`${visible(table!)}: snapshot ${snapshot} is the current one`)
  },
})
