/** State that outlives a reload. */
import { effect, type Signal, signal } from '@preact/signals'

const PREFIX = 'skep.'

/** A signal whose value is kept in this browser. What is stored in another form than `initial` is not taken. */
export function stored<T>(name: string, initial: T, area: () => Storage = () => localStorage): Signal<T> {
  const state = signal<T>(read(name, initial, area))
  let first = true
  effect(() => {
    const text = JSON.stringify(state.value)
    if (first) first = false
    else write(name, text, area)
  })
  return state
}

function read<T>(name: string, initial: T, area: () => Storage): T {
  try {
    const text = area().getItem(PREFIX + name)
    const value: unknown = text === null ? initial : JSON.parse(text)
    return typeof value === typeof initial && Array.isArray(value) === Array.isArray(initial) ? (value as T) : initial
  } catch {
    // Storage is off, or somebody else wrote there: the page works without.
    return initial
  }
}

function write(name: string, text: string, area: () => Storage): void {
  try {
    area().setItem(PREFIX + name, text)
  } catch {
    // Storage is off or full: the state lasts until the page is left.
  }
}
