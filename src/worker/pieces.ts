/** How threads share the pieces of a job. */
import { CONTROL, type Control } from './direct-job.ts'

/** The number of a piece that no other thread takes; `count` or more when there is none left, or the job is to stop. */
export function takePiece(control: Control, count: number): number {
  return isStopped(control) ? count : Atomics.add(control, CONTROL.next, 1)
}

/** Whether the job is to stop. */
export function isStopped(control: Control): boolean {
  return Atomics.load(control, CONTROL.stop) !== 0
}
