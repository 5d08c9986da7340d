import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frameLines, sessionLines } from '../../../gateway/cli/replay-lines.ts'
import { type Frame, MASK_SPAN_SIZE } from '../../../schemas/frame.ts'
import type { SessionId, SessionInfo } from '../../../schemas/session.ts'
import type { Shown } from '../../../schemas/views/view.ts'

const plain = { maxRows: 20, color: false }

function frame(part: Partial<Frame>): Frame {
  return {
    seq: 3,
    atUs: 1_250_000,
    dir: 'out',
    channel: 0,
    kind: 'rows',
    facts: {},
    body: null,
    masks: null,
    verdict: null,
    ...part,
  }
}

function lines(part: Partial<Frame>, shown: readonly Shown[] = [], options = plain, recovered = false): string[] {
  return frameLines({ frame: frame(part), shown, recovered }, options)
}

test('rows are shown as a table, masked cells hatched, and what became NULL named', () => {
  const spans = new Uint8Array(3 * MASK_SPAN_SIZE)
  spans[7 + 2 * MASK_SPAN_SIZE] = 1
  const masks = {
    spans,
    labels: [
      ['email', 'label:pii.email'],
      ['birthdate', 'label:pii.birthdate'],
    ],
  } as const
  const shown: Shown[] = [
    { show: 'columns', names: ['id', 'email', 'born'] },
    { show: 'row', cells: [{ text: '1' }, { text: '[MASKED:email:7f]', masked: 'email' }, { text: null, masked: 'birthdate' }] },
    { show: 'row', cells: [{ text: '22' }, { text: '[MASKED:email:80]', masked: 'email' }, { text: null }] },
    { show: 'word', label: 'complete', text: 'SELECT 2' },
  ]
  assert.deepEqual(lines({ masks, verdict: { act: 'mask', rules: ['label:pii.email'], policy: '0' } }, shown), [
    '#3        +1.250s  <-  rows  MASKED email x2, birthdate x1',
    '        id | email               | born',
    '        ---+---------------------+-----------------',
    '        1  | ░[MASKED:email:7f]░ | ░NULL:birthdate░',
    '        22 | ░[MASKED:email:80]░ | NULL',
    '        complete: SELECT 2',
  ])
})

test('a long result is cut in the display, saying by how much and how to see it all', () => {
  const shown = Array.from({ length: 25 }, (_, index): Shown => ({ show: 'row', cells: [{ text: String(index) }] }))
  assert.equal(
    lines({}, shown, { ...plain, maxRows: 2 }).at(-1),
    '        ... and 23 more rows of this frame (--rows 25 shows them)',
  )
  assert.match(lines({}, [{ show: 'row', cells: [{ text: 'x'.repeat(100) }] }]).join(), /x{60}\.\.\. \(40 more characters\)/)
})

test('verdicts, approvals and recovery are marked', () => {
  const verdict = { rules: ['no-where', 'agents'], policy: '0' }
  assert.match(lines({ dir: 'in', verdict: { ...verdict, act: 'block' } })[0] ?? '', /-> {2}rows {2}BLOCKED by no-where, agents$/)
  assert.match(
    lines({ verdict: { ...verdict, act: 'hold', approval: 'A-00000000' } })[0] ?? '',
    /HELD by no-where, agents \[A-00000000\]$/,
  )
  assert.match(lines({ verdict: { ...verdict, act: 'allow', approval: 'A-00000000' } })[0] ?? '', /RELEASED \[A-00000000\]$/)
  assert.match(lines({}, [], plain, true)[0] ?? '', /RECOVERED$/)
})

test('what the gateway itself said is told apart, and frames without a readable body show their facts', () => {
  assert.deepEqual(
    lines({ kind: 'cancel-key', facts: { origin: 'gateway' } }, [{ show: 'bytes', label: 'message K', size: 13 }]),
    [
      '#3        +1.250s  <-  cancel-key (said by the gateway)',
      '        origin=gateway',
      '        message K: 13 bytes, not shown',
    ],
  )
})

test('nothing a recorded party said can act on the terminal', () => {
  const hostile = '\u001b]0;owned\u0007\u202eevil'
  const cells = [{ text: hostile, masked: hostile }]
  const shown: Shown[] = [
    { show: 'statement', label: hostile, text: `SELECT 1\n${hostile}` },
    { show: 'columns', names: [hostile] },
    { show: 'row', cells },
    { show: 'word', label: hostile, text: hostile },
    { show: 'bytes', label: hostile, size: 1 },
  ]
  const rules = [hostile]
  const text = lines(
    { dir: 'note', kind: hostile, facts: { [hostile]: hostile }, verdict: { act: 'block', rules, policy: '' } },
    shown,
  ).join('\n')
  assert.doesNotMatch(text, /[\u001b\u0007\u202e]/)
  const identity = { subject: hostile, kind: 'agent', groups: [], proof: hostile } as const
  const info: SessionInfo = {
    // Of a tape that was changed.
    id: hostile as SessionId,
    gateway: 'gw1',
    number: 42,
    identity,
    target: { name: hostile, protocol: 'postgres', host: hostile, port: 1, labels: {} },
    client: hostile,
    policy: 'f'.repeat(64),
    durability: 'process',
    claims: { application_name: hostile },
    startedAt: '2026-11-20T10:51:50.000Z',
  }
  assert.doesNotMatch(sessionLines(info, plain).join('\n'), /[\u001b\u0007\u202e]/)
})
