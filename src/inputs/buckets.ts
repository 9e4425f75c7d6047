/** The bucket of each row's actor, as the table format defines it (murmur3, 32 bits), computed by the engine. */

import assert from 'node:assert/strict'
import { parseUuid } from '../catalog/iceberg/bytes.ts'
import { bucketFunction } from '../catalog/iceberg/transforms.ts'
import type { Scalar } from '../catalog/types.ts'
import { type DataType, quoteIdentifier } from '../common/data-type.ts'
import { SETTINGS } from '../config.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { toScalar } from '../engine/values.ts'

/** Name of the bucket column while rows are on their way: none of the table's own. */
export function bucketName(columns: readonly { name: string }[]): string {
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()))
  let name = 'skep_bucket'
  while (taken.has(name)) name += '_'
  return name
}

/** The rows of a SELECT with their buckets in a further column, `bucket`. Integers and times are hashed in place; of other types each distinct actor is hashed once. */
export async function withBuckets(
  session: Session,
  rows: string,
  { name: actor, type }: { name: string; type: DataType },
  { name: bucket, count }: { name: string; count: number },
  options: RunOptions,
): Promise<string> {
  const column = quoteIdentifier(actor)
  const word = wordSql(`r.${column}`, type)
  if (word !== undefined) {
    await defineHash(session, options)
    return `SELECT r.*, CAST((skep_hash(${word}) & 2147483647) % ${count} AS INTEGER) AS ${bucket} FROM (${rows}) r`
  }
  await hashDistinct(session, rows, column, type, count, options)
  return `SELECT r.*, b.bucket AS ${bucket} FROM (${rows}) r LEFT JOIN skep_actor_buckets b ON r.${column} = b.actor`
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

const ACTORS_AT_ONCE = SETTINGS.hashedActors.default

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
  const [{ n }] = (await session.rows<{ n: bigint }>('SELECT count(*) AS n FROM skep_actors', options)) as [
    { n: bigint },
  ]
  // In slices: a stream would end at the first flush of the appender, which shares its connection.
  for (let from = 0; from < Number(n); from += ACTORS_AT_ONCE) {
    const slice = `SELECT actor FROM skep_actors WHERE rowid >= ${from} AND rowid < ${from + ACTORS_AT_ONCE} ORDER BY rowid`
    const result = await session.run(slice, options)
    const appender = await session.connection.createAppender('skep_hashes')
    for (let k = 0; k < result.chunkCount; k++) {
      for (const actor of result.getChunk(k).getColumnValues(0)) {
        appender.appendInteger(bucketOf(hashable(toScalar(actor!), type)))
        appender.endRow()
      }
    }
    appender.closeSync()
  }
  await session.run(
    'CREATE OR REPLACE TEMP TABLE skep_actor_buckets AS SELECT a.actor, h.bucket FROM skep_actors a POSITIONAL JOIN skep_hashes h',
    options,
  )
  const [{ lost }] = (await session.rows<{ lost: bigint }>(
    'SELECT count(*) AS lost FROM skep_actor_buckets WHERE bucket IS NULL OR actor IS NULL',
    options,
  )) as [{ lost: bigint }]
  assert(lost === 0n, `${lost} actors without a bucket`)
}

function hashable(value: Scalar, type: DataType): Scalar {
  return type.kind === 'primitive' && type.name === 'UUID' ? parseUuid(String(value)) : value
}
