/** What has to be true of a metadata file before anything else looks at it. */

type Json = Record<string, unknown>
/** True for a value that may stand where it is asked for. */
export type Check = (value: unknown) => boolean

/** True for a JSON object. */
export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
/** True for a text. */
export const isText: Check = (value) => typeof value === 'string'
const isFlag: Check = (value) => typeof value === 'boolean'
/** True for a whole number that is exact. Ids above 2^53 lose digits in JavaScript: they are refused rather than rounded. */
export const isWhole: Check = (value) => Number.isSafeInteger(value)
/** True for milliseconds since 1970, as far as dates reach. */
export const isTime: Check = (value) => isWhole(value) && !Number.isNaN(new Date(value as number).getTime())
/** The check of lists whose items pass. */
export const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
/** The check of objects whose values pass. */
export const isMapOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check)
/** The check that lets absent values and null pass as well. */
export const isOptional =
  (check: Check): Check =>
  (value) =>
    value === undefined || value === null || check(value)
/** The check of objects with these fields; they may have others. */
export const hasFields = (fields: Record<string, Check>): Check => {
  const checks = Object.entries(fields)
  return (value) => isObject(value) && checks.every(([name, check]) => check(value[name]))
}

const NESTED: Record<string, Check> = {
  struct: (value) => isListOf(isField)((value as Json).fields),
  list: hasFields({ 'element-id': isWhole, element: isType, 'element-required': isFlag }),
  map: hasFields({ 'key-id': isWhole, key: isType, 'value-id': isWhole, value: isType, 'value-required': isFlag }),
}

function isType(value: unknown): boolean {
  if (isText(value)) return true
  return isObject(value) && isText(value.type) && NESTED[value.type as string]?.(value) === true
}

/** True for a field of a schema or struct. */
export const isField = hasFields({ id: isWhole, name: isText, required: isFlag, type: isType, doc: isOptional(isText) })

const isPartitionField = hasFields({ 'source-id': isWhole, 'field-id': isWhole, name: isText, transform: isText })

const isSortField = hasFields({ transform: isText, 'source-id': isWhole, direction: isText, 'null-order': isText })

const isSnapshot = hasFields({
  'snapshot-id': isWhole,
  'parent-snapshot-id': isOptional(isWhole),
  'sequence-number': isWhole,
  'timestamp-ms': isTime,
  'manifest-list': isText,
  summary: (value) => isMapOf(isText)(value) && isText((value as Json).operation),
  'schema-id': isOptional(isWhole),
})

const ENTRIES: Record<string, Check> = {
  'table-uuid': isText,
  location: isText,
  'last-sequence-number': isWhole,
  'last-updated-ms': isTime,
  'last-column-id': isWhole,
  'current-schema-id': isWhole,
  schemas: isListOf(hasFields({ 'schema-id': isWhole, fields: isListOf(isField) })),
  'default-spec-id': isWhole,
  'partition-specs': isListOf(hasFields({ 'spec-id': isWhole, fields: isListOf(isPartitionField) })),
  'last-partition-id': isWhole,
  'default-sort-order-id': isWhole,
  'sort-orders': isListOf(hasFields({ 'order-id': isWhole, fields: isListOf(isSortField) })),
  properties: isOptional(isMapOf(isText)),
  'current-snapshot-id': isOptional(isWhole),
  snapshots: isOptional(isListOf(isSnapshot)),
  'snapshot-log': isOptional(isListOf(hasFields({ 'snapshot-id': isWhole, 'timestamp-ms': isTime }))),
  'metadata-log': isOptional(isListOf(hasFields({ 'metadata-file': isText, 'timestamp-ms': isTime }))),
  refs: isOptional(isMapOf(hasFields({ 'snapshot-id': isWhole, type: isText }))),
}

/** What is wrong with a metadata document, as the rest of a sentence; undefined when it can be used. */
export function checkMetadata(json: unknown): string | undefined {
  if (!isObject(json)) return 'it is not an object'
  const version = json['format-version']
  if (version !== 2) return `format version ${JSON.stringify(version)} is not read, only 2 is`
  const broken = Object.entries(ENTRIES).find(([name, check]) => !check(json[name]))
  if (broken) return `"${broken[0]}" is missing or malformed`
  return danglingReference(json)
}

function danglingReference(json: Json): string | undefined {
  const has = (list: string, key: string, id: unknown) =>
    ((json[list] ?? []) as Json[]).some((item) => item[key] === id)
  if (!has('schemas', 'schema-id', json['current-schema-id'])) return '"current-schema-id" names no schema'
  if (!has('partition-specs', 'spec-id', json['default-spec-id'])) return '"default-spec-id" names no partition spec'
  const current = json['current-snapshot-id'] ?? -1
  if (current !== -1 && !has('snapshots', 'snapshot-id', current)) return '"current-snapshot-id" names no snapshot'
  const schemaIds = ((json.snapshots ?? []) as Json[]).map(
    (snapshot) => snapshot['schema-id'] ?? json['current-schema-id'],
  )
  if (!schemaIds.every((id) => has('schemas', 'schema-id', id))) return 'the "schema-id" of a snapshot names no schema'
  return undefined
}
