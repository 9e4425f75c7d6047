/** Which process wrote something, and whether it still lives: what a dead writer left may go at once, what a live one writes may not. */
import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A process as no other one is, also after its number was given to another. */
export interface ProcessMark {
  host: string
  /** The start of the system and the space of process numbers; empty where the system does not tell. */
  boot: string
  pid: number
  /** When the process began, in the system's own ticks; empty where the system does not tell. */
  start: string
}

/** Of a process elsewhere, or of one that may be another by now, nothing is known. */
export type Liveness = 'alive' | 'dead' | 'unknown'

/** The processes that can be looked at from here. Passed to whoever needs them so that a simulation can own them. */
export interface Processes {
  self: ProcessMark
  liveness(mark: ProcessMark): Liveness
}

let own: ProcessMark | undefined

/** The processes of this machine. Asked of the system at the first call. */
export function systemProcesses(): Processes {
  own ??= { host: hostname(), boot: readBoot(), pid: process.pid, start: readProcess(process.pid)?.start ?? '' }
  const self = own
  return { self, liveness: (mark) => livenessBeside(self, mark) }
}

function livenessBeside(self: ProcessMark, mark: ProcessMark): Liveness {
  if (mark.host !== self.host || mark.boot !== self.boot) return 'unknown'
  if (!exists(mark.pid)) return 'dead'
  if (mark.start === '') return mark.pid === self.pid ? 'alive' : 'unknown'
  const found = readProcess(mark.pid)
  return found?.start === mark.start && !found.ended ? 'alive' : 'dead'
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function readBoot(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return ''
  }
}

/** What Linux tells of a process: its state and start, fields 3 and 22 of a line whose second field may hold blanks and parentheses. */
function readProcess(pid: number): { start: string; ended: boolean } | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
    return { start: fields[19] ?? '', ended: ['Z', 'X'].includes(fields[0]!) }
  } catch {
    return undefined
  }
}

/** A text with which the names of a process's temporary files begin. */
export function nameOfProcess({ host, boot, pid, start }: ProcessMark): string {
  return `${pid}-${hashOf(host, boot)}-${start || '0'}`
}

/** Whether the process lives with whose text a name begins; unknown for names without one. */
export function livenessOfName(name: string, processes: Processes): Liveness {
  const match = /^(\d+)-([0-9a-f]{8})-(\d+)-/.exec(name)
  if (!match) return 'unknown'
  const { host, boot } = processes.self
  if (match[2] !== hashOf(host, boot)) return 'unknown'
  return processes.liveness({ host, boot, pid: Number(match[1]), start: match[3] === '0' ? '' : match[3]! })
}

function hashOf(host: string, boot: string): string {
  return createHash('sha256').update(`${host}\n${boot}`).digest('hex').slice(0, 8)
}
