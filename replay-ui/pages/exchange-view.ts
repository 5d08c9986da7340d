import { html, nothing, type TemplateResult } from 'lit'
import type { Call } from '../data/exchange-calls.ts'
import type { Body, ExchangeDetail, Message, Side } from '../data/exchange-detail.ts'
import { counted, countText, exactTime, sizeText, timeText } from '../data/format.ts'
import type { TerminalShown } from '../data/terminals.ts'
import { copyButton } from '../elements/copy-text.ts'
import { markedInline } from '../elements/marked-block.ts'
import { actMark, ruleNames } from '../elements/marks.ts'
import { safe, safeLine } from '../elements/safe.ts'
import { terminalBlock } from '../elements/terminal-block.ts'
import { waterfall } from './exchange-list.ts'

/** Messages and events shown at once; the rest by the frames. */
const MAX_MESSAGES = 200

export interface ExchangeInput {
  readonly detail: ExchangeDetail | undefined
  readonly terminal: TerminalShown | undefined
  /** To a frame, in the list of frames. */
  readonly onFrame: (seq: number) => void
  readonly onApproval: (id: string) => string
}

export function exchangeView({ detail, terminal, onFrame, onApproval }: ExchangeInput): TemplateResult {
  if (detail === undefined)
    return html`<section class="pane exchange-pane" aria-label="Exchange"><p class="quiet">Choose an exchange to see what was asked and answered.</p></section>`
  const { exchange, request, response, calls, messages, notes, left, missing } = detail
  const { method, name, host, kind, status, act, rules, approval } = exchange
  const first = exchange.frames[0] ?? 0
  return html`<section class="pane exchange-pane" aria-label="Exchange ${exchange.n + 1}">
    <header class="frame-head">
      <h2><span class="mono">${safe(method)}</span> ${safeLine(name, 300)} <span class="muted">${safeLine(host, 120)}</span></h2>
      <p class="about">
        <span>${kind}</span><span>${status === null ? (exchange.ended ? 'no answer' : 'not answered yet') : html`status <b>${status}</b>`}</span>
        <span>${counted(exchange.frameCount, 'frame')}</span>
        <button type="button" class="link" @click=${() => onFrame(first)}>Frame ${countText(first)}</button>
        ${missing ? html`<span role="status">Fetching its frames …</span>` : nothing}
      </p>
      ${
        act === null
          ? nothing
          : html`<p class="verdict v-${act}">${actMark(act, approval)} ${rules.length === 0 ? nothing : html`by ${ruleNames(rules)}`}
              ${approval === null ? nothing : html`<span>approval <a href=${onApproval(approval)}>${safe(approval)}</a></span>`}</p>`
      }
      ${phases(detail)}
    </header>
    <div class="panel exchange-body">
      ${calls.map((call) => callView(call))}
      ${terminal === undefined ? nothing : terminalBlock(terminal)}
      ${kind === 'tunnel' ? html`<p class="notice">An opaque tunnel: what passed is encrypted between its two ends. Only how much, when, and the hashes of it are known.</p>` : nothing}
      ${kind === 'opened' ? html`<p class="notice">A tunnel whose TLS was opened by the gateway: each request inside is an exchange of its own.</p>` : nothing}
      ${notes.length === 0 ? nothing : html`<dl class="pairs notes">${notes.map(([note, value]) => html`<dt>${safe(note)}</dt><dd class="mono">${safeLine(value, 200)}</dd>`)}</dl>`}
      <div class="sides">
        ${sideView('Request', request, 'Nothing of it is here.')}
        ${sideView('Response', response, exchange.ended ? 'It was never answered.' : 'No answer is recorded yet.')}
      </div>
      ${messagesView(messages, onFrame)}
      ${left > 0 ? html`<p class="cut">${counted(left, 'more frame')} of this exchange not shown here: <button type="button" class="link" @click=${() => onFrame(first)}>see its frames</button></p>` : nothing}
    </div>
  </section>`
}

/** How long each part took, in words beside the picture. */
function phases({ exchange }: ExchangeDetail): TemplateResult {
  const { startUs, sentUs, firstUs, endUs } = exchange
  const parts = [
    `asked at ${exactTime(startUs)} s`,
    ...(sentUs === null ? ['never let go on'] : sentUs > startUs ? [`held ${timeText(sentUs - startUs)}`] : []),
    ...(firstUs === null
      ? []
      : [`${sentUs === null ? 'refused after' : 'first byte after'} ${timeText(firstUs - (sentUs ?? startUs))}`]),
    ...(firstUs !== null && endUs > firstUs ? [`received for ${timeText(endUs - firstUs)}`] : []),
  ]
  return html`<p class="phases">${waterfall(exchange, { fromUs: startUs, toUs: Math.max(startUs + 1, endUs) })}<span>${parts.join(' · ')}</span></p>`
}

