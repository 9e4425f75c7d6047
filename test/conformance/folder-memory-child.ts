/** Registers a folder in a process of its own: `node folder-memory-child.ts WAREHOUSE FOLDER`; prints the result, time and peak memory. */
import { readFileSync } from 'node:fs'
import type { RegisterResult } from '../../src/inputs/register.ts'
import { Warehouse } from '../../src/warehouse.ts'

/** What it prints, as JSON. */
export interface Outcome {
  result: RegisterResult
  ms: number
  peakBytes: number
}

const [, , root, folder] = process.argv
const warehouse = await Warehouse.open(root!)
const started = performance.now()
const result = await warehouse.register('big', folder!, { actor: 'who', time: 'ts' })
const ms = Math.round(performance.now() - started)
await warehouse.close()
const peakKb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1])
const outcome: Outcome = { result, ms, peakBytes: peakKb * 1024 }
console.log(JSON.stringify(outcome))
