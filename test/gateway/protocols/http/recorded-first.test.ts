import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ColumnLabels } from '../../../../gateway/policy/policy.ts'
import { BodyMemory } from '../../../../gateway/protocols/http/body-memory.ts'
import { type Dialect, PLAIN } from '../../../../gateway/protocols/http/dialect.ts'
import { Fields } from '../../../../gateway/protocols/http/fields.ts'
import type { Media } from '../../../../gateway/protocols/http/media.ts'
import { readRequest } from '../../../../gateway/protocols/http/request.ts'
import { outputsOf } from '../../../../gateway/protocols/http/through.ts'
import { HttpWire } from '../../../../gateway/protocols/http/wire.ts'
import { ALLOW, fakeGate, fakeParts, scriptedJudge } from '../../../support/fakes.ts'

const NOBODY = new AbortController().signal
const MIB = 1024 * 1024
/** Of the filler that every body begins with: nothing of it is kept back any more. */
const SAME = MIB - 8 * 1024

const labelsOf = (labelled: boolean): ColumnLabels => ({
  empty: !labelled,
  exempts: () => false,
  asked: false,
  touches: () => false,
  placedIn: () => undefined,
  within: () => [],
  labelFor: () => undefined,
  labelForName: (name) => (labelled && name === 'nick' ? { label: 'nick', entity: 'nick', form: 'tag' } : undefined),
})

/** A PUT of a body in pieces: what its target has got after each of them, and what the tape had by then. */
async function* put(
  body: Buffer,
  { media, labelled, size }: { readonly media: Media; readonly labelled: boolean; readonly size: number },
): AsyncGenerator<{ readonly got: Buffer; readonly taped: Buffer }> {
  const dialect: Dialect = { ...PLAIN, read: (head, fields) => ({ ...PLAIN.read(head, fields), media }) }
  const parts = fakeParts({ judge: scriptedJudge(() => ALLOW) })
  const gate = fakeGate(new HttpWire(dialect), parts)
  const pieces = async function* (): AsyncGenerator<Buffer> {
    yield body.subarray(0, MIB + 1)
    for (let at = MIB + 1; at < body.length; at += size) yield body.subarray(at, at + size)
  }
  const asked = await readRequest(
    {
      request: { method: 'PUT', headers: [['host', 'shop']], empty: false, body: pieces(), expects: false, fault: undefined },
      target: '/',
    },
    { channel: 1, memory: new BodyMemory(), visit: { fields: new Fields(labelsOf(labelled)), dialect, gate } },
  )
  const through = asked.body((message) => outputsOf(gate, message, NOBODY))
  assert.ok(through !== null && Symbol.asyncIterator in through)
  const got: Uint8Array[] = []
  for await (const piece of through) {
    got.push(piece)
    const taped = parts.recorder.entries
      .filter(({ kind }) => kind === 'request-body')
      .map((entry) => entry.body ?? Buffer.alloc(0))
    yield { got: Buffer.concat(got), taped: Buffer.concat(taped) }
  }
}

const line = 'a line that says nothing of anybody\n'
const filler = Buffer.from(line.repeat(Math.ceil(MIB / line.length)))
const behind = (text: string): Buffer => Buffer.concat([filler, Buffer.from(text)])

const BODIES: Readonly<Record<string, Buffer>> = {
  'a text': behind(line.repeat(400)),
  'JSON that never ends': behind(`[${'"a row of somebody",\n'.repeat(700)}`),
  'JSON with labels that never ends': behind(`[${'{"nick":"bo"},\n'.repeat(900)}`),
  'JSON in each line': behind('{"nick":"bo","n":1}\n'.repeat(700)),
  'an event that never ends': behind(`\n\n${'data: {"nick":"bo",\n'.repeat(700)}`),
  'a line that never ends': behind('x'.repeat(15_000)),
  'what is no text': Buffer.concat([filler, Buffer.from(Uint8Array.from({ length: 15_000 }, (_, at) => (at * 7919) & 0xff))]),
  'text among what is none': behind(`${'\0\x01\x02\x03'.repeat(1_000)}${line.repeat(100)}${'\xff\0'.repeat(2_000)}`),
  'a text in UTF-16': Buffer.concat([filler, Buffer.from(line.repeat(200), 'utf16le')]),
}

for (const media of ['text', 'unknown', 'opaque', 'events', 'live', 'multipart', 'json', 'form'] as const)
  test(`whenever its sender leaves, the target has nothing of a body that the tape has not: ${media}`, async () => {
    for (const labelled of [true, false]) {
      // Such a body is refused.
      if (labelled && (media === 'json' || media === 'form')) continue
      for (const [name, body] of Object.entries(BODIES))
        for (const size of [997, 5_000]) {
          let all: Buffer = Buffer.alloc(0)
          for await (const { got, taped } of put(body, { media, labelled, size })) {
            const plain = taped.toString('latin1', SAME).replaceAll(/\[MASKED:nick:[0-9a-f]+\]/g, 'bo')
            // What is masked is as long, or the whole of an event.
            const same = Math.min(got.length - SAME, plain.search(/\*{5}|\[MASKED|$/))
            assert.ok(plain.startsWith(got.toString('latin1', SAME, SAME + same)), `${name}, ${labelled}, ${size}`)
            assert.ok(SAME + plain.length >= got.length || plain.includes('[MASKED', same), `${name}, ${labelled}, ${size}`)
            all = got
          }
          assert.ok(all.equals(body), name)
        }
    }
  })
