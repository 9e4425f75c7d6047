import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, openLab } from './import-lab.ts'

let lab: Lab

/** The same rows as tables of the warehouse, cut into many files, and as views of a DuckDB that knows no warehouse. */
beforeAll(async () => {
  lab = await openLab()
  const { warehouse, duck } = lab
  const events = `SELECT 'user' || (hash(i) % 40) AS user_id, TIMESTAMP '2026-01-01' + INTERVAL (hash(i * 3) % 5000000) SECOND AS ts,
    ['view', 'cart', 'buy', 'leave'][1 + (hash(i * 5) % 4)::INTEGER] AS kind, ((hash(i * 7) % 1000) / 10)::DECIMAL(9,2) AS price,
    CASE WHEN i % 9 = 0 THEN NULL ELSE (hash(i * 11) % 20)::INTEGER END AS n,
    CASE WHEN i % 50 = 0 THEN 'nan'::DOUBLE WHEN i % 7 = 0 THEN NULL ELSE (hash(i * 13) % 100) / 7 END AS score FROM range(2000) t(i)`
  const first = await lab.write(`SELECT * FROM (${events}) WHERE ts < '2026-02-01'`)
  const second = await lab.write(`SELECT * FROM (${events}) WHERE ts >= '2026-02-01'`)
  await warehouse.import('events', [first], { actor: 'user_id', time: 'ts', buckets: 4 })
  await warehouse.import('events', [second])
  await duck.run(`CREATE TABLE events AS FROM read_parquet(['${first}', '${second}'])`)

  const users = await lab.write(
    `SELECT 'user' || i AS user_id, ['NL', 'DE', 'FR', NULL][1 + i % 4] AS country, DATE '2020-01-01' + i::INTEGER * 30 AS born,
       [i, i + 1] AS tags, {'city': 'c' || (i % 5), 'zip': i} AS address, MAP {'k' || (i % 3): i} AS attributes FROM range(60) t(i)`,
  )
  await warehouse.import('Users', [users])
  await duck.run(`CREATE TABLE Users AS FROM '${users}'`)

  for (const day of ['2026-01-01', '2026-01-02', '2026-01-03']) {
    for (const c of ['DE', 'NL']) {
      const rows = `SELECT 'user' || (hash(i || '${day}${c}') % 40) AS user_id, i AS t, i * 1.5::DOUBLE AS v FROM range(20) t(i)`
      await lab.write(rows, `logs/day=${day}/c=${c}/part.parquet`)
    }
  }
  await lab.write(`SELECT 'user1' AS user_id, 7 AS t`, 'logs/day=2026-01-04/c=NL/part.parquet')
  await warehouse.register('logs', `${lab.dir}/logs`, { actor: 'user_id', time: 't' })
  await duck.run(
    `CREATE TABLE logs AS SELECT user_id, t, v, day, c FROM read_parquet('${lab.dir}/logs/**/*.parquet', union_by_name = true, hive_partitioning = true, hive_types = {'day': VARCHAR, 'c': VARCHAR})`,
  )
  const odd = await lab.write(`SELECT 1 AS "order", 2 AS "Group By", 3 AS "a""b"`)
  await warehouse.import('odd-name', [odd])
  await duck.run(`CREATE TABLE "odd-name" AS FROM '${odd}'`)
})

afterAll(async () => {
  await lab.close()
})

