#!/usr/bin/env node
/** The command `skep`. Nothing is loaded before the version of Node is known to be new enough for it. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `skep: needs Node 22.18 or newer, this is ${process.version}; in a clone: node_modules/.bin/node dist/cli.js …\n`,
  )
  process.exitCode = 2
} else {
  const { enableCompileCache } = await import('node:module')
  enableCompileCache()
  const { runProcess } = await import('./process.ts')
  await runProcess()
}
