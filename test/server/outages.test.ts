/** What a server does while something that it needs is stalled, full, away or dead: a coded answer in time, others go on, and all is well afterwards. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Server } from '../../src/server/server.ts'
import { Warehouse } from '../../src/warehouse.ts'
import { dataFiles } from '../conformance/import-lab.ts'
import {
  type Answer,
  CONTRIBUTIONS,
  CONTRIBUTIONS_ROWS,
  codeOf,
  ENDLESS,
  eventually,
  faultOf,
  leftOver,
  type ServerLab,
  startLab,
} from './lab.ts'

/** Longest time that an answer may take here, where queries end after two seconds. */
const ANSWER_MS = 6000
const COUNT = 'SELECT count(*) AS n FROM events'

/** Fails unless an answer comes in time and is one that the contract knows. */
async function inTime(asked: Promise<Answer>): Promise<Answer> {
  const late = sleep(ANSWER_MS, undefined, { ref: false }).then((): never => {
    throw new Error(`no answer within ${ANSWER_MS} ms`)
  })
  const answer = await Promise.race([asked, late])
  expect(faultOf(answer), answer.text).toBe(undefined)
  return answer
}

async function requireWell(lab: Pick<ServerLab, 'sql' | 'call'>): Promise<void> {
  const answer = await inTime(lab.sql(COUNT))
  expect(JSON.parse(answer.text), answer.text).toMatchObject({ rows: [{ n: CONTRIBUTIONS_ROWS }] })
  expect((await inTime(lab.call('GET', '/api/v1/tables'))).status).toBe(200)
}

