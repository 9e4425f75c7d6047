/** Arguments that have to be written out in the query: the engine reads them once, and trusts them. */
import { asciiLower } from '../common/text.ts'
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

const MOST_CHARACTERS = SETTINGS.argumentCharacters.default

/** What an argument may be: a text of a bounded length, a path of JSON (which may also come from a column), a format or a replacement. */
type Rule = 'text' | 'path' | 'format' | 'replacement'

const RULES: Readonly<Record<string, { argument: number; rule: Rule; from?: number }>> = {
  // With options it may replace every match. No macro can stand before it: the engine wants its options as they are.
  regexp_replace: { argument: 2, rule: 'replacement', from: 4 },
  printf: { argument: 0, rule: 'format' },
  format: { argument: 0, rule: 'format' },
  from_json: { argument: 1, rule: 'text' },
  from_json_strict: { argument: 1, rule: 'text' },
  json_transform: { argument: 1, rule: 'text' },
  json_transform_strict: { argument: 1, rule: 'text' },
  ...Object.fromEntries(
    [
      ...['json_array_length', 'json_exists', 'json_extract', 'json_extract_path', 'json_extract_path_text'],
      ...['json_extract_string', 'json_keys', 'json_type', 'json_value', '->>'],
    ].map((name) => [name, { argument: 1, rule: 'path' as const }]),
  ),
}

/** The functions whose argument `x -> …` is a lambda; everywhere else the arrow takes a path. */
const LAMBDA_FUNCTIONS = /^(list_|array_)?(apply|filter|reduce|transform)$/

/** What {@link checkWrittenArguments} found: true when a parameter stands where a text has to be short. */
export interface WrittenArguments {
  shortParameters: boolean
}

/** Checks the arguments of one node of the tree. @throws SQL_FORBIDDEN */
export function checkWrittenArguments(node: TreeNode, found: WrittenArguments): void {
  const name = node.class === 'FUNCTION' ? asciiLower(text(node.function_name)) : ''
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined
  const args = nodes(node.children)
  const argument = rule && args.length >= (rule.from ?? 0) ? args[rule.argument] : undefined
  if (rule && argument) check(rule.rule, name, argument, found)
  for (const value of Object.values(node)) {
    for (const [k, child] of (Array.isArray(value) ? value : [value]).entries()) {
      if (!isNode(child) || child.class !== 'LAMBDA' || !isNode(child.expr)) continue
      if (k === 0 || !LAMBDA_FUNCTIONS.test(name)) check('path', '->', child.expr, found)
    }
  }
}

/** What an argument is made of. */
interface Parts {
  characters: number
  parameters: number
  /** Columns and subqueries: the engine does not take such an argument for written out, and trusts it less. */
  references: number
  calls: number
}

function check(rule: Rule, name: string, argument: TreeNode, found: WrittenArguments): void {
  const parts = partsOf(argument)
  if (rule === 'path' && parts.references > 0) return
  const parameters = rule === 'format' || rule === 'replacement' ? 0 : parts.parameters
  const most = rule === 'replacement' ? SETTINGS.replacementCharacters.default : MOST_CHARACTERS
  if (parts.references + parts.calls > 0 || parts.parameters > parameters || parts.characters > most) {
    const message = `${name} needs its ${rule} written out in the query, with at most ${most} characters`
    throw new SkepError('SQL_FORBIDDEN', message, { what: name })
  }
  if (rule === 'format') checkFormat(name, constantText(argument))
  if (parameters > 0) found.shortParameters = true
}

const JOINING = new Set(['||', 'list_value'])

function partsOf(value: unknown): Parts {
  const parts: Parts = { characters: 0, parameters: 0, references: 0, calls: 0 }
  const visit = (child: unknown): void => {
    if (Array.isArray(child)) child.forEach(visit)
    if (!isNode(child)) return
    if (child.class === 'CONSTANT') parts.characters += constantText(child).length
    else if (child.class === 'PARAMETER') parts.parameters++
    else if (child.class === 'COLUMN_REF' || child.class === 'SUBQUERY') parts.references++
    else if (child.class === 'FUNCTION' && !JOINING.has(text(child.function_name))) parts.calls++
    Object.values(child).forEach(visit)
  }
  visit(value)
  return parts
}

function constantText(node: TreeNode): string {
  return isNode(node.value) ? text(node.value.value) : ''
}

const MOST_DIGITS = SETTINGS.formatDigits.default
const WIDE_PRINTF = new RegExp(`%[^%a-zA-Z]*(?:\\*|\\d{${MOST_DIGITS + 1}})`)
const WIDE_FORMAT = new RegExp(`\\{[^{}]*(?:\\{|\\d{${MOST_DIGITS + 1}})`)

/** A width that is long, or that is itself an argument, would make a text of any length. */
function checkFormat(name: string, format: string): void {
  const wide = name === 'printf' ? WIDE_PRINTF : WIDE_FORMAT
  if (!wide.test(name === 'printf' ? format.replaceAll('%%', '') : format.replaceAll('{{', ''))) return
  const message = `${name}: a width or precision has at most ${MOST_DIGITS} digits and is written out`
  throw new SkepError('SQL_FORBIDDEN', message, { what: name })
}

/** Parameters that stand where a text has to be short. @throws QUERY_TOO_LARGE */
export function checkShortParameters(values: readonly unknown[]): void {
  if (!values.some((value) => typeof value === 'string' && value.length > MOST_CHARACTERS)) return
  const message = `a parameter is used as a path or a structure of JSON, and has more than ${MOST_CHARACTERS} characters`
  throw new SkepError('QUERY_TOO_LARGE', message, { limitBytes: MOST_CHARACTERS })
}
