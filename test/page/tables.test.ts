/** The tables view: what it shows of a table, its history, and files that are dropped on it. */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRIBUTIONS } from '../server/lab.ts'
import { dropFiles, faultsInAllLooks, noBrowser, openPageLab, type PageLab } from './lab.ts'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const csv = (rows: readonly string[]) => bytesOf(`order_id,user_id,created_at,amount\n${rows.join('\n')}\n`)
const ORDERS = csv(['1,ann,2026-11-20T08:00:00,9.5', '2,bob,2026-11-21T09:00:00,3', '3,ann,2026-11-22T10:00:00,'])

// The reason is told by `noBrowser`.
describe.skipIf(noBrowser)('the tables view', () => {
  let lab: PageLab
  beforeAll(async () => {
    lab = await openPageLab({
      prepare: async (_, warehouse) => {
        await warehouse.import('events', [CONTRIBUTIONS], {})
      },
    })
  })
  afterAll(async () => await lab?.[Symbol.asyncDispose]())

  const cellAt = (page: Page, row: number, column: number) =>
    page.locator(`[role=row][aria-rowindex="${row + 2}"] [aria-colindex="${column + 1}"]`)

  test('lists tables, finds them by name, and leads to one', async () => {
    await using opened = await lab.open()
    const { page, faults } = opened
    const row = page.getByRole('row', { name: /events/ })
    await row.waitFor()
    expect(await row.innerText()).toMatch(/managed\s+actor\s+ts\s+5\s+234,516/)
    await page.getByRole('searchbox', { name: 'Search tables' }).fill('nothing')
    await page.getByText('No table’s name has “nothing” in it.').waitFor()
    await page.getByRole('searchbox', { name: 'Search tables' }).fill('EVE')
    await row.click()
    await page.getByRole('heading', { name: 'events', level: 1 }).waitFor()
    expect(faults).toEqual([])
  })

  test('shows columns with ranges, and how the values of the chosen one are distributed', async () => {
    await using opened = await lab.open('#/tables/events')
    const { page, faults } = opened
    const row = (name: string) => page.getByRole('row', { name: new RegExp(`^${name}`) })
    await row('files').waitFor()
    expect(await row('files').innerText()).toMatch(/INTEGER\s+none\s+1\s+→\s+to\s+2,720/)
    expect(await row('actor').innerText()).toContain('actor')
    const top = page.getByRole('region', { name: 'Values of project' })
    await top.getByText('pinot').waitFor()
    expect(await top.getByRole('listitem').first().innerText()).toMatch(/pinot\s+18.3%/)
    await page.getByRole('button', { name: 'ts', exact: true }).click()
    const chart = page.getByRole('img', { name: /^Histogram: 234,516 values from 2014-10-31/ })
    await chart.locator('svg rect').first().waitFor()
    expect(await chart.locator('svg [aria-label=rect] rect').count()).toBeGreaterThan(10)
    expect(new URL(page.url()).hash).toBe('#/tables/events?column=ts')
    await page.reload()
    await page.getByRole('region', { name: 'Values of ts' }).waitFor()
    expect(faults).toEqual([])
  })

  test('shows files by partition, and one by one', async () => {
    await using opened = await lab.open('#/tables/events?tab=files')
    const { page } = opened
    await page.getByRole('heading', { name: '4 partitions' }).waitFor()
    const files = await lab.server.warehouse.describe('events')
    expect(await page.getByRole('grid', { name: 'Data files' }).getAttribute('aria-rowcount')).toBe(
      `${files.files + 1}`,
    )
  })

  test('shows the first rows, and moves, copies and opens cells by keys', async () => {
    await using opened = await lab.open('#/tables/events?tab=preview', {
      permissions: ['clipboard-read', 'clipboard-write'],
    })
    const { page, faults } = opened
    const grid = page.getByRole('grid', { name: 'First rows of events' })
    await grid.waitFor()
    await page.getByText('The first 200 of 234,516 rows').waitFor()
    await grid.focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Shift+ArrowRight')
    await page.keyboard.press('Shift+ArrowDown')
    expect(await page.locator('[role=gridcell][aria-selected=true]').count()).toBe(4)
    await page.keyboard.press('Control+c')
    await page.getByText('Copied 4 cells').waitFor()
    const copied = await page.evaluate<string>('navigator.clipboard.readText()')
    const [names, first] = copied.split('\n').map((line) => line.split('\t'))
    expect(names).toEqual(['actor', 'ts'])
    expect(first).toEqual([
      await cellAt(page, 1, 1).innerText(),
      (await cellAt(page, 1, 2).innerText()).replace(' ', 'T'),
    ])
    await page.keyboard.press('Control+End')
    await cellAt(page, 199, 4).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'files' }).waitFor()
    expect(faults).toEqual([])
  })

  test('travels in time: an earlier state is shown, told, linked to SQL, and left again', async () => {
    await using opened = await lab.open('#/tables/events?tab=snapshots')
    const { page } = opened
    const entries = page.locator('.history li')
    await entries.first().waitFor()
    expect(await entries.count()).toBe(2)
    await entries.nth(1).getByRole('button', { name: 'Look at it' }).click()
    await page.getByText('You look at the table as it was').waitFor()
    await page.getByText('The first 200 of 117,258 rows').waitFor()
    const first = (await lab.server.warehouse.snapshots('events'))[0]!
    expect(new URL(page.url()).hash).toContain(`at=${first.id}`)
    const sql = await page.getByRole('link', { name: 'Open in SQL' }).getAttribute('href')
    expect(new URLSearchParams(sql!.split('?')[1]).get('at')).toBe(`events=${first.id}`)
    await page.getByRole('button', { name: 'Back to now' }).click()
    await page.getByText('The first 200 of 234,516 rows').waitFor()
    await page.goBack()
    await page.getByText('The first 200 of 117,258 rows').waitFor()
  })

  test('imports a file that is dropped, with the keys that it suggests', async () => {
    await using opened = await lab.open()
    const { page, faults } = opened
    await page.getByRole('button', { name: 'Import files' }).waitFor()
    await dropFiles(page, [{ name: 'My Orders.csv', bytes: ORDERS }])
    await page.getByRole('dialog', { name: 'Import 1 file' }).waitFor()
    expect(await page.getByRole('combobox', { name: 'Table' }).inputValue()).toBe('my_orders')
    await page.getByRole('combobox', { name: 'Actor' }).waitFor()
    expect(await page.getByRole('combobox', { name: 'Actor' }).inputValue()).toBe('user_id')
    expect(await page.getByRole('combobox', { name: 'Time' }).inputValue()).toBe('created_at')
    expect(await faultsInAllLooks(page)).toEqual([])
    await page.getByRole('button', { name: 'Create the table' }).click()
    await page.getByText('Imported 3 rows into my_orders').waitFor()
    await page.getByRole('heading', { name: 'my_orders', level: 1 }).waitFor()
    const { keys, rows } = await lab.server.warehouse.describe('my_orders')
    expect([keys, rows]).toEqual([{ actor: 'user_id', time: 'created_at' }, 3])

    await dropFiles(page, [
      { name: 'a.csv', bytes: csv(['4,cid,2026-11-23T08:00:00,1']) },
      { name: 'b.csv.gz', bytes: gzipSync(csv(['5,dee,2026-11-24T08:00:00,1', '6,dee,2026-11-24T09:00:00,1'])) },
    ])
    await page.getByRole('dialog', { name: 'Import 2 files' }).waitFor()
    expect(await page.getByRole('combobox', { name: 'Table' }).inputValue()).toBe('my_orders')
    await page.getByRole('button', { name: 'Add the rows' }).click()
    await page.getByText('Imported 3 rows into my_orders').last().waitFor()
    await page.locator('.stat', { hasText: 'Rows' }).getByText('6', { exact: true }).waitFor()
    expect(faults).toEqual([])
  })

  test('looks into Parquet files, and suggests the unit of times that are numbers', async () => {
    await using opened = await lab.open()
    const { page } = opened
    await page.getByRole('button', { name: 'Import files' }).waitFor()
    await dropFiles(page, [{ name: 'contributions.parquet', bytes: readFileSync(CONTRIBUTIONS) }])
    await page.getByRole('combobox', { name: 'Time' }).waitFor()
    expect(await page.getByRole('combobox', { name: 'Actor' }).inputValue()).toBe('actor')
    expect(await page.getByRole('combobox', { name: 'Time' }).inputValue()).toBe('ts')
    await page.getByRole('button', { name: 'Cancel' }).click()
    const lines = [1_700_000_000, 1_700_000_060].map((ts, k) => JSON.stringify({ device: `d${k}`, ts }))
    await dropFiles(page, [{ name: 'readings.ndjson', bytes: bytesOf(`${lines.join('\n')}\n`) }])
    await page.getByRole('combobox', { name: 'Its unit' }).waitFor()
    expect(await page.getByRole('combobox', { name: 'Its unit' }).inputValue()).toBe('s')
    await page.getByRole('button', { name: 'Create the table' }).click()
    await page.getByRole('heading', { name: 'readings', level: 1 }).waitFor()
    expect((await lab.server.warehouse.describe('readings')).keys).toEqual({
      actor: 'device',
      time: 'ts',
      timeUnit: 's',
    })
  })

  test('says what is wrong with a file, and lets one try again', async () => {
    await using opened = await lab.open()
    const { page } = opened
    await page.getByRole('button', { name: 'Import files' }).waitFor()
    await dropFiles(page, [{ name: 'picture.png', bytes: bytesOf('png') }])
    await page.getByRole('alert').filter({ hasText: 'picture.png is none of Parquet, CSV and NDJSON' }).waitFor()
    expect(await page.getByRole('button', { name: 'Create the table' }).isDisabled()).toBe(true)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await dropFiles(page, [{ name: 'broken.parquet', bytes: bytesOf('PAR1 but not really PAR1') }])
    await page.getByRole('button', { name: 'Create the table' }).click()
    const error = page.getByRole('alert').filter({ hasText: 'FILE_INVALID' })
    await error.waitFor()
    expect(await page.getByRole('button', { name: 'Create the table' }).isEnabled()).toBe(true)
    expect((await lab.server.warehouse.tables()).map(({ name }) => name)).not.toContain('broken')
  })

  test('tells that a table is not there, and how to get on', async () => {
    await using opened = await lab.open('#/tables/nowhere')
    const { page } = opened
    await page.getByRole('alert').filter({ hasText: 'TABLE_NOT_FOUND' }).waitFor()
    await page.getByRole('button', { name: 'Try again' }).waitFor()
  })

  test('drops a table only after it was asked', async () => {
    await lab.server.warehouse.import('doomed', [CONTRIBUTIONS], {})
    await using opened = await lab.open('#/tables/doomed')
    const { page } = opened
    await page.getByRole('button', { name: 'More for doomed' }).click()
    await page.getByRole('menuitem', { name: 'Drop table…' }).click()
    await page.getByRole('button', { name: 'Keep it' }).click()
    expect((await lab.server.warehouse.tables()).map(({ name }) => name)).toContain('doomed')
    await page.getByRole('button', { name: 'More for doomed' }).click()
    await page.getByRole('menuitem', { name: 'Drop table…' }).click()
    await page.getByRole('button', { name: 'Drop doomed' }).click()
    await page.getByText('Dropped doomed').waitFor()
    expect((await lab.server.warehouse.tables()).map(({ name }) => name)).not.toContain('doomed')
  })

  test.for(['', '/events', '/events?column=ts', '/events?tab=preview', '/events?tab=files', '/events?tab=snapshots'])(
    'has nothing for axe to find at %s',
    async (place) => {
      await using opened = await lab.open(`#/tables${place}`)
      await opened.page.getByRole('heading', { level: 1 }).waitFor()
      expect(await faultsInAllLooks(opened.page)).toEqual([])
    },
  )
})

// The reason is told by `noBrowser`.
describe.skipIf(noBrowser)('an empty warehouse', () => {
  test('says what to do first', async () => {
    await using lab = await openPageLab({ prepare: async (_, warehouse) => await warehouse.drop('events') })
    await using opened = await lab.open()
    await opened.page.getByRole('heading', { name: 'This warehouse has no tables yet' }).waitFor()
    await opened.page.getByRole('button', { name: 'Choose files' }).waitFor()
    expect(await faultsInAllLooks(opened.page)).toEqual([])
    expect(opened.faults).toEqual([])
  })
})
