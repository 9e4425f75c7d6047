/** The small fields that the builder is made of; each shows what is wrong at its place in the query. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { call } from '../../api/api.ts'
import { Button } from '../../components/basics.tsx'
import { Combobox, type Suggestion } from '../../components/popups.tsx'
import { number } from '../../format.ts'
import { route } from '../../route.ts'
import { type Fault, faultsAt } from './check.ts'
import { type ColumnChoice, isTimeClass, typedValue } from './columns.ts'
import { idOf, isSame, type Json, printPretty, readText, type Scalar } from './document.ts'
import { columns, faults, table } from './state.ts'

/** What is wrong at a place. With `below`, in all of it but the `except`ed parts, which show their own. */
export function Faults({ path, below, except = [] }: { path: string; below?: boolean; except?: readonly string[] }) {
  const found = faultsAt(faults.value, path, below).filter(
    (fault) => !except.some((part) => isWithin(fault, path + part)),
  )
  if (found.length === 0) return null
  return (
    <>
      {found.map(({ path: place, message }) => (
        <p key={place + message} class="bh-fault">
          {sentence(message)}
        </p>
      ))}
    </>
  )
}

function isWithin(fault: Fault, path: string): boolean {
  return fault.path === path || fault.path.startsWith(`${path}/`)
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? '' : '.')
}

/** Whether something is wrong at a place or below. */
export function isFaulty(path: string): boolean {
  return faultsAt(faults.value, path, true).length > 0
}

interface Option<T> {
  value: T
  label: string
  disabled?: boolean
}

/** A choice in a line of others. */
export function Choice<T extends string>({
  label,
  value,
  options,
  onChange,
  path,
  grow,
}: {
  label: string
  value: T
  options: readonly Option<T>[]
  onChange(value: T): void
  path?: string
  grow?: boolean
}): JSX.Element {
  const isKnown = options.some((option) => option.value === value)
  return (
    <select
      class={`select bh-choice${grow ? ' bh-grow' : ''}`}
      aria-label={label}
      aria-invalid={path !== undefined && isFaulty(path) ? true : undefined}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value as T)}
    >
      {!isKnown && <option value={value}>{value}</option>}
      {options.map((option) => (
        <option key={option.value} value={option.value} disabled={option.disabled}>
          {option.label}
        </option>
      ))}
    </select>
  )
}

/** A choice of a column. */
export function ColumnField({
  label,
  value,
  among,
  onChange,
  path,
}: {
  label: string
  value: string
  among: readonly ColumnChoice[]
  onChange(column: ColumnChoice): void
  path: string
}): JSX.Element {
  return (
    <Choice
      label={label}
      value={value}
      path={path}
      options={among.map(({ name }) => ({ value: name, label: name }))}
      onChange={(name) => onChange(columns.value.find((column) => column.name === name)!)}
    />
  )
}

/** A field of text that gives a value with every change, and keeps what was typed as long as that is what it stands for. */
export function DraftField<T extends Json | undefined>({
  label,
  value,
  textOf,
  read,
  onChange,
  path,
  placeholder,
  size,
  mode,
}: {
  label: string
  value: T
  textOf(value: T): string
  read(text: string): T
  onChange(value: T): void
  path: string
  placeholder?: string
  size?: number
  mode?: 'numeric' | 'decimal'
}): JSX.Element {
  const [draft, setDraft] = useState('')
  const shown = isSame(read(draft), value) ? draft : textOf(value)
  return (
    <input
      class="input bh-field"
      aria-label={label}
      aria-invalid={isFaulty(path) || undefined}
      autoComplete="off"
      spellcheck={false}
      {...{ placeholder, inputMode: mode }}
      style={size ? { width: `${size}ch` } : undefined}
      value={shown}
      onInput={(event) => {
        const next = event.currentTarget.value
        setDraft(next)
        onChange(read(next))
      }}
    />
  )
}

/** A value as it stands in a field. */
export function textOfScalar(value: Json | undefined): string {
  return value === undefined || value === null ? '' : String(value)
}

const SUGGESTED = 20

/** Values of a column, the most frequent first. */
export async function suggestValues(
  column: ColumnChoice | undefined,
  prefix: string,
  stop: AbortSignal,
): Promise<readonly Suggestion[]> {
  const name = table.peek()?.name
  if (!column || name === undefined || isTimeClass(column.class)) return []
  const { at } = route.peek().query
  const given = { limit: SUGGESTED, ...(prefix && { prefix }), ...(at !== undefined && { at }) }
  const values = await call('values', { params: { table: name, column: column.name }, query: given, signal: stop })
  return values.map(({ value, count }) => ({ value: String(value), note: number(count) }))
}

