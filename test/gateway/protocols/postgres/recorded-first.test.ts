import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeParts } from '../../../support/fakes.ts'
import { answers, says, testWire } from '../../../support/pg-words.ts'
import { client, play, server, serverGets } from '../../../support/play.ts'

const MAIL = ['lovelace', 'example.org'].join('@')

test('whenever a client leaves in the middle of large COPY data, the server has nothing of it that the tape has not', async () => {
  const data = Buffer.from(says.copyData(`${'x '.repeat(135_000)}${`${MAIL} ${'y'.repeat(700)} `.repeat(30)}`))
  for (const size of [997, 5_000, 70_000]) {
    const parts = fakeParts()
    let got = Buffer.alloc(0)
    const pieces = [data.subarray(0, 265_000)]
    for (let at = 265_000; at < data.length; at += size) pieces.push(data.subarray(at, at + size))
    await play(testWire(), parts, [
      client(says.query('copy t from stdin')),
      server(answers.copyIn()),
      serverGets(() => undefined),
      ...pieces.flatMap((piece) => [
        client(piece),
        serverGets((bytes) => {
          got = Buffer.concat([got, bytes])
          const copied = parts.recorder.entries.filter(({ kind }) => kind === 'copy-data')
          const taped = Buffer.concat(copied.map(({ body }) => Buffer.from(body ?? [])))
          assert.ok(taped.length >= got.length, `${size}: the server has ${got.length} bytes, the tape ${taped.length}`)
          assert.ok(got.equals(data.subarray(0, got.length)))
        }),
      ]),
    ])
    assert.ok(got.equals(data))
  }
})
