import { html, nothing, type TemplateResult } from 'lit'
import { type Frame, isReleased } from '../../schemas/frame.ts'
import { safeText } from '../../schemas/safe-text.ts'
import type { Cell, Shown } from '../../schemas/views/view.ts'
import type { MaskMark } from '../data/dissect.ts'
import type { Field } from '../data/field.ts'
import { counted, countText, exactTime, sizeText } from '../data/format.ts'
import type { Content, ResultTable } from '../data/shown.ts'
import type { TerminalShown } from '../data/terminals.ts'
import { copyButton } from '../elements/copy-text.ts'
import { actMark, ruleNames } from '../elements/marks.ts'
import { safe, safeLine } from '../elements/safe.ts'
import { screenSearch, terminalBlock } from '../elements/terminal-block.ts'
import '../elements/long-text.ts'
import '../elements/virtual-list.ts'
import { styled } from '../elements/styled.ts'
import { bytesView } from './replay-bytes.ts'

export type Pane = 'content' | 'bytes'
/** Bytes [from, to) of the shown body. */
export interface Selection {
  readonly from: number
  readonly to: number
}

export interface InspectorInput {
  readonly frame: Frame | undefined
  /** Why there is no frame to show. */
  readonly instead: { readonly kind: 'loading' | 'gap'; readonly what: string }
  readonly recovered: boolean
  readonly pane: Pane
  readonly contents: readonly Content[]
  /** The screen behind this frame, where its channel has one. */
  readonly terminal: TerminalShown | undefined
  /** Frames before it are still coming; column names may follow. */
  readonly missing: boolean
  readonly row: number | undefined
  readonly fields: readonly Field[]
  readonly marks: readonly MaskMark[]
  readonly selection: Selection | undefined
  /** Of a cell that was opened. */
  readonly cell: { readonly row: number; readonly column: number } | undefined
  readonly onPane: (pane: Pane) => void
  readonly onRow: (row: number) => void
  readonly onCell: (cell: { readonly row: number; readonly column: number } | undefined) => void
  readonly onSelect: (selection: Selection | undefined) => void
  readonly onScreenSearch: (text: string, way: 'next' | 'previous') => void
  readonly onApproval: (id: string) => string
}

const DIRS = { in: 'client → target', out: 'target → client', note: 'note of the gateway, sent to nobody' } as const
const ROW_HEIGHT = 24
const SCROLLBAR_HEIGHT = 16
/** Of a cell in the table; a click shows all of it. */
const MAX_CELL = 80
/** Pieces beside tables that are shown of one frame; a pipeline may carry thousands, which the bytes list one by one. */
const MAX_PIECES = 200

export function inspectorView(input: InspectorInput): TemplateResult {
  const { frame, instead, pane } = input
  if (frame === undefined)
    return html`<section class="pane inspector" aria-label="Frame">
      <p class="${instead.kind === 'gap' ? 'gap-words' : 'quiet'}" role="status">${safe(instead.what)}</p>
    </section>`
  return html`<section class="pane inspector" aria-label="Frame ${frame.seq}">
    ${frameHead(frame, input)}
    <div class="tabs" role="tablist" aria-label="How to show the frame">
      ${(['content', 'bytes'] as const).map(
        (one) =>
          html`<button type="button" role="tab" id="tab-${one}" aria-selected=${pane === one} aria-controls="panel" tabindex=${pane === one ? 0 : -1} @click=${() => input.onPane(one)}>${one === 'content' ? 'Content' : 'Decoded · hex · raw'}</button>`,
      )}
      <span class="tabs-note">${frame.body === null ? 'no body' : sizeText(frame.body.length)}</span>
    </div>
    <div id="panel" class="panel" role="tabpanel" aria-labelledby="tab-${pane}">${pane === 'content' ? contentView(frame, input) : bytesView(frame.body ?? new Uint8Array(0), input)}</div>
  </section>`
}

