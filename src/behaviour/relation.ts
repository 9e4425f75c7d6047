/**
 * Relations between conditions: `$0 and not ($1 or $name)`.
 *
 * Grammar: `or` binds loosest, then `and`, then `not`; `&&`, `||` and `!` are the same words; case does not matter, nor
 * do blanks around words and signs. Conditions go by place (`$0`) or by name.
 */
import { SkepError } from '../errors.ts'
import { shown } from './json.ts'
import { queryError } from './violations.ts'

const RELATION_PATH = '/query/relation'

/** A relation as a tree. Neither `and` nor `or` stands directly inside its own kind, nor `not` inside `not`. */
export type RelationNode =
  | { kind: 'condition'; index: number }
  | { kind: 'not'; of: RelationNode }
  | { kind: 'and' | 'or'; of: RelationNode[] }

/** Conditions as a relation sees them: how many, and the place of each name (in lower case). */
export interface ConditionNames {
  count: number
  places: ReadonlyMap<string, number>
}

/**
 * The tree of a relation. A bare operator stands for all conditions joined by it.
 *
 * @throws QUERY_INVALID (RELATION) when it does not parse or speaks of a condition that does not exist
 * @throws QUERY_TOO_DEEP when parentheses nest deeper than `depth`
 */
export function parseRelation(text: string, names: ConditionNames, depth: number): RelationNode {
  const operator = BARE.get(text.trim().toLowerCase())
  if (operator) return joined(operator, allConditions(names))
  const parser: Parser = { tokens: tokenize(text), at: 0, names, depth: 0, limit: depth }
  if (parser.tokens.length === 0) throw relationError('the relation is empty')
  const node = parseOr(parser)
  if (parser.at < parser.tokens.length) throw unexpected(parser, 'an operator')
  return node
}

/** All conditions joined by `and`: the relation of a query that gives none. */
export function defaultRelation(names: ConditionNames): RelationNode {
  return joined('and', allConditions(names))
}

const BARE = new Map<string, 'and' | 'or'>([
  ['and', 'and'],
  ['&&', 'and'],
  ['or', 'or'],
  ['||', 'or'],
])

function allConditions(names: ConditionNames): RelationNode[] {
  if (names.count === 0) throw relationError('the relation has no conditions to join')
  return Array.from({ length: names.count }, (_, index) => ({ kind: 'condition', index }))
}

interface Token {
  kind: 'condition' | 'and' | 'or' | 'not' | '(' | ')'
  text: string
}

const TOKEN = /\$[A-Za-z][A-Za-z_0-9]*|\$[0-9]+|and|or|not|&&|\|\||!|\(|\)/iy
const SIGNS = new Map<string, Token['kind']>([...BARE, ['not', 'not'], ['!', 'not'], ['(', '('], [')', ')']])

function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  const blanks = /\s*/y
  for (let at = 0; ; ) {
    blanks.lastIndex = at
    at += blanks.exec(text)![0].length
    if (at === text.length) return tokens
    TOKEN.lastIndex = at
    const found = TOKEN.exec(text)?.[0]
    if (found === undefined) throw relationError(`the relation does not parse at ${shown(text.slice(at, at + 20))}`)
    tokens.push({ kind: SIGNS.get(found.toLowerCase()) ?? 'condition', text: found })
    at += found.length
  }
}

interface Parser {
  readonly tokens: Token[]
  readonly names: ConditionNames
  readonly limit: number
  at: number
  depth: number
}

function parseOr(parser: Parser): RelationNode {
  const nodes = [parseAnd(parser)]
  while (takes(parser, 'or')) nodes.push(parseAnd(parser))
  return joined('or', nodes)
}

function parseAnd(parser: Parser): RelationNode {
  const nodes = [parseNot(parser)]
  while (takes(parser, 'and')) nodes.push(parseNot(parser))
  return joined('and', nodes)
}

function parseNot(parser: Parser): RelationNode {
  let negative = false
  while (takes(parser, 'not')) negative = !negative
  const node = parsePrimary(parser)
  if (!negative) return node
  return node.kind === 'not' ? node.of : { kind: 'not', of: node }
}

function parsePrimary(parser: Parser): RelationNode {
  const token = parser.tokens[parser.at]
  if (token?.kind === 'condition') {
    parser.at += 1
    return { kind: 'condition', index: resolve(token.text.slice(1), parser.names) }
  }
  if (!takes(parser, '(')) throw unexpected(parser, 'a condition, such as $0')
  parser.depth += 1
  if (parser.depth > parser.limit) {
    throw new SkepError('QUERY_TOO_DEEP', `the parentheses of the relation nest deeper than ${parser.limit} levels`, {
      limit: parser.limit,
      path: RELATION_PATH,
    })
  }
  const node = parseOr(parser)
  if (!takes(parser, ')')) throw unexpected(parser, 'an operator or ")"')
  parser.depth -= 1
  return node
}

function takes(parser: Parser, kind: Token['kind']): boolean {
  if (parser.tokens[parser.at]?.kind !== kind) return false
  parser.at += 1
  return true
}

function joined(kind: 'and' | 'or', nodes: RelationNode[]): RelationNode {
  if (nodes.length === 1) return nodes[0]!
  return { kind, of: nodes.flatMap((node) => (node.kind === kind ? node.of : [node])) }
}

function resolve(reference: string, names: ConditionNames): number {
  const byPlace = /^[0-9]/.test(reference)
  const index = byPlace ? Number(reference) : names.places.get(reference.toLowerCase())
  if (index === undefined) throw relationError(`there is no condition named ${shown(reference)}`)
  if (index >= names.count) {
    throw relationError(
      `there is no condition ${shown(`$${reference}`)}; the query has ${names.count}, counted from $0`,
    )
  }
  return index
}

function relationError(message: string): SkepError {
  return queryError([{ kind: 'RELATION', path: RELATION_PATH, message }])
}

function unexpected(parser: Parser, wanted: string): SkepError {
  const token = parser.tokens[parser.at]
  return relationError(`the relation needs ${wanted} ${token ? `in place of ${shown(token.text)}` : 'at its end'}`)
}

/** The relation's canonical text: conditions by place, `and`, `or`, `not`, and no more parentheses than needed. */
export function printRelation(node: RelationNode): string {
  switch (node.kind) {
    case 'condition':
      return `$${node.index}`
    case 'not':
      return `not ${printOperand(node.of)}`
    case 'and':
      return node.of
        .map((child) => (child.kind === 'or' ? `(${printRelation(child)})` : printRelation(child)))
        .join(' and ')
    case 'or':
      return node.of.map(printRelation).join(' or ')
  }
}

function printOperand(node: RelationNode): string {
  return node.kind === 'condition' ? printRelation(node) : `(${printRelation(node)})`
}

/** The places of the conditions that the relation uses, ascending, each once. */
export function usedConditions(node: RelationNode): number[] {
  const used = new Set<number>()
  collect(node, used)
  return [...used].sort((a, b) => a - b)
}

function collect(node: RelationNode, used: Set<number>): void {
  if (node.kind === 'condition') used.add(node.index)
  else if (node.kind === 'not') collect(node.of, used)
  else for (const child of node.of) collect(child, used)
}

/** The relation with every condition's place replaced. */
export function mapConditions(node: RelationNode, place: (index: number) => number): RelationNode {
  if (node.kind === 'condition') return { kind: 'condition', index: place(node.index) }
  if (node.kind === 'not') return { kind: 'not', of: mapConditions(node.of, place) }
  return { kind: node.kind, of: node.of.map((child) => mapConditions(child, place)) }
}
