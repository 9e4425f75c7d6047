/** `skep attach`. */
import { defineCommand } from '../command.ts'
import { TIME_UNIT_FLAG } from '../key-flags.ts'
import { counted, sizeText } from '../output/numbers.ts'
import { visible } from '../output/width.ts'

/** Makes a table that others write one of the warehouse, in place. */
export const attachCommand = defineCommand({
  summary: 'Makes a Delta Lake or Iceberg table of others a read-only table, in place',
  usage: 'skep attach T URI --type delta|iceberg [--actor COL] [--time COL] [--time-unit s|ms|us|ns]',
  description:
    'Nothing is copied, and nothing of the table is ever written. Every query sees its newest state, and `--at` its past. `skep unregister` forgets it.',
  arguments: [
    { name: 'T', help: 'Name of the table.' },
    { name: 'URI', help: 'Folder of the table: a path, or a `file://` URL.' },
  ],
  flags: {
    type: {
      value: 'FORMAT',
      required: true,
      choices: ['delta', 'iceberg'],
      help: 'Who writes it: Delta Lake or Apache Iceberg.',
    },
    actor: { value: 'COL', help: 'Column that says who acts; behavioural queries need it.' },
    time: { value: 'COL', help: 'Column that says when; behavioural queries need it.' },
    'time-unit': TIME_UNIT_FLAG,
  },
  examples: [
    { line: 'skep attach orders /lake/orders --type delta', does: 'a table of Delta Lake, for SQL' },
    {
      line: 'skep attach clicks file:///lake/clicks --type iceberg --actor user_id --time ts',
      does: 'a table of Iceberg, for behavioural queries too',
    },
  ],
  run: async ({ flags, arguments: [table, uri], signal, open, json, document, confirm }) => {
    const warehouse = await open()
    const made = await warehouse.attach(table!, uri!, {
      type: flags.type as 'delta' | 'iceberg',
      ...(flags.actor === undefined ? {} : { actor: flags.actor }),
      ...(flags.time === undefined ? {} : { time: flags.time }),
      ...(flags['time-unit'] === undefined ? {} : { timeUnit: flags['time-unit'] }),
      signal,
    })
    if (json) return await document(made)
    const { name, files, rows, bytes } = made
    await confirm(`${visible(name)}: attached (${counted(files, 'file')}, ${counted(rows, 'row')}, ${sizeText(bytes)})`)
  },
})
