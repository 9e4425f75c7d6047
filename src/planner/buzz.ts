/** Documents of steps as Buzz has them: their form, checked by hand, all violations at once. */

import { parseQueryText } from '../behaviour/json.ts'
import { isTableName, NAME_RULE } from '../catalog/names.ts'
import type { SnapshotId } from '../catalog/types.ts'
import { asciiLower, didYouMean, nearest } from '../common/text.ts'
import { SETTINGS, type Settings } from '../config.ts'
import { type DocumentViolation, isSkepError, SkepError } from '../errors.ts'

/** A step: a query whose rows are a relation that later steps read under the step's name. */
export interface BuzzStep {
  sql: string
  name: string
  /** An `HBee` reads catalogs, or tables of the warehouse; an `HComb` reads earlier steps. */
  step_type: 'HBee' | 'HComb'
  /** Of an `HBee`: a condition on the partition columns of what it reads, and on `key` and `length` of its files. */
  partition_filter?: string
}

/** What a catalog's files are. */
export type CatalogType = 'Static' | 'DeltaLake' | 'Iceberg'

/** A table that a document brings along. */
export interface BuzzCatalog {
  name: string
  type: CatalogType
  /** A path, or a URL. */
  uri: string
  /** Of a format that has a history: the version or snapshot to read, as text where a number would be rounded; the latest when absent. */
  version?: SnapshotId
}

/** A document of steps; the rows of the last one are its result. */
export interface BuzzDocument {
  steps: BuzzStep[]
  /** `zones`: the number of parts that groups are cut into, among tasks that bring them together. */
  capacity: { zones: number }
  catalogs?: BuzzCatalog[]
}

const STEP_TYPES = ['HBee', 'HComb'] as const
const CATALOG_TYPES = ['Static', 'DeltaLake', 'Iceberg'] as const

type Fields = Readonly<Record<string, unknown>>
type Violate = (path: string, message: string) => undefined

/** The document that a value of JSON is; keys that it does not know are left out. @throws DOCUMENT_INVALID with all violations */
export function readDocument(value: unknown, zonesMax: number): BuzzDocument {
  const violations: DocumentViolation[] = []
  const violate: Violate = (path, message) => {
    if (violations.length < SETTINGS.violations.default) violations.push({ path, message })
  }
  const document = readFields(value, zonesMax, violate)
  if (document) checkOrder(document.steps, violate)
  if (document) checkNames(document, violate)
  throwDocument(violations)
  return complete(document!)
}

/** The document that a text stands for, not yet looked at. @throws JSON_INVALID, QUERY_TOO_LARGE, QUERY_TOO_DEEP */
export function parseDocument(text: string, limits: Pick<Settings, 'queryBytes' | 'jsonDepth'>): BuzzDocument {
  try {
    return parseQueryText(text, limits) as unknown as BuzzDocument
  } catch (error) {
    if (!isSkepError(error)) throw error
    const message = error.message.replace(/^the query/, 'the document')
    throw new SkepError(error.code, message, error.details, { cause: error })
  }
}

/** What was read of a document; a part that is wrong is undefined. */
interface Draft {
  steps: (Partial<BuzzStep> | undefined)[]
  zones: number | undefined
  catalogs: (Partial<BuzzCatalog> | undefined)[]
}

/** `DOCUMENT_INVALID` when there is a violation; its message tells the first three. */
export function throwDocument(violations: DocumentViolation[]): void {
  if (violations.length === 0) return
  const told = violations.slice(0, 3).map(({ path, message }) => `${path === '' ? 'the document' : path}: ${message}`)
  const more = violations.length > 3 ? `; and ${violations.length - 3} more` : ''
  throw new SkepError('DOCUMENT_INVALID', `the document is not valid: ${told.join('; ')}${more}`, { violations })
}

function readFields(value: unknown, zonesMax: number, violate: Violate): Draft | undefined {
  if (!isObject(value)) return violate('', 'expected an object with "steps" and "capacity"')
  const steps = readList(value.steps, '/steps', 'steps', violate)
  if (Array.isArray(value.steps) && steps.length === 0) violate('/steps', 'there are no steps')
  return {
    steps: steps.map((step, k) => readStep(step, k, violate)),
    zones: readZones(value.capacity, zonesMax, violate),
    catalogs: isAbsent(value.catalogs)
      ? []
      : readList(value.catalogs, '/catalogs', 'catalogs', violate).map((catalog, k) =>
          readCatalog(catalog, k, violate),
        ),
  }
}

