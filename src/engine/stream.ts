/**
 * Results in chunks, to their very end. In DuckDB 1.5.5 a streamed result that fails half way ends like one that is complete, and its
 * error is out of reach. But the failure aborts the transaction that the query runs in: so every stream runs in one, and is asked for
 * at its end. What went wrong is then found by running the query once more, without its rows.
 */
import type { DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api'
import { isSkepError, SkepError } from '../errors.ts'
import { type RunOptions, type Session, withoutQuery } from './engine.ts'

/** The chunks of a query, which runs in a transaction of its own. @throws what the query fails with, at any chunk or after the last */
export async function* streamChunks(
  session: Session,
  sql: string,
  options: RunOptions,
): AsyncGenerator<DuckDBDataChunk> {
  await session.run('BEGIN TRANSACTION', withoutQuery(options))
  const result = await session.stream(sql, options)
  yield* chunksOf(session, result, { sql, options })
  await session.run('COMMIT', withoutQuery(options))
}

/**
 * The chunks of a result whose query runs in the session's open transaction. When it fails half way the transaction is given up;
 * `restore` then makes what the query needs once more.
 *
 * @throws what the query fails with, at any chunk or after the last
 */
export async function* chunksOf(
  session: Session,
  result: DuckDBResult,
  query: { sql: string; options: RunOptions; restore?: (() => Promise<unknown>) | undefined },
): AsyncGenerator<DuckDBDataChunk> {
  for (;;) {
    const chunk = await session.fetch(() => result.fetchChunk(), query.options)
    if (!chunk || chunk.rowCount === 0) break
    yield chunk
  }
  if (!(await session.isAborted())) return
  await session.rollback(query.options)
  await query.restore?.()
  throw await failureOf(session, query)
}

/** The error of a query that is known to fail. Each of its values is computed, and none is kept. */
async function failureOf(session: Session, { sql, options }: { sql: string; options: RunOptions }): Promise<unknown> {
  try {
    await session.run(`SELECT bit_xor(hash(r)) FROM (${sql.replace(/[\s;]+$/, '')}\n) r`, options)
  } catch (error) {
    if (!/^(Parser|Binder|Catalog) Error/.test(causeOf(error))) return error
  }
  return new SkepError('INTERNAL', 'the engine failed in the middle of a result; run the query again', {})
}

function causeOf(error: unknown): string {
  return isSkepError(error) && error.cause instanceof Error ? error.cause.message : ''
}
