/** Short messages that say what has happened, and go by themselves. */
import { signal } from '@preact/signals'

/** A message. */
export interface Toast {
  id: number
  text: string
  tone: 'good' | 'bad'
}

const STAYS_MS = 6000
let count = 0

/** Those that are shown now. */
export const toasts = signal<readonly Toast[]>([])

/** Shows a message; bad ones stay until they are closed. */
export function toast(text: string, tone: Toast['tone'] = 'good'): void {
  const id = ++count
  toasts.value = [...toasts.value, { id, text, tone }]
  if (tone === 'good') setTimeout(() => closeToast(id), STAYS_MS)
}

/** Takes a message away. */
export function closeToast(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}
