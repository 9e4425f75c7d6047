/** Holds the sources to the drawing in ARCHITECTURE.md and to the house rules that a machine can check. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const MOST_LINES = 450

/** A source: its path from the root of the project, and its text. */
interface Source {
  path: string
  text: string
}

/** A line of the list of layers; pure ones say so. */
interface Layer {
  path: string
  pure: boolean
}

function readSources(folder: string): Source[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules'))
    .map((name) => {
      const path = `${folder}/${name.replaceAll('\\', '/')}`
      return { path, text: readFileSync(join(ROOT, path), 'utf8') }
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

function readLayers(architecture: string): Layer[] {
  return [...architecture.matchAll(/^\d+\. `(src\/[^`]+)`(.*)$/gm)].map(([, path, text]) => ({
    path: path!,
    pure: /;\s*pure\b/.test(text!),
  }))
}

/** The place of a file in the list, or -1. */
function rankOf(path: string, layers: readonly Layer[]): number {
  return layers.findIndex((layer) => (layer.path.endsWith('/') ? path.startsWith(layer.path) : path === layer.path))
}

/** What a source imports, however it does. */
function importsOf(text: string): { specifier: string; typeOnly: boolean }[] {
  const code = withoutComments(text)
  const named = [...code.matchAll(/^\s*(?:import|export)\s+(type\s+)?[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm)]
  const bare = [...code.matchAll(/^\s*import\s*()['"]([^'"]+)['"]/gm)]
  const dynamic = [...code.matchAll(/\b(?:import|require)\(\s*()['"`]([^'"`]+)['"`]/g)]
  const urls = [...code.matchAll(/\bnew URL\(\s*()['"`](\.[^'"`]*\.[jt]s)['"`]\s*,\s*import\.meta\.url/g)]
  return [...named, ...bare, ...dynamic, ...urls].map(([, type, specifier]) => ({
    specifier: specifier!,
    typeOnly: Boolean(type),
  }))
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')
}

/** Why the imports of sources break the order of the layers; empty when they do not. */
function layerFaults(sources: readonly Source[], layers: readonly Layer[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const own = rankOf(path, layers)
    if (own < 0) return [`${path} is in no layer of ARCHITECTURE.md`]
    return importsOf(text).flatMap(({ specifier, typeOnly }) => {
      if (!specifier.startsWith('.')) {
        const foreign = layers[own]!.pure && /^(node:|@duckdb\/)/.test(specifier)
        return foreign ? [`${path} is pure and imports ${specifier}`] : []
      }
      const target = normalize(join(dirname(path), specifier)).replaceAll('\\', '/')
      const other = rankOf(target, layers)
      if (other < 0) return [`${path} imports ${target}, which is in no layer`]
      const looking = path.startsWith('src/client/') && typeOnly
      return other > own && !looking ? [`${path} imports ${target}, a lower layer`] : []
    })
  })
}

/** What of the sources a browser can run, beside the pure layers. */
const FOR_BROWSERS = ['src/api/', 'src/client/', 'src/common/']

/** Imports of the web page that are neither its own, nor of packages, nor of what a browser can run. */
function pageFaults(files: readonly Source[], layers: readonly Layer[]): string[] {
  return files.flatMap(({ path, text }) =>
    importsOf(text).flatMap(({ specifier, typeOnly }) => {
      if (specifier.startsWith('node:') && path !== 'web/vite.config.ts') return [`${path} imports ${specifier}`]
      if (!specifier.startsWith('.')) return []
      const target = normalize(join(dirname(path), specifier)).replaceAll('\\', '/')
      const layer = layers[rankOf(target, layers)]
      const allowed = target.startsWith('web/') || typeOnly || (layer?.pure ?? false)
      return allowed || FOR_BROWSERS.includes(layer?.path ?? '') ? [] : [`${path} imports ${target}`]
    }),
  )
}

/** Exports without a doc comment, as `path:line name`. */
function undocumentedExports({ path, text }: Source): string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, k) => {
    const match = EXPORT.exec(line)
    if (!match || isDocumented(lines, k, match[1]!)) return []
    return [`${path}:${k + 1} ${match[1]}`]
  })
}

const EXPORT =
  /^export\s+(?:default\s+)?(?:declare\s+)?(?:async\s+)?(?:abstract\s+)?(?:function\*?|class|const|let|var|interface|type|enum)\s+([\w$]+)/

function isDocumented(lines: readonly string[], at: number, name: string): boolean {
  const above = lines[at - 1]?.trim() ?? ''
  // The signatures of one overloaded function share the comment of the first.
  if (EXPORT.exec(above)?.[1] === name) return true
  if (!above.endsWith('*/')) return false
  let start = at - 1
  while (start > 0 && !lines[start]!.trim().startsWith('/*')) start--
  const words = lines
    .slice(start, at)
    .join('\n')
    .replace(/^\s*\/\*\*/, '')
  return lines[start]!.trim().startsWith('/**') && /\w/.test(words)
}

/** Tests that are left out without a reason beside or above them, and any that leave out the others. */
function leftOutTests({ path, text }: Source): string[] {
  const lines = text.split('\n')
  return lines.flatMap((line, k) => {
    const match = /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.(skip|only|todo|skipIf|runIf|fails)\b/.exec(line)
    if (!match) return []
    const reason = /\/\/\s*\S/.test(line) || /^\s*(\/\/|\*|\/\*)/.test(lines[k - 1] ?? '')
    return match[1] !== 'only' && reason ? [] : [`${path}:${k + 1} ${match[0]}`]
  })
}

/** Constants that are named as limits, cache sizes, waits or numbers of calls, and have their number on the spot, as `path NAME`. */
function limitsOnTheSpot({ path, text }: Source): string[] {
  return [...text.matchAll(/^(?:export )?const ([A-Z\d_]+)(?:: [^=\n]+)? = (?:\(|\d)([^\n]*)$/gm)]
    .filter(([, name, value]) => LIMIT_NAME.test(name!) && !/\dn$/.test(value!))
    .map(([, name]) => `${path} ${name}`)
}

const LIMIT_NAME =
  /^(MOST|MAX|LEAST|CACHED|PAGE)_|(^|_)(MAX|MIN|LIMIT|AT_ONCE|ATTEMPTS|RETRIES|BACKOFF)(_|$)|_(MS|BYTES|ROWS|SHARE|LEVELS)$/

/** What is named like a limit, and is a fact that no setting could change: with the reason. */
const FACTS: Record<string, readonly string[]> = {
  'the format of Avro': [
    'src/catalog/iceberg/avro-decode.ts VARINT_BYTES_MAX',
    'src/catalog/iceberg/avro.ts SYNC_BYTES',
  ],
  'the format of Parquet': [
    'src/catalog/folder/footer.ts MAGIC_BYTES',
    'src/catalog/folder/footer.ts TRAILER_BYTES',
    'src/worker/column-chunks.ts TRAILER_BYTES',
    'src/catalog/folder/parquet-statistics.ts DECIMAL_BYTES_MAX',
    'src/catalog/folder/parquet-schema.ts DECIMAL_DIGITS_MAX',
  ],
  'the encoding of text': ['src/catalog/folder/parquet-statistics.ts UTF8_BYTES_MAX'],
  'names that every store takes': ['src/storage/path.ts PART_BYTES_MAX', 'src/storage/path.ts PATH_BYTES_MAX'],
  'clocks of file systems': [
    'src/storage/file-tree.ts COARSE_TICK_MS',
    'src/storage/file-tree.ts TICK_MS',
    'src/storage/sealed-file.ts TIME_SLACK_MS',
  ],
  'what the engine does by itself': [
    'src/engine/guards.ts VECTOR_ROWS',
    'src/exchange/view-rows.ts VECTOR_ROWS',
    'src/exchange/shape.ts SHORT_BYTES',
    'src/inputs/columns.ts SAMPLED_BYTES',
    'src/inputs/readers.ts NUMBERED_LINE_BYTES',
    'src/inputs/rejects/records.ts CSV_BYTES_MAX',
    'src/inputs/rejects/records.ts JSON_BYTES_MAX',
    'src/inputs/rejects/sift.ts HEAD_BYTES',
    'src/sql/analyse.ts PARSER_LEVELS',
    'src/worker/passing.ts CHUNK_ROWS',
  ],
  'the shape of SQL that is made, not what may be asked': [
    'src/behaviour/predicate-sql.ts PLAIN_LEVELS',
    'src/engine/guards.ts SHALLOW_LEVELS',
  ],
  'the layout of numbers and texts that are made': [
    'src/cli/output/table.ts LEAST_WIDTH',
    'src/inputs/rejects/sift.ts LINES_MAX',
    'src/inputs/rejects/sift.ts PREFIX_BYTES',
  ],
}

const layers = readLayers(readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8'))
const sources = readSources('src')
const page = readSources('web')
const tests = readSources('test').filter(({ path }) => path !== 'test/tidy.test.ts')

describe('the sources', () => {
  test('follow the order of the layers', () => {
    expect(layers.length).toBeGreaterThan(10)
    expect(sources.length).toBeGreaterThan(50)
    expect(layerFaults(sources, layers)).toEqual([])
  })

  test('are seen by the web page only where a browser can run them', () => {
    expect(page.length).toBeGreaterThan(20)
    expect(pageFaults(page, layers)).toEqual([])
  })

  test('have every layer that is listed', () => {
    const empty = layers.filter((_, rank) => !sources.some(({ path }) => rankOf(path, layers) === rank))
    expect(empty.map(({ path }) => path)).toEqual([])
  })

  test('have their limits in one table', () => {
    const found = sources.flatMap(limitsOnTheSpot)
    expect(found.toSorted(), 'limits belong into src/config.ts or src/common/limits.ts').toEqual(
      Object.values(FACTS).flat().toSorted(),
    )
  })

  test('document every export', () => {
    expect([...sources, ...page].flatMap(undocumentedExports)).toEqual([])
  })

  test(`have no file of more than ${MOST_LINES} lines`, () => {
    const long = [...sources, ...page, ...readSources('scripts')]
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ lines }) => lines > MOST_LINES)
    expect(long).toEqual([])
  })
})

describe('the tests', () => {
  test('leave none out without a reason', () => {
    expect(tests.length).toBeGreaterThan(10)
    expect(tests.flatMap(leftOutTests)).toEqual([])
  })
})

describe('the checks themselves', () => {
  const drawing = readLayers(
    '1. `src/a/` first; pure\n2. `src/b.ts` second\n3. `src/c/` third\n4. `src/client/` fourth\n',
  )
  const faults = (path: string, text: string) => layerFaults([{ path, text }], drawing)

  test('read the list of layers', () => {
    expect(drawing.map(({ path }) => path)).toEqual(['src/a/', 'src/b.ts', 'src/c/', 'src/client/'])
    expect(drawing.map(({ pure }) => pure)).toEqual([true, false, false, false])
  })

  test.each([
    ["import { x } from '../b.ts'"],
    ["import type { X } from '../b.ts'"],
    ["import {\n  x,\n  y,\n} from '../b.ts'"],
    ["export * from '../b.ts'"],
    ["export { x } from '../b.ts'"],
    ["import '../b.ts'"],
    ["const b = await import('../b.ts')"],
    ["new Worker(new URL('../b.ts', import.meta.url))"],
  ])('refuse an import from a lower layer: %s', (text) => {
    expect(faults('src/a/x.ts', text)).toEqual(['src/a/x.ts imports src/b.ts, a lower layer'])
  })

  test('allow imports from the own layer and from those above, and what only looks like one', () => {
    expect(
      faults('src/c/x.ts', "import { a } from '../a/a.ts'\nimport { y } from './y.ts'\nimport z from 'z'"),
    ).toEqual([])
    expect(faults('src/a/x.ts', "// import { x } from '../b.ts'\n/** import('../b.ts') */")).toEqual([])
  })

  test('refuse files and imports outside of the list', () => {
    expect(faults('src/d/x.ts', '')).toEqual(['src/d/x.ts is in no layer of ARCHITECTURE.md'])
    expect(faults('src/c/x.ts', "import t from '../../test/t.ts'")).toEqual([
      'src/c/x.ts imports test/t.ts, which is in no layer',
    ])
  })

  test('refuse what reaches the machine in a pure layer', () => {
    expect(faults('src/a/x.ts', "import { readFile } from 'node:fs/promises'")).toEqual([
      'src/a/x.ts is pure and imports node:fs/promises',
    ])
  })

  test('let the client see types of any layer, and nothing else', () => {
    const below = readLayers('1. `src/client/` first\n2. `src/b.ts` second\n')
    const check = (text: string) => layerFaults([{ path: 'src/client/x.ts', text }], below)
    expect(check("import type { X } from '../b.ts'")).toEqual([])
    expect(check("import { x } from '../b.ts'")).toHaveLength(1)
  })

  test('keep the web page away from what needs a machine', () => {
    const check = (text: string) => pageFaults([{ path: 'web/src/x.ts', text }], drawing)
    expect(
      check("import { a } from '../../src/a/a.ts'\nimport type { B } from '../../src/b.ts'\nimport './x.css'"),
    ).toEqual([])
    expect(check("import { b } from '../../src/b.ts'")).toEqual(['web/src/x.ts imports src/b.ts'])
    expect(check("import { readFile } from 'node:fs'")).toEqual(['web/src/x.ts imports node:fs'])
  })

  test('find undocumented exports', () => {
    const found = (text: string) => undocumentedExports({ path: 'x.ts', text })
    expect(found('/** What. */\nexport const a = 1\n')).toEqual([])
    expect(found('/**\n * What.\n */\nexport async function a() {}\n')).toEqual([])
    expect(found('/** What. */\nexport function a(x: 1): 1\nexport function a(x: 2): 2\n')).toEqual([])
    expect(found("export { a } from './a.ts'\n")).toEqual([])
    expect(found('export const a = 1\n')).toEqual(['x.ts:1 a'])
    expect(found('/* What. */\nexport type A = 1\n')).toEqual(['x.ts:2 A'])
    expect(found('/** What. */\n\nexport interface A {}\n')).toEqual(['x.ts:3 A'])
    expect(found('// What.\nexport class A {}\n')).toEqual(['x.ts:2 A'])
    expect(found('/** */\nexport class A {}\n')).toEqual(['x.ts:2 A'])
  })

  test('find limits on the spot', () => {
    const found = (text: string) => limitsOnTheSpot({ path: 'x.ts', text })
    expect(found('const FILES_MAX = 10\n')).toEqual(['x.ts FILES_MAX'])
    expect(found('export const MOST_NODES: number = 1_000_000\n')).toEqual(['x.ts MOST_NODES'])
    const names = ['READS_AT_ONCE', 'CACHED_PATHS', 'ATTEMPTS', 'BACKOFF_MS', 'LOOK_EVERY_MS', 'PAGE_OBJECTS']
    expect(names.flatMap((name) => found(`const ${name} = 16 * 1024\n`))).toEqual(names.map((name) => `x.ts ${name}`))
    expect(found('const SUM_MAX = (1 << 20) - 1\n')).toEqual(['x.ts SUM_MAX'])
    expect(found('const FILES_MAX = SETTINGS.importFiles.default\n')).toEqual([])
    expect(found('const DATE_MAX = 2n ** 31n\n')).toEqual([])
    expect(found('const MAXIMA = 3\nconst VERSION = 2\n  const mostFiles = 3\n')).toEqual([])
  })

  test('find tests that are left out', () => {
    const found = (text: string) => leftOutTests({ path: 'x.test.ts', text })
    expect(found("it.skip('a', () => {})")).toEqual(['x.test.ts:1 it.skip'])
    expect(found("// Windows has no links.\ntest.skipIf(windows)('a', () => {})")).toEqual([])
    expect(found("// Because.\ntest.only('a', () => {})")).toEqual(['x.test.ts:2 test.only'])
    expect(found("describe.todo('a')")).toEqual(['x.test.ts:1 describe.todo'])
    expect(found("test('a', () => {})")).toEqual([])
  })
})
