/** The query as something to paste elsewhere. */
import { type Json, printPretty, printShort } from './document.ts'

/** A query with all that it is asked with. */
export interface Asked {
  table: string
  query: Json
  at?: string | undefined
  pool?: string | undefined
}

/** A command for a shell, for the folder in which the warehouse is. */
export function cliSnippet({ table, query, at, pool }: Asked): string {
  const flags = [
    ...(at === undefined ? [] : ['--at', quoted(at)]),
    ...(pool === undefined ? [] : ['--pool', quoted(pool)]),
  ]
  return ['skep query', quoted(table), '--query', quoted(printPretty(query)), ...flags].join(' ')
}

/** Text as a word of a shell. */
function quoted(text: string): string {
  return /^[A-Za-z0-9_./:=@%+][A-Za-z0-9_./:=@%+-]*$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** A program in TypeScript. */
export function typescriptSnippet({ table, query, at, pool }: Asked): string {
  const options = [
    ...(at === undefined ? [] : [`at: ${JSON.stringify(at)}`]),
    ...(pool === undefined ? [] : [`pool: ${JSON.stringify(pool)}`]),
  ]
  const last = options.length > 0 ? `, { ${options.join(', ')} }` : ''
  return `import { Warehouse } from 'skep'

await using warehouse = await Warehouse.open('./.skep')
const result = await warehouse.query(${JSON.stringify(table)}, ${literal(query)}${last})
console.log(result.funnel?.sequence ?? result.query)
`
}

/** JSON as a literal: integers beyond the exact range of numbers keep all of their digits. */
function literal(query: Json): string {
  return printPretty(query, (value) => (typeof value === 'bigint' ? `${value}n` : printShort(value)))
}

/** A request to this server. */
export function curlSnippet(asked: Asked, address: string, needsToken: boolean): string {
  const parts = [
    `curl -sS ${quoted(address)}`,
    "-H 'content-type: application/json'",
    ...(needsToken ? ['-H "authorization: Bearer $SKEP_TOKEN"'] : []),
    `--data-binary ${quoted(printShort(asked.query))}`,
  ]
  return parts.join(' \\\n  ')
}
