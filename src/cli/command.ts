/** What a command is: its flags and arguments as data (help, the reference page and the parser read them), and what it does. */
import type { Warehouse } from '../warehouse.ts'
import type { CommandWarehouse } from './command-warehouse.ts'
import type { Progress } from './output/progress.ts'
import type { Sink } from './output/sink.ts'
import type { Style } from './output/style.ts'

/** A stream of bytes to a terminal, a pipe or a file. */
export type OutStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number }

/** The process as commands see it. */
export interface Terminal {
  stdin: NodeJS.ReadableStream & { isTTY?: boolean; destroy(): unknown }
  stdout: OutStream
  stderr: OutStream
  env: Record<string, string | undefined>
}

/** A flag. Without `value` it is a switch. */
export interface FlagSpec {
  /** Placeholder of the value: `FILE`. */
  value?: string
  /** The values that it takes, where they are few. */
  choices?: readonly string[]
  /** True when it may stand several times. */
  repeated?: boolean
  /** True when the command does not run without it. */
  required?: boolean
  /** The letter of its short form. */
  short?: string
  help: string
}

/** Flags by name, without the dashes. */
export type FlagSpecs = Readonly<Record<string, FlagSpec>>

type TextOf<F> = F extends { choices: readonly (infer C)[] } ? C : string

/** What the parser makes of a flag: its text, a list of texts, or whether the switch is set. */
export type FlagValue<F extends FlagSpec> = F extends { value: string }
  ? F extends { repeated: true }
    ? TextOf<F>[]
    : F extends { required: true }
      ? TextOf<F>
      : TextOf<F> | undefined
  : boolean

/** The values of all flags. */
export type FlagValues<F extends FlagSpecs> = { readonly [K in keyof F]: FlagValue<F[K]> }

/** An argument that is found by its place. */
export interface ArgumentSpec {
  name: string
  /** True when it may be left out. */
  optional?: boolean
  /** True when it takes all that are left; only the last one may. */
  repeated?: boolean
  help: string
}

/** A line to try, and what it does. */
export interface Example {
  line: string
  does: string
}

/** What a command is given. */
export interface CommandContext<F extends FlagSpecs = FlagSpecs> {
  flags: FlagValues<F>
  arguments: readonly string[]
  json: boolean
  quiet: boolean
  terminal: Terminal
  /** Aborted by Ctrl-C. */
  signal: AbortSignal
  /** Where the result goes. */
  stdout: Sink
  /** Colours of the standard output. */
  style: Style
  /** Columns of the terminal that the standard output is; undefined elsewhere. */
  width: number | undefined
  /** The warehouse, opened on the first call and closed after the command. */
  open(): Promise<CommandWarehouse>
  /** The same for what only works on a folder. @throws ARGUMENT_INVALID for a server */
  openFolder(): Promise<Warehouse>
  /** Writes one JSON document to the standard output. */
  document(value: unknown): Promise<void>
  /** Writes a line to the standard output that says what was done, unless `--quiet`. */
  confirm(line: string): Promise<void>
  /** Writes a line for people to the standard error, unless `--quiet`. */
  note(line: string): void
  /** Writes a warning to the standard error, unless `--quiet`. */
  warn(message: string): void
  /** Shows how far work has come. To be disposed of before anything is written. */
  progress(label: string): Progress
}

/** A command. */
export interface Command<F extends FlagSpecs = FlagSpecs> {
  /** What it does, in a few words. */
  summary: string
  /** How it is written. */
  usage: string
  /** What else there is to know, in a few lines. */
  description?: string
  arguments: readonly ArgumentSpec[]
  flags: F
  examples: readonly Example[]
  run(context: CommandContext<F>): Promise<void>
}

/** The command itself, its context typed after its flags. */
export function defineCommand<const F extends FlagSpecs>(command: Command<F>): Command {
  return command as unknown as Command
}
