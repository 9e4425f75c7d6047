/** Keyboard shortcuts: single keys and sequences such as `g t`, that do not disturb typing. */
import { useEffect } from 'preact/hooks'

/** A shortcut; `keys` are names as of `KeyboardEvent.key`, with a space between those of a sequence. */
export interface Shortcut {
  keys: string
  label: string
  run(): void
}

const SEQUENCE_MS = 1200
const active = new Set<Shortcut>()
let begun = ''
let begunAt = 0

/** All shortcuts that work now, in the order in which they were added. */
export function shortcuts(): Shortcut[] {
  return [...active]
}

/** Lets shortcuts work while the component is there. */
export function useShortcuts(list: readonly Shortcut[]): void {
  useEffect(() => {
    for (const shortcut of list) active.add(shortcut)
    return () => {
      for (const shortcut of list) active.delete(shortcut)
    }
  })
}

addEventListener('keydown', (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return
  if (document.querySelector('dialog[open]')) return
  const keys = begun && event.timeStamp - begunAt < SEQUENCE_MS ? `${begun} ${event.key}` : event.key
  begun = ''
  const found = [...active].findLast((shortcut) => shortcut.keys === keys)
  if (found) {
    event.preventDefault()
    found.run()
  } else if ([...active].some((shortcut) => shortcut.keys.startsWith(`${event.key} `))) {
    begun = event.key
    begunAt = event.timeStamp
  }
})

function isTyping({ target }: KeyboardEvent): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
}
