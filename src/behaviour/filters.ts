/** Filters of the builder: functions that give the JSON of a filter, typed by the columns that they speak of. */
import type { Filter, FilterValue } from './types.ts'

declare const ROW: unique symbol

/** A filter that fits the rows of every table whose columns fit `Row`; at runtime it is the JSON alone. */
export type FilterOn<Row> = Filter & { readonly [ROW]?: (row: Row) => void }

/** A value of a filter; a date stands for its ISO 8601 text. */
export type BuilderValue = FilterValue | Date

/** What a column may hold that is compared with a value of type `V`. Dates and times are compared with text. */
export type Stored<V> =
  | (V extends string | Date ? string | Date : V extends boolean ? boolean : number | bigint)
  | null
  | undefined

/** A row that has the column, or the field of a struct by its dotted path. */
export type Having<Column extends string, Value> = Column extends `${infer Outer}.${infer Inner}`
  ? { readonly [K in Column]: Value } | { readonly [K in Outer]: Having<Inner, Value> | null | undefined }
  : { readonly [K in Column]: Value }

type Comparison<C extends string, V> = FilterOn<Having<C, Stored<V>>>
type Membership<C extends string, V> = FilterOn<Having<C, Stored<V> | readonly Stored<V>[]>>

/** The value as JSON knows it. */
export function valueJson(value: BuilderValue): FilterValue {
  return value instanceof Date ? value.toISOString() : value
}

/** `column == value`. */
export function eq<C extends string, V extends BuilderValue>(column: C, value: V): Comparison<C, V> {
  return [column, '==', valueJson(value)]
}

/** `column != value`; holds for null too. */
export function ne<C extends string, V extends BuilderValue>(column: C, value: V): Comparison<C, V> {
  return [column, '!=', valueJson(value)]
}

/** `column < value`. */
export function lt<C extends string, V extends BuilderValue>(column: C, value: V): Comparison<C, V> {
  return [column, '<', valueJson(value)]
}

/** `column <= value`. */
export function lte<C extends string, V extends BuilderValue>(column: C, value: V): Comparison<C, V> {
  return [column, '<=', valueJson(value)]
}

/** `column > value`. */
export function gt<C extends string, V extends BuilderValue>(column: C, value: V): Comparison<C, V> {
  return [column, '>', valueJson(value)]
}

/** `column >= value`. */
export function gte<C extends string, V extends BuilderValue>(column: C, value: V): Comparison<C, V> {
  return [column, '>=', valueJson(value)]
}

type Values<V> = readonly [V, ...V[]]

function valuesJson(values: Values<BuilderValue>): [FilterValue, ...FilterValue[]] {
  const [first, ...rest] = values
  return [valueJson(first), ...rest.map(valueJson)]
}

/** `column in [...]`. */
export function oneOf<C extends string, V extends BuilderValue>(column: C, values: Values<V>): Comparison<C, V> {
  return [column, 'in', valuesJson(values)]
}

/** `column not in [...]`; holds for null too. */
export function noneOf<C extends string, V extends BuilderValue>(column: C, values: Values<V>): Comparison<C, V> {
  return [column, 'not in', valuesJson(values)]
}

/** `column between [low, high]`, both included. */
export function between<C extends string, V extends BuilderValue>(column: C, low: V, high: V): Comparison<C, V> {
  return [column, 'between', [valueJson(low), valueJson(high)]]
}

/** A string with the value inside it, or a list with the value among its elements. */
export function contains<C extends string, V extends BuilderValue>(column: C, value: V): Membership<C, V> {
  return [column, 'contains', valueJson(value)]
}

/** The opposite of {@link contains}; holds for null too. */
export function notContains<C extends string, V extends BuilderValue>(column: C, value: V): Membership<C, V> {
  return [column, 'not contains', valueJson(value)]
}

/** A string that begins with the text. */
export function startsWith<C extends string>(column: C, text: string): Comparison<C, string> {
  return [column, 'starts with', text]
}

/** A string that ends with the text. */
export function endsWith<C extends string>(column: C, text: string): Comparison<C, string> {
  return [column, 'ends with', text]
}

/** A string somewhere in which the regular expression (RE2) matches. */
export function matches<C extends string>(column: C, pattern: string): Comparison<C, string> {
  return [column, 'matches', pattern]
}

/** `column is null`. */
export function isNull<C extends string>(column: C): FilterOn<Having<C, unknown>> {
  return [column, 'is null']
}

/** `column is not null`. */
export function isNotNull<C extends string>(column: C): FilterOn<Having<C, unknown>> {
  return [column, 'is not null']
}

/** Any filter. */
export type AnyFilter = FilterOn<never>

/** The least that a row must be for all of the filters (a union of their types) to fit it. */
export type RowOf<F> = [PhantomOf<F>] extends [(row: infer Row) => void] ? Row : unknown

type PhantomOf<F> = F extends { readonly [ROW]?: infer Phantom } ? NonNullable<Phantom> : never

/** Rows on which all of the filters hold. */
export function and<F extends readonly [AnyFilter, ...AnyFilter[]]>(...filters: F): FilterOn<RowOf<F[number]>>
export function and(...filters: readonly [Filter, ...Filter[]]): Filter {
  return { and: filters }
}

/** Rows on which any of the filters holds. */
export function or<F extends readonly [AnyFilter, ...AnyFilter[]]>(...filters: F): FilterOn<RowOf<F[number]>>
export function or(...filters: readonly [Filter, ...Filter[]]): Filter {
  return { or: filters }
}

/** Rows on which the filter does not hold. */
export function not<F extends AnyFilter>(filter: F): FilterOn<RowOf<F>> {
  return { not: filter }
}
