/** One entry of a Delta log: a file with an action on each line. */
import { type Action, type ActionPlace, readAction } from './actions.ts'
import { damagedLog } from './errors.ts'

/** The actions of an entry, in their order. @throws TABLE_INVALID naming the line */
export function readEntry(bytes: Uint8Array, place: ActionPlace): Action[] {
  const lines = decode(bytes, place).split('\n')
  return lines.flatMap((line, k) => {
    if (line.trim() === '') return []
    const action = readAction(parseLine(line, k + 1, place), place)
    return action ? [action] : []
  })
}

function decode(bytes: Uint8Array, { source }: ActionPlace): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw damagedLog(source, 'it is not UTF-8', cause)
  }
}

function parseLine(line: string, number: number, { source }: ActionPlace): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    throw damagedLog(source, `line ${number} is not JSON`, cause)
  }
}
