/** What a view loads: a signal with the value, the error, or neither yet. */
import { type ReadonlySignal, signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { type ApiError, isAbort, toApiError } from './errors.ts'

/** Something that is loaded. While it is loaded again, the old value stays. */
export interface Loaded<T> {
  value?: T
  error?: ApiError
  isLoading: boolean
}

/** A resource and the way to load it again. */
export interface Resource<T> {
  state: ReadonlySignal<Loaded<T>>
  reload(): Promise<void>
}

/** A resource that lives as long as the page. */
export function resource<T>(load: (signal: AbortSignal) => Promise<T>): Resource<T> & { cancel(): void } {
  const state = signal<Loaded<T>>({ isLoading: false })
  let controller: AbortController | undefined
  const reload = async () => {
    controller?.abort()
    const own = new AbortController()
    controller = own
    state.value = { ...state.peek(), isLoading: true }
    try {
      const value = await load(own.signal)
      if (controller === own) state.value = { value, isLoading: false }
    } catch (cause) {
      if (controller === own && !(own.signal.aborted && isAbort(cause))) {
        state.value = { error: toApiError(cause), isLoading: false }
      }
    }
  }
  return { state, reload, cancel: () => controller?.abort() }
}

/**
 * Loads something for a component whenever one of `inputs` has changed; a load that is not wanted any more is cancelled. When
 * only `version` has changed, the old value stays until the new one is there.
 */
export function useResource<T>(
  load: (signal: AbortSignal) => Promise<T>,
  inputs: readonly unknown[],
  version?: unknown,
): Loaded<T> & { reload(): Promise<void> } {
  const own = useMemo(() => resource(load), inputs)
  useEffect(() => void own.reload(), [own, version])
  useEffect(() => () => own.cancel(), [own])
  const { state, reload } = own
  const now = state.value
  return { ...now, isLoading: now.isLoading || (!('value' in now) && !now.error), reload }
}
