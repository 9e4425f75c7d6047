/** The JSON Schema of behavioural queries, printed from the tables that validation reads by. */
import { LIMITS } from '../common/limits.ts'
import { DURATION_PATTERN } from './duration.ts'
import { AGGREGATIONS, type Key, SHAPES, type ShapeName, TARGET_OPERATORS, TARGETS, type Value } from './grammar.ts'
import { OPERATORS, type Operand } from './operators.ts'
import type { AggregationType, FilterOperator, TargetType } from './types.ts'

/** A JSON Schema, or a part of one. */
export type JsonSchema = { readonly [keyword: string]: unknown }

/**
 * The schema (draft 2020-12) of queries on any table, for editors. Every valid query satisfies it; what it cannot say
 * (the places of steps, names, relations, the columns of a table) validation checks on top.
 */
export function querySchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Behavioural query',
    $ref: '#/$defs/query',
    $defs: {
      ...Object.fromEntries(PLAIN_SHAPES.map((name) => [name, shapeSchema(name)])),
      rowsCondition: shapeSchema('rowsCondition'),
      sequenceCondition: { ...shapeSchema('sequenceCondition'), ...SEQUENCE_RULES },
      condition: { anyOf: [reference('rowsCondition'), reference('sequenceCondition')] },
      funnel: { ...shapeSchema('funnel'), ...SEQUENCE_RULES },
      step: { ...shapeSchema('step'), allOf: [NEGATIVE_STEP] },
      aggregation: { ...shapeSchema('aggregation'), allOf: aggregationRules() },
      filter: filterSchema(),
      target: { anyOf: [...Object.keys(TARGETS)].flatMap((type) => targetSchemas(type as TargetType)) },
      span: {
        anyOf: [
          { type: 'number', minimum: 0 },
          { type: 'string', pattern: DURATION_PATTERN },
        ],
      },
      value: { type: ['string', 'number', 'boolean'] },
    },
  }
}

const PLAIN_SHAPES = ['query', 'timeframe', 'clause'] as const

function reference(name: string): JsonSchema {
  return { $ref: `#/$defs/${name}` }
}

function shapeSchema(name: ShapeName): JsonSchema {
  const { keys, oneOf } = SHAPES[name]
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(keys).map(([key, rule]) => [key, keySchema(rule)])),
    ...(oneOf ? { oneOf: oneOf.map((key) => ({ required: [key] })) } : {}),
    additionalProperties: false,
  }
}

function keySchema({ value, help }: Key): JsonSchema {
  return { description: help, ...valueSchema(value) }
}

const NAME = '[A-Za-z][A-Za-z_0-9]*'

function valueSchema(value: Value): JsonSchema {
  if (typeof value !== 'string') {
    if ('shape' in value) return reference(value.shape)
    if ('words' in value) return { enum: value.words }
    return { type: 'array', items: valueSchema(value.list), ...(value.least > 0 ? { minItems: value.least } : {}) }
  }
  switch (value) {
    case 'text':
      return { type: 'string' }
    case 'name':
      return { type: 'string', pattern: `^(?:${NAME})?$` }
    case 'conditionName':
      return { type: 'string', pattern: `^(?!(?:[Aa][Nn][Dd]|[Oo][Rr]|[Nn][Oo][Tt])$)(?:${NAME})?$` }
    case 'count':
      return { type: 'integer', minimum: 0 }
    case 'top':
      return { type: 'integer', minimum: 1, maximum: LIMITS.topMax.default }
    case 'fraction':
      return { type: 'number', minimum: 0, maximum: 1 }
    case 'bound':
      return { type: ['number', 'string'] }
    case 'columns':
      return { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }] }
    case 'boolean':
    case 'number':
      return { type: value }
    default:
      return reference(value)
  }
}

const NO_STEP = { rowFound: { const: true }, optional: { const: false }, within: false, after: false }

