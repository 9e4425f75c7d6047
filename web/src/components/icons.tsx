/** Small drawings. They are decoration: what they stand beside is named in words. */
import type { JSX } from 'preact'

const PATHS = {
  close: 'M4 4l8 8M12 4l-8 8',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 0 1 0-9M10.5 10.5L14 14',
  sun: 'M8 5.2a2.8 2.8 0 1 1 0 5.6a2.8 2.8 0 0 1 0-5.6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9L13 13M13 3l-1.1 1.1M4.1 11.9L3 13',
  moon: 'M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1z',
  system: 'M2 3h12v8H2zM6 14h4M8 11v3',
  help: 'M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8M6.2 6.2a1.9 1.9 0 1 1 2.7 1.7c-.6.3-.9.7-.9 1.3M8 11.3v.2',
  alert: 'M8 2l6.3 11H1.7zM8 6.5v3M8 11.2v.2',
  upload: 'M8 10.5V2.5M4.8 5.5L8 2.3l3.2 3.2M2.5 10v3.5h11V10',
  back: 'M10 3L5 8l5 5',
  down: 'M4 6l4 4l4-4',
  list: 'M2.5 4h11M2.5 8h11M2.5 12h7',
  more: 'M3.5 8h.1M8 8h.1M12.5 8h.1',
  table: 'M2 3h12v10H2zM2 6.3h12M6 6.3V13',
  clock: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2M8 4.8V8l2.2 1.6',
  refresh: 'M13.2 6.5A5.5 5.5 0 1 0 13.5 9M13.4 2.8v3.8H9.6',
  terminal: 'M2 3h12v10H2zM4.5 6l2 2l-2 2M8 10h3',
  funnel: 'M2 3h12L9.6 8.5V13l-3.2-1.5v-3z',
  pulse: 'M1.5 8h3l2-4.5l3 9l2-4.5h3',
  play: 'M5 3l8 5l-8 5z',
  plus: 'M8 3v10M3 8h10',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  link: 'M6.5 9.5l3-3M7 4.5l1.2-1.2a3.1 3.1 0 0 1 4.5 4.5L11.5 9M9 11.5l-1.2 1.2a3.1 3.1 0 0 1-4.5-4.5L4.5 7',
  download: 'M8 2.5v8M4.8 7.5L8 10.7l3.2-3.2M2.5 10.5v3h11v-3',
  chart: 'M2.5 13.5h11M4 13.5V8.5M8 13.5V3.5M12 13.5V6.5',
  save: 'M3 2.5h8.5l2 2v9h-10.5zM5.5 2.5v3.5h4.5V2.5M5.5 13.5V9.5h5.500v4',
} as const

/** The name of a drawing. */
export type IconName = keyof typeof PATHS

/** A drawing of 16 by 16. */
export function Icon({ name, size = 16 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width={name === 'more' ? 2.4 : 1.5}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  )
}

/** The sign of Skep: a hive of straw. */
export function Logo({ size = 22 }: { size?: number }): JSX.Element {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" aria-hidden="true">
      <path
        d="M9.5 4.5h5M6.700 9.500h10.600M4.700 14.500h14.600M3.800 19.500h4.400M15.800 19.500h4.400"
        stroke="currentColor"
        stroke-width="3.2"
        stroke-linecap="round"
      />
    </svg>
  )
}
