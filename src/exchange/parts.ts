/** Cutting rows into parts by their keys. */
import { quoteIdentifier } from '../common/data-type.ts'

/**
 * The number of the part that a row belongs to, from 0, as SQL. Rows whose keys GROUP BY takes for the same are of the same part, in every
 * session: nulls, NaN and zeros of either sign too. Keys must be of the same types wherever their parts are to meet.
 */
export function partSql(by: readonly string[], parts: number): string {
  return partOf(by.map(quoteIdentifier), parts)
}

/** The same for keys that expressions give. */
export function partOf(keys: readonly string[], parts: number): string {
  // Hashed once more: within a part the engine's own tables would else find the same bits in all keys.
  return `CAST(hash(hash(${keys.join(', ')})) % ${parts}::UBIGINT AS INTEGER)`
}
