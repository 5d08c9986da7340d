import { html, LitElement, type TemplateResult } from 'lit'
import type { StatementRow } from '../../schemas/api.ts'
import { timeText } from '../data/format.ts'
import type { ChunkState } from '../data/tape.ts'
import type { TapeMap } from '../data/tape-map.ts'
import { layOut, type Span, type TimeLineLayout } from './time-line-layout.ts'

const HOLD_LANE = { top: 4, height: 6 }
const DENSITY_LANE = { top: 14, height: 44 }
const MARK_LANE = { top: 61, height: 9 }
const CHECK_LANE = { top: 74, height: 4 }
const AXIS_TOP = 82
export const TIME_LINE_HEIGHT = 98

/** A moment was chosen. */
export class SeekEvent extends Event {
  readonly atUs: number

  constructor(atUs: number) {
    super('seek', { bubbles: true })
    this.atUs = atUs
  }
}

/** An element, though used once: a canvas is drawn and not rendered. */
export class TimeLine extends LitElement {
  static override properties = {
    map: { attribute: false },
    statements: { attribute: false },
    checked: { attribute: false },
    checkedCount: { attribute: false },
    span: { attribute: false },
    atUs: { attribute: false },
  }
  declare map: TapeMap | undefined
  declare statements: readonly StatementRow[]
  declare checked: readonly ChunkState[]
  /** Changes when `checked` does, which is the same array throughout. */
  declare checkedCount: number
  declare span: Span
  declare atUs: number
  /** Told by the browser and never asked for: asking lays the whole page out, at every frame that is stepped to. */
  #width = 0
  #colors = new Map<string, string>()
  #drawing = 0
  readonly #resized = new ResizeObserver(([entry]) => {
    this.#width = entry?.contentRect.width ?? 0
    this.#draw()
  })
  readonly #themed = new MutationObserver(() => this.#recolor())
  readonly #scheme = matchMedia('(prefers-color-scheme: light)')
  readonly #recolor = (): void => {
    this.#colors.clear()
    this.#redraw()
  }

  constructor() {
    super()
    this.map = undefined
    this.statements = []
    this.checked = []
    this.checkedCount = 0
    this.span = { fromUs: 0, toUs: 1 }
    this.atUs = 0
  }

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#resized.observe(this)
    this.#scheme.addEventListener('change', this.#recolor)
    this.#themed.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#resized.disconnect()
    this.#scheme.removeEventListener('change', this.#recolor)
    cancelAnimationFrame(this.#drawing)
    this.#themed.disconnect()
  }

  protected override render(): TemplateResult {
    const endUs = this.map?.durationUs ?? 0
    return html`<canvas
      tabindex="0"
      role="slider"
      aria-label="Time"
      aria-valuemin="0"
      aria-valuemax=${Math.round(endUs / 1000)}
      aria-valuenow=${Math.round(this.atUs / 1000)}
      aria-valuetext="${timeText(this.atUs)} of ${timeText(endUs)}"
      @pointerdown=${this.#pointed}
      @pointermove=${this.#pointed}
    ></canvas>`
  }

  protected override updated(): void {
    this.#redraw()
  }

  /** Once a frame, however much changed. */
  #redraw(): void {
    if (this.#drawing !== 0) return
    this.#drawing = requestAnimationFrame(() => {
      this.#drawing = 0
      this.#draw()
    })
  }

  readonly #pointed = (event: PointerEvent): void => {
    const canvas = event.currentTarget
    if (!(canvas instanceof HTMLCanvasElement) || (event.buttons & 1) === 0) return
    if (event.type === 'pointerdown') canvas.setPointerCapture(event.pointerId)
    const { left, width } = canvas.getBoundingClientRect()
    const share = Math.min(1, Math.max(0, (event.clientX - left) / Math.max(1, width)))
    this.dispatchEvent(new SeekEvent(this.span.fromUs + share * (this.span.toUs - this.span.fromUs)))
  }

  #draw(): void {
    const canvas = this.querySelector('canvas')
    const context = canvas?.getContext('2d')
    if (canvas === null || context === null || context === undefined || this.map === undefined) return
    const width = this.#width
    const ratio = devicePixelRatio
    const [pixels, lines] = [Math.round(width * ratio), Math.round(TIME_LINE_HEIGHT * ratio)]
    // Setting a size makes a new canvas, even where it is the same size.
    if (canvas.width !== pixels || canvas.height !== lines) {
      canvas.width = pixels
      canvas.height = lines
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, width, TIME_LINE_HEIGHT)
    const color = (name: string): string => this.#color(name)
    paint(context, layOut(this.map, this.statements, this.checked, this.span, width), width, color)
    const x = ((this.atUs - this.span.fromUs) / Math.max(1, this.span.toUs - this.span.fromUs)) * width
    context.fillStyle = color('accent')
    context.fillRect(Math.round(x) - 1, 0, 2, AXIS_TOP)
    context.beginPath()
    // Its head is whole at the edges, too.
    context.arc(Math.min(width - 4, Math.max(4, Math.round(x))), 4, 4, 0, 2 * Math.PI)
    context.fill()
  }

  #color(name: string): string {
    const known = this.#colors.get(name)
    if (known !== undefined) return known
    const color = getComputedStyle(this).getPropertyValue(`--${name}`)
    this.#colors.set(name, color)
    return color
  }
}
customElements.define('time-line', TimeLine)

