import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decimalBytes } from '../../src/catalog/iceberg/avro-schemas.ts'
import { parseUuid } from '../../src/catalog/iceberg/bytes.ts'
import { hashFunction, hashString } from '../../src/catalog/iceberg/murmur3.ts'
import {
  applyTransform,
  bucketFunction,
  bucketOf,
  newSpec,
  parseTransform,
  printTransform,
  resultType,
} from '../../src/catalog/iceberg/transforms.ts'
import { decodeValue, encodeValue, lowerBound, upperBound } from '../../src/catalog/iceberg/values.ts'
import { compareScalars } from '../../src/catalog/scalar.ts'
import type { Scalar, Transform } from '../../src/catalog/types.ts'
import { type DataType, parseType, primitive } from '../../src/common/data-type.ts'

const DAY = 86_400_000_000n
const days = (iso: string) => BigInt(Date.parse(`${iso}T00:00:00Z`)) / 86_400_000n
const micros = (iso: string) => BigInt(Date.parse(iso)) * 1000n

describe('bucket hashes', () => {
  // The table of the specification's appendix B.
  const TIME = 22n * 3_600_000_000n + 31n * 60_000_000n + 8_000_000n
  const VECTORS: [string, Scalar, number][] = [
    ['INTEGER', 34n, 2017239379],
    ['BIGINT', 34n, 2017239379],
    ['DECIMAL(9,2)', 1420n, -500754589],
    ['DATE', days('2017-11-16'), -653330422],
    ['TIME', TIME, -662762989],
    ['TIMESTAMP', micros('2017-11-16T22:31:08Z'), -2047944441],
    ['TIMESTAMP WITH TIME ZONE', micros('2017-11-16T14:31:08-08:00'), -2047944441],
    ['TIMESTAMP', micros('2017-11-16T22:31:08Z') + 1n, -1207196810],
    ['VARCHAR', 'iceberg', 1210000089],
    ['UUID', parseUuid('f79c3e09-677c-4bbd-a479-3f349cb785e7'), 1488055340],
    ['BLOB', Uint8Array.of(0, 1, 2, 3), -188683207],
  ]
  test.each(VECTORS)('%s %s → %i', (type, value, hash) => {
    expect(hashFunction(parseType(type))!(value)).toBe(hash)
    expect(bucketOf(value, parseType(type), 16)).toBe((hash & 0x7fffffff) % 16)
  })

  test('takes integers as numbers, and UUIDs as text', () => {
    const long = hashFunction(primitive('BIGINT'))!
    fc.assert(fc.property(fc.maxSafeInteger(), (n) => long(n as unknown as Scalar) === long(BigInt(n))))
    expect(hashFunction(primitive('UUID'))!('f79c3e09-677c-4bbd-a479-3f349cb785e7')).toBe(1488055340)
  })

  test('hashes any text as its UTF-8 bytes', () => {
    const binary = hashFunction(primitive('BLOB'))!
    const check = (text: string): void => {
      expect(hashString(text)).toBe(binary(new TextEncoder().encode(text)))
    }
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 40 }), check))
    for (const length of [5000, 6000, 20_000]) for (const unit of ['a', 'ä', '𝄞']) check(unit.repeat(length))
  })

  test.each(['DOUBLE', 'FLOAT', 'BOOLEAN', 'INTEGER[]'])('has none for %s', (type) => {
    expect(bucketFunction(parseType(type), 4)).toBeUndefined()
    expect(() => bucketOf(1, parseType(type), 4)).toThrow(RangeError)
  })
})

