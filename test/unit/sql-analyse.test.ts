import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Column, ColumnStatistics, DataFile, Snapshot } from '../../src/catalog/types.ts'
import { parseType } from '../../src/common/data-type.ts'
import { conditionOf, constantsOf, pruneFiles, type TypedCondition, withConstants } from '../../src/planner/prune.ts'
import { analyseSql, type SqlAnalysis } from '../../src/sql/analyse.ts'
import type { TreeCondition } from '../../src/sql/condition.ts'
import { readTree, selectOf, type TreeNode } from '../../src/sql/tree.ts'

let duck: DuckDBConnection

beforeAll(async () => {
  duck = await (await DuckDBInstance.create(':memory:')).connect()
})

afterAll(() => {
  duck.closeSync()
})

const first = async (sql: string, value: string) => (await (await duck.run(sql, [value])).getRows())[0]![0] as string

async function analyse(sql: string): Promise<SqlAnalysis> {
  return analyseSql(readTree(await first('SELECT json_serialize_sql($1::VARCHAR)', sql)), 3000)
}

/** A condition in short: `a=` for a comparison of column a, `a?` for IS NULL, `a!` for IS NOT NULL, `_` for what says nothing. */
function short(condition: TreeCondition | undefined): string {
  if (condition === undefined) return '-'
  switch (condition.kind) {
    case 'unknown':
      return '_'
    case 'and':
    case 'or':
      return `(${condition.children.map(short).join(condition.kind === 'and' ? '&' : '|')})`
    case 'null':
      return `${condition.column.column}${condition.negated ? '!' : '?'}`
    case 'compare':
      return `${condition.column.column}${condition.op}`
    default:
      return `${condition.column.column}:${condition.kind}`
  }
}

describe('what a WHERE clause says about the tables of a FROM clause', () => {
  test.for([
    ['FROM t WHERE a = 1', 't a='],
    ['FROM t WHERE 1 < a', 't a>'],
    ['FROM t WHERE a = 1 AND (b > 2 OR c IS NULL)', 't (a=&(b>|c?))'],
    ['FROM t WHERE NOT a = 1', 't _'],
    ['FROM t WHERE a = b', 't _'],
    ['FROM t WHERE a IN (1, 2)', 't a:in'],
    ['FROM t WHERE a IN (1, b)', 't _'],
    ['FROM t WHERE a NOT IN (1, 2)', 't _'],
    ['FROM t WHERE a BETWEEN 1 AND b', 't (a>=)'],
    ['FROM t WHERE a NOT BETWEEN 1 AND 2', 't _'],
    ["FROM t WHERE a LIKE 'x%'", 't a:prefix'],
    ["FROM t WHERE a ILIKE 'x%'", 't _'],
    ["FROM t WHERE a LIKE 'x!%' ESCAPE '!'", 't _'],
    ['FROM t WHERE a = random()', 't _'],
    ["FROM t WHERE a = 'x' COLLATE NOCASE", 't _'],
    ['FROM t WHERE a = (SELECT 1)', 't _'],
    ['FROM t', 't _'],
    ['FROM t AS x(b, a) WHERE a = 1', 't -'],
    ['FROM t TABLESAMPLE 10% WHERE a = 1', 't -'],
    ['SELECT * FROM t WHERE a = 1 USING SAMPLE 5 ROWS', 't -'],
    ['FROM t, u WHERE t.a = 1', 't a=, u a='],
    ['FROM t LEFT JOIN u ON true WHERE t.a = 1 AND u.b IS NULL', 't (a=&b?), u (a=&_)'],
    ['FROM t RIGHT JOIN u ON true WHERE t.a = 1 AND u.b IS NULL', 't (a=&_), u (a=&b?)'],
    ['FROM t FULL JOIN u ON true WHERE t.a IS NOT NULL AND u.b IS NULL', 't (a!&_), u (a!&_)'],
    ['FROM t SEMI JOIN u ON true WHERE a = 1', 't a=, u -'],
    ['FROM t ANTI JOIN u ON true WHERE a = 1', 't a=, u -'],
    ['FROM t ASOF JOIN u ON t.a >= u.a WHERE t.a = 1', 't -, u -'],
    ['FROM t POSITIONAL JOIN u WHERE t.a = 1', 't -, u -'],
    ['FROM t JOIN u USING (a) WHERE a = 1 AND u.b = 2', 't (a=&b=), u (_&b=)'],
    ['FROM t RIGHT JOIN u USING (a) WHERE a = 1', 't _, u a='],
    ['FROM t FULL JOIN u USING (A) WHERE a = 1', 't _, u _'],
    ['FROM t NATURAL JOIN u WHERE a = 1 AND u.b = 2', 't (a=&b=), u (_&b=)'],
    ['FROM t LEFT JOIN (u JOIN v ON true) ON true WHERE v.a IS NULL', 't a?, u _, v _'],
    ['FROM (FROM t WHERE a = 1) WHERE b = 2', 't a='],
    ['WITH t AS (FROM t WHERE a = 1) FROM t WHERE b = 2', 't a='],
    ['WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t WHERE a < 3) FROM t', ''],
    ['SELECT (SELECT max(a) FROM t WHERE a = 1) FROM u WHERE b = 1', 't a=, u b='],
    ['FROM u WHERE EXISTS (FROM t WHERE t.a = 1)', 'u _, t a='],
    ['FROM t WHERE a = 1 UNION ALL FROM t WHERE a IS NULL', 't a=, t a?'],
  ] as const)('%s', async ([sql, wanted]) => {
    const { uses } = await analyse(sql)
    const shown = uses.map(({ table, where }) => `${table} ${short(where)}`)
    expect(shown.toSorted()).toEqual(wanted.split(', ').filter(Boolean).toSorted())
  })
})

