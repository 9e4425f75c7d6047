/** What README and guides show is run: commands, programs, queries. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isSkepError, Warehouse } from '../../src/index.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'skep-docs-'))
/** The guide whose JSON is documents of steps. */
const STEPS = 'docs/guides/buzz.md'
const GUIDES = readdirSync(join(ROOT, 'docs/guides')).map((name) => `docs/guides/${name}`)

/** The blocks of a page in a language. */
function blocks(page: string, language: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8')
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, block]) => block!)
}

function blocksOf(pages: readonly string[], language: string): [page: string, block: string][] {
  return pages.flatMap((page) => blocks(page, language).map((block) => [page, block] as [string, string]))
}

beforeAll(async () => {
  await symlink(join(ROOT, 'examples'), join(folder, 'examples'))
  await writeFile(
    join(folder, 'skep'),
    `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'src/cli/main.ts')}" "$@"\n`,
  )
  await chmod(join(folder, 'skep'), 0o755)
  await using warehouse = await Warehouse.open(join(folder, 'guides'))
  const keys = { actor: 'actor', time: 'ts' }
  await warehouse.import('contributions', [join(ROOT, 'examples/data/contributions.parquet')], keys)
})
afterAll(() => rm(folder, { recursive: true }))

describe('the commands', () => {
  const pages = ['getting-started', 'changing-a-table', 'importing-again', 'buzz'].map(
    (name) => `docs/guides/${name}.md`,
  )
  test.each(blocksOf(pages, 'sh'))('of %s: %s', async (_page, script) => {
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` }
    const { stdout } = await run('bash', ['-euc', script], { cwd: folder, env })
    expect(stdout).not.toBe('')
  })
})

describe('the programs', () => {
  test.each(blocksOf(['README.md', 'docs/guides/getting-started.md'], 'ts'))('of %s', async (_page, program) => {
    const place = join(folder, 'program.ts')
    await writeFile(place, program.replaceAll("from 'skep'", `from ${JSON.stringify(join(ROOT, 'src/index.ts'))}`))
    const { stdout } = await run(process.execPath, [place], { cwd: folder })
    expect(stdout).toMatch(/n: \d+/)
  })
})

describe('the queries', () => {
  const pages = GUIDES.filter((page) => page !== STEPS)
  test.each(blocksOf(['README.md', ...pages], 'json'))('of %s: %s', async (_page, query) => {
    await using warehouse = await Warehouse.open(join(folder, 'guides'))
    try {
      const { success } = await warehouse.query('contributions', query)
      expect(success).toBe(true)
    } catch (error) {
      // Some are about a table of the reader's own.
      if (!isSkepError(error, 'QUERY_INVALID')) throw error
      expect(error.details.violations.map(({ kind }) => kind)).not.toContain('SCHEMA')
    }
  })
})

describe('the documents of steps', () => {
  test.each(blocksOf([STEPS], 'json'))('of %s', async (_page, document) => {
    expect(JSON.parse(document)).toEqual(JSON.parse(readFileSync(join(ROOT, 'examples/buzz.json'), 'utf8')))
    await using warehouse = await Warehouse.open(join(folder, 'guides'))
    const uri = join(ROOT, 'examples/data')
    const { rows } = await warehouse.run({
      ...JSON.parse(document),
      catalogs: [{ name: 'contributions', type: 'Static', uri }],
    })
    const [sql] = blocks(STEPS, 'sql')
    expect((await warehouse.sql(sql!)).rows).toEqual(rows.map((row) => ({ ...row, changes: Number(row.changes) })))
    expect(rows).toHaveLength(5)
  })
})
