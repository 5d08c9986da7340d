import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lifeOf, OWN_MARK } from '../../../recorder/process-mark.ts'
import { lockText, ownerOf } from '../../../recorder/store/lock-mark.ts'

/** ext4's: what an inode holds of a link by itself. */
const INLINE_SIZE = 59

test('a lock names its owner in what fits an inode, whatever the host is called', () => {
  const largest = { pid: 4_194_304, started: '9'.repeat(12), host: 'h'.repeat(64), boot: 'b'.repeat(36) }
  assert.ok(Buffer.byteLength(lockText(largest, 999_999)) <= INLINE_SIZE, lockText(largest, 999_999))
  assert.ok(Buffer.byteLength(lockText(OWN_MARK, 7)) <= INLINE_SIZE)
})

test('of its own host and boot it says all, of another that it is another', () => {
  const life = (mark: Partial<typeof OWN_MARK>): string | undefined => {
    const owner = ownerOf(lockText({ ...OWN_MARK, ...mark }, 3))
    return owner === undefined ? undefined : lifeOf(owner)
  }
  assert.deepEqual(ownerOf(lockText(OWN_MARK, 3)), OWN_MARK)
  assert.equal(life({}), 'alive')
  assert.equal(life({ boot: 'another' }), 'dead')
  assert.equal(life({ host: 'another' }), 'foreign')
  assert.equal(life({ host: 'another', boot: 'another' }), 'foreign')
  assert.equal(life({ started: '' }), 'alive', 'where nothing tells when a process began, that it is there has to do')
})

test('what an earlier version wrote is read, and what nobody wrote is nobody’s', () => {
  assert.deepEqual(ownerOf(JSON.stringify({ ...OWN_MARK, thread: 0 })), OWN_MARK)
  for (const text of ['', '{', '1:2:3:4', 'x:1:0:abcdefghij:abcdefghij', '1:1:0:abcdefghij:abcdefghij:', '/etc/passwd'])
    assert.equal(ownerOf(text), undefined, text)
})
