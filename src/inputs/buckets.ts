/** The bucket of each row's actor, as the table format defines it (murmur3, 32 bits), computed by the engine. */

import { parseUuid } from '../catalog/iceberg/bytes.ts'
import { bucketFunction } from '../catalog/iceberg/transforms.ts'
import type { Scalar } from '../catalog/types.ts'
import { type DataType, quoteIdentifier } from '../common/data-type.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { toScalar } from '../engine/values.ts'

/** Name of the bucket column while rows are on their way. */
export const BUCKET = 'skep_bucket'

/** The rows of a SELECT with their buckets. Integers and times are hashed in place; of other types each distinct actor is hashed once. */
export async function withBuckets(
  session: Session,
  rows: string,
  actor: string,
  type: DataType,
  count: number,
  options: RunOptions,
): Promise<string> {
  const column = quoteIdentifier(actor)
  const word = wordSql(`r.${column}`, type)
  if (word !== undefined) {
    await defineHash(session, options)
    return `SELECT r.*, CAST((skep_hash(${word}) & 2147483647) % ${count} AS INTEGER) AS ${BUCKET} FROM (${rows}) r`
  }
  await hashDistinct(session, rows, column, type, count, options)
  return `SELECT r.*, b.bucket AS ${BUCKET} FROM (${rows}) r LEFT JOIN skep_actor_buckets b ON r.${column} = b.actor`
}

/** The 64-bit integer that is hashed for a value, where the type has one. */
function wordSql(value: string, type: DataType): string | undefined {
  switch (type.kind === 'primitive' ? type.name : '') {
    case 'INTEGER':
    case 'BIGINT':
      return `CAST(${value} AS BIGINT)`
    case 'DATE':
      return `CAST(date_diff('day', DATE '1970-01-01', ${value}) AS BIGINT)`
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return `epoch_us(${value})`
    default:
      return undefined
  }
}

const MASK = '4294967295::UBIGINT'

/** murmur3 of eight bytes in 64-bit arithmetic: the constants are the algorithm's. */
async function defineHash(session: Session, options: RunOptions): Promise<void> {
  const rotate = (x: string, bits: number) => `(((${x} << ${bits}) & ${MASK}) | (${x} >> ${32 - bits}))`
  const macros = [
    `skep_scramble(k) AS (${rotate(`((k * 3432918353::UBIGINT) & ${MASK})`, 15)} * 461845907::UBIGINT) & ${MASK}`,
    `skep_mix(h, k) AS (${rotate('xor(h, skep_scramble(k))', 13)} * 5::UBIGINT + 3864292196::UBIGINT) & ${MASK}`,
    `skep_end1(h) AS (xor(h, h >> 16) * 2246822507::UBIGINT) & ${MASK}`,
    `skep_end2(h) AS (xor(h, h >> 13) * 3266489909::UBIGINT) & ${MASK}`,
    'skep_end3(h) AS xor(h, h >> 16)',
    `skep_hash(v) AS skep_end3(skep_end2(skep_end1(xor(skep_mix(skep_mix(0::UBIGINT, (v & 4294967295)::UBIGINT), ((v >> 32) & 4294967295)::UBIGINT), 8::UBIGINT))))`,
  ]
  for (const macro of macros) await session.run(`CREATE OR REPLACE TEMP MACRO ${macro}`, options)
}

/** Fills `skep_actor_buckets (actor, bucket)`. */
async function hashDistinct(
  session: Session,
  rows: string,
  column: string,
  type: DataType,
  count: number,
  options: RunOptions,
): Promise<void> {
  const bucketOf = bucketFunction(type, count)!
  await session.run(
    `CREATE OR REPLACE TEMP TABLE skep_actors AS SELECT DISTINCT ${column} AS actor FROM (${rows}) WHERE ${column} IS NOT NULL`,
    options,
  )
  await session.run('CREATE OR REPLACE TEMP TABLE skep_hashes (bucket INTEGER)', options)
  const appender = await session.connection.createAppender('skep_hashes')
  const result = await session.stream('SELECT actor FROM skep_actors', options)
  for (;;) {
    const chunk = await session.fetch(() => result.fetchChunk(), options)
    if (!chunk || chunk.rowCount === 0) break
    for (const actor of chunk.getColumnValues(0)) {
      appender.appendInteger(bucketOf(hashable(toScalar(actor!), type)))
      appender.endRow()
    }
  }
  appender.closeSync()
  await session.run(
    'CREATE OR REPLACE TEMP TABLE skep_actor_buckets AS SELECT a.actor, h.bucket FROM skep_actors a POSITIONAL JOIN skep_hashes h',
    options,
  )
}

function hashable(value: Scalar, type: DataType): Scalar {
  return type.kind === 'primitive' && type.name === 'UUID' ? parseUuid(String(value)) : value
}
