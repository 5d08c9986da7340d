import assert from 'node:assert/strict'
import { test } from 'node:test'
import { echoFrame } from '../../../gateway/protocols/echo/wire.ts'
import type { Frame } from '../../../schemas/frame.ts'
import { EchoView } from '../../../schemas/views/echo.ts'

function frame(part: Partial<Frame>): Frame {
  return { seq: 0, atUs: 0, dir: 'in', channel: 1, kind: 'say', facts: {}, body: null, masks: null, verdict: null, ...part }
}

test('what is said and what comes back are shown as text, notes and empty frames as nothing', () => {
  const view = new EchoView()
  assert.deepEqual(view.read(frame({ body: echoFrame(1, 'hello') })), [{ show: 'statement', label: 'say', text: 'hello' }])
  assert.deepEqual(view.read(frame({ dir: 'out', body: echoFrame(1, 'hello') })), [
    { show: 'word', label: 'echo', text: 'hello' },
  ])
  assert.deepEqual(view.read(frame({})), [])
  assert.deepEqual(view.read(frame({ dir: 'note', body: echoFrame(1, 'x') })), [])
})
