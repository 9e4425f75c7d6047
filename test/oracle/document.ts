/** Results brought into one form, so that an expected one and a given one can be compared. */
import type { AggregationResult, BehaviouralResult, Warning } from '../../src/behaviour/result.ts'
import type { OracleDocument, OracleWarning } from './oracle.ts'

/** The expected or given document as plain JSON: maps as sorted lists of entries, warnings without their words and sorted. */
export function comparable(document: OracleDocument | BehaviouralResult<unknown>): unknown {
  const { query, funnel, warnings } = document
  return JSON.parse(
    JSON.stringify({ query, funnel, warnings: (warnings ?? []).map(plainWarning).sort(byText) }, (_, value) =>
      isMapAggregation(value) ? { ...value, value: Object.entries(value.value).sort(byText) } : value,
    ),
  )
}

function plainWarning(warning: Warning | OracleWarning): OracleWarning {
  const { code, path } = warning
  const words = 'message' in warning ? warning.message : undefined
  const rows = words === undefined ? (warning as OracleWarning).rows : Number(/^(\d+) row/.exec(words)?.[1])
  return { code, ...(path ? { path } : {}), ...(rows ? { rows } : {}) }
}

function isMapAggregation(value: unknown): value is AggregationResult & { value: Record<string, unknown> } {
  return value !== null && typeof value === 'object' && 'ranked' in value && 'value' in value
}

function byText(a: unknown, b: unknown): number {
  const [left, right] = [JSON.stringify(a), JSON.stringify(b)]
  return left < right ? -1 : left > right ? 1 : 0
}
