import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Escapes, MAX_CUT_SIZE } from '../../../gateway/masking/escapes.ts'

interface Cut {
  readonly text: string
  readonly sequences: string
}

/** The text and the sequences of these chunks, read one after the other. */
function cut(...chunks: readonly string[]): Cut {
  const escapes = new Escapes()
  let text = ''
  let sequences = ''
  for (const chunk of chunks) {
    const bytes = Buffer.from(`<${chunk}>`, 'latin1')
    const places: [at: number, size: number][] = []
    const own = Buffer.from(escapes.cut(bytes, 1, bytes.length - 1, (at, size) => places.push([at, size]))).toString('latin1')
    let from = 0
    let shift = 1
    for (const [at, size] of places) {
      assert.equal(bytes.toString('latin1', from + shift, at + shift), own.slice(from, at), 'pieces leave nothing out')
      sequences += bytes.toString('latin1', at + shift, at + shift + size)
      from = at
      shift += size
    }
    assert.equal(bytes.toString('latin1', from + shift, bytes.length - 1), own.slice(from), 'pieces leave nothing out')
    text += own
  }
  return { text, sequences }
}

/** One, or as much of it as there is: 65 bytes at most. */
const SEQUENCE = /^\x1b(?:\[(?:[ -?]{63}|[ -?]{0,62}[@-~]?)|[ -/]{64}|[ -/]{0,63}[0-~]?)/

/** The same, a byte after the other, in as few words as it can be said. */
function told(chunks: readonly string[]): Cut {
  const whole = chunks.join('')
  const cuts = new Set<number>()
  let size = 0
  for (const chunk of chunks)
    for (let at = 0; at < chunk.length || at === 0; at += MAX_CUT_SIZE) {
      const own = Math.min(chunk.length - at, MAX_CUT_SIZE)
      size += own
      cuts.add(size)
    }
  const out = { text: '', sequences: '' }
  for (let at = 0; at < whole.length; ) {
    const [sequence = ''] = SEQUENCE.exec(whole.slice(at)) ?? []
    const [first = '', second = ''] = sequence
    if (sequence === '') out.text += whole[at]
    else if (second === ']' || second === '\\') {
      const known = !cuts.has(at + 1)
      out.text += known ? first : second
      out.sequences += known ? second : first
    } else out.sequences += sequence
    at += Math.max(1, sequence.length)
  }
  return out
}

test('colours, cursor movements and character sets are sequences; all else is text', () => {
  assert.deepEqual(cut('a\x1b[1;31mb\x1b[0mc\x1b(Bd\x1b7e'), { text: 'abcde', sequences: '\x1b[1;31m\x1b[0m\x1b(B\x1b7' })
  assert.deepEqual(cut('\x1b[?1049h\x1b[2J\x1b[H$ '), { text: '$ ', sequences: '\x1b[?1049h\x1b[2J\x1b[H' })
})

test('a sequence may be cut anywhere', () => {
  const whole = 'red \x1b[38;5;196mred\x1b[0m, \x1b(B!'
  const expected = cut(whole)
  for (let at = 0; at <= whole.length; at++) assert.deepEqual(cut(whole.slice(0, at), whole.slice(at)), expected)
  assert.deepEqual(cut(...whole), expected)
})

test('what a title or a link says is read as text', () => {
  assert.deepEqual(cut('\x1b]0;title\x07$ '), { text: '\x1b0;title\x07$ ', sequences: ']' })
})

test('what begins and ends a title or a link stands between its text and that beside it', () => {
  assert.deepEqual(cut('a\x1b]8;;url\x1b\\b\x1b]8;;\x1b\\c'), { text: 'a\x1b8;;url\x1bb\x1b8;;\x1bc', sequences: ']\\]\\' })
  assert.deepEqual(cut('a\x1b', ']8;;url\x1b', '\\b'), { text: 'a]8;;url\\b', sequences: '\x1b\x1b' })
})

test('bytes that only begin like a sequence are text from where they cannot be one', () => {
  assert.deepEqual(cut('\x1b[12\x1b[0mx'), { text: 'x', sequences: '\x1b[12\x1b[0m' })
  assert.deepEqual(cut('\x1b\xe9x'), { text: '\xe9x', sequences: '\x1b' })
  const endless = `\x1b[${';'.repeat(100)}`
  assert.deepEqual(cut(endless), { text: ';'.repeat(37), sequences: `\x1b[${';'.repeat(63)}` })
})

test('whatever comes, and wherever it is cut, is told as the grammar has it', () => {
  const byte = fc.oneof(
    fc.constantFrom('\x1b', '[', ']', '\\', '(', ' ', '0', ';', '?', 'm', '\n', '\xe9'),
    fc.nat(255).map((code) => String.fromCharCode(code)),
  )
  const chunk = fc.oneof(
    fc.string({ unit: byte, maxLength: 200 }),
    fc.constantFrom('\x1b['.padEnd(70, ';'), '\x1b'.padEnd(70, '(')),
  )
  fc.assert(fc.property(fc.array(chunk, { maxLength: 6 }), (chunks) => assert.deepEqual(cut(...chunks), told(chunks))))
  assert.deepEqual(cut('\x1b'.repeat(MAX_CUT_SIZE)), { text: '', sequences: '\x1b'.repeat(MAX_CUT_SIZE) })
  const long = `${'x'.repeat(MAX_CUT_SIZE - 1)}\x1b`
  assert.deepEqual(cut(long, '[mx'), { text: `${'x'.repeat(MAX_CUT_SIZE - 1)}x`, sequences: '\x1b[m' })
})
