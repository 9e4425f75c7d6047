/** Joins the command line to this process: its streams, its signals, its exit code. */
import { runCli } from './run.ts'

/** Runs the command line of this process and sets its exit code. The first Ctrl-C cancels, the second one ends at once. */
export async function runProcess(): Promise<void> {
  const controller = new AbortController()
  const cancel = (signal: NodeJS.Signals) => {
    if (!controller.signal.aborted) return controller.abort()
    // Not by an exit: that stops worker threads, and one whose engine is at work does not take it well.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, cancel)
  const { stdin, stdout, stderr, env } = process
  // A query that was given up may still be running: nothing waits for it.
  process.once('beforeExit', () => process.exit())
  process.exitCode = await runCli(process.argv.slice(2), { stdin, stdout, stderr, env }, controller.signal)
}
