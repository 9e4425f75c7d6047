/** Relations, evaluated while they are read: `or` below `and` below `not`. */

/** Whether the relation holds, and the conditions that it speaks of. `holds` gives the value of a condition by place. */
export function evaluateRelation(
  text: string,
  names: (string | undefined)[],
  holds: (index: number) => boolean,
): { value: boolean; used: Set<number> } {
  const used = new Set<number>()
  const tokens = tokenize(text, names)
  const primary = (): boolean => {
    const token = tokens.shift()!
    if (token === 'not') return !primary()
    if (token === '(') {
      const value = or()
      tokens.shift()
      return value
    }
    used.add(Number(token))
    return holds(Number(token))
  }
  const chain = (operator: string, operand: () => boolean): boolean[] => {
    const values = [operand()]
    while (tokens[0] === operator) {
      tokens.shift()
      values.push(operand())
    }
    return values
  }
  const and = () => chain('and', primary).every(Boolean)
  const or = () => chain('or', and).some(Boolean)
  const value = or()
  if (tokens.length > 0) throw new Error(`the oracle does not read the relation ${text}`)
  return { value, used }
}

const WORDS: Record<string, string> = { '&&': 'and', '||': 'or', '!': 'not' }

/** `and`, `or`, `not`, parentheses, and conditions by their places. A bare operator stands for all conditions. */
function tokenize(text: string, names: (string | undefined)[]): string[] {
  const words = text.toLowerCase().match(/\$[a-z][a-z_0-9]*|\$\d+|and|or|not|&&|\|\||!|\(|\)/g)!
  const tokens = words.map((word) => {
    if (!word.startsWith('$')) return WORDS[word] ?? word
    const place = names.findIndex((name) => name?.toLowerCase() === word.slice(1))
    return String(place >= 0 ? place : Number(word.slice(1)))
  })
  if (tokens.length > 1 || !['and', 'or'].includes(tokens[0]!)) return tokens
  return names.flatMap((_, index) => (index === 0 ? ['0'] : [tokens[0]!, String(index)]))
}
