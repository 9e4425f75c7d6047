/** A checker for the part of JSON Schema that the schema of queries uses. */
import { isDeepStrictEqual } from 'node:util'

type Schema = boolean | { [keyword: string]: unknown }

/** Whether the value satisfies the schema; a keyword that the checker does not know is an error. */
export function satisfies(value: unknown, schema: Schema, root: Schema = schema): boolean {
  if (typeof schema === 'boolean') return schema
  return Object.entries(schema).every(([keyword, argument]) => {
    const check = KEYWORDS[keyword]
    if (check === undefined) throw new Error(`unknown keyword ${keyword}`)
    return check(value, argument as never, schema, root)
  })
}

type Check = (value: unknown, argument: never, schema: { [keyword: string]: unknown }, root: Schema) => boolean

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isNumber = (value: unknown): value is number | bigint => typeof value === 'number' || typeof value === 'bigint'

function isOfType(value: unknown, type: string): boolean {
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isObject(value)
  if (type === 'integer') return typeof value === 'bigint' || Number.isInteger(value)
  return type === 'number' ? isNumber(value) : typeof value === type
}

const annotation: Check = () => true

const KEYWORDS: Record<string, Check> = {
  $schema: annotation,
  title: annotation,
  description: annotation,
  $defs: annotation,
  $ref: (value, ref: string, _, root) => satisfies(value, definition(ref, root), root),
  type: (value, types: string | string[]) => [types].flat().some((type) => isOfType(value, type)),
  const: (value, wanted) => isDeepStrictEqual(value, wanted),
  enum: (value, wanted: unknown[]) => wanted.some((each) => isDeepStrictEqual(value, each)),
  anyOf: (value, schemas: Schema[], _, root) => schemas.some((schema) => satisfies(value, schema, root)),
  allOf: (value, schemas: Schema[], _, root) => schemas.every((schema) => satisfies(value, schema, root)),
  oneOf: (value, schemas: Schema[], _, root) => schemas.filter((schema) => satisfies(value, schema, root)).length === 1,
  not: (value, schema: Schema, _, root) => !satisfies(value, schema, root),
  properties: (value, schemas: Record<string, Schema>, _, root) =>
    !isObject(value) ||
    Object.entries(schemas).every(([key, schema]) => !Object.hasOwn(value, key) || satisfies(value[key], schema, root)),
  required: (value, keys: string[]) => !isObject(value) || keys.every((key) => Object.hasOwn(value, key)),
  additionalProperties: (value, allowed: boolean, { properties }) =>
    allowed || !isObject(value) || Object.keys(value).every((key) => Object.hasOwn(properties as object, key)),
  prefixItems: (value, schemas: Schema[], _, root) =>
    !Array.isArray(value) ||
    schemas.every((schema, index) => index >= value.length || satisfies(value[index], schema, root)),
  items: (value, schema: Schema, { prefixItems }, root) =>
    !Array.isArray(value) ||
    value.slice((prefixItems as unknown[] | undefined)?.length ?? 0).every((item) => satisfies(item, schema, root)),
  minItems: (value, least: number) => !Array.isArray(value) || value.length >= least,
  maxItems: (value, most: number) => !Array.isArray(value) || value.length <= most,
  minimum: (value, least: number) => !isNumber(value) || value >= least,
  maximum: (value, most: number) => !isNumber(value) || value <= most,
  pattern: (value, pattern: string) => typeof value !== 'string' || new RegExp(pattern, 'u').test(value),
}

function definition(ref: string, root: Schema): Schema {
  const definitions = (root as { $defs: Record<string, Schema> }).$defs
  const found = definitions[ref.replace('#/$defs/', '')]
  if (found === undefined) throw new Error(`no definition ${ref}`)
  return found
}
