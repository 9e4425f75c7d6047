/** The funnel as bars: how many reach each step, and how many are lost on the way. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Badge, Button, Stat, Stats } from '../../components/basics.tsx'
import { counted, number, share } from '../../format.ts'
import { greatestLoss, type Stage } from './funnel-model.ts'

/** A funnel with its figures in short above it. */
export function FunnelBars({ stages }: { stages: readonly Stage[] }): JSX.Element {
  const [isTable, setTable] = useState(false)
  const loss = greatestLoss(stages)
  const last = stages.findLast(({ isOptional }) => !isOptional)
  return (
    <div class="bh-funnel">
      <div class="row apart">
        <Stats>
          <Stat label="Got to the end">{last?.rate === undefined ? '–' : share(last.rate)}</Stat>
          <Stat label="Began">{number(stages[0]?.actors ?? 0)}</Stat>
          <Stat label="Finished">{number(last?.actors ?? 0)}</Stat>
          {loss && stages.length > 2 && <Stat label="Most are lost before">{loss.title}</Stat>}
        </Stats>
        <Button icon={isTable ? 'chart' : 'table'} onClick={() => setTable(!isTable)}>
          {isTable ? 'Show bars' : 'Show table'}
        </Button>
      </div>
      {isTable ? <FunnelTable stages={stages} /> : <Bars stages={stages} loss={loss} />}
    </div>
  )
}

function Bars({ stages, loss }: { stages: readonly Stage[]; loss: Stage | undefined }): JSX.Element {
  return (
    <ol class="bh-bars" aria-label="Funnel">
      {stages.map((stage) => (
        <li key={stage.place}>
          {stage.lost !== undefined && <Lost stage={stage} isGreatest={stage === loss && stages.length > 2} />}
          <BarOf stage={stage} first={stages[0]!.actors} />
        </li>
      ))}
    </ol>
  )
}

function Lost({ stage, isGreatest }: { stage: Stage; isGreatest: boolean }): JSX.Element {
  const { lost = 0, stepRate, isOptional } = stage
  return (
    <div class="bh-lost" data-greatest={isGreatest || undefined}>
      <span class="bh-lost-arrow" aria-hidden="true" />
      {stepRate === undefined ? (
        <span class="quiet">nobody gets here</span>
      ) : (
        <>
          <span>
            <strong>{share(stepRate)}</strong> {isOptional ? 'also do this' : 'go on'}
          </span>
          <span class="bh-lost-count">
            {isOptional
              ? `${number(lost)} do not`
              : lost === 0
                ? 'nobody is lost'
                : `${number(lost)} lost, ${share(1 - stepRate)}`}
          </span>
        </>
      )}
    </div>
  )
}

function BarOf({ stage, first }: { stage: Stage; first: number }): JSX.Element {
  const { place, title, about, actors, rows, rate, stepRate, isOptional } = stage
  const width = first === 0 ? 0 : Math.min(1, actors / first)
  const words = [
    `Step ${place}, ${title}`,
    counted(actors, 'actor'),
    ...(rate === undefined ? [] : [`${share(rate)} of the first step`]),
    ...(stepRate === undefined ? [] : [`${share(stepRate)} of the step before`]),
    `${counted(rows, 'row')} of theirs`,
  ]
  return (
    <div class="bh-bar" tabIndex={0} role="group" aria-label={words.join('; ')}>
      <div class="bh-bar-head">
        <span class="bh-number">{place}</span>
        <span class="bh-bar-title truncate" title={about}>
          {title}
        </span>
        {isOptional && <Badge>optional</Badge>}
        <span class="bh-push" />
        <span class="bh-bar-count">{number(actors)}</span>
        <span class="bh-bar-rate">{rate === undefined ? '–' : share(rate)}</span>
      </div>
      <div class="bh-track" aria-hidden="true">
        <i style={{ width: `max(${width * 100}%, ${actors > 0 ? 2 : 0}px)` }} data-optional={isOptional || undefined} />
      </div>
      <div class="bh-bar-detail small" aria-hidden="true">
        <span>{about}</span>
        <span>{counted(rows, 'row')} in all</span>
        {stepRate !== undefined && <span>{share(stepRate)} of the step before</span>}
      </div>
    </div>
  )
}

function FunnelTable({ stages }: { stages: readonly Stage[] }): JSX.Element {
  const rate = (value: number | undefined) => (value === undefined ? '–' : share(value))
  return (
    <section class="scroller" tabIndex={0} aria-label="Funnel as a table">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">Step</th>
            {['Actors', 'Of the first', 'Of the one before', 'Lost', 'Rows'].map((name) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {stages.map((stage) => (
            <tr key={stage.place}>
              <td>{stage.place}</td>
              <td>{stage.title}</td>
              <td class="number">{number(stage.actors)}</td>
              <td class="number">{rate(stage.rate)}</td>
              <td class="number">{rate(stage.stepRate)}</td>
              <td class="number">{stage.lost === undefined ? '–' : number(stage.lost)}</td>
              <td class="number">{number(stage.rows)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
