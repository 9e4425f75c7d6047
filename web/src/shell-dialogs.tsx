/** The dialogs of the frame: shortcuts, and the question for a token. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { giveToken } from './api/token.ts'
import { Button, Dialog, Field } from './components/basics.tsx'
import type { Shortcut } from './keys.ts'

/** The shortcuts that work where we are. */
export function KeysDialog({ list, onClose }: { list: readonly Shortcut[]; onClose(): void }): JSX.Element {
  return (
    <Dialog title="Keyboard shortcuts" onClose={onClose}>
      <dl class="keys">
        {[...list, ...GENERAL].map(({ keys, label }) => (
          <>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{label}</dd>
          </>
        ))}
      </dl>
    </Dialog>
  )
}

const GENERAL: readonly Pick<Shortcut, 'keys' | 'label'>[] = [
  { keys: 'Ctrl Enter', label: 'Run, in an editor' },
  { keys: '↑ ↓ ← →', label: 'Move between cells of a grid; with Shift, choose several' },
  { keys: 'Ctrl C', label: 'Copy the chosen cells' },
  { keys: 'Enter', label: 'Show a cell in full' },
  { keys: 'Alt ← →', label: 'Make the column of a cell narrower or wider' },
]

/** Asks for the token of this server; the calls that wait go on with it. */
export function TokenDialog({ reason }: { reason: string }): JSX.Element {
  const [text, setText] = useState('')
  const submit = (event: Event) => {
    event.preventDefault()
    if (text.trim()) giveToken(text.trim())
  }
  return (
    <Dialog title="This warehouse needs a token">
      <form class="stack" onSubmit={submit}>
        {reason && (
          <p role="alert" style={{ color: 'var(--bad)' }}>
            {reason}
          </p>
        )}
        <Field
          label="Token"
          hint="The server was started with SKEP_TOKEN or SKEP_TOKENS_FILE; whoever did knows it. It is kept until you close this tab."
        >
          {(ids) => (
            <input
              class="input"
              type="password"
              autoComplete="off"
              {...ids}
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          )}
        </Field>
        <div class="row" style={{ justifyContent: 'flex-end' }}>
          <Button tone="primary" type="submit" disabled={!text.trim()}>
            Continue
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
