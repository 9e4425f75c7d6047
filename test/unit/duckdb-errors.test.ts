/** Places in SQL that DuckDB's messages point at. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSkepError } from '../../src/errors.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'

const COLUMNS = Array.from({ length: 40 }, (_, k) => `${k} AS column_${k}`).join(', ')

describe('the place of an error in SQL', () => {
  let lab: Lab
  let query: (sql: string) => Promise<unknown>
  beforeAll(async () => {
    lab = await openLab()
    const warehouse = await lab.open({})
    query = async (sql) => await warehouse.sql(sql)
  })
  afterAll(async () => await lab.close())

  test.each([
    ['the first line', 'SELECT nope FROM range(3)'],
    ['another line', 'SELECT 1,\n  2,\n\n  nope\nFROM range(3)'],
    ['a long line, of which the message shows a part', `SELECT ${COLUMNS}, nope, ${COLUMNS} FROM range(3)`],
    ['the end of a long line', `SELECT 1,\n${COLUMNS}, nope`],
    ['letters of two bytes', "SELECT 'üñé', nope"],
    ['characters of two columns', "SELECT '🐝蜂蜜', nope"],
    ['tabs', 'SELECT\t1,\n\t\tnope'],
    ['an expression in a WHERE', "SELECT *\nFROM range(3) AS t(i)\nWHERE i > 'abc'", "'abc'"],
  ])('is right in %s', async (_, sql, word = 'nope') => {
    const error: unknown = await query(sql).catch((cause: unknown) => cause)
    if (!isSkepError(error, 'SQL_INVALID')) throw error
    expect([...sql].slice(error.details.position).join('').slice(0, word.length)).toBe(word)
  })
})
