import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from 'lit'
import { styled } from './styled.ts'

/** Browsers stop laying out somewhere beyond 16 million pixels; a longer list is scrolled in proportion. */
const MAX_HEIGHT = 8_000_000
/** Rows beyond the edges, so that a quick scroll shows rows and not their background. */
const OVERSCAN = 6

const scrolls = new Map<Element, number>()

/** Before the browser draws, and once every list of the page has its rows: each scroll lays out whatever has changed by then. */
function scrollLater(scroll: Element, top: number): void {
  if (scrolls.size === 0)
    queueMicrotask(() => {
      for (const [element, place] of scrolls) element.scrollTop = place
      scrolls.clear()
    })
  scrolls.set(scroll, top)
}

/** The rows of a list are as high as each other, so that where a row is can be told without measuring any: a million cost what forty cost. */
export class VirtualList extends LitElement {
  static override properties = {
    count: { attribute: false },
    rowHeight: { attribute: false },
    renderRow: { attribute: false },
    selected: { attribute: false },
    label: { attribute: false },
    listRole: { attribute: false },
    head: { attribute: false },
    headHeight: { attribute: false },
    width: { attribute: false },
    follow: { attribute: false },
  }
  declare count: number
  declare rowHeight: number
  /** One row; called for those in sight only. */
  declare renderRow: (index: number) => TemplateResult
  /** Kept in sight when it changes; -1 for none. */
  declare selected: number
  declare label: string
  declare listRole: 'listbox' | 'table' | 'list'
  /** Stays on top. */
  declare head: TemplateResult | undefined
  /** Where it is not as high as a row. */
  declare headHeight: number | undefined
  /** Of the rows, where they are wider than the list: a CSS length. */
  declare width: string
  /** Stay at the end while the list grows, as long as the end is in sight. */
  declare follow: boolean
  #top = 0
  /** What the browser was last told, or told us. */
  #scrolledTo = 0
  #height = 400
  readonly #resized = new ResizeObserver(() => this.#measure())

  constructor() {
    super()
    this.count = 0
    this.rowHeight = 24
    this.renderRow = () => html``
    this.selected = -1
    this.label = ''
    this.listRole = 'list'
    this.head = undefined
    this.headHeight = undefined
    this.width = ''
    this.follow = false
  }

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#resized.observe(this)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#resized.disconnect()
  }

  /** First row in sight, and how many there are. */
  get range(): { readonly first: number; readonly rows: number } {
    const fits = Math.max(1, Math.floor((this.#height - this.#headHeight) / this.rowHeight))
    return { first: Math.floor(this.#rowAt(this.#top)), rows: fits }
  }

  protected override render(): TemplateResult {
    const { first, rows } = this.range
    const from = Math.max(0, Math.min(first, this.count - rows) - OVERSCAN)
    const to = Math.min(this.count, first + rows + OVERSCAN)
    const items: TemplateResult[] = []
    for (let index = from; index < to; index += 1) items.push(this.renderRow(index))
    const total = Math.min(this.count * this.rowHeight, MAX_HEIGHT)
    // A scaled list moves its rows with the scrolling, so that they stand where they are looked for.
    const shift = this.#scale === 1 ? from * this.rowHeight : Math.max(0, this.#top - (first - from) * this.rowHeight)
    const active = this.selected >= from && this.selected < to ? `${this.id}-${this.selected}` : undefined
    return html`
      <div
        class="vl-scroll"
        tabindex="0"
        role=${this.listRole}
        aria-label=${this.label}
        aria-rowcount=${this.listRole === 'table' ? this.count : nothing}
        aria-activedescendant=${this.listRole === 'listbox' ? (active ?? nothing) : nothing}
        @scroll=${this.#scrolled}
      >
        ${this.head === undefined ? nothing : html`<div class="vl-head" role="rowgroup" ${styled({ width: this.width })}>${this.head}</div>`}
        <div class="vl-space" role="presentation" ${styled({ height: `${total}px`, width: this.width })}>
          <div class="vl-rows" role=${this.listRole === 'table' ? 'rowgroup' : 'presentation'} ${styled({ transform: `translateY(${shift}px)` })}>${items}</div>
        </div>
      </div>
    `
  }

  /** Where it will be scrolled to is known before it is drawn: drawn once, and not there first and here again. */
  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('selected') && this.selected >= 0) this.#top = this.#revealed(this.selected)
    else if (changed.has('count') && this.follow) this.#top = this.#revealed(this.count - 1)
  }

  protected override updated(): void {
    if (this.#top === this.#scrolledTo) return
    this.#scrolledTo = this.#top
    const scroll = this.querySelector('.vl-scroll')
    if (scroll !== null) scrollLater(scroll, this.#top)
  }

  /** Where to scroll to for the row to be in sight: as little as needed, to its middle where it is far away. */
  #revealed(index: number): number {
    const { first, rows } = this.range
    if (index >= first && index < first + rows) return this.#top
    const near = index === first - 1 || index === first + rows
    const target = near ? (index < first ? index : index - rows + 1) : index - Math.floor(rows / 2)
    return Math.round(this.#topOf(Math.max(0, Math.min(target, this.count - rows))))
  }

  /** Rows were put before the first: whoever had scrolled goes on looking at the same ones. */
  prepended(rows: number): void {
    if (this.#scale !== 1 || this.#top === 0) return
    this.#top += rows * this.rowHeight
    this.requestUpdate()
  }

  get #headHeight(): number {
    return this.head === undefined ? 0 : (this.headHeight ?? this.rowHeight)
  }

  get #scale(): number {
    return this.count * this.rowHeight <= MAX_HEIGHT ? 1 : this.#scrollable / (this.count - this.#fits)
  }

  get #fits(): number {
    return Math.max(1, Math.floor((this.#height - this.#headHeight) / this.rowHeight))
  }

  get #scrollable(): number {
    return MAX_HEIGHT - this.#height + this.#headHeight
  }

  #rowAt(top: number): number {
    return this.#scale === 1 ? top / this.rowHeight : Math.min(this.count - this.#fits, Math.round(top / this.#scale))
  }

  #topOf(index: number): number {
    return this.#scale === 1 ? index * this.rowHeight : index * this.#scale
  }

  readonly #scrolled = (event: Event): void => {
    // The listener stands on the scrolling element itself.
    if (!(event.currentTarget instanceof HTMLElement)) return
    const top = event.currentTarget.scrollTop
    // What was just scrolled to by ourselves, to the pixel a browser rounds it to.
    if (Math.abs(top - this.#top) < 1) return
    this.#top = top
    this.#scrolledTo = top
    this.requestUpdate()
  }

  #measure(): void {
    const height = this.clientHeight
    if (height === this.#height || height === 0) return
    const { first, rows } = this.range
    const seen = this.selected >= first && this.selected < first + rows
    this.#height = height
    // What was in sight of a list that was thought to be higher stays in sight.
    if (seen) this.#top = this.#revealed(this.selected)
    this.requestUpdate()
  }
}
customElements.define('virtual-list', VirtualList)
