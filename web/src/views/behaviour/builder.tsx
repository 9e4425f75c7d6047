/** The query as forms. */
import type { JSX } from 'preact'
import { Button } from '../../components/basics.tsx'
import { AggregationsField } from './aggregations.tsx'
import { isTimeClass, spanOf } from './columns.ts'
import { ConditionsField } from './conditions.tsx'
import { type Json, type JsonObject, patched } from './document.ts'
import { newStep } from './edits.ts'
import { isClauseForm, isFunnelForm, isQueryForm, isTimeframeForm } from './forms.ts'
import { DraftField, Faults, FragmentField, Section, textOfScalar } from './parts.tsx'
import { RulesField } from './rules.tsx'
import { columns, query, setDocument, stepColumn, table, timeColumn } from './state.ts'
import { StepsField } from './steps.tsx'

/** The forms of the query. */
export function Builder(): JSX.Element {
  const now = query.value
  if (!isQueryForm(now)) {
    return (
      <div class="bh-builder">
        <FragmentField label="the query" value={now} path="" onChange={setDocument} onRemove={() => setDocument({})} />
      </div>
    )
  }
  const put = (key: string) => (value: Json | undefined) => setDocument(patched(now, { [key]: value }))
  return (
    <div class="bh-builder">
      <FunnelField value={now.funnel} onChange={put('funnel')} whole={(funnel) => patched(now, { funnel })} />
      <ConditionsField value={now.query} onChange={put('query')} whole={(clause) => patched(now, { query: clause })} />
      <TimeframeField value={now.timeframe} onChange={put('timeframe')} />
      <FiguresField value={now} />
      <Faults path="" />
    </div>
  )
}

function FunnelField({
  value,
  onChange,
  whole,
}: {
  value: Json | undefined
  onChange(value: Json | undefined): void
  whole(value: Json): Json
}): JSX.Element {
  if (value === undefined) {
    return (
      <Section title="Funnel" about="how far they get, step by step">
        <div>
          <Button
            icon="plus"
            onClick={() => {
              onChange({ sequence: [newStep(stepColumn.peek() ?? columns.peek()[0])] })
              requestAnimationFrame(() =>
                document.querySelector<HTMLElement>('[data-step="0"] .bh-value input')?.focus(),
              )
            }}
          >
            Add first step
          </Button>
        </div>
      </Section>
    )
  }
  const remove = (
    <Button tone="quiet" aria-label="Remove the funnel" onClick={() => onChange(undefined)}>
      Remove
    </Button>
  )
  return (
    <Section title="Funnel" about="how far they get, step by step" end={remove}>
      {isFunnelForm(value) ? (
        <>
          <StepsField value={value} path="/funnel" of="the funnel" onChange={onChange} whole={whole} />
          <RulesField value={value} path="/funnel" of="the funnel" onChange={onChange} />
          <Faults path="/funnel" />
          <Faults path="/funnel/sequence" />
        </>
      ) : (
        <FragmentField label="funnel" value={value} path="/funnel" onChange={onChange} />
      )}
    </Section>
  )
}

/** The rows that count. */
function TimeframeField({
  value,
  onChange,
}: {
  value: Json | undefined
  onChange(value: Json | undefined): void
}): JSX.Element {
  const timeframe = value ?? {}
  const time = timeColumn.value
  const put = (next: JsonObject) => onChange(Object.keys(next).length === 0 ? undefined : next)
  const range = table.value?.columns.find(({ name }) => name === time?.name)
  const about = value === undefined ? 'all of the time' : 'only rows of this time'
  if (!isTimeframeForm(timeframe)) {
    return (
      <Section title="When" about={about}>
        <FragmentField
          label="timeframe"
          value={timeframe}
          path="/timeframe"
          onChange={onChange}
          onRemove={() => onChange(undefined)}
        />
      </Section>
    )
  }
  const bound = (key: 'from' | 'to', label: string, word: string) => (
    <span class="bh-span">
      <span class="quiet">{word}</span>
      <DraftField<Json | undefined>
        label={label}
        value={timeframe[key]}
        textOf={textOfScalar}
        read={(text) => (text.trim() === '' ? undefined : spanOf(text, time))}
        path={`/timeframe/${key}`}
        placeholder={textOfScalar(key === 'from' ? range?.min : range?.max) || 'any'}
        size={isTimeClass(time?.class) ? 22 : 16}
        onChange={(next) => put(patched(timeframe, { [key]: next }))}
      />
    </span>
  )
  return (
    <Section title="When" about={about}>
      <div class="bh-line">
        {bound('from', `From, included, of ${time?.name ?? 'the time'}`, 'from')}
        {bound('to', `To, excluded, of ${time?.name ?? 'the time'}`, 'to before')}
      </div>
      <Faults path="/timeframe" below />
    </Section>
  )
}

/** What is added up: over those who match, for each step, and at the end. */
function FiguresField({ value }: { value: JsonObject }): JSX.Element | null {
  const { query: clause = {}, funnel } = value
  if (!isClauseForm(clause)) return null
  const put = (aggregations: Json[] | undefined) => {
    const next = patched(clause, { aggregations })
    setDocument(patched(value, { query: Object.keys(next).length === 0 ? undefined : next }))
  }
  return (
    <Section title="Figures" about="over all rows of the actors">
      {funnel !== undefined && isFunnelForm(funnel) && (
        <>
          <AggregationsField
            title="for each step"
            value={funnel.stepAggregations}
            path="/funnel/stepAggregations"
            onChange={(stepAggregations) =>
              setDocument(patched(value, { funnel: patched(funnel, { stepAggregations }) }))
            }
          />
          <AggregationsField
            title="after the last step"
            value={funnel.endAggregations}
            path="/funnel/endAggregations"
            onChange={(endAggregations) =>
              setDocument(patched(value, { funnel: patched(funnel, { endAggregations }) }))
            }
          />
        </>
      )}
      <AggregationsField
        title="for all who match"
        value={clause.aggregations}
        path="/query/aggregations"
        onChange={put}
      />
    </Section>
  )
}
