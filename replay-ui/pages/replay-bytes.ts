import { html, type TemplateResult } from 'lit'
import { fieldAt, type MaskMark } from '../data/dissect.ts'
import type { Field } from '../data/field.ts'
import { counted } from '../data/format.ts'
import { lastAtMost } from '../data/tape-map.ts'
import { safeLine } from '../elements/safe.ts'
import '../elements/virtual-list.ts'
import { safeText } from '../../schemas/safe-text.ts'

const LINE_HEIGHT = 20
const LINE_SIZE = 16
const MAX_VALUE = 200

export interface BytesInput {
  readonly fields: readonly Field[]
  readonly marks: readonly MaskMark[]
  readonly selection: { readonly from: number; readonly to: number } | undefined
  readonly onSelect: (selection: { readonly from: number; readonly to: number } | undefined) => void
}

/** What the bytes mean, the bytes, and the bytes as text: picking a part in one shows it in the others. */
export function bytesView(body: Uint8Array, input: BytesInput): TemplateResult {
  const { fields, selection } = input
  const current =
    selection === undefined ? -1 : fields.findIndex(({ from, to }) => from === selection.from && to === selection.to)
  const lines = Math.ceil(body.length / LINE_SIZE)
  if (body.length === 0) return html`<p class="quiet">This frame has no bytes.</p>`
  return html`<div class="bytes">
    <virtual-list
      id="fields-list"
      class="fields"
      .listRole=${'listbox'}
      .label=${'Decoded fields'}
      .count=${fields.length}
      .rowHeight=${LINE_HEIGHT}
      .selected=${current}
      .renderRow=${(index: number) => fieldRow(fields[index], index, index === current, fields.length, input)}
    ></virtual-list>
    <virtual-list
      id="hex-list"
      class="hex mono"
      .listRole=${'list'}
      .label=${`Hex and raw, ${counted(body.length, 'byte')}`}
      .count=${lines}
      .rowHeight=${LINE_HEIGHT}
      .selected=${selection === undefined ? -1 : Math.floor(selection.from / LINE_SIZE)}
      .width=${'max(100%, 78ch)'}
      .renderRow=${(line: number) => hexLine(body, line, input)}
    ></virtual-list>
  </div>`
}

function fieldRow(
  one: Field | undefined,
  index: number,
  current: boolean,
  count: number,
  { onSelect }: BytesInput,
): TemplateResult {
  if (one === undefined) return html``
  return html`<div
    id="fields-list-${index}"
    class="field depth-${one.depth} ${current ? 'current' : ''}"
    role="option"
    aria-selected=${current}
    aria-posinset=${index + 1}
    aria-setsize=${count}
    @click=${() => onSelect({ from: one.from, to: one.to })}
  >
    <span class="f-name">${safeLine(one.name, 60)}</span><span class="f-value mono">${safeLine(one.value, MAX_VALUE)}</span><span class="f-at num">${one.from}</span>
  </div>`
}

/** Runs of bytes that look alike, so that a line is a few elements and not 32. */
export interface Run {
  readonly from: number
  readonly to: number
  readonly picked: boolean
  readonly mask: MaskMark | undefined
}

/** Where bytes [from, to) change their look: marks stand in body order and do not overlap. */
export function runsOf(from: number, to: number, selection: BytesInput['selection'], marks: readonly MaskMark[]): Run[] {
  const edges = new Set([from, to])
  const within = (at: number): void => {
    if (at > from && at < to) edges.add(at)
  }
  const own: MaskMark[] = []
  for (
    let index = Math.max(
      0,
      lastAtMost(marks, (mark) => mark.from, from),
    );
    index < marks.length;
    index += 1
  ) {
    const mark = marks[index]
    if (mark === undefined || mark.from >= to) break
    if (mark.to <= from) continue
    own.push(mark)
    within(mark.from)
    within(mark.to)
  }
  if (selection !== undefined) {
    within(selection.from)
    within(selection.to)
  }
  const sorted = [...edges].sort((a, b) => a - b)
  return sorted.slice(0, -1).map((start, index) => ({
    from: start,
    to: sorted[index + 1] ?? to,
    picked: selection !== undefined && start >= selection.from && start < selection.to,
    mask: own.find((mark) => start >= mark.from && start < mark.to),
  }))
}

function hexLine(body: Uint8Array, line: number, { fields, marks, selection, onSelect }: BytesInput): TemplateResult {
  const from = line * LINE_SIZE
  const to = Math.min(body.length, from + LINE_SIZE)
  const runs = runsOf(from, to, selection, marks)
  const pick = (at: number): void => {
    const found = fields[fieldAt(fields, at)]
    onSelect(found === undefined ? undefined : { from: found.from, to: found.to })
  }
  const part = ({ from: start, to: end, picked, mask }: Run, text: string): TemplateResult =>
    html`<span class="${picked ? 'picked' : ''} ${mask === undefined ? '' : 'masked'}" title=${mask === undefined ? '' : safeText(`${mask.entity}, masked by ${mask.rule}`)} @click=${() => pick(start)} data-to=${end}>${text}</span>`
  return html`<div class="hex-line" role="listitem">
    <span class="offset">${from.toString(16).padStart(6, '0')}</span>
    <span class="hex-bytes">${runs.map((run) => part(run, hexText(body, run.from, run.to)))}</span>
    <span class="raw">${runs.map((run) => part(run, rawText(body, run.from, run.to)))}</span>
  </div>`
}

function hexText(body: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at += 1) text += `${(body[at] ?? 0).toString(16).padStart(2, '0')} `
  return text
}

/** Printable ASCII as it is; a dot for every other byte, which the hex beside it tells. */
export function rawText(body: Uint8Array, from: number, to: number): string {
  let text = ''
  for (let at = from; at < to; at += 1) {
    const byte = body[at] ?? 0
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·'
  }
  return text
}
