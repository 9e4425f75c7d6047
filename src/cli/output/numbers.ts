/** Numbers for people. */

/** `1,234,567`. */
export function countText(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
}

/** `1 row`, `1,234 rows`. `many` is the plural where it is not one more `s`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}

const SIZES = ['KB', 'MB', 'GB', 'TB', 'PB']

/** `512 B`, `1.2 MB`: binary units, as in settings. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  let value = bytes / 1024
  let unit = 0
  while (value >= 999.5 && unit < SIZES.length - 1) {
    value /= 1024
    unit++
  }
  return `${value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${SIZES[unit]}`
}

/** `48.6%`. */
export function percentText(fraction: number): string {
  return `${(fraction * 100).toFixed(1)}%`
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** A bar of at most so many columns; a fraction above zero shows at least a sliver. */
export function barText(fraction: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * width * 8)
  if (eighths === 0) return fraction > 0 ? EIGHTHS[1]! : ''
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!
}
