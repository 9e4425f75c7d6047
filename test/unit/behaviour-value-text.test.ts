import { DuckDBTimestampValue } from '@duckdb/node-api'
import { expect, test } from 'vitest'
import { valueText } from '../../src/behaviour/value-text.ts'
import { parseType } from '../../src/common/data-type.ts'

test.each([
  ['BOOLEAN', true, 'True'],
  ['BOOLEAN', false, 'False'],
  ['INTEGER', 1, '1'],
  ['BIGINT', -9223372036854775808n, '-9223372036854775808'],
  ['DOUBLE', 1.5, '1.5'],
  ['DOUBLE', 10, '10.0'],
  ['DOUBLE', -0, '0.0'],
  ['DOUBLE', 9999999999999998, '9999999999999998.0'],
  ['DOUBLE', 1e16, '10000000000000000'],
  ['DOUBLE', 1e22, '1e+22'],
  ['DOUBLE', 0.1, '0.1'],
  ['FLOAT', Math.fround(0.1), '0.1'],
  ['FLOAT', Math.fround(16777216), '16777216.0'],
  ['FLOAT', 3.4028234663852886e38, '3.4028235e+38'],
  ['DECIMAL(10,2)', -5n, '-0.05'],
  ['DECIMAL(10,2)', 1250n, '12.50'],
  ['DECIMAL(10,0)', 7n, '7'],
  ['VARCHAR', '', ''],
  ['VARCHAR', 'a"b', 'a"b'],
  ['DATE', 20777n, '2026-11-20'],
  ['DATE', -719528n, '0000-01-01'],
  ['TIME', 29640500000n, '08:14:00.5'],
  ['TIMESTAMP', 1795162440123456n, '2026-11-20T08:14:00.123456'],
  ['TIMESTAMP', -1n, '1969-12-31T23:59:59.999999'],
  ['TIMESTAMP', 0n, '1970-01-01T00:00:00'],
  ['TIMESTAMP_NS', 1n, '1970-01-01T00:00:00.000000001'],
  ['TIMESTAMP_S', 1n, '1970-01-01T00:00:01'],
  ['TIMESTAMP WITH TIME ZONE', 120000n, '1970-01-01T00:00:00.12Z'],
  ['BLOB', new Uint8Array([0, 255]), 'AP8='],
])('%s %s is %s', (type, value, text) => {
  expect(valueText(value, parseType(type))).toBe(text)
})

test('timestamps read as the engine prints them', () => {
  for (const micros of [0n, 1n, 120000n, -1n, 1795162440123456n, -62135596800000000n]) {
    const engine = new DuckDBTimestampValue(micros).toString().replace(' ', 'T')
    expect(valueText(micros, parseType('TIMESTAMP'))).toBe(engine)
  }
})
