/** The lists of the fence against the engine's own catalogue: what a new version brings must be classified before a test passes. */
import { type DuckDBConnection, DuckDBInstance, StatementType } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asciiLower, namesIn } from '../../src/common/text.ts'
import { readSettings } from '../../src/config.ts'
import { Engine } from '../../src/engine/engine.ts'
import { guardSql } from '../../src/engine/guards.ts'
import {
  LOCKED_SETTINGS,
  SESSION_SETTINGS,
  START_SETTINGS,
  UNLOCKABLE_SETTINGS,
} from '../../src/engine/setting-lists.ts'
import { SkepError } from '../../src/errors.ts'
import { analyseSql } from '../../src/sql/analyse.ts'
import {
  FUNCTION_LISTS,
  FUNCTION_REASONS,
  type FunctionKind,
  UNLISTED,
  VOLATILE_FUNCTIONS,
} from '../../src/sql/function-lists.ts'
import { collationFunctions, functionVerdict } from '../../src/sql/functions.ts'
import { GUARDED_CALLS } from '../../src/sql/guarded-calls.ts'
import { ACCEPTED_STATEMENTS, REFUSED_STATEMENTS } from '../../src/sql/statement-list.ts'
import { readTree } from '../../src/sql/tree.ts'
import { openLab } from '../conformance/import-lab.ts'

let duck: DuckDBConnection

beforeAll(async () => {
  duck = await (await DuckDBInstance.create(':memory:')).connect()
})

afterAll(() => duck.closeSync())

async function column(sql: string): Promise<string[]> {
  return (await (await duck.run(sql)).getRows()).map(([value]) => String(value))
}

/** Names of the catalogue and of a list that the other lacks, and names that the list has twice. */
function differences(catalogue: readonly string[], listed: readonly string[]) {
  const known = new Set(catalogue)
  const classified = new Set(listed)
  return {
    unclassified: catalogue.filter((name) => !classified.has(name)),
    vanished: listed.filter((name) => !known.has(name)),
    twice: listed.filter((name, k) => listed.indexOf(name) !== k),
  }
}

const NONE = { unclassified: [], vanished: [], twice: [] }

function listedFunctions(kind: FunctionKind): string[] {
  const names = Object.values(FUNCTION_LISTS[kind]).flatMap(namesIn)
  return kind === 'scalar' ? [...names, ...collationFunctions()] : names
}

