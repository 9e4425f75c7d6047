/** Colours, where the reader wants them. */
import type { OutStream } from '../command.ts'

/** Ways to set text apart. */
export type Tone = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** The text in a tone, or as it is. */
export type Style = (tone: Tone, text: string) => string

const CODES: Record<Tone, readonly [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
}

/** Leaves every text as it is. */
export const PLAIN_STYLE: Style = (_tone, text) => text

/** Colours on a terminal, none with `NO_COLOR` or elsewhere. */
export function styleOf(stream: OutStream, env: Record<string, string | undefined>): Style {
  if (!stream.isTTY || env.NO_COLOR || env.TERM === 'dumb') return PLAIN_STYLE
  return (tone, text) => `\x1b[${CODES[tone][0]}m${text}\x1b[${CODES[tone][1]}m`
}