function frameHead(frame: Frame, input: InspectorInput): TemplateResult {
  const { dir, verdict, facts } = frame
  return html`<header class="frame-head">
    <h2><span class="mono">#${countText(frame.seq)}</span> ${safe(frame.kind)} <span class="muted">${DIRS[dir]}</span></h2>
    <p class="about">
      <span class="mono">+${exactTime(frame.atUs)} s</span>
      ${frame.channel === 0 ? nothing : html`<span>channel ${frame.channel}</span>`}
      ${dir === 'note' ? nothing : isReleased(frame) ? html`<span>passed on</span>` : html`<span class="t-block">not passed on</span>`}
      ${input.recovered ? html`<span class="mark mark-recovered">recovered</span><span>attested only by the gateway that recovered it</span>` : nothing}
    </p>
    ${
      verdict === null
        ? nothing
        : html`<p class="verdict v-${verdict.act}">
            ${actMark(verdict.act, verdict.approval ?? null)} ${verdict.rules.length === 0 ? html`<span class="muted">by no rule: the gateway’s own business</span>` : html`by ${ruleNames(verdict.rules)}`}
            ${verdict.approval === undefined ? nothing : html`<span>approval <a href=${input.onApproval(verdict.approval)}>${safe(verdict.approval)}</a></span>`}
            <span class="muted">policy <code>${safe(verdict.policy)}</code></span>
          </p>`
    }
    ${
      Object.keys(facts).length === 0
        ? nothing
        : html`<dl class="facts-list">${Object.entries(facts).map(([name, value]) => html`<div><dt>${safe(name)}</dt><dd>${factText(Array.isArray(value) ? value.join(', ') : String(value))}</dd></div>`)}</dl>`
    }
    ${maskLegend(input.marks)}
  </header>`
}

function factText(text: string): TemplateResult | string {
  return text === '' ? html`<span class="muted">none</span>` : safeLine(text, 300)
}

function maskLegend(marks: readonly MaskMark[]): TemplateResult | typeof nothing {
  if (marks.length === 0) return nothing
  const counts = new Map<string, { readonly rule: string; readonly entity: string; count: number }>()
  for (const { entity, rule } of marks) {
    const known = counts.get(`${entity}\0${rule}`)
    if (known === undefined) counts.set(`${entity}\0${rule}`, { entity, rule, count: 1 })
    else known.count += 1
  }
  return html`<p class="legend">${[...counts.values()].map(({ entity, rule, count }) => html`<span class="masked">${safe(entity)} × ${countText(count)}</span><code class="rule">${safe(rule)}</code>`)}</p>`
}

function contentView(frame: Frame, input: InspectorInput): TemplateResult {
  const { contents, missing, terminal } = input
  if (terminal !== undefined) return terminalView(terminal, contents, input.onScreenSearch)
  if (contents.length === 0)
    return html`<p class="quiet">${
      frame.body === null || frame.body.length === 0
        ? frame.verdict?.act === 'block'
          ? 'Blocked: the gateway kept these bytes from everybody, the recording too.'
          : 'This frame has no body: its facts stand above.'
        : 'Nothing in these bytes is for reading: see decoded, hex and raw.'
    }</p>`
  const tables = contents.filter(({ what }) => what === 'table').length
  const pieces = contents.slice(0, MAX_PIECES)
  return html`${missing ? html`<p class="quiet" role="status">Looking for the columns’ names …</p>` : nothing}
    ${pieces.map((content) => (content.what === 'table' ? tableView(content.table, tables === 1, input) : pieceView(content.shown)))}
    ${contents.length > pieces.length ? html`<p class="cut">${counted(contents.length - pieces.length, 'more message')} of this frame not shown here; “Decoded” lists every one.</p>` : nothing}`
}

/** The screen first: what the frame itself says is a few bytes of it. */
function terminalView(
  terminal: TerminalShown,
  contents: readonly Content[],
  onSearch: InspectorInput['onScreenSearch'],
): TemplateResult {
  const pieces = contents.slice(0, MAX_PIECES)
  return html`${screenSearch(terminal.search, onSearch)}
    ${terminalBlock(terminal)}
  ${pieces.map((content) => (content.what === 'table' ? nothing : pieceView(content.shown)))}`
}

function pieceView(shown: Exclude<Shown, { show: 'columns' | 'row' }>): TemplateResult {
  switch (shown.show) {
    case 'statement':
      return html`<div class="piece statement-text"><span class="label">${safe(shown.label)} ${copyButton(shown.text, 'the statement')}</span><long-text .text=${shown.text}></long-text></div>`
    case 'word':
      return html`<div class="piece word w-${shown.label.split(' ')[0] ?? ''}"><span class="label">${safe(shown.label)}</span>${shown.text === '' ? nothing : html`<long-text .text=${shown.text} .first=${2_000}></long-text>`}</div>`
    case 'bytes':
      return html`<div class="piece word"><span class="label">${safe(shown.label)}</span><span class="muted">${sizeText(shown.size)}, not for reading; see hex</span></div>`
    default:
      return shown satisfies never
  }
}

