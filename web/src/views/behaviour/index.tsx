/** The behaviour view: `#/behaviour/TABLE?q=…&at=…`. */
import type { JSX } from 'preact'
import { Empty } from '../../components/basics.tsx'

/** Conditions, sequences and funnels over a table. */
export function BehaviourView(): JSX.Element {
  return (
    <div class="view">
      <h1 class="unseen">Behaviour</h1>
      <Empty icon="funnel" title="Follow what people do">
        <p class="quiet">Steps, conditions and the funnel come here.</p>
      </Empty>
    </div>
  )
}
