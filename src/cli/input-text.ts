/** The text of a query from a file or from the standard input. */

import { addAbortListener } from 'node:events'
import { createReadStream } from 'node:fs'
import { readSettings } from '../config.ts'
import { SkepError, throwIfAborted } from '../errors.ts'
import { invalid } from './arguments.ts'
import type { CommandContext } from './command.ts'

/** The text of a file, or of the standard input for `-`. It ends a little beyond the largest query: what reads it says that it is too large. @throws FILE_NOT_FOUND, FILE_UNREADABLE, ARGUMENT_INVALID for bytes that are not UTF-8 */
export async function readQueryText(
  path: string,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
): Promise<string> {
  const limit = readSettings(terminal.env).queryBytes + 1
  const stream = path === '-' ? terminal.stdin : createReadStream(path)
  using _ = addAbortListener(signal, () => (stream as { destroy(): unknown }).destroy())
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of stream) {
      chunks.push(Buffer.from(chunk))
      length += chunk.length
      if (length > limit) break
    }
  } catch (error) {
    throwIfAborted(signal)
    throw readError(error, path)
  }
  throwIfAborted(signal)
  return decode(Buffer.concat(chunks), path, length > limit)
}

function decode(bytes: Buffer, path: string, cut: boolean): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: cut })
  } catch {
    throw invalid(path, `${path === '-' ? 'the standard input' : path}: the query is not UTF-8 text`)
  }
}

function readError(cause: unknown, path: string): unknown {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new SkepError('FILE_NOT_FOUND', `${path}: no such file`, { file: path }, { cause })
  }
  if (code === 'EISDIR') return invalid(path, `${path}: is a folder`)
  if (code === 'EACCES' || code === 'EPERM') {
    return new SkepError(
      'FILE_UNREADABLE',
      `${path}: may not be read; check its permissions`,
      { file: path },
      { cause },
    )
  }
  return cause
}
