/** What is loaded again and again while the page is looked at. */
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { type Loaded, resource } from '../../api/resource.ts'

/** Loads something now, and again after as many milliseconds as `wait` says of it (never for `undefined`); not while the page is hidden. What was loaded stays when a later load fails. */
export function usePolled<T>(
  load: (signal: AbortSignal) => Promise<T>,
  inputs: readonly unknown[],
  wait: (value: T | undefined) => number | undefined,
): Loaded<T> & { reload(): Promise<void> } {
  const own = useMemo(() => resource(load), inputs)
  const last = useRef<{ of: unknown; value: T }>(undefined)
  const now = own.state.value
  if ('value' in now) last.current = { of: own, value: now.value as T }
  const kept = last.current?.of === own ? last.current.value : undefined
  useEffect(() => {
    void own.reload()
    return () => own.cancel()
  }, [own])
  useEffect(() => {
    const ms = now.isLoading ? undefined : wait(kept)
    if (ms === undefined) return
    const timer = setTimeout(() => {
      if (!document.hidden) void own.reload()
    }, ms)
    const seen = () => {
      if (!document.hidden) void own.reload()
    }
    document.addEventListener('visibilitychange', seen)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', seen)
    }
  }, [own, now])
  return { ...now, ...(kept !== undefined && { value: kept }), reload: own.reload }
}
