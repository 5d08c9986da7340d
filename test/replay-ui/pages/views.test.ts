import assert from 'node:assert/strict'
import { test } from 'node:test'
import { longTextView } from '../../../replay-ui/elements/long-text.ts'
import { redacted } from '../../../replay-ui/elements/marks.ts'
import type { Asked } from '../../../replay-ui/elements/question.ts'
import { safe, safeLine } from '../../../replay-ui/elements/safe.ts'
import { savedRow } from '../../../replay-ui/elements/saved-searches.ts'
import { type ApprovalsInput, view as approvals, COMMAND_CHARS } from '../../../replay-ui/pages/approvals-view.ts'
import { type CasesInput, view as cases } from '../../../replay-ui/pages/cases-view.ts'
import { toldText } from '../../../replay-ui/pages/evidence-runs.ts'
import { rawText, runsOf } from '../../../replay-ui/pages/replay-bytes.ts'
import { integrityView } from '../../../replay-ui/pages/replay-head.ts'
import { cellView, widthsOf } from '../../../replay-ui/pages/replay-inspector.ts'
import { commandOf, KEY_MAP } from '../../../replay-ui/pages/replay-keys.ts'
import { statementRow } from '../../../replay-ui/pages/replay-lists.ts'
import { endNotices } from '../../../replay-ui/pages/replay-view.ts'
import { view as signIn } from '../../../replay-ui/pages/sign-in.ts'
import type { ApprovalView, StatementRow } from '../../../schemas/api.ts'
import { textOf } from '../text.ts'

const nothing = (): void => undefined
const HERE: Asked = { state: 'here', problem: '', again: true }
const LOADING: Asked = { ...HERE, state: 'loading' }
const failedBy = (problem: string, again = true): Asked => ({ state: 'failed', problem, again })

const PENDING: ApprovalView = {
  id: 'A-12345678',
  session: '20261120T105150Z-gw1-00000042',
  requester: 'agent-7',
  requesterKind: 'agent',
  principal: 'ada@example.com',
  target: 'shop',
  protocol: 'postgres',
  kind: 'query',
  command: 'DELETE FROM carts WHERE owner = [MASKED:email:3cf6]',
  commandChars: 51,
  facts: { verbs: ['DELETE'] },
  rules: ['pg.no-where'],
  reason: 'DELETE of a whole table',
  approvers: { groups: ['dba'], count: 1 },
  createdAt: '2026-11-20T12:00:00Z',
  expiresAt: '2026-11-20T13:00:00Z',
  state: 'pending',
  decisions: [],
  may: { decide: true, breakGlass: false, review: false, end: false },
}

function inbox(one: ApprovalView, more: Partial<ApprovalsInput> = {}): string {
  return textOf(
    approvals({
      list: HERE,
      up: true,
      approvals: [one],
      more: false,
      picked: one,
      chars: COMMAND_CHARS,
      nowMs: Date.parse('2026-11-20T12:30:00Z'),
      decide: { busy: null, problem: '', reason: '', onReason: nothing, onDecide: nothing },
      similar: undefined,
      access: { targets: { targets: [] }, problem: '', onAsk: nothing },
      onPick: nothing,
      onMore: nothing,
      onWhole: nothing,
      onRetry: nothing,
      ...more,
    }),
  )
}

test('a request shows who, what, why, and the whole command with what was masked named', () => {
  const text = inbox(PENDING)
  for (const part of [
    'agent-7',
    'ada@example.com',
    'shop',
    'DELETE of a whole table',
    'pg.no-where',
    'masked before it was shown: email',
    'Approve: it runs once',
  ])
    assert.ok(text.includes(part), part)
})

test('a command is never shortened without saying by how much, and not approved before it was seen whole', () => {
  const text = inbox({ ...PENDING, command: 'x'.repeat(COMMAND_CHARS + 5), commandChars: COMMAND_CHARS + 5 })
  assert.match(text, /5 more characters of 20,005 not shown/)
  assert.match(text, /Show the whole command before you approve it/)
})

test('a request that is not there is said to be so, and no other stands in its place', () => {
  const text = inbox(PENDING, { picked: undefined, missing: 'A-NOTTHERE' })
  assert.match(text, /There is no request A-NOTTHERE/)
  assert.ok(!text.includes('Approve: it runs once'))
})

