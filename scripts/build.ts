/** Builds `dist/`: the library, the client and the command as bundles, type declarations, and the web page. `node scripts/build.ts` */
import { execFile } from 'node:child_process'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { build, type Metafile, type Plugin } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = join(root, 'dist')

/** CommonJS packages inside the bundle need a `require`. */
const BANNER = `import { createRequire as createRequireOfSkep } from 'node:module'
const require = createRequireOfSkep(import.meta.url)`

/**
 * The native part of DuckDB stays outside of the bundle and is found through the package that depends on it, whatever
 * the package manager's layout. Its JavaScript part is bundled: the command starts 25 ms earlier than with hundreds of files.
 */
const nativeOutside: Plugin = {
  name: 'native-outside',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^@duckdb\/node-bindings$/ }, ({ path }) => ({ path, namespace: 'native' }))
    onLoad({ filter: /.*/, namespace: 'native' }, ({ path }) => ({
      contents: `const { createRequire } = require('node:module')
module.exports = createRequire(require.resolve('@duckdb/node-api'))(${JSON.stringify(path)})`,
    }))
  },
}

async function bundle(): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      index: 'src/index.ts',
      cli: 'src/cli/main.ts',
      thread: 'src/worker/thread.ts',
      'task-thread': 'src/worker/task-thread.ts',
    },
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.18',
    chunkNames: 'chunks/[name]-[hash]',
    banner: { js: BANNER },
    plugins: [nativeOutside],
    charset: 'utf8',
    metafile: true,
    logLevel: 'warning',
  })
  return metafile
}

/** `skep/client`: one file that needs nothing of Node, and none of our dependencies. */
async function bundleClient(): Promise<void> {
  const outfile = join(dist, 'client.js')
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/client/index.ts'],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2023',
    charset: 'utf8',
    metafile: true,
    logLevel: 'warning',
  })
  const foreign = Object.keys(metafile.inputs).filter((path) => !path.startsWith('src/'))
  if (foreign.length > 0) throw new Error(`the client contains what is not ours: ${foreign.join(', ')}`)
  const { size } = await stat(outfile)
  console.log(`dist/client.js: ${size} bytes, ${gzipSync(await readFile(outfile)).length} compressed`)
}

/** Writes the licences of what the bundle contains. */
async function writeLicences({ inputs }: Metafile): Promise<void> {
  const folders = new Set(Object.keys(inputs).flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []))
  const texts = [...folders].sort().map(async (folder) => {
    const { name, version, license } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'))
    const file = (await readdir(join(root, folder))).find((entry) => /^licen[cs]e/i.test(entry))
    const text = file === undefined ? '' : `\n${await readFile(join(root, folder, file), 'utf8')}`
    return `${name} ${version} (${license})\n${text}`
  })
  const separator = `\n${'-'.repeat(80)}\n\n`
  await writeFile(join(dist, 'THIRD-PARTY-LICENCES.txt'), (await Promise.all(texts)).join(separator))
}

/** Writes `dist/types/`, from the public APIs on. */
async function declare(): Promise<void> {
  const config = join(dist, 'tsconfig.json')
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: '../src',
    outDir: 'types',
  }
  await writeFile(
    config,
    JSON.stringify({
      extends: '../tsconfig.json',
      compilerOptions,
      include: [],
      files: ['../src/index.ts', '../src/client/index.ts'],
    }),
  )
  const require = createRequire(import.meta.url)
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  try {
    await promisify(execFile)(process.execPath, [tsc, '-p', config], { cwd: root })
  } catch (error) {
    throw new Error(`the declarations cannot be made:\n${(error as { stdout: string }).stdout}`)
  } finally {
    await rm(config)
  }
  await renameSpecifiers()
}

/** Declarations name their neighbours as the sources do, `./a.ts`; consumers resolve `./a.js` whatever their settings. */
async function renameSpecifiers(): Promise<void> {
  const folder = join(dist, 'types')
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.d.ts'))
  const renamed = names.map(async (name) => {
    const text = await readFile(join(folder, name), 'utf8')
    await writeFile(
      join(folder, name),
      text.replaceAll(/(from |import\()(['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1$2.js$3'),
    )
  })
  await Promise.all(renamed)
}

await rm(dist, { recursive: true, force: true })
await writeLicences(await bundle())
await bundleClient()
await declare()
await promisify(execFile)(process.execPath, [join(root, 'scripts/build-web.ts')])