const QUERIES: Record<string, string[]> = {
  'from one table': [
    'SELECT * FROM events',
    'FROM events',
    'FROM events SELECT user_id, n WHERE n = 5',
    "SELECT * FROM EVENTS WHERE USER_ID = 'user3'",
    'SELECT "User_Id" FROM "Events" WHERE "N" > 10',
    'SELECT * EXCLUDE (score) FROM events WHERE n IS NULL',
    'SELECT * REPLACE (upper(kind) AS kind) FROM events WHERE n < 3',
    'SELECT * RENAME (kind AS what) FROM events WHERE price > 90',
    "SELECT COLUMNS('^(n|price)$') FROM events WHERE kind = 'buy'",
    'SELECT min(COLUMNS(*)) FROM users',
    'SELECT DISTINCT kind FROM events',
    'SELECT DISTINCT ON (user_id) user_id, ts, kind FROM events ORDER BY user_id, ts, kind, price',
    'SELECT count(*), count(n), count(DISTINCT n), sum(n), round(avg(price), 6), min(ts), max(ts) FROM events',
    "SELECT count(*) FILTER (WHERE kind = 'buy') AS b, sum(n) FILTER (n > 5) FROM events",
    'SELECT user_id, n FROM events ORDER BY ts, user_id, n NULLS FIRST, price LIMIT 10',
    'SELECT user_id, ts, price FROM events ORDER BY ts DESC, user_id, price LIMIT 5 OFFSET 7',
    'SELECT t.* FROM events AS t WHERE t.n BETWEEN 3 AND 5',
    'SELECT x.a, x.b FROM events AS x(a, b, c, d, e, f) WHERE x.e = 5',
    "SELECT count(*) FROM events AS x(kind, ts2, user_id) WHERE user_id = 'buy'",
    'SELECT main.events.n FROM events WHERE main.events.n = 5',
    'SELECT events.n FROM events WHERE events.n = 5',
    'SELECT count(*) FROM events WHERE true',
    'SELECT count(*) FROM events WHERE NULL',
    'SELECT count(*) FROM events WHERE n = NULL',
    'SELECT n AS price, price AS n FROM events WHERE n = 7',
    'SELECT "order", "Group By", "a""b" FROM "odd-name" WHERE "Group By" = 2',
    'SELECT rowid IS NOT NULL FROM (SELECT 1 AS rowid)',
    "SELECT count(*) FROM events WHERE (n, kind) = (5, 'buy')",
    'SELECT count(*) FROM events WHERE n IN (1, 2, NULL)',
    'SELECT count(*) FROM events WHERE n NOT IN (1, 2)',
    'SELECT count(*) FROM events WHERE NOT (n = 3 OR n IS NULL)',
    'SELECT count(*) FROM events WHERE n IS DISTINCT FROM 3',
    'SELECT count(*) FROM events WHERE n IS NOT DISTINCT FROM NULL',
    "SELECT count(*) FROM events WHERE kind LIKE 'b%' OR kind ILIKE 'LE%'",
    "SELECT count(*) FROM events WHERE kind SIMILAR TO '(buy|cart)'",
    "SELECT count(*) FROM events WHERE score = 'nan'::DOUBLE",
    'SELECT count(*) FROM events WHERE score > 14',
    'SELECT count(*) FROM events WHERE score <= 14 OR score IS NULL',
    "SELECT count(*) FROM events WHERE ts > '2026-02-10'",
    "SELECT count(*) FROM events WHERE ts BETWEEN DATE '2026-01-10' AND TIMESTAMP '2026-01-12 12:00:00'",
    "SELECT count(*) FROM events WHERE ts >= TIMESTAMPTZ '2026-02-10 00:00:00+02'",
    "SELECT count(*) FROM events WHERE ts::DATE = '2026-01-15'",
    "SELECT count(*) FROM events WHERE date_trunc('month', ts) = DATE '2026-02-01'",
    'SELECT count(*) FROM events WHERE ts < now()',
    "SELECT count(*) FROM events WHERE price = 12.3 OR price = 12.30::DOUBLE OR price = '12.3'",
    "SELECT count(*) FROM events WHERE n = 5.0 OR n = '7' OR n = 5.5",
    'SELECT count(*) FROM events WHERE n > 99999999999999999999',
    'SELECT count(*), sum(n + 0.5e0) FROM events WHERE score < 1e999 AND score > -1e999 AND n >= 5e0',
    "SELECT count(*), 'Infinity' FROM events WHERE score < 125e-2",
    'SELECT count(*) FROM events WHERE 5 < n AND 10 >= n',
    'SELECT CASE WHEN n > 5 THEN 1 END AS c, count(*) FROM events GROUP BY c',
  ],
  joins: [
    'SELECT count(*), sum(n) FROM events JOIN users USING (user_id)',
    "SELECT e.user_id, u.country FROM events e JOIN users u ON e.user_id = u.user_id WHERE u.country = 'NL' AND e.n = 3",
    "SELECT count(*) FROM events e LEFT JOIN users u ON e.user_id = u.user_id AND u.country = 'DE' WHERE u.user_id IS NULL",
    'SELECT u.user_id FROM users u LEFT JOIN events e ON e.user_id = u.user_id WHERE e.user_id IS NULL',
    'SELECT u.user_id FROM events e RIGHT JOIN users u ON e.user_id = u.user_id WHERE e.n IS NULL',
    'SELECT u.user_id, l.v FROM users u LEFT JOIN logs l ON u.user_id = l.user_id AND l.t = 3 WHERE l.v IS NULL OR l.v > 4',
    "SELECT u.user_id, e.n FROM users u FULL JOIN events e ON u.user_id = e.user_id AND e.n = 19 WHERE e.n IS NULL OR u.country = 'FR'",
    'SELECT user_id, count(*) FROM events FULL JOIN users USING (user_id) GROUP BY user_id',
    "SELECT user_id FROM users LEFT JOIN events USING (user_id) WHERE user_id = 'user55'",
    "SELECT user_id FROM events RIGHT JOIN users USING (user_id) WHERE user_id = 'user55' AND kind IS NULL",
    "SELECT user_id FROM events FULL JOIN users USING (user_id) WHERE user_id IN ('user55', 'user3') AND country IS NOT NULL",
    "SELECT count(*) FROM events NATURAL JOIN users WHERE user_id > 'user3'",
    'SELECT count(*) FROM users SEMI JOIN events ON users.user_id = events.user_id',
    'SELECT user_id FROM users ANTI JOIN events USING (user_id)',
    "SELECT user_id FROM users ANTI JOIN events USING (user_id) WHERE user_id > 'user5'",
    'SELECT count(*) FROM logs SEMI JOIN events USING (user_id) WHERE t = 5',
    "SELECT user_id FROM users ANTI JOIN (SELECT user_id FROM events WHERE n = 5) e USING (user_id) WHERE country = 'NL'",
    'SELECT count(*) FROM events, users WHERE events.user_id = users.user_id AND users.country IS NULL',
    'SELECT count(*) FROM users CROSS JOIN (FROM events LIMIT 3)',
    'SELECT a.user_id, b.user_id FROM users a JOIN users b ON a.address.zip = b.address.zip + 1 WHERE a.country = b.country OR b.country IS NULL',
    "SELECT count(*) FROM events a JOIN events b ON a.user_id = b.user_id WHERE a.kind = 'view' AND b.kind = 'buy'",
    "SELECT count(*) FROM events a, events b WHERE a.user_id = 'user1' AND b.user_id = 'user2'",
    "SELECT count(*) FROM events a LEFT JOIN events b ON a.user_id = b.user_id AND b.n = 19 WHERE a.n = 1 AND b.kind = 'buy'",
    'SELECT e.user_id, e.ts, l.t FROM events e ASOF JOIN logs l ON e.user_id = l.user_id AND e.n >= l.t WHERE e.n IS NOT NULL ORDER BY ALL',
    'SELECT count(*), count(l.t) FROM events e ASOF LEFT JOIN logs l ON e.user_id = l.user_id AND e.n >= l.t WHERE e.n > 3',
    'SELECT count(*) FROM (SELECT 1 AS one FROM users) POSITIONAL JOIN (SELECT 2 AS two FROM users LIMIT 10)',
    'SELECT u.user_id, x.total FROM users u, LATERAL (SELECT sum(n) AS total FROM events e WHERE e.user_id = u.user_id) x',
    'SELECT u.user_id, x.ts FROM users u LEFT JOIN LATERAL (SELECT ts FROM events e WHERE e.user_id = u.user_id ORDER BY ts LIMIT 1) x ON true',
    "SELECT count(*) FROM users u JOIN (events e JOIN logs l ON e.user_id = l.user_id) ON u.user_id = e.user_id WHERE l.day = '2026-01-02' AND e.n = 1",
    "SELECT count(*) FROM users u LEFT JOIN (events e LEFT JOIN logs l ON e.user_id = l.user_id AND l.c = 'NL') ON u.user_id = e.user_id WHERE l.day IS NULL",
    "SELECT count(*) FROM (events e RIGHT JOIN users u ON e.user_id = u.user_id) LEFT JOIN logs l ON l.user_id = u.user_id WHERE e.n IS NULL AND l.c = 'DE'",
    'SELECT count(*) FROM users u FULL JOIN events e ON e.user_id = u.user_id FULL JOIN logs l ON l.user_id = e.user_id WHERE l.c IS NULL AND e.n > 4',
    'SELECT n, x FROM events, unnest([n, n + 1]) AS t(x) WHERE n = 4',
    'SELECT user_id, tag FROM users, unnest(tags) AS u(tag) WHERE tag > 50',
    "SELECT count(*) FROM events e WHERE e.user_id = ANY (SELECT user_id FROM users WHERE country = 'NL')",
  ],
  'subqueries and common table expressions': [
    'WITH x AS (SELECT * FROM events WHERE n = 5) SELECT count(*) FROM x',
    'WITH events AS (SELECT * FROM events WHERE n = 5) SELECT count(*) FROM events WHERE n = 6',
    "WITH events AS (SELECT user_id, 'x' AS kind FROM users) SELECT count(*) FROM events WHERE kind = 'x'",
    'WITH a AS (SELECT n FROM events), b AS (SELECT n FROM a WHERE n > 3) SELECT sum(n) FROM b JOIN a USING (n)',
    "WITH x AS MATERIALIZED (SELECT * FROM events) SELECT count(*) FROM x a, x b WHERE a.user_id = 'user1' AND b.n = 3",
    "WITH x AS NOT MATERIALIZED (SELECT * FROM events) SELECT count(*) FROM x WHERE user_id = 'user1'",
    'WITH x(a, b) AS (SELECT user_id, n FROM events) SELECT a FROM x WHERE b = 19',
    'SELECT count(*) FROM events WHERE n = 5 AND user_id IN (WITH events AS (SELECT user_id FROM users) FROM events)',
    'WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 10) SELECT i, count(e.n) FROM r LEFT JOIN events e ON e.n = r.i GROUP BY i',
    'WITH RECURSIVE events AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM events WHERE n < 5) SELECT * FROM events',
    "WITH RECURSIVE r AS (SELECT user_id, 0 AS d FROM users WHERE user_id = 'user1' UNION SELECT u.user_id, d + 1 FROM r JOIN users u ON u.address.zip = d + 1 WHERE d < 5) FROM r",
    'SELECT user_id, (SELECT count(*) FROM events e WHERE e.user_id = u.user_id) AS c FROM users u',
    'SELECT user_id FROM users u WHERE EXISTS (SELECT 1 FROM events e WHERE e.user_id = u.user_id AND e.n = 19)',
    'SELECT user_id FROM users u WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.user_id = u.user_id AND n > 15)',
    'SELECT user_id FROM users WHERE user_id NOT IN (SELECT user_id FROM events)',
    'SELECT user_id, ts, n FROM events e WHERE ts = (SELECT max(ts) FROM events x WHERE x.user_id = e.user_id)',
    "SELECT count(*) FROM events WHERE n > (SELECT avg(n) FROM events WHERE kind = 'buy')",
    'SELECT count(*) FROM events WHERE n >= ALL (SELECT n FROM events WHERE n IS NOT NULL)',
    "SELECT * FROM (SELECT user_id, count(*) AS c FROM events GROUP BY 1) WHERE c > 60 AND user_id > 'user2'",
    "SELECT c FROM (SELECT kind AS user_id, count(*) AS c FROM events GROUP BY 1) WHERE user_id = 'buy'",
    'SELECT count(*) FROM (SELECT * FROM events WHERE n = 1) a, (SELECT * FROM events WHERE n = 2) b WHERE a.user_id = b.user_id',
    'SELECT count(*) FROM (FROM events UNION ALL FROM events) WHERE n = 3',
    "SELECT (SELECT max(n) FROM events WHERE user_id = 'user1'), (SELECT min(n) FROM events WHERE user_id = 'user2')",
    "SELECT (SELECT count(*) FROM events WHERE users.country = 'NL') FROM users",
    "FROM (VALUES (1, 'a'), (2, 'b')) AS v(n, s) JOIN events USING (n)",
  ],
  'grouping and windows': [
    'SELECT kind, count(*), sum(price) FROM events GROUP BY kind HAVING count(*) > 100',
    'SELECT kind, n, count(*) FROM events GROUP BY ALL',
    'SELECT kind, n % 3 AS m, count(*) FROM events GROUP BY GROUPING SETS ((kind), (m), ())',
    'SELECT kind, n % 3 AS m, count(*), grouping(kind) FROM events GROUP BY ROLLUP (kind, m)',
    'SELECT kind, n % 3 AS m, count(*) FROM events GROUP BY CUBE (kind, m)',
    'SELECT user_id, ts, row_number() OVER (PARTITION BY user_id ORDER BY ts, price, n) AS r FROM events QUALIFY r <= 2',
    'SELECT user_id, ts, n, lag(n) OVER w, sum(n) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM events WINDOW w AS (PARTITION BY user_id ORDER BY ts, price, n)',
    "SELECT user_id, ts, count(*) OVER (PARTITION BY user_id ORDER BY ts RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW) FROM events WHERE kind = 'buy'",
    'SELECT kind, quantile_disc(price, 0.5), mode(n ORDER BY n), arg_max(user_id, (ts, user_id)) FROM events GROUP BY kind',
    "SELECT kind, string_agg(user_id, ',' ORDER BY ts, user_id) FROM events WHERE n = 3 GROUP BY kind",
    'SELECT kind, list(n ORDER BY n, ts) FROM events WHERE n < 2 GROUP BY kind',
    'SELECT n, ntile(4) OVER (ORDER BY n, ts, user_id, price), dense_rank() OVER (ORDER BY n) FROM events WHERE n IS NOT NULL',
    'SELECT kind, histogram(n) FROM events GROUP BY kind',
    "SELECT * FROM events PIVOT (count(*) FOR kind IN ('buy', 'view') GROUP BY user_id)",
    'FROM (SELECT user_id, n, price::INTEGER AS p FROM events WHERE n = 5) UNPIVOT (v FOR what IN (n, p))',
    'SELECT max(n) FROM events WHERE n < 5 GROUP BY ()',
    'SELECT n FROM events GROUP BY n HAVING n > 15',
    'SELECT approx_count_distinct(n) > 0 FROM events',
  ],
  'set operations and order': [
    'SELECT user_id FROM users EXCEPT SELECT user_id FROM events',
    'SELECT user_id FROM users INTERSECT SELECT user_id FROM events WHERE n = 3',
    "SELECT n FROM events WHERE kind = 'buy' UNION SELECT n FROM events WHERE kind = 'view'",
    'SELECT n FROM events EXCEPT ALL SELECT n FROM events WHERE n > 5',
    'SELECT user_id, n FROM events WHERE n = 1 UNION ALL BY NAME SELECT n, user_id FROM events WHERE n = 2',
    '(SELECT n FROM events WHERE n = 1 LIMIT 3) UNION ALL (SELECT n FROM events WHERE n = 2 LIMIT 2)',
    'SELECT DISTINCT n FROM events ORDER BY n DESC NULLS LAST LIMIT 3',
    'SELECT user_id FROM users ORDER BY length(user_id), user_id DESC',
    'SELECT n FROM events ORDER BY ALL LIMIT 5',
    'SELECT user_id FROM users ORDER BY user_id LIMIT 10%',
    "VALUES (1, NULL), (2, 'x')",
    'SELECT 1 UNION ALL SELECT 2.5 UNION ALL SELECT NULL',
  ],
  'nested values': [
    "SELECT user_id, address.city, address['zip'] FROM users WHERE address.city = 'c2'",
    "SELECT user_id, attributes['k1'] FROM users WHERE map_contains(attributes, 'k1')",
    'SELECT user_id, tags[1], tags[-1], len(tags) FROM users WHERE list_contains(tags, 7)',
    'SELECT user_id, [x * 2 FOR x IN tags IF x > 20] FROM users',
    'SELECT user_id, list_transform(tags, lambda x : x + 1) FROM users',
    "SELECT unnest(tags) AS tag FROM users WHERE country = 'NL'",
    "SELECT unnest(address) FROM users WHERE user_id < 'user2'",
    'SELECT struct_pack(a := n, b := kind) AS s FROM events WHERE n = 19',
    "SELECT users FROM users WHERE user_id = 'user7'",
    "SELECT to_json(address) FROM users WHERE user_id = 'user7'",
    'SELECT address FROM users ORDER BY address LIMIT 3',
    'SELECT max(address), min(tags) FROM users',
    'SELECT country, list(address ORDER BY address) FROM users GROUP BY country',
  ],
  'folders in place': [
    'SELECT * FROM logs',
    "SELECT * FROM logs WHERE day = '2026-01-02'",
    "SELECT count(*) FROM logs WHERE day > '2026-01-02' AND c = 'NL'",
    'SELECT day, c, count(*), count(v) FROM logs GROUP BY day, c',
    'SELECT count(*) FROM logs WHERE v IS NULL',
    "SELECT * FROM logs WHERE day IN ('2026-01-03', '2026-01-04') AND user_id = 'user1'",
    "SELECT count(*) FROM logs WHERE day LIKE '2026-01-0%' AND t < 3",
    "SELECT count(*) FROM logs WHERE day = DATE '2026-01-02'",
    'SELECT count(*) FROM logs l JOIN events e ON l.user_id = e.user_id AND l.t = e.n',
    'SELECT DISTINCT day FROM logs ORDER BY day',
  ],
  'about queries': [
    'DESCRIBE events',
    'DESCRIBE SELECT n, sum(price) FROM events GROUP BY n',
    'FROM (DESCRIBE users)',
    'SELECT column_name, column_type, min, max, count, null_percentage FROM (SUMMARIZE logs)',
  ],
}

