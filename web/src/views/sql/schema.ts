/** Tables and columns for the completion: the columns of those tables that the text names. */
import { useEffect, useState } from 'preact/hooks'
import { describe, tables } from '../../session.ts'

const SETTLE_MS = 250
/** Most tables whose columns are asked for because a text names them. */
const NAMED = 12

/** Columns by table; none yet of a table that the text has only just named. */
export function useSchema(text: string): Readonly<Record<string, readonly string[]>> {
  const all = tables.state.value.value
  const [columns, setColumns] = useState<Readonly<Record<string, readonly string[]>>>({})
  useEffect(() => {
    let isGone = false
    const timer = setTimeout(async () => {
      const missing = namedIn(
        text,
        (all ?? []).map(({ name }) => name),
      ).filter((name) => !columns[name])
      if (missing.length === 0) return
      const found = await Promise.all(missing.map(columnsOf))
      if (!isGone) setColumns((now) => ({ ...now, ...Object.fromEntries(found) }))
    }, SETTLE_MS)
    return () => {
      isGone = true
      clearTimeout(timer)
    }
  }, [text, all])
  const [schema, setSchema] = useState<Readonly<Record<string, readonly string[]>>>({})
  useEffect(() => {
    setSchema({ ...Object.fromEntries((all ?? []).map(({ name }) => [name, []])), ...columns })
  }, [all, columns])
  return schema
}

/** The tables that a text names. */
export function namedIn(text: string, names: readonly string[]): string[] {
  const words = new Set(text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [])
  const lower = text.toLowerCase()
  const isNamed = (name: string) =>
    /^\w+$/.test(name) ? words.has(name.toLowerCase()) : lower.includes(name.toLowerCase())
  return names.filter(isNamed).slice(0, NAMED)
}

async function columnsOf(name: string): Promise<[string, readonly string[]]> {
  try {
    return [name, (await describe(name)).columns.map((column) => column.name)]
  } catch {
    // The name alone is completed; the query tells what is wrong with the table.
    return [name, []]
  }
}
