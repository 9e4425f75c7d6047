/** The table of commands: one line and one file for each. A command is loaded when it is called. */
import type { Command } from './command.ts'

/** Every command, in the order of the help. */
export const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  import: async () => (await import('./commands/import.ts')).importCommand,
  register: async () => (await import('./commands/register.ts')).registerCommand,
  attach: async () => (await import('./commands/attach.ts')).attachCommand,
  unregister: async () => (await import('./commands/unregister.ts')).unregisterCommand,
  alter: async () => (await import('./commands/alter.ts')).alterCommand,
  drop: async () => (await import('./commands/drop.ts')).dropCommand,
  tables: async () => (await import('./commands/tables.ts')).tablesCommand,
  describe: async () => (await import('./commands/describe.ts')).describeCommand,
  snapshots: async () => (await import('./commands/snapshots.ts')).snapshotsCommand,
  verify: async () => (await import('./commands/verify.ts')).verifyCommand,
  rollback: async () => (await import('./commands/rollback.ts')).rollbackCommand,
  vacuum: async () => (await import('./commands/vacuum.ts')).vacuumCommand,
  sql: async () => (await import('./commands/sql.ts')).sqlCommand,
  query: async () => (await import('./commands/query.ts')).queryCommand,
  run: async () => (await import('./commands/run.ts')).runCommand,
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  demo: async () => (await import('./commands/demo.ts')).demoCommand,
}

/** Every command, loaded, by name. For help and the reference page. */
export async function loadCommands(): Promise<Map<string, Command>> {
  const entries = Object.entries(COMMANDS).map(async ([name, load]) => [name, await load()] as const)
  return new Map(await Promise.all(entries))
}
