/** DuckDB's complaints about source files as errors that name file, line and reason. */
import { SkepError } from '../errors.ts'
import type { SourceFile } from './sources.ts'

/** The error of a reader in terms of the source file that it is about; undefined when it is about something else. */
export function sourceError(error: unknown, files: readonly SourceFile[]): SkepError | undefined {
  const message = messageOf(error)
  const file = files.find(({ path }) => message.includes(path)) ?? (files.length === 1 ? files[0] : undefined)
  const label = file?.label ?? 'a file'
  return (
    csvError(message, label) ??
    jsonError(message, label) ??
    conversionError(message, label) ??
    parquetError(message, label, error) ??
    schemaError(message, files)
  )
}

function messageOf(error: unknown): string {
  const cause = error instanceof SkepError ? (error.cause ?? error) : error
  return cause instanceof Error ? cause.message : String(cause)
}

/** True when DuckDB could not even make sense of a CSV file's shape; reading it as plain text tells the line. */
export function isSniffError(error: unknown): boolean {
  return /Error when sniffing file/.test(messageOf(error))
}

function csvError(message: string, label: string): SkepError | undefined {
  const match = /CSV Error on Line: (\d+)\n([\s\S]*?)(?:\n\s*\n\s*(?:Possible|Column| {2}file)|\n\s*Possible|$)/.exec(
    message,
  )
  if (!match) return undefined
  const conversion = /Error when converting column "(.*?)"\. ([^\n]*)/.exec(message)
  const reason = conversion ? `column "${conversion[1]}": ${conversion[2]}` : match[2]!.trim().split('\n').at(-1)!
  return rowInvalid(label, Number(match[1]), reason, conversion?.[1])
}

function jsonError(message: string, label: string): SkepError | undefined {
  const match =
    /(Malformed JSON|JSON transform error) in file "[^"]*", (?:at byte \d+ )?in (?:line|record\/value) (\d+): ([^\n]+)/.exec(
      message,
    )
  if (!match) return undefined
  // Of text that is no JSON, DuckDB names the line after it.
  const line = Number(match[2]) - (match[1] === 'Malformed JSON' ? 1 : 0)
  return rowInvalid(label, line, match[3]!.trim(), undefined)
}

function rowInvalid(label: string, line: number, reason: string, column: string | undefined): SkepError {
  const text = reason.replace(/\.$/, '')
  const hint = column === undefined ? '' : `; if the column is text, say --types ${column}=VARCHAR`
  return new SkepError('ROW_INVALID', `${label}, line ${line}: ${text}${hint}. Nothing was imported`, {
    file: label,
    line,
    reason: text,
  })
}

function conversionError(message: string, label: string): SkepError | undefined {
  const match = /^(?:Conversion|Out of Range) Error: ([^\n]+)/.exec(message)
  if (!match || /CSV Error/.test(message)) return undefined
  return new SkepError('ROW_INVALID', `${label}: ${match[1]}. Nothing was imported`, { file: label, reason: match[1]! })
}

function parquetError(message: string, label: string, cause: unknown): SkepError | undefined {
  const damaged =
    /No magic bytes|too small to be a Parquet|Failed to read file|Decompression|Failed to decompress|Corrupt|TProtocol|Parquet|^Invalid Error: |Invalid (?:Input )?Error: .*(?:page|footer|metadata)|Input is not a (?:GZIP|ZSTD)|Malformed|Error when sniffing file|Failed to (?:detect|read)|CSV Parser state machine|unexpected end|not utf-8|Invalid unicode/i
  if (!damaged.test(message)) return undefined
  const reason = message.replace(/^(?:\w+ )+Error: /, '').split('\n')[0]!
  return new SkepError(
    'FILE_INVALID',
    `${label} is damaged, truncated or not what its name says (${reason.slice(0, 200)})`,
    { file: label },
    { cause },
  )
}

function schemaError(message: string, files: readonly SourceFile[]): SkepError | undefined {
  const match =
    /Schema mismatch between globbed files\.\s*Main file schema: (.*)\n\s*Current file: (.*)\n\s*([^\n]+)/.exec(message)
  if (!match) return undefined
  const labels = [match[1]!, match[2]!].map(
    (path) => files.find((file) => file.path === path.trim())?.label ?? path.trim(),
  )
  return new SkepError('SCHEMA_MISMATCH', `${labels.join(' and ')} have different columns: ${match[3]!.trim()}`, {
    files: labels,
  })
}
