/** The activity view: `#/activity/QUERY`. */
import type { JSX } from 'preact'
import { Empty } from '../../components/basics.tsx'

/** The queries that run and ran, and the workers. */
export function ActivityView(): JSX.Element {
  return (
    <div class="view">
      <h1 class="unseen">Activity</h1>
      <Empty icon="pulse" title="Nothing has run yet">
        <p class="quiet">Queries and imports show up here while they run, and stay as history.</p>
      </Empty>
    </div>
  )
}
