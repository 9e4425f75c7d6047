/** Statistics of one column over all files, as one text that is parsed when somebody asks for the column. */
import type { ColumnStatistics, Scalar } from '../types.ts'
import type { StatisticsList } from './registration.ts'
import { scalarFromJson, scalarToJson } from './scalar-json.ts'

const COUNTS = ['sizeBytes', 'values', 'nulls', 'nans'] as const
const BOUNDS = ['lower', 'upper'] as const
/** How bounds are written: as integers, or each with its tag. */
const INTEGERS = 'integers'
const TAGGED = 'tagged'

type Counts = (number | null)[] | number | null
type Bounds = [form: string, values: unknown[]] | null

/** The text of one column: a list with one entry for each file, or one value where all files have the same. */
export function encodeStatistics(files: readonly (ColumnStatistics | undefined)[]): string {
  const counts = COUNTS.map((key): Counts => shortened(files.map((file) => file?.[key] ?? null)))
  const bounds = BOUNDS.map((key): Bounds => encodeBounds(files.map((file) => file?.[key])))
  return JSON.stringify([...counts, ...bounds])
}

function shortened(values: (number | null)[]): Counts {
  const [first = null] = values
  return values.every((value) => value === first) ? first : values
}

function encodeBounds(values: readonly (Scalar | undefined)[]): Bounds {
  if (values.every((value) => value === undefined)) return null
  const isInteger = (value: Scalar | undefined) =>
    value === undefined || (typeof value === 'bigint' && Number.isSafeInteger(Number(value)))
  if (values.every(isInteger)) return [INTEGERS, values.map((value) => (value === undefined ? null : Number(value)))]
  return [TAGGED, values.map((value) => (value === undefined ? null : scalarToJson(value)))]
}

interface Block {
  counts: Counts[]
  bounds: Bounds[]
}

/** The statistics of many files, each column still a text. */
export class LazyStatistics {
  readonly #texts: readonly string[]
  readonly #length: number
  readonly #damage: (column: number) => Error
  readonly #blocks: (Block | undefined)[] = []

  /** `damage` makes the error for a column whose text is not what was written. */
  constructor(texts: readonly string[], length: number, damage: (column: number) => Error) {
    this.#texts = texts
    this.#length = length
    this.#damage = damage
  }

  /** The statistics of one file. */
  ofFile(file: number): StatisticsList {
    return { at: (column) => this.#at(column, file) }
  }

  #at(column: number, file: number): ColumnStatistics | undefined {
    if (this.#texts[column] === undefined) return undefined
    const block = this.#blocks[column] ?? this.#parse(column)
    this.#blocks[column] = block
    const { counts, bounds } = block
    const statistics: ColumnStatistics = {}
    for (const [k, key] of COUNTS.entries()) {
      const all = counts[k]!
      const value = Array.isArray(all) ? all[file] : all
      if (value !== null && value !== undefined) statistics[key] = value
    }
    for (const [k, key] of BOUNDS.entries()) {
      const [form, values] = bounds[k] ?? []
      const value = values?.[file] ?? null
      if (value === null) continue
      const scalar = form === INTEGERS ? BigInt(value as number) : scalarFromJson(value)
      if (scalar === undefined) throw this.#damage(column)
      statistics[key] = scalar
    }
    return Object.keys(statistics).length === 0 ? undefined : statistics
  }

  #parse(column: number): Block {
    let json: unknown
    try {
      json = JSON.parse(this.#texts[column]!)
    } catch {
      throw this.#damage(column)
    }
    if (!Array.isArray(json) || json.length !== COUNTS.length + BOUNDS.length) throw this.#damage(column)
    const counts = json.slice(0, COUNTS.length)
    const bounds = json.slice(COUNTS.length)
    if (!counts.every((value) => this.#areCounts(value)) || !bounds.every((value) => this.#areBounds(value))) {
      throw this.#damage(column)
    }
    return { counts, bounds }
  }

  #areCounts(value: unknown): value is Counts {
    const isCount = (item: unknown) => item === null || (Number.isSafeInteger(item) && (item as number) >= 0)
    return Array.isArray(value) ? value.length === this.#length && value.every(isCount) : isCount(value)
  }

  #areBounds(value: unknown): value is Bounds {
    if (value === null) return true
    if (!Array.isArray(value) || value.length !== 2 || !Array.isArray(value[1])) return false
    const [form, values] = value
    if (values.length !== this.#length) return false
    return form === TAGGED || (form === INTEGERS && values.every((item) => item === null || Number.isSafeInteger(item)))
  }
}