describe('constants are printed as they were read', () => {
  test.for([
    '1.0::DOUBLE',
    '9007199254740993',
    '18446744073709551615',
    '0.1',
    '1.50',
    "'1'",
    'NULL',
    '-5',
    '170141183460469231731687303715884105727',
  ])('%s', async (constant) => {
    const tree = readTree(await first('SELECT json_serialize_sql($1::VARCHAR)', `SELECT ${constant}`))
    if (tree.error) throw new Error(tree.error_message)
    const [expression] = tree.statements[0]!.node.select_list as TreeNode[]
    const printed = await first('SELECT json_deserialize_sql($1::JSON)', selectOf([expression!]))
    const judge = async (sql: string) =>
      (await (await duck.run(`SELECT typeof(v), v::VARCHAR FROM (${sql}) AS t(v)`)).getRowsJson())[0]
    expect(await judge(printed)).toEqual(await judge(`SELECT ${constant}`))
  })
})

describe('files that a condition rules out', () => {
  const column = (id: number, name: string, type: string): Column => ({
    id,
    name,
    type: parseType(type),
    required: false,
  })
  const columns = [column(1, 'd', 'DOUBLE'), column(2, 's', 'VARCHAR'), column(3, 'i', 'INTEGER')]

  function keeps(statistics: ColumnStatistics, condition: TypedCondition): boolean {
    const file: DataFile = {
      path: '/file',
      rows: 10,
      sizeBytes: 1,
      specId: 0,
      partition: [],
      columns: new Map([1, 2, 3].map((id) => [id, statistics])),
      sorted: false,
    }
    const snapshot: Snapshot = {
      schema: { id: 0, columns },
      specs: new Map([[0, { id: 0, fields: [] }]]),
      files: [file],
    }
    return pruneFiles(snapshot, condition).files.length === 1
  }

  const compare = (
    name: string,
    op: '=' | '<' | '<=' | '>' | '>=',
    value: number | string | bigint,
  ): TypedCondition => ({
    kind: 'compare',
    column: columns.find((c) => c.name === name)!,
    op,
    value,
  })

  test('NaN is above every number: an upper bound means nothing where there may be one', () => {
    const known = { lower: 1, upper: 5, nulls: 0, nans: 0 }
    expect(keeps(known, compare('d', '>', 5))).toBe(false)
    for (const nans of [undefined, 3]) {
      const statistics = { lower: 1, upper: 5, nulls: 0, ...(nans === undefined ? {} : { nans }) }
      expect(keeps(statistics, compare('d', '>', 5))).toBe(true)
      expect(keeps(statistics, compare('d', '>=', 6))).toBe(true)
      expect(keeps(statistics, compare('d', '=', 6))).toBe(false)
      expect(keeps(statistics, compare('d', '<', 1))).toBe(false)
    }
    expect(keeps(known, compare('d', '=', Number.NaN))).toBe(true)
  })

  test('bounds that are not known say nothing, nulls throughout say no', () => {
    expect(keeps({}, compare('i', '=', 5n))).toBe(true)
    expect(keeps({ lower: 1n }, compare('i', '>', 5n))).toBe(true)
    expect(keeps({ upper: 9n }, compare('i', '<', 5n))).toBe(true)
    expect(keeps({ nulls: 10 }, compare('i', '=', 5n))).toBe(false)
    expect(keeps({ nulls: 10 }, { kind: 'null', column: columns[2]!, negated: true })).toBe(false)
    expect(keeps({ nulls: 0 }, { kind: 'null', column: columns[2]!, negated: false })).toBe(false)
    expect(keeps({}, { kind: 'null', column: columns[2]!, negated: false })).toBe(true)
  })

  test('texts are ordered by their code points, not by UTF-16', () => {
    expect(keeps({ lower: 'a', upper: '\uFFFD' }, compare('s', '=', '😀'))).toBe(false)
    expect(keeps({ lower: '\uFFFD', upper: '😀' }, compare('s', '=', '\uFFFF'))).toBe(true)
    expect(keeps({ lower: 'b', upper: 'c' }, { kind: 'prefix', column: columns[1]!, value: 'ba' })).toBe(true)
    expect(keeps({ lower: 'ba', upper: 'bb' }, { kind: 'prefix', column: columns[1]!, value: 'b' })).toBe(true)
    expect(keeps({ lower: 'ba', upper: 'bb' }, { kind: 'prefix', column: columns[1]!, value: 'bc' })).toBe(false)
    expect(keeps({ lower: 'ba', upper: 'bb' }, { kind: 'prefix', column: columns[1]!, value: 'a' })).toBe(false)
  })

  test('a constant without an exact value in the column’s type says nothing', async () => {
    const { uses } = await analyse('FROM t WHERE i = 5 AND i IN (1, 2) AND other.i = 3')
    const bound = conditionOf(uses[0]!, columns)
    expect(constantsOf(bound)).toHaveLength(3)
    const typed = withConstants(bound, [5n, 1n, undefined][Symbol.iterator]())
    expect(typed).toEqual({
      kind: 'and',
      children: [compare('i', '=', 5n), { kind: 'unknown' }, { kind: 'unknown' }],
    })
  })
})