/** Combinations of a sequence's keys that are excluded. */
const SEQUENCE_RULES = {
  allOf: [
    { not: { required: ['within', 'maxDuration'] } },
    either({ not: has('sameRow', true) }, has('ties', 'stepOrder')),
    either(
      { not: has('order', 'any') },
      { properties: { sameRow: { const: false }, sequence: { items: { properties: NO_STEP } } } },
    ),
  ],
}

/** A step that is negative or optional is not both, and has no span. */
const NEGATIVE_STEP = either(
  { not: { anyOf: [has('rowFound', false), has('optional', true)] } },
  {
    properties: { within: false, after: false },
    not: { allOf: [has('rowFound', false), has('optional', true)] },
  },
)

function either(...schemas: JsonSchema[]): JsonSchema {
  return { anyOf: schemas }
}

function has(key: string, value: string | boolean): JsonSchema {
  return { properties: { [key]: { const: value } }, required: [key] }
}

function aggregationRules(): JsonSchema[] {
  const ofTypes = (wanted: 'map' | 'otherColumn' | 'q') => {
    const types = (Object.keys(AGGREGATIONS) as AggregationType[]).filter((type) => AGGREGATIONS[type][wanted])
    return { properties: { type: { enum: types } }, required: ['type'] }
  }
  const goesWith = (key: 'otherColumn' | 'q') =>
    either({ ...ofTypes(key), required: ['type', key] }, { not: ofTypes(key), properties: { [key]: false } })
  return [
    goesWith('otherColumn'),
    goesWith('q'),
    either(ofTypes('map'), { not: { required: ['type'] } }, { properties: { top: false } }),
    either({ required: ['column', 'type'] }, { properties: { name: false } }),
  ]
}

const OPERANDS: Readonly<Record<Operand, JsonSchema | undefined>> = {
  value: reference('value'),
  list: { type: 'array', items: reference('value'), minItems: 1 },
  range: { type: 'array', items: reference('value'), minItems: 2, maxItems: 2 },
  none: undefined,
}

function filterSchema(): JsonSchema {
  const operands = Object.keys(OPERANDS) as Operand[]
  const filters = { type: 'array', items: reference('filter'), minItems: 1 }
  const joined = { and: filters, or: filters, not: reference('filter') }
  return {
    description: '`[column, op, value]`, `{column, op, value}`, `{and: [...]}`, `{or: [...]}` or `{not: filter}`.',
    anyOf: [
      ...operands.map(shortComparison),
      ...operands.map(verboseComparison),
      ...Object.entries(joined).map(([key, schema]) => objectOf({ [key]: schema })),
    ],
  }
}

function operatorsWith(operand: Operand): JsonSchema {
  return { enum: (Object.keys(OPERATORS) as FilterOperator[]).filter((op) => OPERATORS[op].operand === operand) }
}

function shortComparison(operand: Operand): JsonSchema {
  const value = OPERANDS[operand]
  return tuple([{ type: 'string' }, operatorsWith(operand), ...(value ? [value] : [])])
}

function verboseComparison(operand: Operand): JsonSchema {
  const value = OPERANDS[operand]
  return objectOf({ column: { type: 'string' }, op: operatorsWith(operand), ...(value ? { value } : {}) })
}

function targetSchemas(type: TargetType): JsonSchema[] {
  const values = {
    count: { type: 'integer', minimum: 0 },
    number: { type: 'number' },
    scalar: { type: ['number', 'string'] },
  }
  const parts = {
    type: { const: type },
    column: { type: 'string' },
    op: { enum: TARGET_OPERATORS },
    value: values[TARGETS[type].value],
  }
  const entries = TARGETS[type].keys.map((key) => [key, parts[key]] as const)
  return [tuple(entries.map(([, schema]) => schema)), objectOf(Object.fromEntries(entries))]
}

function tuple(items: readonly JsonSchema[]): JsonSchema {
  return { type: 'array', prefixItems: items, items: false, minItems: items.length }
}

function objectOf(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false }
}
