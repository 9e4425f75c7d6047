/** What holds for a sequence as a whole: its time, its order, ties, and columns that must not change. */
import type { JSX } from 'preact'
import { Button } from '../../components/basics.tsx'
import { aggregable, numberIn } from './columns.ts'
import { isObject, type Json, type JsonObject, patched } from './document.ts'
import { isNegative } from './forms.ts'
import { Choice, DraftField, Faults, textOfScalar } from './parts.tsx'
import { columns, timeColumn } from './state.ts'
import { SpanField } from './steps.tsx'

interface RulesProps {
  value: JsonObject
  path: string
  /** Of what they are rules, in words. */
  of: string
  onChange(value: JsonObject): void
}

const ORDERS = [
  { value: 'ordered', label: 'in this order' },
  { value: 'strict', label: 'in this order, nothing between' },
  { value: 'any', label: 'in any order' },
] as const

const TIES = [
  { value: 'never', label: 'times must differ' },
  { value: 'stepOrder', label: 'equal times are in order' },
  { value: 'sameRow', label: 'one row may match several steps' },
] as const

/** The rules of a sequence. */
export function RulesField({ value, path, of, onChange }: RulesProps): JSX.Element {
  const steps = value.sequence as Json[]
  const change = (fields: Readonly<Record<string, Json | undefined>>) => onChange(patched(value, fields))
  const isPlain = steps.every(
    (step) =>
      isObject(step) &&
      !isNegative(step) &&
      step.optional !== true &&
      step.within === undefined &&
      step.after === undefined,
  )
  const hasMore = value.ties !== undefined || value.sameRow !== undefined || value.hold !== undefined
  const order = typeof value.order === 'string' ? value.order : 'ordered'
  const ties = value.sameRow === true ? 'sameRow' : typeof value.ties === 'string' ? value.ties : 'never'
  return (
    <div class="bh-rules">
      <div class="bh-line">
        {value.maxDuration === undefined ? (
          <SpanField
            label={`Longest time for all steps of ${of}`}
            word="all within"
            field="within"
            value={value}
            path={path}
            placeholder="any time"
            onChange={onChange}
          />
        ) : (
          <span class="bh-span">
            <span class="quiet">all within</span>
            <DraftField<Json | undefined>
              label={`Longest time for all steps of ${of}, in the unit of ${timeColumn.value?.name}`}
              value={value.maxDuration}
              textOf={textOfScalar}
              read={(text) => numberIn(text)}
              path={`${path}/maxDuration`}
              size={12}
              onChange={(maxDuration) => change({ maxDuration })}
            />
          </span>
        )}
        <Choice
          label={`Order of ${of}`}
          value={order}
          options={ORDERS.map((option) => ({
            ...option,
            disabled: option.value === 'any' && !(isPlain && ties !== 'sameRow'),
          }))}
          path={`${path}/order`}
          onChange={(next) => change({ order: next === 'ordered' ? undefined : next })}
        />
      </div>
      <details class="bh-more" open={hasMore}>
        <summary>Equal times, columns that stay the same</summary>
        <div class="bh-line">
          <Choice
            label={`Equal times in ${of}`}
            value={ties}
            options={TIES.map((option) => ({ ...option, disabled: option.value === 'sameRow' && order === 'any' }))}
            path={`${path}/ties`}
            onChange={(next) =>
              change({
                ties: next === 'never' ? undefined : 'stepOrder',
                sameRow: next === 'sameRow' ? true : undefined,
              })
            }
          />
          <HoldField value={value} path={path} of={of} onChange={onChange} />
        </div>
      </details>
      <Faults path={`${path}/within`} />
      <Faults path={`${path}/maxDuration`} />
      <Faults path={`${path}/order`} />
      <Faults path={`${path}/ties`} />
      <Faults path={`${path}/sameRow`} />
      <Faults path={`${path}/hold`} below />
    </div>
  )
}

/** Columns whose values the matched rows share. */
function HoldField({ value, path, of, onChange }: RulesProps): JSX.Element {
  const { hold } = value
  const held = typeof hold === 'string' ? [hold] : ((hold as string[] | undefined) ?? [])
  const free = aggregable(columns.value).filter(({ name }) => !held.includes(name))
  const write = (next: string[]) => {
    const isSingle = next.length === 1 && !Array.isArray(hold)
    onChange(patched(value, { hold: next.length === 0 ? undefined : isSingle ? next[0]! : next }))
  }
  return (
    <div class="bh-line">
      <span class="quiet">for the same</span>
      {held.map((name) => (
        <span key={name} class="bh-chip">
          <span class="truncate">{name}</span>
          <Button
            tone="quiet"
            icon="close"
            label={`Do not hold ${name} in ${of}`}
            onClick={() => write(held.filter((other) => other !== name))}
          />
        </span>
      ))}
      <Choice
        label={`Column that stays the same in ${of}`}
        value=""
        options={[
          { value: '', label: held.length > 0 ? 'and …' : 'actor alone' },
          ...free.map(({ name }) => ({ value: name, label: name })),
        ]}
        path={`${path}/hold`}
        onChange={(name) => name !== '' && write([...held, name])}
      />
    </div>
  )
}
