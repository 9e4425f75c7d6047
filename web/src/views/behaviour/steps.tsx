/** The steps of a sequence: what happens, in which order, and how soon. */
import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { Badge, Button } from '../../components/basics.tsx'
import { Menu, type MenuItem } from '../../components/popups.tsx'
import { isNumberClass, spanOf } from './columns.ts'
import {
  copied,
  idOf,
  inserted,
  isObject,
  type Json,
  type JsonObject,
  moved,
  patched,
  replaced,
  without,
} from './document.ts'
import { newStep, settled } from './edits.ts'
import { AddFilter, filterItems, RowsField } from './filters.tsx'
import { isNegative, readStep } from './forms.ts'
import { DraftField, Faults, FragmentField, textOfScalar } from './parts.tsx'
import { restructure, stepColumn, table, timeColumn } from './state.ts'

interface StepsProps {
  /** What has the steps: a funnel or a condition. */
  value: JsonObject
  path: string
  /** Of what they are steps, in words. */
  of: string
  onChange(value: JsonObject): void
  /** The whole query after the change, to see whether it may be. */
  whole(value: JsonObject): Json
}

/** Steps, which can be moved with the pointer and with the keyboard. */
export function StepsField({ value, path, of, onChange, whole }: StepsProps): JSX.Element {
  const steps = value.sequence as Json[]
  const list = useRef<HTMLOListElement>(null)
  const [dragged, setDragged] = useState<number>()
  const [over, setOver] = useState<number>()
  const [told, setTold] = useState('')
  const write = (next: Json[]) => onChange(patched(value, { sequence: next }))
  const arrange = (next: Json[]) => restructure(whole(patched(value, { sequence: settled(next) })))
  const focusOn = (place: number, selector: string) =>
    requestAnimationFrame(() => list.current?.querySelector<HTMLElement>(`[data-step="${place}"] ${selector}`)?.focus())
  const move = (from: number, to: number) => {
    if (to < 0 || to >= steps.length || to === from || !arrange(moved(steps, from, to))) return
    setTold(`Step ${from + 1} is now step ${to + 1} of ${steps.length}.`)
    focusOn(to, '.bh-handle')
  }
  const add = () => {
    if (arrange([...steps, newStep(stepColumn.peek())])) focusOn(steps.length, '.bh-value input')
  }
  const drop = () => {
    if (dragged !== undefined && over !== undefined) move(dragged, over)
    setDragged(undefined)
    setOver(undefined)
  }
  const first = steps.findIndex((step) => !isNegative(step))
  const isTimed = (k: number) => {
    const step = steps[k]!
    return k > first && isObject(step) && !isNegative(step) && step.optional !== true && value.order !== 'any'
  }
  return (
    <div class="bh-steps">
      <ol ref={list} aria-label={`Steps of ${of}`}>
        {steps.map((step, k) => (
          <li
            key={idOf(step)}
            data-step={k}
            data-dragged={dragged === k || undefined}
            data-over={over === k && dragged !== k ? (dragged! < k ? 'after' : 'before') : undefined}
            onDragOver={(event) => {
              if (dragged === undefined) return
              event.preventDefault()
              setOver(k)
            }}
            onDrop={(event) => {
              event.preventDefault()
              drop()
            }}
          >
            {k > 0 && (
              <Joint
                value={step}
                path={`${path}/sequence/${k}`}
                sequence={value}
                place={k}
                isTimed={isTimed(k)}
                onChange={(next) => write(replaced(steps, k, next))}
              />
            )}
            <StepCard
              value={step}
              path={`${path}/sequence/${k}`}
              place={k}
              label={`step ${k + 1}`}
              onChange={(next) => write(replaced(steps, k, next))}
              onDragStart={() => setDragged(k)}
              onDragEnd={drop}
              onMove={(by) => move(k, k + by)}
              items={itemsOf(k)}
            />
          </li>
        ))}
      </ol>
      <Button icon="plus" onClick={add}>
        Add step
      </Button>
      <p class="unseen" role="status">
        {told}
      </p>
    </div>
  )

  function itemsOf(k: number): MenuItem[] {
    const step = steps[k]!
    const flag = (key: string, on: Json | undefined) => () => {
      if (isObject(step)) arrange(replaced(steps, k, patched(step, { [key]: on })))
    }
    const isPlain = isObject(step) && step.optional !== true && step.rowFound !== false
    const writeStep = (next: JsonObject) => write(replaced(steps, k, next))
    return [
      ...(isObject(step) && readStep(step) ? filterItems(step, writeStep) : []),
      {
        label: 'Duplicate',
        run: () =>
          void arrange(
            inserted(steps, k + 1, isObject(step) ? patched(copied(step), { name: undefined }) : copied(step)),
          ),
      },
      ...(k > 0 ? [{ label: 'Move up', run: () => move(k, k - 1) }] : []),
      ...(k < steps.length - 1 ? [{ label: 'Move down', run: () => move(k, k + 1) }] : []),
      ...(isTimed(k) && isObject(step) && step.after === undefined
        ? [{ label: 'At least … after the step before', run: flag('after', firstSpan()) }]
        : []),
      ...(isPlain
        ? [
            { label: 'Make it optional', run: flag('optional', true) },
            { label: 'Must not happen', run: flag('rowFound', false) },
          ]
        : []),
      ...(isObject(step) && step.optional === true
        ? [{ label: 'Make it required', run: flag('optional', undefined) }]
        : []),
      ...(isObject(step) && step.rowFound === false
        ? [{ label: 'Must happen', run: flag('rowFound', undefined) }]
        : []),
      ...(steps.length > 1
        ? [{ label: 'Remove', tone: 'danger' as const, run: () => void arrange(without(steps, k)) }]
        : []),
    ]
  }
}

