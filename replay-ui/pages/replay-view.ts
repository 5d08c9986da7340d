import { html, nothing, type TemplateResult } from 'lit'
import { counted, countText, dateText, exactTime, sizeText, timeText } from '../data/format.ts'
import type { Player } from '../data/player.ts'
import type { ChunkState } from '../data/tape.ts'
import type { TapeMap } from '../data/tape-map.ts'
import { empty, failure, loading } from '../elements/marks.ts'
import { safe } from '../elements/safe.ts'
import '../elements/time-line.ts'
import type { SeekEvent } from '../elements/time-line.ts'
import type { Span } from '../elements/time-line-layout.ts'
import { type ExchangesInput, exchangeListView } from './exchange-list.ts'
import { type ExchangeInput, exchangeView } from './exchange-view.ts'
import { closeOutside, keyList } from './key-help.ts'
import { type HeadInput, headView } from './replay-head.ts'
import { type InspectorInput, inspectorView } from './replay-inspector.ts'
import { KEY_MAP } from './replay-keys.ts'
import { type FramesInput, framesView, type StatementsInput, statementsView } from './replay-lists.ts'

export interface KillInput {
  readonly busy: boolean
  readonly problem: string
  readonly onSubmit: (event: SubmitEvent) => void
  readonly onClose: () => void
}

export interface ReplayInput {
  readonly state: 'loading' | 'here' | 'failed' | 'forbidden'
  readonly problem: string
  readonly head: HeadInput | undefined
  readonly map: TapeMap | undefined
  readonly player: Player
  readonly cursor: number
  readonly tailing: boolean
  readonly span: Span
  readonly checked: readonly ChunkState[]
  readonly checkedCount: number
  readonly statements: StatementsInput
  readonly frames: FramesInput
  readonly inspector: InspectorInput
  /** In place of statements, frames and inspector. */
  readonly exchanges: { readonly list: ExchangesInput; readonly one: ExchangeInput } | undefined
  /** Whether there are two ways to look at it. */
  readonly views: boolean
  readonly help: boolean
  readonly kill: KillInput | undefined
  readonly onRetry: () => void
  readonly onSeek: (atUs: number) => void
  readonly onPlay: () => void
  readonly onStep: (by: 1 | -1) => void
  readonly onSpeed: (by: 1 | -1) => void
  readonly onTail: () => void
  readonly onHelp: (open: boolean) => void
  readonly onView: (shown: 'frames' | 'exchanges') => void
}

export function view(input: ReplayInput): TemplateResult {
  const { state, head, map } = input
  if (state === 'failed')
    return html`<main class="page" id="main">${failure(input.problem, input.onRetry)}<p class="quiet"><a href="/sessions">All sessions</a></p></main>`
  if (head === undefined) return html`<main class="page" id="main">${loading('Opening the session …')}</main>`
  return html`<main class="page replay" id="main">
    ${headView(head)}
    ${
      state === 'forbidden'
        ? empty(
            'You may see this session, not its recording',
            'Reading evidence takes the role of an investigator for this target.',
          )
        : map === undefined
          ? loading('Reading the tape’s index …')
          : html`${endNotices(map)} ${timeView(map, input)}
              ${
                input.exchanges === undefined
                  ? html`<div class="columns">${statementsView(input.statements)}${framesView(input.frames)}${inspectorView(input.inspector)}</div>`
                  : html`<div class="columns two">${exchangeListView(input.exchanges.list)}${exchangeView(input.exchanges.one)}</div>`
              }`
    }
    ${input.help ? helpView(() => input.onHelp(false)) : nothing}
    ${input.kill === undefined || head === undefined ? nothing : killView(input.kill, head)}
  </main>`
}

/** What is missing is said before anything else, and drawn where it is missing. */
export function endNotices(map: TapeMap): TemplateResult | typeof nothing {
  const { end, gaps, frameCount } = map
  const notices: TemplateResult[] = []
  if (end.kind === 'recovered')
    notices.push(
      html`<p class="notice notice-part"><b>Truncated.</b> The recording process died. ${counted(end.recovered, 'frame')} of ${countText(frameCount)} were recovered by ${safe(end.by)} at ${dateText(end.at)} and are attested by it alone${end.discardedBytes === 0 ? '' : `; ${sizeText(end.discardedBytes)} of an unfinished frame were discarded`}. Nothing after them is known.</p>`,
    )
  for (const gap of gaps.slice(0, 3))
    notices.push(
      html`<p class="notice notice-error"><b>Gap.</b> Frames ${countText(gap.firstSeq)} – ${countText(gap.lastSeq)} are missing from the tape, between ${timeText(gap.fromUs)} and ${timeText(gap.toUs)}.</p>`,
    )
  if (gaps.length > 3) notices.push(html`<p class="notice notice-error">${counted(gaps.length - 3, 'more gap')}.</p>`)
  return notices.length === 0 ? nothing : html`${notices}`
}

