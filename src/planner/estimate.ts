/** What a query will read and cost, before anything runs. */
import type { Settings } from '../config.ts'
import { SkepError } from '../errors.ts'

/** What is to be read, after pruning. */
export interface Reads {
  files: number
  bytes: number
  rows: number
  /** Tasks that it would be divided into. */
  tasks: number
}

/** What a query will read, and what its tasks would cost on AWS Lambda. */
export interface Estimate extends Reads {
  lambda: { gbSeconds: number; requests: number; dollars: number }
}

type Prices = Pick<
  Settings,
  'lambdaMemoryBytes' | 'lambdaRowsPerSecond' | 'lambdaTaskMs' | 'lambdaGbSecondPrice' | 'lambdaRequestPrice'
>

const GIB = 2 ** 30
/** Prices are settings in billionths of a dollar. */
const BILLION = 1e9

/** The estimate for these reads. */
export function estimateOf(reads: Reads, prices: Prices): Estimate {
  const seconds = reads.rows / prices.lambdaRowsPerSecond + (reads.tasks * prices.lambdaTaskMs) / 1000
  const gbSeconds = seconds * (prices.lambdaMemoryBytes / GIB)
  const dollars = (gbSeconds * prices.lambdaGbSecondPrice + reads.tasks * prices.lambdaRequestPrice) / BILLION
  return { ...reads, lambda: { gbSeconds, requests: reads.tasks, dollars } }
}

/** What a caller is willing to spend. */
export interface SpendingLimits {
  /** Most dollars that the query may cost on AWS Lambda by the estimate, wherever it runs. */
  maxCost?: number | undefined
  /** Most bytes of files that it may have to read. */
  maxBytes?: number | undefined
}

/** Passes when a query stays below these limits. @throws COST_LIMIT, BYTES_LIMIT */
export function requireAffordable({ bytes, lambda }: Estimate, { maxCost, maxBytes }: SpendingLimits): void {
  if (maxBytes !== undefined && bytes > maxBytes) {
    const message = `the query would read ${bytes} bytes, more than the ${maxBytes} that are allowed; narrow its WHERE clause or timeframe, or raise --max-bytes`
    throw new SkepError('BYTES_LIMIT', message, { bytes, limit: maxBytes })
  }
  if (maxCost !== undefined && lambda.dollars > maxCost) {
    const message = `the query would cost ${lambda.dollars.toPrecision(3)} dollars by the estimate, more than the ${maxCost} that are allowed; narrow it, or raise --max-cost`
    throw new SkepError('COST_LIMIT', message, { dollars: lambda.dollars, limit: maxCost })
  }
}
