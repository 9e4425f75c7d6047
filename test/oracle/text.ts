/** Queries as JSON text. */

/** JSON of a value; integers beyond doubles keep their digits. */
export function queryText(value: unknown): string {
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return `[${value.map(queryText).join(', ')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const fields = Object.entries(value).filter(([, each]) => each !== undefined)
  return `{${fields.map(([key, each]) => `${JSON.stringify(key)}: ${queryText(each)}`).join(', ')}}`
}
