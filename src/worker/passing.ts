/** The actors that satisfy the relation, as a temporary table that aggregations join with. */
import { BIGINT, DuckDBDataChunk, INTEGER, UBIGINT } from '@duckdb/node-api'
import { quoteIdentifier } from '../common/data-type.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { scanSql } from '../engine/scan.ts'
import type { ActorTask } from '../planner/actor-tasks.ts'
import { Bindings, type RowSource, rowsInside } from './actor-rows.ts'
import { PASSING } from './aggregation-tables.ts'
import type { Reached } from './reached.ts'

/** Makes the empty table `(actor, level, matched)`. */
export async function createPassing(session: Session, { table, actor }: RowSource, options: RunOptions): Promise<void> {
  const empty = scanSql(table, table.snapshot.schema, [])
  await session.run(
    `CREATE TEMP TABLE ${PASSING} AS SELECT ${quoteIdentifier(actor)} AS actor, 0::INTEGER AS level, 0::UBIGINT AS matched FROM (${empty})`,
    options,
  )
}

/** Adds the actors of a task whose level is not 0: the kernel tells places in ascending order, the engine whose they are. */
export async function addPassing(
  session: Session,
  source: RowSource,
  task: ActorTask,
  { levels, matched }: Reached,
  options: RunOptions,
): Promise<void> {
  if (!levels.some((level) => level > 0)) return
  await session.run('CREATE OR REPLACE TEMP TABLE skep_reached (place BIGINT, level INTEGER, matched UBIGINT)', options)
  await session.fetch(() => appendReached(session, { levels, matched }), options)
  const bindings = new Bindings()
  const rows = rowsInside(source, task.files, bindings)
  await session.run(
    `INSERT INTO ${PASSING} SELECT a, level, matched FROM (
       SELECT a, row_number() OVER (ORDER BY a) - 1 AS place
       FROM (SELECT DISTINCT ${quoteIdentifier(source.actor)} AS a FROM (${rows}))
     ) JOIN skep_reached USING (place)`,
    { ...options, params: bindings.values },
  )
}

async function appendReached(session: Session, { levels, matched }: Reached): Promise<void> {
  const appender = await session.connection.createAppender('skep_reached')
  for (let from = 0; from < levels.length; from += CHUNK_ROWS) {
    const places = Array.from({ length: Math.min(CHUNK_ROWS, levels.length - from) }, (_, k) => from + k).filter(
      (k) => levels[k]! > 0,
    )
    if (places.length === 0) continue
    const chunk = DuckDBDataChunk.create([BIGINT, INTEGER, UBIGINT], places.length)
    chunk.setColumns([places.map(BigInt), places.map((k) => levels[k]!), places.map((k) => matched[k]!)])
    appender.appendDataChunk(chunk)
  }
  appender.closeSync()
}

const CHUNK_ROWS = 2048
