/** The SQL view: `#/sql?q=SELECT…&at=…`. */
import type { JSX } from 'preact'
import { Empty } from '../../components/basics.tsx'

/** SQL over the tables of the warehouse. */
export function SqlView(): JSX.Element {
  return (
    <div class="view">
      <h1 class="unseen">SQL</h1>
      <Empty icon="terminal" title="Ask in SQL">
        <p class="quiet">The editor comes here.</p>
      </Empty>
    </div>
  )
}