function paint(context: CanvasRenderingContext2D, layout: TimeLineLayout, width: number, color: (name: string) => string): void {
  const base = DENSITY_LANE.top + DENSITY_LANE.height
  context.fillStyle = color('line')
  context.fillRect(0, base, width, 1)
  context.fillStyle = color('hold')
  for (const { x, width: wide } of layout.holds) context.fillRect(x, HOLD_LANE.top, wide, HOLD_LANE.height)
  context.fillStyle = color('density')
  for (const { x, width: wide, share } of layout.density) {
    const height = share * DENSITY_LANE.height
    context.fillRect(x, base - height, wide, height)
  }
  const curve = layout.rows
  if (curve.length > 0) {
    context.strokeStyle = color('curve')
    context.lineWidth = 1.5
    context.beginPath()
    for (const { x, share } of curve) context.lineTo(x, base - share * (DENSITY_LANE.height - 2))
    context.stroke()
  }
  for (const { x, act } of layout.marks) {
    context.fillStyle = color(act)
    context.fillRect(Math.round(x) - 1.5, MARK_LANE.top, 3, MARK_LANE.height)
  }
  for (const { x, width: wide, state, recovered } of layout.checks) {
    context.fillStyle = color(`check-${state}`)
    context.fillRect(x, CHECK_LANE.top, wide, CHECK_LANE.height)
    if (recovered) striped(context, x, 0, wide, CHECK_LANE.top + CHECK_LANE.height, color('hold'))
  }
  for (const { x, width: wide } of layout.gaps) striped(context, x, 0, wide, AXIS_TOP, color('block'))
  if (layout.openEnd !== undefined) {
    context.strokeStyle = color('hold')
    context.lineWidth = 1.5
    context.setLineDash([3, 3])
    context.strokeRect(layout.openEnd - 0.75, 0, 0, AXIS_TOP)
    context.setLineDash([])
  }
  context.fillStyle = color('muted')
  context.font = `11px ${color('mono')}`
  context.textBaseline = 'top'
  for (const { x, us } of layout.ticks) {
    context.fillRect(Math.round(x), AXIS_TOP - 2, 1, 4)
    const text = timeText(us)
    const wide = context.measureText(text).width
    context.fillText(text, Math.min(Math.max(0, x - wide / 2), width - wide), AXIS_TOP + 4)
  }
}

function striped(context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number, color: string): void {
  context.save()
  context.beginPath()
  context.rect(x, y, width, height)
  context.clip()
  context.strokeStyle = color
  context.lineWidth = 1
  for (let at = x - height; at < x + width; at += 5) {
    context.beginPath()
    context.moveTo(at, y + height)
    context.lineTo(at + height, y)
    context.stroke()
  }
  context.restore()
}
