/** Help, from what the commands say of themselves. */
import { GLOBAL_FLAGS, placeholder } from './arguments.ts'
import type { ArgumentSpec, Command, FlagSpec, FlagSpecs } from './command.ts'
import type { Style } from './output/style.ts'
import { displayWidth, pad } from './output/width.ts'

const TEXT_WIDTH = 100

/** The help of the whole program. */
export function globalHelp(commands: ReadonlyMap<string, Command>, style: Style): string {
  const summaries = [...commands].map(([name, { summary }]) => [name, summary] as const)
  return [
    'Skep: a serverless data warehouse with behavioural queries built in.',
    '',
    `${style('bold', 'Usage:')} skep COMMAND … [--warehouse DIR|URL] [--json] [--quiet]`,
    '',
    style('bold', 'Commands:'),
    ...definitions(summaries),
    '',
    style('bold', 'Flags of every command:'),
    ...definitions(flagLines(GLOBAL_FLAGS)),
    '',
    style('bold', 'Examples:'),
    ...exampleLines(GLOBAL_EXAMPLES),
    '',
    'More on a command: skep COMMAND --help',
    '',
  ].join('\n')
}

const GLOBAL_EXAMPLES = [
  { line: "skep sql 'SELECT 1 + 1'", does: 'SQL, without any table yet' },
  { line: 'skep import clicks.csv --table clicks --actor user_id --time ts', does: 'a file becomes a table' },
  { line: 'skep query clicks --file funnel.json', does: 'who did what, then what' },
]

/** The help of one command. */
export function commandHelp(command: Command, style: Style): string {
  const { summary, usage, description, examples } = command
  const words = command.arguments.map(({ name, help }) => [name, plain(help)] as const)
  const section = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ['', style('bold', `${title}:`), ...lines]
  return [
    `${plain(summary)}.`,
    '',
    ...wrap(`${style('bold', 'Usage:')} ${usage}`, TEXT_WIDTH, '         '),
    ...(description === undefined ? [] : ['', ...wrap(plain(description), TEXT_WIDTH, '')]),
    ...section('Arguments', definitions(words)),
    ...section('Flags', definitions(flagLines(command.flags))),
    ...section('Flags of every command', definitions(flagLines(GLOBAL_FLAGS))),
    ...section('Examples', exampleLines(examples)),
    '',
  ].join('\n')
}

function exampleLines(examples: Command['examples']): string[] {
  return examples.flatMap(({ line, does }) => [`  # ${does}`, `  ${line}`])
}

function flagLines(specs: FlagSpecs): (readonly [string, string])[] {
  return Object.entries(specs).map(([name, spec]) => [flagTitle(name, spec), plain(flagHelp(spec))] as const)
}

/** A flag as help and reference show it: `--format table|json`, `--help, -h`. */
export function flagTitle(name: string, spec: FlagSpec): string {
  const value = placeholder(spec)
  return `--${name}${value === '' ? '' : ` ${value}`}${spec.short ? `, -${spec.short}` : ''}`
}

/** The help of a flag with what its declaration adds. */
export function flagHelp(spec: FlagSpec): string {
  return `${spec.required ? 'Required. ' : ''}${spec.help}${spec.repeated ? ' May be repeated.' : ''}`
}

function plain(text: string): string {
  return text.replaceAll('`', '')
}

function definitions(pairs: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(28, Math.max(0, ...pairs.map(([term]) => displayWidth(term))))
  const indent = ' '.repeat(width + 4)
  return pairs.flatMap(([term, text]) => {
    const lines = wrap(text, TEXT_WIDTH - indent.length, '')
    if (displayWidth(term) > width) return [`  ${term}`, ...lines.map((line) => indent + line)]
    return lines.map((line, k) => (k === 0 ? `  ${pad(term, width)}  ${line}` : indent + line))
  })
}

function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line)
      line = indent + word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

/** What `--help --json` shows of a command. */
export interface CommandDocument {
  command: string
  summary: string
  usage: string
  description?: string
  arguments: readonly ArgumentSpec[]
  flags: readonly (FlagSpec & { name: string })[]
  examples: Command['examples']
}

/** A command as a document, for `--help --json`. */
export function commandDocument(name: string, command: Command): CommandDocument {
  const { summary, usage, description, flags, examples } = command
  return {
    command: name,
    summary,
    usage,
    ...(description === undefined ? {} : { description }),
    arguments: command.arguments,
    flags: Object.entries({ ...flags, ...GLOBAL_FLAGS }).map(([flag, spec]) => ({ name: flag, ...spec })),
    examples,
  }
}
