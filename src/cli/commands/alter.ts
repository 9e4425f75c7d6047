/** `skep alter`. */
import type { Alteration } from '../../catalog/alteration.ts'
import { invalid } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { visible } from '../output/width.ts'

/** Changes columns of a managed table. */
export const alterCommand = defineCommand({
  summary: 'Renames, drops, widens and comments columns of a managed table',
  usage: 'skep alter T [--rename OLD=NEW] [--drop C] [--widen C=TYPE] [--comment [C=]TEXT]',
  description:
    'All changes are made at once or none; names are those from before, so that two columns can swap theirs. No file is written anew: the past keeps its columns.',
  arguments: [{ name: 'T', help: 'Name of the table.' }],
  flags: {
    rename: {
      value: 'OLD=NEW',
      repeated: true,
      help: 'Gives a column another name; a key stays the key.',
    },
    drop: { value: 'C', repeated: true, help: 'Drops a column that is no key of the table.' },
    widen: {
      value: 'C=TYPE',
      repeated: true,
      help: 'Makes a column wider: INTEGER to BIGINT, FLOAT to DOUBLE, DECIMAL to more digits before the point.',
    },
    comment: {
      value: '[C=]TEXT',
      repeated: true,
      help: 'Says what the table is about, or the column when the text begins with the name of one and `=`; `=TEXT` is always for the table, no TEXT removes.',
    },
  },
  examples: [
    { line: 'skep alter events --rename uid=user_id --drop tmp', does: 'one commit for both' },
    { line: "skep alter orders --widen 'amount=DECIMAL(18,2)'", does: 'old files are read as the wider type' },
    {
      line: "skep alter orders --comment 'paid orders' --comment 'amount=in euros'",
      does: '`skep describe` shows both',
    },
  ],
  run: async ({ arguments: [table], flags, open, json, document, confirm }) => {
    const warehouse = await open()
    const { columns } = await warehouse.describe(table!)
    const names = new Set(columns.map(({ name }) => name.toLowerCase()))
    const alteration = readAlteration(flags, names)
    const changed = await warehouse.alter(table!, alteration)
    if (json) await document({ table, changed })
    else await confirm(`${visible(table!)}: ${changed ? 'altered' : 'was so already'}`)
  },
})

interface Flags {
  rename: readonly string[]
  drop: readonly string[]
  widen: readonly string[]
  comment: readonly string[]
}

function readAlteration({ rename, drop, widen, comment }: Flags, names: ReadonlySet<string>): Alteration {
  const cut = comment.map((text) => ({ text, pair: text.startsWith('=') ? undefined : cutAtColumn(text, names) }))
  const texts = cut.flatMap(({ text, pair }) => (pair ? [] : [text.replace(/^=/, '')]))
  if (texts.length > 1)
    throw invalid('comment', 'the table can have one comment; the name of a column and = make it the column’s')
  return {
    rename: readPairs('rename', 'OLD=NEW', rename, names),
    drop,
    widen: readPairs('widen', 'C=TYPE', widen, names),
    comments: toRecord(
      'comment',
      cut.flatMap(({ pair }) => (pair ? [pair] : [])),
    ),
    ...(texts[0] === undefined ? {} : { comment: texts[0] }),
  }
}

type Pair = readonly [name: string, text: string]

function readPairs(
  flag: string,
  form: string,
  texts: readonly string[],
  names: ReadonlySet<string>,
): Record<string, string> {
  const pairs = texts.map((text): Pair => {
    const at = text.indexOf('=')
    if (at < 0) throw invalid(flag, `--${flag} ${text}: expected ${form}`)
    return cutAtColumn(text, names) ?? [text.slice(0, at), text.slice(at + 1)]
  })
  return toRecord(flag, pairs)
}

/** Cut at the first `=` that comes after the name of a column: names may hold one themselves. */
function cutAtColumn(text: string, names: ReadonlySet<string>): Pair | undefined {
  for (let at = text.indexOf('='); at >= 0; at = text.indexOf('=', at + 1)) {
    if (names.has(text.slice(0, at).toLowerCase())) return [text.slice(0, at), text.slice(at + 1)]
  }
  return undefined
}

function toRecord(flag: string, pairs: readonly Pair[]): Record<string, string> {
  const record = new Map<string, string>()
  for (const [name, text] of pairs) {
    if (record.has(name)) throw invalid(flag, `--${flag} stands twice for the column "${name}"`)
    record.set(name, text)
  }
  return Object.fromEntries(record)
}
