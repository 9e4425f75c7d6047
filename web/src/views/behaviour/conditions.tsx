/** Which actors are looked at: conditions and how they are joined. */
import type { JSX } from 'preact'
import { TARGET_OPERATORS } from '../../../../src/behaviour/grammar.ts'
import type { TargetOperator, TargetType } from '../../../../src/behaviour/types.ts'
import { Button } from '../../components/basics.tsx'
import { Menu } from '../../components/popups.tsx'
import { toast } from '../../toasts.ts'
import { type ColumnChoice, firstValue, isNumberClass, numberIn, targetable, typedValue } from './columns.ts'
import { copied, idOf, isObject, type Json, type JsonObject, patched, replaced } from './document.ts'
import {
  isPlainRelation,
  newFilter,
  newStep,
  takesZero,
  withoutCondition,
  withTarget,
  withTargetType,
} from './edits.ts'
import { AddFilter, filterItems, RowsField } from './filters.tsx'
import { isClauseForm, kindOfCondition, pathOfTargetField, readTarget, type Target } from './forms.ts'
import { Choice, ColumnField, DraftField, Faults, FragmentField, Section, textOfScalar } from './parts.tsx'
import { RulesField } from './rules.tsx'
import { columns, stepColumn } from './state.ts'
import { StepsField } from './steps.tsx'

interface ClauseProps {
  value: Json | undefined
  onChange(value: Json | undefined): void
  whole(value: Json): Json
}

/** The conditions of a query. */
export function ConditionsField({ value, onChange, whole }: ClauseProps): JSX.Element {
  const clause = value ?? {}
  if (!isClauseForm(clause)) {
    return (
      <Section title="Who">
        <FragmentField
          label="query"
          value={clause}
          path="/query"
          onChange={onChange}
          onRemove={() => onChange(undefined)}
        />
      </Section>
    )
  }
  const conditions = (clause.conditions as Json[] | undefined) ?? []
  const put = (next: JsonObject) => onChange(Object.keys(next).length === 0 ? undefined : next)
  const write = (next: Json[]) => put(patched(clause, { conditions: next }))
  const add = (condition: Json) => write([...conditions, condition])
  const remove = (place: number) => {
    const next = withoutCondition(clause, place)
    if (typeof next === 'string') toast(next, 'bad')
    else put(next)
  }
  const filter = () => newFilter(stepColumn.peek() ?? columns.peek()[0])
  return (
    <Section title="Who" about={conditions.length === 0 ? 'everybody' : 'only actors for whom this holds'}>
      {conditions.length > 1 && <RelationField clause={clause} onChange={put} />}
      {conditions.length <= 1 && clause.relation !== undefined && !isPlainRelation(String(clause.relation)) && (
        <RelationField clause={clause} onChange={put} />
      )}
      <Faults path="/query/relation" />
      {conditions.map((condition, k) => (
        <ConditionCard
          key={idOf(condition)}
          value={condition}
          place={k}
          onChange={(next) => write(replaced(conditions, k, next))}
          onRemove={() => remove(k)}
          onDuplicate={() => add(patched(copied(condition as JsonObject), { name: undefined }))}
          whole={(next) => whole(patched(clause, { conditions: replaced(conditions, k, next) }))}
        />
      ))}
      <div class="row">
        <Button icon="plus" onClick={() => add({ filter: filter() })}>
          Condition
        </Button>
        <Button icon="plus" onClick={() => add({ sequence: [newStep(stepColumn.peek() ?? columns.peek()[0])] })}>
          Sequence
        </Button>
      </div>
    </Section>
  )
}

/** How conditions are joined: all, any, or an expression. */
function RelationField({ clause, onChange }: { clause: JsonObject; onChange(clause: JsonObject): void }): JSX.Element {
  const relation = clause.relation as string | undefined
  const kind = !isPlainRelation(relation) ? 'custom' : relation?.trim().toLowerCase() === 'or' ? 'or' : 'and'
  const count = (clause.conditions as Json[] | undefined)?.length ?? 0
  const all = Array.from({ length: count }, (_, k) => `$${k}`).join(' and ')
  const texts = { and: undefined, or: 'or', custom: all }
  return (
    <div class="bh-line">
      <Choice
        label="How the conditions are joined"
        value={kind}
        options={[
          { value: 'and', label: 'all of these hold' },
          { value: 'or', label: 'any of these holds' },
          { value: 'custom', label: 'as this says' },
        ]}
        onChange={(next) => onChange(patched(clause, { relation: texts[next] }))}
      />
      {kind === 'custom' && (
        <div class="bh-grow">
          <DraftField<Json | undefined>
            label="Expression that joins the conditions"
            value={relation}
            textOf={textOfScalar}
            read={(text) => text}
            path="/query/relation"
            placeholder="$0 and not ($1 or $2)"
            onChange={(next) => onChange(patched(clause, { relation: next }))}
          />
        </div>
      )}
    </div>
  )
}

