/** Queries that would take all memory, all time or the whole stack. Each must end in an error of a limit. */

const chain = (length: number, first: string, next: (name: string) => string) => {
  const tables = Array.from({ length }, (_, k) => `a${k + 1} AS (${next(`a${k}`)})`)
  return `WITH a0 AS (${first}), ${tables.join(', ')}`
}

const times = (count: number, item: (k: number) => string, between: string) =>
  Array.from({ length: count }, (_, k) => item(k)).join(between)

/** Bombs by what they would exhaust. */
export const BOMBS: Readonly<Record<string, readonly string[]>> = {
  'one large value': [
    `SELECT length(repeat('x', 1000000000))`,
    `SELECT length(repeat('x', 4000000000))`,
    `SELECT len(repeat([1], 1000000000))`,
    `SELECT repeat(repeat(repeat('x', 10000), 10000), 10000)`,
    `SELECT length(lpad('x', 2000000000, 'y'))`,
    `SELECT length(rpad('x', 2000000000, 'y'))`,
    `SELECT length(bitstring('1', 2000000000)::VARCHAR)`,
    'SELECT len(range(1000000000))',
    'SELECT len(generate_series(1, 3000000000))',
    'SELECT len(generate_series(0, 1000000000000, 3))',
    `SELECT len(generate_series(TIMESTAMP '1900-01-01', TIMESTAMP '2900-01-01', INTERVAL 1 microsecond))`,
    `SELECT len(generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2020-01-01', INTERVAL '1 month -30 days'))`,
    'SELECT len(list_resize([1], 1000000000))',
    'SELECT len(array_resize([1], 400000000, 2))',
    'SELECT array_value(1)::INTEGER[100000]',
    'SELECT unnest(range(1000000000))',
    'FROM unnest(range(1000000000))',
  ],
  'many values': [
    `SELECT max(repeat('x', 1000000 + i)) FROM range(100000) t(i)`,
    'SELECT sum(len(range(1000000 + i))) FROM range(2048) t(i)',
    `SELECT string_agg(repeat('x', 60000), '') FROM range(10000000)`,
    'SELECT list(i) FROM range(1000000000) t(i)',
    `SELECT string_agg(i::VARCHAR, ',') FROM range(1000000000) t(i)`,
    'SELECT json_group_array(i) FROM range(100000000) t(i)',
    'SELECT quantile_cont(i, 0.3) OVER (ORDER BY i) FROM range(100000000) t(i)',
    'SELECT list(i) OVER () FROM range(1000000) t(i)',
    'SELECT len(list_transform(range(8000), lambda x: list_transform(range(8000), lambda y: y)))',
  ],
  doubling: [
    `WITH RECURSIVE r(s, n) AS (SELECT 'x', 0 UNION ALL SELECT s || s, n + 1 FROM r WHERE n < 40) SELECT max(length(s)) FROM r`,
    'WITH RECURSIVE r(s, n) AS (SELECT [1], 0 UNION ALL SELECT s || s, n + 1 FROM r WHERE n < 40) SELECT max(len(s)) FROM r',
    `${chain(39, `SELECT 'x' AS x`, (table) => `SELECT x || x AS x FROM ${table}`)} SELECT length(x) FROM a39`,
    `${chain(39, 'SELECT 1 AS x', (table) => `FROM ${table} UNION ALL FROM ${table}`)} SELECT count(*) FROM a39`,
    `SELECT length(replace(repeat('a', 1000000), 'a', repeat('b', 1000)))`,
  ],
  'no end': [
    'WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r',
    'SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3',
    `SELECT count(*) FROM ${times(14, (k) => `range(10) t${k}(i)`, ', ')} WHERE t0.i + t13.i > 3 AND hash(${times(14, (k) => `t${k}.i`, ', ')}) % 7 = 1`,
    'SELECT (SELECT count(*) FROM range(1000000) b WHERE b.range % (a.range + 1) = 0) FROM range(1000000) a',
    'SELECT * FROM range(30000000000) r(i) ORDER BY hash(i) LIMIT 1',
    `SELECT count(*) FROM generate_series(TIMESTAMP '1900-01-01', TIMESTAMP '2900-01-01', INTERVAL 1 microsecond)`,
    `SELECT count(*) FROM repeat('x', 1000000000000)`,
    `SELECT count(*) FROM range(1000000) t(i) WHERE regexp_matches(repeat('a', 10000), '(a|aa)+$' || i)`,
    'SELECT median(i) OVER (ORDER BY i ROWS BETWEEN 100000 PRECEDING AND 100000 FOLLOWING) FROM range(10000000) t(i)',
    `SELECT ${times(10_000, (k) => `sum(hash(i + ${k}))`, ', ')} FROM range(1000000) t(i)`,
  ],
  'one slow call': [
    `SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))`,
    `SELECT damerau_levenshtein(repeat('a', 20000), repeat('b', 20000))`,
    `SELECT sum(levenshtein(repeat('a', 900) || i, repeat('b', 900) || i)) FROM range(1000000) t(i)`,
  ],
  'the stack': [
    `SELECT json_structure(repeat('[', 100000) || repeat(']', 100000))`,
    `SELECT json_structure(repeat('{"a":', 50000) || '1' || repeat('}', 50000))`,
    `SELECT json_contains(repeat('{"a":', 50000) || '1' || repeat('}', 50000), '2')`,
    `SELECT json_contains('[1]', repeat('[', 50000) || repeat(']', 50000))`,
    `SELECT json_merge_patch('{}', repeat('{"a":', 50000) || '1' || repeat('}', 50000))`,
    `SELECT json_pretty(repeat('[', 50000) || repeat(']', 50000))`,
    `SELECT ${'abs('.repeat(900)}1${')'.repeat(900)}`,
    `SELECT ${'NOT '.repeat(100_000)}true`,
    `SELECT ${'['.repeat(900)}1${']'.repeat(900)}`,
    `SELECT ${times(20_000, () => '1', '+')}`,
  ],
  planning: [
    `SELECT ${'(SELECT '.repeat(30)}1${')'.repeat(30)}`,
    `SELECT ${times(30, (k) => `list_transform([1], lambda x${k}: `, '')}1${')'.repeat(30)}`,
    `SELECT ${times(20, () => `${'upper('.repeat(200)}'a'${')'.repeat(200)}`, ', ')}`,
    `SELECT ${'repeat('.repeat(30)}'a'${', 1)'.repeat(30)}`,
    `SELECT length(${times(900, () => `'aaaaaaaaaa'`, '||')})`,
    `${chain(30, 'SELECT 1 AS x', (table) => `FROM ${table} UNION ALL FROM ${table}`).replaceAll(
      ' AS (',
      ' AS NOT MATERIALIZED (',
    )} SELECT count(*) FROM a30`,
  ],
}
/** What is refused as no query that is accepted, since it could take the process down or has no bound. */
export const REFUSED_BOMBS: readonly string[] = [
  `SELECT length(printf('%2000000000d', 1))`,
  `SELECT length(printf('%*d', 2000000000, 1))`,
  `SELECT length(format('{:>2000000000}', 'a'))`,
  `SELECT length(format('{:>{}}', 'a', 2000000000))`,
  `SELECT printf(f, 1) FROM (SELECT '%2000000000d' AS f)`,
  `SELECT json_extract(repeat('[', 100000) || repeat(']', 100000), '$' || repeat('[*]', 100000))`,
  `SELECT (repeat('[', 100000) || repeat(']', 100000))::JSON -> ('$' || repeat('[*]', 100000))`,
  `SELECT (repeat('[', 100000) || repeat(']', 100000))::JSON ->> ('$' || repeat('[*]', 100000))`,
  `SELECT json_transform('1', repeat('[', 100000) || repeat(']', 100000))`,
  `SELECT from_json('{}', repeat('{"a":', 100000) || '1' || repeat('}', 100000))`,
  `SELECT (repeat('[', 100000) || repeat(']', 100000))::JSON::VARIANT`,
  `SELECT repeat('x', CASE WHEN random() < 0.5 THEN 1 ELSE 1000000000 END)`,
  `SELECT list_resize([1], (random() * 1e9)::BIGINT)`,
  `SELECT length(list_reduce(list_transform(range(32), lambda q: 'x'), lambda a, b: a || a))`,
  'SELECT len(list_reduce(list_transform(range(32), lambda q: [1]), lambda a, b: a || a))',
  `SELECT (repeat('1', 10000000)::BIGNUM)::VARCHAR`,
  `SELECT list_reduce(['a', 'b'], lambda a, b: hex(a))`,
  `SELECT list_reduce(list_transform(range(60), lambda q: 'x'), lambda a, b: concat(a, a))`,
  `SELECT array_reduce([[1], [2]], (a, b) -> flatten([a, a]))`,
  `SELECT reduce([1], lambda a, b: a + len(repeat('x', 100)))`,
  `SELECT length(regexp_replace(repeat('a', 10000000), 'a', repeat('b', 1000), 'g'))`,
  `SELECT system.main.repeat('x', 1000000000)`,
  `SELECT system.repeat('x', 1000000000)`,
]
