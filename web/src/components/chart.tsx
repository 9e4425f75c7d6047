/** A chart. What draws it comes in a part of its own; its place has its height from the start. */
import type { PlotOptions } from '@observablehq/plot'
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import './chart.css'

/** The library that draws. */
export type Plot = typeof import('@observablehq/plot')

/** Colours of charts, as CSS has them: they follow the theme. */
export const CHART_COLOURS = [
  'var(--mark)',
  'var(--mark-2)',
  'var(--syntax-name)',
  'var(--good)',
  'var(--syntax-keyword)',
] as const

/** What a chart takes. */
export interface ChartProps {
  /** Says in words what is to be seen. */
  label: string
  height: number
  /** The marks and scales; called again for another width, and when one of `inputs` has changed. */
  draw(plot: Plot, width: number): PlotOptions
  inputs: readonly unknown[]
}

/** A chart by Observable Plot, as wide as its place. */
export function Chart({ label, height, draw, inputs }: ChartProps): JSX.Element {
  const own = useRef<HTMLElement>(null)
  const [width, setWidth] = useState(0)
  const [plot, setPlot] = useState<Plot>()
  useEffect(() => {
    void import('@observablehq/plot').then((loaded) => setPlot(() => loaded))
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)))
    observer.observe(own.current!)
    return () => observer.disconnect()
  }, [])
  useEffect(() => {
    if (!plot || width < 40) return
    const drawn = plot.plot({
      width,
      height,
      style: { background: 'none', fontFamily: 'inherit' },
      ...draw(plot, width),
    })
    drawn.setAttribute('aria-hidden', 'true')
    own.current!.replaceChildren(drawn)
  }, [plot, width, height, ...inputs])
  return <figure ref={own} class="chart" role="img" aria-label={label} style={{ height: `${height}px` }} />
}
