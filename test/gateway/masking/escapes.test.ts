import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Escapes } from '../../../gateway/masking/escapes.ts'

/** The text and the sequences of these chunks, read one after the other. */
function cut(...chunks: readonly string[]): { readonly text: string; readonly sequences: string } {
  const escapes = new Escapes()
  let text = ''
  let sequences = ''
  for (const chunk of chunks) {
    const bytes = Buffer.from(chunk, 'latin1')
    let at = 0
    const take = (from: number, to: number): string => {
      assert.equal(from, at, 'pieces leave nothing out')
      at = to
      return bytes.toString('latin1', from, to)
    }
    escapes.cut(bytes, {
      text: (from, to) => {
        text += take(from, to)
      },
      sequence: (from, to) => {
        sequences += take(from, to)
      },
    })
    assert.equal(at, bytes.length, 'pieces leave nothing out')
  }
  return { text, sequences }
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
  assert.deepEqual(cut('\x1b]0;title\x07$ '), { text: '0;title\x07$ ', sequences: '\x1b]' })
})

test('bytes that only begin like a sequence are text from where they cannot be one', () => {
  assert.deepEqual(cut('\x1b[12\x1b[0mx'), { text: 'x', sequences: '\x1b[12\x1b[0m' })
  assert.deepEqual(cut('\x1b\xe9x'), { text: '\xe9x', sequences: '\x1b' })
  const endless = `\x1b[${';'.repeat(100)}`
  assert.deepEqual(cut(endless), { text: ';'.repeat(37), sequences: `\x1b[${';'.repeat(63)}` })
})
