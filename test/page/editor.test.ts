/** The editor by itself: completion, running, marks, and that keys lead out of it. */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { axeFaults, launch, noBrowser, openPage } from './lab.ts'

const HARNESS = `
import { h, render } from 'preact'
import { signal } from '@preact/signals'
import { Editor } from './editor.tsx'
import '../styles/tokens.css'
import '../styles/base.css'
const text = signal('')
const schema = { events: ['actor', 'event'], orders: ['amount'] }
const onRun = (text) => { window.ran = text }
const onChange = (value) => { text.value = value; window.text = value }
window.faults = signal([])
const App = () => h('main', {}, h('h1', {}, 'Editor'), h(Editor, {
  label: 'Query', language: 'sql', value: text.value, schema, onRun, onChange, faults: window.faults.value, placeholder: 'SELECT',
}), h('button', {}, 'Behind'))
render(h(App), document.body)
`

// The reason is told by `noBrowser`.
describe.skipIf(noBrowser)('the editor', () => {
  let browser: Browser
  let html: string
  beforeAll(async () => {
    browser = await launch()
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
    const part = (ending: string) => outputFiles.find(({ path }) => path.endsWith(ending))!.text
    html = `<!doctype html><html lang="en"><title>Editor</title><style>${part('.css')}</style><body><script type="module">${part('.js').replaceAll('</script', '<\\\\/script')}</script>`
  })
  afterAll(async () => await browser?.close())

  test('completes tables and columns, runs what is selected or all, and shows faults', async () => {
    await using opened = await openPage(browser)
    const { page, faults } = opened
    await page.setContent(html)
    const editor = page.getByRole('textbox', { name: 'Query' })
    await page.locator('.cm-content').waitFor()
    await editor.click()
    await page.keyboard.type('SELECT * FROM eve')
    await page.getByRole('option', { name: 'events' }).waitFor()
    await page.waitForTimeout(150)
    await page.keyboard.press('Enter')
    await page.keyboard.type(' WHERE act')
    await page.getByRole('option', { name: /^actor/ }).waitFor()
    await page.waitForTimeout(150)
    await page.keyboard.press('Enter')
    expect(await page.evaluate('window.text')).toBe('SELECT * FROM events WHERE actor')
    await page.keyboard.press('Control+Enter')
    expect(await page.evaluate('window.ran')).toBe('SELECT * FROM events WHERE actor')
    await page.keyboard.press('Control+Shift+ArrowLeft')
    await page.keyboard.press('Control+Enter')
    expect(await page.evaluate('window.ran')).toBe('actor')
    await page.evaluate(`window.faults.value = [{ from: 0, to: 6, message: 'no' }]`)
    await page.locator('.cm-lintRange-error').waitFor()
    expect(await axeFaults(page)).toEqual([])
    expect(faults).toEqual([])
  })

  test('is left by Escape and Tab', async () => {
    await using opened = await openPage(browser)
    const { page } = opened
    await page.setContent(html)
    await page.locator('.cm-content').waitFor()
    await page.getByRole('textbox', { name: 'Query' }).click()
    await page.keyboard.press('Escape')
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Behind')
  })
})
