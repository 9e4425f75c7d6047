/** Rows and columns that may be many: only what is in sight is drawn. */
import type { JSX } from 'preact'
import { memo } from 'preact/compat'
import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks'
import * as format from '../format.ts'
import { toast } from '../toasts.ts'
import { Dialog } from './basics.tsx'
import './grid.css'
import {
  boundsOf,
  clamp,
  columnsBetween,
  edgesOf,
  fitWidths,
  type GridColumn,
  moved,
  type Place,
  ROW_HEIGHT,
  type Selection,
  textOf,
  WIDTHS,
} from './grid-model.ts'

/** What a grid shows. */
export interface GridProps {
  /** Named to those who do not see it. */
  label: string
  columns: readonly GridColumn[]
  rows: number
  /** The value of a cell: what JSON has; null is shown as such. */
  cell(row: number, column: number): unknown
  /** Height of the grid as CSS; all rows up to a screen when absent. */
  height?: string
  /** The column that the rows are in the order of, by whoever gives them. */
  sort?: { column: number; descending: boolean } | undefined
  /** Called for a click on the name of a column, and for `s` on one of its cells. */
  onSort?: (column: number) => void
}

const HEAD_HEIGHT = 46
const GUTTER = 3
const OVERSCAN = 4
/** Milliseconds after which scrolling is over. */
const STILL_MS = 120
const SAMPLE = 60
/** Most cells that are copied at once. */
const COPIED = 2_000_000

