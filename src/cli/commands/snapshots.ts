/** `skep snapshots`. */
import { defineCommand } from '../command.ts'
import { countText } from '../output/numbers.ts'
import { drawTable } from '../output/table.ts'

/** Shows the history of a table. */
export const snapshotsCommand = defineCommand({
  summary: 'Shows the history of a table, newest last',
  usage: 'skep snapshots T',
  description: 'Each line is a state that `--at` can ask for. A registered table has no history.',
  arguments: [{ name: 'T', help: 'Name of the table.' }],
  flags: {},
  examples: [{ line: 'skep snapshots events', does: 'ids and times for `--at`' }],
  run: async ({ arguments: [table], open, json, document, stdout, style, width, note }) => {
    const warehouse = await open()
    const snapshots = await warehouse.snapshots(table!)
    if (json) return await document(snapshots)
    if (snapshots.length === 0) return note(`${table} has no snapshots`)
    const { lines } = drawTable(
      [
        { title: 'snapshot' },
        { title: 'parent' },
        { title: 'time' },
        { title: 'operation' },
        { title: 'rows added', align: 'right' },
        { title: 'rows', align: 'right' },
      ],
      snapshots.map(({ id, parentId, time, operation, summary }) => [
        String(id),
        parentId === null ? '' : String(parentId),
        time,
        operation,
        countOf(summary['added-records']),
        countOf(summary['total-records']),
      ]),
      { style, width },
    )
    await stdout.write(`${lines.join('\n')}\n`)
  },
})

function countOf(text: string | undefined): string {
  return text === undefined ? '' : countText(Number(text))
}
