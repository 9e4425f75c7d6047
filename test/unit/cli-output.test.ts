import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { csvField, writeCsv, writeNdjson } from '../../src/api/rows.ts'
import type { BehaviouralResult } from '../../src/behaviour/result.ts'
import { queryError } from '../../src/behaviour/violations.ts'
import { behaviourLines, stepLabels } from '../../src/cli/output/behaviour.ts'
import { barText, counted, countText, percentText, sizeText } from '../../src/cli/output/numbers.ts'
import { replaceFile, writeOutFile } from '../../src/cli/output/out-file.ts'
import { progressLine } from '../../src/cli/output/progress.ts'
import { PLAIN_STYLE, styleOf } from '../../src/cli/output/style.ts'
import { alignmentOf, cellText, drawTable } from '../../src/cli/output/table.ts'
import { displayWidth, pad, shorten, visible } from '../../src/cli/output/width.ts'
import { errorLines } from '../../src/cli/report.ts'
import { durationText } from '../../src/common/duration-text.ts'
import type { BehaviouralStats } from '../../src/coordinator/behaviour-result.ts'
import { QueryWork } from '../../src/coordinator/query-work.ts'
import type { JsonValue } from '../../src/engine/values.ts'
import { SkepError } from '../../src/errors.ts'

describe('widths', () => {
  test.each([
    ['abc', 3],
    ['', 0],
    ['日本語', 6],
    ['한국', 4],
    ['ｶﾅ', 2],
    ['Ａ', 2],
    ['é', 1],
    ['e\u0301', 1],
    ['👍', 2],
    ['👩‍👩‍👧', 2],
    ['🇳🇱', 2],
    ['❤️', 2],
    ['a\u200bb', 2],
    ['─│…█▍', 5],
  ])('%s takes %i columns', (text, width) => {
    expect(displayWidth(text)).toBe(width)
  })

  test('shortened text fits, and text that fits is left alone', () => {
    expect(shorten('abcdef', 4)).toBe('abc…')
    expect(shorten('abcd', 4)).toBe('abcd')
    expect(shorten('日本語', 5)).toBe('日本…')
    expect(shorten('日本語', 4)).toBe('日…')
    expect(shorten('日本', 4)).toBe('日本')
    const text = fc.string({ unit: 'grapheme', maxLength: 30 })
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 30 }), (long, width) => {
        const short = shorten(long, width)
        expect(displayWidth(short)).toBeLessThanOrEqual(Math.max(width, 1))
        if (displayWidth(long) <= width) expect(short).toBe(long)
        expect(displayWidth(pad(short, width))).toBe(Math.max(width, displayWidth(short)))
      }),
    )
  })

  test('nothing can steer the terminal', () => {
    expect(visible('a\tb\nc\u001b[31m\u009b\u202e')).toBe('a\\tb\\nc\\x1b[31m\\x9b\\u202e')
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/[\p{Cc}\u202a-\u202e]/u.test(visible(text))))
  })
})

describe('tables', () => {
  const draw = (columns: string[], rows: (string | null)[][], width?: number) =>
    drawTable(
      columns.map((title) => ({ title, align: title === 'n' ? 'right' : 'left' })),
      rows,
      { style: PLAIN_STYLE, width },
    )

  test('are aligned by what is seen', () => {
    const { lines } = draw(
      ['name', 'n'],
      [
        ['日本', '5'],
        ['a\nb', '1000'],
        [null, null],
      ],
    )
    expect(lines).toEqual(['name │    n', '─────┼─────', '日本 │    5', 'a\\nb │ 1000', 'NULL │ NULL'])
  })

  test('fit the terminal by shortening the widest cells', () => {
    const { lines, shown } = draw(['a', 'n'], [['x'.repeat(100), '12345']], 30)
    expect(lines[2]).toBe(`${'x'.repeat(21)}… │ 12345`)
    expect(shown).toBe(2)
  })

  test('leave columns out when there is no room at all', () => {
    const names = Array.from({ length: 20 }, (_, k) => `column${k}`)
    const { lines, shown } = draw(names, [names], 40)
    expect(shown).toBe(4)
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(40)
  })

  test('show values as JSON shows them, nulls as NULL', () => {
    expect([null, 1, true, 'x', [1, null], { a: 'b' }].map((value) => cellText(value))).toEqual([
      'NULL',
      '1',
      'true',
      'x',
      '[1,null]',
      '{"a":"b"}',
    ])
    expect(['BIGINT', 'DECIMAL(10,2)', 'UTINYINT', 'VARCHAR', 'INTEGER[]'].map(alignmentOf)).toEqual([
      'right',
      'right',
      'right',
      'left',
      'left',
    ])
  })
})

