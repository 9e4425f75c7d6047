import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { quoteIdentifier, quoteString } from '../../src/common/data-type.ts'
import { dataFiles, type Lab, openLab, scanOf } from '../conformance/import-lab.ts'

let lab: Lab
let tables = 0

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

/** A type, and SQL of values of it. */
interface Typed {
  type: string
  value: fc.Arbitrary<string>
}

const text = fc.string({ unit: 'binary', maxLength: 80 }).map((s) => `${quoteString(s.replaceAll('\0', ''))} || chr(0)`)
const digits = (count: number) => fc.stringMatching(new RegExp(`^-?[0-9]{1,${count}}$`))
const day = fc.integer({ min: -719_162, max: 2_932_896 }).map((days) => `(DATE '1970-01-01' + ${days})`)

const SIMPLE: Typed[] = [
  { type: 'BOOLEAN', value: fc.constantFrom('true', 'false') },
  { type: 'INTEGER', value: fc.integer().map(String) },
  { type: 'BIGINT', value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((n) => `(${n})`) },
  { type: 'FLOAT', value: fc.float().map((x) => quoteString(String(x))) },
  { type: 'DOUBLE', value: fc.double().map((x) => quoteString(Object.is(x, -0) ? '-0' : String(x))) },
  { type: 'DECIMAL(9,4)', value: digits(5).map(quoteString) },
  { type: 'DECIMAL(18,0)', value: digits(18).map(quoteString) },
  { type: 'DECIMAL(38,6)', value: digits(32).map(quoteString) },
  { type: 'DATE', value: fc.oneof(day, fc.constantFrom("'infinity'", "'-infinity'")) },
  {
    type: 'TIME',
    value: fc.integer({ min: 0, max: 86_399_999 }).map((ms) => `TIME '00:00:00' + INTERVAL ${ms} MILLISECOND`),
  },
  { type: 'TIMESTAMP', value: fc.integer().map((us) => `make_timestamp(${us}::BIGINT * 30011)`) },
  {
    type: 'TIMESTAMP WITH TIME ZONE',
    value: fc.integer().map((us) => `make_timestamp(${us}::BIGINT * 30011)::TIMESTAMPTZ`),
  },
  { type: 'UUID', value: fc.uuid().map(quoteString) },
  {
    type: 'BLOB',
    value: fc.uint8Array({ maxLength: 90 }).map((bytes) => `from_hex('${Buffer.from(bytes).toString('hex')}')`),
  },
  {
    type: 'VARCHAR',
    value: fc.oneof(text, fc.constantFrom("''", "'NULL'", `repeat('\u{10FFFF}', 65)`, `repeat('z', 65)`)),
  },
]

const orNull = (value: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 5, arbitrary: value }, { weight: 1, arbitrary: fc.constant('NULL') })

const cast = ({ type, value }: Typed) => orNull(value).map((sql) => `CAST(${sql} AS ${type})`)

function nested(depth: number): fc.Arbitrary<Typed> {
  const simple = fc.constantFrom(...SIMPLE)
  if (depth === 0) return simple
  const inner = nested(depth - 1)
  const list = inner.map(
    (element): Typed => ({
      type: `${element.type}[]`,
      value: fc.array(cast(element), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
    }),
  )
  const struct = fc.tuple(inner, inner).map(
    ([a, b]): Typed => ({
      type: `STRUCT(a ${a.type}, "b""c" ${b.type})`,
      value: fc.tuple(cast(a), cast(b)).map(([x, y]) => `{'a': ${x}, 'b"c': ${y}}`),
    }),
  )
  const map = inner.map(
    (element): Typed => ({
      type: `MAP(INTEGER, ${element.type})`,
      value: fc
        .array(cast(element), { maxLength: 3 })
        .map((items) => `MAP {${items.map((item, k) => `${k}: ${item}`).join(', ')}}`),
    }),
  )
  return fc.oneof(simple, simple, list, struct, map)
}

const columnsAndRows = fc
  .array(nested(2), { minLength: 1, maxLength: 4 })
  .chain((columns) =>
    fc.record({
      columns: fc.constant(columns.map(({ type }, k) => ({ name: `c ${k}`, type }))),
      rows: fc.array(fc.tuple(...columns.map(cast)), { minLength: 1, maxLength: 12 }),
      actor: fc.constantFrom('INTEGER', 'VARCHAR', 'UUID', 'DECIMAL(9,4)', 'BLOB', 'DATE'),
      buckets: fc.constantFrom(undefined, 1, 3),
    }),
  )
  .chain((table) => {
    const type = SIMPLE.find((simple) => simple.type === table.actor)!
    return fc
      .array(cast(type), { minLength: table.rows.length, maxLength: table.rows.length })
      .map((actors) => ({ ...table, actors }))
  })

test('what is imported comes out, and lies within the bounds that the catalog has of it', async () => {
  await fc.assert(
    fc.asyncProperty(columnsAndRows, async ({ columns, rows, actors, buckets }) => {
      const selects = rows.map((row, k) => {
        const cells = row.map((sql, c) => `${sql} AS ${quoteIdentifier(columns[c]!.name)}`)
        return `SELECT ${actors[k]} AS who, ${k % 3}::BIGINT AS ts, ${cells.join(', ')}`
      })
      const source = await lab.write(selects.join(' UNION ALL '), `values-${tables}.parquet`)
      const table = `values_${++tables}`
      await lab.warehouse.import(table, [source], buckets ? { actor: 'who', time: 'ts', buckets } : {})
      const stored = scanOf(await dataFiles(lab.warehouse, table))
      const differ = await lab.judge(
        `SELECT (SELECT count(*)::INTEGER FROM (FROM '${source}' EXCEPT ALL FROM ${stored})), (SELECT count(*)::INTEGER FROM ${stored})`,
      )
      expect(differ).toEqual([[0, rows.length]])
      const types = (from: string) => lab.judge(`SELECT column_name, column_type FROM (DESCRIBE FROM ${from})`)
      expect(await types(stored)).toEqual(await types(`'${source}'`))
      const described = await lab.warehouse.describe(table)
      for (const { name, type, nulls, min, max } of described.columns) {
        const column = quoteIdentifier(name)
        if (nulls !== undefined) {
          expect(await lab.judge(`SELECT count(*)::INTEGER FROM '${source}' WHERE ${column} IS NULL`)).toEqual([
            [nulls],
          ])
        }
        if (min === undefined || max === undefined || type === 'BLOB') continue
        const bound = (value: unknown) =>
          `CAST(${quoteString(String(value).replaceAll('\0', ''))}${String(value).includes('\0') ? ' || chr(0)' : ''} AS ${type})`
        const outside = type === 'DOUBLE' || type === 'FLOAT' ? ` AND NOT isnan(${column})` : ''
        if (typeof min === 'string' && /\0./s.test(min)) continue
        const beyond = `SELECT count(*)::INTEGER FROM '${source}' WHERE (${column} < ${bound(min)} OR ${column} > ${bound(max)})${outside}`
        expect(await lab.judge(beyond), `${name}: ${min} to ${max}`).toEqual([[0]])
      }
    }),
    { numRuns: 25, endOnFailure: true },
  )
})
