/** `npm run torture [-- seed]`: the long form of every suite that has one, with its seed and its time. */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'

const seed = process.argv[2] ?? String(Math.floor(Math.random() * 2 ** 31))
const files = globSync('test/**/*.torture.test.ts').sort()
const started = performance.now()
console.log(`seed ${seed}; again with: npm run torture -- ${seed}`)
const { status } = spawnSync('vitest', ['run', '--reporter=verbose', ...files], {
  stdio: 'inherit',
  env: { ...process.env, SKEP_TORTURE: '1', SKEP_TEST_SEED: seed },
})
console.log(
  `seed ${seed}: ${status === 0 ? 'passed' : 'failed'} after ${Math.round((performance.now() - started) / 1000)} s`,
)
process.exitCode = status ?? 1
