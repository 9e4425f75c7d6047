/** Files of other writers, read directly and by the engine: encodings, layouts of pages, and what no file should have. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Encoding, SchemaElement } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery, Filter, Step } from '../../src/behaviour/types.ts'
import { compareReaders, DirectLab, outcomeOf } from './direct-lab.ts'
import { dataPage, dictionaryPage, type Page, pageFile } from './page-file.ts'

let lab: DirectLab
beforeAll(async () => {
  lab = await DirectLab.open()
})
afterAll(async () => {
  await lab[Symbol.asyncDispose]()
})

const is = (event: string): Filter => ['event', '==', event]
const steps = (...filters: Filter[]) => filters.map((filter) => ({ filter })) as [Step, ...Step[]]
const QUERY: BehaviouralQuery = {
  query: {
    conditions: [{ filter: ['event', 'is null'], target: ['count', '>=', 1] }, { filter: is('b') }],
    relation: 'or',
  },
  funnel: { sequence: steps(is('a'), is('b'), ['event', '!=', 'a']), maxDuration: 400 },
}

async function register(bytes: Uint8Array): Promise<string> {
  const folder = lab.newFolder()
  writeFileSync(join(folder, 'a.parquet'), bytes)
  const name = lab.newName()
  await lab.engine.register(name, folder, { actor: 'who', time: 'ts' })
  return name
}

const ROWS = 3000
const numbers = Array.from({ length: ROWS }, (_, k) => (k * 7919) % 1000)
const EVENTS = ['a', 'b', 'c', 'é😀', '']
const events = numbers.map((n, k) => (k % 700 < 300 && n % 3 === 0 ? null : EVENTS[(n * k) % EVENTS.length]!))

describe('of a writer with several pages in each chunk', () => {
  const texts = numbers.map((n) => (n % 9 === 0 ? '' : `actor ${n % 83} ${'x'.repeat(n % 30)}`))
  const integers = numbers.map((n) => BigInt(n % 83) - 40n)
  const times = numbers.map((_, k) => BigInt((k * 104_729) % 5003) - 2500n)
  const small = times.map(Number)
  const uuids = numbers.map((n) => `00000000-0000-4000-8000-${String(n % 83).padStart(12, '0')}`)

  interface Form {
    actor: { data: unknown[]; type: 'STRING' | 'INT32' | 'INT64' | 'UUID' | 'BYTE_ARRAY'; encoding?: Encoding }
    time?: { data: unknown[]; type: 'INT32' | 'INT64'; encoding?: Encoding }
    event?: Encoding
    reader: 'direct' | 'engine'
    codec?: 'SNAPPY' | 'UNCOMPRESSED'
    nullable?: boolean
  }
  const plainTime: Form['time'] = { data: times, type: 'INT64', encoding: 'PLAIN' }
  const FORMS: Record<string, Form> = {
    'codes, of required columns': {
      actor: { data: texts, type: 'STRING', encoding: 'RLE_DICTIONARY' },
      reader: 'direct',
      nullable: false,
    },
    'plain texts': { actor: { data: texts, type: 'STRING', encoding: 'PLAIN' }, time: plainTime, reader: 'direct' },
    'texts with their lengths first': {
      actor: { data: texts, type: 'STRING', encoding: 'DELTA_LENGTH_BYTE_ARRAY' },
      reader: 'direct',
    },
    'texts without their common beginnings': {
      actor: { data: texts, type: 'STRING', encoding: 'DELTA_BYTE_ARRAY' },
      reader: 'engine',
    },
    bytes: {
      actor: { data: texts.map((text) => new Uint8Array(Buffer.from(text))), type: 'BYTE_ARRAY', encoding: 'PLAIN' },
      reader: 'direct',
    },
    'plain UUIDs': { actor: { data: uuids, type: 'UUID', encoding: 'PLAIN' }, reader: 'direct' },
    'UUIDs as codes': { actor: { data: uuids, type: 'UUID', encoding: 'RLE_DICTIONARY' }, reader: 'direct' },
    'integers of 32 bits as differences': {
      actor: { data: integers.map(Number), type: 'INT32', encoding: 'DELTA_BINARY_PACKED' },
      time: { data: small, type: 'INT32', encoding: 'DELTA_BINARY_PACKED' },
      reader: 'direct',
    },
    'integers of 64 bits as differences': {
      actor: { data: integers, type: 'INT64', encoding: 'DELTA_BINARY_PACKED' },
      time: { data: times, type: 'INT64', encoding: 'DELTA_BINARY_PACKED' },
      reader: 'direct',
      codec: 'UNCOMPRESSED',
    },
    'integers as codes': {
      actor: { data: integers, type: 'INT64', encoding: 'RLE_DICTIONARY' },
      time: { data: small, type: 'INT32', encoding: 'RLE_DICTIONARY' },
      reader: 'direct',
    },
    'events without codes': { actor: { data: integers, type: 'INT64' }, event: 'PLAIN', reader: 'engine' },
  }

  test.each(Object.entries(FORMS))(
    '%s',
    async (_, { actor, time = plainTime, event = 'RLE_DICTIONARY', reader, codec = 'SNAPPY', nullable }) => {
      const required = nullable === undefined ? {} : { nullable }
      const data = nullable === false ? events.map((text) => text ?? 'none') : events
      const rowGroupSizes = [[100, 1, 7, 900], [ROWS]]
      for (const rowGroupSize of rowGroupSizes) {
        const bytes = parquetWriteBuffer({
          columnData: [
            { name: 'who', ...actor, ...required } as never,
            { name: 'ts', ...time, ...required } as never,
            { name: 'event', data, type: 'STRING', encoding: event, ...required },
          ],
          codec,
          pageSize: 600,
          rowGroupSize,
        })
        const name = await register(new Uint8Array(bytes))
        for (const threads of [1, 3] as const) {
          expect(await compareReaders(lab, name, QUERY, { threads })).toMatchObject({ reader, scannedRows: ROWS })
        }
      }
    },
  )
})

test('integers with their bytes apart are in an encoding that nothing here reads', async () => {
  const columnData = [
    { name: 'who', data: numbers, type: 'INT32' as const },
    { name: 'ts', data: numbers, type: 'INT32' as const, encoding: 'BYTE_STREAM_SPLIT' as const },
    { name: 'event', data: events, type: 'STRING' as const, encoding: 'RLE_DICTIONARY' as const },
  ]
  const name = await register(new Uint8Array(parquetWriteBuffer({ columnData })))
  expect(await outcomeOf(lab.direct().query(name, QUERY))).toEqual({ code: 'FILE_INVALID' })
})

const WHO: SchemaElement = { name: 'who', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }
const TS: SchemaElement = { name: 'ts', type: 'INT64', repetition_type: 'OPTIONAL' }
const EVENT: SchemaElement = { name: 'event', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }

const whoOf = (k: number) => `u${(k * 31) % 7}`
const tsOf = (k: number) => BigInt((k * 17) % 90)
const eventOf = (k: number) => (k % 5 === 4 ? null : EVENTS[(k * k) % 3]!)
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, k) => from + k)
const WHO_DICTIONARY = range(0, 7).map((k) => `u${k}`)
const TS_DICTIONARY = range(0, 90).map(BigInt)
const EVENT_DICTIONARY = ['a', 'b', 'c']

/** The columns of 200 rows in one group; each may be given other pages. */
function columnsOf({ who, ts, event }: { who?: Page[]; ts?: Page[]; event?: Page[] } = {}) {
  const all = range(0, 200)
  return [
    {
      element: WHO,
      groups: [
        who ?? [dictionaryPage(WHO_DICTIONARY, WHO), dataPage(all.map(whoOf), WHO, { dictionary: WHO_DICTIONARY })],
      ],
    },
    { element: TS, groups: [ts ?? [dataPage(all.map(tsOf), TS)]] },
    {
      element: EVENT,
      groups: [
        event ?? [
          dictionaryPage(EVENT_DICTIONARY, EVENT),
          dataPage(all.map(eventOf), EVENT, { dictionary: EVENT_DICTIONARY }),
        ],
      ],
    },
  ]
}

