/** A field for SQL or JSON. The editor behind it comes in a part of its own; until then a plain field takes the text. */
import type { CompletionSource } from '@codemirror/autocomplete'
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { EditorHandle, Fault } from './editor-core.ts'
import './editor.css'

export type { EditorHandle, Fault } from './editor-core.ts'

/** What an editor takes. */
export interface EditorProps {
  label: string
  language: 'sql' | 'json'
  value: string
  onChange(value: string): void
  /** Ctrl-Enter, with what is selected or the whole text. */
  onRun?(text: string): void
  /** Tables with the names of their columns, to complete. */
  schema?: Readonly<Record<string, readonly string[]>>
  /** More to complete, such as values. Taken once. */
  complete?: CompletionSource
  /** Places where the text is wrong. */
  faults?: readonly Fault[]
  placeholder?: string
  readOnly?: boolean
  /** CSS height; the editor scrolls within. */
  height?: string
  /** Given the editor once it is there. */
  onReady?(handle: EditorHandle): void
}

/** An editor with completion, search, undo, and the marks of faults. */
export function Editor(props: EditorProps): JSX.Element {
  const { label, language, value, schema, faults, placeholder = '', readOnly = false, height = '220px' } = props
  const place = useRef<HTMLDivElement>(null)
  const now = useRef(props)
  now.current = props
  const told = useRef<string[]>([])
  const [handle, setHandle] = useState<EditorHandle>()
  useEffect(() => {
    let made: EditorHandle | undefined
    let gone = false
    void import('./editor-core.ts').then(({ createEditor }) => {
      if (gone) return
      const hadFocus = place.current!.contains(document.activeElement)
      made = createEditor({
        parent: place.current!.querySelector<HTMLElement>('.editor-place')!,
        label,
        language,
        value: now.current.value,
        placeholder,
        readOnly,
        schema: (now.current.schema ?? {}) as Record<string, string[]>,
        complete: now.current.complete,
        onChange: (text) => {
          told.current.push(text)
          now.current.onChange(text)
        },
        onRun: (text) => now.current.onRun?.(text),
      })
      setHandle(made)
      if (hadFocus) made.focus()
      now.current.onReady?.(made)
    })
    return () => {
      gone = true
      made?.destroy()
    }
  }, [language, readOnly])
  useEffect(() => {
    // A value that we told ourselves comes back after more may have been typed.
    const known = told.current.lastIndexOf(value)
    told.current = told.current.slice(known + 1)
    if (known < 0) handle?.setValue(value)
  }, [handle, value])
  useEffect(() => handle?.setSchema((schema ?? {}) as Record<string, string[]>), [handle, schema])
  useEffect(() => handle?.setFaults(faults ?? []), [handle, faults])
  return (
    <div class="editor" ref={place} style={{ height }}>
      <div class="editor-place" />
      {!handle && (
        <textarea
          class="editor-plain"
          aria-label={label}
          value={value}
          readOnly={readOnly}
          placeholder={placeholder}
          spellcheck={false}
          onInput={(event) => props.onChange(event.currentTarget.value)}
        />
      )}
    </div>
  )
}
