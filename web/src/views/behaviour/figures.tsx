/** Aggregations as small charts: bars for maps, numbers for the rest, one beside the other for each step. */
import type { JSX } from 'preact'
import { Bar } from '../../components/basics.tsx'
import { number, short } from '../../format.ts'
import { entriesOf, type Figure } from './funnel-model.ts'

/** Figures, each over all groups of actors. */
export function Figures({ title, figures }: { title: string; figures: readonly Figure[] }): JSX.Element | null {
  if (figures.length === 0) return null
  return (
    <section class="bh-figures" aria-label={title}>
      <h2>{title}</h2>
      {figures.map((figure, k) => (
        <FigureOf key={`${k} ${figure.title}`} figure={figure} />
      ))}
    </section>
  )
}

function FigureOf({ figure }: { figure: Figure }): JSX.Element {
  const { title, isMap, parts } = figure
  return (
    <div class="bh-figure" role="group" aria-label={title}>
      <h3>{title}</h3>
      <div
        class="bh-figure-parts"
        tabIndex={parts.length > 1 ? 0 : undefined}
        role="group"
        aria-label={`${title}, by step`}
      >
        {parts.map(({ title: group, result }, k) => (
          <div key={`${k} ${group}`} class="bh-figure-part">
            {parts.length > 1 && (
              <div class="small quiet truncate" title={group}>
                {k + 1}. {group}
              </div>
            )}
            {isMap ? <MapBars entries={entriesOf(result)} top={result?.top} /> : <Scalar value={result?.value} />}
          </div>
        ))}
      </div>
    </div>
  )
}

function Scalar({ value }: { value: unknown }): JSX.Element {
  if (value === undefined) return <div class="bh-scalar quiet">nothing</div>
  return <div class="bh-scalar">{typeof value === 'number' ? number(value) : String(value)}</div>
}

function MapBars({
  entries,
  top,
}: {
  entries: readonly (readonly [string, number | string])[]
  top?: number | undefined
}): JSX.Element {
  const sizes = entries.map(([, value]) => Math.abs(Number(value)))
  const greatest = Math.max(0, ...sizes)
  if (entries.length === 0) return <div class="quiet small">nothing</div>
  return (
    <>
      <ul class="bh-map">
        {entries.map(([key, value], k) => (
          <li key={key}>
            <span class="truncate" title={key}>
              {key === '' ? '(empty)' : key}
            </span>
            <Bar share={greatest === 0 ? 0 : sizes[k]! / greatest} />
            <span class="number" title={String(value)}>
              {typeof value === 'number' ? (Math.abs(value) < 100_000 ? number(value) : short(value)) : value}
            </span>
          </li>
        ))}
      </ul>
      {top !== undefined && entries.length === top && <div class="small quiet">the {top} greatest</div>}
    </>
  )
}