type Rows = unknown[][]

/** Numbers as texts, times with a space and without a zone: what both sides' JSON have in common. */
function plain(value: unknown): unknown {
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') {
    if (/^(NaN|-?Infinity)$/.test(value)) return null
    return value.replace(/^(\d{4}-\d\d-\d\d)T(\S+?)Z?$/, '$1 $2').replace(/^(\d{4}-\d\d-\d\d \S+)\+00$/, '$1')
  }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
}

function comparable(rows: Rows, isOrdered: boolean): string[] {
  const texts = rows.map((row) => JSON.stringify(plain(row)))
  return isOrdered ? texts : texts.toSorted()
}

const isOrdered = (sql: string) => /ORDER BY (?!.*\))/s.test(sql)

describe.each(Object.entries(QUERIES))('%s', (_, queries) => {
  test.for(queries)('%s', async (sql) => {
    const judged = await lab.duck.run(sql)
    const wanted = comparable((await judged.getRowsJson()) as Rows, isOrdered(sql))
    const { columns, rows } = await lab.warehouse.sql(sql)
    expect(
      comparable(
        rows.map((row) => Object.values(row)),
        isOrdered(sql),
      ),
    ).toEqual(wanted)
    expect(columns.map(({ type }) => type)).toEqual(judged.columnTypes().map(String))
  })
})

