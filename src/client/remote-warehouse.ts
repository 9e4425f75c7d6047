/** A warehouse behind a server: what `Warehouse` does, over HTTP, for browsers and Node. */
import type { BodyOf, QueryOf, ResponseOf } from '../api/contract.ts'
import type { EndpointName } from '../api/endpoints.ts'
import type { WarehouseSurface } from '../api/surface.ts'
import type { BehaviouralResult } from '../behaviour/result.ts'
import type { BehaviouralQuery } from '../behaviour/types.ts'
import type { Alteration } from '../catalog/alteration.ts'
import type { SnapshotInfo } from '../catalog/types.ts'
import { sqlOfTemplate } from '../common/text.ts'
import type { AtOption } from '../coordinator/at.ts'
import type { AttachOptions } from '../coordinator/attach.ts'
import type { BehaviouralStats } from '../coordinator/behaviour-result.ts'
import type {
  CallOptions,
  DocumentOptions,
  QueryOptions,
  RollbackResult,
  SqlExplanation,
  SqlOptions,
  SqlResult,
} from '../coordinator/calls.ts'
import type { ColumnDistribution, ValueCount } from '../coordinator/columns.ts'
import type { FileDescription, TableDescription, TableSummary } from '../coordinator/describe.ts'
import type { BehaviouralExplanation } from '../coordinator/explain-behaviour.ts'
import type { Verification } from '../coordinator/verify.ts'
import type { BoundValue } from '../engine/parameters.ts'
import type { ImportOptions, ImportResult } from '../inputs/import.ts'
import type { RegisterOptions, RegisterResult } from '../inputs/register.ts'
import type { VacuumResult } from '../maintenance/vacuum.ts'
import type { VacuumOptions } from '../maintenance/vacuum-disk.ts'
import type { BuzzDocument } from '../planner/buzz.ts'
import type { WorkerInfo } from '../pool/pool.ts'
import type { DamagedQuery, QueryToSave, SavedQuery } from '../records/saved-queries.ts'
import { atDocument, atText } from './at.ts'
import { Connection, type ConnectOptions, type RouteCall } from './connection.ts'
import { type ImportBody, sentFile } from './files.ts'
import { jsonText } from './json.ts'
import { openStream, type RemoteStream, tellProgress } from './stream.ts'
import { sentValues } from './values.ts'

/** How a file is brought into a table. */
export type RemoteImportOptions = Omit<ImportOptions, 'rejects' | 'onProgress'> & CallOptions

/** What ends a short call. */
export type SignalOption = Pick<CallOptions, 'signal'>

/** A warehouse behind a server. */
export class RemoteWarehouse implements WarehouseSurface {
  readonly #connection: Connection

  /** @throws ARGUMENT_INVALID for what is no address of a server */
  constructor(url: string | URL, options: ConnectOptions = {}) {
    this.#connection = new Connection(url, options)
  }

  /** The address of the server. */
  get url(): string {
    return this.#connection.url
  }

  /**
   * The rows of a query. As a tag it binds the values of its template; as a function it takes them in `params`.
   *
   * @throws as `Warehouse.sql` does, and SERVER_UNREACHABLE; so does every call
   * @example
   * const { rows } = await warehouse.sql`SELECT count(*) AS n FROM events WHERE country = ${'NL'}`
   */
  async sql(text: string, options?: SqlOptions): Promise<SqlResult>
  async sql(strings: TemplateStringsArray, ...values: BoundValue[]): Promise<SqlResult>
  async sql(first: string | TemplateStringsArray, ...rest: unknown[]): Promise<SqlResult> {
    const isText = typeof first === 'string'
    const text = isText ? first : sqlOfTemplate(first)
    const options = isText ? ((rest[0] as SqlOptions | undefined) ?? {}) : { params: rest as BoundValue[] }
    return await this.#result<SqlResult>('sql', sqlCall(text, options), options)
  }