function tableView(table: ResultTable, only: boolean, input: InspectorInput): TemplateResult {
  const { rows, firstRow } = table
  const count = table.columns?.length ?? rows[0]?.length ?? 0
  const names = table.columns ?? Array.from({ length: count }, (_, index) => `column ${index + 1}`)
  const widths = widthsOf(names, rows)
  const columns = { 'grid-template-columns': ['8ch', ...widths.map((one) => `${one}ch`)].join(' ') }
  const width = `${widths.reduce((sum, one) => sum + one, 8)}ch`
  const selected =
    input.row === undefined || input.row < firstRow || input.row >= firstRow + rows.length ? -1 : input.row - firstRow
  const opened = input.cell === undefined ? undefined : rows[input.cell.row - firstRow]?.[input.cell.column]
  // One table takes what room there is, up to what it needs; of several each has its own.
  const height = (Math.min(rows.length, only ? 10_000 : 12) + 1) * ROW_HEIGHT + SCROLLBAR_HEIGHT
  return html`<div class="table-block ${only ? 'only' : ''}" ${styled({ '--rows-height': `${height}px` })}>
    ${table.columns === null ? html`<p class="quiet">The columns’ names stand in an earlier frame that is not here.</p>` : nothing}
    <virtual-list
      id="rows-${firstRow}"
      class="rows mono"
      .listRole=${'table'}
      .label=${`Result rows, ${counted(rows.length, 'row')}`}
      .count=${rows.length}
      .rowHeight=${ROW_HEIGHT}
      .selected=${selected}
      .width=${width}
      .head=${html`<div class="trow trow-head" role="row" ${styled(columns)}><span role="columnheader" class="rownum">row</span>${names.map((name) => html`<span role="columnheader">${safeLine(name, MAX_CELL)}</span>`)}</div>`}
      .renderRow=${(index: number) => {
        const number = firstRow + index
        return html`<div class="trow ${number === input.row ? 'current' : ''}" role="row" aria-rowindex=${index + 1} ${styled(columns)} @click=${() => input.onRow(number)}>
          <span role="rowheader" class="rownum">${number}</span>
          ${(rows[index] ?? []).map((cell, column) => cellView(cell, () => input.onCell({ row: number, column })))}
        </div>`
      }}
    ></virtual-list>
    ${
      opened === undefined || input.cell === undefined
        ? nothing
        : html`<div class="cell-open" role="region" aria-label="Cell">
            <p><b>${safe(names[input.cell.column] ?? '')}</b>, row ${input.cell.row}${opened.text === null ? nothing : html` · ${counted(opened.text.length, 'character')}`}${opened.masked === undefined ? nothing : html` · <span class="masked">${safe(opened.masked)}</span> <code class="rule">${safe(opened.rule ?? '')}</code>`}
              <button type="button" class="link" @click=${() => input.onCell(undefined)}>Close</button></p>
            ${opened.text === null ? html`<span class="null">NULL</span>` : html`<long-text .text=${opened.text} .first=${2_000}></long-text>`}
          </div>`
    }
  </div>`
}

export function cellView({ text, masked, rule }: Cell, onOpen: () => void): TemplateResult {
  const title = masked === undefined ? nothing : safeText(`${masked}, masked by ${rule ?? 'a rule'}`)
  const inner =
    text === null
      ? html`<span class="null">NULL${masked === undefined ? nothing : html` · ${safe(masked)}`}</span>`
      : safeLine(text, MAX_CELL)
  return html`<span role="cell" class=${masked === undefined ? '' : 'masked'} title=${title} @dblclick=${onOpen}>${inner}${
    text !== null && text.length > MAX_CELL ? html`<button type="button" class="link" @click=${onOpen}>open</button>` : nothing
  }</span>`
}

/** In characters, from the names and the first rows; the rest is cut in the table and whole in the opened cell. */
export function widthsOf(names: readonly string[], rows: readonly (readonly Cell[])[]): number[] {
  return names.map((name, column) => {
    const longest = rows
      .slice(0, 60)
      .reduce((most, row) => Math.max(most, Math.min(MAX_CELL, row[column]?.text?.length ?? 4)), Math.min(30, name.length))
    // The padding takes three.
    return Math.min(46, Math.max(4, longest) + 3)
  })
}