test('all queries at once give the same answers', async () => {
  const queries = Object.values(QUERIES).flat()
  const answers = await Promise.all(queries.map((sql) => lab.warehouse.sql(sql)))
  for (const [k, sql] of queries.entries()) {
    const wanted = comparable((await lab.judge(sql)) as Rows, isOrdered(sql))
    expect(
      comparable(
        answers[k]!.rows.map((row) => Object.values(row)),
        isOrdered(sql),
      ),
      sql,
    ).toEqual(wanted)
  }
})

test('a sample is taken of all rows, before the WHERE clause', async () => {
  for (const sql of [
    "SELECT count(*) AS n FROM logs USING SAMPLE 100% (bernoulli) WHERE day = '2026-01-02'",
    "SELECT count(*) AS n FROM logs TABLESAMPLE reservoir(1000 ROWS) WHERE day = '2026-01-02'",
  ]) {
    const { rows } = await lab.warehouse.sql(sql.replace(/ (USING SAMPLE .*?\)) (WHERE .*)/, ' $2 $1'))
    expect(rows).toEqual([{ n: 40 }])
  }
  const { stats } = await lab.warehouse.sql(
    "SELECT count(*) AS n FROM logs WHERE day = '2026-01-02' USING SAMPLE 10 ROWS",
  )
  expect(stats.filesPruned).toBe(0)
})

