import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { AccessWatch } from '../../gateway/access-watch.ts'
import type { Approval } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Refusal } from '../../schemas/verdict.ts'

const TARGET = 'shop'

function grantFor(forMs: number): Approval {
  const at = new Date().toISOString()
  return {
    id: 'A-00000000',
    requester: 'agent:a',
    requesterKind: 'agent',
    kind: 'access',
    command: 'why',
    facts: {},
    rules: [],
    reason: 'why',
    approvers: { groups: ['dba'], count: 1 },
    binding: '0'.repeat(64),
    state: 'approved',
    createdAt: at,
    expiresAt: at,
    decisions: [{ act: 'approve', by: 'ana', at }],
    access: { forMs },
  }
}

/** What a session was ended with, while the desk answers each question with what `answer` returns for its number. */
function watch(
  grant: Approval,
  answer: (question: number) => Approval,
): Promise<{ readonly refusal: Refusal; readonly afterMs: number; readonly asked: number }> {
  const startMs = performance.now()
  let asked = 0
  const watched = new AccessWatch({ get: async () => answer(asked++) }, () => undefined)
  // What looks does not keep a process alive; a test has nothing else.
  const awake = setInterval(() => undefined, 1_000)
  return new Promise((resolve) => {
    const leave = watched.add(
      {
        target: TARGET,
        end(refusal) {
          leave()
          clearInterval(awake)
          resolve({ refusal, afterMs: performance.now() - startMs, asked })
        },
      },
      grant,
    )
  })
}

function away(): never {
  throw new ApplianceError('STORE_FAILED', 'away')
}

suite('access that lasts for a while', { concurrency: true, timeout: 60_000 }, () => {
  const long = grantFor(3_600_000)

  test('questions that fail are asked again, and what is answered then counts', async () => {
    const { refusal, asked } = await watch(long, (question) =>
      question < 2 ? away() : { ...long, state: question < 3 ? 'approved' : 'withdrawn' },
    )
    assert.equal(refusal.why, 'withdrawn')
    assert.equal(asked, 4)
  })

  test('who cannot be asked about for ten seconds does not stay', async () => {
    const { refusal, afterMs, asked } = await watch(long, away)
    assert.equal(refusal.why, 'failed')
    assert.ok(afterMs >= 10_000 && asked > 1, `${afterMs} ms, ${asked} questions`)
  })

  test('an answer begins the ten seconds anew', async () => {
    const { afterMs } = await watch(long, (question) => (question === 3 ? long : away()))
    assert.ok(afterMs >= 13_000, `${afterMs} ms`)
  })

  test('nobody stays beyond their time, whoever answers', async () => {
    const { refusal } = await watch(grantFor(2_000), away)
    assert.equal(refusal.why, 'expired')
  })
})
