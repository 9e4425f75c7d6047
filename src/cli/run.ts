/** Runs one command line: finds the command, reads its flags, reports its errors, closes what it opened. */
import { didYouMean, nearest } from '../common/text.ts'
import { SkepError, toSkepError } from '../errors.ts'
import type { Warehouse } from '../warehouse.ts'
import { checkLine, commandIndex, GLOBAL_FLAGS, invalid, readLine } from './arguments.ts'
import type { Command, CommandContext, Terminal } from './command.ts'
import type { CommandWarehouse } from './command-warehouse.ts'
import { COMMANDS, loadCommands } from './commands.ts'
import { showProgress } from './output/progress.ts'
import { PipeClosed, type Sink, streamSink } from './output/sink.ts'
import { styleOf } from './output/style.ts'
import { errorLines, warningLine } from './report.ts'

/** The exit code of a command line, once all that it says has been written. */
export async function runCli(argv: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
  const stdout = streamSink(terminal.stdout)
  terminal.stderr.on('error', () => {})
  try {
    await dispatch(argv, terminal, stdout, signal)
    return 0
  } catch (cause) {
    if (cause instanceof PipeClosed) return 0
    const error = signal.aborted ? asCancelled(cause) : toSkepError(cause)
    if (!wantsJson(argv)) terminal.stderr.write(errorLines(error, styleOf(terminal.stderr, terminal.env)))
    else await stdout.write(`${JSON.stringify({ error })}\n`).catch(() => {})
    return error.exitCode
  }
}

function asCancelled(cause: unknown): SkepError {
  return cause instanceof SkepError ? cause : new SkepError('CANCELLED', 'the call was cancelled', {}, { cause })
}

/** Whether `--json` was asked for, even in a line that cannot be read. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return argv.slice(0, end < 0 ? undefined : end).includes('--json')
}

async function dispatch(argv: readonly string[], terminal: Terminal, stdout: Sink, signal: AbortSignal): Promise<void> {
  const at = commandIndex(argv)
  if (at === undefined) return await withoutCommand(argv, terminal, stdout)
  const name = argv[at]!
  const command = await findCommand(name)
  const line = readLine(argv.toSpliced(at, 1), { ...GLOBAL_FLAGS, ...command.flags })
  if (line.flags.help) return await showHelp(name, command, terminal, stdout, line.flags.json === true)
  if (line.flags.version) return await showVersion(stdout, line.flags.json === true)
  checkLine(name, command, line)
  const place = placeOf(line.flags.warehouse as string | undefined, terminal)
  let folder: Promise<Warehouse> | undefined
  let served: Promise<CommandWarehouse> | undefined
  const openFolder = async () => {
    folder ??= openWarehouse(name, place, terminal)
    return await folder
  }
  const open = async () => {
    if (!isAddress(place)) return await openFolder()
    served ??= openServed(place, terminal, signal)
    return await served
  }
  try {
    await command.run({
      ...contextOf(line.flags, terminal, stdout, signal),
      arguments: line.arguments,
      open,
      openFolder,
    })
  } finally {
    for (const opened of [folder, served]) await (await opened?.catch(() => undefined))?.close()
  }
}

async function withoutCommand(argv: readonly string[], terminal: Terminal, stdout: Sink): Promise<void> {
  const { flags } = readLine(argv, GLOBAL_FLAGS)
  if (flags.version && !flags.help) return await showVersion(stdout, flags.json === true)
  if (flags.json && !flags.help) throw invalid('COMMAND', 'a command is missing; `skep --help` lists them')
  const { commandDocument, globalHelp } = await import('./help.ts')
  const commands = await loadCommands()
  if (!flags.json) return await stdout.write(globalHelp(commands, styleOf(terminal.stdout, terminal.env)))
  const documents = [...commands].map(([name, command]) => commandDocument(name, command))
  await stdout.write(`${JSON.stringify({ commands: documents })}\n`)
}

async function findCommand(name: string): Promise<Command> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (load) return await load()
  const near = nearest(name, Object.keys(COMMANDS))
  const hint = near === undefined ? '; `skep --help` lists them' : didYouMean(near)
  throw invalid(name, `unknown command "${name}"${hint}`, near)
}

async function showHelp(
  name: string,
  command: Command,
  terminal: Terminal,
  stdout: Sink,
  json: boolean,
): Promise<void> {
  const { commandDocument, commandHelp } = await import('./help.ts')
  const text = json
    ? `${JSON.stringify(commandDocument(name, command))}\n`
    : commandHelp(command, styleOf(terminal.stdout, terminal.env))
  await stdout.write(text)
}

async function showVersion(stdout: Sink, json: boolean): Promise<void> {
  const { packageVersion } = await import('./package-root.ts')
  const version = packageVersion()
  await stdout.write(`${json ? JSON.stringify({ version }) : version}\n`)
}

/** Where the warehouse is: a folder, or the address of a server; undefined for the folder that is the default. */
function placeOf(location: string | undefined, { env }: Terminal): string | undefined {
  if (location === '') throw invalid('warehouse', '--warehouse needs the name of a folder, or the address of a server')
  return location ?? (isAddress(env.SKEP_WAREHOUSE) ? env.SKEP_WAREHOUSE : undefined)
}

function isAddress(place: string | undefined): place is string {
  return place !== undefined && /^https?:/i.test(place)
}

async function openServed(url: string, { env }: Terminal, signal: AbortSignal): Promise<CommandWarehouse> {
  const { ServedWarehouse } = await import('./served-warehouse.ts')
  return new ServedWarehouse(url, { env, signal })
}

async function openWarehouse(name: string, location: string | undefined, { env }: Terminal): Promise<Warehouse> {
  if (isAddress(location)) {
    throw invalid(
      'warehouse',
      `\`skep ${name}\` works on a folder, and ${location} is a server; name the folder with --warehouse`,
    )
  }
  const { Warehouse } = await import('../warehouse.ts')
  return await Warehouse.open(location, { env })
}

function contextOf(
  flags: Record<string, string | boolean | string[] | undefined>,
  terminal: Terminal,
  stdout: Sink,
  signal: AbortSignal,
): Omit<CommandContext, 'arguments' | 'open' | 'openFolder'> {
  const quiet = flags.quiet === true
  const note = (line: string) => {
    if (!quiet) terminal.stderr.write(`${line}\n`)
  }
  return {
    flags: flags as CommandContext['flags'],
    json: flags.json === true,
    quiet,
    terminal,
    signal,
    stdout,
    style: styleOf(terminal.stdout, terminal.env),
    width: (terminal.stdout.isTTY && terminal.stdout.columns) || undefined,
    document: (value) => stdout.write(`${JSON.stringify(value)}\n`),
    confirm: async (line) => {
      if (!quiet) await stdout.write(`${line}\n`)
    },
    note,
    warn: (message) => note(warningLine(message, styleOf(terminal.stderr, terminal.env))),
    progress: (label) => showProgress(quiet ? undefined : terminal, label),
  }
}