function callView({ method, tool, params, result, failed }: Call): TemplateResult {
  return html`<article class="call">
    <h3>${tool === '' ? html`<span class="mono">${safeLine(method, 200)}</span>` : html`Tool <span class="mono">${safeLine(tool, 200)}</span>`}${failed ? html` <span class="mark mark-block">failed</span>` : nothing}</h3>
    <div class="sides">
      <div class="side"><h4>Arguments</h4>${params === undefined ? html`<p class="quiet">None.</p>` : html`<marked-block .value=${params}></marked-block>`}</div>
      <div class="side"><h4>Result</h4>${result === undefined ? html`<p class="quiet">None is recorded.</p>` : html`<marked-block .value=${result}></marked-block>`}</div>
    </div>
  </article>`
}

function sideView(title: string, side: Side | undefined, none: string): TemplateResult {
  if (side === undefined) return html`<div class="side"><h3>${title}</h3><p class="quiet">${none}</p></div>`
  const { start, headers, body, own } = side
  return html`<div class="side" role="group" aria-label=${title}>
    <h3>${title}${own ? html` <span class="tag">by the gateway</span>` : nothing}</h3>
    ${start === '' ? nothing : html`<p class="start mono">${safeLine(start, 2_000)} ${copyButton(start, 'the first line')}</p>`}
    ${
      headers.length === 0
        ? nothing
        : html`<details class="headers" open><summary>${counted(headers.length, 'header')}</summary>
            <dl class="pairs mono">${headers.map(({ name, value }) => html`<dt>${safeLine(name, 80)}</dt><dd>${markedInline(value)}</dd>`)}</dl></details>`
    }
    ${bodyView(body)}
  </div>`
}

function bodyView(body: Body): TemplateResult | typeof nothing {
  if (body.what === 'none') return nothing
  const masked = (body.text?.marks.length ?? 0) + body.events.reduce((sum, { data }) => sum + data.marks.length, 0)
  return html`<div class="body-head"><span class="label">${WORDS[body.what]} · ${sizeText(body.size)}${masked === 0 ? nothing : html` · <span class="t-mask">${countText(masked)} masked</span>`}</span>${body.text === undefined ? nothing : copyButton(body.text.text, 'the body')}</div>
    ${body.cut ? html`<p class="cut">Only the first MiB is shown here; the frames have it whole.</p>` : nothing}
    ${body.what === 'binary' ? html`<dl class="pairs"><dt>Size</dt><dd>${countText(body.size)} bytes, as recorded</dd><dt>SHA-256</dt><dd class="mono">${body.sha256 ?? 'not made: it is longer than is put together here'}</dd></dl>` : nothing}
    ${body.text === undefined ? nothing : html`<marked-block .value=${body.text}></marked-block>`}
    ${
      body.events.length === 0
        ? nothing
        : html`<ol class="messages">${body.events
            .slice(0, MAX_MESSAGES)
            .map(
              ({ event, id, data }, index) =>
                html`<li><span class="label">event ${index + 1}${event === '' ? nothing : html` · <b>${safeLine(event, 80)}</b>`}${id === '' ? nothing : html` · id ${safeLine(id, 80)}`}</span><marked-block .value=${data}></marked-block></li>`,
            )}</ol>${body.events.length > MAX_MESSAGES ? html`<p class="cut">${counted(body.events.length - MAX_MESSAGES, 'more event')} not shown here.</p>` : nothing}`
    }`
}

const WORDS = { none: '', json: 'JSON', text: 'Text', events: 'Events', binary: 'Binary, not for reading' } as const

function messagesView(messages: readonly Message[], onFrame: (seq: number) => void): TemplateResult | typeof nothing {
  if (messages.length === 0) return nothing
  return html`<h3>${counted(messages.length, 'message')}</h3>
    <ol class="messages">${messages.slice(0, MAX_MESSAGES).map(
      ({ seq, dir, kind, atUs, size, text, released }) =>
        html`<li class="d-${dir}"><span class="label"><span class="dir" role="img" aria-label=${dir === 'in' ? 'from the client' : 'to the client'}>${dir === 'in' ? '→' : '←'}</span> ${safe(kind)} · ${exactTime(atUs)} s · ${sizeText(size)}${released ? nothing : html` · <span class="t-block">not passed on</span>`}
          <button type="button" class="link" @click=${() => onFrame(seq)}>frame ${countText(seq)}</button></span>
          ${text === undefined ? nothing : html`<marked-block .value=${text}></marked-block>`}</li>`,
    )}</ol>
    ${messages.length > MAX_MESSAGES ? html`<p class="cut">${counted(messages.length - MAX_MESSAGES, 'more message')} not shown here; the frames have them all.</p>` : nothing}`
}
