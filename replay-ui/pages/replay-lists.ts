import { html, nothing, type TemplateResult } from 'lit'
import type { StatementRow } from '../../schemas/api.ts'
import type { Frame } from '../../schemas/frame.ts'
import { isReleased } from '../../schemas/frame.ts'
import { safeText } from '../../schemas/safe-text.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import { counted, countText, exactTime, sizeText, timeText } from '../data/format.ts'
import { summaryOf } from '../data/shown.ts'
import type { Found, Loaded } from '../data/tape.ts'
import { actMark, ruleNames } from '../elements/marks.ts'
import { safe, safeLine } from '../elements/safe.ts'
import '../elements/virtual-list.ts'

export const STATEMENT_HEIGHT = 62
export const FRAME_HEIGHT = 24
/** Of a statement in the list; the frame shows it whole. */
const MAX_TEXT = 220

export interface StatementsInput {
  readonly statements: readonly StatementRow[]
  /** Index of the one the shown frame belongs to; -1 for none. */
  readonly current: number
  readonly state: 'loading' | 'here' | 'failed'
  readonly problem: string
  readonly onPick: (statement: StatementRow) => void
}

export function statementsView({ statements, current, state, problem, onPick }: StatementsInput): TemplateResult {
  return html`<section class="pane statements" aria-label="Statements">
    <h2>Statements <span class="count">${statements.length === 0 ? nothing : countText(statements.length)}${state === 'loading' ? ' …' : nothing}</span></h2>
    ${state === 'failed' ? html`<p class="wrong" role="alert">${safe(problem)}</p>` : nothing}
    ${
      statements.length === 0
        ? html`<p class="quiet">${state === 'loading' ? 'Loading …' : 'No statement was given in this session.'}</p>`
        : html`<virtual-list
            id="statements-list"
            .listRole=${'listbox'}
            .label=${'Statements'}
            .count=${statements.length}
            .rowHeight=${STATEMENT_HEIGHT}
            .selected=${current}
            .renderRow=${(index: number) => {
              const statement = statements[index]
              return statement === undefined
                ? html``
                : statementRow(statement, index, index === current, statements.length, onPick)
            }}
          ></virtual-list>`
    }
  </section>`
}

export function statementRow(
  statement: StatementRow,
  index: number,
  current: boolean,
  count: number,
  onPick: (statement: StatementRow) => void,
): TemplateResult {
  const { text, atUs, durationUs, rows, masked, verdict, approval, outcome, rules } = statement
  return html`<div
    id="statements-list-${index}"
    class="statement ${current ? 'current' : ''} v-${verdict ?? 'none'}"
    role="option"
    aria-selected=${current}
    aria-posinset=${index + 1}
    aria-setsize=${count}
    @click=${() => onPick(statement)}
  >
    <div class="sql mono">${safeLine(text, MAX_TEXT)}</div>
    <div class="about">
      <span class="mono">${timeText(atUs)}</span>
      ${outcome === 'running' ? html`<span class="running">running</span>` : durationUs === null ? nothing : html`<span>${timeText(durationUs)}</span>`}
      ${rows > 0 ? html`<span>${counted(rows, 'row')}</span>` : nothing}
      ${masked > 0 ? html`<span class="t-mask">${countText(masked)} masked</span>` : nothing}
      ${outcome === 'error' || outcome === 'refused' || outcome === 'cut' ? html`<span class="t-block">${outcome}</span>` : nothing}
      ${actMark(verdict, approval)}<span class="rules" title=${safeText(rules.join(', '))}>${ruleNames(rules)}</span>
    </div>
  </div>`
}

export interface FramesInput {
  readonly protocol: ProtocolName
  readonly frameCount: number
  readonly cursor: number
  readonly search: string
  readonly searchWrong: string
  readonly found: Found | undefined
  /** The chunk with the frame, and the frame where it is here. */
  readonly loadedOf: (seq: number) => Loaded | undefined
  readonly frameOf: (seq: number) => Frame | undefined
  readonly recovered: (seq: number) => boolean
  readonly follow: boolean
  readonly onSearch: (text: string) => void
  readonly onPick: (seq: number) => void
}

