/** Archives of several files: what the client writes, and what other programs do, is what the server reads. */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tarOf } from '../../src/client/tar.ts'
import { filesOf } from '../../src/server/tar.ts'

const run = promisify(execFile)
const LONG = 'ü'.repeat(80)

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skep-tar-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** The names and contents of an archive. */
async function read(bytes: Uint8Array, pieceBytes = 1000): Promise<[string, string][]> {
  const pieces = async function* () {
    for (let k = 0; k < bytes.length; k += pieceBytes) yield Buffer.from(bytes.subarray(k, k + pieceBytes))
  }
  const found: [string, string][] = []
  for await (const { name, sizeBytes, content } of filesOf(pieces())) {
    const whole = Buffer.concat(await Array.fromAsync(content))
    expect(whole.length).toBe(sizeBytes)
    found.push([name, whole.toString('latin1')])
  }
  return found
}

async function written(files: readonly [string, string][]): Promise<Buffer> {
  const named = files.map(([name, text]) => new File([Buffer.from(text, 'latin1')], name))
  return Buffer.concat(await Array.fromAsync(tarOf(named)))
}

describe('the archive of the client', () => {
  test('is read as it was written, whatever the names and pieces', async () => {
    const file = fc.tuple(
      fc.string({ minLength: 1, maxLength: 150, unit: 'grapheme' }).filter((name) => !name.includes('\0')),
      fc.string({ maxLength: 1200, unit: 'binary-ascii' }),
    )
    const property = fc.asyncProperty(
      fc.array(file, { maxLength: 5 }),
      fc.integer({ min: 1, max: 3000 }),
      async (files, pieceBytes) => {
        const wellFormed = files.map(([name, text]): [string, string] => [name.toWellFormed(), text])
        expect(await read(await written(wellFormed), pieceBytes)).toEqual(wellFormed)
      },
    )
    await fc.assert(property, { numRuns: 100 })
  })

  test('is one to other programs', async () => {
    const path = join(folder, 'ours.tar')
    await writeFile(
      path,
      await written([
        ['a.csv', 'x'.repeat(600)],
        [`${LONG}/b.csv`, ''],
      ]),
    )
    const { stdout } = await run('tar', ['--list', '--quoting-style=literal', '--file', path])
    expect(stdout).toBe(`a.csv\n${LONG}/b.csv\n`)
  })
})

describe('the reader of the server', () => {
  test.each(['gnu', 'pax', 'ustar'])('reads archives of other programs: %s', async (format) => {
    const names = [
      'z.csv',
      `d/${'a'.repeat(90)}/${'b'.repeat(40)}.csv`,
      ...(format === 'ustar' ? [] : [`${LONG}/${LONG}/c.csv`]),
    ]
    const root = join(folder, format)
    for (const name of names) {
      await mkdir(join(root, dirname(name)), { recursive: true })
      await writeFile(join(root, name), name)
    }
    const path = join(folder, `${format}.tar`)
    await run('tar', ['--create', `--format=${format}`, '--file', path, '--directory', root, '.'])
    const found = await read(await readFile(path))
    const expected = names.map((name) => [`./${name}`, Buffer.from(name).toString('latin1')])
    expect(found.toSorted()).toEqual(expected.toSorted())
  })

  test('refuses links', async () => {
    const path = join(folder, 'link.tar')
    await symlink('/etc/passwd', join(folder, 'link.csv'))
    await run('tar', ['--create', '--file', path, '--directory', folder, 'link.csv'])
    await expect(read(await readFile(path))).rejects.toMatchObject({ code: 'FILE_INVALID' })
  })

  test('refuses an archive that breaks off, wherever it does, and one that is damaged', async () => {
    const whole = await written([
      ['a.csv', 'x'.repeat(700)],
      [`${LONG}.csv`, 'y'],
    ])
    // The last block of zeros may be missing.
    const lengths = Array.from({ length: 60 }, (_, k) => Math.floor(((whole.length - 1024) * k) / 60))
    for (const length of lengths) {
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toMatchObject({ code: 'FILE_INVALID' })
    }
    for (const at of [0, 124, 148, 156, 300]) {
      const damaged = Buffer.from(whole)
      damaged[at]! ^= 0x11
      await expect(read(damaged), `byte ${at}`).rejects.toMatchObject({ code: 'FILE_INVALID' })
    }
  })
})
