/** Appends, replacements, first imports, rollbacks, drops, vacuums and readers at once, in every order that a seed can think of. */
import { expect, test } from 'vitest'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { Scene, type Tally } from './actors.ts'
import type { Actor } from './world.ts'

const RUNS = runs(150, 5000)
const tally: Tally = {}

const WORK: Record<string, (scene: Scene, actor: Actor, table: string) => Promise<void>> = {
  append: (scene, actor, table) => scene.write(actor, table, { operation: 'append', lease: true }),
  bare: (scene, actor, table) => scene.write(actor, table, { operation: 'append', lease: false }),
  replace: (scene, actor, table) => scene.write(actor, table, { operation: 'overwrite', lease: true }),
  create: (scene, actor, table) => scene.create(actor, scene.world.pick([table, 'u', actor.name])),
  vacuum: (scene, actor, table) =>
    scene.vacuum(actor, scene.world.pick([table, undefined]), scene.world.pick([0, 0, 100, 1500])),
  rollback: (scene, actor, table) => scene.rollback(actor, table),
  drop: (scene, actor, table) => scene.drop(actor, table),
  read: (scene, actor, table) => scene.read(actor, table),
}

const CASTS = [
  ['append', 'append', 'vacuum', 'replace', 'read'],
  ['append', 'append', 'bare', 'vacuum', 'vacuum', 'rollback', 'read'],
  ['create', 'create', 'append', 'vacuum', 'drop', 'read'],
  ['create', 'create', 'vacuum', 'vacuum', 'create', 'drop', 'append'],
  ['append', 'append', 'append', 'replace', 'vacuum', 'vacuum', 'append'],
  ['append', 'bare', 'replace', 'rollback', 'vacuum', 'vacuum', 'drop', 'create', 'read'],
]

const EVENTS = [
  'append: done',
  'overwrite: done',
  'create: done',
  'rollback: done',
  'drop: done',
  'vacuum: files removed',
  'vacuum: snapshots expired',
  'read: a whole snapshot, or one that had expired',
]

const RARE_EVENTS = [
  'append: looked up or repeated',
  'append: files condemned',
  'append without lease: files condemned',
  'create: shut out',
]

/** What went wrong in the run of a seed; nothing is as it should be. */
async function simulate(seed: number): Promise<{ faults: string[]; log: string[] }> {
  const faults = [
    { stall: 0, pause: 0, lost: 0 },
    { stall: 0.03, pause: 0.01, lost: 0 },
    { stall: 0.02, pause: 0.01, lost: 0.03 },
    { stall: 0.02, pause: 0.05, lost: 0 },
  ][seed % 4]!
  const scene = new Scene(seed, faults, tally)
  const { world, witness } = scene
  try {
    const maker = world.spawn('maker', 'a')
    const make = scene.live(maker, 3, () => scene.create(maker, 't'))
    await world.run([make])
    scene.pauseMs = world.pick([50, 150, 2000])
    // Vacuums that see no writer's process have only the leases to go by.
    const isApart = world.random() < 0.3
    const lives = world.pick(CASTS).map((work, k) => {
      const killAfter = world.random() < 0.2 ? Math.floor(world.random() * 60) : Number.POSITIVE_INFINITY
      const host = isApart ? (work === 'vacuum' ? 'a' : 'b') : world.pick(['a', 'a', 'b'])
      const actor = world.spawn(`${work}${k}`, host, killAfter)
      const table = world.random() < 0.8 ? 't' : 'u'
      const times = 1 + Math.floor(world.random() * (work === 'vacuum' || work === 'read' ? 5 : 3))
      return scene.live(actor, times, () => WORK[work]!(scene, actor, table))
    })
    await world.run(lives)
    await requireClean(scene)
  } catch (error) {
    witness.faults.push(error instanceof Error ? `${error.message}\n${error.stack}` : String(error))
  }
  return { faults: witness.faults, log: world.log }
}

/** Once all have ended, a vacuum leaves nothing but what the newest versions need, and what it needs itself. */
async function requireClean(scene: Scene): Promise<void> {
  const { world, witness } = scene
  for (const actor of world.actors) actor.dead = true
  // Late writes arrive, leases of processes elsewhere lapse.
  world.calm()
  await world.drain()
  world.nowMs += 20_000
  const janitor = world.spawn('janitor', 'a')
  await world.run([scene.live(janitor, 2, () => scene.vacuum(janitor, undefined, 0))])
  const { objects } = await world.store.list('tables/', { limit: 100_000 })
  for (const { path } of objects) {
    const [, uuid, part] = path.split('/')
    const isVersion = /\/v\d+\.metadata\.json$|version-hint\.text$/.test(path)
    if (witness.isTable(uuid!) ? isVersion || witness.needs(uuid!, path) : isVersion && part === 'metadata') continue
    witness.faults.push(`${path} is left over`)
  }
}

test(`nothing that is needed is removed, and nothing is read that never was, in ${RUNS} runs`, {
  timeout: tortureTimeout(120_000),
}, async () => {
  const first = tortureSeed()
  for (let seed = first; seed < first + RUNS; seed++) {
    const { faults, log } = await simulate(seed)
    expect(faults, `seed ${seed}; the last steps:\n${log.slice(-60).join('\n')}`).toEqual([])
  }
  // What never happens proves nothing.
  for (const event of runs(0, 1) ? [...EVENTS, ...RARE_EVENTS] : EVENTS) {
    expect(tally[event] ?? 0, event).toBeGreaterThan(0)
  }
  if (process.env.SKEP_TORTURE === '1') console.log(`seed ${first}: ${JSON.stringify(tally, undefined, 1)}`)
})

test('a seed replays the same run', async () => {
  const seed = tortureSeed() + 7
  const [one, two] = [await simulate(seed), await simulate(seed)]
  expect(one.log.length).toBeGreaterThan(100)
  expect(two).toEqual(one)
})
