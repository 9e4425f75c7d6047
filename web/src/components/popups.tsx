/** What opens below a control: menus, and fields with suggestions. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { isAbort } from '../api/errors.ts'
import { Button } from './basics.tsx'
import type { IconName } from './icons.tsx'

/** Something that a menu does. */
export interface MenuItem {
  label: string
  tone?: 'danger'
  run(): void
}

/** A button that opens a list of things to do. */
export function Menu({
  label,
  icon = 'more',
  items,
  children,
}: {
  label: string
  icon?: IconName
  items: readonly MenuItem[]
  children?: ComponentChildren
}): JSX.Element {
  const [isOpen, setOpen] = useState(false)
  const own = useRef<HTMLDivElement>(null)
  useOutside(own, isOpen, () => setOpen(false))
  useEffect(() => {
    if (isOpen) own.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus()
  }, [isOpen])
  const close = () => {
    setOpen(false)
    own.current?.querySelector('button')?.focus()
  }
  const keys = (event: KeyboardEvent) => {
    if (!isOpen) return
    if (event.key === 'Escape') close()
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const all = [...own.current!.querySelectorAll<HTMLElement>('[role=menuitem]')]
    all[(all.indexOf(document.activeElement as HTMLElement) + step + all.length) % all.length]?.focus()
  }
  return (
    <div class="popup-anchor" ref={own} onKeyDown={keys}>
      <Button
        icon={icon}
        label={label}
        aria-haspopup="menu"
        aria-expanded={isOpen}
        onClick={() => setOpen((open) => !open)}
      >
        {children}
      </Button>
      {isOpen && (
        <div class="popup" role="menu" aria-label={label} data-end>
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              class="option"
              role="menuitem"
              data-tone={item.tone}
              onClick={() => {
                close()
                item.run()
              }}
            >
              {item.label}
            </button>
          ))}
        </div>
      )}
    </div>
  )
}

/** A value that is suggested. */
export interface Suggestion {
  value: string
  /** Shown beside it: a type, a count. */
  note?: string
}

interface ComboboxProps {
  label: string
  value: string
  /** Called while one types, and when a suggestion is taken. */
  onChange(value: string): void
  /** What fits to what was typed; may ask the server, and is cancelled when more is typed. */
  suggest(text: string, signal: AbortSignal): readonly Suggestion[] | Promise<readonly Suggestion[]>
  placeholder?: string
  id?: string
  disabled?: boolean
}

const SETTLE_MS = 120

/** A field that suggests values while one types; any other text may be typed as well. */
export function Combobox({ label, value, onChange, suggest, placeholder, id, disabled }: ComboboxProps): JSX.Element {
  const own = useRef<HTMLDivElement>(null)
  const list = useId()
  const [isOpen, setOpen] = useState(false)
  const [active, setActive] = useState(-1)
  const found = useSuggestions(isOpen, value, suggest)
  useOutside(own, isOpen, () => setOpen(false))
  const take = (index: number) => {
    const chosen = found[index]
    if (chosen) onChange(chosen.value)
    setOpen(false)
    setActive(-1)
  }
  const keys = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && isOpen) {
      event.stopPropagation()
      setOpen(false)
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      setOpen(true)
      const count = found.length
      if (count > 0) setActive((now) => (now + (event.key === 'ArrowDown' ? 1 : count - (now < 0 ? 0 : 1))) % count)
    } else if (event.key === 'Enter' && isOpen && active >= 0) {
      event.preventDefault()
      take(active)
    } else if (event.key === 'Tab') setOpen(false)
  }
  const isShown = isOpen && found.length > 0
  return (
    <div class="popup-anchor" ref={own}>
      <input
        class="input"
        role="combobox"
        aria-label={id ? undefined : label}
        aria-expanded={isShown}
        aria-controls={isShown ? list : undefined}
        aria-autocomplete="list"
        aria-activedescendant={isShown && active >= 0 ? `${list}-${active}` : undefined}
        autoComplete="off"
        spellcheck={false}
        {...{ id, placeholder, disabled, value }}
        onFocus={() => setOpen(true)}
        onClick={() => setOpen(true)}
        onInput={(event) => {
          onChange(event.currentTarget.value)
          setOpen(true)
          setActive(-1)
        }}
        onKeyDown={keys}
      />
      {isShown && (
        <div class="popup" role="listbox" id={list} aria-label={label}>
          {found.map((suggestion, index) => (
            <div
              key={suggestion.value}
              id={`${list}-${index}`}
              class="option"
              role="option"
              tabIndex={-1}
              aria-selected={index === active}
              data-active={index === active || undefined}
              onPointerDown={(event) => {
                event.preventDefault()
                take(index)
              }}
            >
              <span class="truncate">{suggestion.value}</span>
              {suggestion.note && <span class="option-note">{suggestion.note}</span>}
            </div>
          ))}
        </div>
      )}
    </div>
  )
}

function useSuggestions(isOpen: boolean, text: string, suggest: ComboboxProps['suggest']): readonly Suggestion[] {
  const [found, setFound] = useState<readonly Suggestion[]>([])
  const ask = useRef(suggest)
  ask.current = suggest
  useEffect(() => {
    if (!isOpen) return
    const controller = new AbortController()
    const load = async () => {
      try {
        const values = await ask.current(text, controller.signal)
        if (!controller.signal.aborted) setFound(values)
      } catch (cause) {
        // A value can be typed without suggestions.
        if (!isAbort(cause)) setFound([])
      }
    }
    const timer = setTimeout(load, SETTLE_MS)
    return () => {
      clearTimeout(timer)
      controller.abort()
    }
  }, [isOpen, text])
  return found
}

/** Calls `leave` when something outside of `own` is pressed. */
function useOutside(own: { current: HTMLElement | null }, isOpen: boolean, leave: () => void): void {
  useEffect(() => {
    if (!isOpen) return
    const pressed = (event: PointerEvent) => {
      if (!own.current?.contains(event.target as Node)) leave()
    }
    addEventListener('pointerdown', pressed)
    return () => removeEventListener('pointerdown', pressed)
  }, [isOpen])
}
