/** The answer: who matches, the funnel, the figures, and what it took. */
import type { JSX } from 'preact'
import { Button, ErrorBox, Stat, Stats } from '../../components/basics.tsx'
import { Icon } from '../../components/icons.tsx'
import * as format from '../../format.ts'
import { Figures } from './figures.tsx'
import { FunnelBars } from './funnel-bars.tsx'
import { figuresOf, stagesOf } from './funnel-model.ts'
import { type Answer, answer, failure, faults, isStale, run } from './state.ts'

/** The last answer, or why there is none. */
export function AnswerPane(): JSX.Element | null {
  const { value } = answer
  const error = failure.value
  return (
    <>
      {error && (
        <div class="stack">
          <ErrorBox error={error} {...(error.status === 400 ? {} : { onRetry: () => void run() })} />
          {error.code === 'QUERY_INVALID' && faults.value.length > 0 && (
            <p class="small quiet">What is wrong also stands at its field in the query.</p>
          )}
        </div>
      )}
      {value && <AnswerOf value={value} />}
    </>
  )
}

function AnswerOf({ value }: { value: Answer }): JSX.Element {
  const { result, asked } = value
  const { query, funnel, warnings, stats } = result
  const stages = funnel ? stagesOf(asked.query, funnel.sequence) : []
  return (
    <div class="bh-answer" data-stale={isStale.value || undefined}>
      {isStale.value && (
        <div class="bh-note" role="status">
          <span>The query has changed since this answer.</span>
          <Button icon="play" onClick={() => void run()}>
            Run again
          </Button>
        </div>
      )}
      {funnel && <FunnelBars stages={stages} />}
      {funnel ? (
        <p class="quiet">
          Of {format.counted(query.matchingGroups, 'actor')} with {format.counted(query.matchingGroupRows, 'row')}.
        </p>
      ) : (
        <div class="bh-funnel">
          <Stats>
            <Stat label="Actors that match">{format.number(query.matchingGroups)}</Stat>
            <Stat label="Their rows">{format.number(query.matchingGroupRows)}</Stat>
          </Stats>
        </div>
      )}
      {warnings?.map(({ code, message }) => (
        <div key={code + message} class="bh-note">
          <Icon name="alert" />
          <span>{message}</span>
        </div>
      ))}
      <Figures title="For each step" figures={figuresOf(stages)} />
      {funnel?.endAggregations && (
        <Figures
          title="After the last step"
          figures={figuresOf([{ title: '', aggregations: funnel.endAggregations }])}
        />
      )}
      {query.aggregations && (
        <Figures title="For all who match" figures={figuresOf([{ title: '', aggregations: query.aggregations }])} />
      )}
      <p class="bh-stats small quiet">
        {[
          format.duration(stats.ms),
          format.counted(stats.rows, 'row'),
          format.bytes(stats.bytes),
          format.counted(stats.files, 'file') +
            (stats.filesPruned > 0 ? ` (${format.number(stats.filesPruned)} left out)` : ''),
          format.counted(stats.tasks, 'task'),
          ...(stats.pool === undefined ? [] : [`pool ${stats.pool}`]),
        ].join(' · ')}
      </p>
    </div>
  )
}
