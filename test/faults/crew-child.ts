/** One process of a crew (`node crew-child.ts ROOT`): does the jobs that come in line by line, and answers each with a line. */
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { isSkepError } from '../../src/errors.ts'
import { Warehouse } from '../../src/warehouse.ts'
import type { Answer, Job } from './crew.ts'

const warehouse = await Warehouse.open(process.argv[2]!, { env: { SKEP_THREADS: '1' } })
let isReading = false

/** What a job has to tell beside its outcome. */
async function work(job: Job): Promise<object> {
  switch (job.verb) {
    case 'import':
      return await warehouse.import(job.table, [job.path], job.options)
    case 'imports':
      for (const path of job.paths) await warehouse.import(job.table, [path], job.options)
      return {}
    case 'drop':
      await warehouse.drop(job.table)
      return {}
    case 'register':
      await warehouse.register(job.table, job.path, { actor: 'k', time: 'k' })
      return {}
    case 'read': {
      isReading = true
      return await readAgainAndAgain(job.table)
    }
    case 'stop reading':
      isReading = false
      return {}
  }
}

/** Counts states of a table, the newest and one of the past at a time, until it is told to stop; a state that is not as its summary says is an error. */
async function readAgainAndAgain(table: string): Promise<object> {
  let reads = 0
  let newest = 0
  while (isReading) {
    const history = await warehouse.snapshots(table)
    for (const { id, summary } of [history.at(-1)!, history[reads % history.length]!]) {
      const { rows } = await warehouse.sql(`SELECT count(*) AS n, count(DISTINCT k) AS d FROM ${table}`, { at: id })
      const wanted = Number(summary['total-records'])
      if (rows[0]!.n !== wanted || rows[0]!.d !== wanted) throw new Error(`${JSON.stringify(rows)}, not ${wanted} rows`)
      reads++
    }
    const { rows } = await warehouse.sql(`SELECT count(*) AS n FROM ${table}`)
    const now = Number(rows[0]!.n)
    if (now < newest) throw new Error(`${now} rows after ${newest}`)
    newest = now
  }
  return { reads }
}

createInterface({ input: process.stdin }).on('line', async (line) => {
  const job = JSON.parse(line) as Job
  const answer: Answer = { id: job.id, outcome: 'done' }
  try {
    if (job.atMs !== undefined) await setTimeout(Math.max(0, job.atMs - Date.now()))
    answer.details = await work(job)
  } catch (error) {
    answer.outcome = isSkepError(error) ? error.code : String(error)
    if (isSkepError(error, 'INTERNAL')) answer.outcome += ` ${String(error.cause)}`
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
})
process.stdin.on('end', () => warehouse.close())
