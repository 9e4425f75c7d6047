/** `skep describe`. */
import { relative } from 'node:path'
import type { ColumnDescription, FileDescription, TableDescription } from '../../coordinator/describe.ts'
import { defineCommand } from '../command.ts'
import { counted, countText, sizeText } from '../output/numbers.ts'
import type { Style } from '../output/style.ts'
import { drawTable, type TableOptions } from '../output/table.ts'
import { pad, visible } from '../output/width.ts'

/** Shows a table's columns, keys and files. */
export const describeCommand = defineCommand({
  summary: 'Shows columns, keys, sizes and value ranges of a table',
  usage: 'skep describe T [--files]',
  arguments: [{ name: 'T', help: 'Name of the table.' }],
  flags: { files: { help: 'Lists every data file too.' } },
  examples: [
    { line: 'skep describe events', does: 'columns with their types, nulls and ranges' },
    { line: 'skep describe events --json', does: 'with `location` and `metadataLocation` for other engines' },
  ],
  run: async ({ arguments: [table], flags, open, json, document, stdout, style, width }) => {
    const warehouse = await open()
    const description = await warehouse.describe(table!, { files: flags.files })
    if (json) return await document(description)
    const options = { style, width }
    const parts = [headLines(description, style), columnLines(description.columns, options)]
    if (description.dataFiles) parts.push(fileLines(description.dataFiles, description.location, options))
    await stdout.write(`${parts.map((lines) => lines.join('\n')).join('\n\n')}\n`)
  },
})

function headLines(table: TableDescription, style: Style): string[] {
  const { actor, time, timeUnit } = table.keys
  const facts: [string, string | undefined][] = [
    ['comment', table.comment],
    ['actor', actor],
    ['time', time && timeUnit ? `${time} (${timeUnit})` : time],
    [
      'actors',
      table.actorsTogether === undefined ? undefined : table.actorsTogether ? 'each in one file' : 'scattered',
    ],
    ['partitions', table.partitioning.join(', ') || undefined],
    ['snapshot', table.snapshotId?.toString()],
    ['location', table.location],
    ['metadata', table.metadataLocation],
  ]
  const kind = table.format === undefined ? table.kind : `${table.kind}, ${table.format}`
  const size = `${counted(table.rows, 'row')}, ${counted(table.files, 'file')}, ${sizeText(table.bytes)}`
  return [
    `${style('bold', visible(table.name))} (${kind}): ${size}`,
    ...facts.flatMap(([name, text]) =>
      text === undefined ? [] : [`  ${style('dim', pad(name, 10))}  ${visible(text)}`],
    ),
  ]
}

function columnLines(columns: readonly ColumnDescription[], options: TableOptions): string[] {
  const commented = columns.some(({ comment }) => comment !== undefined)
  const rows = columns.map(({ name, type, comment, nulls, min, max }) => [
    name,
    type,
    nulls === undefined ? '' : countText(nulls),
    min === undefined ? '' : String(min),
    max === undefined ? '' : String(max),
    ...(commented ? [comment ?? ''] : []),
  ])
  const titles = [
    { title: 'column' },
    { title: 'type' },
    { title: 'nulls', align: 'right' as const },
    { title: 'min' },
    { title: 'max' },
    ...(commented ? [{ title: 'comment' }] : []),
  ]
  return drawTable(titles, rows, options).lines
}

function fileLines(files: readonly FileDescription[], location: string, options: TableOptions): string[] {
  const rows = files.map(({ path, rows, bytes, partition, sorted }) => [
    path.startsWith('/') ? relative(location, path) : path,
    countText(rows),
    sizeText(bytes),
    Object.entries(partition)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
    sorted ? 'yes' : 'no',
  ])
  const titles = [
    { title: 'file' },
    { title: 'rows', align: 'right' as const },
    { title: 'size', align: 'right' as const },
    { title: 'partition' },
    { title: 'sorted' },
  ]
  return drawTable(titles, rows, options).lines
}
