/** What the web page works out before it draws: places of cells, guesses about files, distributions, sums of partitions. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  boundsOf,
  columnsBetween,
  edgesOf,
  fitWidths,
  moved,
  textOf,
  WIDTHS,
} from '../../web/src/components/grid-model.ts'
import * as format from '../../web/src/format.ts'
import {
  columnsOfText,
  guessActor,
  guessTime,
  guessUnit,
  kindOf,
  tableNameOf,
} from '../../web/src/views/tables/guess.ts'
import { numericEdges, summary } from '../../web/src/views/tables/histogram.ts'
import { partitionsOf } from '../../web/src/views/tables/partitions.ts'

describe('a grid', () => {
  test('draws exactly the columns that meet what is in sight', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 48, max: 400 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 0, max: 9000 }),
        fc.integer({ min: 1, max: 2000 }),
        (widths, left, width) => {
          const edges = edgesOf(widths)
          const [first, end] = columnsBetween(edges, left, left + width)
          const seen = widths.flatMap((_, k) => (edges[k]! < left + width && edges[k + 1]! > left ? [k] : []))
          if (seen.length > 0) expect([first, end]).toEqual([seen[0], seen.at(-1)! + 1])
          expect(end).toBeGreaterThan(first)
          expect(end).toBeLessThanOrEqual(widths.length)
        },
      ),
    )
  })

  test('never leads out of itself', () => {
    const keys = ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'PageUp', 'PageDown', 'Home', 'End']
    const press = fc.record({ key: fc.constantFrom(...keys), ctrlKey: fc.boolean(), metaKey: fc.constant(false) })
    fc.assert(
      fc.property(fc.array(press, { maxLength: 30 }), fc.integer({ min: 1, max: 40 }), (pressed, rows) => {
        let place = { row: 0, column: 0 }
        for (const event of pressed) place = moved(place, event, { rows, columns: 5, page: 10 })!
        expect(place.row).toBeGreaterThanOrEqual(0)
        expect(place.row).toBeLessThan(rows)
        expect(place.column).toBeGreaterThanOrEqual(0)
        expect(place.column).toBeLessThan(5)
      }),
    )
    expect(
      moved({ row: 0, column: 0 }, { key: 'x', ctrlKey: false, metaKey: false }, { rows: 1, columns: 1, page: 1 }),
    ).toBeUndefined()
  })

  test('copies a range as spreadsheets take it, and a single cell as it is', () => {
    const columns = ['a', 'b\tc', 'd'].map((name) => ({ name, type: 'VARCHAR' }))
    const cells = [
      ['1', 'x\ny', '3'],
      ['4', 'say "hi"', '6'],
    ]
    const text = (row: number, column: number) => cells[row]![column]!
    const from = { row: 1, column: 2 }
    expect(textOf({ from, to: { row: 0, column: 1 } }, columns, text)).toBe('"b\tc"\td\n"x\ny"\t3\n"say ""hi"""\t6')
    expect(textOf({ from: { row: 0, column: 1 }, to: { row: 0, column: 1 } }, columns, text)).toBe('x\ny')
    expect(boundsOf({ from, to: { row: 0, column: 0 } })).toEqual({ rows: [0, 2], columns: [0, 3] })
  })

  test('begins with widths between the least and the most', () => {
    const columns = [
      { name: 'a', type: 'INT' },
      { name: 'long', type: 'VARCHAR' },
    ]
    const [narrow, wide] = fitWidths(columns, (column) => (column === 0 ? ['1'] : ['x'.repeat(1000)]))
    expect([narrow, wide]).toEqual([WIDTHS.first, WIDTHS.mostFirst])
  })
})

describe('a file that is dropped', () => {
  test.each([
    ['events.parquet', 'parquet', undefined],
    ['Events.CSV', 'csv', undefined],
    ['a.b.tsv.gz', 'csv', 'gzip'],
    ['x.jsonl.zst', 'ndjson', 'zstd'],
    ['x.json', 'ndjson', undefined],
  ])('%s is known by its name', (name, kind, encoding) => {
    expect(kindOf(name)?.format).toBe(kind)
    expect(kindOf(name)?.headers['content-encoding']).toBe(encoding)
  })

  test('is not known by a name that says nothing', () => {
    expect(kindOf('photo.png')).toBeUndefined()
    expect(kindOf('noending')).toBeUndefined()
    expect(kindOf('archive.gz')).toBeUndefined()
  })

  test.each([
    ['My Orders (2).csv', 'my_orders_2'],
    ['2026-11.parquet', 't_2026_11'],
    ['events.csv.gz', 'events'],
    ['Ünï.csv', 'n'],
    ['—.csv', 'table_1'],
  ])('%s suggests the table %s', (name, table) => {
    expect(tableNameOf(name)).toBe(table)
  })

  test('suggests a name that tables may have, whatever its own', () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        expect(tableNameOf(name)).toMatch(/^[a-z][a-z\d_]*$/)
      }),
    )
  })

  test('of CSV has columns with kinds, behind quotes and other marks', () => {
    const text = 'id;"user; name";at;price\n1;"a ""b""";2026-11-20 08:00:00;1.5\n2;c;;2\ncut off'
    expect(columnsOfText(text, 'csv')).toEqual([
      { name: 'id', kind: 'integer', sample: 1 },
      { name: 'user; name', kind: 'text' },
      { name: 'at', kind: 'time' },
      { name: 'price', kind: 'number' },
    ])
  })

  test('of NDJSON has the columns of all its first lines', () => {
    const text = '{"user_id":"a","ts":1700000000000}\n{"user_id":"b","extra":{"x":1}}\n{"cut'
    const columns = columnsOfText(text, 'ndjson')
    expect(columns).toEqual([
      { name: 'user_id', kind: 'text' },
      { name: 'ts', kind: 'integer', sample: 1_700_000_000_000 },
      { name: 'extra', kind: 'other' },
    ])
    expect([guessActor(columns), guessTime(columns)]).toEqual(['user_id', 'ts'])
  })

  test('suggests no keys that are none', () => {
    const columns = [
      { name: 'price', kind: 'number' as const },
      { name: 'name', kind: 'text' as const },
    ]
    expect([guessActor(columns), guessTime(columns)]).toEqual([undefined, undefined])
  })

  test.each([
    [1_700_000_000, 's'],
    [1_700_000_000_000, 'ms'],
    [1_700_000_000_000_000, 'us'],
    [1_700_000_000_000_000_000, 'ns'],
  ] as const)('has times like %s in %s', (value, unit) => {
    expect(guessUnit(value)).toBe(unit)
  })
})

describe('a distribution', () => {
  test('has its times where they stand, whatever the zone of the browser', () => {
    const edges = ['2026-11-20', '2026-11-20T08:14:00.123456', '2026-11-20T08:14:00Z']
    const { edges: found } = numericEdges({ edges, counts: [] }, 'TIMESTAMP')
    expect(found.map((edge) => (edge as Date).toISOString())).toEqual([
      '2026-11-20T00:00:00.000Z',
      '2026-11-20T08:14:00.123Z',
      '2026-11-20T08:14:00.000Z',
    ])
  })

  test('is told in words', () => {
    const histogram = { edges: [0, 10, 20], counts: [3, 1200] }
    expect(summary({ rows: 1210, nulls: 7, min: 0, max: 19, histogram })).toBe(
      'Histogram: 1,203 values from 0 to 19; most, 1,200, between 10 and 20',
    )
  })
})

test('files are summed by partition, the one with the most rows first', () => {
  const file = (bucket: number, rows: number) => ({ path: 'x', rows, bytes: 10, partition: { bucket }, sorted: true })
  expect(partitionsOf([file(0, 1), file(1, 5), file(0, 2)])).toEqual([
    { key: 'bucket=1', files: 1, rows: 5, bytes: 10 },
    { key: 'bucket=0', files: 2, rows: 3, bytes: 20 },
  ])
})

describe('figures', () => {
  test.each([
    [0, '0 bytes'],
    [999, '999 bytes'],
    [1000, '1.0 KB'],
    [674_157, '674 KB'],
    [13_777_176, '13.8 MB'],
    [999_999, '1.0 MB'],
  ])('%i bytes are %s', (size, text) => {
    expect(format.bytes(size)).toBe(text)
  })

  test.each([
    [0.4, '0 ms'],
    [999.7, '1.0 s'],
    [59_960, '1 min 0 s'],
    [192_000, '3 min 12 s'],
    [3_725_000, '1 h 2 min'],
  ])('%d ms are %s', (ms, text) => {
    expect(format.duration(ms)).toBe(text)
  })

  test('times are told from now on', () => {
    const now = Date.parse('2026-11-20T12:00:00Z')
    expect(format.ago('2026-11-20T11:55:00Z', now)).toBe('5 minutes ago')
    expect(format.ago('2026-11-20T11:59:50Z', now)).toBe('just now')
    expect(format.ago('2026-11-19T11:00:00Z', now)).toBe('yesterday')
  })

  test('names are quoted where SQL needs it', () => {
    expect(['events', 'My Events', 'a"b', 'select'].map(format.identifier)).toEqual([
      'events',
      '"My Events"',
      '"a""b"',
      '"select"',
    ])
  })
})