const halves = [range(0, 77), range(77, 200)] as const

describe('of pages that change within a chunk', () => {
  const CASES: Record<string, [Parameters<typeof columnsOf>[0], 'direct' | 'engine']> = {
    'nothing odd': [{}, 'direct'],
    'both layouts of pages': [
      {
        who: [
          dictionaryPage(WHO_DICTIONARY, WHO),
          ...halves.map((half, k) =>
            dataPage(half.map(whoOf), WHO, { dictionary: WHO_DICTIONARY, version: k === 0 ? 2 : 1 }),
          ),
        ],
        event: [
          dictionaryPage(EVENT_DICTIONARY, EVENT),
          ...halves.map((half, k) =>
            dataPage(half.map(eventOf), EVENT, { dictionary: EVENT_DICTIONARY, version: k === 0 ? 1 : 2 }),
          ),
        ],
      },
      'direct',
    ],
    'actors that leave their dictionary': [
      {
        who: [
          dictionaryPage(WHO_DICTIONARY, WHO),
          dataPage(halves[0].map(whoOf), WHO, { dictionary: WHO_DICTIONARY }),
          dataPage(halves[1].map(whoOf), WHO),
        ],
      },
      'direct',
    ],
    'times that leave their dictionary': [
      {
        ts: [
          dictionaryPage(TS_DICTIONARY, TS),
          dataPage(halves[0].map(tsOf), TS, { dictionary: TS_DICTIONARY }),
          dataPage(halves[1].map(tsOf), TS, { version: 2 }),
        ],
      },
      'direct',
    ],
    'events that leave their dictionary': [
      {
        event: [
          dictionaryPage(EVENT_DICTIONARY, EVENT),
          dataPage(halves[0].map(eventOf), EVENT, { dictionary: EVENT_DICTIONARY }),
          dataPage(halves[1].map(eventOf), EVENT),
        ],
      },
      'engine',
    ],
    'events of nothing but null, without a dictionary': [
      {
        event: [
          dataPage(
            range(0, 200).map(() => null),
            EVENT,
          ),
        ],
      },
      'direct',
    ],
    'events of nothing but null in a page': [
      {
        event: [
          dictionaryPage(EVENT_DICTIONARY, EVENT),
          dataPage(
            halves[0].map(() => null),
            EVENT,
            { dictionary: EVENT_DICTIONARY, version: 2 },
          ),
          dataPage(halves[1].map(eventOf), EVENT, { dictionary: EVENT_DICTIONARY }),
        ],
      },
      'direct',
    ],
    'pages of one row': [{ ts: range(0, 200).map((k) => dataPage([tsOf(k)], TS)) }, 'direct'],
    'a dictionary with one text twice': [
      {
        who: [
          dictionaryPage([...WHO_DICTIONARY, 'u0'], WHO),
          dataPage(range(0, 200).map(whoOf), WHO, { dictionary: WHO_DICTIONARY }),
        ],
      },
      'direct',
    ],
  }

  test.each(Object.entries(CASES))('%s', async (_, [pages, reader]) => {
    const name = await register(pageFile(columnsOf(pages), [200n]))
    expect(await compareReaders(lab, name, QUERY)).toMatchObject({ reader, scannedRows: 200 })
  })

  test('row groups with other dictionaries, and one without rows', async () => {
    const columns = columnsOf()
    const empty = columns.map(({ element }) => ({ element, groups: [[] as Page[]] }))
    const reversed = columnsOf({
      who: [
        dictionaryPage(WHO_DICTIONARY.toReversed(), WHO),
        dataPage(range(0, 200).map(whoOf), WHO, { dictionary: WHO_DICTIONARY.toReversed() }),
      ],
      event: [
        dictionaryPage(EVENT_DICTIONARY.toReversed(), EVENT),
        dataPage(range(0, 200).map(eventOf), EVENT, { dictionary: EVENT_DICTIONARY.toReversed() }),
      ],
    })
    const all = columns.map(({ element, groups }, k) => ({
      element,
      groups: [...groups, ...empty[k]!.groups, ...reversed[k]!.groups],
    }))
    const name = await register(pageFile(all, [200n, 0n, 200n]))
    expect(await compareReaders(lab, name, QUERY)).toMatchObject({ reader: 'direct', scannedRows: 400 })
  })
})

