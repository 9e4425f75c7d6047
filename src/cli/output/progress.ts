/** How far work has come, on a terminal, once it takes longer than half a second. */

import { durationText } from '../../common/duration-text.ts'
import { SETTINGS } from '../../config.ts'
import type { Terminal } from '../command.ts'
import { shorten } from './width.ts'

/** A line that is redrawn until it is disposed of. */
export interface Progress extends Disposable {
  /** The part of the work done, from 0 to 1, and what else there is to say. */
  update(fraction: number, details?: string): void
}

const BAR_WIDTH = 24

const SILENT: Progress = { update: () => {}, [Symbol.dispose]: () => {} }

/** A progress line on the standard error; nothing is shown unless that is a terminal, or when there is none to show it on. */
export function showProgress(terminal: Terminal | undefined, label: string): Progress {
  if (!terminal?.stderr.isTTY || terminal.env.TERM === 'dumb') return SILENT
  const { stderr } = terminal
  const started = performance.now()
  let fraction = 0
  let details = ''
  let drawn = false
  const redraw = () => {
    const elapsedMs = performance.now() - started
    if (elapsedMs < SETTINGS.progressAfterMs.default) return
    drawn = true
    const line = progressLine({ label, fraction, details, elapsedMs })
    stderr.write(`\r\x1b[K${shorten(line, (stderr.columns || 80) - 1)}`)
  }
  const timer = setInterval(redraw, SETTINGS.progressDrawMs.default)
  timer.unref()
  return {
    update: (now, more = '') => {
      fraction = Math.max(fraction, Math.min(1, now))
      details = more
    },
    [Symbol.dispose]: () => {
      clearInterval(timer)
      if (drawn) stderr.write('\r\x1b[K')
    },
  }
}

/** The text of a progress line: a bar and the part done as soon as anything is known of it, details, time passed and time left. */
export function progressLine(state: { label: string; fraction: number; details: string; elapsedMs: number }): string {
  const { label, fraction, details, elapsedMs } = state
  const full = Math.round(fraction * BAR_WIDTH)
  const bar = `${'━'.repeat(full)}${'╌'.repeat(BAR_WIDTH - full)} ${String(Math.floor(fraction * 100)).padStart(3)}%`
  const leftMs = fraction > 0.02 && fraction < 1 ? (elapsedMs * (1 - fraction)) / fraction : undefined
  const parts = [
    fraction > 0 ? `${label} ${bar}` : `${label} …`,
    details,
    durationText(elapsedMs),
    leftMs === undefined ? '' : leftMs < 1000 ? '<1 s left' : `${durationText(leftMs)} left`,
  ]
  return parts.filter((part) => part !== '').join('  ')
}
