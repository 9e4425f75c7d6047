/** The log of a server: one JSON document a line, or a line for people on a terminal. */
import type { FastifyBaseLogger } from 'fastify'
import pino from 'pino'

/** How much is logged. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Where a server writes what it does. */
export type Log = FastifyBaseLogger

/** A log that writes nothing. */
export const SILENT: Log = pino({ level: 'silent' })

/** A log of this level and of greater ones. */
export function openLog(level: LogLevel, stream: { write(text: string): unknown; isTTY?: boolean }): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    // Requests, answers and errors are logged by what is taken from them, never as they are.
    serializers: { req: () => undefined, res: () => undefined, err: errorDocument },
  }
  const write = (line: string) => void stream.write(stream.isTTY ? terminalLine(line) : line)
  return pino(options, { write })
}

/** Of an error its name, code, message and stack, and those of its causes. */
export function errorDocument(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  const { code } = error as { code?: unknown }
  return {
    name,
    ...(typeof code === 'string' && { code }),
    message,
    stack,
    ...(cause !== undefined && depth < 5 && { cause: errorDocument(cause, depth + 1) }),
  }
}

/** A line of the log for people: time, level, message, and the rest as `name=value`. Texts of others stay quoted. */
export function terminalLine(line: string): string {
  const { time, level, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${fieldText(value)}`)
  const words = [String(time).slice(11, 19), String(level).padEnd(5), fieldText(msg ?? ''), ...fields]
  return `${words.join(' ')}\n${stackText(err)}`
}

function fieldText(value: unknown): string {
  return typeof value === 'string' && /^[\w .:/,;@()[\]-]*$/.test(value) ? value : printable(JSON.stringify(value))
}

/** JSON escapes only the first of the control characters. */
function printable(text: string): string {
  return text.replaceAll(/\p{C}/gu, (sign) => `\\u{${sign.codePointAt(0)!.toString(16)}}`)
}

function stackText(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const { stack, message, cause } = error as Record<string, unknown>
  const lines = String(stack ?? message).split('\n')
  return lines.map((line) => `  ${printable(line)}\n`).join('') + stackText(cause)
}
