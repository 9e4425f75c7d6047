/** Queries that people keep under a name: each an object of the store, replaced as a whole. */
import { createHash } from 'node:crypto'
import { compareUtf8, didYouMean, nearest } from '../common/text.ts'
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'

/** What a query is: SQL, a behavioural query, or a document of steps. */
export type QueryKind = 'sql' | 'query' | 'run'

/** A query as it is saved. What it asks is in `text`, or in the field of its kind: `sql`, `query` or `document`. */
export interface QueryToSave {
  kind: QueryKind
  /** The query as somebody wrote it: SQL, or the JSON of the other kinds. */
  text?: string
  /** Of kind `sql`. */
  sql?: string
  /** Of kind `query`: as JSON, or its text. */
  query?: object | string
  /** Of kind `run`: as JSON, or its text. */
  document?: object | string
  /** The table that a behavioural query is for. */
  table?: string
  description?: string
}

/** A query that was saved. */
export interface SavedQuery extends QueryToSave {
  name: string
  /** ISO 8601, UTC. */
  savedAt: string
}

/** A saved query whose object cannot be read; its name as far as that of the object tells it. */
export interface DamagedQuery {
  name: string
  error: { code: string; message: string; details: object }
}

const FOLDER = 'saved'
const SUFFIX = '.json'
const NAME = /^[\p{L}\p{M}\p{N}_\-. ]+$/u
const NAME_RULE = 'letters, digits, space, "_", "-" and ".", with no space at its ends'
const OWN_FIELD = { sql: 'sql', query: 'query', run: 'document' } as const
const FIELDS = ['kind', 'text', 'sql', 'query', 'document', 'table', 'description'] as const
/** What the answer has beside, so that it can be saved again as it is. */
const ANSWERED = ['name', 'savedAt']

/** The saved queries of a warehouse. Their names are texts, never paths; upper and lower case differ. */
export class SavedQueries {
  readonly #store: ObjectStore
  readonly #now: () => number

