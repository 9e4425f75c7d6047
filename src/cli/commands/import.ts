/** `skep import`. */

import { durationText } from '../../common/duration-text.ts'
import type { ImportOptions, ImportProgress, ImportResult } from '../../inputs/import.ts'
import { wholeNumber } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { TIME_UNIT_FLAG } from '../key-flags.ts'
import { counted, sizeText } from '../output/numbers.ts'
import { visible } from '../output/width.ts'
import { readTypes } from '../types-flag.ts'

/** Brings files into a managed table. */
export const importCommand = defineCommand({
  summary: 'Brings Parquet, CSV or NDJSON files into a table',
  usage:
    'skep import FILE… --table T [--actor COL] [--time COL] [--time-unit s|ms|us|ns] [--buckets N] [--replace] [--once] [--rejects FILE] [--types COL=TYPE,…] [--format parquet|csv|ndjson]',
  description:
    'The table is made when there is none, its columns as the files have them; else rows are appended, and columns that are new or wider become so in the table. All files or none: a failed import changes nothing.',
  arguments: [
    { name: 'FILE', repeated: true, help: 'Files and globs, `.gz` and `.zst` too; `-` is the standard input.' },
  ],
  flags: {
    table: { value: 'T', required: true, help: 'Name of the table.' },
    actor: { value: 'COL', help: 'Column that says who acts; behavioural queries need it.' },
    time: { value: 'COL', help: 'Column that says when; behavioural queries need it.' },
    'time-unit': TIME_UNIT_FLAG,
    buckets: { value: 'N', help: 'Buckets of a new table; chosen from its rows when absent.' },
    replace: { help: 'Replaces the rows of the table; its history is kept.' },
    once: {
      help: 'Leaves out files that the table has already, whatever their names; see the guide on importing again.',
    },
    rejects: {
      value: 'FILE',
      help: 'Takes rows of CSV and NDJSON that do not parse, with file, line and reason, as NDJSON or CSV; without it they end the import.',
    },
    types: {
      value: 'COL=TYPE,…',
      repeated: true,
      help: 'Types of columns instead of the inferred ones, by the names of DuckDB.',
    },
    format: {
      value: 'FORMAT',
      choices: ['parquet', 'csv', 'ndjson'],
      help: 'Format of all files, where their names do not say it.',
    },
  },
  examples: [
    {
      line: "skep import 'clicks/*.parquet' --table events --actor user_id --time ts",
      does: 'an event table, ready for funnels',
    },
    { line: "skep import prices.csv --table prices --types 'price=DECIMAL(10,2)'", does: 'a plain table' },
    { line: "skep import 'clicks/*.parquet' --table events --once", does: 'only the files that are new' },
    {
      line: 'skep import prices.csv --table prices --rejects bad-rows.ndjson',
      does: 'the rows that parse; the others are listed in the file',
    },
    { line: 'zcat log.gz | skep import - --table log --format ndjson', does: 'from the standard input' },
  ],
  run: async ({ arguments: files, flags, open, json, signal, progress, document, confirm, note, warn }) => {
    const options: ImportOptions = {
      ...(flags.actor === undefined ? {} : { actor: flags.actor }),
      ...(flags.time === undefined ? {} : { time: flags.time }),
      ...(flags['time-unit'] === undefined ? {} : { timeUnit: flags['time-unit'] }),
      ...(flags.buckets === undefined ? {} : { buckets: wholeNumber('buckets', flags.buckets, 1) }),
      ...(flags.types.length === 0 ? {} : { types: readTypes(flags.types) }),
      ...(flags.format === undefined ? {} : { format: flags.format }),
      replace: flags.replace,
      once: flags.once,
      ...(flags.rejects === undefined ? {} : { rejects: flags.rejects }),
      signal,
    }
    const warehouse = await open()
    let result: ImportResult
    {
      using bar = progress('import')
      const onProgress = (state: ImportProgress) => bar.update(state.fraction, progressDetails(state))
      result = await warehouse.import(flags.table, files, { ...options, onProgress })
    }
    if (result.rejected > 0) warn(`${counted(result.rejected, 'row')} rejected, see ${visible(flags.rejects!)}`)
    if (json) await document(result)
    else {
      await confirm(importLine(result))
      for (const line of changeLines(result)) note(line)
    }
  },
})

function progressDetails({ phase, rows, bytes }: ImportProgress): string {
  return [phase, rows === undefined ? '' : counted(rows, 'row'), bytes === undefined ? '' : sizeText(bytes)]
    .filter((part) => part !== '')
    .join('  ')
}

function importLine(result: ImportResult): string {
  const { table, created, rows, sources, skipped, files, bytes, ms, snapshotId } = result
  const left = skipped.length === 0 ? '' : `, ${counted(skipped.length, 'file')} skipped: imported before`
  if (sources === 0) return `${visible(table)}: nothing imported${left}`
  const what = `${counted(rows, 'row')} from ${counted(sources, 'file')}`
  const written = `${counted(files, 'data file')}, ${sizeText(bytes)}, ${durationText(ms)}`
  return `${visible(table)}: ${what} imported${created ? ' into a new table' : ''} (${written}; snapshot ${snapshotId})${left}`
}

function changeLines({ addedColumns = [], widenedColumns = [] }: ImportResult): string[] {
  return [
    ...addedColumns.map((name) => `new column ${visible(name)}: null in earlier rows`),
    ...widenedColumns.map(({ name, from, to }) => `column ${visible(name)}: now ${to}, was ${from}`),
  ]
}
