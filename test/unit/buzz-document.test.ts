/** The form of documents of steps: what is read, and everything that is wrong with one told at once. */
import { describe, expect, test } from 'vitest'
import { isSkepError } from '../../src/errors.ts'
import { checkReads, parseDocument, readDocument } from '../../src/planner/buzz.ts'

const MAP = { sql: 'SELECT * FROM c', name: 'mapper', step_type: 'HBee' }
const REDUCE = { sql: 'SELECT * FROM mapper', name: 'reducer', step_type: 'HComb' }
const CATALOG = { name: 'c', type: 'Static', uri: 'data' }
const DOCUMENT = { steps: [MAP, REDUCE], capacity: { zones: 1 }, catalogs: [CATALOG] }

/** The violations of a value, each as its path and its message. */
function violations(value: unknown): [path: string, message: string][] {
  try {
    readDocument(value, 8)
  } catch (error) {
    if (!isSkepError(error, 'DOCUMENT_INVALID')) throw error
    for (const { message } of error.details.violations.slice(0, 3)) expect(error.message).toContain(message)
    return error.details.violations.map(({ path, message }) => [path, message])
  }
  return []
}

test('a document is read as it is, without what is unknown or null', () => {
  expect(readDocument(DOCUMENT, 8)).toEqual(DOCUMENT)
  const version = { name: 'd', type: 'DeltaLake', uri: 's3://b/d', version: 3 }
  const more = {
    ...DOCUMENT,
    steps: [
      { ...MAP, partition_filter: "a = 'b'", note: 1 },
      { ...REDUCE, partition_filter: null },
    ],
    capacity: { zones: 8n, speed: 'high' },
    catalogs: [CATALOG, version],
    author: 'me',
  }
  expect(readDocument(more, 8)).toEqual({
    steps: [{ ...MAP, partition_filter: "a = 'b'" }, REDUCE],
    capacity: { zones: 8 },
    catalogs: [CATALOG, version],
  })
  const { catalogs: _, ...bare } = DOCUMENT
  expect(readDocument(bare, 8).catalogs).toEqual([])
})

describe('is told of', () => {
  const step = (change: object) => ({ ...DOCUMENT, steps: [{ ...MAP, ...change }, REDUCE] })
  const catalog = (change: object) => ({ ...DOCUMENT, catalogs: [{ ...CATALOG, ...change }] })

  test.each<[string, unknown, [string, string][]]>([
    ['a list', [MAP, REDUCE], [['', 'expected an object with "steps" and "capacity"']]],
    ['null', null, [['', 'expected an object with "steps" and "capacity"']]],
    [
      'an empty object',
      {},
      [
        ['/steps', 'expected a list of steps'],
        ['/capacity', 'expected an object with "zones"'],
      ],
    ],
    ['no steps', { ...DOCUMENT, steps: [] }, [['/steps', 'there are no steps']]],
    [
      'a step that is a text',
      { ...DOCUMENT, steps: [MAP, 'SELECT 1'] },
      [['/steps/1', 'step 2: expected an object with "sql", "name" and "step_type"']],
    ],
    ['empty SQL', step({ sql: ' \n' }), [['/steps/0/sql', 'step "mapper": "sql" is empty']]],
    ['SQL that is no text', step({ sql: 7 }), [['/steps/0/sql', 'step "mapper": "sql" is not a text']]],
    ['a step without a name', step({ name: undefined }), [['/steps/0/name', 'step 1: "name" is missing']]],
    [
      'a type in other letters',
      step({ step_type: 'hbee' }),
      [['/steps/0/step_type', 'step "mapper": expected one of "HBee", "HComb", not "hbee"; did you mean "HBee"?']],
    ],
    [
      'names that differ in case only',
      step({ name: 'REDUCER' }),
      [['/steps/1/name', 'step 2 has the name of the step "REDUCER"']],
    ],
    ['the name of a catalog', step({ name: 'C' }), [['/steps/0/name', 'step 1 has the name of the catalog "c"']]],
    [
      'a name that SQL takes for a path',
      step({ name: 'a.b' }),
      [['/steps/0/name', 'step "a.b": the name of a step may not contain "." or "/"']],
    ],
    [
      'an empty filter',
      step({ partition_filter: '' }),
      [['/steps/0/partition_filter', 'step "mapper": "partition_filter" is empty']],
    ],
    [
      'a filter of an HComb',
      { ...DOCUMENT, steps: [MAP, { ...REDUCE, partition_filter: 'a = 1' }] },
      [
        [
          '/steps/1/partition_filter',
          'step "reducer": an HComb reads steps, which have no partitions; write the condition into its SQL',
        ],
      ],
    ],
    [
      'an HComb that comes first',
      { ...DOCUMENT, steps: [REDUCE, MAP] },
      [
        [
          '/steps/0/step_type',
          'step "reducer" comes first and is an HComb, which reads earlier steps; a document begins with an HBee',
        ],
      ],
    ],
    ...[0, 9, -1, 1.5, '1', null].map((zones): [string, unknown, [string, string][]] => [
      `${JSON.stringify(zones)} zones`,
      { ...DOCUMENT, capacity: { zones } },
      [['/capacity/zones', `expected a whole number from 1 to 8, not ${JSON.stringify(zones)}`]],
    ]),
    ['catalogs that are no list', { ...DOCUMENT, catalogs: {} }, [['/catalogs', 'expected a list of catalogs']]],
    [
      'a catalog in other letters',
      catalog({ type: 'static' }),
      [
        [
          '/catalogs/0/type',
          'catalog "c": expected one of "Static", "DeltaLake", "Iceberg", not "static"; did you mean "Static"?',
        ],
      ],
    ],
    ['a catalog without a place', catalog({ uri: undefined }), [['/catalogs/0/uri', 'catalog "c": "uri" is missing']]],
    [
      'a version of a folder',
      catalog({ version: 1 }),
      [['/catalogs/0/version', 'catalog "c": a Static catalog has no versions']],
    ],
    [
      'a version that is no number',
      catalog({ type: 'Iceberg', version: 'v1' }),
      [['/catalogs/0/version', 'catalog "c": expected a whole number, not "v1"']],
    ],
    [
      'a version that JavaScript has rounded',
      catalog({ type: 'Iceberg', version: 2 ** 60 }),
      [['/catalogs/0/version', 'catalog "c": expected a whole number, not 1152921504606847000']],
    ],
    [
      'two catalogs of one name',
      { ...DOCUMENT, catalogs: [CATALOG, { ...CATALOG, name: 'C' }] },
      [['/catalogs/1/name', 'there are two catalogs "C"']],
    ],
    [
      'a catalog that no table could be called like',
      catalog({ name: 'a b' }),
      [['/catalogs/0/name', expect.stringContaining('catalog "a b": the name is like that of a table') as never]],
    ],
  ])('%s', (_, value, expected) => {
    expect(violations(value)).toEqual(expected)
  })

  test('all at once', () => {
    const found = violations({ steps: [{ ...REDUCE, sql: '' }, { name: 'x' }], catalogs: [{}] })
    expect(found.map(([path]) => path)).toEqual([
      '/steps/0/sql',
      '/steps/1/sql',
      '/steps/1/step_type',
      '/capacity',
      '/catalogs/0/name',
      '/catalogs/0/type',
      '/catalogs/0/uri',
      '/steps/0/step_type',
    ])
  })
})

