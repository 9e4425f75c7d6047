/** Light, dark, or as the system has it. */
import { effect } from '@preact/signals'
import { stored } from './stored.ts'

/** The choices, in the order in which the button goes through them. */
export const THEMES = ['system', 'light', 'dark'] as const

/** A choice of colours. */
export type Theme = (typeof THEMES)[number]

/** What was chosen. */
export const theme = stored<Theme>('theme', 'system')

effect(() => {
  const known = THEMES.includes(theme.value) ? theme.value : 'system'
  document.documentElement.dataset.theme = known
})

/** Goes on to the next choice. */
export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!
}