export function framesView(input: FramesInput): TemplateResult {
  const { found, cursor, frameCount } = input
  const seqs = found?.seqs
  const count = seqs === undefined ? frameCount : seqs.length
  const selected = seqs === undefined ? cursor : seqs.indexOf(cursor)
  return html`<section class="pane frames" aria-label="Frames">
    <h2>
      Frames <span class="count">${found === undefined ? countText(frameCount) : foundText(found)}</span>
      <input
        id="frame-search"
        type="search"
        class="filter"
        aria-label="Search inside the session"
        placeholder="Search:  words  kind:query  verdict:block"
        spellcheck="false"
        autocomplete="off"
        .value=${input.search}
        @change=${(event: Event) => input.onSearch(event.target instanceof HTMLInputElement ? event.target.value.trim() : '')}
      />
    </h2>
    ${input.searchWrong === '' ? nothing : html`<p class="wrong" role="alert">${safe(input.searchWrong)}</p>`}
    ${
      count === 0
        ? html`<p class="quiet">${found === undefined ? 'No frame is recorded yet.' : found.done ? 'No frame matches.' : 'Searching …'}</p>`
        : html`<virtual-list
            id="frames-list"
            .listRole=${'listbox'}
            .label=${'Frames'}
            .count=${count}
            .rowHeight=${FRAME_HEIGHT}
            .selected=${selected}
            .follow=${input.follow}
            .renderRow=${(index: number) => frameRow(seqs === undefined ? index : (seqs[index] ?? 0), index, count, input)}
          ></virtual-list>`
    }
  </section>`
}

function foundText({ seqs, looked, of, done }: Found): string {
  return `${countText(seqs.length)} found${done ? '' : ` · ${of === 0 ? 0 : Math.floor((looked / of) * 100)} % searched`}`
}

const ARROWS = { in: '→', out: '←', note: '•' } as const
const ARROW_WORDS = { in: 'from the client', out: 'to the client', note: 'note of the gateway' } as const

function frameRow(seq: number, index: number, count: number, input: FramesInput): TemplateResult {
  const current = seq === input.cursor
  const frame = input.frameOf(seq)
  const option = (inner: TemplateResult, more: string): TemplateResult =>
    html`<div
      id="frames-list-${index}"
      class="frame ${more} ${current ? 'current' : ''}"
      role="option"
      aria-selected=${current}
      aria-posinset=${index + 1}
      aria-setsize=${count}
      @click=${() => input.onPick(seq)}
    >
      <span class="seq mono">${countText(seq)}</span>${inner}
    </div>`
  if (frame === undefined) {
    const loaded = input.loadedOf(seq)
    const [words, more] =
      loaded === undefined
        ? ['missing from the tape', 'gap']
        : loaded.state === 'damage'
          ? [`cannot be read: ${loaded.what}`, 'gap']
          : ['…', 'waiting']
    return option(html`<span class="summary">${safeLine(words, MAX_TEXT)}</span>`, more)
  }
  const { dir, kind, verdict, body, masks, atUs } = frame
  const kept = dir !== 'note' && !isReleased(frame)
  return option(
    html`<span class="at mono">${exactTime(atUs)}</span>
      <span class="dir" role="img" aria-label=${ARROW_WORDS[dir]}>${ARROWS[dir]}</span>
      <span class="kind" title=${safeText(kind)}>${safe(kind)}${frame.channel === 0 ? nothing : html`<small> ${frame.channel}</small>`}</span>
      <span class="summary mono">${safe(summaryOf(input.protocol, frame))}</span>
      ${masks === null ? nothing : html`<span class="mark mark-mask" title="masked spans">${countText(masks.spans.length / 16)}</span>`}
      ${dir === 'note' || verdict?.act === 'mask' ? nothing : actMark(verdict?.act ?? null, verdict?.approval ?? null)}
      ${input.recovered(seq) ? html`<span class="mark mark-recovered">recovered</span>` : nothing}
      <span class="size num">${body === null || body.length === 0 ? '' : sizeText(body.length)}</span>`,
    `d-${dir} ${kept ? 'kept' : ''}`,
  )
}
