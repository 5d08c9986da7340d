import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import fc from 'fast-check'
import { Chatter } from '../../../../gateway/intake.ts'
import { Lanes } from '../../../../gateway/lane.ts'
import { ByteStream } from '../../../../gateway/protocols/ssh/messages.ts'
import { SshOutput } from '../../../../gateway/protocols/ssh/output.ts'
import { pump } from '../../../../gateway/protocols/ssh/pump.ts'
import { SshWire } from '../../../../gateway/protocols/ssh/wire.ts'
import { type FakeParts, fakeGate, fakeParts } from '../../../support/fakes.ts'

const NOBODY = new AbortController().signal
const EMAIL = ['lovelace', 'example.org'].join('@')

const taped = ({ recorder }: FakeParts): Buffer =>
  Buffer.concat(recorder.entries.map((entry) => Buffer.from(entry.body ?? new Uint8Array())))

/** Whether the tape has all that the target got; what is masked is as long. */
function assertTaped(got: Buffer, tape: Buffer, what: string): void {
  assert.ok(tape.length >= got.length, `${what}: the target has ${got.length} bytes, the tape ${tape.length}`)
  for (const [at, byte] of got.entries()) assert.ok(tape[at] === byte || tape[at] === 0x2a, `${what}: byte ${at}`)
}

const INPUTS = [
  'rm$IFS-rf$IFS/srv/data',
  `mail ${EMAIL} and\x1b[31m ${EMAIL.slice(0, 5)}\x1b[0m${EMAIL.slice(5)}`,
  `a\nbb ${'x'.repeat(1_500)} 4111 1111 1111 1111 \x1b[`,
  `${'\0\x01\x02\xff'.repeat(300)}${EMAIL}`,
]

for (const kind of ['stdin', 'forward-input'])
  test(`whenever its sender leaves, the target has nothing of what it sent that the tape has not: ${kind}`, async () => {
    const words = fc.oneof(fc.constantFrom(...INPUTS), fc.string({ maxLength: 40 }))
    const cuts = fc.array(fc.tuple(fc.integer({ min: 1, max: 700 }), fc.constantFrom('goes on', 'waits', 'secret')))
    await fc.assert(
      fc.asyncProperty(words, cuts, async (text, pieces) => {
        const parts = fakeParts()
        const gate = fakeGate(new SshWire(), parts)
        const stream = new ByteStream('client', kind, 1, { act: 'data' })
        const sent = Buffer.from(text, 'latin1')
        let got = Buffer.alloc(0)
        let tape = Buffer.alloc(0)
        const pass = async (message: ReturnType<ByteStream['rest']>): Promise<void> => {
          if (message === undefined) return
          for await (const outputs of gate.pass([message], NOBODY))
            got = Buffer.concat([got, ...outputs.map(({ bytes }) => bytes)])
          tape = Buffer.concat([tape, taped(parts)])
          parts.recorder.entries.length = 0
          assertTaped(got, tape, JSON.stringify(text))
          assert.deepEqual(got, sent.subarray(0, got.length))
        }
        let at = 0
        for (const [size, then] of [...pieces, [sent.length, 'waits'] as const]) {
          const chunk = Buffer.from(sent.subarray(at, at + size))
          at += chunk.length
          await pass(stream.chunk(chunk, then === 'secret'))
          // Its memory is used again.
          chunk.fill(0)
          if (then === 'secret') assert.equal(got.length, at)
          if (then !== 'waits') continue
          await pass(stream.rest())
          assert.equal(got.length, at, 'all of it has gone')
        }
      }),
    )
  })

test('keys are not kept from the terminal', async () => {
  const gate = fakeGate(new SshWire(), fakeParts())
  const stream = new ByteStream('client', 'terminal-input', 1, { act: 'data' })
  for await (const outputs of gate.pass([stream.chunk(Buffer.from('ls'))], NOBODY))
    assert.equal(Buffer.concat(outputs.map(({ bytes }) => bytes)).toString(), 'ls')
})

test('what waits goes on soon after the tape has taken what came before it, however long that takes', async () => {
  const parts = fakeParts()
  const source = new PassThrough()
  const { promise: gone, resolve } = Promise.withResolvers<void>()
  let got = ''
  const lanes = new Lanes({
    gate: fakeGate(new SshWire(), parts),
    deliver: (outputs) => {
      for (const { bytes } of outputs) got += Buffer.from(bytes).toString()
      if (got === 'who are you') resolve()
      return undefined
    },
    asker: NOBODY,
    stop: NOBODY,
    onFail: (error) => assert.ifError(error),
  })
  const stream = new ByteStream('client', 'stdin', 1, { act: 'data' })
  const settled = Promise.withResolvers<void>()
  parts.recorder.pause()
  const pumped = pump({
    source,
    chatter: new Chatter(),
    lanes,
    read: (chunk) => [stream.chunk(chunk)],
    rest: () => {
      settled.resolve()
      return stream.rest()
    },
  })
  source.write('who are ')
  source.write('you')
  setTimeout(() => parts.recorder.resume(), 60)
  await settled.promise
  await gone
  source.end()
  await pumped
  assert.equal(taped(parts).toString(), 'who are you')
})

test('what one stream keeps back does not wait for another that never rests', async () => {
  const lanes = new Lanes({
    gate: fakeGate(new SshWire(), fakeParts()),
    deliver: (outputs) => {
      for (const output of outputs)
        if (output instanceof SshOutput && output.action.act === 'stderr') asked += Buffer.from(output.bytes).toString()
      return wait(5)
    },
    asker: NOBODY,
    stop: NOBODY,
    onFail: (error) => assert.ifError(error),
  })
  let asked = ''
  const [out, err] = [new PassThrough(), new PassThrough()]
  const pumped = [out, err].map((source) => {
    const stream =
      source === out
        ? new ByteStream('server', 'stdout', 1, { act: 'data' })
        : new ByteStream('server', 'stderr', 1, { act: 'stderr' })
    return pump({ source, chatter: new Chatter(), lanes, read: (chunk) => [stream.chunk(chunk)], rest: () => stream.rest() })
  })
  err.write('continue?[y/N]')
  for (const until = Date.now() + 30_000; asked === '' && Date.now() < until; await wait(2)) out.write('line\n')
  out.end()
  err.end()
  await Promise.all(pumped)
  assert.equal(asked, 'continue?[y/N]')
})
