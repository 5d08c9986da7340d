import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Frame } from '../../../schemas/frame.ts'
import { SshView } from '../../../schemas/views/ssh.ts'

function frame(parts: Partial<Frame>): Frame {
  return { seq: 0, atUs: 0, dir: 'out', channel: 1, kind: 'stdout', facts: {}, body: null, masks: null, verdict: null, ...parts }
}

test('a command is a statement, output is text, an exit says how', () => {
  const view = new SshView()
  const body = Buffer.from('uname -a')
  assert.deepEqual(view.read(frame({ dir: 'in', kind: 'exec', body })), [{ show: 'statement', label: 'exec', text: 'uname -a' }])
  assert.deepEqual(view.read(frame({ body: Buffer.from('Linux\n') })), [{ show: 'word', label: 'stdout', text: 'Linux\n' }])
  assert.deepEqual(view.read(frame({ kind: 'exit', facts: { status: 7 } })), [{ show: 'word', label: 'exit', text: 'status=7' }])
  assert.deepEqual(view.read(frame({ dir: 'note', kind: 'upstream' })), [])
})

test('an operation on a file is a statement, and of its blocks the content is shown', () => {
  const view = new SshView()
  const facts = { operations: ['rename'], path: '/a', to: '/b', statement: 1 }
  assert.deepEqual(view.read(frame({ dir: 'in', kind: 'file', facts })), [
    { show: 'statement', label: 'sftp', text: 'rename /a /b' },
  ])
  const blocks = ['one', 'two'].map((text) =>
    Buffer.concat([Buffer.from([0, 0, 0, 9 + text.length, 103, 0, 0, 0, 1, 0, 0, 0, text.length]), Buffer.from(text)]),
  )
  assert.deepEqual(view.read(frame({ kind: 'file-download', body: Buffer.concat(blocks) })), [
    { show: 'word', label: 'file-download', text: 'onetwo' },
  ])
})