function readList(value: unknown, path: string, what: string, violate: Violate): readonly unknown[] {
  if (Array.isArray(value)) return value
  violate(path, `expected a list of ${what}`)
  return []
}

function readStep(value: unknown, k: number, violate: Violate): Partial<BuzzStep> | undefined {
  const path = `/steps/${k}`
  if (!isObject(value)) return violate(path, `step ${k + 1}: expected an object with "sql", "name" and "step_type"`)
  const named = stepTitle(value.name, k)
  const texts = {
    sql: readText(value, 'sql', { path, named }, violate),
    name: readText(value, 'name', { path, named }, violate),
    step_type: readChoice(value, 'step_type', STEP_TYPES, { path, named }, violate),
  }
  if (isAbsent(value.partition_filter)) return present(texts)
  const filter = readText(value, 'partition_filter', { path, named }, violate)
  if (texts.step_type === 'HComb') {
    const message = 'an HComb reads steps, which have no partitions; write the condition into its SQL'
    violate(`${path}/partition_filter`, `${named}: ${message}`)
  }
  return present({ ...texts, partition_filter: filter })
}

function readCatalog(value: unknown, k: number, violate: Violate): Partial<BuzzCatalog> | undefined {
  const path = `/catalogs/${k}`
  if (!isObject(value)) return violate(path, `catalog ${k + 1}: expected an object with "name", "type" and "uri"`)
  const named = typeof value.name === 'string' && value.name !== '' ? `catalog "${value.name}"` : `catalog ${k + 1}`
  const place = { path, named }
  const catalog = {
    name: readText(value, 'name', place, violate),
    type: readChoice(value, 'type', CATALOG_TYPES, place, violate),
    uri: readText(value, 'uri', place, violate),
  }
  if (catalog.name !== undefined && !isTableName(catalog.name)) {
    violate(`${path}/name`, `${named}: the name is like that of a table: ${NAME_RULE}`)
  }
  return present({ ...catalog, version: readVersion(value, catalog.type, place, violate) })
}

function readVersion(
  { version }: Fields,
  type: CatalogType | undefined,
  { path, named }: Place,
  violate: Violate,
): SnapshotId | undefined {
  if (isAbsent(version)) return undefined
  const at = `${path}/version`
  if (type === 'Static') return violate(at, `${named}: a Static catalog has no versions`)
  if (isWhole(version, 0, Number.MAX_SAFE_INTEGER)) return Number(version)
  const digits = typeof version === 'bigint' ? String(version) : version
  if (typeof digits === 'string' && /^\d{1,20}$/.test(digits)) return digits
  return violate(at, `${named}: expected a whole number, not ${shown(version)}`)
}

function readZones(capacity: unknown, most: number, violate: Violate): number | undefined {
  if (!isObject(capacity)) return violate('/capacity', 'expected an object with "zones"')
  if (isWhole(capacity.zones, 1, most)) return Number(capacity.zones)
  return violate('/capacity/zones', `expected a whole number from 1 to ${most}, not ${shown(capacity.zones)}`)
}

/** Where a field is, and what messages call its owner. */
interface Place {
  path: string
  named: string
}

function readText(fields: Fields, key: string, { path, named }: Place, violate: Violate): string | undefined {
  const value = fields[key]
  if (typeof value === 'string' && value.trim() !== '') return value
  const found = typeof value === 'string' ? 'is empty' : `is ${isAbsent(value) ? 'missing' : 'not a text'}`
  return violate(`${path}/${key}`, `${named}: "${key}" ${found}`)
}

function readChoice<T extends string>(
  fields: Fields,
  key: string,
  choices: readonly T[],
  { path, named }: Place,
  violate: Violate,
): T | undefined {
  const value = fields[key]
  const choice = choices.find((one) => one === value)
  if (choice !== undefined) return choice
  const near = typeof value === 'string' ? didYouMean(nearest(value, choices)) : ''
  const list = choices.map((one) => `"${one}"`).join(', ')
  return violate(`${path}/${key}`, `${named}: expected one of ${list}, not ${shown(value)}${near}`)
}

