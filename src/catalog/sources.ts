/** Clock and randomness, passed to whoever needs them so that a simulation can own them. */
import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { SkepError } from '../errors.ts'

/** Where a catalog gets time and chance from. */
export interface Sources {
  /** Milliseconds since 1970. */
  now(): number
  /** A number in [0, 1) with at least 32 random bits. */
  random(): number
  /** Resolves after so many milliseconds. @throws CANCELLED */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The sources of a real process: its clock, and randomness that is good enough for ids. */
export function systemSources(): Sources {
  return {
    now: () => Date.now(),
    random: () => randomBytes(4).readUInt32LE() / 2 ** 32,
    sleep: async (ms, signal) => {
      await wait(ms, undefined, signal ? { signal } : {}).catch((cause: unknown) => {
        throw new SkepError('CANCELLED', 'the call was cancelled', {}, { cause })
      })
    },
  }
}

/** That many random bytes. */
export function newBytes(sources: Sources, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(sources.random() * 256))
}

/** A random UUID (version 4). */
export function newUuid(sources: Sources): string {
  const bytes = newBytes(sources, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** A random id of a snapshot: positive and below 2^53, so that JSON keeps it exact. */
export function newSnapshotId(sources: Sources): number {
  const high = Math.floor(sources.random() * 2 ** 21)
  return high * 2 ** 32 + Math.floor(sources.random() * 2 ** 32) || 1
}
