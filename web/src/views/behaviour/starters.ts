/** Funnels to begin with, made of what a table holds. */
import type { ColumnChoice } from './columns.ts'
import type { JsonObject } from './document.ts'

/** A query to begin with. */
export interface Starter {
  title: string
  about: string
  query: JsonObject
}

const TELLING = [
  /^(event|action|activity)(_?(name|type))?$/i,
  /event|action|activity|verb/i,
  /type|kind|page|path|status|state|name/i,
]

/** The columns whose values may be steps, the most promising first. */
export function stepColumns(
  columns: readonly ColumnChoice[],
  keys: { actor?: string | undefined; time?: string | undefined },
): ColumnChoice[] {
  const rank = ({ name }: ColumnChoice) => {
    const place = TELLING.findIndex((pattern) => pattern.test(name))
    return place < 0 ? TELLING.length : place
  }
  return columns
    .filter(
      (column) =>
        column.class === 'string' &&
        column.type.kind !== 'list' &&
        column.name !== keys.actor &&
        column.name !== keys.time,
    )
    .toSorted((a, b) => rank(a) - rank(b))
}

/** Funnels of the most frequent values of a column, the most frequent first. */
export function startersOf(column: string, values: readonly string[]): Starter[] {
  const [first, second, third] = values
  if (first === undefined || second === undefined) return []
  const step = (value: string) => ({ filter: [column, '==', value] })
  const chain = (title: string, about: string, steps: JsonObject[], rest: JsonObject = {}): Starter => ({
    title,
    about,
    query: { funnel: { sequence: steps, ...rest } },
  })
  const three = third === undefined ? [first, second] : [first, second, third]
  const starters = [
    chain(three.join(' → '), 'how many get from step to step', three.map(step)),
    chain(`${second} → ${first}`, 'within 30 days', [step(second), { ...step(first), within: '30d' }]),
  ]
  if (third === undefined) return starters
  const never = [step(third), { ...step(second), rowFound: false }, step(first)]
  return [...starters, chain(`${third} → ${first}`, `without ${second} in between`, never)]
}