  constructor(store: ObjectStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** The query as it was saved, in place of one that had the name. Only its form is checked, not whether it would run. @throws ARGUMENT_INVALID, QUERY_TOO_LARGE, SAVED_LIMIT */
  async save(name: string, query: QueryToSave, options: CallOptions = {}): Promise<SavedQuery> {
    const key = readName(name)
    const saved = { name: key, ...readQuery(query), savedAt: new Date(this.#now()).toISOString() }
    const bytes = Buffer.from(printed(saved))
    const limitBytes = SETTINGS.savedBytes.default
    if (bytes.length > limitBytes) {
      throw new SkepError('QUERY_TOO_LARGE', `the saved query is larger than ${limitBytes} bytes`, { limitBytes })
    }
    const path = pathOf(key)
    if (!(await this.#store.stat(path, options))) await this.#requireRoom(options)
    await this.#store.put(path, bytes, options)
    return saved
  }

  async #requireRoom(options: CallOptions): Promise<void> {
    const limit = SETTINGS.savedQueries.default
    if ((await this.#paths(options)).length < limit) return
    throw new SkepError('SAVED_LIMIT', `there are ${limit} saved queries already; remove some`, { limit })
  }

  /** All saved queries, by name; one that is damaged with what is wrong with it. */
  async list(options: CallOptions = {}): Promise<(SavedQuery | DamagedQuery)[]> {
    const paths = await this.#paths(options)
    const found = await mapConcurrent(paths, SETTINGS.storeCalls.default, async (path) => {
      const bytes = await this.#store.read(path, options)
      if (bytes === undefined) return []
      const saved = parse(bytes)
      return [saved ?? { name: nameOfPath(path), error: damaged(path).toJSON() }]
    })
    return found.flat().sort((a, b) => compareUtf8(a.name, b.name))
  }

  /** The query of that name. @throws SAVED_NOT_FOUND with the nearest name; FILE_INVALID when it is damaged */
  async get(name: string, options: CallOptions = {}): Promise<SavedQuery> {
    const path = pathOf(readName(name))
    const bytes = await this.#store.read(path, options)
    if (bytes === undefined) throw await this.#notFound(name, options)
    const saved = parse(bytes)
    if (saved) return saved
    throw damaged(path)
  }

  /** Removes the query of that name. @throws SAVED_NOT_FOUND */
  async remove(name: string, options: CallOptions = {}): Promise<void> {
    const path = pathOf(readName(name))
    if (!(await this.#store.stat(path, options))) throw await this.#notFound(name, options)
    await this.#store.delete(path, options)
  }

  async #notFound(name: string, options: CallOptions): Promise<SkepError> {
    const near = nearest(name, (await this.#paths(options)).map(nameOfPath))
    const message = `there is no saved query "${name}"${didYouMean(near)}`
    return new SkepError('SAVED_NOT_FOUND', message, near === undefined ? { name } : { name, nearest: near })
  }

  async #paths(options: CallOptions): Promise<string[]> {
    // Writers that race may end a few above the limit.
    const page = await this.#store.list(`${FOLDER}/`, { ...options, limit: 2 * SETTINGS.savedQueries.default })
    return page.objects.map(({ path }) => path).filter((path) => path.endsWith(SUFFIX))
  }
}

/** The name in its one spelling: composed characters, and no other of the same look. @throws ARGUMENT_INVALID */
function readName(name: unknown): string {
  const key = typeof name === 'string' ? name.normalize('NFC') : ''
  const longest = SETTINGS.savedNameCharacters.default
  if (key.trim() === key && NAME.test(key) && key.isWellFormed() && [...key].length <= longest) return key
  const message = `${JSON.stringify(name)?.slice(0, 2 * longest)} is no name of a saved query: it has ${NAME_RULE}, and from 1 to ${longest} characters`
  throw new SkepError('ARGUMENT_INVALID', message, { argument: 'name' })
}

/** The object of a name: everything is encoded that some file system takes for something else, also capitals; long names end in their hash. */
function pathOf(name: string): string {
  const encoded = [...Buffer.from(name)].map(encodeByte).join('')
  const longest = SETTINGS.savedPathCharacters.default
  if (encoded.length <= longest) return `${FOLDER}/${encoded}${SUFFIX}`
  const hash = createHash('sha256').update(name).digest('hex')
  return `${FOLDER}/${encoded.slice(0, longest - hash.length).replace(/%.?$/, '')}~${hash}${SUFFIX}`
}

function encodeByte(byte: number): string {
  const letter = String.fromCharCode(byte)
  return /[a-z0-9_.-]/.test(letter) ? letter : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

function nameOfPath(path: string): string {
  const encoded = path.slice(FOLDER.length + 1, -SUFFIX.length)
  try {
    return decodeURIComponent(encoded)
  } catch {
    // Cut within a character, or not of our making.
    return encoded
  }
}

/** The fields of a query in their order. @throws ARGUMENT_INVALID */
function readQuery(query: unknown): QueryToSave {
  if (!isObject(query)) throw invalid('query', 'expected an object with kind and sql, query, document or text')
  const { kind } = query
  if (kind !== 'sql' && kind !== 'query' && kind !== 'run') {
    throw invalid('kind', 'expected one of sql, query, run')
  }
  const own = OWN_FIELD[kind]
  const given = FIELDS.filter((field) => query[field] !== undefined)
  for (const field of Object.keys(query)) checkField(field, query[field])
  const asking = given.filter((field) => field === 'text' || Object.values<string>(OWN_FIELD).includes(field))
  const [first] = asking
  if (asking.length !== 1 || (first !== 'text' && first !== own)) {
    throw invalid(own, `of kind ${kind}: expected exactly one of ${own} and text`)
  }
  return Object.fromEntries(given.map((field) => [field, query[field]])) as unknown as QueryToSave
}

function checkField(field: string, value: unknown): void {
  if (value === undefined || ANSWERED.includes(field)) return
  if (!(FIELDS as readonly string[]).includes(field)) {
    throw invalid(field, `a saved query has no such field${didYouMean(nearest(field, FIELDS))}`)
  }
  const isDocument = (field === 'query' || field === 'document') && isObject(value)
  if (!isDocument && typeof value !== 'string') throw invalid(field, 'expected a text')
  if (field !== 'description' && typeof value === 'string' && value.trim() === '') throw invalid(field, 'it is empty')
}

function printed(saved: SavedQuery): string {
  try {
    return JSON.stringify(saved)
  } catch (cause) {
    const message = 'the query is not JSON: it holds itself, a bigint, or is nested too deeply'
    throw new SkepError('ARGUMENT_INVALID', message, { argument: 'query' }, { cause })
  }
}

/** What an object holds; undefined when that is no saved query. */
function parse(bytes: Uint8Array): SavedQuery | undefined {
  try {
    const { name, savedAt, ...query } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
    if (typeof name !== 'string' || typeof savedAt !== 'string') return undefined
    return { name, ...readQuery(query), savedAt }
  } catch {
    return undefined
  }
}

function damaged(path: string): SkepError<'FILE_INVALID'> {
  return new SkepError('FILE_INVALID', `${path} is damaged: it holds no saved query`, { file: path })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(argument: string, message: string): SkepError<'ARGUMENT_INVALID'> {
  return new SkepError('ARGUMENT_INVALID', `${argument}: ${message}`, { argument })
}
