/** Records of text files as Skep cuts them, held against the engine's own strict reading. */
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quoteString } from '../../src/common/data-type.ts'
import { dialectSql } from '../../src/inputs/readers.ts'
import { type Cutter, csvCutter, jsonCutter } from '../../src/inputs/rejects/records.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** The text of every record, `!` in front of damaged ones. */
function cutWhole(cutter: Cutter, text: string): string[] {
  const bytes = Buffer.from(text)
  return cutter.cut(bytes, true).found.map(({ start, end, reason, line }) => {
    return `${reason === undefined ? '' : '!'}${line}:${bytes.toString('utf8', start, end)}`
  })
}

/** The same, from a text that comes in pieces. */
function cutPieces(cutter: Cutter, text: string, random: (below: number) => number): string[] {
  const bytes = Buffer.from(text)
  const records: string[] = []
  let rest = Buffer.alloc(0)
  for (let at = 0; at <= bytes.length; ) {
    const size = random(6)
    const isLast = at + size >= bytes.length
    rest = Buffer.concat([rest, bytes.subarray(at, at + size)])
    const { found, used } = cutter.cut(rest, isLast)
    for (const { start, end, reason, line } of found) {
      records.push(`${reason === undefined ? '' : '!'}${line}:${rest.toString('utf8', start, end)}`)
    }
    rest = rest.subarray(used)
    at += size
    if (isLast) return records
  }
  return records
}

const TOKENS = ['a', '1', ',', '"', '"', ' ', '\n', '\n', '""', 'é']

/** Random text that begins with a header of that many columns. */
function randomText(random: (below: number) => number, columns: number, tokens = TOKENS): string {
  const length = 1 + random(14)
  const body = Array.from({ length }, () => tokens[random(tokens.length)]).join('')
  return `${['a', 'b'].slice(0, columns).join(',')}\n${body}`
}

/** The engine's rows of a text, in its strict reading; undefined when it refuses the text. */
async function engineRows(text: string, columns: number): Promise<unknown[] | undefined> {
  const path = `${lab.dir}/records.csv`
  writeFileSync(path, text)
  const types = ['a', 'b'].slice(0, columns).map((name) => `${name}: 'VARCHAR'`)
  const read = `read_csv(${quoteString(path)}, ${dialectSql(',')}, auto_detect = false, header = true, columns = {${types.join(', ')}})`
  return await lab.judge(`FROM ${read}`).catch(() => undefined)
}

/** Texts that the engine reads, against its own rules: it forgets what stood in a first pair of quotes. */
const QUIRK = /"\s+"/

describe('records of CSV', () => {
  test('are those of the engine, and sound ones are read by it', { timeout: tortureTimeout(60_000) }, async () => {
    let sound = 0
    for (let k = 0; k < runs(600, 10_000); k++) {
      const seed = tortureSeed() + k
      const random = randomOf(seed)
      const columns = 1 + random(2)
      const text = randomText(random, columns)
      const bytes = Buffer.from(text)
      const { found } = csvCutter(',').cut(bytes, true)
      const clean = found.filter(({ reason }) => reason === undefined)
      const rows = await engineRows(
        clean.map(({ start, end }) => `${bytes.toString('utf8', start, end)}\n`).join(''),
        columns,
      )
      const message = `seed ${seed}: ${JSON.stringify(text)}`
      expect(rows?.length, message).toBe(clean.length - 1)
      if (QUIRK.test(text)) continue
      const all = await engineRows(text, columns)
      expect(all, message).toEqual(clean.length === found.length ? rows : undefined)
      if (all) sound++
    }
    expect(sound).toBeGreaterThan(runs(600, 10_000) / 10)
  })

  test('are the same however the text comes in', () => {
    for (let k = 0; k < runs(3000, 100_000); k++) {
      const seed = tortureSeed() + k
      const random = randomOf(seed)
      const text = randomText(random, 1 + random(2), [...TOKENS, '\r\n', '\r'])
      const message = `seed ${seed}: ${JSON.stringify(text)}`
      expect(cutPieces(csvCutter(','), text, random), message).toEqual(cutWhole(csvCutter(','), text))
      expect(cutPieces(jsonCutter(), text, random), message).toEqual(cutWhole(jsonCutter(), text))
    }
  })
})

describe('damage', () => {
  test.for([
    ['by a quote costs one line', 'a,b\n"1,2\n3,4\n', ['1:a,b', '!2:"1,2', '3:3,4']],
    ['by a quote, before others that are sound', 'a,b\nx,"1\n"y",2\n', ['1:a,b', '!2:x,"1', '3:"y",2']],
    ['by a number of values costs the whole record', 'a,b\n"1\n2"\n3,4\n', ['1:a,b', '!2:"1\n2"', '4:3,4']],
    ['ends with the file', 'a,b\n1,2\n"3,4', ['1:a,b', '2:1,2', '!3:"3,4']],
  ] as const)('%s', ([, text, records]) => {
    expect(cutWhole(csvCutter(','), text)).toEqual(records)
  })
})
