/** `skep tables`. */
import { defineCommand } from '../command.ts'
import { countText, sizeText } from '../output/numbers.ts'
import { drawTable } from '../output/table.ts'

/** Lists the tables. */
export const tablesCommand = defineCommand({
  summary: 'Lists the tables of the warehouse',
  usage: 'skep tables',
  arguments: [],
  flags: {},
  examples: [
    { line: 'skep tables', does: 'names, keys and sizes' },
    { line: 'skep tables --json', does: 'the same as a JSON list' },
  ],
  run: async ({ open, json, document, stdout, style, width, note, warn }) => {
    const warehouse = await open()
    const tables = await warehouse.tables()
    if (json) return await document(tables)
    if (tables.length === 0) return note(`no tables in ${warehouse.root}; \`skep import\` makes one`)
    const { lines } = drawTable(
      [
        { title: 'table' },
        { title: 'kind' },
        { title: 'actor' },
        { title: 'time' },
        { title: 'columns', align: 'right' },
        { title: 'files', align: 'right' },
        { title: 'rows', align: 'right' },
        { title: 'size', align: 'right' },
      ],
      tables.map(({ name, kind, format, actor = '', time = '', error, columns, files, rows, bytes }) => [
        name,
        error ? 'damaged' : format === undefined ? kind : `${kind} (${format})`,
        actor,
        time,
        ...(error ? ['', '', '', ''] : [countText(columns), countText(files), countText(rows), sizeText(bytes)]),
      ]),
      { style, width },
    )
    await stdout.write(`${lines.join('\n')}\n`)
    for (const { name, error } of tables) if (error) warn(`${name}: ${error.message}`)
  },
})
