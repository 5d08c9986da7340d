import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Field } from '../../../../gateway/message.ts'
import { redactBody } from '../../../../gateway/protocols/http/body.ts'
import { StreamedBody } from '../../../../gateway/protocols/http/streamed-body.ts'
import { cpuClock } from '../../../support/cpu-time.ts'
import { testMasker } from '../../../support/fakes.ts'

const SCAN: Field = { path: 'body', action: 'scan' }
const NICK: Field = { path: 'body.nick', action: 'mask', label: 'pii.nick', entity: 'nick' }
// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`
const KEY = ['-----BEGIN', 'PRIVATE KEY-----'].join(' ')
const PEM = [KEY, ...Array.from({ length: 4 }, (_, at) => `${'MIIEvQ'.repeat(10)}${at}`), KEY.replace('BEGIN', 'END')]
const MIB = 1 << 20

const of = (key: string): Field => (key === 'nick' ? NICK : SCAN)
const fieldsOf = (labelled: boolean) => ({
  labelled,
  unnamed: SCAN,
  of,
  at: (bytes: Uint8Array, from: number, to: number) => of(Buffer.from(bytes.subarray(from, to)).toString()),
})

function redact(text: string, { labelled = true, size = text.length } = {}): string {
  const masker = testMasker()
  const streamed = new StreamedBody({ media: 'events', fields: fieldsOf(labelled), answer: true })
  const source = Buffer.from(text)
  const out: Uint8Array[] = []
  for (let at = 0; at < source.length; at += size)
    out.push(Buffer.from(streamed.redact(masker, source.subarray(at, at + size), false).bytes))
  out.push(streamed.redact(masker, new Uint8Array(), true).bytes)
  return Buffer.concat(out).toString()
}

/** What a reader of events has of them (WHATWG HTML, 9.2.6): each one's data, and its other fields in order. */
function eventsOf(text: string): readonly { readonly data: string; readonly others: string }[] {
  return text
    .replace(/^\ufeff/, '')
    .replaceAll(/\r\n|\r/g, '\n')
    .split('\n\n')
    .filter((event) => event.trim() !== '')
    .map((event) => {
      const lines = event.split('\n').filter((line) => line !== '')
      const isData = (line: string) => /^data(:|$)/.test(line)
      return {
        data: lines
          .filter(isData)
          .map((line) => line.replace(/^data:? ?/, ''))
          .join('\n'),
        others: lines.filter((line) => !isData(line)).join('\n'),
      }
    })
}

test('the data of one event is read together, as its reader has it, however it is cut and its lines end', () => {
  for (const end of ['\n', '\r\n', '\r']) {
    for (const size of [1, 3, 16, 100_000]) {
      const lines = [
        '\ufeffdata: {"nick":',
        'data: "bo",',
        'id: 1',
        'data',
        'data:"n":1}',
        '',
        'event: key',
        ...PEM.map((line) => `data: ${line}`),
        'id: 2',
        '',
        ': a comment',
        'data: first line',
        'data: second line',
        '',
        `data: {"mail":"${MAIL}"}`,
        '',
        '',
      ]
      const got = eventsOf(redact(lines.join(end), { size }))
      assert.equal(got.length, 4)
      const [object, key, plain, single] = got
      assert.match(object?.data ?? '', /^{"nick":\n"\[MASKED:nick:[0-9a-f]{12}\]",\n\n"n":1}$/)
      assert.equal(object?.others, 'id: 1')
      assert.match(key?.data ?? '', /^\[MASKED:pem-private-key:[0-9a-f]{12}\]$/)
      assert.equal(key?.others, 'event: key\nid: 2')
      assert.deepEqual(plain, { data: 'first line\nsecond line', others: ': a comment' })
      assert.match(single?.data ?? '', /^{"mail":"\[MASKED:email:[0-9a-f]{12}\]"}$/)
    }
  }
})

test('events in which nothing is masked come out byte for byte', () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const text = [
      'retry: 10',
      'data:a',
      'data:  b',
      'data',
      'id',
      '',
      '',
      ': c',
      'data: {',
      'data: }',
      '',
      'data: 1',
      'data: no end',
    ].join(end)
    for (const size of [1, 5, 1000]) for (const labelled of [true, false]) assert.equal(redact(text, { size, labelled }), text)
  }
})