test('a version is exact, however large', () => {
  const text = '{"steps": [], "catalogs": [{"type": "Iceberg", "version": 3051729675574597004}]}'
  const { catalogs } = parseDocument(text, { queryBytes: 1000, jsonDepth: 10 })
  const versionOf = (version: unknown) =>
    readDocument({ ...DOCUMENT, catalogs: [{ ...CATALOG, type: 'Iceberg', version }] }, 8).catalogs![0]!.version
  expect(versionOf(catalogs![0]!.version)).toBe('3051729675574597004')
  expect(versionOf('3051729675574597004')).toBe('3051729675574597004')
  expect(versionOf(7)).toBe(7)
})

test('the name of the last step is read by nobody', () => {
  expect(violations({ ...DOCUMENT, steps: [MAP, { ...REDUCE, name: 'final/2020.v1' }] })).toEqual([])
})

test('steps may read what comes before them, without regard to case', () => {
  const document = readDocument(DOCUMENT, 8)
  const reads = (...tables: string[][]) => tables.map((names) => ({ tables: names, commonTables: [] }))
  expect(() => checkReads(document, reads(['c', 'anything'], ['MAPPER', 'mapper']))).not.toThrow()
  expect(() => checkReads(document, reads([], []))).not.toThrow()
  expect(() => checkReads(document, reads(['Reducer'], ['mapper']))).toThrow('reads "Reducer", which is a later step')
  expect(() => checkReads(document, reads(['MAPPER'], ['mapper']))).toThrow('step "mapper" reads itself')
})

test('text that is no document says so of the document', () => {
  const limits = { queryBytes: 1000, jsonDepth: 10 }
  expect(parseDocument(JSON.stringify(DOCUMENT), limits)).toEqual(DOCUMENT)
  const told = (text: string) => {
    try {
      parseDocument(text, limits)
    } catch (error) {
      if (isSkepError(error)) return [error.code, error.message]
    }
    throw new Error('it was read')
  }
  expect(told('{"steps": [}')).toEqual(['JSON_INVALID', expect.stringContaining('the document is not JSON')])
  expect(told(`"${'x'.repeat(1000)}"`)).toEqual(['QUERY_TOO_LARGE', 'the document is larger than 1000 bytes'])
  expect(told('['.repeat(11))).toEqual(['QUERY_TOO_DEEP', expect.stringContaining('the document is nested')])
})