describe('numbers', () => {
  test('counts, sizes, durations, fractions', () => {
    expect([0, 999, 1000, 1234567].map(countText)).toEqual(['0', '999', '1,000', '1,234,567'])
    expect([counted(1, 'row'), counted(2000, 'row'), counted(0, 'entry', 'entries')]).toEqual([
      '1 row',
      '2,000 rows',
      '0 entries',
    ])
    expect([0, 1023, 1024, 1536, 1024 ** 2 - 1, 150 * 1024 ** 2, 3 * 1024 ** 3].map(sizeText)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KB',
      '1.5 KB',
      '1.0 MB',
      '150 MB',
      '3.0 GB',
    ])
    expect([0.4, 35, 999.6, 1234, 59_960, 125_000, 7_260_000].map(durationText)).toEqual([
      '0 ms',
      '35 ms',
      '1.0 s',
      '1.2 s',
      '1 min 0 s',
      '2 min 5 s',
      '2 h 1 min',
    ])
    expect(percentText(0.4857)).toBe('48.6%')
  })

  test('bars', () => {
    expect([0, 0.0001, 0.5, 0.55, 1, 2].map((fraction) => barText(fraction, 10))).toEqual([
      '',
      '▏',
      '█████',
      '█████▌',
      '██████████',
      '██████████',
    ])
  })

  test('progress', () => {
    const state = { label: 'import', details: 'read  5 rows', elapsedMs: 2000 }
    expect(progressLine({ ...state, fraction: 0.25 })).toBe(
      'import ━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  25%  read  5 rows  2.0 s  6.0 s left',
    )
    expect(progressLine({ ...state, fraction: 0 })).toBe('import …  read  5 rows  2.0 s')
  })
})

describe('rows', () => {
  async function* batches(...lists: JsonValue[][][]) {
    yield* lists
  }
  const columns = ['2', '1', 'a"b'].map((name) => ({ name, type: 'VARCHAR' }))
  const written = async (write: typeof writeCsv, ...lists: JsonValue[][][]) => {
    const parts: string[] = []
    const sink = { write: async (text: string) => void parts.push(text) }
    const rows = await write({ columns, batches: batches(...lists) }, sink)
    return { rows, text: parts.join('') }
  }

  test('CSV quotes what it must, and tells null from empty text', async () => {
    const { rows, text } = await written(writeCsv, [[null, '', 'a,b']], [['x"y', 'line\nline', { k: [1, 'z'] }]])
    expect(rows).toBe(2)
    expect(text).toBe('2,1,"a""b"\n,"","a,b"\n"x""y","line\nline","{""k"":[1,""z""]}"\n')
    expect([csvField(true), csvField(-1.5), csvField(' x ')]).toEqual(['true', '-1.5', ' x '])
  })

  test('NDJSON keeps the order of columns', async () => {
    const { text } = await written(writeNdjson, [[1, null, 'x']])
    expect(text).toBe('{"2":1,"1":null,"a\\"b":"x"}\n')
    expect(await written(writeNdjson)).toEqual({ rows: 0, text: '' })
  })
})

describe('files', () => {
  let folder = ''
  const place = (name: string) => join(folder, name)
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skep-out-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('appear whole, and links stay links', async () => {
    await writeFile(place('old.txt'), 'old')
    await symlink('old.txt', place('link.txt'))
    const rows = await writeOutFile(place('link.txt'), async (sink) => {
      await sink.write('new ')
      expect(await readFile(place('old.txt'), 'utf8')).toBe('old')
      await sink.write('x'.repeat(1_000_000))
      return 7
    })
    expect(rows).toBe(7)
    expect(await readlink(place('link.txt'))).toBe('old.txt')
    expect(await readFile(place('old.txt'), 'utf8')).toBe(`new ${'x'.repeat(1_000_000)}`)
    expect((await readdir(folder)).sort()).toEqual(['link.txt', 'old.txt'])
  })

  test('leave nothing behind, and what was there alone, after a failure', async () => {
    await writeFile(place('kept.txt'), 'kept')
    const before = await readdir(folder)
    const failing = writeOutFile(place('kept.txt'), async (sink) => {
      await sink.write('half')
      throw new SkepError('CANCELLED', 'stop', {})
    })
    await expect(failing).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(await readdir(folder)).toEqual(before)
    expect(await readFile(place('kept.txt'), 'utf8')).toBe('kept')
  })

  test('are refused where there can be none', async () => {
    await mkdir(place('sub'))
    const refused = (path: string) => expect(writeOutFile(path, async () => {})).rejects
    await refused('').toMatchObject({ code: 'ARGUMENT_INVALID' })
    await refused(place('sub')).toMatchObject({
      code: 'ARGUMENT_INVALID',
      message: expect.stringContaining('is a folder'),
    })
    await refused(place('nix/x.csv')).toMatchObject({
      code: 'ARGUMENT_INVALID',
      message: expect.stringContaining('does not exist'),
    })
    await refused('/dev/full/x').toMatchObject({ code: 'ARGUMENT_INVALID' })
  })

  test('that are devices are written as they are', async () => {
    await writeOutFile('/dev/null', (sink) => sink.write('x'))
    await expect(writeOutFile('/dev/full', (sink) => sink.write('x'))).rejects.toMatchObject({ code: 'DISK_FULL' })
    const made = replaceFile('/dev/null', { devices: false }, async () => {})
    await expect(made).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
  })
})

