import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Masker } from '../../../gateway/masking/masker.ts'
import { DEFAULT_RULES } from '../../../gateway/masking/rules.ts'
import type { Field, Redacted } from '../../../gateway/message.ts'
import { MASK_SPAN_SIZE } from '../../../schemas/frame.ts'
import { IN_CONFIGURATION, pemKey } from './samples.ts'

const masker = new Masker({ rules: DEFAULT_RULES, tagKey: new Uint8Array(16), fingerprintKey: new Uint8Array(16).fill(1) })
const field: Field = { path: 'ssh.output', action: 'scan' }
const EMAIL = ['lovelace', 'example.org'].join('@')
const STARS = '*'.repeat(EMAIL.length)
const RED = '\x1b[31m'

const text = ({ bytes }: Redacted): string => Buffer.from(bytes).toString('latin1')

/** What comes out at each chunk, and at the end. */
function live(...chunks: readonly string[]): string[] {
  const stream = masker.live(field)
  const outputs = chunks.map((chunk) => text(stream.push(Buffer.from(chunk, 'latin1'))))
  outputs.push(text(stream.settle()))
  assert.equal(stream.holding, false)
  return outputs
}

test('text that ends with a blank or a line end goes on at once', () => {
  assert.deepEqual(live('total 12\n'), ['total 12\n', ''])
  assert.deepEqual(live('$ '), ['$ ', ''])
})

test('a run that may go on is kept back until it is told not to wait', () => {
  assert.deepEqual(live('name: love'), ['name: ', 'love'])
  assert.deepEqual(live('card 4111 11', '11\n'), ['card ', '4111 1111\n', ''])
})

test('a value is masked, same length, wherever it is cut', () => {
  const line = `from ${EMAIL} to\n`
  for (let at = 0; at <= line.length; at++) assert.equal(live(line.slice(0, at), line.slice(at)).join(''), `from ${STARS} to\n`)
  assert.equal(live(...line).join(''), `from ${STARS} to\n`)
})

test('what stands in groups is masked, whichever blank it is cut behind', () => {
  const groups = [
    ['4111', '1111', '1111', '1111'],
    ['DE89', '3704', '0044', '0532', '0130', '00'],
    ['GB29', 'NWBK', '6016', '1331', '9268', '19'],
    ['519', '43', '2817'],
  ]
  for (const value of groups.map((each) => each.join(' '))) {
    const [line, masked] = [value, '*'.repeat(value.length)].map((shown) => `paid ${shown} today\n`) as [string, string]
    for (let at = 0; at <= line.length; at++) assert.equal(live(line.slice(0, at), line.slice(at)).join(''), masked, `${at}`)
    assert.equal(live(...line).join(''), masked)
  }
})

test('colours inside a value hide nothing, and stay where they were', () => {
  const output = live(`a ${EMAIL.slice(0, 4)}${RED}${EMAIL.slice(4)}\x1b[0m b\n`).join('')
  assert.equal(output, `a ${STARS.slice(0, 4)}${RED}${STARS.slice(4)}\x1b[0m b\n`)
})

test('links, titles and the marks of shells hide nothing of what stands beside or inside them', () => {
  const key = ['AKIA', 'QX7ZJ3LMNP4RSTUV'].join('')
  for (const [value, stars] of [
    [EMAIL, STARS],
    [key, '*'.repeat(key.length)],
  ] as const)
    for (const end of ['\x1b\\', '\x07']) {
      const link = (shown: string): string => `\x1b]8;;http://example.test${end}${shown}\x1b]8;;${end}\n`
      assert.equal(live(link(value)).join(''), link(stars))
      const whole = link(value)
      for (let at = 0; at <= whole.length; at++)
        assert.equal(live(whole.slice(0, at), whole.slice(at)).join(''), link(stars), `cut at ${at}`)
      const mark = (text: string): string => `${text}\x1b]133;C${end}${text}\x1b]0;${text}${end}$ `
      assert.equal(live(mark(value)).join(''), mark(stars))
    }
})

test('spans are those of the bytes that went out, sequences inside them covered', () => {
  const stream = masker.live(field)
  const { bytes, masks } = stream.push(Buffer.from(`${RED}a ${EMAIL.slice(0, 4)}${RED}${EMAIL.slice(4)}\x1b[0m b\n`))
  const spans = Buffer.from(masks?.spans ?? [])
  assert.equal(spans.length, MASK_SPAN_SIZE)
  const from = spans.readUInt32BE(0)
  const masked = Buffer.from(bytes).subarray(from, from + spans.readUIntBE(4, 3))
  assert.equal(masked.toString(), `${STARS.slice(0, 4)}${RED}${STARS.slice(4)}`)
})