describe('of headers that promise too much', () => {
  const MOST = 2 ** 31 - 1
  const [dictionary, coded] = columnsOf()[0]!.groups[0]!
  const data = coded!.header.data_page_header!
  const time = columnsOf()[1]!.groups[0]![0]!
  const withValues = (page: Page, count: number): Page => ({
    ...page,
    header: { ...page.header, data_page_header: { ...page.header.data_page_header!, num_values: count } },
  })
  const withEntries = (page: Page, count: number): Page => ({
    ...page,
    header: { ...page.header, dictionary_page_header: { num_values: count, encoding: 'PLAIN' } },
  })
  const sized = (page: Page, sizes: object): Page => ({ ...page, header: { ...page.header, ...sizes } })
  async function compareOutcomes(name: string): Promise<void> {
    const direct = await outcomeOf(lab.direct().query(name, QUERY))
    expect(direct).toEqual(await outcomeOf(lab.engine.query(name, QUERY)))
  }

  const CASES: Record<string, Parameters<typeof columnsOf>[0]> = {
    'values of a page': { who: [dictionary!, withValues(coded!, MOST)] },
    'values of a page, by one': { ts: [withValues(time, 201)] },
    'fewer values than rows': { ts: [withValues(time, 199)] },
    'entries of a dictionary': { who: [withEntries(dictionary!, MOST), coded!] },
    'entries of a dictionary whose room overflows': { who: [withEntries(dictionary!, 2 ** 29), coded!] },
    'entries of a dictionary, by one': { who: [withEntries(dictionary!, 8), coded!] },
    'fewer entries than codes': { who: [withEntries(dictionary!, 3), coded!] },
    'unpacked bytes': { who: [sized(dictionary!, { uncompressed_page_size: MOST }), coded!] },
    'negative bytes': { ts: [sized(time, { uncompressed_page_size: -5 })] },
    'packed bytes': { ts: [sized(time, { compressed_page_size: MOST })] },
    'an encoding that is not known': {
      who: [
        dictionary!,
        { ...coded!, header: { ...coded!.header, data_page_header: { ...data, encoding: 'BYTE_STREAM_SPLIT' } } },
      ],
    },
  }

  test.each(Object.entries(CASES))(
    '%s: the engine says what is wrong, and the next query is direct',
    async (_, pages) => {
      const started = performance.now()
      const name = await register(pageFile(columnsOf(pages), [200n])).catch(() => undefined)
      if (name !== undefined) await compareOutcomes(name)
      expect(performance.now() - started).toBeLessThan(10_000)
      const sound = await register(pageFile(columnsOf(), [200n]))
      expect(await compareReaders(lab, sound, QUERY)).toMatchObject({ reader: 'direct' })
    },
  )

  test.each([2n ** 40n, 2n ** 62n, 5_000_000n, 201n, 199n])('%s rows in a row group', async (rows) => {
    const name = await register(pageFile(columnsOf(), [rows])).catch(() => undefined)
    if (name !== undefined) await compareOutcomes(name)
  })
})
