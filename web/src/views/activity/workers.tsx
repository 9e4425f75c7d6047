/** The workers of the pools: who is idle, who is busy. */
import type { JSX } from 'preact'
import * as format from '../../format.ts'
import type { WorkerInfo } from './model.ts'

/** A strip of workers for each pool; nothing while none has been needed. */
export function Workers({ workers }: { workers: readonly WorkerInfo[] }): JSX.Element | null {
  if (workers.length === 0) return null
  const pools = Map.groupBy(workers, ({ pool }) => pool)
  return (
    <section class="workers" aria-label="Workers">
      {[...pools].map(([pool, list]) => (
        <div key={pool} class="workers-pool">
          <span class="quiet small">
            {pool === 'inline' ? 'This process' : `${pool[0]!.toUpperCase()}${pool.slice(1)}`}
          </span>
          <ul>
            {list.map((worker) => (
              <li key={worker.id} data-state={worker.state} title={titleOf(worker)}>
                <span class="unseen">{titleOf(worker)}</span>
                {worker.tasks > 1 && <span aria-hidden="true">{format.short(worker.tasks)}</span>}
              </li>
            ))}
          </ul>
          <span class="small">{stateOf(list)}</span>
        </div>
      ))}
    </section>
  )
}

function titleOf({ id, state, tasks }: WorkerInfo): string {
  return `Worker ${id}: ${state}${tasks > 0 ? `, ${format.counted(tasks, 'task')}` : ''}`
}

function stateOf(workers: readonly WorkerInfo[]): string {
  const busy = workers.filter(({ state }) => state === 'busy').length
  return busy === 0 ? 'idle' : `${format.number(busy)} of ${format.number(workers.length)} busy`
}
