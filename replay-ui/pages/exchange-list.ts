import { html, nothing, type TemplateResult } from 'lit'
import { safeText } from '../../schemas/safe-text.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import type { Exchange } from '../data/exchanges.ts'
import { counted, countText, sizeText, timeText } from '../data/format.ts'
import type { Exchanges } from '../data/tape.ts'
import { actMark } from '../elements/marks.ts'
import { safe, safeLine } from '../elements/safe.ts'
import { styled } from '../elements/styled.ts'
import type { Span } from '../elements/time-line-layout.ts'
import '../elements/virtual-list.ts'

const ROW_HEIGHT = 30
/** Of a name in the list; the details show it whole. */
const MAX_NAME = 160

export interface ExchangesInput {
  readonly protocol: ProtocolName
  readonly exchanges: Exchanges | undefined
  readonly problem: string
  /** Those that fit the filter. */
  readonly shown: readonly Exchange[]
  readonly filter: string
  readonly filterWrong: string
  /** The one the cursor stands in. */
  readonly current: Exchange | undefined
  /** What the waterfall is drawn over: what the timeline shows. */
  readonly span: Span
  readonly onFilter: (text: string) => void
  readonly onPick: (exchange: Exchange) => void
}

export function exchangeListView(input: ExchangesInput): TemplateResult {
  const { exchanges, shown, filter } = input
  const all = exchanges?.list.length ?? 0
  return html`<section class="pane exchanges" aria-label="Exchanges">
    <h2>
      Exchanges <span class="count">${filter === '' ? countText(all) : `${countText(shown.length)} of ${countText(all)}`}${exchanges?.done === true ? nothing : ' …'}</span>
      <input
        id="exchange-filter"
        type="search"
        class="filter"
        aria-label="Filter the exchanges"
        placeholder="Filter:  words  method:post  status:4xx  verdict:block  host:*"
        spellcheck="false"
        autocomplete="off"
        .value=${filter}
        @input=${(event: Event) => input.onFilter(event.target instanceof HTMLInputElement ? event.target.value.trim() : '')}
      />
    </h2>
    ${input.filterWrong === '' ? nothing : html`<p class="wrong" role="alert">${safe(input.filterWrong)}</p>`}
    ${input.problem === '' ? nothing : html`<p class="wrong" role="alert">The exchanges could not be put together: ${safe(input.problem)}</p>`}
    ${exchanges?.full === true ? html`<p class="cut">More exchanges were recorded than are listed here; the frames have them all.</p>` : nothing}
    ${
      shown.length === 0
        ? html`<p class="quiet" role="status">${
            exchanges === undefined || !exchanges.done
              ? `Reading the recording … ${exchanges === undefined || exchanges.of === 0 ? '' : `${Math.floor((exchanges.looked / exchanges.of) * 100)} %`}`
              : all === 0
                ? 'Nothing was asked for in this session.'
                : 'No exchange matches.'
          }</p>`
        : html`<div class="exchange exchange-head" aria-hidden="true"><span>Method</span><span>What</span><span class="num">Status</span><span class="num">Size</span><span class="num">Time</span><span>${timeText(input.span.fromUs)} – ${timeText(input.span.toUs)}</span></div><virtual-list
            id="exchanges-list"
            .listRole=${'listbox'}
            .label=${'Exchanges'}
            .count=${shown.length}
            .rowHeight=${ROW_HEIGHT}
            .selected=${input.current === undefined ? -1 : shown.findIndex(({ n }) => n === input.current?.n)}
            .renderRow=${(index: number) => {
              const one = shown[index]
              return one === undefined ? html`` : row(one, index, input)
            }}
          ></virtual-list>`
    }
  </section>`
}

function row(one: Exchange, index: number, input: ExchangesInput): TemplateResult {
  const current = one.n === input.current?.n
  const { method, name, host, status, act, approval, bytesIn, bytesOut, masked, startUs, endUs, kind, ended } = one
  const shownHost = input.protocol === 'egress' && !name.startsWith(host) ? host : ''
  return html`<div
    id="exchanges-list-${index}"
    class="exchange ${current ? 'current' : ''} v-${act ?? 'none'}"
    role="option"
    aria-selected=${current}
    aria-posinset=${index + 1}
    aria-setsize=${input.shown.length}
    aria-label=${safeText(`${method} ${shownHost}${name}, ${status === null ? 'no answer' : `status ${status}`}, ${timeText(endUs - startUs)}${act === null ? '' : `, ${act}`}`)}
    @click=${() => input.onPick(one)}
  >
    <span class="method mono">${safeLine(method, 16)}</span>
    <span class="what" title=${safeText(`${shownHost}${name}`)}>
      ${kind === 'request' ? nothing : html`<span class="tag">${kind}</span>`}
      <span class="mono">${shownHost === '' ? nothing : html`<span class="muted">${safe(shownHost)}</span>`}${safeLine(name, MAX_NAME)}</span>
      ${masked > 0 ? html`<span class="mark mark-mask" title=${counted(masked, 'masked value')}>${countText(masked)}</span>` : nothing}
      ${act === 'mask' ? nothing : actMark(act, approval)}
    </span>
    <span class="num mono ${status === null ? 'muted' : status >= 500 ? 's-5xx' : status >= 400 ? 's-4xx' : ''}">${status ?? (ended ? '–' : '…')}</span>
    <span class="num">${sizeText(kind === 'request' || kind === 'call' ? bytesOut : bytesIn + bytesOut)}</span>
    <span class="num mono">${timeText(endUs - startUs)}</span>
    ${waterfall(one, input.span)}
  </div>`
}

/** Asked, let go on, answered, over: each from the frames' own times. Held is not waiting, and is drawn as what it was. */
export function waterfall(one: Exchange, { fromUs, toUs }: Span): TemplateResult {
  const { startUs, sentUs, firstUs, endUs } = one
  const width = Math.max(1, toUs - fromUs)
  const part = (us: number): number => Math.min(100, Math.max(0, ((us - fromUs) / width) * 100))
  const [start, sent] = [part(startUs), part(sentUs ?? firstUs ?? endUs)]
  const [first, end] = [part(firstUs ?? endUs), part(endUs)]
  return html`<span class="waterfall" aria-hidden="true" ${styled({
    '--start': `${start}%`,
    '--held': `${sent - start}%`,
    '--wait': `${Math.max(0, first - sent)}%`,
    '--receive': `${Math.max(0, end - first)}%`,
  })}><i class="w-held"></i><i class="w-wait"></i><i class="w-receive"></i></span>`
}
