/** JSON whose whole numbers are exact: ids of others have 63 bits. */

/** The value of a text; whole numbers that JavaScript would round stay the text that they are. @throws SyntaxError, RangeError */
export function parseExactJson(text: string): unknown {
  return JSON.parse(text, keepDigits)
}

function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  const source = context?.source
  return source !== undefined && /^-?\d+$/.test(source) ? source : value
}