describe('transforms', () => {
  test.each(['identity', 'bucket[16]', 'truncate[4]', 'day', 'hour', 'month', 'year', 'void'])('%s', (name) => {
    expect(printTransform(parseTransform(name)!)).toBe(name)
  })

  test.each(['bucket', 'bucket[0]', 'bucket[x]', 'day[1]', 'zorder', ''])('refuses %j', (name) => {
    expect(parseTransform(name)).toBeUndefined()
  })

  test('give their types', () => {
    const of = (name: string) => resultType(parseTransform(name)!, primitive('VARCHAR'))
    expect([of('bucket[4]'), of('day'), of('hour'), of('identity'), of('truncate[3]')]).toEqual(
      ['INTEGER', 'DATE', 'INTEGER', 'VARCHAR', 'VARCHAR'].map((name) => primitive(name as 'DATE')),
    )
  })

  test.each([
    [{ kind: 'day' }, 'TIMESTAMP', -1n, -1n],
    [{ kind: 'day' }, 'TIMESTAMP', -DAY, -1n],
    [{ kind: 'day' }, 'TIMESTAMP', DAY - 1n, 0n],
    [{ kind: 'day' }, 'DATE', -5n, -5n],
    [{ kind: 'hour' }, 'TIMESTAMP WITH TIME ZONE', -1n, -1n],
    [{ kind: 'hour' }, 'TIMESTAMP', DAY, 24n],
    [{ kind: 'identity' }, 'VARCHAR', 'x', 'x'],
    [{ kind: 'bucket', count: 16 }, 'VARCHAR', 'iceberg', BigInt(1210000089 % 16)],
    [{ kind: 'bucket', count: 16 }, 'VARCHAR', null, null],
    [{ kind: 'void' }, 'VARCHAR', 'x', null],
  ] as [Transform, string, Scalar | null, Scalar | null][])('%j of %s %s is %s', (transform, type, value, wanted) => {
    expect(applyTransform(transform, value, parseType(type))).toBe(wanted)
  })

  test('are not computed for types that they do not take', () => {
    expect(() => applyTransform({ kind: 'day' }, 'x', primitive('VARCHAR'))).toThrow(RangeError)
    expect(() => applyTransform({ kind: 'year' }, 1n, primitive('DATE'))).toThrow(RangeError)
  })

  test('make a spec of a schema', () => {
    const columns = [{ id: 7, name: 'User', type: primitive('VARCHAR'), required: false }]
    const spec = newSpec({ id: 0, columns }, [{ column: 'user', transform: { kind: 'bucket', count: 4 } }])
    const fields = [{ fieldId: 1000, name: 'User_bucket', columnId: 7, transform: { kind: 'bucket', count: 4 } }]
    expect(spec).toEqual({ id: 0, fields })
    expect(() => newSpec({ id: 0, columns }, [{ column: 'x', transform: { kind: 'day' } }])).toThrow(/no column/)
  })
})

