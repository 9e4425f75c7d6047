/**
 * The mask of a row as SQL: bit p for predicate p.
 *
 * Predicates that compare one text column with constants are looked up together in a map from text to bits: the engine
 * looks once for each entry of a dictionary, however many the predicates are.
 */
import { columnSql } from './column.ts'
import { type Bind, type Predicate, predicateSql } from './predicate-sql.ts'

const TYPES = [
  { bits: 8, type: 'UTINYINT' },
  { bits: 16, type: 'USMALLINT' },
  { bits: 32, type: 'UINTEGER' },
  { bits: 64, type: 'UBIGINT' },
]

/** An expression of the narrowest unsigned integer that has a bit for each predicate. */
export function maskSql(predicates: readonly Predicate[], bind: Bind): string {
  const { type } = TYPES.find(({ bits }) => predicates.length <= bits)!
  const lookups = new Map<string, Map<string, bigint>>()
  const parts: string[] = []
  for (const [bit, predicate] of predicates.entries()) {
    const texts = textsOf(predicate)
    if (texts) addTexts(lookups, texts, 1n << BigInt(bit))
    else parts.push(`(CAST(${predicateSql(predicate, bind)} AS ${type}) << ${bit})`)
  }
  for (const [column, bits] of lookups) parts.push(lookupSql(column, bits, type, bind))
  return parts.length === 0 ? `CAST(0 AS ${type})` : `(${parts.join(' | ')})`
}

interface Texts {
  column: string
  texts: string[]
}

/** The texts that a text column must equal one of, when that is all that a predicate asks. */
function textsOf(predicate: Predicate): Texts | undefined {
  if (predicate.kind !== 'compare' && predicate.kind !== 'among') return undefined
  if (predicate.operator !== '==' && predicate.operator !== 'in') return undefined
  if (predicate.type.kind !== 'primitive' || predicate.type.name !== 'VARCHAR') return undefined
  const literals = predicate.kind === 'compare' ? [predicate.literal] : predicate.literals
  // A lone surrogate is in no stored text.
  const texts = literals.flatMap((literal) =>
    literal.kind === 'text' && literal.text.isWellFormed() ? [literal.text] : [],
  )
  return { column: columnSql(predicate), texts }
}

function addTexts(lookups: Map<string, Map<string, bigint>>, { column, texts }: Texts, bit: bigint): void {
  const bits = lookups.get(column) ?? new Map<string, bigint>()
  for (const text of texts) bits.set(text, (bits.get(text) ?? 0n) | bit)
  lookups.set(column, bits)
}

function lookupSql(column: string, bits: ReadonlyMap<string, bigint>, type: string, bind: Bind): string {
  if (bits.size === 0) return `CAST(0 AS ${type})`
  const keys = [...bits.keys()].map((text) => bind(text, 'VARCHAR'))
  const values = [...bits.values()].map((mask) => `${mask}::${type}`)
  return `coalesce(map_extract_value(MAP([${keys.join(', ')}], [${values.join(', ')}]), ${column}), 0::${type})`
}