describe('functions', () => {
  const kinds = Object.keys(FUNCTION_LISTS) as FunctionKind[]

  test('of every kind of the catalogue have lists', async () => {
    expect(await column('SELECT DISTINCT function_type FROM duckdb_functions() ORDER BY ALL')).toEqual(kinds.toSorted())
  })

  test.each(kinds)('of the kind %s are all classified, and no others are', async (kind) => {
    const catalogue = await column(
      `SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = '${kind}'`,
    )
    expect(catalogue.length).toBeGreaterThan(0)
    expect(differences(catalogue, listedFunctions(kind))).toEqual(NONE)
  })

  test('that are allowed and give another value at every call are known', async () => {
    const volatile = await column(`SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'`)
    const allowed = volatile.filter((name) => functionVerdict('expression', name) === 'allowed' && name !== 'error')
    expect(differences(allowed, namesIn(VOLATILE_FUNCTIONS))).toEqual(NONE)
  })

  // A macro is allowed only for what it expands to.
  test('that are macros expand to what is allowed', async () => {
    const macros = await duck.run(
      `SELECT function_name, macro_definition FROM duckdb_functions() WHERE function_type = 'macro'`,
    )
    let checked = 0
    for (const [name, definition] of (await macros.getRows()) as [string, string][]) {
      if (functionVerdict('expression', name) !== 'allowed') continue
      const bare = definition.replaceAll('"system".', '')
      expect(await refusalOf(`SELECT ${bare}`), `${name}: ${definition}`).toBeUndefined()
      checked++
    }
    expect(checked).toBeGreaterThan(70)
  })

  test('of the reasons of refusal, each has a sentence and is used', () => {
    const used = new Set([...Object.values(FUNCTION_LISTS), UNLISTED].flatMap((list) => Object.keys(list)))
    used.delete('allowed')
    expect([...used].toSorted()).toEqual(Object.keys(FUNCTION_REASONS).toSorted())
  })

  test.each([
    ['expression', 'SUM', 'allowed'],
    ['expression', 'formatReadableSize', 'allowed'],
    ['expression', 'icu_collate_de', 'allowed'],
    ['expression', 'histogram', 'allowed'],
    ['table', 'histogram', 'dynamic'],
    ['expression', 'Current_Setting', 'settings'],
    ['expression', 'getenv', 'environment'],
    ['expression', 'read_text', 'file'],
    ['table', 'read_text', 'file'],
    ['table', 'range', 'allowed'],
    ['table', 'which_secret', 'secret'],
    ['expression', 'no_such_function', 'unknown'],
    // The Kelvin sign is a K in lower case, but not to the engine.
    ['table', 'chec\u212apoint', 'unknown'],
  ] as const)('as %s: %s is %s', (use, name, verdict) => {
    expect(functionVerdict(use, name)).toBe(verdict)
  })

  test('that no list has are refused, with the nearest name', async () => {
    expect(await refusalOf('SELECT uper(1)')).toMatch(/there is no function "uper"; did you mean "upper"\?/)
    expect(await refusalOf('FROM rnge(1)')).toMatch(/there is no table function "rnge"; did you mean "range"\?/)
  })

  test('that have a guard are the same in the analysis and in the engine', () => {
    const macros = guardSql(readSettings({})).map((sql) => /^CREATE MACRO (\w+)\(/.exec(sql)?.[1])
    expect(macros).toEqual(Object.keys(GUARDED_CALLS))
  })
})

async function refusalOf(sql: string): Promise<string | undefined> {
  const result = await duck.run('SELECT json_serialize_sql($1::VARCHAR)', [sql])
  try {
    analyseSql(readTree(String((await result.getRows())[0]![0])), 3000)
    return undefined
  } catch (error) {
    if (error instanceof SkepError) return error.message
    throw error
  }
}

describe('names', () => {
  async function tablesOf(sql: string): Promise<string[]> {
    const result = await duck.run('SELECT json_serialize_sql($1::VARCHAR)', [sql])
    const tree = readTree(String((await result.getRows())[0]![0]))
    return analyseSql(tree, 3000, sql).uses.map(({ table }) => table)
  }

  // What the engine does not take for a common table would be looked for as a file, had it such a name.
  test.each([
    ['WITH x AS (FROM x) FROM x', ['x']],
    ['WITH RECURSIVE x AS (FROM x UNION ALL FROM x) FROM x', ['x']],
    ['WITH RECURSIVE x AS (WITH y AS (FROM x) (FROM y UNION ALL FROM x)) FROM x', ['x']],
    ['WITH RECURSIVE x AS (FROM x) FROM x', ['x']],
    ['WITH y AS (FROM x), x AS (SELECT 1) FROM y, x', ['x']],
    ['WITH X AS (SELECT 1) FROM x', []],
    ['WITH "\u212a" AS (SELECT 1) FROM k', ['k']],
    ['WITH "É" AS (SELECT 1) FROM "é"', ['é']],
    ['(WITH x AS (SELECT 1) FROM x) UNION ALL FROM x', ['x']],
    ['SELECT (WITH x AS (SELECT 1 AS a) SELECT a FROM x), (SELECT a FROM x)', ['x']],
    ['WITH x AS (SELECT 1) FROM main.x', ['main.x']],
    ['FROM (VALUES (1)) AS x(a), x', ['x']],
  ])('%s reads %j', async (sql, tables) => {
    expect(await tablesOf(sql)).toEqual(tables)
  })
})

describe('settings', () => {
  const locked = Object.values(LOCKED_SETTINGS).flatMap(namesIn)
  const all = [...namesIn(START_SETTINGS), ...namesIn(SESSION_SETTINGS), ...namesIn(UNLOCKABLE_SETTINGS), ...locked]

  test('are all classified, and no others are', async () => {
    expect(differences(await column('SELECT name FROM duckdb_settings()'), all)).toEqual(NONE)
  })

  test('of a fenced engine can be changed by no statement, but for those of a session', async () => {
    const lab = await openLab()
    await using engine = await Engine.open({
      settings: readSettings({ SKEP_THREADS: '1' }),
      spillPath: `${lab.root}/.tmp/fence`,
      roots: [lab.root],
    })
    using session = await engine.session()
    const rows = await session.rows<{ name: string; value: string | null; input_type: string }>(
      'SELECT name, value, input_type FROM duckdb_settings()',
    )
    const changed = new Set<string>()
    for (const { name, value, input_type } of rows) {
      for (const statement of changesOf(name, literalOf(input_type, value))) {
        await session.run(statement).then(
          () => changed.add(name),
          () => {},
        )
      }
    }
    await lab.close()
    expect([...changed].toSorted()).toEqual([...namesIn(SESSION_SETTINGS), ...namesIn(UNLOCKABLE_SETTINGS)].toSorted())
  })

  function changesOf(name: string, value: string): string[] {
    const set = ['SET', 'SET GLOBAL', 'SET SESSION', 'PRAGMA'].map((verb) => `${verb} ${name} = ${value}`)
    return [...set, `RESET ${name}`, `RESET GLOBAL ${name}`]
  }

  function literalOf(type: string, value: string | null): string {
    if (type === 'BOOLEAN') return 'true'
    if (type.endsWith('[]')) return `['/']`
    return /BIGINT|DOUBLE/.test(type) ? '1' : `'${value ?? 'x'}'`
  }

  test('that are set at the start are set', async () => {
    const lab = await openLab()
    await using engine = await Engine.open({
      settings: readSettings({ SKEP_THREADS: '3', SKEP_MEMORY: '1GB' }),
      spillPath: `${lab.root}/.tmp/fence`,
      roots: [lab.root],
    })
    using session = await engine.session()
    const rows = await session.rows<{ name: string; value: string }>('SELECT name, value FROM duckdb_settings()')
    const values = new Map(rows.map(({ name, value }) => [name, value]))
    const plain = await duck.run('SELECT name, value FROM duckdb_settings()')
    const defaults = new Map((await plain.getRows()).map(([name, value]) => [String(name), value]))
    const different = [...values].filter(([name, value]) => value !== defaults.get(name)).map(([name]) => name)
    // Other names of two of them, one that follows from the memory, and the progress of the session.
    const follow = ['max_memory', 'worker_threads', 'write_buffer_row_group_memory_limit']
    const others = [...follow, ...namesIn(SESSION_SETTINGS)]
    expect(different.toSorted()).toEqual([...namesIn(START_SETTINGS), ...others].toSorted())
    expect(values.get('enable_external_access')).toBe('false')
    expect(values.get('lock_configuration')).toBe('true')
    expect(values.get('allowed_directories')).toContain(`${lab.root}/`)
    await lab.close()
  })
})

describe('statements', () => {
  test('of every kind are classified', () => {
    const kinds = Object.keys(StatementType).filter((name) => Number.isNaN(Number(name)))
    const listed = [ACCEPTED_STATEMENTS, ...Object.values(REFUSED_STATEMENTS)].flatMap(namesIn)
    expect(differences(kinds, listed)).toEqual(NONE)
  })

  test.each([
    ['INSERT INTO t VALUES (1)'],
    ['COPY t TO $$/x$$'],
    ['SET threads = 1'],
    ['PRAGMA version'],
    ['CALL pragma_version()'],
    ['EXPLAIN SELECT 1'],
    ['PREPARE p AS SELECT 1'],
    ['EXECUTE p'],
    ['BEGIN'],
    ['PIVOT t ON a USING count(*)'],
    ['CREATE TABLE x AS SELECT 1'],
    ['WITH x AS (SELECT 1) INSERT INTO t FROM x'],
    ['MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE'],
  ])('other than a query: %s', async (sql) => {
    expect(await refusalOf(sql)).toMatch(/only queries .* are accepted/)
  })

  test.each([
    ['SELECT 1'],
    ['FROM t'],
    ['VALUES (1)'],
    ['TABLE t'],
    ['WITH x AS (SELECT 1) FROM x'],
    ['WITH RECURSIVE x AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM x WHERE i < 3) FROM x'],
    ['DESCRIBE t'],
    ['SUMMARIZE t'],
    ['FROM t PIVOT (count(*) FOR a IN (1, 2))'],
    ['SELECT 1 -- a comment'],
    ['/* SET x = 1; */ SELECT $1, $2'],
  ])('that are queries: %s', async (sql) => {
    expect(await refusalOf(sql)).toBeUndefined()
  })

  test('are one at a time', async () => {
    expect(await refusalOf('SELECT 1; SELECT 2')).toMatch(/one query at a time/)
    expect(await refusalOf('SELECT 1; DROP TABLE t')).toMatch(/only queries/)
  })
})

test('names are compared as the engine compares them', () => {
  expect(asciiLower('ÀK\u212aİZ')).toBe('Àk\u212aİz')
})