test('data that is JSON only in its lines is read line by line; what shows in all of it, or may be in pieces, is masked in all of it', () => {
  const one = eventsOf(redact(`data: {"nick":"bo"}\ndata: mail ${MAIL}\n\n`))
  assert.match(one[0]?.data ?? '', /^{"nick":"\[MASKED:nick:[0-9a-f]{12}\]"}\nmail \[MASKED:email:[0-9a-f]{12}\]$/)
  const pieces = eventsOf(redact('data: {"nick":\ndata: "bo"\n\n'))
  assert.match(pieces[0]?.data ?? '', /^\[MASKED:unreadable:[0-9a-f]{12}\]$/)
  const mixed = eventsOf(redact([`data: ${MAIL}`, ...PEM.map((line) => `data: ${line}`), '', ''].join('\n')))
  assert.match(mixed[0]?.data ?? '', /^\[MASKED:unreadable:[0-9a-f]{12}\]$/)
})

test('lines that are no data wait for nothing, and data for the end of its event', () => {
  const masker = testMasker()
  const streamed = new StreamedBody({ media: 'events', fields: fieldsOf(true), answer: true })
  const say = (text: string): string => Buffer.from(streamed.redact(masker, Buffer.from(text), false).bytes).toString()
  assert.equal(say('{"type":"ADDED"}\n'), '{"type":"ADDED"}\n')
  assert.equal(say(': still here\n'), ': still here\n')
  assert.equal(say('event: a\ndata: 1\n'), 'event: a\n')
  assert.equal(say('id: 1\n'), '')
  assert.equal(say('\ndata: 2\n'), 'data: 1\nid: 1\n\n')
  assert.equal(say('\n'), 'data: 2\n\n')
})

test('an event too large to wait for is covered, and what follows it is read as before', () => {
  const masker = testMasker()
  const streamed = new StreamedBody({ media: 'events', fields: fieldsOf(false), answer: true })
  const out: Uint8Array[] = []
  const say = (text: string): void => void out.push(Buffer.from(streamed.redact(masker, Buffer.from(text), false).bytes))
  const line = `data: ${'x'.repeat(MIB - 7)}\n`
  for (let at = 0; at < 6; at++) say(line)
  say(`data: ${MAIL}\n\ndata: after\n`)
  say('\n')
  const got = eventsOf(Buffer.concat(out).toString())
  assert.equal(got.length, 2)
  for (const each of (got[0]?.data ?? '').split('\n')) assert.match(each, /^\[MASKED:unreadable:[0-9a-f]{12}\]$/)
  assert.deepEqual(got[1], { data: 'after', others: '' })
})

test('a large event in small pieces takes as long as its bytes, not their square', () => {
  const masker = testMasker()
  const streamed = new StreamedBody({ media: 'events', fields: fieldsOf(false), answer: true })
  const before = process.cpuUsage()
  const line = Buffer.from('data: x\n')
  for (let at = 0; at < 200_000; at++) streamed.redact(masker, line, false)
  const { bytes } = streamed.redact(masker, Buffer.from('\n'), false)
  assert.equal(bytes.length, 200_000 * line.length + 1)
  assert.ok(process.cpuUsage(before).user < 10_000_000)
})

test('lines that end with CR alone take as long as those that end with LF', () => {
  for (const [end, size] of [
    ['\r', MIB],
    ['\n', MIB],
    ['\r\n', 2 * MIB],
  ] as const) {
    const text = end.repeat(size / end.length)
    const usedMs = cpuClock()
    const masker = testMasker()
    const sink = masker.sink(text.length)
    const source = Buffer.from(text)
    redactBody(masker, sink, [source, 0, source.length], { media: 'events', fields: fieldsOf(true), answer: false })
    assert.equal(Buffer.compare(sink.finish().bytes, source), 0)
    // Half a second, and 6 to 14 s with CR alone.
    assert.ok(usedMs() < 3_000, `${JSON.stringify(end)}: ${Math.round(usedMs())} ms`)
  }
})
