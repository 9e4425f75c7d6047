/** `skep register`. */
import type { RegisterResult } from '../../inputs/register.ts'
import { defineCommand } from '../command.ts'
import { TIME_UNIT_FLAG } from '../key-flags.ts'
import { counted, sizeText } from '../output/numbers.ts'
import { visible } from '../output/width.ts'

/** Makes a folder of Parquet files a table, in place. */
export const registerCommand = defineCommand({
  summary: 'Makes a folder of Parquet files a read-only table, in place',
  usage:
    'skep register T PATH --actor COL --time COL [--time-unit s|ms|us|ns] [--pattern GLOB] [--validate single|first_last|sample|all] [--refresh]',
  description:
    'Nothing is copied. Queries may rely on each actor being in one file only when every file was checked (`--validate all`) and it is so; they are right in any case.',
  arguments: [
    { name: 'T', help: 'Name of the table.' },
    { name: 'PATH', help: 'The folder.' },
  ],
  flags: {
    actor: { value: 'COL', required: true, help: 'Column that says who acts.' },
    time: { value: 'COL', required: true, help: 'Column that says when.' },
    'time-unit': TIME_UNIT_FLAG,
    pattern: { value: 'GLOB', help: 'Which files below the folder; `*.parquet` at any depth when absent.' },
    validate: {
      value: 'HOW',
      choices: ['single', 'first_last', 'sample', 'all'],
      help: 'How many files are checked for "an actor is in one file only"; `all` when absent.',
    },
    refresh: {
      help: 'Brings a table of the same folder, pattern and keys up to date, examining only what is new or changed; registers it when there is none.',
    },
  },
  examples: [
    { line: 'skep register clicks /data/clicks --actor user_id --time ts', does: 'all Parquet files below the folder' },
    {
      line: "skep register clicks /data/clicks --actor user_id --time ts --time-unit ms --pattern '2026-*/*.parquet'",
      does: 'some of them; times are integers',
    },
    {
      line: 'skep register clicks /data/clicks --actor user_id --time ts --refresh',
      does: 'after files have come: checks the actors of the new ones',
    },
  ],
  run: async (context) => {
    const { flags, signal, json } = context
    const [table, path] = context.arguments
    const warehouse = await context.open()
    let result: RegisterResult
    {
      using bar = context.progress('register')
      result = await warehouse.register(table!, path!, {
        actor: flags.actor,
        time: flags.time,
        ...(flags['time-unit'] === undefined ? {} : { timeUnit: flags['time-unit'] }),
        ...(flags.pattern === undefined ? {} : { pattern: flags.pattern }),
        ...(flags.validate === undefined ? {} : { validate: flags.validate }),
        ...(flags.refresh ? { refresh: true } : {}),
        signal,
        onProgress: (fraction) => bar.update(fraction),
      })
    }
    if (json) return await context.document(result)
    for (const warning of result.warnings) context.warn(warning)
    await context.confirm(registerLine(result))
  },
})

function registerLine({ table, files, rows, bytes, actorsTogether }: RegisterResult): string {
  const actors = actorsTogether ? 'each actor in one file' : 'actors scattered over files'
  return `${visible(table)}: ${counted(files, 'file')} registered (${counted(rows, 'row')}, ${sizeText(bytes)}; ${actors})`
}
