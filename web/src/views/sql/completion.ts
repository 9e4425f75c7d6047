/** What the editor completes beside tables and columns: the functions that queries may call. */
import type { Completion, CompletionSource } from '@codemirror/autocomplete'
import { FUNCTION_LISTS } from '../../../../src/sql/function-lists.ts'

const KINDS = ['aggregate', 'scalar', 'macro', 'table', 'table_macro'] as const

let options: Completion[] | undefined

/** Functions by the beginning of their names; the cursor then stands between the parentheses. */
export const completeFunctions: CompletionSource = (context) => {
  const word = context.matchBefore(/[a-z_]\w*/i)
  if (!word || word.to - word.from < 2) return null
  if (context.state.sliceDoc(Math.max(0, word.from - 1), word.from) === '.') return null
  options ??= functions()
  return { from: word.from, options, validFor: /^\w*$/ }
}

function functions(): Completion[] {
  const known = new Map<string, string>()
  for (const kind of KINDS) {
    for (const name of (FUNCTION_LISTS[kind].allowed ?? '').split(/\s+/)) {
      if (/^[a-z]\w+$/.test(name) && !known.has(name)) known.set(name, kind.replace('_', ' '))
    }
  }
  return [...known].map(([label, detail]) => ({
    label,
    detail: detail === 'scalar' ? 'function' : detail,
    type: 'function',
    boost: detail === 'aggregate' ? 0 : -5,
    apply: (view, _completion, from, to) => {
      const isCalled = view.state.sliceDoc(to, to + 1) === '('
      view.dispatch({
        changes: { from, to, insert: isCalled ? label : `${label}()` },
        selection: { anchor: from + label.length + 1 },
        userEvent: 'input.complete',
      })
    },
  }))
}
