/** The line of a record of CSV. */
import { SETTINGS } from '../../config.ts'
import { isSkepError, SkepError } from '../../errors.ts'
import { delimiterOf } from '../readers.ts'
import { firstLine, type SourceFile, textOf } from '../sources.ts'
import { csvCutter } from './records.ts'

/** The error, with the line of the file: the engine counts records, blank lines among them, and takes no notice of line ends in quotes. */
export async function withLine(error: unknown, files: readonly SourceFile[]): Promise<unknown> {
  if (!isSkepError(error, 'ROW_INVALID') || error.details.line === undefined) return error
  const { file: label, line: nth } = error.details
  const file = files.find((source) => source.label === label && source.format === 'csv')
  const line = file && (await lineOfRecord(file, nth))
  if (line === undefined || line === nth) return error
  const message = error.message.replace(`line ${nth}:`, `line ${line}:`)
  return new SkepError('ROW_INVALID', message, { ...error.details, line }, { cause: error })
}

/** On which line the nth record begins; undefined when there is none. */
async function lineOfRecord(file: SourceFile, nth: number): Promise<number | undefined> {
  const cutter = csvCutter(delimiterOf(await firstLine(file)), true)
  let rest: Buffer = Buffer.alloc(0)
  let before = 0
  for await (const part of textOf(file, SETTINGS.bufferBytes.default)) {
    rest = Buffer.concat([rest, part])
    const { found, used } = cutter.cut(rest, false)
    if (before + found.length >= nth) return found[nth - before - 1]!.line
    before += found.length
    rest = rest.subarray(used)
  }
  return cutter.cut(rest, true).found[nth - before - 1]?.line
}