function ConditionCard({
  value,
  place,
  onChange,
  onRemove,
  onDuplicate,
  whole,
}: {
  value: Json
  place: number
  onChange(value: Json): void
  onRemove(): void
  onDuplicate(): void
  whole(value: Json): Json
}): JSX.Element {
  const path = `/query/conditions/${place}`
  const kind = kindOfCondition(value)
  const label = `condition ${place + 1}`
  if (!kind || !isObject(value))
    return <FragmentField label={label} value={value} path={path} onChange={onChange} onRemove={onRemove} />
  return (
    <div class="bh-card">
      <div class="bh-step-head">
        <span class="bh-number" title="How an expression calls it">
          ${place}
        </span>
        <DraftField<Json | undefined>
          label={`Name of ${label}`}
          value={value.name}
          textOf={textOfScalar}
          read={(text) => (text.trim() === '' ? undefined : text.trim())}
          path={`${path}/name`}
          placeholder="name (optional)"
          onChange={(name) => onChange(patched(value, { name }))}
        />
        <span class="bh-push" />
        {kind === 'rows' && <AddFilter value={value} label={label} onChange={onChange} />}
        <Menu
          label={`More for ${label}`}
          items={[
            ...(kind === 'rows' ? filterItems(value, onChange) : []),
            { label: 'Duplicate', run: onDuplicate },
            { label: 'Remove', tone: 'danger', run: onRemove },
          ]}
        />
      </div>
      {kind === 'rows' ? (
        <>
          <TargetField value={value} path={path} label={label} onChange={onChange} />
          <RowsField value={value} path={path} label={label} onChange={onChange} />
          <Faults path={path} below except={['/filter', '/filters', '/target']} />
        </>
      ) : (
        <>
          <StepsField value={value} path={path} of={label} onChange={onChange} whole={whole} />
          <RulesField value={value} path={path} of={label} onChange={onChange} />
          <Faults path={`${path}/name`} />
          <Faults path={path} />
        </>
      )}
    </div>
  )
}

const MEASURES: readonly { value: TargetType; label: string }[] = [
  { value: 'count', label: 'number of rows' },
  { value: 'distinct', label: 'different values of' },
  { value: 'sum', label: 'sum of' },
  { value: 'mean', label: 'mean of' },
  { value: 'min', label: 'least' },
  { value: 'max', label: 'greatest' },
]

const COMPARISONS: Readonly<Record<TargetOperator, string>> = {
  '==': 'exactly',
  '!=': 'not',
  '<': 'less than',
  '<=': 'at most',
  '>': 'more than',
  '>=': 'at least',
}

const ONE: Target = { type: 'count', op: '>=', value: 1, notation: 'short' }

/** What the matching rows must add up to. */
function TargetField({
  value,
  path,
  label,
  onChange,
}: {
  value: JsonObject
  path: string
  label: string
  onChange(value: Json): void
}): JSX.Element {
  const target = value.target === undefined ? ONE : (readTarget(value.target) ?? ONE)
  const write = (next: Target) => onChange(withTarget(value, next))
  const at = (key: 'column' | 'op' | 'value') => `${path}/target${pathOfTargetField(target, key)}`
  const taken = targetable(columns.value, target.type)
  const column = columns.value.find(({ name }) => name === target.column)
  return (
    <div class="bh-line">
      <span class="quiet">has</span>
      <Choice
        label={`What is counted for ${label}`}
        value={target.type}
        options={MEASURES.map((option) => ({
          ...option,
          disabled: option.value !== 'count' && targetable(columns.value, option.value).length === 0,
        }))}
        onChange={(type) => {
          const next = withTargetType(target, type, columns.value)
          if (next) write(next)
        }}
      />
      {target.column !== undefined && (
        <ColumnField
          label={`Column that is counted for ${label}`}
          value={target.column}
          among={taken}
          path={at('column')}
          onChange={(next) =>
            write({
              ...target,
              column: next.name,
              ...(fitsOther(target, column, next) ? {} : { value: firstValue(next) }),
            })
          }
        />
      )}
      <Choice
        label={`Comparison for ${label}`}
        value={target.op}
        options={TARGET_OPERATORS.map((op) => ({ value: op, label: COMPARISONS[op] }))}
        path={at('op')}
        onChange={(op) => write({ ...target, op })}
      />
      <DraftField<Json>
        label={`Number for ${label}`}
        value={target.value}
        textOf={textOfScalar}
        read={(text) => (isExtreme(target) ? typedValue(text, column?.class) : (numberIn(text) ?? text))}
        path={at('value')}
        size={isExtreme(target) && !isNumberClass(column?.class) ? 20 : 8}
        onChange={(next) => write({ ...target, value: next })}
      />
      {takesZero(target.type) && (
        <label class="bh-check">
          <input
            type="checkbox"
            checked={value.includeZero === true}
            onChange={(event) => onChange(patched(value, { includeZero: event.currentTarget.checked || undefined }))}
          />
          or no such row
        </label>
      )}
      <span class="quiet">where</span>
      <Faults path={`${path}/target`} below />
    </div>
  )
}

function isExtreme({ type }: Target): boolean {
  return type === 'min' || type === 'max'
}

function fitsOther(target: Target, before: ColumnChoice | undefined, next: ColumnChoice): boolean {
  return !isExtreme(target) || before?.class === next.class
}
