/** DuckDB's JSON form of a SELECT: reading it without losing digits, and walking it. */

/** A node of the tree: JSON objects, lists and values; numbers that JavaScript would print differently are kept as raw JSON. */
export type TreeNode = { readonly [key: string]: unknown }

/** What `json_serialize_sql` answers. */
export type SerializedSql =
  | { error: false; statements: { node: TreeNode }[] }
  | { error: true; error_type: string; error_message: string; error_subtype?: string; position?: string }

interface RawJson {
  rawJSON(text: string): unknown
  parse(text: string, reviver: (key: string, value: unknown, context: { source?: string }) => unknown): unknown
}

const rawJson = JSON as unknown as RawJson

/** The parsed answer of `json_serialize_sql`, every number printable again as it was: of integers no digit is lost, and 1.0 stays a float. */
export function readTree(text: string): SerializedSql {
  const json = text.replaceAll(NOWHERE, '"query_location":0')
  // Most trees have no such number; without the look at every value a large one is read in a tenth of the time.
  if (!ALTERED_NUMBER.test(json)) return JSON.parse(json) as SerializedSql
  return rawJson.parse(withoutInfinity(json), (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source ? rawJson.rawJSON(source) : value,
  ) as SerializedSql
}

/** The place of what stands nowhere in the text: a number that JavaScript lacks. In a text of the tree its quotes are escaped. */
const NOWHERE = '"query_location":18446744073709551615'

/** What may be a number that JavaScript prints in another way, or cannot read. */
const ALTERED_NUMBER = /[:,[](?:-?(?:\d{16}|\d+[.eE]|Infinity)|-0)/

/** DuckDB writes floats beyond all bounds as `Infinity`, which JSON lacks. */
function withoutInfinity(json: string): string {
  if (!json.includes('Infinity')) return json
  return json.replaceAll(/"(?:[^"\\]|\\.)*"|Infinity/g, (token) => (token === 'Infinity' ? '1e999' : token))
}

/** The JSON of a statement that selects these expressions, for `json_deserialize_sql`. */
export function selectOf(expressions: readonly TreeNode[]): string {
  const node = {
    type: 'SELECT_NODE',
    modifiers: [],
    cte_map: { map: [] },
    select_list: expressions,
    from_table: { type: 'EMPTY', alias: '', sample: null },
    where_clause: null,
    group_expressions: [],
    group_sets: [],
    aggregate_handling: 'STANDARD_HANDLING',
    having: null,
    sample: null,
    qualify: null,
  }
  return JSON.stringify({ error: false, statements: [{ node }] })
}

/** True for an object of the tree (not a list, not null). */
export function isNode(value: unknown): value is TreeNode {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The objects of a list of the tree; empty when the value is no list. */
export function nodes(value: unknown): TreeNode[] {
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** A text of the tree, or the empty string. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
