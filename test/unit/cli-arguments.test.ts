import { describe, expect, test } from 'vitest'
import { readAt } from '../../src/api/at-text.ts'
import { checkLine, commandIndex, GLOBAL_FLAGS, readLine, wholeNumber } from '../../src/cli/arguments.ts'
import { type Command, defineCommand } from '../../src/cli/command.ts'
import { readTypes } from '../../src/cli/types-flag.ts'
import { SkepError } from '../../src/errors.ts'

const command: Command = defineCommand({
  summary: 'Copies',
  usage: 'skep copy FROM [TO] --table T',
  arguments: [
    { name: 'FROM', help: '' },
    { name: 'TO', optional: true, help: '' },
  ],
  flags: {
    table: { value: 'T', required: true, help: '' },
    at: { value: 'X', repeated: true, help: '' },
    format: { value: 'F', choices: ['csv', 'json'], help: '' },
    replace: { help: '' },
  },
  examples: [],
  run: async () => {},
})

const specs = { ...GLOBAL_FLAGS, ...command.flags }
const read = (...argv: string[]) => readLine(argv, specs)

function failure(act: () => unknown): { message: string; details: unknown } {
  try {
    act()
  } catch (error) {
    if (!(error instanceof SkepError)) throw error
    expect(error.code).toBe('ARGUMENT_INVALID')
    return { message: error.message, details: error.details }
  }
  throw new Error('it should have failed')
}

describe('a command line', () => {
  test('has values, lists and switches by name, arguments in order', () => {
    const line = read('a', '--table', 't', '--at=1', 'b', '--at', '2', '--json')
    expect(line.arguments).toEqual(['a', 'b'])
    expect(line.flags).toMatchObject({ table: 't', at: ['1', '2'], json: true, replace: false, format: undefined })
    expect(read().flags).toMatchObject({ at: [], table: undefined, json: false })
  })

  test('takes everything after -- and a lone - as arguments', () => {
    expect(read('-', '--', '--table', '-x').arguments).toEqual(['-', '--table', '-x'])
  })

  test('takes SQL that begins with a comment as an argument', () => {
    expect(read('-- top ten\nselect 1', '--json')).toMatchObject({
      arguments: ['-- top ten\nselect 1'],
      flags: { json: true },
    })
    expect(read('--\nselect a=1').arguments).toEqual(['--\nselect a=1'])
  })

  test('takes -h for --help', () => {
    expect(read('-h').flags.help).toBe(true)
  })

  test.each([
    [['--tabel', 't'], 'unknown flag --tabel; did you mean "--table"?', { argument: 'tabel', nearest: 'table' }],
    [['--zzzzzzzzz'], 'unknown flag --zzzzzzzzz', { argument: 'zzzzzzzzz' }],
    [['-x'], 'unknown flag -x', { argument: 'x' }],
    [['--__proto__'], 'unknown flag --__proto__', { argument: '__proto__' }],
    [['--json=yes'], '--json takes no value', { argument: 'json' }],
    [['--table'], '--table needs a value: --table T', { argument: 'table' }],
    [['--table', 'a', '--table', 'b'], '--table stands twice', { argument: 'table' }],
    [
      ['--format', 'cvs'],
      '--format cvs: expected csv, json; did you mean "csv"?',
      { argument: 'format', nearest: 'csv' },
    ],
  ])('%j is refused', (argv, message, details) => {
    expect(failure(() => read(...argv))).toEqual({ message, details })
  })

  test('does not take a flag for the value of another', () => {
    expect(failure(() => read('--table', '--json')).message).toContain('--table=VALUE')
    expect(read('--table=--json').flags.table).toBe('--json')
  })

  test('may have global flags before its command', () => {
    expect(commandIndex(['--warehouse', 'w', '--json', 'copy', 'a'])).toBe(3)
    expect(commandIndex(['--json'])).toBeUndefined()
    expect(failure(() => commandIndex(['--jsno', 'copy'])).details).toEqual({ argument: 'jsno', nearest: 'json' })
  })

  test('needs what its command requires, and no more', () => {
    const check = (...argv: string[]) => failure(() => checkLine('copy', command, read(...argv))).message
    expect(() => checkLine('copy', command, read('a', '--table', 't'))).not.toThrow()
    expect(check('--table', 't')).toBe('copy needs FROM: skep copy FROM [TO] --table T')
    expect(check('a')).toBe('copy needs --table T')
    expect(check('a', 'b', 'c', '--table', 't')).toBe('unexpected argument "c": skep copy FROM [TO] --table T')
  })
})

describe('values of flags', () => {
  test('whole numbers', () => {
    expect(wholeNumber('buckets', '16', 1)).toBe(16)
    for (const text of ['', '0', '-1', '1.5', '1e3', 'x', '99999999999999999999']) {
      expect(failure(() => wholeNumber('buckets', text, 1)).message).toContain(`--buckets ${text}`)
    }
  })

  test('types, split at commas outside of parentheses and quotes', () => {
    expect(readTypes(['a=INT,b=DECIMAL(10,2)', ' c = STRUCT(x INT, "y,z" MAP(INT, INT[])) '])).toEqual({
      a: 'INT',
      b: 'DECIMAL(10,2)',
      c: 'STRUCT(x INT, "y,z" MAP(INT, INT[]))',
    })
    expect(readTypes(['"a,b=c ""d"""=INT'])).toEqual({ 'a,b=c "d"': 'INT' })
    expect(Object.keys(readTypes(['__proto__=INT']))).toEqual(['__proto__'])
    for (const text of ['', 'a', 'a=', '=INT', 'a=INT,', 'a=INT,a=TEXT']) failure(() => readTypes([text]))
  })

  test('states of tables', () => {
    expect(readAt([])).toBeUndefined()
    expect(readAt(['2026-11-20T08:00:00+01:00'])).toBe('2026-11-20T08:00:00+01:00')
    expect(readAt(['12'])).toBe('12')
    expect(readAt(['a=12'])).toEqual({ a: 12 })
    expect(readAt(['a=12', 'b=13'])).toEqual({ a: 12, b: 13 })
    for (const texts of [['1', '2'], ['a=1', '2026-01-01'], ['a=x'], ['a=1', 'A=2']]) failure(() => readAt(texts))
  })
})
