/** The SQL view: queries from the editor to rows, charts, plans, links and files. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRIBUTIONS_ROWS, ENDLESS } from '../server/lab.ts'
import { faultsInAllLooks, noBrowser, openPageLab, type PageLab } from './lab.ts'

const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const BY_MONTH =
  "SELECT date_trunc('month', ts) AS month, count(*) AS n\nFROM events\nWHERE project = 'vitest'\nGROUP BY ALL\nORDER BY month"
const BY_PROJECT = 'SELECT project, count(*) AS n\nFROM events\nGROUP BY ALL\nORDER BY n DESC, project'

const hashOf = (query: Record<string, string>) => `#/sql?${new URLSearchParams(query)}`

// The reason is told by `noBrowser`.
describe.skipIf(noBrowser)('the SQL view', () => {
  let lab: PageLab
  beforeAll(async () => {
    lab = await openPageLab()
  })
  afterAll(async () => await lab?.[Symbol.asyncDispose]())

  const editor = (page: Page) => page.getByRole('textbox', { name: 'SQL' })
  const grid = (page: Page) => page.getByRole('grid', { name: 'Rows' })
  const summary = (page: Page) => page.getByRole('region', { name: 'Result' }).getByRole('status')
  const cellAt = (page: Page, row: number, column: number) =>
    page.locator(`[role=row][aria-rowindex="${row + 2}"] [aria-colindex="${column + 1}"]`)
  const type = async (page: Page, sql: string) => {
    await page.locator('.cm-content').waitFor()
    await editor(page).fill(sql)
  }
  const run = async (page: Page, sql: string) => {
    await type(page, sql)
    await editor(page).press('Control+Enter')
  }
  const records = async () =>
    JSON.parse((await lab.server.call('GET', '/api/v1/queries?limit=50')).text) as {
      text: string
      state: string
      kind: string
      rows?: number
    }[]

  test('offers queries over the tables that there are, and runs one with a click', async () => {
    await using opened = await lab.open('#/sql')
    const { page, faults } = opened
    await page.getByRole('button', { name: /Most frequent project/ }).click()
    await page.getByRole('img', { name: 'Bars: n by project, 17 marks' }).locator('svg rect').first().waitFor()
    await page.getByRole('tab', { name: /Rows/ }).click()
    expect(await cellAt(page, 0, 0).innerText()).toBe('pinot')
    expect(faults).toEqual([])
  })

  test('runs what is typed, and shows rows with types, nulls and what it cost', async () => {
    await using opened = await lab.open('#/sql')
    const { page, faults } = opened
    await run(page, "SELECT 1 AS one, NULL AS nothing, 'x' AS text, 9007199254740993 AS large FROM events LIMIT 3")
    await grid(page).waitFor()
    expect(await page.getByRole('columnheader').allInnerTexts()).toEqual([
      'one\nINTEGER',
      'nothing\nINTEGER',
      'text\nVARCHAR',
      'large\nBIGINT',
    ])
    expect(await cellAt(page, 2, 1).getAttribute('data-null')).not.toBeNull()
    expect(await cellAt(page, 0, 3).innerText()).toBe('9007199254740993')
    expect(await cellAt(page, 0, 0).getAttribute('data-number')).not.toBeNull()
    expect(await summary(page).innerText()).toMatch(/3 rows.*ms.*files read.*KB.*pool/s)
    await page.getByRole('img', { name: /^Time: .*scanning/ }).waitFor()
    expect(faults).toEqual([])
  })

  test('runs what is selected alone', async () => {
    await using opened = await lab.open('#/sql')
    const { page } = opened
    await type(page, 'SELECT 1 AS first;\nSELECT nope')
    await editor(page).press('Control+Home')
    await editor(page).press('Shift+End')
    await editor(page).press('Control+Enter')
    await page.getByRole('columnheader', { name: /first/ }).waitFor()
    await editor(page).press('Control+Home')
    await editor(page).press('Control+Enter')
    await page.getByRole('alert').getByText('one query at a time, please').waitFor()
    await page.getByText(/Select one of them and run it/).waitFor()
  })

  test('completes tables, columns of the tables that the text names, and functions', async () => {
    await using opened = await lab.open('#/sql')
    const { page } = opened
    const list = page.getByRole('listbox')
    await type(page, 'SELECT  FROM ')
    await page.keyboard.type('ev', { delay: 20 })
    await list.getByRole('option', { name: /^events/ }).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.type('ents', { delay: 20 })
    await page.keyboard.press('Control+Home')
    for (const _ of 'SELECT ') await page.keyboard.press('ArrowRight')
    await page.waitForTimeout(1000)
    await page.keyboard.type('pro', { delay: 60 })
    await list.getByRole('option', { name: /^project/ }).waitFor()
    await page.keyboard.press('Escape')
    await page.keyboard.type('ject, approx_q', { delay: 20 })
    await list.getByRole('option', { name: /^approx_quantile/ }).click()
    await page.keyboard.type('files, 0.5')
    expect((await editor(page).innerText()).trim()).toBe('SELECT project, approx_quantile(files, 0.5) FROM events')
  })

  test('cancels by Escape, and the server knows', async () => {
    await using opened = await lab.open('#/sql')
    const { page } = opened
    const sql = `${ENDLESS} -- by Escape`
    await run(page, sql)
    await page.getByRole('progressbar', { name: 'The query runs' }).waitFor()
    await expect.poll(async () => (await records()).find(({ text }) => text === sql)?.state).toBe('running')
    await page.keyboard.press('Escape')
    await summary(page).getByText('cancelled').waitFor()
    await expect
      .poll(async () => (await records()).find(({ text }) => text === sql)?.state, { timeout: 15_000 })
      .toBe('cancelled')
    await page.getByRole('button', { name: 'Run' }).waitFor()
  })

  test('cancels by its button, and an answer that comes late changes nothing', async () => {
    await using opened = await lab.open('#/sql')
    const { page } = opened
    await run(page, `${ENDLESS} -- by button`)
    await page.getByRole('button', { name: 'Cancel' }).click()
    await summary(page).getByText('cancelled').waitFor()
    await run(page, 'SELECT 7 AS seven')
    await page.getByRole('columnheader', { name: /seven/ }).waitFor()
  })

  test.each([
    ['a syntax error', 'SELECT project,\nFROM FROM events', 'FROM', 'Line 2, column 6'],
    ['a column that is not there', 'SELECT project,\n  nope\nFROM events', 'nope', 'Line 2, column 3'],
    ['a table that is not there', 'SELECT 1\nFROM nowhere', 'nowhere', 'Line 2, column 6'],
    ['behind other alphabets', "SELECT '🐝ü', nope\nFROM events", 'nope', 'Line 1, column 15'],
  ])('marks the place of %s', async (_, sql, marked, place) => {
    await using opened = await lab.open('#/sql')
    const { page } = opened
    await run(page, sql)
    await page.getByRole('alert').waitFor()
    expect(await page.locator('.cm-lintRange-error').innerText()).toBe(marked)
    await page.getByText(place, { exact: true }).waitFor()
  })

  test('marks a place within what was selected', async () => {
    await using opened = await lab.open('#/sql')
    const { page } = opened
    await type(page, 'SELECT nope FROM events;\nSELECT nope FROM events')
    await editor(page).press('Control+End')
    await editor(page).press('Shift+Home')
    await editor(page).press('Control+Enter')
    await page.getByText('Line 2, column 8', { exact: true }).waitFor()
  })

  test('draws a chart in two clicks, and keeps what is chosen in the address', async () => {
    await using opened = await lab.open('#/sql')
    const { page, faults } = opened
    await type(page, BY_MONTH)
    await page.getByRole('button', { name: 'Run' }).click()
    await page.getByRole('tab', { name: 'Chart' }).click()
    await page
      .getByRole('img', { name: /^Line: n by month/ })
      .locator('svg [aria-label=line]')
      .waitFor({ state: 'attached' })
    await page.getByRole('combobox', { name: 'Chart' }).selectOption('Bars')
    await page
      .getByRole('img', { name: /^Bars: n by month/ })
      .locator('svg rect')
      .first()
      .waitFor()
    expect(page.url()).toMatch(/tab=chart.*chart=bar&x=month&y=n/)
    expect(faults).toEqual([])
  })

  test.each([
    ['two numbers', 'SELECT files, length(actor) AS letters FROM events LIMIT 400', /^Dots: letters by files, 400/],
    ['one number', 'SELECT files FROM events LIMIT 400', /^Histogram: rows by files/],
    ['texts alone', 'SELECT event FROM events', /^Bars: rows by event, 6 marks/],
    [
      'several series',
      "SELECT date_trunc('year', ts) AS y, event, count(*) AS n FROM events GROUP BY ALL",
      /^Line: n by y/,
    ],
  ])('suggests a chart for %s', async (_, sql, name) => {
    await using opened = await lab.open(hashOf({ q: sql, tab: 'chart', run: '1' }))
    const { page, faults } = opened
    await page.getByRole('img', { name }).locator('svg [aria-label]').first().waitFor({ state: 'attached' })
    expect(faults).toEqual([])
  })

  test('opens a shared link as it was, rows and chart', async () => {
    await using opened = await lab.open(hashOf({ q: BY_MONTH }), { permissions: ['clipboard-read', 'clipboard-write'] })
    const { page } = opened
    await page.getByRole('button', { name: 'Run' }).click()
    await page.getByRole('tab', { name: 'Chart' }).click()
    await page.getByRole('combobox', { name: 'Chart' }).selectOption('Dots')
    await page.getByRole('button', { name: 'Share' }).click()
    await page.getByText('Copied a link to this query').waitFor()
    const link = await page.evaluate<string>('navigator.clipboard.readText()')
    await using other = await lab.open()
    await other.page.goto(link)
    await other.page.getByRole('img', { name: /^Dots: n by month/ }).waitFor()
    await expect.poll(() => editor(other.page).innerText()).toContain("WHERE project = 'vitest'")
  })

  test('keeps text, tab and rows over a reload, and a draft that a link takes the place of', async () => {
    await using opened = await lab.open('#/sql')
    const { page } = opened
    await run(page, BY_PROJECT)
    await page.getByRole('tab', { name: 'Chart' }).click()
    await page.getByRole('img', { name: /^Bars: n by project/ }).waitFor()
    await page.reload()
    await page.getByRole('img', { name: /^Bars: n by project/ }).waitFor()
    await type(page, 'SELECT 1 AS unfinished')
    await page.reload()
    await expect.poll(async () => (await editor(page).innerText()).trim()).toBe('SELECT 1 AS unfinished')
    await page.evaluate(`location.hash = '${hashOf({ q: 'SELECT 2 AS linked' })}'`)
    await expect.poll(async () => (await editor(page).innerText()).trim()).toBe('SELECT 2 AS linked')
    await page.getByRole('button', { name: 'Queries' }).click()
    await page.getByRole('button', { name: /SELECT 1 AS unfinished/ }).click()
    await expect.poll(async () => (await editor(page).innerText()).trim()).toBe('SELECT 1 AS unfinished')
  })

  test('lists the queries of whoever asks, with their ends, and finds them', async () => {
    await lab.server.sql("SELECT 'asked elsewhere' AS place")
    await using opened = await lab.open('#/sql')
    const { page } = opened
    await page.getByRole('button', { name: 'Queries' }).click()
    const dialog = page.getByRole('dialog', { name: 'Queries' })
    await dialog.getByRole('searchbox').fill('elsewhere')
    const entry = dialog.getByRole('listitem')
    await entry.getByText('done').waitFor()
    expect(await entry.count()).toBe(1)
    await entry.getByRole('button').click()
    await expect.poll(async () => await editor(page).innerText()).toContain('asked elsewhere')
  })

  test('saves a query under a name, finds it again, and removes it after a question', async () => {
    await using opened = await lab.open('#/sql')
    const { page, faults } = opened
    await type(page, BY_PROJECT)
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByLabel('Name').fill('by project')
    await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved as by project').waitFor()
    await type(page, 'SELECT 1')
    await page.getByRole('button', { name: 'Queries' }).click()
    await page.getByRole('tab', { name: 'Saved' }).click()
    await page.getByRole('button', { name: /^by project/ }).click()
    await expect.poll(async () => await editor(page).innerText()).toContain('GROUP BY ALL')
    await page.getByRole('button', { name: 'Queries' }).click()
    await page.getByRole('tab', { name: 'Saved' }).click()
    await page.getByRole('button', { name: 'Remove by project' }).click()
    await page.getByRole('group', { name: 'Remove by project?' }).getByRole('button', { name: 'Remove' }).click()
    await page.getByText('Removed by project').waitFor()
    expect(JSON.parse((await lab.server.call('GET', '/api/v1/saved')).text)).toEqual([])
    expect(faults).toEqual([])
  })

  test.each(['CSV', 'NDJSON'] as const)('downloads the %s that the command writes', async (format) => {
    const sql =
      'SELECT project, event, count(*) AS n, NULL AS nothing, \'a,"b"\' AS quoted FROM events GROUP BY ALL ORDER BY ALL'
    await using opened = await lab.open(hashOf({ q: sql, run: '1' }))
    const { page } = opened
    await grid(page).waitFor()
    await page.getByRole('button', { name: 'Download' }).click()
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('menuitem', { name: format, exact: true }).click(),
    ])
    expect(file.suggestedFilename()).toBe(`events.${format.toLowerCase()}`)
    const asked = ['sql', sql, '--format', format.toLowerCase(), '--warehouse', lab.server.lab.root]
    const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...asked])
    expect(await readFile(await file.path(), 'utf8')).toBe(stdout)
  })

  test.each([
    ['JSON', '{"columns"'],
    ['Parquet', 'PAR1'],
  ])('downloads %s', async (format, beginning) => {
    await using opened = await lab.open(hashOf({ q: BY_PROJECT, run: '1' }))
    const { page } = opened
    await grid(page).waitFor()
    await page.getByRole('button', { name: 'Download' }).click()
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('menuitem', { name: format, exact: true }).click(),
    ])
    expect((await readFile(await file.path())).toString('latin1')).toMatch(new RegExp(`^${beginning}`))
  })

  test('shows the first 100,000 rows of more, sorts and scrolls them', { timeout: 90_000 }, async () => {
    await using opened = await lab.open(
      hashOf({ q: 'SELECT i AS n, -i AS minus FROM range(250000) AS t(i)', run: '1' }),
    )
    const { page, faults } = opened
    await summary(page).getByText('first 100,000 rows').waitFor()
    await page.getByText(/These are the first 100,000 rows of the result/).waitFor()
    expect(await grid(page).getAttribute('aria-rowcount')).toBe('100001')
    await page.getByRole('columnheader', { name: /minus/ }).click()
    await expect.poll(async () => await cellAt(page, 0, 0).innerText()).toBe('99999')
    await grid(page).focus()
    await page.keyboard.press('Control+ArrowDown')
    await page.keyboard.press('Control+ArrowDown')
    await cellAt(page, 99_999, 0).waitFor()
    expect(await cellAt(page, 99_999, 0).innerText()).toBe('0')
    const record = (await records()).find(({ text }) => text.includes('range(250000)'))
    expect(record?.state).toBe('done')
    expect(faults).toEqual([])
  })

  test('tells what is read and left out, and how the query would be divided', async () => {
    await using opened = await lab.open('#/sql')
    const { page, faults } = opened
    await type(page, "SELECT count(*) FROM events WHERE actor = 'a0001'")
    await page.getByRole('button', { name: 'Explain' }).click()
    const table = page.getByRole('row', { name: /events/ })
    expect(await table.innerText()).toMatch(/1 read, 3 left out/)
    await page.getByRole('heading', { name: 'The engine’s plan' }).waitFor()
    expect((await records()).filter(({ text, rows }) => text.includes("'a0001'") && rows !== undefined)).toEqual([])
    expect(faults).toEqual([])
  })

  test('reads an earlier state, and goes back to now', async () => {
    const before = await lab.server.warehouse.snapshots('events')
    const first = before[0]!.id
    await using opened = await lab.open(hashOf({ q: 'SELECT count(*) AS n FROM events' }))
    const { page } = opened
    await page.getByRole('button', { name: 'As of' }).click()
    await page.getByRole('combobox').fill(`events=${first}`)
    await page.getByRole('button', { name: 'Read the tables as of then' }).click()
    await page.getByText(`events=${first}`).waitFor()
    await page.getByRole('button', { name: 'Run' }).click()
    await expect.poll(async () => await cellAt(page, 0, 0).innerText()).toBe(String(CONTRIBUTIONS_ROWS))
    await page.getByRole('button', { name: 'Back to now' }).click()
    expect(new URL(page.url()).hash).not.toContain('at=')
  })

  test.each([
    ['before anything was asked', '#/sql'],
    ['with rows', hashOf({ q: BY_PROJECT, run: '1' })],
    ['with a chart', hashOf({ q: BY_MONTH, tab: 'chart', run: '1' })],
    ['with a plan', hashOf({ q: BY_PROJECT, tab: 'plan', run: '1' })],
    ['with an error', hashOf({ q: 'SELECT nope FROM events', run: '1' })],
  ])('has nothing for axe to find and fits every screen %s', { timeout: 90_000 }, async (_, hash) => {
    await using opened = await lab.open(hash)
    const { page } = opened
    await page.locator('.cm-content').waitFor()
    expect(await faultsInAllLooks(page)).toEqual([])
  })
})