/** The first step is an HBee: what an HComb reads comes before it. */
function checkOrder([first]: Draft['steps'], violate: Violate): void {
  if (first?.step_type !== 'HComb') return
  const message = 'comes first and is an HComb, which reads earlier steps; a document begins with an HBee'
  violate('/steps/0/step_type', `${stepTitle(first.name, 0)} ${message}`)
}

function checkNames({ steps, catalogs }: Draft, violate: Violate): void {
  const known = new Map<string, string>()
  for (const [k, catalog] of catalogs.entries()) {
    if (catalog?.name === undefined) continue
    const key = asciiLower(catalog.name)
    if (known.has(key)) violate(`/catalogs/${k}/name`, `there are two catalogs "${catalog.name}"`)
    known.set(key, `catalog "${catalog.name}"`)
  }
  for (const [k, step] of steps.entries()) {
    if (step?.name === undefined) continue
    const path = `/steps/${k}`
    // The name of the last step is read by nobody.
    if (k < steps.length - 1) checkStepName(step.name, { path, named: stepTitle(step.name, k) }, violate)
    const other = known.get(asciiLower(step.name))
    if (other !== undefined) violate(`${path}/name`, `step ${k + 1} has the name of the ${other}`)
    else known.set(asciiLower(step.name), `step "${step.name}"`)
  }
}

/** SQL would take what is in the name for a path. */
function checkStepName(name: string, { path, named }: Place, violate: Violate): void {
  if (/[./\0]/.test(name)) violate(`${path}/name`, `${named}: the name of a step may not contain "." or "/"`)
}

function complete({ steps, zones, catalogs }: Draft): BuzzDocument {
  return {
    steps: steps as BuzzStep[],
    capacity: { zones: zones! },
    catalogs: catalogs as BuzzCatalog[],
  }
}

/** What a step reads, as its SQL writes it. */
export interface StepReads {
  tables: readonly string[]
  /** The names of its own common tables. */
  commonTables: readonly string[]
}

/** Passes for a document whose steps read what they may. @throws DOCUMENT_INVALID with all violations, each naming its step */
export function checkReads({ steps }: BuzzDocument, reads: readonly StepReads[]): void {
  const places = new Map(steps.map(({ name }, k) => [asciiLower(name), k]))
  const violations = steps.flatMap((step, k) => {
    const { tables, commonTables } = reads[k]!
    const read = uniqueNames(tables).flatMap((table) => wrongRead(step, k, table, places.get(asciiLower(table))) ?? [])
    const own = uniqueNames(commonTables)
      .filter((name) => places.has(asciiLower(name)))
      .map((name) => `has a common table "${name}", which is the name of a step; call it something else`)
    return [...read, ...own].map((message) => ({
      path: `/steps/${k}/sql`,
      message: `${stepTitle(step.name, k)} ${message}`,
    }))
  })
  throwDocument(violations.slice(0, SETTINGS.violations.default))
}

/** What is wrong with a step's reading of a table, which may be the step of a number. */
function wrongRead({ step_type }: BuzzStep, k: number, table: string, source: number | undefined): string | undefined {
  if (source === k) return `reads itself; a table that has the name of a step cannot be read by it`
  if (source !== undefined && source > k) return `reads "${table}", which is a later step`
  if (step_type === 'HComb' && source === undefined) return `reads "${table}"; an HComb reads earlier steps`
  if (step_type === 'HBee' && source !== undefined) {
    return `reads the step "${table}"; an HBee reads catalogs or tables, an HComb reads steps`
  }
  return undefined
}

/** What messages call a step: by its name, else by its place. */
function stepTitle(name: unknown, k: number): string {
  return typeof name === 'string' && name !== '' ? `step "${name}"` : `step ${k + 1}`
}

function uniqueNames(names: readonly string[]): string[] {
  return [...new Map(names.map((name) => [asciiLower(name), name])).values()]
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** JSON writers have null for what is not there. */
function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null
}

function isWhole(value: unknown, least: number, most: number): boolean {
  const number = typeof value === 'bigint' ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= least && number <= most
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'bigint') return String(value)
  return (JSON.stringify(value) ?? typeof value).slice(0, 60)
}

function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
