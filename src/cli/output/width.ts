/** How many columns of a terminal text takes, and text made safe to show there. */

/** Made when it is first needed: making it takes longer than a small command. */
let segmenter: Intl.Segmenter | undefined

function graphemes(text: string): Iterable<Intl.SegmentData> {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' })
  return segmenter.segment(text)
}

const PLAIN = /^[\x20-\x7e]*$/

/** East Asian wide and full-width ranges of Unicode 16, neighbours joined. */
const WIDE =
  /^[\u1100-\u115f\u2329\u232a\u2630-\u2637\u268a-\u268f\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{1b2ff}\u{1d300}-\u{1d376}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]/u

const EMOJI = /^(?:\p{Emoji_Presentation}|\p{Emoji}\ufe0f|\p{Regional_Indicator}{2})/u

const INVISIBLE = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}\u{115f}-\u{11ff}]/u

/** Columns that the text takes: 2 for East Asian wide characters and emoji, 0 for marks that combine. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const { segment } of graphemes(text)) width += graphemeWidth(segment)
  return width
}

function graphemeWidth(grapheme: string): number {
  if (EMOJI.test(grapheme) || WIDE.test(grapheme)) return 2
  return INVISIBLE.test(grapheme) ? 0 : 1
}

/** The text itself when it fits into so many columns, else its beginning and `…`. */
export function shorten(text: string, width: number): string {
  if (text.length <= width && PLAIN.test(text)) return text
  let taken = 0
  let end = 0
  for (const { segment, index } of graphemes(text)) {
    taken += graphemeWidth(segment)
    if (taken > width) return `${text.slice(0, end)}…`
    if (taken < width) end = index + segment.length
  }
  return text
}

/** The text with blanks up to so many columns. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'left' ? text + blanks : blanks + text
}

const NAMED: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The text with control characters and changes of direction written out, so that it takes one line and cannot steer a terminal. */
export function visible(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (char) => NAMED[char] ?? escaped(char.charCodeAt(0)),
  )
}

function escaped(code: number): string {
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
}