/** A span to begin with. */
function firstSpan(): Json {
  const isBare = isNumberClass(timeColumn.peek()?.class) && table.peek()?.keys.timeUnit === undefined
  return isBare ? 1 : '1h'
}

/** What lies between a step and the one before: how soon it has to come. */
function Joint({
  value,
  path,
  sequence,
  place,
  isTimed,
  onChange,
}: {
  value: Json
  path: string
  sequence: JsonObject
  place: number
  isTimed: boolean
  onChange(value: Json): void
}): JSX.Element {
  const word = isNegative(value)
    ? 'without'
    : sequence.order === 'any'
      ? 'and, in any order'
      : sequence.order === 'strict'
        ? 'directly followed by'
        : 'then'
  return (
    <div class="bh-joint">
      <span class="bh-word">{word}</span>
      {isTimed && isObject(value) && (
        <>
          <SpanField
            label={`Step ${place + 1}: within what time of the step before`}
            word="within"
            field="within"
            {...{ value, path, onChange }}
            placeholder="any time"
          />
          {value.after !== undefined && (
            <SpanField
              label={`Step ${place + 1}: at least how long after the step before`}
              word="after at least"
              field="after"
              {...{ value, path, onChange }}
              placeholder="no time"
            />
          )}
        </>
      )}
      <Faults path={`${path}/within`} />
      <Faults path={`${path}/after`} />
    </div>
  )
}

interface SpanProps {
  label: string
  word: string
  field: 'within' | 'after'
  value: JsonObject
  path: string
  placeholder: string
  onChange(value: JsonObject): void
}

/** A span of time, such as `30d`; empty for none. */
export function SpanField({ label, word, field, value, path, placeholder, onChange }: SpanProps): JSX.Element {
  return (
    <span class="bh-span">
      <span class="quiet">{word}</span>
      <DraftField<Json | undefined>
        label={label}
        value={value[field]}
        textOf={textOfScalar}
        read={(text) => (text.trim() === '' ? undefined : spanOf(text, timeColumn.value))}
        path={`${path}/${field}`}
        placeholder={placeholder}
        size={10}
        onChange={(next) => onChange(patched(value, { [field]: next }))}
      />
    </span>
  )
}

interface CardProps {
  value: Json
  path: string
  place: number
  label: string
  onChange(value: Json): void
  onDragStart(): void
  onDragEnd(): void
  onMove(by: number): void
  items: readonly MenuItem[]
}

function StepCard({
  value,
  path,
  place,
  label,
  onChange,
  onDragStart,
  onDragEnd,
  onMove,
  items,
}: CardProps): JSX.Element {
  const [isHeld, setHeld] = useState(false)
  const keys = (event: KeyboardEvent) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key]
    if (by === undefined) return
    event.preventDefault()
    onMove(by)
  }
  const rows = readStep(value)
  return (
    <div
      class="bh-step"
      draggable={isHeld}
      onDragStart={onDragStart}
      onDragEnd={onDragEnd}
      data-negative={isNegative(value) || undefined}
    >
      <div class="bh-step-head">
        <button
          type="button"
          class="bh-handle"
          aria-label={`Move ${label}; arrow up and arrow down`}
          title="Drag, or use the arrow keys"
          onPointerDown={() => setHeld(true)}
          onPointerUp={() => setHeld(false)}
          onKeyDown={keys}
        >
          <span class="bh-number">{place + 1}</span>
        </button>
        {rows && isObject(value) && (
          <DraftField<Json | undefined>
            label={`Name of ${label}`}
            value={value.name}
            textOf={textOfScalar}
            read={(text) => (text.trim() === '' ? undefined : text.trim())}
            path={`${path}/name`}
            placeholder="name (optional)"
            onChange={(name) => onChange(patched(value, { name }))}
          />
        )}
        {isNegative(value) && <Badge tone="bad">must not happen</Badge>}
        {isObject(value) && value.optional === true && <Badge tone="accent">optional</Badge>}
        <span class="bh-push" />
        {rows && isObject(value) && <AddFilter value={value} label={label} onChange={onChange} />}
        <Menu label={`More for ${label}`} items={items} />
      </div>
      {rows && isObject(value) ? (
        <RowsField value={value} path={path} label={label} onChange={onChange} />
      ) : (
        <FragmentField label={label} value={value} path={path} onChange={onChange} />
      )}
      {rows && <Faults path={path} below except={['/filter', '/filters', '/within', '/after']} />}
    </div>
  )
}
