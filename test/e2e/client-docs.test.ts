/** What the guide of the client shows is run, against a server. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { chmod, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Server } from '../../src/server/server.ts'
import { Warehouse } from '../../src/warehouse.ts'

const ROOT = join(import.meta.dirname, '../..')
const PAGE = readFileSync(join(ROOT, 'docs/guides/client.md'), 'utf8')
const ADDRESS = 'http://127.0.0.1:4213'
const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'skep-client-docs-'))

let warehouse: Warehouse
let server: Server

beforeAll(async () => {
  warehouse = await Warehouse.open(join(folder, 'wh'))
  await warehouse.import('contributions', [join(ROOT, 'examples/data/contributions.parquet')], {
    actor: 'actor',
    time: 'ts',
  })
  server = await Server.start(warehouse, { port: 0, version: 'test' })
  await symlink(join(ROOT, 'examples'), join(folder, 'examples'))
  const command = `#!/bin/sh\nexec "${process.execPath}" "${join(ROOT, 'src/cli/main.ts')}" "$@"\n`
  await writeFile(join(folder, 'skep'), command)
  await chmod(join(folder, 'skep'), 0o755)
})
afterAll(async () => {
  await server.close()
  await warehouse.close()
  await rm(folder, { recursive: true })
})

function blocks(language: string): string[] {
  return [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, block]) => block!)
}

describe('docs/guides/client.md', () => {
  const programs: [string, RegExp][] = [
    ['count(*) AS n', /^\[ \{ n: 23076 \} \]\n\d+\n$/],
    ['stream.rows', /^23076 \d+\n$/],
    ['onProgress', /it took too long\n$/],
    ['new File', /sources: 2,/],
  ]
  test.each(blocks('ts').map((program, k) => [k, program] as const))('program %i', async (k, program) => {
    expect(blocks('ts')).toHaveLength(programs.length)
    const [part, output] = programs[k]!
    expect(program).toContain(part)
    const place = join(folder, `program-${k}.ts`)
    const client = JSON.stringify(join(ROOT, 'src/client/index.ts'))
    await writeFile(place, program.replaceAll("'skep/client'", client).replaceAll(ADDRESS, server.url))
    const { stdout } = await run(process.execPath, [place], { cwd: folder })
    expect(stdout).toMatch(output)
  })

  test.each(blocks('sh'))('%s', async (script) => {
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` }
    const { stdout } = await run('bash', ['-euc', script.replaceAll(ADDRESS, server.url)], { cwd: folder, env })
    expect(stdout).toMatch(/again: 117,258 rows from 1 file imported/)
  })
})
