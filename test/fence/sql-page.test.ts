/** `docs/reference/sql.md` says what the lists of the fence say. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { namesIn } from '../../src/common/text.ts'
import { FUNCTION_LISTS, FUNCTION_REASONS, type FunctionReason, UNLISTED } from '../../src/sql/function-lists.ts'
import { allowedFunctions } from '../../src/sql/functions.ts'
import { GUARDED_CALLS } from '../../src/sql/guarded-calls.ts'
import { ACCEPTED_STATEMENTS, REFUSED_STATEMENTS } from '../../src/sql/statement-list.ts'

const page = readFileSync(new URL('../../docs/reference/sql.md', import.meta.url), 'utf8')

const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ')

/** The body of the table whose first column has this heading, as rows of cells. */
function tableOf(heading: string): string[][] {
  const [, body] = new RegExp(`^\\| ${heading} \\|.*\\n\\|[ -|]+\\n((?:\\|.*\\n)+)`, 'm').exec(page) ?? []
  return (body ?? '')
    .trim()
    .split('\n')
    .map((line) => line.slice(2, -2).split(' | '))
}

test('it has every refused function with its reason', () => {
  const lists = [
    ...Object.entries(FUNCTION_LISTS)
      .filter(([kind]) => kind !== 'pragma')
      .map(([, list]) => list),
    UNLISTED,
  ]
  const rows = (Object.keys(FUNCTION_REASONS) as FunctionReason[])
    .filter((reason) => reason !== 'statement')
    .map((reason) => {
      const names = [...new Set(lists.flatMap((list) => namesIn(list[reason])))].toSorted()
      return [FUNCTION_REASONS[reason].replace(/;.*/, ''), code(names.filter((name) => !name.startsWith('__internal')))]
    })
  expect(tableOf('Reason')).toEqual(rows)
})

test('it has every table function that is allowed', () => {
  expect(page).toContain(`In FROM: ${code([...allowedFunctions('table')].toSorted())}.`)
})

test('it has every guarded function', () => {
  expect(page).toContain(`${code(Object.keys(GUARDED_CALLS).toSorted())}.`)
})

test('it has every kind of statement', () => {
  const shown = Object.entries(REFUSED_STATEMENTS).filter(([why]) => !why.startsWith('is never'))
  const rows = shown.map(([why, kinds]) => [why, code(namesIn(kinds).map((kind) => kind.replaceAll('_', ' ')))])
  expect(tableOf('It')).toEqual(rows)
  expect(ACCEPTED_STATEMENTS).toBe('SELECT')
})