test('who may not decide is told why, and who comes late that it is too late', () => {
  assert.match(inbox({ ...PENDING, may: { ...PENDING.may, decide: false, why: 'agents never approve' } }), /agents never approve/)
  assert.match(inbox(PENDING, { nowMs: Date.parse('2026-11-20T14:00:00Z') }), /time to decide is over/)
})

test('a decision that was made elsewhere stays beside the message about it', () => {
  const decided: ApprovalView = {
    ...PENDING,
    state: 'rejected',
    decisions: [{ act: 'reject', by: 'grace', at: '2026-11-20T12:01:00Z', reason: 'no' }],
  }
  const text = inbox(decided, {
    decide: { busy: null, problem: 'grace was quicker', reason: '', onReason: nothing, onDecide: nothing },
    similar: [],
    access: { targets: { targets: [] }, problem: '', onAsk: nothing },
  })
  assert.match(text, /grace was quicker/)
  assert.match(text, /rejected.*grace/s)
})

test('empty, loading and failed are told apart', () => {
  assert.match(inbox(PENDING, { approvals: [], picked: undefined }), /Nothing has been held/)
  assert.match(inbox(PENDING, { approvals: [], picked: undefined, list: LOADING }), /Loading/)
  assert.match(inbox(PENDING, { approvals: [], picked: undefined, list: failedBy('no line') }), /no line/)
  assert.match(textOf(signIn({ busy: 'link', problem: '', note: '', ways: [], onSubmit: nothing })), /one-time link/)
  const ways = [{ id: 'oidc' as const, name: 'Sign in with <Entra>', href: '/api/v1/sign-in/oidc' }]
  const page = textOf(signIn({ busy: null, problem: '', note: '', ways, onSubmit: nothing }))
  assert.match(page, /href=\/api\/v1\/sign-in\/oidc|href="\/api\/v1\/sign-in\/oidc"/)
})

test('untrusted text is text: markup stays markup, controls become escapes, length is told', () => {
  assert.equal(safe('<b>'), '<b>')
  assert.match(textOf(safe('a\u202eb')), /a<span class="esc">\\u\{202e\}<\/span>b/)
  assert.match(textOf(safeLine('x'.repeat(50), 10)), /^x{10}<span class="more">… 40 more<\/span>$/)
  assert.match(textOf(safeLine(`${'x'.repeat(9)}🎉🎉`, 10)), /^x{9}</)
  assert.match(
    textOf(longTextView({ text: 'y'.repeat(9_000), chars: 8_000, onMore: nothing })),
    /1,000 more characters.* of 9,000 not shown/s,
  )
  assert.match(
    textOf(redacted('a [MASKED:email:3cf6] b [MASKED:<x>]')),
    /title="masked before it was shown: email">\[MASKED:email:3cf6\]<\/span> b \[MASKED:<x>\]/,
  )
})

test('a masked cell is hatched and named, also where only NULL is left', () => {
  assert.match(
    textOf(cellView({ text: '[MASKED:email]', masked: 'email', rule: 'label:pii' }, nothing)),
    /masked.*email, masked by label:pii/s,
  )
  assert.match(textOf(cellView({ text: null, masked: 'birthdate' }, nothing)), /NULL.*birthdate/s)
  assert.match(textOf(cellView({ text: 'x'.repeat(500) }, nothing)), /420 more/)
  assert.deepEqual(widthsOf(['id', 'name'], [[{ text: '1' }, { text: 'x'.repeat(500) }]]), [7, 46])
})

test('bytes that look alike are one run; others are not', () => {
  const mark = { from: 4, to: 8, entity: 'email', rule: 'r' }
  assert.deepEqual(
    runsOf(0, 16, { from: 6, to: 10 }, [mark]).map(({ from, to, picked, mask }) => [from, to, picked, mask?.entity]),
    [
      [0, 4, false, undefined],
      [4, 6, false, 'email'],
      [6, 8, true, 'email'],
      [8, 10, true, undefined],
      [10, 16, false, undefined],
    ],
  )
  assert.equal(rawText(Uint8Array.of(0x41, 0x00, 0x1b, 0x7e, 0xff), 0, 5), 'A··~·')
})

