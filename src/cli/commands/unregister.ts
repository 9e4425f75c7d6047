/** `skep unregister`. */
import { defineCommand } from '../command.ts'

/** Forgets a registered or attached table. */
export const unregisterCommand = defineCommand({
  summary: 'Forgets a registered or attached table; its files stay',
  usage: 'skep unregister T',
  arguments: [{ name: 'T', help: 'Name of the table.' }],
  flags: {},
  examples: [{ line: 'skep unregister clicks', does: 'the name is free again' }],
  run: async ({ arguments: [table], open, json, document, confirm }) => {
    const warehouse = await open()
    await warehouse.unregister(table!)
    if (json) await document({ table, unregistered: true })
    else await confirm(`unregistered ${table}; its files stay`)
  },
})
