/** Reads a command line against the flags and arguments that a command declares. */
import { parseArgs } from 'node:util'
import { didYouMean, nearest } from '../common/text.ts'
import { SkepError } from '../errors.ts'
import type { Command, FlagSpec, FlagSpecs } from './command.ts'

/** The flags that every command takes. */
export const GLOBAL_FLAGS = {
  warehouse: {
    value: 'DIR|URL',
    help: 'Folder of the warehouse, or the address of a server (`http://…`, with `SKEP_TOKEN`); `SKEP_WAREHOUSE`, else `./.skep`, when absent.',
  },
  json: { help: 'Writes one JSON document to the standard output and nothing else there, errors included.' },
  quiet: { help: 'No progress, notes, warnings or confirmations.' },
  help: { short: 'h', help: 'Shows help, for a command too.' },
  version: { help: 'Shows the version.' },
} as const satisfies FlagSpecs

/** A command line that was read: flags by name, arguments in order. */
export interface ParsedLine {
  flags: Record<string, string | boolean | string[] | undefined>
  arguments: string[]
}

/** Where the command's name stands in a command line, or undefined when there is none. @throws ARGUMENT_INVALID */
export function commandIndex(argv: readonly string[]): number | undefined {
  for (const token of tokensOf(argv, GLOBAL_FLAGS)) {
    if (token.kind === 'positional') return token.index
    if (token.kind === 'option') checkOption(token, GLOBAL_FLAGS)
  }
  return undefined
}

/** Flags and arguments of a line without its command's name. Absent switches are false, absent lists empty. @throws ARGUMENT_INVALID */
export function readLine(argv: readonly string[], specs: FlagSpecs): ParsedLine {
  const line: ParsedLine = { flags: emptyFlags(specs), arguments: [] }
  for (const token of tokensOf(argv, specs)) {
    if (token.kind === 'positional') line.arguments.push(token.value)
    if (token.kind === 'option') setFlag(line, token, specs)
  }
  return line
}

function emptyFlags(specs: FlagSpecs): ParsedLine['flags'] {
  return Object.fromEntries(
    Object.entries(specs).map(([name, { value, repeated }]) => [
      name,
      value === undefined ? false : repeated ? [] : undefined,
    ]),
  )
}

interface OptionToken {
  kind: 'option'
  name: string
  rawName: string
  index: number
  value?: string | undefined
  inlineValue?: boolean | undefined
}

type Token = OptionToken | { kind: 'positional'; index: number; value: string } | { kind: 'option-terminator' }

/** Node's tokens; what starts like a comment of SQL (`-- top ten`) is no flag. */
function tokensOf(argv: readonly string[], specs: FlagSpecs): Token[] {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { value, short }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short ? { short } : {}) },
    ]),
  )
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true })
  return tokens.map((token) =>
    token.kind === 'option' && /^--\s/.test(argv[token.index]!)
      ? { kind: 'positional', index: token.index, value: argv[token.index]! }
      : token,
  )
}

function setFlag({ flags }: ParsedLine, token: OptionToken, specs: FlagSpecs): void {
  const spec = checkOption(token, specs)
  const { name } = token
  if (spec.value === undefined) {
    flags[name] = true
    return
  }
  const before = flags[name]
  if (Array.isArray(before)) before.push(token.value!)
  else if (before === undefined) flags[name] = token.value!
  else throw invalid(name, `--${name} stands twice`)
}

/** The declaration of a flag that is used as declared. */
function checkOption({ name, rawName, value, inlineValue }: OptionToken, specs: FlagSpecs): FlagSpec {
  const spec = Object.hasOwn(specs, name) ? specs[name] : undefined
  if (spec === undefined) {
    const near = name.length > 1 ? nearest(name, Object.keys(specs)) : undefined
    throw invalid(name, `unknown flag ${rawName}${didYouMean(near && `--${near}`)}`, near)
  }
  if (spec.value === undefined) {
    if (value !== undefined) throw invalid(name, `--${name} takes no value`)
    return spec
  }
  const dashed = !inlineValue && value !== undefined && value.length > 1 && value.startsWith('-')
  if (value === undefined || dashed) {
    const hint = dashed ? `; a value that begins with a dash is written --${name}=VALUE` : ''
    throw invalid(name, `--${name} needs a value: --${name} ${placeholder(spec)}${hint}`)
  }
  if (spec.choices && !spec.choices.includes(value)) {
    const near = nearest(value, spec.choices)
    throw invalid(name, `--${name} ${value}: expected ${spec.choices.join(', ')}${didYouMean(near)}`, near)
  }
  return spec
}

/** What stands for the value of a flag in help: its choices, or its placeholder. */
export function placeholder({ choices, value }: FlagSpec): string {
  return choices?.join('|') ?? value ?? ''
}

/** Checks that a line has what its command needs, and no more. @throws ARGUMENT_INVALID */
export function checkLine(name: string, command: Command, line: ParsedLine): void {
  const specs = command.arguments
  const missing = specs.find((spec, k) => !spec.optional && line.arguments[k] === undefined)
  if (missing) throw invalid(missing.name, `${name} needs ${missing.name}: ${command.usage}`)
  const most = specs.at(-1)?.repeated ? Number.POSITIVE_INFINITY : specs.length
  if (line.arguments.length > most) {
    const extra = line.arguments[most]!
    const hint = name === 'sql' ? '; put the query in quotes' : `: ${command.usage}`
    throw invalid(extra, `unexpected argument "${extra}"${hint}`)
  }
  for (const [flag, spec] of Object.entries(command.flags)) {
    if (spec.required && line.flags[flag] === undefined) {
      throw invalid(flag, `${name} needs --${flag} ${placeholder(spec)}`)
    }
  }
}

/** The number that a flag's text stands for. @throws ARGUMENT_INVALID */
export function wholeNumber(flag: string, text: string, minimum: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (Number.isSafeInteger(value) && value >= minimum) return value
  throw invalid(flag, `--${flag} ${text}: expected a whole number from ${minimum}`)
}

/** The error of a command line. */
export function invalid(argument: string, message: string, near?: string): SkepError<'ARGUMENT_INVALID'> {
  return new SkepError('ARGUMENT_INVALID', message, { argument, ...(near === undefined ? {} : { nearest: near }) })
}
