/** Which lines are JSON, as the engine sees it. */
import type { RunOptions, Session } from '../../engine/engine.ts'
import type { TextRecord } from './records.ts'

/**
 * The records, with a reason at each that is no JSON or has a key twice. Most are known by a parser at hand; the few that it refuses,
 * or that hold what the engine may refuse, are put to the engine one by one: in a file of lines it takes the line after some
 * damaged ones for lost, too.
 */
export async function judgeLines(
  session: Session,
  bytes: Buffer,
  records: readonly TextRecord[],
  run: RunOptions,
): Promise<TextRecord[]> {
  const judged = [...records]
  const doubtful: { k: number; text: string }[] = []
  for (const [k, record] of records.entries()) {
    if (record.reason !== undefined) continue
    const text = bytes.toString('utf8', record.start, record.end)
    const look = lookAt(text)
    if (look === 'doubtful') doubtful.push({ k, text })
    if (look === 'twice') judged[k] = { ...record, reason: 'a key that is there twice' }
  }
  const verdicts = await areJson(
    session,
    doubtful.map(({ text }) => text),
    run,
  )
  for (const [j, { k, text }] of doubtful.entries()) {
    if (!verdicts[j]) judged[k] = { ...records[k]!, reason: 'not JSON' }
    else if (hasKeyTwice(text)) judged[k] = { ...records[k]!, reason: 'a key that is there twice' }
  }
  return judged
}

function lookAt(text: string): 'sound' | 'doubtful' | 'twice' {
  // Halves of surrogate pairs are text to the parser and damage to the engine.
  if (/\\u[dD][89a-fA-F]/.test(text)) return 'doubtful'
  try {
    const keys = text.match(/"\s*:/g)?.length ?? 0
    return countKeys(JSON.parse(text)) === keys || !hasKeyTwice(text) ? 'sound' : 'twice'
  } catch {
    return 'doubtful'
  }
}

/** Keys at any depth; of one that is there twice, one. */
function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = Array.isArray(value) ? 0 : Object.keys(value).length
  for (const inner of Object.values(value)) count += countKeys(inner)
  return count
}

/** True when an object of a JSON text, at any depth, has a key twice. */
function hasKeyTwice(text: string): boolean {
  const open: Set<string>[] = []
  for (const [token, key] of text.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/gs)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (key !== undefined) {
      const name = JSON.parse(key) as string
      if (open.at(-1)!.has(name)) return true
      open.at(-1)!.add(name)
    }
  }
  return false
}

async function areJson(session: Session, texts: readonly string[], run: RunOptions): Promise<boolean[]> {
  if (texts.length === 0) return []
  const [row] = await session.rows<{ valid: boolean[] }>(
    'SELECT list_transform($1, lambda t: json_valid(t)) AS valid',
    { ...run, params: [texts.map((text) => (text.includes('\0') ? '' : text))] },
  )
  return row!.valid
}
