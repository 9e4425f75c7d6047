/** The grid by itself: 100,000 rows of 50 columns. */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeFaults, launch, noBrowser, openPage } from './lab.ts'

const ROWS = 100_000
const COLUMNS = 50

const HARNESS = `
import { h, render } from 'preact'
import { Grid } from './grid.tsx'
import '../styles/tokens.css'
import '../styles/base.css'
const columns = Array.from({ length: ${COLUMNS} }, (_, k) => ({ name: 'column ' + k, type: k % 3 ? 'VARCHAR' : 'BIGINT' }))
window.asked = 0
const cell = (row, column) => { window.asked++; return row % 7 === 3 && column === 4 ? null : row * 100 + column }
render(h('main', {}, h('h1', {}, 'Grid'), h(Grid, { label: 'Rows', columns, rows: ${ROWS}, cell, height: '500px' })), document.body)
`

async function bundled(): Promise<{ js: string; css: string }> {
  const resolveDir = fileURLToPath(new URL('../../web/src/components', import.meta.url))
  const { outputFiles } = await build({
    stdin: { contents: HARNESS, resolveDir, loader: 'tsx' },
    bundle: true,
    write: false,
    outdir: '/',
    format: 'esm',
    jsx: 'automatic',
    jsxImportSource: 'preact',
  })
  const text = (ending: string) => outputFiles.find(({ path }) => path.endsWith(ending))!.text
  return { js: text('.js'), css: text('.css') }
}

// The reason is told by `noBrowser`.
describe.skipIf(noBrowser)('a grid of 100,000 rows and 50 columns', () => {
  let browser: Browser
  let html: string
  beforeAll(async () => {
    browser = await launch()
    const { js, css } = await bundled()
    html = `<!doctype html><html lang="en"><title>Grid</title><style>${css}</style><body><script type="module">${js.replaceAll('</script', '<\\/script')}</script>`
  })
  afterAll(async () => await browser?.close())

  const openGrid = async () => {
    const opened = await openPage(browser)
    await opened.page.setContent(html)
    await opened.page.getByRole('gridcell').first().waitFor()
    return opened
  }
  const cell = (page: Page, row: number, column: number) =>
    page.locator(`[aria-rowindex="${row + 2}"] > [aria-colindex="${column + 1}"]`)
  const drawn = (page: Page) => page.getByRole('gridcell').count()

  test('draws only what is in sight, wherever one scrolls', async () => {
    await using opened = await openGrid()
    const { page, faults } = opened
    const grid = page.getByRole('grid', { name: 'Rows' })
    expect(await grid.getAttribute('aria-rowcount')).toBe(`${ROWS + 1}`)
    expect(await grid.getAttribute('aria-colcount')).toBe(`${COLUMNS}`)
    expect(await page.evaluate('window.asked')).toBeLessThan(10_000)
    expect(await drawn(page)).toBeLessThan(1000)
    await grid.evaluate((element: { scrollTop: number; scrollLeft: number }) => {
      element.scrollTop = 1e9
      element.scrollLeft = 1e9
    })
    await cell(page, ROWS - 1, COLUMNS - 1).waitFor()
    expect(await cell(page, ROWS - 1, COLUMNS - 1).innerText()).toBe(String((ROWS - 1) * 100 + COLUMNS - 1))
    expect(await drawn(page)).toBeLessThan(1000)
    expect(faults).toEqual([])
  })

  test('asks for no more than what is in sight, screen after screen', async () => {
    await using opened = await openGrid()
    const asked = await opened.page.evaluate<number>(`(async () => {
      const grid = document.querySelector('[role=grid]')
      const before = window.asked
      for (let screen = 0; screen < 40; screen++) {
        grid.scrollTop = screen * 72500
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)))
      }
      return window.asked - before
    })()`)
    await cell(opened.page, 97_500, 0).waitFor()
    expect(asked).toBeGreaterThan(40)
    expect(asked).toBeLessThan(40 * 1000)
  })

  test('is moved through by keys, chooses and copies ranges', async () => {
    await using opened = await openGrid()
    const { page } = opened
    const grid = page.getByRole('grid')
    await grid.focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('PageDown')
    await page.keyboard.press('End')
    const active = page.locator('[data-active]')
    await active.waitFor()
    expect(await active.getAttribute('aria-colindex')).toBe(`${COLUMNS}`)
    expect(await grid.getAttribute('aria-activedescendant')).toBe(await active.getAttribute('id'))
    await page.keyboard.press('Control+Home')
    await page.keyboard.press('Shift+Control+End')
    expect(await page.locator('[role=gridcell][aria-selected=false]').count()).toBe(0)
    await page.keyboard.press('Control+Home')
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowRight', 'Shift+ArrowRight', 'Shift+ArrowDown']) {
      await page.keyboard.press(key)
    }
    await page.evaluate(
      `Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { window.copied = text } } })`,
    )
    await page.keyboard.press('Control+c')
    expect(await page.evaluate('window.copied')).toBe('column 3\tcolumn 4\n3\t4\n103\t104')
  })

  test('shows nulls apart from texts, and a cell in full', async () => {
    await using opened = await openGrid()
    const { page } = opened
    expect(await cell(page, 3, 4).innerText()).toBe('null')
    expect(await cell(page, 3, 4).getAttribute('data-null')).not.toBeNull()
    await cell(page, 5, 2).dblclick()
    await page.getByRole('dialog', { name: 'column 2' }).getByText('502').waitFor()
  })

  test('has columns that are made wider by pointer and by keys, and fit again', async () => {
    await using opened = await openGrid()
    const { page } = opened
    const head = page.getByRole('columnheader', { name: /column 0/ })
    const width = async () => (await head.boundingBox())!.width
    const before = await width()
    const handle = (await head.locator('.grid-resizer').boundingBox())!
    await page.mouse.move(handle.x + 4, handle.y + 10)
    await page.mouse.down()
    await page.mouse.move(handle.x + 104, handle.y + 10, { steps: 4 })
    await page.mouse.up()
    await expect.poll(width).toBeCloseTo(before + 100, 0)
    await page.getByRole('grid').focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Alt+ArrowLeft')
    await expect.poll(width).toBeCloseTo(before + 84, 0)
    await head.locator('.grid-resizer').dblclick()
    await expect.poll(width).toBeCloseTo(before, 0)
  })

  test('has nothing for axe to find', async () => {
    await using opened = await openGrid()
    await opened.page.getByRole('grid').focus()
    await opened.page.keyboard.press('ArrowDown')
    expect(await axeFaults(opened.page)).toEqual([])
  })
})
