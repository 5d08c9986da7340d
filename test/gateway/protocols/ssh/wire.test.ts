import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteStream, SshMessage } from '../../../../gateway/protocols/ssh/messages.ts'
import { SshOutput } from '../../../../gateway/protocols/ssh/output.ts'
import { SshWire } from '../../../../gateway/protocols/ssh/wire.ts'
import type { Refusal } from '../../../../schemas/verdict.ts'
import { fakeGate, fakeParts, HOLD, scriptedJudge } from '../../../support/fakes.ts'

const REFUSAL: Refusal = { why: 'blocked', message: 'not here', rules: ['no'], hint: 'elsewhere' }

const asked = (channel: number): SshMessage =>
  new SshMessage({
    from: 'client',
    kind: 'exec',
    channel,
    facts: { command: 'id' },
    text: 'id',
    action: {
      act: 'start',
      request: { what: { kind: 'exec', command: 'id' }, terminal: undefined, env: {}, work: {}, agent: false },
    },
  })

/** What is done, as words. */
function told(outputs: readonly unknown[]): string[] {
  return outputs.map((output) => {
    assert.ok(output instanceof SshOutput)
    const { to, channel, action, bytes } = output
    return [to, channel, action.act, Buffer.from(bytes).toString()].join(' ').trim()
  })
}

test('what is released is done at the other end of its own channel', () => {
  const wire = new SshWire()
  wire.opened(3, false)
  assert.deepEqual(told(wire.release(asked(3))), ['server 3 start id'])
  const stdout = new ByteStream('server', 'stdout', 3, { act: 'data' })
  assert.deepEqual(told(wire.release(stdout.chunk(Buffer.from('raw')), Buffer.from('***'))), ['client 3 data ***'])
})

test('a refused request ends its channel only; what is cut in the middle ends at the target, too, and is said once', () => {
  const wire = new SshWire()
  for (const channel of [1, 2]) wire.opened(channel, false)
  const text = 'sallyport: not here [no]\nsallyport: elsewhere'
  assert.deepEqual(told(wire.refuse(asked(1), REFUSAL)), [`client 1 stderr ${text}`, 'client 1 exit'])
  const stdout = new ByteStream('server', 'stdout', 2, { act: 'data' })
  const chunk = stdout.chunk(Buffer.from('x'))
  assert.deepEqual(told(wire.refuse(chunk, REFUSAL)), [`client 2 stderr ${text}`, 'client 2 exit', 'server 2 close'])
  assert.deepEqual(wire.refuse(chunk, REFUSAL), [])
})

test('lines for a terminal have their carriage returns, and the words of others nothing that moves a cursor', () => {
  const wire = new SshWire()
  wire.opened(1, true)
  const [said] = wire.refuse(asked(1), { ...REFUSAL, message: 'a\u001b[2Jb' })
  assert.ok(said instanceof SshOutput)
  const text = Buffer.from(said.bytes).toString()
  assert.ok(!text.includes('\u001b'), text)
  assert.match(text, /^\r\nsallyport: .*\r\nsallyport: elsewhere\r\n$/)
})

test('last words are said on every open channel', () => {
  const wire = new SshWire()
  for (const channel of [1, 2, 3]) wire.opened(channel, false)
  wire.closed(2)
  const words = told(wire.farewell(REFUSAL))
  assert.deepEqual(
    words.map((word) => word.slice(0, 'client 1 stderr'.length)),
    ['client 1 stderr', 'client 1 exit', 'client 3 stderr', 'client 3 exit'],
  )
})

test('a held command is on the tape when the hold starts, and again with what became of it; the words said name their channel', async () => {
  const wire = new SshWire()
  wire.opened(5, false)
  const parts = fakeParts({ judge: scriptedJudge(() => HOLD) })
  const gate = fakeGate(wire, parts)
  const left = new AbortController()
  const outputs: string[] = []
  for await (const batch of gate.pass([asked(5)], left.signal)) {
    outputs.push(...told(batch))
    left.abort()
  }
  assert.match(outputs.join('|'), /^client 5 stderr sallyport: held for approval.*client 5 exit$/s)
  assert.deepEqual(
    parts.recorder.entries.map(({ kind, channel, verdict }) => [kind, channel, verdict?.act]),
    [
      ['exec', 5, 'hold'],
      ['notice', 5, undefined],
      ['exec', 5, 'block'],
      ['refusal', 5, undefined],
      ['exit', 5, undefined],
    ],
  )
})

test('a forward that is allowed is for others to open; one that is refused is told in the words of its channel, or on another', async () => {
  const wire = new SshWire()
  const forward = (direction: string, channel: number): SshMessage =>
    new SshMessage({ from: 'client', kind: 'forward', channel, facts: { direction }, action: { act: 'forward' } })
  assert.deepEqual(told(wire.release(forward('local', 4))), ['server 4 forward'])
  const text = 'sallyport: not here [no]; elsewhere'
  assert.deepEqual(told(wire.refuse(forward('local', 4), REFUSAL)), [`client 4 refuse ${text}`])
  const lines = 'sallyport: not here [no]\nsallyport: elsewhere'
  assert.deepEqual(wire.refuse(forward('remote', 0), REFUSAL), [])
  wire.opened(5, false)
  assert.deepEqual(told(wire.release(asked(5))), [`client 5 stderr ${lines}`, 'server 5 start id'])
  assert.deepEqual(told(wire.refuse(forward('agent', 5), REFUSAL)), [`client 5 stderr ${lines}`])
})

test('what is forwarded is cut at both ends, and says nothing', () => {
  const wire = new SshWire()
  wire.forwarded(7)
  const bytes = new ByteStream('server', 'forward-output', 7, { act: 'data' }).chunk(Buffer.from('x'))
  assert.deepEqual(told(wire.refuse(bytes, REFUSAL)), ['client 7 close', 'server 7 close'])
  assert.deepEqual(wire.refuse(bytes, REFUSAL), [])
})
