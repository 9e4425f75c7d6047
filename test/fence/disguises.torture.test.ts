/** Every attempt in every disguise: written otherwise, and put inside of other queries. The long form tries all, the short one a part. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { ESCAPES } from './escapes.ts'
import { attempt, ENTRANCES, openPlayground, type Playground } from './playground.ts'

let ground: Playground

beforeAll(async () => {
  ground = await openPlayground()
})

afterAll(() => ground.close())

/** Changes what is outside of quotes. */
function outside(sql: string, change: (code: string) => string): string {
  return sql
    .split(/('(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\2\$|--[^\n]*\n?|\/\*[\s\S]*?\*\/)/)
    .map((part, k) => (k % 3 === 0 ? change(part ?? '') : k % 3 === 1 ? part : ''))
    .join('')
}

const WRITINGS: Readonly<Record<string, (sql: string) => string>> = {
  'as it is': (sql) => sql,
  'in capitals': (sql) => outside(sql, (code) => code.toUpperCase()),
  'in mixed case': (sql) =>
    outside(sql, (code) => code.replaceAll(/[a-z]/g, (c, at: number) => (at % 2 ? c.toUpperCase() : c))),
  'with comments between words': (sql) => outside(sql, (code) => code.replaceAll(' ', '/* a; b */')),
  'with line comments': (sql) => outside(sql, (code) => code.replaceAll(' ', ' -- SELECT 1;\n')),
  'with comments before brackets': (sql) => outside(sql, (code) => code.replaceAll('(', '/**/(/**/')),
  'with tabs and new lines': (sql) => outside(sql, (code) => code.replaceAll(' ', '\n\t ')),
  'with spaces of other scripts': (sql) => outside(sql, (code) => code.replaceAll(' ', '\u00a0')),
  'with quoted names': (sql) =>
    outside(sql, (code) => code.replaceAll(/\b[a-z]+_[a-z_]+(?=\()/g, (name) => `"${name}"`)),
  'with qualified names': (sql) =>
    outside(sql, (code) => code.replaceAll(/(?<![.\w])[a-z]+_[a-z_]+(?=\()/g, (name) => `main.${name}`)),
  'after another query': (sql) => `SELECT 1; ${sql}`,
  'before another query': (sql) => `${sql}; SELECT 1`,
  'with a semicolon': (sql) => `${sql};`,
}

/** Here a query that the engine alone would refuse is never looked at, and the one around it answers. */
const UNUSED = 'in a common table that is not used'

const PLACES: Readonly<Record<string, (sql: string) => string>> = {
  alone: (sql) => sql,
  'in a subquery': (sql) => `SELECT * FROM (${sql})`,
  'in a common table': (sql) => `WITH c AS (${sql}) FROM c`,
  [UNUSED]: (sql) => `WITH c AS (${sql}) SELECT 1`,
  'in an expression': (sql) => `SELECT (SELECT 1 FROM (${sql}) LIMIT 1)`,
  'in a condition': (sql) => `SELECT 1 WHERE EXISTS (FROM (${sql}))`,
  'beside a table': (sql) => `SELECT * FROM t, LATERAL (${sql})`,
  'in a union': (sql) => `SELECT 1 FROM t UNION ALL SELECT 1 FROM (${sql})`,
  'in an order': (sql) => `SELECT * FROM t ORDER BY (SELECT 1 FROM (${sql}))`,
  'in a list': (sql) => `SELECT [(SELECT 1 FROM (${sql}) LIMIT 1)]`,
  described: (sql) => `DESCRIBE (${sql})`,
  summarised: (sql) => `SUMMARIZE (${sql})`,
}

/** Refused for what they are and not for their form: in a common table, in brackets and with other blanks they still would run. */
const attempts = ESCAPES.flatMap((group) => group.attempts)

test(
  'no disguise helps',
  async () => {
    const before = ground.tree()
    const property = fc.asyncProperty(
      fc.constantFrom(...attempts),
      fc.constantFrom(...Object.keys(WRITINGS)),
      fc.constantFrom(...Object.keys(PLACES)),
      fc.constantFrom(...Object.keys(ENTRANCES)),
      async (sql, writing, place, entrance) => {
        const disguised = PLACES[place]!(WRITINGS[writing]!(ground.fill(sql)))
        const outcome = await attempt(() => ENTRANCES[entrance]!(ground.warehouse, disguised))
        if (place === UNUSED && outcome.what === 'an answer') {
          rmSync(join(ground.dir, 'exported.parquet'), { force: true })
          return
        }
        expect(outcome.succeeded, `${writing}, ${place}: ${disguised}: ${outcome.what}`).toBe(false)
      },
    )
    await fc.assert(property, { numRuns: runs(600, 20_000), seed: tortureSeed() })
    expect(ground.tree()).toEqual(before)
    expect(ground.connections()).toBe(0)
  },
  tortureTimeout(60_000),
)

// What a disguise does to a query that is allowed shows that it leaves the query one.
test('disguises leave queries that are allowed as they are', async () => {
  const writings = Object.entries(WRITINGS).filter(([name]) => !/another query/.test(name))
  const places = Object.entries(PLACES)
  let answered = 0
  for (const [writing, write] of writings) {
    for (const [place, put] of places) {
      const sql = put(write(`SELECT 1 AS one, list_sum([1, 2]) AS two FROM range(1)`))
      const outcome = await attempt(() => ENTRANCES.sql!(ground.warehouse, sql))
      // A semicolon stands at an end only.
      if (writing === 'with a semicolon' && place !== 'alone') continue
      expect(outcome, `${writing}, ${place}: ${sql}`).toMatchObject({ succeeded: true, what: 'an answer' })
      answered++
    }
  }
  expect(answered).toBeGreaterThan(100)
})
