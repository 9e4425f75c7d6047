/** The editor itself, which is loaded when somebody needs it. */
import {
  autocompletion,
  type CompletionSource,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completionKeymap,
} from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands'
import { json, jsonParseLinter } from '@codemirror/lang-json'
import { PostgreSQL, SQLDialect, type SQLNamespace, sql } from '@codemirror/lang-sql'
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { type Diagnostic, linter, lintKeymap, setDiagnostics } from '@codemirror/lint'
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search'
import { Annotation, Compartment, EditorState, type Extension } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers, placeholder } from '@codemirror/view'
import { tags } from '@lezer/highlight'

/** What an editor is made with. */
export interface EditorSetup {
  parent: HTMLElement
  label: string
  language: 'sql' | 'json'
  value: string
  placeholder: string
  readOnly: boolean
  /** Tables with the names of their columns. */
  schema: SQLNamespace
  /** More to complete, such as values. */
  complete: CompletionSource | undefined
  onChange(value: string): void
  /** Told of Ctrl-Enter with what is selected, else the whole text. */
  onRun(text: string): void
}

/** A place in the text where something is wrong, as offsets. */
export interface Fault {
  from: number
  to: number
  message: string
}

/** An editor that is there. */
export interface EditorHandle {
  /** The text is replaced unless it is the same; `onChange` is not called. */
  setValue(value: string): void
  setSchema(schema: SQLNamespace): void
  setFaults(faults: readonly Fault[]): void
  /** Puts text where the cursor is. */
  insert(text: string): void
  /** What is selected; empty when nothing is. */
  selected(): string
  /** Where the selection is, as offsets; the cursor when nothing is selected. */
  selection(): { from: number; to: number }
  focus(): void
  destroy(): void
}

/** An editor in `parent`. */
export function createEditor(setup: EditorSetup): EditorHandle {
  const language = new Compartment()
  const languageOf = (schema: SQLNamespace) => (setup.language === 'json' ? jsonSupport() : sqlSupport(schema, setup))
  const view = new EditorView({
    parent: setup.parent,
    state: EditorState.create({
      doc: setup.value,
      extensions: [...base(setup), language.of(languageOf(setup.schema))],
    }),
  })
  return {
    setValue: (value) => {
      if (value !== view.state.doc.toString()) {
        view.dispatch({
          changes: { from: 0, to: view.state.doc.length, insert: value },
          annotations: FROM_OUTSIDE.of(true),
        })
      }
    },
    setSchema: (schema) => view.dispatch({ effects: language.reconfigure(languageOf(schema)) }),
    setFaults: (faults) =>
      view.dispatch(
        setDiagnostics(
          view.state,
          faults.map((fault) => within(fault, view)),
        ),
      ),
    insert: (text) => {
      view.dispatch(view.state.replaceSelection(text))
      view.focus()
    },
    selected: () => selectedText(view),
    selection: () => ({ from: view.state.selection.main.from, to: view.state.selection.main.to }),
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  }
}

const FROM_OUTSIDE = Annotation.define<boolean>()

function within({ from, to, message }: Fault, view: EditorView): Diagnostic {
  const { length } = view.state.doc
  return { from: Math.min(from, length), to: Math.min(Math.max(to, from), length), message, severity: 'error' }
}

function selectedText({ state }: EditorView): string {
  const { from, to } = state.selection.main
  return state.sliceDoc(from, to)
}

function base(setup: EditorSetup): Extension[] {
  const run = (view: EditorView) => {
    closeCompletion(view)
    setup.onRun(selectedText(view) || view.state.doc.toString())
    return true
  }
  return [
    lineNumbers(),
    history(),
    drawSelection(),
    indentOnInput(),
    bracketMatching(),
    closeBrackets(),
    highlightActiveLine(),
    highlightSelectionMatches(),
    EditorView.lineWrapping,
    syntaxHighlighting(HIGHLIGHT),
    THEME,
    placeholder(setup.placeholder),
    EditorState.readOnly.of(setup.readOnly),
    EditorView.contentAttributes.of({ 'aria-label': setup.label, spellcheck: 'false', tabindex: '0' }),
    EditorView.updateListener.of((update) => {
      const told = update.transactions.some((one) => one.annotation(FROM_OUTSIDE))
      if (update.docChanged && !told) setup.onChange(update.state.doc.toString())
    }),
    keymap.of([
      { key: 'Mod-Enter', run },
      // Tab indents; Escape and then Tab leaves the editor.
      { key: 'Escape', run: leaveByTab },
      ...closeBracketsKeymap,
      ...completionKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...lintKeymap,
      ...defaultKeymap,
      indentWithTab,
    ]),
  ]
}

