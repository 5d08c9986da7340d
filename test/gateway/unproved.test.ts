import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_LIMITS } from '../../gateway/config.ts'
import { Unproved } from '../../gateway/unproved.ts'

test('listeners of one process share its limits: the oldest goes, by whichever it came', () => {
  const unproved = new Unproved({ ...DEFAULT_LIMITS, connectionsUnproved: 2, connectionsUnprovedPerAddress: 2 })
  const gone: string[] = []
  unproved.add('192.0.2.1', () => gone.push('by postgres'))
  const through = unproved.add('192.0.2.2', () => gone.push('by ssh, proved'))
  through()
  through()
  unproved.add('192.0.2.2', () => gone.push('by ssh'))
  unproved.add('192.0.2.3', () => gone.push('by http'))
  assert.deepEqual(gone, ['by postgres'])
  unproved.join(() => 3)
  unproved.join(() => 2)
  assert.equal(unproved.sockets, 5)
})