describe('bounds', () => {
  const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  const int = fc.bigInt({ min: -(2n ** 31n), max: 2n ** 31n - 1n })
  const digits38 = 10n ** 38n - 1n
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 90 }),
    fc.string({ unit: fc.constantFrom('\u{10ffff}', '\ud7ff', 'z'), minLength: 60, maxLength: 70 }),
  )
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.array(fc.constantFrom(255, 254), { minLength: 60, maxLength: 70 }).map((a) => Uint8Array.from(a)),
  )
  const CASES: [string, fc.Arbitrary<Scalar>][] = [
    ['BOOLEAN', fc.boolean()],
    ['INTEGER', int],
    ['BIGINT', long],
    ['DATE', int],
    ['TIME', fc.bigInt({ min: 0n, max: DAY - 1n })],
    ['TIMESTAMP', long],
    ['TIMESTAMP WITH TIME ZONE', long],
    ['FLOAT', fc.float({ noNaN: true })],
    ['DOUBLE', fc.double({ noNaN: true })],
    ['DECIMAL(38,3)', fc.bigInt({ min: -digits38, max: digits38 })],
    ['VARCHAR', text],
    ['UUID', fc.uint8Array({ minLength: 16, maxLength: 16 })],
    ['BLOB', bytes],
  ]

  test.each(CASES)('%s goes to bytes and back', (name, values) => {
    const type = parseType(name)
    fc.assert(
      fc.property(values, (value) => {
        const back = decodeValue(encodeValue(value, type)!, type)
        expect(back).toEqual(value)
      }),
    )
  })

  test.each(CASES)('%s is never outside its bounds', (name, values) => {
    const type = parseType(name)
    const bound = (encoded: Uint8Array | undefined) => encoded && decodeValue(encoded, type)
    fc.assert(
      fc.property(values, (value) => {
        expect(compareScalars(bound(lowerBound(value, type))!, value)).toBeLessThanOrEqual(0)
        const upper = bound(upperBound(value, type))
        if (upper !== undefined) expect(compareScalars(upper, value)).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  test.each(CASES)('%s keeps its order', (name, values) => {
    const type = parseType(name)
    const bound = (encoded: Uint8Array | undefined) => encoded && decodeValue(encoded, type)
    fc.assert(
      fc.property(values, values, (a, b) => {
        if (compareScalars(a, b) > 0) return
        expect(compareScalars(bound(lowerBound(a, type))!, bound(lowerBound(b, type))!)).toBeLessThanOrEqual(0)
        const upper = bound(upperBound(b, type))
        if (upper !== undefined) expect(compareScalars(a, upper)).toBeLessThanOrEqual(0)
      }),
    )
  })

  const text0 = (value: string) => new TextDecoder().decode(upperBound(value, primitive('VARCHAR')))
  test('long texts are cut, and rounded up at the upper end', () => {
    const cut = new TextDecoder().decode(lowerBound('a'.repeat(100), primitive('VARCHAR')))
    expect(cut).toBe('a'.repeat(64))
    expect(text0('a'.repeat(100))).toBe(`${'a'.repeat(63)}b`)
    expect(text0(`${'a'.repeat(63)}\ud7ffx`)).toBe(`${'a'.repeat(63)}\ue000`)
    expect(text0(`${'a'.repeat(63)}\u{10ffff}x`)).toBe(`${'a'.repeat(62)}b`)
    expect(upperBound('\u{10ffff}'.repeat(65), primitive('VARCHAR'))).toBeUndefined()
    expect(upperBound(new Uint8Array(65).fill(255), primitive('BLOB'))).toBeUndefined()
  })

  test('what cannot be a bound is none', () => {
    expect(lowerBound(Number.NaN, primitive('DOUBLE'))).toBeUndefined()
    expect(upperBound(0.1, primitive('FLOAT'))).toBeUndefined()
    expect(upperBound('\ud800', primitive('VARCHAR'))).toBeUndefined()
    expect(lowerBound(1n, parseType('INTEGER[]'))).toBeUndefined()
  })

  test('zeros of both signs are inside', () => {
    const double = primitive('DOUBLE')
    expect(decodeValue(lowerBound(0, double)!, double)).toBe(-0)
    expect(decodeValue(upperBound(-0, double)!, double)).toBe(0)
  })

  test.each([
    ['INTEGER', [1, 2, 3]],
    ['BIGINT', [1]],
    ['UUID', [1]],
    ['BOOLEAN', []],
    ['DOUBLE', [1, 2]],
    ['VARCHAR', [0xff]],
    ['DECIMAL(9,2)', []],
  ])('bytes that are no %s are unknown', (name, raw) => {
    expect(decodeValue(Uint8Array.from(raw), parseType(name))).toBeUndefined()
  })

  test('reads what was written before a type was widened', () => {
    const int32 = encodeValue(-7n, primitive('INTEGER'))!
    expect(decodeValue(int32, primitive('BIGINT'))).toBe(-7n)
    expect(decodeValue(encodeValue(1.5, primitive('FLOAT'))!, primitive('DOUBLE'))).toBe(1.5)
  })

  test('has the bytes of the specification', () => {
    const hex = (value: Scalar, type: DataType) => Buffer.from(encodeValue(value, type)!).toString('hex')
    expect(hex(1420n, parseType('DECIMAL(9,2)'))).toBe('058c')
    expect(hex(-1n, parseType('DECIMAL(9,2)'))).toBe('ff')
    expect(hex(128n, parseType('DECIMAL(9,2)'))).toBe('0080')
    expect(hex(1n, primitive('INTEGER'))).toBe('01000000')
    expect(hex(-2n, primitive('BIGINT'))).toBe('feffffffffffffff')
    expect([1, 9, 18, 38].map(decimalBytes)).toEqual([1, 4, 8, 16])
  })
})
