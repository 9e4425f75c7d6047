/** Queries as JSON text. */

/** JSON of a value. Integers keep all of their digits, as doubles too: a query's text means what it says. */
export function queryText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value).toString()
  if (Array.isArray(value)) return `[${value.map(queryText).join(', ')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const fields = Object.entries(value).filter(([, each]) => each !== undefined)
  return `{${fields.map(([key, each]) => `${JSON.stringify(key)}: ${queryText(each)}`).join(', ')}}`
}
