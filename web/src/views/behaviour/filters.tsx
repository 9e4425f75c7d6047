/** Filters on rows: comparisons, and groups of them. */
import type { JSX } from 'preact'
import { OPERATORS } from '../../../../src/behaviour/operators.ts'
import type { FilterOperator } from '../../../../src/behaviour/types.ts'
import { Button } from '../../components/basics.tsx'
import type { MenuItem } from '../../components/popups.tsx'
import { type ColumnChoice, comparable, isTimeClass, operatorsFor } from './columns.ts'
import { idOf, type Json, type JsonObject, keepId, replaced, type Scalar, without } from './document.ts'
import { newFilter, withColumn, withOperator } from './edits.ts'
import { type Comparison, type Group, pathOfRow, readFilter, readRows, writeFilter, writeRows } from './forms.ts'
import { Choice, ColumnField, Faults, FragmentField, ValueField, ValuesField } from './parts.tsx'
import { columns, stepColumn } from './state.ts'

interface FilterProps {
  value: Json
  path: string
  onChange(value: Json): void
  /** Absent where the filter is the only one. */
  onRemove?: (() => void) | undefined
  /** Which one it is among others, in words. */
  label: string
}

/** The filters of a condition or step; all of them hold on its rows. */
export function RowsField({
  value,
  path,
  onChange,
  label,
}: {
  value: JsonObject
  path: string
  onChange(value: JsonObject): void
  label: string
}): JSX.Element | null {
  const rows = readRows(value)
  if (!rows) return null
  const write = (parts: Json[]) => onChange(writeRows(value, { ...rows, parts }))
  const { parts } = rows
  return (
    <div class="bh-rows">
      {parts.map((part, k) => (
        <FilterField
          key={idOf(part)}
          value={part}
          path={path + pathOfRow(rows, k)}
          label={parts.length > 1 ? `${label}, filter ${k + 1}` : label}
          onChange={(next) => write(replaced(parts, k, next))}
          onRemove={parts.length > 1 ? () => write(without(parts, k)) : undefined}
        />
      ))}
    </div>
  )
}

/** A button that adds a comparison to a condition or step. */
export function AddFilter({
  value,
  label,
  onChange,
}: {
  value: JsonObject
  label: string
  onChange(value: JsonObject): void
}): JSX.Element {
  return (
    <Button
      tone="quiet"
      icon="plus"
      aria-label={`Add a filter to ${label}`}
      onClick={() => onChange(withFilter(value, newFilter(likelyColumn())))}
    >
      filter
    </Button>
  )
}

/** What a menu adds to the filters of a condition or step. */
export function filterItems(value: JsonObject, onChange: (value: JsonObject) => void): MenuItem[] {
  const filter = () => newFilter(likelyColumn())
  return [
    { label: 'And any of several', run: () => onChange(withFilter(value, { or: [filter(), filter()] })) },
    { label: 'And not', run: () => onChange(withFilter(value, { not: filter() })) },
  ]
}

function withFilter(value: JsonObject, filter: Json): JsonObject {
  const rows = readRows(value)
  return rows ? writeRows(value, { ...rows, parts: [...rows.parts, filter] }) : value
}

function likelyColumn(): ColumnChoice | undefined {
  return stepColumn.peek() ?? comparable(columns.peek())[0]
}

function FilterField(props: FilterProps): JSX.Element {
  const form = readFilter(props.value)
  if (!form) return <FragmentField {...props} label={props.label} />
  if (form.kind === 'compare') return <ComparisonField {...props} form={form} />
  if (form.kind !== 'not') return <GroupField {...props} form={form} />
  const { path, label, onRemove, onChange, value } = props
  return (
    <div class="bh-group">
      <div class="row apart">
        <span class="bh-word">not</span>
        <span class="row">
          <Button tone="quiet" aria-label={`drop “not” of ${label}`} onClick={() => onChange(keepId(value, form.of))}>
            drop “not”
          </Button>
          {onRemove && <Button tone="quiet" icon="close" label={`Remove ${label}`} onClick={onRemove} />}
        </span>
      </div>
      <FilterField
        value={form.of}
        path={`${path}/not`}
        label={`${label}, inside not`}
        onChange={(of) => onChange({ not: of })}
      />
    </div>
  )
}