/** A grid for results: columns can be resized, cells are chosen by keys or pointer, copied, and opened with Enter. */
export function Grid({ label, columns, rows, cell, height, sort, onSort }: GridProps): JSX.Element {
  const own = useRef<HTMLDivElement>(null)
  const id = useId()
  const [view, setView] = useState({ top: 0, left: 0, width: 1200, height: 640 })
  const [chosen, setChosen] = useState<Selection>()
  const [opened, setOpened] = useState<Place>()
  const [changed, setChanged] = useState<Record<number, number>>({})
  const text = (row: number, column: number) => format.cell(cell(row, column)) ?? ''
  const fitted = useMemo(() => {
    const sample = (column: number) => Array.from({ length: Math.min(rows, SAMPLE) }, (_, row) => text(row, column))
    return fitWidths(columns, sample)
  }, [columns, rows])
  useEffect(() => {
    setChanged({})
    setChosen(undefined)
    own.current?.scrollTo(0, 0)
  }, [columns])
  const gutter = String(rows).length * 8 + 12 + GUTTER
  const widths = useMemo(() => fitted.map((width, index) => changed[index] ?? width), [fitted, changed])
  const edges = useMemo(() => edgesOf(widths), [widths])
  useView(own, setView)
  const first = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - OVERSCAN)
  const end = Math.min(rows, Math.ceil((view.top + view.height) / ROW_HEIGHT) + OVERSCAN)
  const range = columnsBetween(edges, view.left - gutter - 200, view.left + view.width + 200)
  const resize = (column: number, width: number) =>
    setChanged((now) => ({ ...now, [column]: clamp(width, WIDTHS.least, WIDTHS.most) }))

  const show = ({ row, column }: Place) => {
    const element = own.current!
    const top = row * ROW_HEIGHT
    const left = edges[column]!
    const right = edges[column + 1]!
    if (top < element.scrollTop) element.scrollTop = top
    const bottom = top + ROW_HEIGHT + HEAD_HEIGHT - element.clientHeight
    if (bottom > element.scrollTop) element.scrollTop = bottom
    if (left < element.scrollLeft) element.scrollLeft = left
    else if (right + gutter > element.scrollLeft + element.clientWidth) {
      element.scrollLeft = Math.min(left, right + gutter - element.clientWidth)
    }
  }
  const choose = (to: Place, extend: boolean) => {
    setChosen(extend && chosen ? { from: chosen.from, to } : { from: to, to })
    show(to)
  }
  const copy = async () => {
    const selection = chosen ?? { from: { row: 0, column: 0 }, to: { row: 0, column: 0 } }
    const bounds = boundsOf(selection)
    const cells = (bounds.rows[1] - bounds.rows[0]) * (bounds.columns[1] - bounds.columns[0])
    if (cells > COPIED) return toast(`${format.number(cells)} cells are too many to copy; download them`, 'bad')
    await copyText(textOf(selection, columns, text))
    if (cells > 1) toast(`Copied ${format.counted(cells, 'cell')}`)
  }
  const keys = (event: KeyboardEvent) => {
    if (rows === 0) return
    const at = chosen?.to ?? { row: 0, column: 0 }
    const control = event.ctrlKey || event.metaKey
    const take = () => event.preventDefault()
    if (control && event.key === 'c') {
      take()
      return void copy()
    }
    if (control && event.key === 'a') {
      take()
      return setChosen({ from: { row: 0, column: 0 }, to: { row: rows - 1, column: columns.length - 1 } })
    }
    if (event.key === 's' && !control && !event.altKey && onSort) {
      take()
      return onSort(at.column)
    }
    if (event.key === 'Enter' && chosen) {
      take()
      return setOpened(at)
    }
    if (event.altKey && (event.key === 'ArrowLeft' || event.key === 'ArrowRight')) {
      take()
      return resize(at.column, widths[at.column]! + (event.key === 'ArrowRight' ? 16 : -16))
    }
    const page = Math.max(1, Math.floor((view.height - HEAD_HEIGHT) / ROW_HEIGHT) - 1)
    const to = moved(at, event, { rows, columns: columns.length, page })
    if (!to) return
    take()
    choose(chosen ? to : at, event.shiftKey)
  }
  const pick = (event: PointerEvent) => {
    const to = placeOf(event)
    if (!to || event.button !== 0) return
    choose(to, event.shiftKey)
  }
  const drag = (event: PointerEvent) => {
    const to = event.buttons === 1 && event.pointerType === 'mouse' ? placeOf(event) : undefined
    if (to && chosen && !own.current!.dataset.resizing) setChosen({ from: chosen.from, to })
  }
  const bounds = chosen && boundsOf(chosen)
  const width = gutter + edges.at(-1)!
  const slots = Math.ceil(view.height / ROW_HEIGHT) + 2 * OVERSCAN + 2
  return (
    <>
      <div
        ref={own}
        class="grid"
        role="grid"
        aria-label={label}
        aria-rowcount={rows + 1}
        aria-colcount={columns.length}
        aria-multiselectable="true"
        aria-activedescendant={chosen ? cellId(id, chosen.to) : undefined}
        tabIndex={0}
        style={{ height: height ?? `min(${HEAD_HEIGHT + rows * ROW_HEIGHT + 18}px, 70vh)` }}
        onKeyDown={keys}
        onPointerDown={pick}
        onPointerMove={drag}
        onDblClick={(event) => setOpened(placeOf(event))}
      >
        <div class="grid-head" role="rowgroup" style={{ width: px(width), height: px(HEAD_HEIGHT) }}>
          <div role="row" aria-rowindex={1}>
            {columns.slice(...range).map((column, offset) => {
              const index = range[0] + offset
              return (
                <div
                  key={index}
                  class="grid-name"
                  role="columnheader"
                  aria-colindex={index + 1}
                  aria-sort={sort?.column === index ? (sort.descending ? 'descending' : 'ascending') : undefined}
                  data-number={isRight(column) || undefined}
                  data-sorts={onSort ? true : undefined}
                  style={{ left: px(gutter + edges[index]!), width: px(widths[index]!) }}
                  title={
                    (column.type ? `${column.name} (${column.type})` : column.name) + (onSort ? '; click to sort' : '')
                  }
                  onClick={() => onSort?.(index)}
                >
                  <span class="truncate">{column.name}</span>
                  {column.type && <span class="grid-type truncate">{column.type}</span>}
                  <Resizer
                    onResize={(step, from) => resize(index, from + step)}
                    width={widths[index]!}
                    onFit={() => setChanged(({ [index]: _, ...others }) => others)}
                  />
                </div>
              )
            })}
          </div>
        </div>
        <div class="grid-body" role="rowgroup" style={{ width: px(width), height: px(rows * ROW_HEIGHT) }}>
          <Numbers {...{ first, end, slots, gutter, height: rows * ROW_HEIGHT }} />
          {Array.from({ length: slots }, (_, slot) => {
            const row = first + ((slot - (first % slots) + slots) % slots)
            if (row >= end) return null
            const isChosen = bounds && row >= bounds.rows[0] && row < bounds.rows[1]
            return (
              <Row
                // A row that comes takes the elements of one that leaves, where they are: `aria-rowindex` has the order.
                key={slot}
                {...{ id, row, columns, cell, edges, widths, gutter, width }}
                first={range[0]}
                end={range[1]}
                chosenFirst={isChosen ? bounds.columns[0] : 0}
                chosenEnd={isChosen ? bounds.columns[1] : 0}
                active={chosen?.to.row === row ? chosen.to.column : -1}
              />
            )
          })}
        </div>
      </div>
      {opened && (
        <Value
          column={columns[opened.column]!}
          value={cell(opened.row, opened.column)}
          onClose={() => setOpened(undefined)}
        />
      )}
    </>
  )
}

/** The numbers of the rows in sight: one column that stays, since each thing that stays by itself costs a layer. */
function Numbers({
  first,
  end,
  slots,
  gutter,
  height,
}: Record<'first' | 'end' | 'slots' | 'gutter' | 'height', number>) {
  return (
    <div class="grid-numbers" aria-hidden="true" style={{ width: px(gutter), height: px(height) }}>
      {Array.from({ length: slots }, (_, slot) => {
        const row = first + ((slot - (first % slots) + slots) % slots)
        if (row >= end) return null
        return (
          <span key={slot} class="grid-gutter" style={{ transform: `translateY(${px(row * ROW_HEIGHT)})` }}>
            {row + 1}
          </span>
        )
      })}
    </div>
  )
}

