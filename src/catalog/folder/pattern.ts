/** Which files below a folder a pattern names. */
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'

/** The pattern when none is given: Parquet files at any depth. */
export const DEFAULT_PATTERN = '*.parquet'

/** A pattern that is ready to use. */
export interface PathPattern {
  matches(path: string): boolean
  /** False for a folder (ending in `/`) below which no path can match. */
  mayHold(folder: string): boolean
}

/**
 * The pattern that this glob means: `*` and `?` stay inside one name, `**` crosses folders, everything else is itself.
 * A glob without `/` is about the file's name at any depth, one with `/` about the whole path below the folder.
 * Files and folders that start with `.` or `_` are left out, save folders of Hive partitions (`_day=3`).
 *
 * @throws ARGUMENT_INVALID for a glob that is empty, absolute, or far too long
 * @example compilePattern('2026/**' + '/*.parquet').matches('2026/11/20/a.parquet') // true
 */
export function compilePattern(glob: string): PathPattern {
  if (glob === '' || glob.startsWith('/') || glob.length > SETTINGS.patternCharacters.default) {
    throw new SkepError(
      'ARGUMENT_INVALID',
      `pattern "${glob.slice(0, 100)}": expected a glob such as ${DEFAULT_PATTERN}`,
      {
        argument: 'pattern',
      },
    )
  }
  const inAnyFolder = !glob.includes('/')
  const parts = glob
    .replace(/^(?:\.\/)+/, '')
    .split('/')
    .map(compilePart)
  return {
    matches: (path) => {
      const names = path.split('/')
      if (isHidden(names)) return false
      return reach(inAnyFolder ? names.slice(-1) : names, parts).has(parts.length)
    },
    mayHold: (folder) => {
      const names = folder.slice(0, -1).split('/')
      if (isHidden([...names, '*'])) return false
      return inAnyFolder || [...reach(names, parts)].some((at) => at < parts.length)
    },
  }
}

type Part = '**' | ((name: string) => boolean)

function compilePart(part: string): Part {
  return part === '**' ? '**' : (name) => matchName(name, part)
}

function isHidden(names: string[]): boolean {
  return names.some((name, index) => /^[._]/.test(name) && (index === names.length - 1 || !name.includes('=')))
}

/** The parts that may come after these names, `parts.length` for the end; in time proportional to names × parts. */
function reach(names: string[], parts: Part[]): Set<number> {
  let reached = closure(new Set([0]), parts)
  for (const name of names) {
    const next = new Set<number>()
    for (const at of reached) {
      const part = parts[at]
      if (part === '**') next.add(at)
      else if (part?.(name)) next.add(at + 1)
    }
    reached = closure(next, parts)
  }
  return reached
}

/** `**` may also stand for no folder at all. */
function closure(reached: Set<number>, parts: Part[]): Set<number> {
  for (const at of reached) if (parts[at] === '**') reached.add(at + 1)
  return reached
}

/** In time proportional to the product of the lengths: on a mismatch only the last `*` is given one character more. */
function matchName(name: string, part: string): boolean {
  let at = 0
  let star = -1
  let retry = 0
  for (let i = 0; i < name.length; ) {
    const wanted = part[at]
    if (wanted === '*') {
      star = at++
      retry = i
    } else if (wanted === '?' || (wanted !== undefined && wanted === name[i])) {
      at++
      i++
    } else if (star >= 0) {
      at = star + 1
      i = ++retry
    } else return false
  }
  while (part[at] === '*') at++
  return at === part.length
}
