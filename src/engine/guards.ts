/**
 * Functions that could fill the memory, hold a thread or overflow the stack in one call, where the engine looks neither
 * at its limits nor for an interrupt. In a fenced engine a macro of the same name stands before each of them, and looks
 * at the arguments first.
 */
import { SETTINGS, type Settings } from '../config.ts'

/** Rows of a vector: a call in a query over many rows is made for so many of them before anybody looks. */
const VECTOR_ROWS = 2048
const MOST_PAIRS = SETTINGS.valuePairs.default
/** Bytes of a replacement that are no danger. */
const SHORT_REPLACEMENT = 64
/** Arrays and objects up to which JSON cannot be nested too deeply, so that its depth is not counted. */
const SHALLOW_BRACKETS = 500
/** Levels of JSON that are taken away before the depth of the rest is counted. */
const SHALLOW_LEVELS = 8
const MOST_BRACKETS = SETTINGS.jsonBrackets.default

/** The variable of a session that holds the bytes which one call may make. */
const BYTES = 'skep_value_bytes'

/** The statement that sets how large a value one call may make: it is larger when all guarded calls of the query are made once. */
export function valueLimitSql({ memoryBytes, threads }: Settings, singleCalls = 0): string {
  const perVector = Math.max(
    SETTINGS.valueBytes.default,
    (memoryBytes * SETTINGS.valueShare.default) / (VECTOR_ROWS * threads),
  )
  const perCall =
    singleCalls > 0 ? Math.max(perVector, (memoryBytes * SETTINGS.singleValueShare.default) / singleCalls) : perVector
  return `SET VARIABLE ${BYTES} = ${Math.floor(perCall)}::DOUBLE`
}

/** The statements that make the macros. */
export function guardSql(settings: Settings): string[] {
  return Object.entries(guards(settings.jsonValueDepth)).map(([name, overloads]) => {
    const bodies = overloads.map(({ parameters, faults }) => {
      return `(${parameters}) AS CASE ${faults.join(' ')} ELSE system.main.${name}(${parameters}) END`
    })
    return `CREATE MACRO ${name}${bodies.join(', ')}`
  })
}

/** One form of a guarded function. */
interface Overload {
  parameters: string
  /** Branches of a CASE that fail. */
  faults: string[]
}

function guards(depth: number): Record<string, Overload[]> {
  const resized: Overload[] = ['l, n', 'l, n, v'].map((parameters) => ({
    parameters,
    faults: [large('16 * n::DOUBLE')],
  }))
  const padded: Overload[] = [{ parameters: 's, n, p', faults: [large('4 * n::DOUBLE')] }]
  const compared = (factor: number, ...more: string[]): Overload[] =>
    ['a, b', ...more].map((parameters) => ({ parameters, faults: [long('a', 'b', factor)] }))
  const json = (...names: string[]): Overload[] => [
    { parameters: names.join(', '), faults: names.map((name) => nested(name, depth)) },
  ]
  return {
    repeat: [{ parameters: 'x, n', faults: [large('n::DOUBLE * (1 + strlen(x::VARCHAR))')] }],
    replace: [{ parameters: 's, a, b', faults: [large(replaced('s', 'b'))] }],
    lpad: padded,
    rpad: padded,
    bitstring: [{ parameters: 's, n', faults: [large('n::DOUBLE')] }],
    range: series(),
    generate_series: series(),
    list_resize: resized,
    array_resize: resized,
    levenshtein: compared(1),
    editdist3: compared(1),
    damerau_levenshtein: compared(4),
    jaro_similarity: compared(0.001, 'a, b, c'),
    jaro_winkler_similarity: compared(0.001, 'a, b, c'),
    json_structure: json('x'),
    json_pretty: json('x'),
    json_contains: json('x', 'y'),
    json_merge_patch: json('x', 'y'),
  }
}

const BYTES_LIMIT = `getvariable('${BYTES}')`

function large(cost: string): string {
  return `WHEN ${cost} > ${BYTES_LIMIT} THEN error('skep_bytes beyond ' || ${BYTES_LIMIT}::BIGINT)`
}

/** A text with each of its letters replaced; that of a short replacement is as good as no cost, and not computed where it is a constant. */
function replaced(text: string, replacement: string): string {
  return `CASE WHEN strlen(${replacement}) <= ${SHORT_REPLACEMENT} THEN 0 ELSE strlen(${text})::DOUBLE * strlen(${replacement}) END`
}

function long(a: string, b: string, factor: number): string {
  return `WHEN length(${a})::DOUBLE * length(${b}) * ${factor} > ${MOST_PAIRS} THEN error('skep_pairs beyond ${MOST_PAIRS}')`
}

/** Its brackets are counted first; where there are many, pairs of leaves are taken away level by level; only where that leaves some, the rest is counted. */
function nested(value: string, depth: number): string {
  const few = `strlen(translate(${value}::VARCHAR, '[{', '')) >= strlen(${value}::VARCHAR) - ${SHALLOW_BRACKETS}`
  const rest = Array.from({ length: SHALLOW_LEVELS }).reduce<string>(
    (text) => `regexp_replace(${text}, '\\[\\]|\\{\\}', '', 'g')`,
    bracketsOf(value),
  )
  const counted = `${depthOf(`left(${rest}, ${MOST_BRACKETS})`)} + ${SHALLOW_LEVELS} > ${depth}`
  const deep = `WHEN ${rest} = '' THEN false WHEN strlen(${rest}) > ${MOST_BRACKETS} THEN true ELSE ${counted}`
  return `WHEN CASE WHEN ${few} OR ${value} IS NULL THEN false ${deep} END THEN error('skep_depth beyond ${depth}')`
}

/** Series of numbers or of times: the cost of one is the number of its elements. */
function series(): Overload[] {
  const number = (value: string) => `TRY_CAST(${value}::VARCHAR AS DOUBLE)`
  const second = (value: string) => `epoch(TRY_CAST(${value}::VARCHAR AS TIMESTAMPTZ))`
  const difference = `(${number('b')} - ${number('a')})`
  const times = `(${second('b')} - ${second('a')}) / epoch(TRY_CAST(c::VARCHAR AS INTERVAL))`
  return [
    { parameters: 'a', faults: [large('8 * a::DOUBLE')] },
    { parameters: 'a, b', faults: [large(`8 * ${difference}`)] },
    { parameters: 'a, b, c', faults: [large(`8 * coalesce(${difference} / nullif(${number('c')}, 0), ${times})`)] },
  ]
}

/** The brackets of JSON outside of its strings. */
function bracketsOf(value: string): string {
  const strings = `'"(?:[^"\\\\]|\\\\.)*"'`
  return `regexp_replace(regexp_replace(${value}::VARCHAR, ${strings}, '', 'g'), '[^\\[\\]{}]', '', 'g')`
}

/** The greatest depth of brackets: the largest of the sums of +1 and -1 up to each of them. */
function depthOf(bare: string): string {
  const steps = `list_transform(string_split(${bare}, ''), lambda b: {d: CASE WHEN b IN ('[', '{') THEN 1 ELSE -1 END, m: 0})`
  return `list_reduce(${steps}, lambda s, n: {d: s.d + n.d, m: greatest(s.m, s.d, s.d + n.d)}).m`
}
