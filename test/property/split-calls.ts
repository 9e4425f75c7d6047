/** Random calls of aggregates and windows whose value does not depend on the order of rows that are alike. */
import type { Expressions, Scope } from './split-expressions.ts'
import type { Cat } from './split-tables.ts'

/** A call of an aggregate that gives a value of this kind. */
export function aggregate(g: Expressions, cat: Cat, scope: Scope): string {
  const inside = { ...scope, flat: true }
  const call = scope.unique !== undefined && g.may(0.12) ? byUnique(g, cat, inside) : g.pick(AGGREGATES[cat])(g, inside)
  return call + (g.may(0.12) ? ` FILTER (WHERE ${g.of('bool', inside, 1)})` : '')
}

/** A call that takes rows in the order of a column that tells them apart. */
function byUnique(g: Expressions, cat: Cat, scope: Scope): string {
  const value = g.of(cat, scope, 1)
  const key = scope.unique!
  switch (g.chance.below(cat === 'list' || cat === 'text' ? 4 : 3)) {
    case 0:
      return `${g.pick(['arg_min', 'arg_max', 'min_by', 'max_by', 'arg_max_null', 'arg_min_nulls_last'])}(${value}, ${key})`
    case 1:
      return `${g.pick(['first', 'last', 'any_value'])}(${value} ORDER BY ${key}${g.pick(['', ' DESC'])})`
    case 2:
      return `first(${value} ORDER BY ${g.of('int', scope, 1)}, ${key})`
    default:
      return cat === 'text'
        ? `string_agg(${value}, '|' ORDER BY ${key})`
        : `list(((${g.of('int', scope, 1)}) % 100)::INTEGER ORDER BY ${key} DESC)`
  }
}

type Form = (g: Expressions, scope: Scope) => string

const distinct = (g: Expressions) => (g.may(0.15) ? 'DISTINCT ' : '')
const extreme =
  (cat: Cat): Form =>
  (g, s) =>
    `${g.pick(['min', 'max'])}(${g.of(cat, s, 1)})`
const ordered =
  (cat: Cat): Form =>
  (g, s) => {
    const value = g.of(cat, s, 0)
    return `${g.pick(['first', 'last', 'any_value', 'arbitrary'])}(${value} ORDER BY ${value}${g.pick(['', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST'])})`
  }
const keyed =
  (cat: Cat): Form =>
  (g, s) => {
    const value = g.of(cat, s, 0)
    return `${g.pick(['arg_min', 'arg_max', 'max_by', 'arg_min_null', 'arg_max_null'])}(${value}, ${value})`
  }
/** Sums are taken of what is exact in every order. */
const ANY = (cat: Cat): Form[] => [extreme(cat), extreme(cat), ordered(cat), keyed(cat)]

const AGGREGATES: Record<Cat, Form[]> = {
  int: [
    () => 'count(*)',
    () => 'count(*)',
    (g, s) => `count(${distinct(g)}${g.of(g.cat(s), s, 1)})`,
    (g, s) => `count(DISTINCT ${g.of('int', s, 1)})`,
    (g, s) => `sum(${distinct(g)}${g.of('int', s, 1)})`,
    (g, s) => `sum(${g.of('int', s, 1)})`,
    (g, s) => `count_if(${g.of('bool', s, 1)})`,
    (g, s) => `${g.pick(['bit_and', 'bit_or', 'bit_xor'])}(${g.of('int', s, 1)})`,
    (g, s) => `approx_count_distinct(${g.of('int', s, 1)})`,
    (g, s) => `quantile_disc(${g.of('int', s, 1)}, ${g.pick(['0.25', '0.5', '1'])})`,
    (g, s) => `regr_count(${g.of('int', s, 0)}, ${g.of('int', s, 0)})`,
    (g, s) => `sum(${g.of('bool', s, 1)})`,
    ...ANY('int'),
  ],
  dec: [(g, s) => `sum(${distinct(g)}${g.of('dec', s, 1)})`, (g, s) => `median(${g.of('dec', s, 1)})`, ...ANY('dec')],
  dbl: [
    (g, s) => `avg(${distinct(g)}${g.of(g.pick(['int', 'dec', 'dbl']), s, 1)})`,
    (g, s) => `sum(${g.of('dbl', s, 1)})`,
    (g, s) =>
      `${g.pick(['stddev', 'stddev_pop', 'var_samp', 'var_pop', 'variance', 'stddev_samp'])}((${g.of('int', s, 1)}) % 1000)`,
    (g, s) => `${g.pick(['fsum', 'favg', 'product'])}(${g.of('int', s, 0)} % 4)`,
    (g, s) => `${g.pick(['median', 'mad'])}((${g.of('int', s, 1)} % 1000)::DOUBLE)`,
    (g, s) => `quantile_cont(${g.of('int', s, 1)} % 1000, 0.3)`,
    (g, s) =>
      `${g.pick(['corr', 'covar_pop', 'covar_samp', 'regr_slope'])}(${g.of('int', s, 0)} % 10, ${g.of('int', s, 0)} % 7)`,
    (g, s) => `${g.pick(['skewness', 'kurtosis', 'entropy', 'sem'])}(${g.of('int', s, 0)} % 10)`,
    ...ANY('dbl'),
  ],
  text: [
    (g, s) => {
      const value = g.of('text', s, 0)
      return `string_agg(${distinct(g)}${value}, ',' ORDER BY ${value})`
    },
    (g, s) => `histogram(${g.of('text', s, 1)})::VARCHAR`,
    ...ANY('text'),
  ],
  bool: [(g, s) => `${g.pick(['bool_and', 'bool_or'])}(${g.of('bool', s, 1)})`, ...ANY('bool')],
  date: [...ANY('date')],
  ts: [...ANY('ts')],
  list: [
    (g, s) => {
      const value = g.of('int', s, 1)
      return `list(((${value}) % 100)::INTEGER ORDER BY ((${value}) % 100)::INTEGER${g.pick(['', ' DESC NULLS LAST'])})`
    },
    (g, s) => `list_sort(list(DISTINCT ((${g.of('int', s, 1)}) % 100)::INTEGER))`,
    (g, s) => `max(${g.of('list', s, 0)})`,
    (g, s) => `min(((${g.of('int', s, 0)}) % 100)::INTEGER, 2)`,
  ],
  struct: [extreme('struct'), ordered('struct')],
  blob: [extreme('blob')],
  uuid: [extreme('uuid')],
  time: [extreme('time')],
}

/** A call over a window: rows that are alike in what it is ordered by get the same value. */
export function windowCall(g: Expressions, scope: Scope): string {
  const inside = { ...scope, flat: true }
  const partition = g.may(0.7) ? `PARTITION BY ${g.of(g.cat(inside), inside, 1)}` : ''
  const order = `ORDER BY ${g.of(g.pick(['int', 'text', 'ts']), inside, 1)}${g.pick(['', ' DESC', ' NULLS FIRST'])}`
  if (scope.unique !== undefined && g.may(0.3))
    return `${g.pick(['row_number()', `lag(${scope.unique})`, `first_value(${scope.unique})`, 'ntile(3)'])} OVER (${partition} ORDER BY ${scope.unique})`
  if (g.may(0.4)) return `${g.pick(['rank', 'dense_rank', 'count'])}() OVER (${partition} ${order})`
  return `${g.pick(['sum', 'count', 'min', 'max'])}(${g.of('int', inside, 1)}) OVER (${partition} ${g.may(0.5) ? order : ''})`
}