describe('files that stall, vanish or are damaged', () => {
  let lab: ServerLab
  let folder: string
  beforeAll(async () => {
    lab = await startLab({
      env: { SKEP_QUERY_TIMEOUT_MS: '2000' },
      prepare: async (place, warehouse) => {
        folder = join(place.dir, 'folder')
        for (const name of ['a', 'b'])
          await place.write('SELECT i AS who, i AS at FROM range(100) r(i)', `folder/${name}.parquet`)
        await warehouse.register('f', folder, { actor: 'who', time: 'at', timeUnit: 's' })
      },
    })
  })
  afterAll(() => lab[Symbol.asyncDispose]())

  const everything = async (table: string) =>
    await Promise.all([
      ...Array.from({ length: 6 }, () => inTime(lab.sql(`SELECT count(*) AS n FROM ${table}`))),
      inTime(lab.call('GET', `/api/v1/tables/${table}`)),
      inTime(lab.call('GET', `/api/v1/tables/${table}/files`)),
      inTime(
        lab.call('POST', `/api/v1/tables/${table}/query`, {
          body: '{"query":{"conditions":[{"filter":["who",">",1]}]}}',
        }),
      ),
    ])

  /** Asks all of a table while something is wrong with it, and of others meanwhile; then again when it is right. */
  async function during(table: string, wrong: () => () => void): Promise<Answer[]> {
    const right = wrong()
    const answers = await everything(table).finally(async () => {
      await requireWell(lab).finally(right)
    })
    await requireWell(lab)
    if (table === 'f')
      expect(JSON.parse((await inTime(lab.sql('SELECT count(*) AS n FROM f'))).text)).toMatchObject({
        rows: [{ n: 200 }],
      })
    return answers
  }

  test.each<[string, (path: string) => void]>([
    ['a pipe that nobody writes into', (path) => execFileSync('mkfifo', [path])],
    ['a folder of that name', (path) => mkdirSync(path)],
    ['a link that leads nowhere', (path) => symlinkSync('/nowhere/x.parquet', path)],
    ['a link to itself', (path) => symlinkSync(path, path)],
    ['a device', (path) => symlinkSync('/dev/zero', path)],
    ['an empty file', (path) => writeFileSync(path, '')],
    ['something else', (path) => writeFileSync(path, 'x'.repeat(5000))],
  ])('%s among the files of a folder', async (_, make) => {
    const path = join(folder, 'c.parquet')
    await during('f', () => {
      make(path)
      return () => rmSync(path, { recursive: true, force: true })
    })
  })

  test('a file that is cut short', async () => {
    const path = join(folder, 'a.parquet')
    const kept = join(lab.lab.dir, 'kept.parquet')
    const answers = await during('f', () => {
      renameSync(path, kept)
      execFileSync('cp', [kept, path])
      truncateSync(path, statSync(path).size - 20)
      return () => renameSync(kept, path)
    })
    expect(answers.map(({ status }) => status)).not.toContain(200)
  })

  test('a folder that went away', async () => {
    await during('f', () => {
      renameSync(folder, `${folder}-away`)
      return () => renameSync(`${folder}-away`, folder)
    })
  })

  test('data files of the warehouse that went away', async () => {
    const [file = ''] = await dataFiles(lab.warehouse, 'events')
    renameSync(file, `${file}.away`)
    const answer = await inTime(lab.sql('SELECT sum(files) AS n FROM events'))
    expect([400, 404, 409, 503], answer.text).toContain(answer.status)
    expect((await inTime(lab.sql('SELECT count(*) AS n FROM f'))).status).toBe(200)
    renameSync(`${file}.away`, file)
    await requireWell(lab)
  })

  test('the metadata of all tables that went away', async () => {
    const [tables, away] = [join(lab.lab.root, 'tables'), join(lab.lab.root, 'tables-away')]
    renameSync(tables, away)
    const answers = await Promise.all([
      inTime(lab.sql(COUNT)),
      inTime(lab.call('GET', '/api/v1/tables')),
      inTime(lab.call('GET', '/api/v1/tables/events')),
      inTime(lab.call('GET', '/readyz')),
    ])
    expect(answers[0]!.status, answers[0]!.text).toBeGreaterThanOrEqual(400)
    renameSync(away, tables)
    await requireWell(lab)
  })

  test('a table of others whose log is a pipe', async () => {
    const log = join(lab.lab.dir, 'delta/_delta_log')
    mkdirSync(log, { recursive: true })
    execFileSync('mkfifo', [join(log, '00000000000000000000.json')])
    const attach = async () =>
      await inTime(
        lab.call('POST', '/api/v1/tables/d/attach', {
          body: JSON.stringify({ uri: join(lab.lab.dir, 'delta'), type: 'delta' }),
        }),
      )
    const answers = await Promise.all([attach(), attach(), attach(), attach(), attach(), requireWell(lab)])
    for (const answer of answers.slice(0, 5)) expect((answer as Answer).status).toBeGreaterThanOrEqual(400)
    await requireWell(lab)
  })

  test('a query that does not end has its deadline', async () => {
    const asked = Promise.all([ENDLESS, ENDLESS, ENDLESS].map((sql) => inTime(lab.sql(sql))))
    await requireWell(lab)
    expect((await asked).map(codeOf)).toEqual(['QUERY_TIMEOUT', 'QUERY_TIMEOUT', 'QUERY_TIMEOUT'])
    await requireWell(lab)
  })
})

test('a folder that may not be read or written', async ({ skip }) => {
  if (process.getuid?.() === 0) skip('root may read and write all')
  await using lab = await startLab()
  chmodSync(lab.lab.root, 0)
  const answer = await inTime(lab.sql(COUNT))
  expect(answer.status).toBeGreaterThanOrEqual(400)
  chmodSync(lab.lab.root, 0o755)
  await requireWell(lab)
})

