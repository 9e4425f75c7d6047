/** `skep drop`. */
import { defineCommand } from '../command.ts'

/** Drops a managed table. */
export const dropCommand = defineCommand({
  summary: 'Drops a managed table and its data',
  usage: 'skep drop T',
  description: 'There is no way back. A registered table is forgotten with `skep unregister` instead.',
  arguments: [{ name: 'T', help: 'Name of the table.' }],
  flags: {},
  examples: [{ line: 'skep drop events', does: 'the table and its data files are gone' }],
  run: async ({ arguments: [table], open, json, document, confirm }) => {
    const warehouse = await open()
    await warehouse.drop(table!)
    if (json) await document({ table, dropped: true })
    else await confirm(`dropped ${table}`)
  },
})
