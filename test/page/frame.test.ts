/** The frame of the page: what it weighs, how one gets around, what it keeps, and who may see what. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TOKENS } from '../server/lab.ts'
import { axeFaults, faultsInAllLooks, noBrowser, openPageLab, type PageLab } from './lab.ts'

const FIRST_VIEW_BYTES = 300_000

// The reason is told by `noBrowser`.
describe.skipIf(noBrowser)('the page', () => {
  let lab: PageLab
  beforeAll(async () => {
    lab = await openPageLab()
  })
  afterAll(async () => await lab?.[Symbol.asyncDispose]())

  test('shows the tables first, in less than 300 KB', async () => {
    await using opened = await lab.open()
    const { page, faults } = opened
    await page.getByRole('link', { name: 'events', exact: true }).waitFor()
    const sizes = await page.evaluate<{ name: string; transferSize: number }[]>(
      `[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .map(({ name, transferSize }) => ({ name, transferSize }))`,
    )
    const total = sizes.reduce((sum, { transferSize }) => sum + transferSize, 0)
    expect(sizes.length).toBeGreaterThan(3)
    expect(total).toBeGreaterThan(10_000)
    expect(total).toBeLessThan(FIRST_VIEW_BYTES)
    expect(faults).toEqual([])
  })

  test('sends its files compressed for whoever takes that, assets for good', async () => {
    const index = await lab.server.call('GET', '/', { headers: { 'accept-encoding': 'identity' } })
    expect(index.status).toBe(200)
    expect(index.headers.get('cache-control')).toBe('no-cache')
    expect(index.text).toContain('<div id="app">')
    expect(index.text).not.toMatch(/<script(?![^>]*src=)|<style|onload=/)
    const script = /assets\/index-[\w-]+\.js/.exec(index.text)![0]
    for (const encoding of ['br', 'gzip']) {
      const answer = await lab.server.call('GET', `/${script}`, { headers: { 'accept-encoding': encoding } })
      expect(answer.text).toContain('Import files')
      expect(answer.headers.get('content-encoding')).toBe(encoding)
      expect(answer.headers.get('cache-control')).toContain('immutable')
      expect(answer.headers.get('vary')).toMatch(/accept-encoding/i)
    }
    const missing = await lab.server.call('GET', '/assets/missing.js')
    expect([missing.status, missing.text]).toEqual([404, expect.stringContaining('ROUTE_NOT_FOUND')])
    for (const path of ['/assets/..%2Findex.html', '/assets/%2e%2e%2f%2e%2e%2fpackage.json', '/nowhere', '/assets/']) {
      expect((await lab.server.call('GET', path)).status, path).toBe(404)
    }
    expect((await lab.server.call('POST', '/')).status).toBe(405)
  })

  test('is gone around by keys, and tells which keys', async () => {
    await using opened = await lab.open()
    const { page } = opened
    await page.getByRole('heading', { name: 'Tables' }).waitFor()
    for (const [keys, name] of [
      ['gs', 'SQL'],
      ['gb', 'Behaviour'],
      ['ga', 'Activity'],
      ['gt', 'Tables'],
    ]) {
      for (const key of keys!) await page.keyboard.press(key)
      await page.locator('nav a[aria-current=page]', { hasText: name! }).first().waitFor()
    }
    await page.locator('input[type=search]').first().waitFor()
    await page.keyboard.press('/')
    expect(await page.evaluate('document.activeElement.type')).toBe('search')
    await page.keyboard.type('gs?')
    expect(new URL(page.url()).hash).not.toContain('sql')
    await page.keyboard.press('Tab')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  test('lets keys skip the header, and shows where they are', async () => {
    await using opened = await lab.open()
    const { page } = opened
    await page.getByRole('heading', { name: 'Tables' }).waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    expect(await page.evaluate('document.activeElement.id')).toBe('main')
    await page.keyboard.press('Tab')
    const width = await page.evaluate<string>('getComputedStyle(document.activeElement).outlineWidth')
    expect(Number.parseFloat(width)).toBeGreaterThan(0)
  })

  test('keeps theme and place over a reload, and a tab leads back to where one was', async () => {
    await using opened = await lab.open('#/tables/events?tab=preview')
    const { page } = opened
    await page.getByRole('grid').waitFor()
    await page.getByRole('button', { name: 'Colours: system' }).click()
    await page.getByRole('button', { name: 'Colours: light' }).click()
    await page.getByRole('link', { name: 'SQL', exact: true }).click()
    await page.reload()
    await page.locator('nav a[aria-current=page]', { hasText: 'SQL' }).waitFor()
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('dark')
    await page.getByRole('link', { name: 'Tables', exact: true }).click()
    await page.getByRole('tab', { name: 'Preview', selected: true }).waitFor()
    await page.goBack()
    await page.locator('nav a[aria-current=page]', { hasText: 'SQL' }).waitFor()
  })

  test.for(['sql', 'behaviour', 'activity'])('has nothing for axe to find in %s', async (view) => {
    await using opened = await lab.open(`#/${view}`)
    await opened.page.getByRole('heading', { level: 1 }).waitFor({ state: 'attached' })
    expect(await faultsInAllLooks(opened.page)).toEqual([])
  })
})

// The reason is told by `noBrowser`.
describe.skipIf(noBrowser)('a page that needs a token', () => {
  let lab: PageLab
  beforeAll(async () => {
    lab = await openPageLab({ tokens: true })
  })
  afterAll(async () => await lab?.[Symbol.asyncDispose]())

  test('asks for it, says when it is wrong, goes on, and keeps it for the session only', async () => {
    await using opened = await lab.open()
    const { page } = opened
    const dialog = page.getByRole('dialog', { name: 'This warehouse needs a token' })
    await dialog.waitFor()
    expect(await axeFaults(page)).toEqual([])
    await page.keyboard.press('Escape')
    expect(await dialog.isVisible()).toBe(true)
    await page.getByRole('textbox', { name: 'Token' }).fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'not known' }).waitFor()
    await page.getByRole('textbox', { name: 'Token' }).fill(TOKENS.writer)
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'events', exact: true }).waitFor()
    expect(await dialog.count()).toBe(0)
    await page.reload()
    await page.getByRole('link', { name: 'events', exact: true }).waitFor()
    expect(await page.evaluate('JSON.stringify(localStorage)')).not.toContain(TOKENS.writer)
    await using other = await lab.open()
    await other.page.getByRole('dialog', { name: 'This warehouse needs a token' }).waitFor()
  })

  test('offers a reader nothing that only a writer may do', async () => {
    await using opened = await lab.open()
    const { page } = opened
    await page.getByRole('textbox', { name: 'Token' }).fill(TOKENS.reader)
    await page.keyboard.press('Enter')
    await page.getByRole('link', { name: 'events', exact: true }).click()
    await page.getByRole('tab', { name: /Columns/ }).waitFor()
    expect(await page.getByRole('button', { name: 'More for events' }).count()).toBe(0)
    await page.goto(`${lab.server.url}/#/tables`)
    await page.getByRole('heading', { name: 'Tables' }).waitFor()
    expect(await page.getByRole('button', { name: 'Import files' }).count()).toBe(0)
  })
})

describe('a server without a built page', () => {
  test('says how to build one', async () => {
    const { startLab } = await import('../server/lab.ts')
    await using server = await startLab({ page: '/nowhere' })
    const answer = await server.call('GET', '/')
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; charset=utf-8'])
    expect(answer.text).toContain('npm run build:web')
  })
})
