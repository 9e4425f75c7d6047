/** What is added up over the rows of actors. */
import type { JSX } from 'preact'
import { AGGREGATIONS } from '../../../../src/behaviour/grammar.ts'
import type { AggregationType } from '../../../../src/behaviour/types.ts'
import { Button } from '../../components/basics.tsx'
import { aggregable, numberIn, targetable } from './columns.ts'
import { idOf, type Json, replaced, without } from './document.ts'
import { newAggregation, withAggregationType } from './edits.ts'
import { type Aggregation, readAggregation, writeAggregation } from './forms.ts'
import { Choice, ColumnField, DraftField, Faults, FragmentField, textOfScalar } from './parts.tsx'
import { columns, stepColumn } from './state.ts'

const TYPES: readonly { value: AggregationType | ''; label: string }[] = [
  { value: 'groupsPerValue', label: 'actors per' },
  { value: 'countPerValue', label: 'rows per' },
  { value: 'count', label: 'rows with' },
  { value: 'distinct', label: 'different' },
  { value: 'sum', label: 'sum of' },
  { value: 'mean', label: 'mean of' },
  { value: 'min', label: 'least' },
  { value: 'max', label: 'greatest' },
  { value: 'quantiles', label: 'quantiles of' },
  { value: 'sumPerValue', label: 'sum per' },
  { value: 'meanPerValue', label: 'mean per' },
  { value: '', label: 'rows and actors per' },
]

interface ListProps {
  title: string
  value: Json | undefined
  path: string
  onChange(value: Json[] | undefined): void
}

/** A list of aggregations. */
export function AggregationsField({ title, value, path, onChange }: ListProps): JSX.Element {
  const list = Array.isArray(value) ? value : []
  const write = (next: Json[]) => onChange(next.length === 0 ? undefined : next)
  const add = () => {
    const known = aggregable(columns.peek())
    write([...list, newAggregation(known.find(({ name }) => name === stepColumn.peek()?.name) ?? known[0])])
  }
  return (
    <div class="bh-aggregations">
      <div class="row apart">
        <h3>{title}</h3>
        <Button tone="quiet" icon="plus" aria-label={`Add a figure: ${title}`} onClick={add}>
          Add
        </Button>
      </div>
      {list.map((item, k) => (
        <AggregationField
          key={idOf(item)}
          value={item}
          path={`${path}/${k}`}
          label={`figure ${k + 1}, ${title}`}
          onChange={(next) => write(replaced(list, k, next))}
          onRemove={() => write(without(list, k))}
        />
      ))}
      <Faults path={path} />
    </div>
  )
}

interface FieldProps {
  value: Json
  path: string
  label: string
  onChange(value: Json): void
  onRemove(): void
}

function AggregationField(props: FieldProps): JSX.Element {
  const { value, path, label, onChange, onRemove } = props
  const form = readAggregation(value)
  if (!form) return <FragmentField {...props} />
  const write = (next: Aggregation) => onChange(writeAggregation(next))
  const rule = form.type === undefined ? { map: true, otherColumn: false, q: false } : AGGREGATIONS[form.type]
  const possible = TYPES.map((option) => ({
    ...option,
    disabled: withAggregationType(form, option.value || undefined, columns.value) === undefined,
  }))
  return (
    <div class="bh-filter">
      <div class="bh-line">
        {rule.otherColumn && (
          <ColumnField
            label={`Column that is added up in ${label}`}
            value={form.otherColumn ?? ''}
            among={targetable(columns.value, 'sum')}
            path={`${path}/otherColumn`}
            onChange={({ name }) => write({ ...form, otherColumn: name })}
          />
        )}
        <Choice
          label={`Kind of ${label}`}
          value={form.type ?? ''}
          options={possible}
          path={`${path}/type`}
          onChange={(type) => {
            const next = withAggregationType(form, type || undefined, columns.value)
            if (next) write(next)
          }}
        />
        <ColumnsField form={form} path={path} label={label} onChange={write} />
        {rule.map && (
          <span class="bh-span">
            <span class="quiet">top</span>
            <DraftField<Json | undefined>
              label={`Most entries of ${label}`}
              value={form.top}
              textOf={textOfScalar}
              read={(text) => (text.trim() === '' ? undefined : numberIn(text))}
              path={`${path}/top`}
              placeholder="10"
              size={6}
              mode="numeric"
              onChange={(top) => {
                const { top: _old, ...rest } = form
                write(top === undefined ? rest : { ...rest, top: top as number })
              }}
            />
          </span>
        )}
        {rule.q && <QuantilesField form={form} path={path} label={label} onChange={write} />}
        <Button tone="quiet" icon="close" label={`Remove ${label}`} onClick={onRemove} />
      </div>
      <Faults path={path} below />
    </div>
  )
}

function ColumnsField({
  form,
  path,
  label,
  onChange,
}: {
  form: Aggregation
  path: string
  label: string
  onChange(form: Aggregation): void
}): JSX.Element {
  const among = aggregable(columns.value, form.type)
  if (!form.isList) {
    return (
      <ColumnField
        label={`Column of ${label}`}
        value={form.columns[0] ?? ''}
        among={among}
        path={`${path}/column`}
        onChange={({ name }) => onChange({ ...form, columns: [name] })}
      />
    )
  }
  const free = among.filter(({ name }) => !form.columns.includes(name))
  return (
    <>
      {form.columns.map((name) => (
        <span key={name} class="bh-chip">
          <span class="truncate">{name}</span>
          {form.columns.length > 1 && (
            <Button
              tone="quiet"
              icon="close"
              label={`Remove ${name} from ${label}`}
              onClick={() => onChange({ ...form, columns: form.columns.filter((other) => other !== name) })}
            />
          )}
        </span>
      ))}
      <Choice
        label={`A further column of ${label}`}
        value=""
        options={[{ value: '', label: 'and …' }, ...free.map(({ name }) => ({ value: name, label: name }))]}
        onChange={(name) => name !== '' && onChange({ ...form, columns: [...form.columns, name] })}
      />
    </>
  )
}

function QuantilesField({
  form,
  path,
  label,
  onChange,
}: {
  form: Aggregation
  path: string
  label: string
  onChange(form: Aggregation): void
}): JSX.Element {
  const read = (text: string): Json => {
    const numbers = text
      .split(/[\s,;]+/)
      .filter(Boolean)
      .map(numberIn)
    return numbers.length > 0 && numbers.every((item) => item !== undefined) ? numbers : ''
  }
  return (
    <span class="bh-span">
      <span class="quiet">at</span>
      <DraftField<Json>
        label={`Quantiles of ${label}`}
        value={form.q ?? []}
        textOf={(q) => (Array.isArray(q) ? q.join(', ') : '')}
        read={read}
        path={`${path}/q`}
        size={12}
        onChange={(q) => Array.isArray(q) && onChange({ ...form, q: q as number[] })}
      />
    </span>
  )
}