function GroupField({ form, path, label, onChange, onRemove }: FilterProps & { form: Group }): JSX.Element {
  const { kind, parts } = form
  const write = (next: Json[]) => onChange({ [kind]: next })
  return (
    <div class="bh-group">
      <div class="row apart">
        <Choice
          label={`How ${label} is joined`}
          value={kind}
          options={[
            { value: 'or', label: 'any of' },
            { value: 'and', label: 'all of' },
          ]}
          onChange={(next) => onChange({ [next]: parts })}
        />
        {onRemove && <Button tone="quiet" icon="close" label={`Remove ${label}`} onClick={onRemove} />}
      </div>
      {parts.map((part, k) => (
        <FilterField
          key={idOf(part)}
          value={part}
          path={`${path}/${kind}/${k}`}
          label={`${label}, part ${k + 1}`}
          onChange={(next) => write(replaced(parts, k, next))}
          onRemove={parts.length > 1 ? () => write(without(parts, k)) : undefined}
        />
      ))}
      <div>
        <Button
          tone="quiet"
          icon="plus"
          aria-label={`${kind}: add to ${label}`}
          onClick={() => write([...parts, newFilter(likelyColumn())])}
        >
          {kind}
        </Button>
      </div>
    </div>
  )
}

const WORDS: Readonly<Record<FilterOperator, string>> = {
  '==': 'is',
  '!=': 'is not',
  '<': '<',
  '<=': '≤',
  '>': '>',
  '>=': '≥',
  contains: 'contains',
  'not contains': 'does not contain',
  'starts with': 'starts with',
  'ends with': 'ends with',
  matches: 'matches regex',
  in: 'is one of',
  'not in': 'is none of',
  between: 'is between',
  'is null': 'is null',
  'is not null': 'is not null',
}

const TIME_WORDS: Partial<Record<FilterOperator, string>> = {
  '<': 'is before',
  '<=': 'is at or before',
  '>': 'is after',
  '>=': 'is at or after',
}

function ComparisonField({ form, path, label, onChange, onRemove }: FilterProps & { form: Comparison }): JSX.Element {
  const column = columns.value.find(({ name }) => name === form.column)
  const part = (key: 'column' | 'op' | 'value') =>
    `${path}/${form.notation === 'verbose' ? key : ['column', 'op', 'value'].indexOf(key)}`
  const write = (next: Comparison) => onChange(writeFilter(next))
  const words = (op: FilterOperator) => (isTimeClass(column?.class) && TIME_WORDS[op]) || WORDS[op]
  const operators = operatorsFor(column)
  return (
    <div class="bh-filter">
      <div class="bh-line">
        <ColumnField
          label={`Column of ${label}`}
          value={form.column}
          among={comparable(columns.value)}
          path={part('column')}
          onChange={(next) => write(withColumn(form, next, column))}
        />
        <Choice
          label={`Operator of ${label}`}
          value={form.op}
          options={[...new Set([...operators, form.op])].map((op) => ({ value: op, label: words(op) }))}
          path={part('op')}
          onChange={(op) => write(withOperator(form, op, column))}
        />
        <Operand form={form} label={label} path={part('value')} onChange={write} />
        {onRemove && <Button tone="quiet" icon="close" label={`Remove ${label}`} onClick={onRemove} />}
      </div>
      <Faults path={path} below />
    </div>
  )
}

function Operand({
  form,
  label,
  path,
  onChange,
}: {
  form: Comparison
  label: string
  path: string
  onChange(form: Comparison): void
}): JSX.Element | null {
  const column = columns.value.find(({ name }) => name === form.column)
  const write = (value: Json) => onChange({ ...form, value })
  switch (OPERATORS[form.op].operand) {
    case 'none':
      return null
    case 'value':
      return (
        <ValueField
          label={`Value of ${label}`}
          column={column}
          value={form.value as Scalar}
          path={path}
          onChange={write}
        />
      )
    case 'list':
      return (
        <ValuesField
          label={`Values of ${label}`}
          column={column}
          values={form.value as Scalar[]}
          path={path}
          onChange={write}
        />
      )
    case 'range': {
      const [low, high] = form.value as [Scalar, Scalar]
      return (
        <>
          <ValueField
            label={`Least value of ${label}`}
            column={column}
            value={low}
            path={`${path}/0`}
            onChange={(next) => write([next, high])}
          />
          <span class="quiet">and</span>
          <ValueField
            label={`Greatest value of ${label}`}
            column={column}
            value={high}
            path={`${path}/1`}
            onChange={(next) => write([low, next])}
          />
        </>
      )
    }
  }
}
