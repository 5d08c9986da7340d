import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Masker } from '../../gateway/masking/masker.ts'
import { DEFAULT_RULES } from '../../gateway/masking/rules.ts'
import { EchoWire } from '../../gateway/protocols/echo/wire.ts'
import { Visit, type VisitParts } from '../../gateway/sessions-visit.ts'
import type { Seal } from '../../recorder/recorder.ts'
import type { Entry } from '../../schemas/frame.ts'
import type { SessionId, Target } from '../../schemas/session.ts'

const target: Target = { name: 'parrot', protocol: 'echo', host: 'h', port: 1, labels: {} }

function visit(changes: Partial<VisitParts> = {}) {
  const entries: Entry[] = []
  const closed: (Seal | undefined)[] = []
  let seals = 0
  const made = new Visit({
    info: {
      id: 's' as SessionId,
      gateway: 'gw1',
      number: 1,
      identity: { subject: 'agent-7', kind: 'agent', groups: [], proof: 'key:k' },
      target,
      client: '192.0.2.1:1',
      policy: 'a'.repeat(64),
      durability: 'process',
      claims: {},
      startedAt: '2026-11-20T10:00:00.000Z',
    },
    target,
    recorder: {
      append: async (more) => void entries.push(...more),
      seal: async (reason) => {
        seals += 1
        return { reason, frameCount: entries.length, chunkCount: 0, root: '' }
      },
    },
    judge: { judge: () => ({ act: 'allow', rules: [] }), review: () => ({ act: 'allow', rules: [] }) },
    masker: new Masker({ rules: DEFAULT_RULES, tagKey: Buffer.alloc(32, 1), fingerprintKey: Buffer.alloc(32, 2) }),
    labels: {
      asked: false,
      empty: true,
      labelFor: () => undefined,
      touches: () => false,
      placedIn: () => undefined,
      within: () => [],
      labelForName: () => undefined,
      exempts: () => false,
    },
    approvals: {
      request: () => Promise.reject(new Error('nothing is held here')),
      outcome: () => Promise.reject(new Error('nothing is held here')),
      consume: async () => false,
      granted: async () => undefined,
      withdraw: async () => undefined,
    },
    bindingKey: Buffer.alloc(32),
    approvalTtlMs: 1_000,
    credential: () => Promise.reject(new Error('not asked for')),
    onRecordingFailed: () => undefined,
    onCatalogFailed: () => undefined,
    onClosed: (seal) => closed.push(seal),
    ...changes,
  })
  return { made, entries, closed, seals: () => seals }
}

test('a note is masked like everything else that is recorded', async () => {
  const { made, entries } = visit()
  await made.note('probe', { who: 'ana@example.org' })
  assert.equal(entries[0]?.dir, 'note')
  assert.match(String(entries[0]?.facts['who']), /MASKED:email/)
})

test('disposing seals once, tells once, and ends whatever still runs', async () => {
  const { made, closed, seals } = visit()
  await made.seal('recording.failed')
  await made[Symbol.asyncDispose]()
  assert.equal(seals(), 1)
  assert.equal(closed.length, 1)
  assert.equal(closed[0]?.reason, 'recording.failed')
  assert.equal(made.signal.aborted, true)
})

test('a session has one gate', () => {
  const { made } = visit()
  made.gate(new EchoWire())
  assert.throws(() => made.gate(new EchoWire()))
})
