/** The small parts that every view is made of. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { type ApiError, adviceFor } from '../api/errors.ts'
import { Icon, type IconName } from './icons.tsx'

interface ButtonProps extends Omit<JSX.IntrinsicElements['button'], 'icon' | 'label'> {
  tone?: 'primary' | 'danger' | 'quiet'
  icon?: IconName
  /** The name of a button that shows its drawing alone. */
  label?: string
}

/** A button; with `label` and no children, a square one with a drawing. */
export function Button({ tone, icon, label, children, ...rest }: ButtonProps): JSX.Element {
  const square = !children
  return (
    <button
      type="button"
      class="button"
      data-tone={tone}
      data-icon={square || undefined}
      aria-label={label}
      title={square ? label : undefined}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

/** A short word that says what kind of thing something is. */
export function Badge({
  tone,
  title,
  children,
}: {
  tone?: 'accent' | 'good' | 'bad' | undefined
  title?: string
  children: ComponentChildren
}): JSX.Element {
  return (
    <span class="badge" data-tone={tone} title={title}>
      {children}
    </span>
  )
}

/** A figure with its name; stands in `Stats`. */
export function Stat({
  label,
  title,
  children,
}: {
  label: string
  title?: string | undefined
  children: ComponentChildren
}): JSX.Element {
  return (
    <div class="stat">
      <dt>{label}</dt>
      <dd title={title}>{children}</dd>
    </div>
  )
}

/** Figures in a row. */
export function Stats({ children }: { children: ComponentChildren }): JSX.Element {
  return <dl class="stats">{children}</dl>
}

/** A label above a control; `children` gets the id that joins the two. */
export function Field({
  label,
  hint,
  children,
}: {
  label: string
  hint?: ComponentChildren
  children: (ids: { id: string; 'aria-describedby'?: string }) => ComponentChildren
}): JSX.Element {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, ...(hint ? { 'aria-describedby': `${id}-hint` } : {}) })}
      {hint && (
        <span class="field-hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
    </div>
  )
}

/** A choice of a few, with its label. */
export function Select<T extends string>({
  label,
  value,
  options,
  onChange,
  hint,
}: {
  label: string
  value: T
  options: readonly { value: T; label: string }[]
  onChange(value: T): void
  hint?: string | undefined
}): JSX.Element {
  return (
    <Field label={label} hint={hint}>
      {(ids) => (
        <select class="select" {...ids} value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

/** A field to search with; `/` leads to it. */
export function SearchField({
  label,
  value,
  onInput,
}: {
  label: string
  value: string
  onInput(text: string): void
}): JSX.Element {
  return (
    <div class="search">
      <Icon name="search" />
      <input
        class="input"
        type="search"
        aria-label={label}
        placeholder={label}
        data-search
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </div>
  )
}

/** How far something is; without a value, that it goes on. */
export function ProgressBar({ value, label }: { value?: number | undefined; label: string }): JSX.Element {
  const percent = value === undefined ? undefined : Math.round(value * 100)
  return (
    <div
      class="progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      data-unknown={percent === undefined || undefined}
    >
      <i style={percent === undefined ? undefined : { width: `${percent}%` }} />
    </div>
  )
}

/** A share of a whole as a bar, for the eye; the figure stands beside it. */
export function Bar({ share }: { share: number }): JSX.Element {
  return (
    <div class="bar" aria-hidden="true">
      <i style={{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }} />
    </div>
  )
}

/** An error: what happened, its code, and what to change. */
export function ErrorBox({ error, onRetry }: { error: ApiError; onRetry?: () => void }): JSX.Element {
  const advice = adviceFor(error)
  return (
    <div class="error" role="alert">
      <Icon name="alert" />
      <div class="stack" style={{ gap: 'var(--gap-1)', minWidth: 0 }}>
        <p class="error-message">{error.message}</p>
        {advice && <p>{advice}</p>}
        <code class="small">{error.code}</code>
        {onRetry && (
          <div style={{ marginTop: 'var(--gap-2)' }}>
            <Button icon="refresh" onClick={onRetry}>
              Try again
            </Button>
          </div>
        )}
      </div>
    </div>
  )
}

/** What a place says that has nothing to show yet: what to do first. */
export function Empty({
  icon,
  title,
  children,
}: {
  icon: IconName
  title: string
  children?: ComponentChildren
}): JSX.Element {
  return (
    <div class="empty">
      <Icon name={icon} size={36} />
      <h2>{title}</h2>
      {children}
    </div>
  )
}

/** Grey lines where something will be, of the height that it will have. */
export function Ghost({ lines = 5, height = 28 }: { lines?: number; height?: number }): JSX.Element {
  return (
    <div role="status" class="stack" style={{ gap: 'var(--gap-2)' }}>
      <span class="unseen">Loading</span>
      {Array.from({ length: lines }, (_, line) => (
        <div key={line} class="ghost" style={{ height: `${height}px`, width: `${100 - ((line * 17) % 40)}%` }} />
      ))}
    </div>
  )
}

/** Tabs within a view; the panel stands below as `children`. */
export function Tabs<T extends string>({
  label,
  tabs,
  value,
  onChange,
  children,
}: {
  label: string
  tabs: readonly { value: T; label: string; count?: string | undefined }[]
  value: T
  onChange(value: T): void
  children: ComponentChildren
}): JSX.Element {
  const id = useId()
  const list = useRef<HTMLDivElement>(null)
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const next = tabs[(tabs.findIndex((tab) => tab.value === value) + step + tabs.length) % tabs.length]!
    onChange(next.value)
    list.current?.querySelector<HTMLElement>(`[data-value="${next.value}"]`)?.focus()
  }
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
        {tabs.map((tab) => (
          <button
            key={tab.value}
            type="button"
            role="tab"
            id={`${id}-${tab.value}`}
            data-value={tab.value}
            aria-selected={tab.value === value}
            aria-controls={`${id}-panel`}
            tabIndex={tab.value === value ? 0 : -1}
            onClick={() => onChange(tab.value)}
          >
            {tab.label}
            {tab.count && <span class="count">{tab.count}</span>}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${value}`}>
        {children}
      </div>
    </>
  )
}

/** A dialog above the page, which Escape closes. */
export function Dialog({
  title,
  wide,
  onClose,
  children,
  footer,
}: {
  title: string
  wide?: boolean
  /** Absent for a question that has to be answered. */
  onClose?: () => void
  children: ComponentChildren
  footer?: ComponentChildren
}): JSX.Element {
  const own = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const before = document.activeElement
    own.current?.showModal()
    // What is asked for comes first, not the way out.
    const field = own.current?.querySelector<HTMLElement>('.dialog-body :is(input, select, textarea)')
    field?.focus()
    if (field instanceof HTMLInputElement) field.select()
    return () => {
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  const cancel = (event: Event) => {
    event.preventDefault()
    onClose?.()
  }
  return (
    <dialog ref={own} class="dialog" data-wide={wide || undefined} aria-labelledby={id} onCancel={cancel}>
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        {onClose && <Button tone="quiet" icon="close" label="Close" onClick={onClose} />}
      </div>
      <div class="dialog-body">{children}</div>
      {footer && <div class="dialog-foot">{footer}</div>}
    </dialog>
  )
}