interface RowProps {
  id: string
  row: number
  columns: readonly GridColumn[]
  cell: GridProps['cell']
  edges: readonly number[]
  widths: readonly number[]
  gutter: number
  width: number
  /** Columns that are drawn: `[first, end)`; and those that are chosen. */
  first: number
  end: number
  chosenFirst: number
  chosenEnd: number
  /** The column of the active cell; -1 in other rows. */
  active: number
}

/** A row. While one scrolls, those that stay in sight are not worked out again. */
const Row = memo(function Row(props: RowProps): JSX.Element {
  const { id, row, columns, cell, edges, widths, gutter, width, first, end } = props
  return (
    <div
      class="grid-row"
      role="row"
      aria-rowindex={row + 2}
      style={{ transform: `translateY(${px(row * ROW_HEIGHT)})`, height: px(ROW_HEIGHT), width: px(width) }}
    >
      {columns.slice(first, end).map((column, across) => {
        const index = first + across
        const value = format.cell(cell(row, index))
        return (
          <div
            key={index}
            id={props.active === index ? cellId(id, { row, column: index }) : undefined}
            class="grid-cell"
            role="gridcell"
            aria-colindex={index + 1}
            aria-selected={index >= props.chosenFirst && index < props.chosenEnd}
            data-active={props.active === index || undefined}
            data-number={isRight(column) || undefined}
            data-null={value === undefined || undefined}
            style={{ width: px(widths[index]!), marginLeft: across === 0 ? px(gutter + edges[first]!) : undefined }}
          >
            {shown(value, column.type)}
          </div>
        )
      })}
    </div>
  )
})

function px(size: number): string {
  return `${size}px`
}

function isRight({ type, align }: GridColumn): boolean {
  return align === 'right' || format.isNumeric(type)
}

/** Times with a space are easier to read; what is copied is as it came. */
function shown(value: string | undefined, type: string): string {
  if (value === undefined) return 'null'
  return type.startsWith('TIMESTAMP') ? value.replace('T', ' ') : value.slice(0, 400)
}

function cellId(id: string, { row, column }: Place): string {
  return `${id}-${row}-${column}`
}

function placeOf({ target }: Event): Place | undefined {
  const cell = target instanceof HTMLElement ? target.closest('[role=gridcell]') : null
  if (!cell) return undefined
  const row = Number(cell.parentElement!.getAttribute('aria-rowindex')) - 2
  return { row, column: Number(cell.getAttribute('aria-colindex')) - 1 }
}

/** Follows what is in sight. */
function useView(
  own: { current: HTMLDivElement | null },
  setView: (view: { top: number; left: number; width: number; height: number }) => void,
): void {
  useEffect(() => {
    const element = own.current!
    const look = () =>
      setView({
        top: element.scrollTop,
        left: element.scrollLeft,
        width: element.clientWidth,
        height: element.clientHeight,
      })
    let still: ReturnType<typeof setTimeout> | undefined
    // What moves below the pointer need not be found and coloured in every frame.
    const scrolled = () => {
      element.dataset.scrolling = ''
      clearTimeout(still)
      still = setTimeout(() => delete element.dataset.scrolling, STILL_MS)
      look()
    }
    const observer = new ResizeObserver(look)
    observer.observe(element)
    element.addEventListener('scroll', scrolled, { passive: true })
    look()
    return () => {
      clearTimeout(still)
      observer.disconnect()
      element.removeEventListener('scroll', scrolled)
    }
  }, [])
}

function Resizer({
  width,
  onResize,
  onFit,
}: {
  width: number
  onResize(step: number, from: number): void
  onFit(): void
}): JSX.Element {
  const start = (event: PointerEvent & { currentTarget: HTMLElement }) => {
    event.stopPropagation()
    event.preventDefault()
    const handle = event.currentTarget
    handle.setPointerCapture(event.pointerId)
    const move = (now: PointerEvent) => onResize(now.clientX - event.clientX, width)
    handle.addEventListener('pointermove', move)
    handle.addEventListener('pointerup', () => handle.removeEventListener('pointermove', move), { once: true })
  }
  return (
    <span
      class="grid-resizer"
      aria-hidden="true"
      onPointerDown={start}
      onClick={(event) => event.stopPropagation()}
      onDblClick={onFit}
    />
  )
}

function Value({ column, value, onClose }: { column: GridColumn; value: unknown; onClose(): void }): JSX.Element {
  const text = typeof value === 'object' && value !== null ? JSON.stringify(value, null, 2) : format.cell(value)
  return (
    <Dialog title={column.name} onClose={onClose}>
      <p class="quiet small">{column.type}</p>
      <pre class="grid-value" tabIndex={0}>
        {text ?? 'null'}
      </pre>
    </Dialog>
  )
}

/** Puts text on the clipboard, also where the browser has no API for it because the page came without TLS. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    area.setAttribute('aria-hidden', 'true')
    const before = document.activeElement
    document.body.append(area)
    area.select()
    document.execCommand('copy')
    area.remove()
    if (before instanceof HTMLElement) before.focus()
  }
}