describe('files are pruned', () => {
  const pruned = async (sql: string, params?: unknown) =>
    (await lab.warehouse.sql(sql, { params } as never)).stats.filesPruned

  test.for([
    ['an actor', "SELECT * FROM events WHERE user_id = 'user7'", 6],
    ['actors in a list', "SELECT * FROM events WHERE user_id IN ('user7', 'user7')", 6],
    ['time', "SELECT * FROM events WHERE ts < '2026-01-20'", 4],
    ['time and actor', "SELECT * FROM events WHERE ts < '2026-01-20' AND user_id = 'user7'", 7],
    ['the other side of a comparison', "SELECT * FROM events WHERE TIMESTAMP '2026-01-20' > ts", 4],
    ['BETWEEN', "SELECT * FROM events WHERE ts BETWEEN '2026-01-02' AND '2026-01-03'", 4],
    ['a join', "SELECT * FROM events e JOIN users u ON e.user_id = u.user_id WHERE e.user_id = 'user7'", 6],
    [
      'the kept side of an outer join',
      "SELECT * FROM events e LEFT JOIN users u ON e.user_id = u.user_id WHERE e.user_id = 'user7'",
      6,
    ],
    [
      'the other side of an outer join',
      "SELECT * FROM users u LEFT JOIN events e ON e.user_id = u.user_id WHERE e.user_id = 'user7'",
      6,
    ],
    ['a subquery', "SELECT * FROM (SELECT * FROM events WHERE user_id = 'user7')", 6],
    ['a common table expression', "WITH x AS (SELECT * FROM events WHERE user_id = 'user7') FROM x", 6],
    ['a constant expression', "SELECT * FROM events WHERE ts < TIMESTAMP '2026-01-01' + INTERVAL 10 DAY", 4],
    ['one Hive column', "SELECT * FROM logs WHERE day = '2026-01-02'", 5],
    ['two Hive columns', "SELECT * FROM logs WHERE day = '2026-01-02' AND c = 'DE'", 6],
    ['a prefix', "SELECT * FROM logs WHERE day LIKE '2026-01-04%'", 6],
    ['nulls', 'SELECT * FROM logs WHERE v IS NOT NULL', 1],
    ['no null', 'SELECT * FROM logs WHERE v IS NULL', 6],
    ['everything', "SELECT * FROM logs WHERE day = '2027-01-01'", 7],
  ] as const)('by %s', async ([, sql, files]) => {
    expect(await pruned(sql)).toBe(files)
  })

  test('by values that are bound', async () => {
    expect(await pruned('SELECT * FROM events WHERE user_id = ?', ['user7'])).toBe(6)
    expect(await pruned('SELECT * FROM events WHERE user_id = $u AND ts < $t', { u: 'user7', t: '2026-01-20' })).toBe(7)
    expect(await pruned('SELECT * FROM events WHERE ts < $1', [new Date('2026-01-20T00:00:00Z')])).toBe(4)
  })

  test('as the explanation says', async () => {
    const { tables, plan } = await lab.warehouse.explain("SELECT * FROM events WHERE user_id = 'user7'")
    expect(tables).toMatchObject([{ table: 'events', files: 2, filesPruned: 6 }])
    expect(plan).toContain('PARQUET')
  })
})