function timeView(map: TapeMap, input: ReplayInput): TemplateResult {
  const { player, cursor, tailing } = input
  return html`<section class="time" aria-label="Timeline">
    <time-line
      .map=${map}
      .statements=${input.statements.statements}
      .checked=${input.checked}
      .checkedCount=${input.checkedCount}
      .span=${input.span}
      .atUs=${player.atUs}
      @seek=${(event: SeekEvent) => input.onSeek(event.atUs)}
    ></time-line>
    <div class="transport" role="toolbar" aria-label="Playback">
      <button type="button" class="play" @click=${input.onPlay} aria-label=${player.playing ? 'Pause' : 'Play'}>${player.playing ? '❚❚' : '▶'}</button>
      <button type="button" @click=${() => input.onStep(-1)} aria-label="One frame back" title="One frame back  ,">‹</button>
      <button type="button" @click=${() => input.onStep(1)} aria-label="One frame on" title="One frame on  .">›</button>
      <span class="mono clock">${exactTime(player.atUs)} <span class="muted">/ ${timeText(map.durationUs)}</span></span>
      <span class="mono">frame ${countText(cursor)} <span class="muted">of ${countText(map.frameCount)}</span></span>
      <span class="speed"><button type="button" @click=${() => input.onSpeed(-1)} aria-label="Slower">−</button><span class="mono">${player.speed}×</span><button type="button" @click=${() => input.onSpeed(1)} aria-label="Faster">+</button></span>
      ${
        map.end.kind === 'open' && input.head?.detail.state === 'live'
          ? html`<button type="button" class="tail" aria-pressed=${tailing} @click=${input.onTail}><i class="dot" aria-hidden="true"></i>${tailing ? 'Following live' : 'Follow live'}</button>`
          : nothing
      }
      ${
        input.views
          ? html`<span class="views" role="group" aria-label="Show">${(['exchanges', 'frames'] as const).map((one) => {
              const pressed = (one === 'exchanges') === (input.exchanges !== undefined)
              return html`<button type="button" aria-pressed=${pressed} @click=${() => input.onView(one)}>${one === 'exchanges' ? 'Exchanges' : 'Frames'}</button>`
            })}</span>`
          : nothing
      }
      <span class="legend-line"><i class="k k-density"></i>frames <i class="k k-curve"></i>rows <i class="k k-mask"></i>masked <i class="k k-hold"></i>held <i class="k k-block"></i>blocked <i class="k k-good"></i>verified</span>
      <button type="button" @click=${() => input.onHelp(true)} aria-label="Keyboard" title="Keyboard  ?">?</button>
    </div>
  </section>`
}

function helpView(onClose: () => void): TemplateResult {
  return html`<dialog class="dialog" data-open aria-labelledby="help-title" @close=${onClose} @click=${closeOutside}>
    <h2 id="help-title">Keyboard</h2>
    ${keyList(KEY_MAP)}
    <form method="dialog"><button class="primary">Close</button></form>
  </dialog>`
}

function killView({ busy, problem, onSubmit, onClose }: KillInput, { detail }: HeadInput): TemplateResult {
  return html`<dialog class="dialog" data-open aria-labelledby="kill-title" @close=${onClose}>
    <form @submit=${onSubmit}>
      <h2 id="kill-title">End this session</h2>
      <p>The connection of <b>${safe(detail.identity.subject)}</b> to <b>${safe(detail.target.name)}</b> is closed at once; what runs on the target is cancelled as far as the target lets itself be. The recording is sealed, with your reason.</p>
      <label for="kill-reason">Reason <span class="muted">(recorded, and told to the client)</span></label>
      <textarea id="kill-reason" name="reason" rows="3" maxlength="500" required ?disabled=${busy}></textarea>
      ${problem === '' ? nothing : html`<p class="notice notice-error" role="alert">${safe(problem)}</p>`}
      <div class="buttons"><button type="button" @click=${closeDialog}>Leave it running</button><button type="submit" class="danger" ?disabled=${busy}>${busy ? 'Ending …' : 'End session'}</button></div>
    </form>
  </dialog>`
}

function closeDialog(event: Event): void {
  if (event.currentTarget instanceof HTMLElement) event.currentTarget.closest('dialog')?.close()
}