/** A value that a column is compared with, suggested from the data. */
export function ValueField({
  label,
  column,
  value,
  onChange,
  path,
}: {
  label: string
  column: ColumnChoice | undefined
  value: Scalar | ''
  onChange(value: Scalar): void
  path: string
}): JSX.Element {
  const [draft, setDraft] = useState('')
  const typed = useRef(false)
  if (column?.class === 'boolean' && typeof value === 'boolean') {
    const options = [
      { value: 'true', label: 'true' },
      { value: 'false', label: 'false' },
    ] as const
    return (
      <Choice
        label={label}
        value={value ? 'true' : 'false'}
        options={options}
        path={path}
        onChange={(text) => onChange(text === 'true')}
      />
    )
  }
  const shown = isSame(typedValue(draft, column?.class), value) ? draft : String(value)
  return (
    <div
      class="bh-value"
      data-faulty={isFaulty(path) || undefined}
      onFocusCapture={() => {
        typed.current = false
      }}
    >
      <Combobox
        label={label}
        value={shown}
        placeholder={isTimeClass(column?.class) ? '2026-01-31' : 'value'}
        suggest={(text, stop) => suggestValues(column, typed.current ? text : '', stop)}
        onChange={(text) => {
          typed.current = true
          setDraft(text)
          onChange(typedValue(text, column?.class))
        }}
      />
    </div>
  )
}

/** Several values, each of which can be taken away but the last. */
export function ValuesField({
  label,
  column,
  values,
  onChange,
  path,
}: {
  label: string
  column: ColumnChoice | undefined
  values: readonly Scalar[]
  onChange(values: Scalar[]): void
  path: string
}): JSX.Element {
  const [draft, setDraft] = useState('')
  const add = (text: string) => {
    if (text.trim() === '') return
    const value = typedValue(text, column?.class)
    const kept = values.filter((old) => old !== '')
    setDraft('')
    if (!kept.some((old) => isSame(old, value))) onChange([...kept, value])
  }
  const suggested = useRef<readonly Suggestion[]>([])
  return (
    <div
      class="bh-values"
      onKeyDown={(event) => {
        if (event.key !== 'Enter' || event.defaultPrevented) return
        event.preventDefault()
        add(draft)
      }}
      onFocusOut={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) add(draft)
      }}
    >
      {values.map((value, k) => (
        <span key={String(value)} class="bh-chip" data-faulty={isFaulty(`${path}/${k}`) || undefined}>
          <span class="truncate">{value === '' ? '(empty)' : String(value)}</span>
          {values.length > 1 && (
            <Button
              tone="quiet"
              icon="close"
              label={`Remove ${value}`}
              onClick={() => onChange(values.filter((_, at) => at !== k))}
            />
          )}
        </span>
      ))}
      <div class="bh-value">
        <Combobox
          label={label}
          value={draft}
          placeholder="add a value"
          suggest={async (text, stop) => {
            suggested.current = await suggestValues(column, text, stop)
            return suggested.current.filter(({ value }) => !values.map(String).includes(value))
          }}
          onChange={(text) => {
            const isTaken = suggested.current.some(({ value }) => value === text) && text.length - draft.length !== 1
            if (isTaken) add(text)
            else setDraft(text)
          }}
        />
      </div>
    </div>
  )
}

/** A part of the query that no form fits: it is kept as it is, and can be changed as JSON. */
export function FragmentField({
  label,
  value,
  path,
  onChange,
  onRemove,
}: {
  label: string
  value: Json
  path: string
  onChange(value: Json): void
  onRemove?: (() => void) | undefined
}): JSX.Element {
  const [draft, setDraft] = useState(() => printPretty(value))
  const read = readOrFault(draft)
  useEffect(() => {
    if (!('value' in read) || !isSame(read.value, value)) setDraft(printPretty(value))
  }, [idOf(value), printPretty(value)])
  return (
    <div class="bh-fragment">
      <div class="row apart">
        <span class="small quiet">{label}, as JSON</span>
        {onRemove && <Button tone="quiet" icon="close" label={`Remove ${label}`} onClick={onRemove} />}
      </div>
      <textarea
        class="bh-json"
        aria-label={`${label}, as JSON`}
        rows={Math.min(12, draft.split('\n').length)}
        spellcheck={false}
        value={draft}
        onInput={(event) => {
          const next = event.currentTarget.value
          setDraft(next)
          const found = readOrFault(next)
          if ('value' in found) onChange(found.value)
        }}
      />
      {'fault' in read && <p class="bh-fault">{sentence(read.fault)}</p>}
      <Faults path={path} below />
    </div>
  )
}

function readOrFault(text: string): { value: Json } | { fault: string } {
  try {
    return { value: readText(text) }
  } catch (cause) {
    return { fault: cause instanceof Error ? cause.message : String(cause) }
  }
}

/** A part of the builder with its heading. */
export function Section({
  title,
  about,
  end,
  children,
}: {
  title: string
  about?: string
  end?: ComponentChildren
  children?: ComponentChildren
}): JSX.Element {
  return (
    <section class="bh-section" aria-label={title}>
      <div class="row apart">
        <div class="bh-heading">
          <h2>{title}</h2>
          {about && <span class="quiet small">{about}</span>}
        </div>
        {end}
      </div>
      {children}
    </section>
  )
}
