import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { parseType } from '../../src/common/data-type.ts'
import { requireWhole } from '../../src/inputs/compressed.ts'
import { delimiterOf } from '../../src/inputs/readers.ts'
import { firstLine, type SourceFile } from '../../src/inputs/sources.ts'
import { parseBound } from '../../src/inputs/write.ts'

const dir = mkdtempSync(join(tmpdir(), 'skep-readers-'))

afterAll(() => {
  rmSync(dir, { recursive: true })
})

function file(content: Uint8Array | string, compression: SourceFile['compression']): SourceFile {
  const path = join(dir, 'file')
  writeFileSync(path, content)
  return { path, label: 'file', format: 'csv', compression, sizeBytes: content.length, stamp: '' }
}

describe('the delimiter of a header', () => {
  test.for([
    ['a,b', ','],
    ['a', ','],
    ['a\tb,c\td', '\t'],
    ['a;b', ';'],
    ['"a;b;c",d', ','],
    ['"a""x;",b;c;d', ';'],
    ['a|b', '|'],
    ['', ','],
  ] as const)('%j', ([line, delimiter]) => {
    expect(delimiterOf(line)).toBe(delimiter)
  })
})

describe('the first line', () => {
  test('ends where it ends, in any packing', async () => {
    for (const [content, line] of [
      ['a,b\n1,2\n', 'a,b'],
      ['a,b\r\n1,2\r\n', 'a,b'],
      ['\uFEFFé,b', 'é,b'],
      ['\n', ''],
    ] as const) {
      expect(await firstLine(file(content, 'none'))).toBe(line)
      expect(await firstLine(file(gzipSync(content), 'gzip'))).toBe(line)
      expect(await firstLine(file(zstdCompressSync(content), 'zstd'))).toBe(line)
    }
  })

  test('of a file that does not decompress is an error', async () => {
    await expect(firstLine(file(gzipSync('abc').subarray(0, 12), 'gzip'))).rejects.toMatchObject({
      code: 'FILE_INVALID',
    })
  })
})

describe('whole files', () => {
  const signal = new AbortController().signal
  const text = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `${(i * 7919) % 65536},`).join(''))
  const random = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 13) & 255))
  const zeros = Buffer.alloc(500_000)

  test.for([
    ['text', text],
    ['noise', random],
    ['zeros', zeros],
    ['nothing', Buffer.alloc(0)],
    ['a little', Buffer.from('x')],
  ] as const)('zstd and gzip of %s: whole, in several frames, and cut off', async ([, content]) => {
    for (const [compression, packed] of [
      ['zstd', zstdCompressSync(content)],
      ['gzip', gzipSync(content)],
    ] as const) {
      await expect(requireWhole([file(packed, compression)], signal)).resolves.toBeUndefined()
      const twice = Buffer.concat([packed, packed])
      await expect(requireWhole([file(twice, compression)], signal)).resolves.toBeUndefined()
      for (const length of [packed.length - 1, Math.ceil(packed.length / 2), packed.length + 5]) {
        const cut = requireWhole([file(twice.subarray(0, length), compression)], signal)
        await expect(cut, `${compression} ${length} of ${packed.length}`).rejects.toMatchObject({
          code: 'FILE_INVALID',
        })
      }
    }
  })

  test('frames to be skipped, and frames that know their size', async () => {
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
    await expect(
      requireWhole([file(Buffer.concat([skippable, zstdCompressSync(text)]), 'zstd')], signal),
    ).resolves.toBeUndefined()
    await expect(requireWhole([file(skippable.subarray(0, 9), 'zstd')], signal)).rejects.toMatchObject({
      code: 'FILE_INVALID',
    })
  })

  test('checking ends when it is told to', async () => {
    const checking = requireWhole([file(gzipSync(text), 'gzip')], AbortSignal.abort())
    await expect(checking).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})

describe('bounds from the text of the writer', () => {
  test.for([
    ['INTEGER', '-5', -5n],
    ['DECIMAL(9,2)', '-0.05', -5n],
    ['DOUBLE', '0.1', 0.1],
    ['FLOAT', '0.1', Math.fround(0.1)],
    ['DATE', '1969-12-31', -1n],
    ['DATE', '0001-01-01', -719162n],
    ['DATE', '10000-01-01', 2932897n],
    ['DATE', '0044-03-15 (BC)', undefined],
    ['DATE', 'infinity', undefined],
    ['TIME', '00:00:01.5', 1_500_000n],
    ['TIMESTAMP', '1969-12-31 23:59:59.999999', -1n],
    ['TIMESTAMP', '-infinity', undefined],
    ['TIMESTAMP WITH TIME ZONE', '1970-01-01 00:00:01+00', 1_000_000n],
    ['TIMESTAMP WITH TIME ZONE', '1970-01-01 02:00:01+02', undefined],
    ['BOOLEAN', 'true', true],
    ['VARCHAR', "it's", "it's"],
    ['BLOB', '00ff', Buffer.from([0, 255])],
  ] as const)('%s %s', ([type, text, bound]) => {
    expect(parseBound(text, { type: parseType(type) })).toEqual(bound)
  })
})