test('the echo of what was typed does not wait', () => {
  const stream = masker.live(field)
  for (const key of 'ls -la') {
    stream.typed(Buffer.from(key))
    assert.equal(text(stream.push(Buffer.from(key))), key)
  }
})

test('a key whose beginning could not wait is masked from there on', () => {
  const key = pemKey(100)
  const stream = masker.live(field)
  const first = text(stream.push(Buffer.from(key.slice(0, 20)))) + text(stream.settle())
  assert.equal(first, key.slice(0, 20))
  const rest = text(stream.push(Buffer.from(key.slice(20)))) + text(stream.settle())
  assert.match(rest, /^\*[\s*]*$/)
})

test('a key that comes in little pieces is masked to its end', () => {
  const source = `first\n${pemKey(100)}\nlast\n`
  const pieces = source.match(/[\s\S]{1,40}/g) ?? []
  const out = live(...pieces).join('')
  assert.equal(out.length, source.length)
  assert.match(out, /^first\n[\s\S]{0,40}[\s*]+\nlast\n$/)
})

test('bytes that are no text at all come out as they went in, whatever way they are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 8 }), (chunks) => {
      const whole = Buffer.concat(chunks)
      if (!masker.clean(whole, 0, whole.length, field)) return
      const stream = masker.live(field)
      const out = [...chunks.map((chunk) => stream.push(chunk).bytes), stream.settle().bytes]
      assert.deepEqual(Buffer.concat(out), whole)
    }),
  )
})

test('sequences without end do not pile up behind text that waits', () => {
  const stream = masker.live(field)
  assert.equal(text(stream.push(Buffer.from('abc'))), '')
  const out = text(stream.push(Buffer.from(RED.repeat(20_000))))
  assert.equal(out.length, 3 + RED.length * 20_000)
})

test('what looks like an address in compressed data is let be, and one in text or between NULs is masked', () => {
  let state = 1
  const noise = Buffer.alloc(300_000)
  for (let at = 0; at < noise.length; at++) {
    state = (state * 48_271) % 2_147_483_647
    noise[at] = state & 0xff
  }
  const planted = Buffer.concat([noise.subarray(0, 200), Buffer.from('q@x.io'), noise.subarray(200)])
  const stream = masker.live(field)
  assert.deepEqual(Buffer.concat([stream.push(planted).bytes, stream.settle().bytes]), planted)
  assert.equal(live(`HOME=/root\0MAIL=${EMAIL}\0TERM=xterm\0`).join(''), `HOME=/root\0MAIL=${STARS}\0TERM=xterm\0`)
  assert.equal(
    live(`r\xc3\xa9sum\xc3\xa9 \xe2\x9c\x93 ${EMAIL} \xe2\x9c\x93\n`).join(''),
    `r\xc3\xa9sum\xc3\xa9 \xe2\x9c\x93 ${STARS} \xe2\x9c\x93\n`,
  )
})

test('where code is masked, a value that begins in it is hidden as it is without, wherever it is cut', () => {
  const keys = { tagKey: new Uint8Array(16), fingerprintKey: new Uint8Array(16).fill(1) }
  const codeMasker = new Masker({ rules: { ...DEFAULT_RULES, code: true }, ...keys })
  const bulk: Field = { path: 'ssh.output', action: 'scan', bulk: true }
  const through = (by: Masker, pieces: readonly Buffer[]): Buffer => {
    const stream = by.live(bulk)
    return Buffer.concat([...pieces.map((piece) => stream.push(piece).bytes), stream.settle().bytes])
  }
  for (const [value, file] of IN_CONFIGURATION) {
    const bytes = Buffer.from(`${file}Nobody would take this for a program.\n`)
    const check = (cuts: readonly number[]): void => {
      const edges = [0, ...[...cuts].sort((a, b) => a - b), bytes.length]
      const pieces = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge))
      const [output, without] = [through(codeMasker, pieces), through(masker, pieces)]
      assert.equal(output.length, bytes.length)
      const wrong = output.findIndex((byte, at) => byte !== 0x2a && (byte !== bytes[at] || byte !== without[at]))
      assert.equal(wrong, -1, `cut at ${cuts.join()}`)
      assert.equal(output.includes(value), false)
    }
    for (let cut = 600; cut <= file.length; cut++) check([cut])
    fc.assert(
      fc.property(fc.array(fc.nat({ max: file.length }), { maxLength: 6 }), (cuts) => check(cuts)),
      { numRuns: 50 },
    )
  }
})