describe('reports', () => {
  const stats: BehaviouralStats = {
    tasks: 1,
    files: 2,
    filesPruned: 1,
    bytes: 10,
    rows: 100,
    ms: 5,
    scannedRows: 5000,
    scannedGroups: 10,
    reader: 'direct',
    ...new QueryWork().stats(),
  }
  const result: BehaviouralResult<BehaviouralStats> = {
    success: true,
    query: {
      matchingGroups: 4,
      matchingGroupRows: 1234,
      aggregations: [
        { column: 'event', type: 'count', value: 1234 },
        {
          column: 'event',
          type: 'countPerValue',
          value: { b: 30, a: 60 },
          ranked: [
            ['a', 60],
            ['b', 30],
          ],
          top: 2,
        },
      ],
    },
    funnel: {
      sequence: [
        { index: 0, matchingGroups: 4, matchingGroupRows: 9, conversionRate: 1 },
        { index: 2, name: 'paid', matchingGroups: 1, matchingGroupRows: 3, conversionRate: 0.25, stepRate: 0.25 },
      ],
    },
    stats,
  }
  const text =
    '{"funnel":{"sequence":[{"filter":["event","==","view"]},{"filter":["x","==",1]},{"filter":["p",">",2]}]}}'

  test('of a behavioural query have matches, aggregations and a bar for each step', () => {
    expect(behaviourLines({ table: 't', text, result }, { style: PLAIN_STYLE })).toEqual([
      't: 4 of 10 actors match (40.0%), with 1,234 of 5,000 rows',
      '',
      'count(event): 1,234',
      '',
      'countPerValue(event), top 2',
      'event │ countPerValue │',
      `──────┼───────────────┼─${'─'.repeat(30)}`,
      `a     │            60 │ ${'█'.repeat(30)}`,
      `b     │            30 │ ${'█'.repeat(15)}`.padEnd(52).trimEnd(),
      '',
      'Funnel',
      '# │ step          │ actors │ of first │ of previous │',
      `──┼───────────────┼────────┼──────────┼─────────────┼─${'─'.repeat(30)}`,
      `1 │ event == view │      4 │   100.0% │             │ ${'█'.repeat(30)}`,
      `2 │ paid          │      1 │    25.0% │       25.0% │ ${'█'.repeat(7)}▌`,
      '',
      '(2 files, 1 pruned, 5 ms)',
    ])
  })

  test('call steps without a name by their filters', () => {
    const steps = [
      { filter: ['a', '==', 'x'] },
      { filters: [{ column: 'b', op: '>', value: 1 }, ['c', 'is null']] },
      { filter: { or: [] } },
    ]
    expect(stepLabels(JSON.stringify({ funnel: { sequence: steps } }))).toEqual([
      'a == x',
      'b > 1 and c is null',
      '{"or":[]}',
    ])
    expect(stepLabels('{')).toEqual([])
    expect(stepLabels('{"funnel":{"sequence":[null]}}')).toEqual([])
  })

  test('of errors are one line, several violations one a line', () => {
    expect(errorLines(new SkepError('SQL_INVALID', 'a\n  b\u001b[2J', {}), PLAIN_STYLE)).toBe(
      'skep: SQL_INVALID: a b\\x1b[2J\n',
    )
    const violations = [
      { kind: 'SCHEMA' as const, path: '/a', message: 'is odd' },
      { kind: 'RELATION' as const, path: '', message: 'is empty' },
    ]
    expect(errorLines(queryError(violations), PLAIN_STYLE)).toBe(
      'skep: QUERY_INVALID: the query is not valid, 2 violations:\n  /a: is odd (SCHEMA)\n  the query: is empty (RELATION)\n',
    )
    expect(errorLines(queryError(violations.slice(0, 1)), PLAIN_STYLE)).toBe(
      'skep: QUERY_INVALID: the query is not valid: /a: is odd\n',
    )
  })

  test('have colours on terminals only, and not with NO_COLOR', () => {
    const terminal = { isTTY: true } as NodeJS.WriteStream
    expect(styleOf(terminal, {})('red', 'x')).toBe('\u001b[31mx\u001b[39m')
    expect(styleOf(terminal, { NO_COLOR: '1' })('red', 'x')).toBe('x')
    expect(styleOf({} as NodeJS.WriteStream, {})('red', 'x')).toBe('x')
  })
})
