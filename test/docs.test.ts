/** Holds the pages of reference to the code, in both directions. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { GLOBAL_FLAGS, placeholder } from '../src/cli/arguments.ts'
import type { Command, FlagSpecs } from '../src/cli/command.ts'
import { loadCommands } from '../src/cli/commands.ts'
import { flagHelp, flagTitle } from '../src/cli/help.ts'
import { LIMITS } from '../src/common/limits.ts'
import { SETTINGS } from '../src/config.ts'
import { ERROR_CODES, ERROR_KINDS } from '../src/errors.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** The lines below the rule of the table whose first column has this heading. */
function tableOf(text: string, first: string): string[] {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => line.startsWith(`| ${first} |`))
  if (start < 0) return []
  const end = lines.findIndex((line, k) => k > start && !line.startsWith('|'))
  return lines.slice(start + 2, end < 0 ? undefined : end)
}

function row(...cells: (string | number)[]): string {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
}

/** The part of a page below a heading of the second level. */
function section(text: string, heading: string): string {
  const [, body = ''] = `\n${text}`.split(`\n## ${heading}\n`)
  return body.split('\n## ')[0]!
}

function block(text: string, language: string): string {
  return new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\\n\`\`\``).exec(text)?.[1] ?? ''
}

describe('docs/reference/errors.md', () => {
  const page = read('docs/reference/errors.md')

  test('has every code with its kind, status, exit code and meaning, and no other', () => {
    const expected = Object.entries(ERROR_CODES).map(([code, entry]) => {
      const { status, exitCode } = ERROR_KINDS[entry.kind]
      return row(`\`${code}\``, entry.kind, entry.status ?? status, exitCode, entry.help)
    })
    expect(tableOf(page, 'Code')).toEqual(expected)
  })

  test('has every kind with its exit code', () => {
    const cells = tableOf(page, 'Kind').map((line) => line.split('|').map((cell) => cell.trim()))
    const found = cells.map((kind) => [kind[1], Number(kind[3])])
    expect(found).toEqual(Object.entries(ERROR_KINDS).map(([kind, { exitCode }]) => [kind, exitCode]))
  })
})

describe('docs/reference/settings.md', () => {
  test('has every setting with its variable, unit, default and meaning, and no other', () => {
    const settings = Object.entries<Setting>(SETTINGS).filter(([name]) => !(name in LIMITS))
    const expected = settings.map(([name, setting]) => {
      const variable = setting.variable === undefined ? 'fixed' : `\`${setting.variable}\``
      return row(`\`${name}\``, variable, setting.unit, defaultText(setting), setting.help)
    })
    expect(tableOf(read('docs/reference/settings.md'), 'Setting')).toEqual(expected)
  })

  test('has every limit inside with its unit, value and meaning, and no other', () => {
    const expected = Object.entries<Setting>(LIMITS).map(([name, limit]) =>
      row(`\`${name}\``, limit.unit, defaultText(limit), limit.help),
    )
    expect(tableOf(read('docs/reference/settings.md'), 'Limit')).toEqual(expected)
  })

  test('is the only place where other pages find variables', () => {
    const known = new Set(Object.values<Setting>(SETTINGS).flatMap(({ variable }) => variable ?? []))
    const named = pages().flatMap((path) =>
      [...read(path).matchAll(/\bSKEP_[A-Z_]+\b/g)].map(([name]) => ({ path, name })),
    )
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter(({ name }) => !known.has(name))).toEqual([])
  })
})

interface Setting {
  variable?: string
  unit: string
  default: number | string
  help: string
}

const SIZES = [
  [1024 ** 3, 'GB'],
  [1024 ** 2, 'MB'],
  [1024, 'KB'],
] as const

function defaultText({ unit, default: value }: Setting): string {
  if (typeof value === 'string') return value === '' ? 'none' : `\`${value}\``
  const size = unit === 'bytes' ? SIZES.find(([bytes]) => value % bytes === 0) : undefined
  return size ? `${value / size[0]} ${size[1]}` : value.toLocaleString('en-US', { maximumFractionDigits: 6 })
}

describe('docs/reference/cli.md', async () => {
  const page = read('docs/reference/cli.md')
  const commands = await loadCommands()
  const flagRows = (flags: FlagSpecs) =>
    Object.entries(flags).map(([name, spec]) => row(`\`${flagTitle(name, spec)}\``, flagHelp(spec)))

  test('has a section for every command, in the order of the help, and for no other', () => {
    const found = [...page.matchAll(/^## `skep (\w+)`$/gm)].map(([, name]) => name)
    expect(found).toEqual([...commands.keys()])
  })

  test('has the flags of every command', () => {
    expect(tableOf(section(page, 'Flags of every command'), 'Flag')).toEqual(flagRows(GLOBAL_FLAGS))
  })

  test.each([...commands])('says of %s what its help says', (name, command) => {
    const body = section(page, `\`skep ${name}\``)
    expect(body).toContain(`${command.summary}.`)
    expect(body).toContain(command.description ?? '')
    expect(block(body, 'text')).toBe(command.usage)
    expect(tableOf(body, 'Argument')).toEqual(command.arguments.map(({ name, help }) => row(`\`${name}\``, help)))
    expect(tableOf(body, 'Flag')).toEqual(flagRows(command.flags))
    expect(block(body, 'sh')).toBe(command.examples.map(({ does, line }) => `# ${does}\n${line}`).join('\n'))
  })

  test.each([...commands])(
    'shows a usage of %s that has all its flags, and examples that use no other',
    (name, command) => {
      expect(command.usage.startsWith(`skep ${name}`)).toBe(true)
      expect(flagsIn(command.usage).sort()).toEqual(Object.keys(command.flags).sort())
      for (const [flag, spec] of Object.entries(command.flags)) {
        if (spec.choices) expect(command.usage).toContain(`--${flag} ${placeholder(spec)}`)
      }
      expect(command.examples.length).toBeGreaterThan(0)
      for (const { line } of command.examples) expect(unknownFlags(line, command)).toEqual([])
    },
  )
})

function flagsIn(line: string): string[] {
  return [...line.matchAll(/(?<=[\s[])--([a-z-]+)/g)].map(([, name]) => name!)
}

function unknownFlags(line: string, command: Command): string[] {
  return flagsIn(line).filter((name) => !(name in command.flags) && !(name in GLOBAL_FLAGS))
}

/** Every page of the project. */
function pages(): string[] {
  const below = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`)
  const above = readdirSync(ROOT).concat(
    readdirSync(join(ROOT, 'examples/data')).map((name) => `examples/data/${name}`),
  )
  return [...above, ...below].filter((name) => name.endsWith('.md'))
}

describe('every page', () => {
  test('links to what exists', () => {
    const links = pages().flatMap((path) =>
      [
        ...withoutCode(read(path))
          .replaceAll(/`[^`\n]*`/g, 'code')
          .matchAll(/\]\(([^)\s]+)\)/g),
      ].map(([, link]) => ({ path, link: link! })),
    )
    const broken = links.filter(({ path, link }) => !leadsSomewhere(path, link))
    expect(links.length).toBeGreaterThan(0)
    expect(broken).toEqual([])
  })
})

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '')
}

function leadsSomewhere(path: string, link: string): boolean {
  if (/^[a-z]+:/.test(link)) return true
  const [file, anchor] = link.split('#')
  const target = file ? join(dirname(path), file) : path
  if (!existsSync(join(ROOT, target))) return false
  return anchor === undefined || anchorsOf(read(target)).has(anchor)
}

function anchorsOf(text: string): Set<string> {
  const headings = [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}
