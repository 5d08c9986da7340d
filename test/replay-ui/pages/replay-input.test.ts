import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SessionFeed } from '../../../replay-ui/data/session-feed.ts'
import { ExchangeLooks } from '../../../replay-ui/pages/replay-exchanges.ts'
import { inputOf, type ReplayActs, type ReplayState } from '../../../replay-ui/pages/replay-input.ts'

test('what the badge and an exchange say of a frame leads to it, whatever is shown', () => {
  for (const protocol of ['http', 'kubernetes', 'egress', 'postgres', 'ssh']) {
    const did: unknown[] = []
    const acts = { onView: (view: string) => did.push(view), onFrame: (seq: number) => did.push(seq) }
    const input = inputOf(
      { cursor: 0, exchangeFilter: '' } as ReplayState,
      { detail: { target: { protocol }, state: 'sealed' }, covers: () => false } as unknown as SessionFeed,
      undefined,
      undefined,
      undefined,
      new ExchangeLooks(),
      undefined,
      acts as unknown as ReplayActs, // of each, what is asked for here
    )
    input.head?.integrity.onFrame(28)
    assert.deepEqual(did.splice(0), ['frames', 28], protocol)
    input.exchanges?.one.onFrame(7)
    assert.deepEqual(did, input.exchanges === undefined ? [] : ['frames', 7], protocol)
  }
})
