/** Many clients that ask a server at the same time, and what came of it. */

/** How a server is loaded. */
export interface Load {
  url: string
  clients: number
  seconds: number
  /** Megabytes that the server has, asked for once a second. */
  memory(): number
}

/** What came of it. Times are in milliseconds, of answers other than 429. */
export interface LoadReport {
  requests: number
  perSecond: number
  p50: number
  p99: number
  busy: number
  /** Answers that nobody should get, by their status and what was asked. */
  wrong: Map<string, number>
  /** Megabytes, once a second. */
  memory: number[]
}

interface Ask {
  name: string
  method: string
  path: string
  body?: string
  accept?: string
  status: number
}

const sql = (name: string, text: string, status = 200, accept?: string): Ask => ({
  name,
  method: 'POST',
  path: '/api/v1/sql',
  body: JSON.stringify({ sql: text }),
  status,
  ...(accept && { accept }),
})

const get = (name: string, path: string, status = 200): Ask => ({ name, method: 'GET', path: `/api/v1${path}`, status })

/** A mixture over the table `events` of contributions to projects: mostly small, some large, some wrong. */
const ASKS: readonly Ask[] = [
  ...Array.from({ length: 6 }, () => sql('small SQL', 'SELECT 1 AS one')),
  ...Array.from({ length: 4 }, () =>
    sql('SQL', 'SELECT event, count(*) AS n FROM events GROUP BY event ORDER BY n DESC'),
  ),
  sql(
    'large SQL',
    'SELECT actor, count(DISTINCT project) AS n, min(ts) AS since FROM events GROUP BY actor ORDER BY n DESC LIMIT 1000',
  ),
  sql('rows as NDJSON', 'SELECT * FROM events LIMIT 5000', 200, 'application/x-ndjson'),
  sql('rows as CSV', 'SELECT * FROM events LIMIT 5000', 200, 'text/csv'),
  sql('wrong SQL', 'SELECT nothing FROM events', 400),
  sql('a table that is none', 'SELECT * FROM nothing', 404),
  sql('a file', `SELECT * FROM '/etc/passwd'`, 400),
  ...Array.from({ length: 3 }, () => ({
    name: 'behavioural query',
    method: 'POST',
    path: '/api/v1/tables/events/query',
    body: '{"query":{"conditions":[{"filter":["event","==","build"]}]}}',
    status: 200,
  })),
  {
    name: 'wrong behavioural query',
    method: 'POST',
    path: '/api/v1/tables/events/query',
    body: '{"query":1}',
    status: 400,
  },
  { name: 'no JSON', method: 'POST', path: '/api/v1/sql', body: '{"sql":', status: 400 },
  ...Array.from({ length: 3 }, () => get('tables', '/tables')),
  get('table', '/tables/events'),
  get('queries', '/queries?limit=50'),
  get('nothing', '/nothing', 404),
]

/** Loads the server: each client asks, reads its answer to the end, and asks again; sent away, it waits as long as it was told, a second at most. */
export async function load({ url, clients, seconds, memory }: Load): Promise<LoadReport> {
  const times: number[] = []
  const wrong = new Map<string, number>()
  const sizes: number[] = [memory()]
  let busy = 0
  const end = performance.now() + seconds * 1000
  const note = (what: string) => wrong.set(what, (wrong.get(what) ?? 0) + 1)
  const client = async (first: number) => {
    for (let k = first; performance.now() < end; k += 7) {
      const ask = ASKS[k % ASKS.length]!
      const began = performance.now()
      const status = await send(url, ask).catch((error: Error) => error.message)
      if (status === 429) {
        busy++
        await new Promise((resolve) => setTimeout(resolve, 200 + 800 * Math.random()))
      } else if (status === ask.status) times.push(performance.now() - began)
      else note(`${ask.name}: ${status}`)
    }
  }
  const timer = setInterval(() => sizes.push(memory()), 1000)
  await Promise.all(Array.from({ length: clients }, (_, k) => client(k)))
  clearInterval(timer)
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor(times.length * share)] ?? Number.NaN
  const requests = times.length + busy
  return { requests, perSecond: requests / seconds, p50: at(0.5), p99: at(0.99), busy, wrong, memory: sizes }
}

async function send(url: string, { method, path, body, accept }: Ask): Promise<number> {
  const answer = await fetch(url + path, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...(accept && { accept }) },
    ...(body !== undefined && { body }),
  })
  for await (const _ of answer.body ?? []) {
    // Read to its end.
  }
  return answer.status
}