test('a full disk: uploads and exports end with a code, reading goes on, and all is well once there is room', async ({
  skip,
}) => {
  await using lab = await startLab()
  const disk = join(lab.lab.dir, 'disk')
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', disk], { stdio: 'ignore' })
  } catch {
    skip('a small disk can be mounted by root only')
  }
  try {
    const root = join(disk, 'warehouse')
    await using warehouse = await Warehouse.open(root, { env: { SKEP_THREADS: '2' } })
    await warehouse.import('events', [CONTRIBUTIONS], { actor: 'actor', time: 'ts', buckets: 2 })
    await using server = await Server.start(warehouse, { port: 0, version: '0.0.0' })
    const call: ServerLab['call'] = async (method, path, { body, headers } = {}) => {
      const asked = {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(body !== undefined && { body }),
      }
      const response = await fetch(server.url + path, asked as RequestInit)
      return { status: response.status, headers: response.headers, text: await response.text() }
    }
    const here = {
      call,
      sql: async (sql: string, ask = {}) =>
        await call('POST', '/api/v1/sql', { ...ask, body: JSON.stringify({ sql }) }),
    }
    const large = Buffer.alloc(30 << 20, 'abcdefgh,1\n')
    const upload = async () =>
      await inTime(call('POST', '/api/v1/tables/t/import', { body: large, headers: { 'content-type': 'text/csv' } }))
    const answers = await Promise.all([upload(), upload(), requireWell(here)])
    expect(answers.slice(0, 2).map((answer) => codeOf(answer as Answer))).toEqual(['DISK_FULL', 'DISK_FULL'])
    const rows = 'SELECT hash(i) AS a, hash(i + 1) AS b, hash(i + 2) AS c FROM range(3000000) t(i)'
    const exported = await inTime(here.sql(rows, { headers: { accept: 'application/vnd.apache.parquet' } }))
    expect([codeOf(exported), exported.status]).toEqual(['DISK_FULL', 413])
    writeFiller(join(disk, 'filler'))
    await requireWell(here)
    expect(
      (await inTime(call('PUT', '/api/v1/saved/x', { body: '{"kind":"sql","text":"SELECT 1"}' }))).status,
    ).toBeGreaterThanOrEqual(400)
    await requireWell(here)
    rmSync(join(disk, 'filler'))
    await eventually('nothing is left', () => leftOver(root).length === 0)
    const small = await inTime(
      call('POST', '/api/v1/tables/t/import', {
        body: Buffer.from('a,b\n1,2\n'),
        headers: { 'content-type': 'text/csv' },
      }),
    )
    expect(small.status, small.text).toBe(200)
    await requireWell(here)
  } finally {
    execFileSync('umount', ['-l', disk])
  }
})

/** Fills a disk to its last byte. */
function writeFiller(path: string): void {
  for (const size of [1 << 20, 1 << 16, 1 << 12, 1]) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size), { flag: 'a' })
    } catch {
      // Full for pieces of this size.
    }
  }
}

describe('threads that die', () => {
  let meet: (worker: Worker) => void = () => {}
  const note = (worker: Worker) => meet(worker)
  beforeAll(() => void process.on('worker', note))
  afterAll(() => void process.off('worker', note))
  afterEach(() => {
    meet = () => {}
  })
  const env = {
    SKEP_SPLIT: 'always',
    SKEP_TASK_ROWS: '20000',
    SKEP_POOL: 'threads',
    SKEP_THREADS: '2',
    SKEP_TASK_ATTEMPTS: '3',
  }
  const GROUPS = 'SELECT event, count(*) AS n FROM events GROUP BY event ORDER BY event'

  test('again and again cost a query its answer, with a code and a status that says to try again, and no other', async () => {
    await using lab = await startLab({ env })
    let killed = 0
    // Before it has loaded the engine: later, a thread that is stopped may take the process along.
    meet = (worker) => {
      killed++
      void worker.terminate()
    }
    const [dying, inline] = await Promise.all([
      inTime(lab.sql(GROUPS)),
      inTime(lab.call('POST', '/api/v1/sql', { body: JSON.stringify({ sql: GROUPS, pool: 'inline' }) })),
    ])
    expect([dying.status, codeOf(dying)]).toEqual([503, 'WORKER_LOST'])
    expect(inline.status, inline.text).toBe(200)
    expect(killed).toBeGreaterThan(1)
    const streamed = await inTime(
      lab.call('POST', '/api/v1/sql?stream=true', { body: JSON.stringify({ sql: GROUPS }) }),
    )
    expect(streamed.text).toContain('"code":"WORKER_LOST"')
    meet = () => {}
    const again = await inTime(lab.sql(GROUPS))
    expect(JSON.parse(again.text).rows).toEqual(JSON.parse(inline.text).rows)
    await requireWell(lab)
  })

  test('once cost a query nothing but another try', async () => {
    await using lab = await startLab({ env })
    let killed = 0
    meet = (worker) => {
      if (killed++ < 1) void worker.terminate()
    }
    const { status, text } = await inTime(lab.sql(GROUPS))
    expect([status, killed > 1], text).toEqual([200, true])
  })
})