test('the badge says what was verified and never more', () => {
  const input = {
    verification: undefined,
    unverified: undefined,
    checkedChunks: 31,
    chunks: 100,
    live: false,
    tookMs: 0,
    onAgain: nothing,
    onFrame: nothing,
  }
  const kept = { durability: 'process', lossWindow: 'none' }
  assert.match(textOf(integrityView(input, kept)), /Verifying 31 %/)
  assert.match(textOf(integrityView({ ...input, unverified: 'no Ed25519 here' }, kept)), /Not verified.*no Ed25519 here/s)
})

test('a tape that was recovered or has gaps says so before anything else', () => {
  const map = { id: 's', chunks: [], frameCount: 9, durationUs: 1, density: { binUs: 1, counts: [] } }
  const recovered = { kind: 'recovered', by: 'gw1', at: '2026-11-20T12:00:00Z', recovered: 2, discardedBytes: 10 } as const
  const text = textOf(endNotices({ ...map, end: recovered, gaps: [{ firstSeq: 3, lastSeq: 4, fromUs: 0, toUs: 1 }] }))
  assert.match(text, /Truncated.*2 frames of 9.*10 B.*Gap.*Frames 3 – 4/s)
})

test('every key in the map does something', () => {
  const keys = KEY_MAP.flatMap(([names]) => names.split(' ')).filter((name) => name !== '…')
  const real: Readonly<Record<string, string>> = {
    Space: ' ',
    '←': 'ArrowLeft',
    '→': 'ArrowRight',
    Esc: 'Escape',
    W: 'w',
    S: 's',
    F: 'f',
    B: 'b',
    C: 'c',
    E: 'e',
    M: 'm',
  }
  for (const key of keys) assert.ok(commandOf(real[key] ?? key) !== undefined, key)
  assert.equal(commandOf('x'), undefined)
})

test('only what runs is said to run: a line that nothing answers does not, and what the end of its session cut does not', () => {
  const row: StatementRow = {
    session: 's',
    frame: 1,
    part: 0,
    channel: 1,
    kind: 'line',
    text: 'ls -la',
    textCut: false,
    atUs: 1,
    durationUs: null,
    lastFrame: null,
    rows: 0,
    bytesOut: 0,
    masked: 0,
    verdict: null,
    rules: [],
    approval: null,
    outcome: 'running',
    objects: [],
    verbs: [],
    fingerprint: null,
  }
  const shown = (outcome: StatementRow['outcome']): string => textOf(statementRow({ ...row, outcome }, 0, false, 1, nothing))
  assert.match(shown('running'), /running/)
  assert.doesNotMatch(shown('sent'), /running/)
  assert.match(shown('cut'), /cut/)
  assert.doesNotMatch(shown('cut'), /running/)
})

test('what was searched for is told in words, and what is no object stays as the ledger has it', () => {
  assert.equal(toldText('{"limit":100,"state":"pending","in":["result"]}'), 'limit 100, state pending, in ["result"]')
  for (const value of ['{"limit":1', '{', '[1]', 'pending', '']) assert.equal(toldText(value), value)
})

test('what others named is escaped in what only a screen reader or an empty field says, too', () => {
  const title = 'benign\u202ekcatta\u200b\u001b[2J'
  const [by, at] = ['gina', '2026-11-20T12:00:00Z']
  const one = {
    id: 'C-1',
    title,
    state: 'open',
    by,
    createdAt: at,
    changedAt: at,
    own: false,
    notes: [],
    may: { change: true },
  } as const
  const input: CasesInput = {
    ...{ list: HERE, cases: [], picked: 'C-1', asked: HERE, one: { ...one, items: [] }, deedProblem: '', busy: false },
    ...{ mayBegin: true, onBegin: nothing, onChange: nothing, onRetry: nothing, onRetryOne: nothing },
  }
  const search = { id: 'S-1', name: title, page: 'search', filter: 'x', shared: true, by, at, may: { remove: true } } as const
  for (const shown of [textOf(cases(input)), textOf(savedRow(search, { onGo: nothing, onRemove: nothing }))]) {
    assert.match(shown, /benign/)
    assert.doesNotMatch(shown, /[\u202e\u200b\u001b]/)
  }
})
