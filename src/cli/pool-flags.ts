/** Where a query runs, and what it may cost: flags that `sql` and `query` share. */
import type { CallOptions } from '../coordinator/calls.ts'
import type { SpendingLimits } from '../planner/estimate.ts'
import type { PoolName } from '../planner/plan.ts'
import { invalid } from './arguments.ts'
import type { FlagValues } from './command.ts'
import { countText } from './output/numbers.ts'
import type { Progress } from './output/progress.ts'

/** The flags of the commands that take them. */
export const POOL_FLAGS = {
  pool: {
    value: 'POOL',
    choices: ['inline', 'threads'],
    help: 'Where tasks of the query run: `inline` in this process, `threads` (when absent) on worker threads. `--explain` tells whether it is divided into tasks, and why.',
  },
  'max-cost': {
    value: 'DOLLARS',
    help: 'Refuses the query when its tasks would cost more on AWS Lambda by the estimate, wherever it runs.',
  },
  'max-bytes': {
    value: 'SIZE',
    help: 'Refuses the query when the files that it has to read are larger, such as `500MB`.',
  },
} as const

/** The options that the flags stand for. @throws ARGUMENT_INVALID */
export function readPoolFlags(flags: FlagValues<typeof POOL_FLAGS>): { pool?: PoolName } & SpendingLimits {
  const { pool, 'max-cost': cost, 'max-bytes': bytes } = flags
  return {
    ...(pool !== undefined && { pool }),
    ...(cost !== undefined && { maxCost: readAmount('max-cost', cost, /^\$?(\d+(?:\.\d+)?(?:e-?\d+)?)$/i) }),
    ...(bytes !== undefined && { maxBytes: readSize(bytes) }),
  }
}

function readAmount(flag: string, text: string, pattern: RegExp): number {
  const match = pattern.exec(text.trim())
  if (!match) throw invalid(flag, `--${flag} ${text}: expected a number such as 0.05`)
  return Number(match[1])
}

const UNITS: Record<string, number> = { '': 1, b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 }

function readSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim())
  const unit = match && UNITS[match[2]!.toLowerCase()]
  if (!match || unit === undefined || unit === null) {
    throw invalid('max-bytes', `--max-bytes ${text}: expected a size such as 500MB`)
  }
  return Math.floor(Number(match[1]) * unit)
}

/** Shows how far a query is: the part done, and its tasks where it has any. */
export function showingProgress(bar: Progress): NonNullable<CallOptions['onProgress']> {
  return (fraction, progress) => {
    if (!progress) return bar.update(fraction)
    const { tasks, done, running, rows } = progress
    bar.update(fraction, `${done} of ${tasks} tasks, ${running} running, ${countText(rows)} rows`)
  }
}
