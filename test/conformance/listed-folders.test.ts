/** A folder that is read whole is listed by the engine: it reads the files that the query was planned with, and no others. */
import { copyFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tableOfRegistration } from '../../src/catalog/folder/folder-table.ts'
import { inspectFolder } from '../../src/catalog/folder/register.ts'
import { decodeRegistration, encodeRegistration } from '../../src/catalog/folder/registration-json.ts'
import type { Table } from '../../src/catalog/types.ts'
import { readSettings, SETTINGS } from '../../src/config.ts'
import { Engine, type Session } from '../../src/engine/engine.ts'
import { viewsSql } from '../../src/engine/views.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { type Lab, openLab } from './import-lab.ts'

const FILES = 20
const ROWS = 10

let lab: Lab
let next = 0

beforeAll(async () => {
  lab = await openLab()
  expect(FILES).toBeGreaterThan(SETTINGS.plannedFiles.default)
})

afterAll(async () => {
  await lab.close()
})

/** A new folder of files. */
async function folderOf(name = `d${next++}`): Promise<string> {
  for (let f = 0; f < FILES; f++)
    await lab.write(`SELECT ${f} AS f, i FROM range(${ROWS}) t(i)`, `${name}/${String(f).padStart(2, '0')}.parquet`)
  return `${lab.dir}/${name}`
}

async function tableOf(folder: string, pattern?: string): Promise<Table> {
  const options = { table: 't', keys: {}, ...(pattern !== undefined && { pattern }) }
  const registration = await inspectFolder(new DiskStore(folder), options)
  // As the catalog keeps it.
  return tableOfRegistration('t', decodeRegistration(JSON.parse(JSON.stringify(encodeRegistration(registration))), 't'))
}

function listedIn(table: Table): string[] {
  const view = { name: 't', table, files: table.snapshot.files }
  return viewsSql([view]).lists.flatMap(({ listed }) => listed?.sql ?? [])
}

describe('the engine lists', () => {
  test('a folder that is read whole', async () => {
    const folder = await folderOf()
    expect(listedIn(await tableOf(folder))).toEqual([`['${folder}/*.parquet']`])
  })

  test.each<[string, (folder: string) => void]>([
    ['a folder of that name', (folder) => mkdirSync(`${folder}/x.parquet`)],
    ['a link', (folder) => symlinkSync(`${folder}/00.parquet`, `${folder}/x.parquet`)],
    ['a hidden file', (folder) => copyFileSync(`${folder}/00.parquet`, `${folder}/.x.parquet`)],
    ['a file that is kept out', (folder) => copyFileSync(`${folder}/00.parquet`, `${folder}/_x.parquet`)],
  ])('no folder that has %s too', async (_, change) => {
    const folder = await folderOf()
    change(folder)
    const table = await tableOf(folder)
    expect(table.snapshot.files).toHaveLength(FILES)
    expect(listedIn(table)).toEqual([])
  })

  test('other files beside them all the same', async () => {
    const folder = await folderOf()
    writeFileSync(`${folder}/notes.txt`, 'no table')
    expect(listedIn(await tableOf(folder))).toHaveLength(1)
  })

  test('no folder of which a pattern leaves files out, or whose path reads as a pattern', async () => {
    expect(listedIn(await tableOf(await folderOf(), '0*.parquet'))).toEqual([])
    expect(listedIn(await tableOf(await folderOf('odd[1]*')))).toEqual([])
  })

  test('no part of a folder', async () => {
    const table = await tableOf(await folderOf())
    const view = { name: 't', table, files: table.snapshot.files.slice(1) }
    expect(viewsSql([view]).lists.map(({ listed }) => listed)).toEqual([undefined])
  })
})

describe('a folder that changes between plan and run', () => {
  const count = async (session: Session) => {
    const [row] = await session.rows<{ n: bigint }>('SELECT count(*) AS n FROM t', { userSql: true })
    return Number(row!.n)
  }

  test.each<[string, (folder: string) => void]>([
    ['stays', () => {}],
    ['gets a file', (folder) => copyFileSync(`${folder}/00.parquet`, `${folder}/new.parquet`)],
    [
      'gets a file moved in',
      (folder) => {
        copyFileSync(`${folder}/00.parquet`, `${folder}.moved`)
        renameSync(`${folder}.moved`, `${folder}/new.parquet`)
      },
    ],
    [
      'gets a file that is gone again',
      (folder) => {
        copyFileSync(`${folder}/00.parquet`, `${folder}/new.parquet`)
        rmSync(`${folder}/new.parquet`)
      },
    ],
  ])('that %s: the files are those that were planned', async (_, change) => {
    const folder = await folderOf()
    const table = await tableOf(folder)
    expect(listedIn(table)).toHaveLength(1)
    await using engine = await Engine.open({
      settings: readSettings({}),
      spillPath: `${lab.dir}/spill`,
      roots: [lab.dir],
    })
    using session = await engine.session()
    await session.show([{ name: 't', table, files: table.snapshot.files }])
    session.begin()
    change(folder)
    expect(await count(session)).toBe(FILES * ROWS)
    expect(await count(session)).toBe(FILES * ROWS)
    await session.rollback()
    expect(await count(session)).toBe(FILES * ROWS)
  })
})
