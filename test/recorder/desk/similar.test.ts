import assert from 'node:assert/strict'
import { test } from 'node:test'
import { similarTo } from '../../../recorder/desk/similar.ts'
import { listed } from '../notify/approvals.ts'

const rejected = { state: 'rejected', decisions: [{ act: 'reject', by: 'ana', at: '2026-11-20T10:01:00.000Z' }] } as const
const id = (n: number): string => `A-0000000${n}`

test('similar is the same shape of statement on the same target, decided, the newest first, five at most', () => {
  const facts = { fingerprint: 'f' }
  const past = Array.from({ length: 7 }, (_, n) =>
    listed({ ...rejected, decisions: [...rejected.decisions], id: id(n), facts, createdAt: `2026-11-2${n}T10:00:00.000Z` }),
  )
  const others = [
    listed({ id: 'A-0000000A', facts }),
    listed({ ...rejected, decisions: [...rejected.decisions], id: 'A-0000000B', facts, target: 'vault' }),
    listed({ ...rejected, decisions: [...rejected.decisions], id: 'A-0000000C', facts: { fingerprint: 'g' } }),
  ]
  const now = listed({ id: 'A-0000000Z', facts })
  const similar = similarTo(now, [...past, ...others, now])
  assert.deepEqual(
    similar.map((each) => each.id),
    [id(6), id(5), id(4), id(3), id(2)],
  )
  assert.ok(similar.every(({ same }) => same))
})

test('a text that is cut in lists is the same only with the whole', () => {
  const command = 'x'.repeat(4_000)
  const cut = listed({ ...rejected, decisions: [...rejected.decisions], id: id(2), command, commandChars: 9_000 })
  assert.equal(similarTo(listed({ command: 'x'.repeat(9_000) }), [cut])[0]?.same, true)
  assert.equal(similarTo(listed({ command: 'x'.repeat(8_999) }), [cut])[0]?.same, false)
})
