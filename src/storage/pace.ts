/** The pace of a disk. What is in the system's memory is had in microseconds; the detour of a thread for it costs twenty times that. */
import { SETTINGS } from '../config.ts'

/** What a disk has shown of its speed. */
export class DiskPace {
  #slowUntil = 0

  /** False for a while after a look that took long. */
  get isFast(): boolean {
    return performance.now() >= this.#slowUntil
  }

  /** What a look at the disk, which keeps the process waiting, finds. */
  look<T>(now: () => T): T {
    const started = performance.now()
    try {
      return now()
    } finally {
      const ended = performance.now()
      if (ended - started > SETTINGS.quickLookMs.default) this.#slowUntil = ended + SETTINGS.slowDiskMs.default
    }
  }
}