function leaveByTab(view: EditorView): boolean {
  view.setTabFocusMode(2000)
  return false
}

function jsonSupport(): Extension {
  const parse = jsonParseLinter()
  const lint = linter((view) => (view.state.doc.length === 0 ? [] : parse(view)))
  return [json(), lint, autocompletion()]
}

function sqlSupport(schema: SQLNamespace, { complete }: EditorSetup): Extension {
  const config = { dialect: DUCKDB, schema, upperCaseKeywords: true }
  const support = sql(config)
  const more = complete ? [support.language.data.of({ autocomplete: complete })] : []
  const columns = support.language.data.of({ autocomplete: bareColumns(schema) })
  return [support, columns, ...more, autocompletion({ activateOnTyping: true, icons: false })]
}

/** Columns of the tables that the text names, without the table in front. */
function bareColumns(schema: SQLNamespace): CompletionSource {
  if (Array.isArray(schema) || typeof schema !== 'object') return () => null
  const tables = Object.entries(schema as Record<string, unknown>)
  return (context) => {
    const word = context.matchBefore(/[\w"]*/)
    if (!word || (word.from === word.to && !context.explicit)) return null
    if (context.state.sliceDoc(Math.max(0, word.from - 1), word.from) === '.') return null
    const text = context.state.doc.toString()
    const named = tables.filter(([name]) => text.includes(name))
    const names = new Map<string, string>()
    for (const [table, columns] of named) {
      if (Array.isArray(columns)) for (const column of columns) names.set(labelOf(column), table)
    }
    const options = [...names].map(([label, table]) => ({ label, detail: table, type: 'property', boost: 10 }))
    return { from: word.from, options, validFor: /^\w*$/ }
  }
}

function labelOf(column: unknown): string {
  return typeof column === 'string' ? column : (column as { label: string }).label
}

const DUCKDB = SQLDialect.define({
  ...PostgreSQL.spec,
  keywords: `${PostgreSQL.spec.keywords ?? ''} qualify pivot unpivot exclude summarize sample asof positional semi anti`,
  doubleDollarQuotedStrings: true,
})

const HIGHLIGHT = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--syntax-keyword)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--syntax-string)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--syntax-number)' },
  { tag: tags.comment, color: 'var(--syntax-comment)', fontStyle: 'italic' },
  { tag: [tags.propertyName, tags.typeName, tags.standard(tags.name)], color: 'var(--syntax-name)' },
])

const THEME = EditorView.theme({
  '&': { color: 'var(--ink)', backgroundColor: 'transparent', fontSize: '13px', height: '100%' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55', overflow: 'auto' },
  '.cm-content': { caretColor: 'var(--ink)', padding: '10px 0' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--ink-2)', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'transparent' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)', borderLeftWidth: '2px' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--accent-soft)',
  },
  '.cm-placeholder': { color: 'var(--ink-2)' },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': {
    backgroundColor: 'var(--hover)',
    outline: '1px solid var(--line-strong)',
  },
  '.cm-selectionMatch': { backgroundColor: 'var(--hover)' },
  '.cm-tooltip': {
    border: '1px solid var(--line)',
    borderRadius: '8px',
    backgroundColor: 'var(--surface)',
    color: 'var(--ink)',
    boxShadow: 'var(--shadow)',
    overflow: 'hidden',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '4px 10px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': {
    backgroundColor: 'var(--accent-soft)',
    color: 'var(--ink)',
  },
  '.cm-completionDetail': { color: 'var(--ink-2)', fontStyle: 'normal', marginLeft: '12px' },
  '.cm-panels': { backgroundColor: 'var(--sunken)', color: 'var(--ink)', borderColor: 'var(--line)' },
})