  /**
   * The same query with its rows in batches, or one by one: for results of any size. It may be a Buzz document as well. The server
   * reads on only as rows are taken.
   *
   * @example
   * await using stream = await warehouse.stream('SELECT * FROM events')
   * for await (const row of stream.rows) console.log(row)
   */
  async stream(query: string | BuzzDocument, options: SqlOptions = {}): Promise<RemoteStream> {
    const { name, call } = queryCall(query, options)
    return await openStream(this.#connection, name, call, options.onProgress)
  }

  /** The rows of a query, or of a Buzz document, as the pieces of a Parquet file: a loop that ends well has had all of them. */
  async parquet(
    query: string | BuzzDocument,
    options: SqlOptions = {},
  ): Promise<{ rows: number; pieces: AsyncIterable<Uint8Array> }> {
    const { name, call } = queryCall(query, options)
    const response = await this.#connection.send(name, call, 'application/vnd.apache.parquet')
    return {
      rows: Number(response.headers.get('skep-rows')),
      pieces: this.#connection.pieces(name, call, response),
    }
  }

  /** The rows of a Buzz document, given as JSON or as an object: those of its last step. */
  async run(document: BuzzDocument | string, options: DocumentOptions = {}): Promise<SqlResult> {
    return await this.#result<SqlResult>('run', documentCall(document, options), options)
  }

  /** What a query, or a Buzz document, would read, and how it would be divided into tasks, without running it. */
  async explain(query: string | BuzzDocument, options: SqlOptions = {}): Promise<SqlExplanation> {
    const { name, call } = queryCall(query, options, true)
    return await this.#result<SqlExplanation>(name, call, options)
  }

  /** The result document of a behavioural query. */
  async query(
    table: string,
    query: BehaviouralQuery | string,
    options: QueryOptions = {},
  ): Promise<BehaviouralResult<BehaviouralStats>> {
    return await this.#result('query', behaviouralCall(table, query, options), options)
  }

  /** What a behavioural query means, in words, and what would be read and done for it; it is not run. */
  async explainQuery(
    table: string,
    query: BehaviouralQuery | string,
    options: QueryOptions = {},
  ): Promise<BehaviouralExplanation> {
    return await this.#result('query', behaviouralCall(table, query, options, true), options)
  }

  /**
   * Brings a file, or several at once, into a managed table, creating it when there is none. All or nothing. A string is the text of a
   * file, not its name. What a file is, `format` says, or else its name or type.
   *
   * @example
   * await warehouse.import('events', file, { actor: 'user_id', time: 'ts' })
   */
  async import(table: string, body: ImportBody, options: RemoteImportOptions = {}): Promise<ImportResult> {
    const { types, signal, onProgress: _, ...asked } = options
    const { format, ...sent } = sentFile(body, options)
    const query: QueryOf<'import'> = {
      ...asked,
      ...(format !== undefined && { format }),
      ...(types !== undefined && { types: JSON.stringify(types) }),
    }
    return await this.#result('import', { params: { table }, query, ...sent, signal }, options)
  }

  /** Makes a folder of Parquet files, on the machine of the server, a read-only table, in place. */
  async register(table: string, path: string, options: RegisterOptions): Promise<RegisterResult> {
    const { signal, onProgress: _, ...asked } = options
    const document: BodyOf<'register'> = { path, ...asked }
    return await this.#result('register', { params: { table }, document, signal }, options)
  }

  /** Makes a table that others write, on the machine of the server, one of the warehouse, in place and read-only. */
  async attach(table: string, uri: string, options: AttachOptions): Promise<TableSummary> {
    const { signal, ...asked } = options
    const document: BodyOf<'attach'> = { uri, ...asked }
    return await this.#document('attach', { params: { table }, document, signal })
  }

  /** Forgets a registered or attached table; its files stay. */
  async unregister(table: string, { signal }: SignalOption = {}): Promise<void> {
    await this.#document('remove', { params: { table }, signal })
  }

  /** Drops a managed table and its data. */
  async drop(table: string, { signal }: SignalOption = {}): Promise<void> {
    await this.#document('remove', { params: { table }, query: { drop: true }, signal })
  }

  /** Renames, drops, widens or comments columns of a managed table, all at once or nothing. False when the table was so already. */
  async alter(table: string, alteration: Alteration, { signal }: SignalOption = {}): Promise<boolean> {
    const call = { params: { table }, document: alteration, signal }
    return (await this.#document<ResponseOf<'alter'>>('alter', call)).changed
  }

  /** Makes an earlier snapshot the current one. */
  async rollback(table: string, snapshotId: number, { signal }: SignalOption = {}): Promise<RollbackResult> {
    const document: BodyOf<'rollback'> = { snapshotId }
    return await this.#document('rollback', { params: { table }, document, signal })
  }

  /** All tables, by name. */
  async tables({ signal }: SignalOption = {}): Promise<TableSummary[]> {
    return await this.#document('tables', { signal })
  }

  /** Columns, keys, sizes and value ranges of a table; with `files`, each of its files. */
  async describe(
    table: string,
    { files = false, at, signal }: { files?: boolean; at?: AtOption } & SignalOption = {},
  ): Promise<TableDescription> {
    const call = { params: { table }, query: { at: atText(at) }, signal }
    if (!files) return await this.#document('table', call)
    const [description, dataFiles] = await Promise.all([
      this.#document<TableDescription>('table', call),
      this.#document<FileDescription[]>('files', call),
    ])
    return { ...description, dataFiles }
  }

  /** The history of a table, newest last. */
  async snapshots(table: string, { signal }: SignalOption = {}): Promise<SnapshotInfo[]> {
    return await this.#document('snapshots', { params: { table }, signal })
  }

  /** Has all files of a managed table read against their checksums. Its progress is not told. */
  async verify(table: string, { signal }: CallOptions = {}): Promise<Verification> {
    return await this.#document('verify', { params: { table }, signal })
  }

  /** Removes what nobody needs any more from a table, or from the whole warehouse. */
  async vacuum(table?: string, { signal, ...asked }: VacuumOptions = {}): Promise<VacuumResult> {
    const call = { document: asked satisfies BodyOf<'vacuum'>, signal }
    return await (table === undefined
      ? this.#document('vacuum', call)
      : this.#document('vacuumTable', { ...call, params: { table } }))
  }

  /** The distribution of a column. */
  async column(
    table: string,
    column: string,
    { at, signal }: { at?: AtOption } & SignalOption = {},
  ): Promise<ColumnDistribution> {
    return await this.#document('column', { params: { table, column }, query: { at: atText(at) }, signal })
  }

  /** Values of a column to suggest, most frequent first. */
  async values(
    table: string,
    column: string,
    { at, prefix, limit, signal }: { at?: AtOption; prefix?: string; limit?: number } & SignalOption = {},
  ): Promise<ValueCount[]> {
    const query = { at: atText(at), prefix, limit }
    return await this.#document('values', { params: { table, column }, query, signal })
  }

  /** The saved queries, by name. */
  async savedQueries({ signal }: SignalOption = {}): Promise<(SavedQuery | DamagedQuery)[]> {
    return await this.#document('savedQueries', { signal })
  }

  /** A saved query. */
  async savedQuery(name: string, { signal }: SignalOption = {}): Promise<SavedQuery> {
    return await this.#document('savedQuery', { params: { name }, signal })
  }

  /** Saves a query under a name, replacing one of that name. */
  async saveQuery(name: string, query: QueryToSave, { signal }: SignalOption = {}): Promise<SavedQuery> {
    return await this.#document('saveQuery', { params: { name }, document: query, signal })
  }

  /** Removes a saved query. */
  async removeSavedQuery(name: string, { signal }: SignalOption = {}): Promise<void> {
    await this.#document('removeSavedQuery', { params: { name }, signal })
  }

  /** The queries that the server runs, and the last ones, newest first. */
  async queries({ limit, signal }: { limit?: number } & SignalOption = {}): Promise<ResponseOf<'queries'>> {
    return await this.#document('queries', { query: { limit }, signal })
  }

  /** One of them. @throws QUERY_NOT_FOUND */
  async queryById(id: string, { signal }: SignalOption = {}): Promise<ResponseOf<'queryById'>> {
    return await this.#document('queryById', { params: { id }, signal })
  }

  /** Cancels a query; one that has come to its end stays as it is. @throws QUERY_NOT_FOUND */
  async cancel(id: string, { signal }: SignalOption = {}): Promise<ResponseOf<'cancel'>> {
    return await this.#document('cancel', { params: { id }, signal })
  }

  /** The workers of the pools. */
  async workers({ signal }: SignalOption = {}): Promise<WorkerInfo[]> {
    return await this.#document('workers', { signal })
  }

  /** Who asks, as the server sees it, and what the server is. */
  async session({ signal }: SignalOption = {}): Promise<ResponseOf<'session'>> {
    return await this.#document('session', { signal })
  }

  /** Nothing has to be closed: calls that run go on, their signals end them. */
  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #document<T>(name: EndpointName, call: RouteCall): Promise<T> {
    return (await this.#connection.document(name, call)) as T
  }

  /** The result that ends a stream of progress: answers that take long begin at once, so that nothing on the way gives them up. */
  async #result<T>(name: EndpointName, call: RouteCall, { onProgress }: CallOptions): Promise<T> {
    let found: { result: T } | undefined
    for await (const document of this.#connection.lines(name, { ...call, query: { ...call.query, stream: true } })) {
      if (!tellProgress(document, onProgress) && 'result' in document) found = document as { result: T }
    }
    if (found) return found.result
    throw this.#connection.brokenOff(name)
  }
}

/** A warehouse behind the server at this address. Nothing is sent before the first call. @throws ARGUMENT_INVALID for what is no address of a server */
export function connect(url: string | URL, options: ConnectOptions = {}): RemoteWarehouse {
  return new RemoteWarehouse(url, options)
}

type Spending = Pick<BodyOf<'sql'>, 'pool' | 'maxBytes' | 'maxCost'>

function spendingOf({ pool, maxBytes, maxCost }: Omit<SqlOptions, 'params'>): Spending {
  return {
    ...(pool !== undefined && { pool }),
    ...(maxBytes !== undefined && { maxBytes }),
    ...(maxCost !== undefined && { maxCost }),
  }
}

function queryCall(query: string | BuzzDocument, options: SqlOptions, explain = false) {
  return typeof query === 'string'
    ? { name: 'sql' as const, call: sqlCall(query, options, explain) }
    : { name: 'run' as const, call: documentCall(query, options, explain) }
}

function sqlCall(sql: string, options: SqlOptions, explain = false): RouteCall {
  const { params, signal } = options
  const at = atDocument(options.at)
  const document: BodyOf<'sql'> = {
    sql,
    ...spendingOf(options),
    ...(params !== undefined && { params: sentValues(params) }),
    ...(at !== undefined && { at: at as NonNullable<BodyOf<'sql'>['at']> }),
    ...(explain && { explain }),
  }
  return { document, signal }
}

function documentCall(document: BuzzDocument | string, options: DocumentOptions, explain?: boolean): RouteCall {
  const body = typeof document === 'string' ? document : jsonText(document)
  return { query: { ...spendingOf(options), ...(explain && { explain }) }, body, signal: options.signal }
}

function behaviouralCall(
  table: string,
  query: BehaviouralQuery | string,
  options: QueryOptions,
  explain?: boolean,
): RouteCall {
  return {
    params: { table },
    query: { at: atText(options.at), ...spendingOf(options), ...(explain && { explain }) },
    // The text as it is: errors point into it.
    body: typeof query === 'string' ? query : jsonText(query),
    signal: options.signal,
  }
}
