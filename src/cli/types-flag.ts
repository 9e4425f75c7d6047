/** `--types a=INT,b=DECIMAL(10,2)`. */
import { invalid } from './arguments.ts'

/** Types by column. Pairs are separated by commas outside of parentheses and quotes; a column's name may stand in double quotes. @throws ARGUMENT_INVALID */
export function readTypes(texts: readonly string[]): Record<string, string> {
  const types = new Map<string, string>()
  for (const pair of texts.flatMap(splitPairs)) {
    const match = /^\s*(?:"((?:[^"]|"")+)"|([^"=][^=]*?))\s*=\s*(\S.*?)\s*$/s.exec(pair)
    if (!match) throw invalid('types', `--types ${pair}: expected column=TYPE`)
    const column = match[1]?.replaceAll('""', '"') ?? match[2]!
    if (types.has(column)) throw invalid('types', `--types names the column "${column}" twice`)
    types.set(column, match[3]!)
  }
  return Object.fromEntries(types)
}

function splitPairs(text: string): string[] {
  const pairs: string[] = []
  let depth = 0
  let quoted = false
  let start = 0
  for (let k = 0; k < text.length; k++) {
    const char = text[k]
    if (char === '"') quoted = !quoted
    else if (quoted) continue
    else if (char === '(') depth++
    else if (char === ')') depth--
    else if (char === ',' && depth === 0) {
      pairs.push(text.slice(start, k))
      start = k + 1
    }
  }
  return [...pairs, text.slice(start)]
}
