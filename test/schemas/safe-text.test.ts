import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { safeBlock, safeJson, safePieces, safeText } from '../../schemas/safe-text.ts'

const UNSAFE: readonly (readonly [name: string, text: string, shown: string])[] = [
  ['an escape sequence', '\u001b[2Jgone', '\\x1b[2Jgone'],
  ['a C1 control that starts one', '\u009b31m', '\\x9b31m'],
  ['a carriage return that overwrites the line', 'safe\rDROP', 'safe\\rDROP'],
  ['a line break', 'one\ntwo', 'one\\ntwo'],
  ['a bidi override', 'a\u202eb', 'a\\u{202e}b'],
  ['a bidi isolate', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
  ['a zero-width space', 'DEL\u200bETE', 'DEL\\u{200b}ETE'],
  ['a word joiner and a byte order mark', '\u2060\ufeff', '\\u{2060}\\u{feff}'],
  ['a soft hyphen', 'a\u00adb', 'a\\xadb'],
  ['a tag character', 'a\u{e0041}', 'a\\u{e0041}'],
  ['a variation selector', 'a\ufe0f\u{e0100}', 'a\\u{fe0f}\\u{e0100}'],
  ['a filler that shows nothing', '\u3164\u115f\u034f', '\\u{3164}\\u{115f}\\u{034f}'],
  ['a line separator', 'a\u2028b', 'a\\u{2028}b'],
  ['a lone surrogate', 'a\ud800', 'a\\u{d800}'],
  ['a delete and a null', '\u007f\u0000', '\\x7f\\x00'],
]
for (const [name, text, shown] of UNSAFE) {
  test(`escaped: ${name}`, () => assert.equal(safeText(text), shown))
}

test('text people can read stays as it is', () => {
  for (const text of ['SELECT 1 -- ok', 'größer, naïve', '日本語', 'עברית', 'emoji 🎉', "it's \\ fine"])
    assert.equal(safeText(text), text)
})

test('in a block lines and tabs stay, and nothing else that is unsafe', () => {
  assert.equal(safeBlock('a\r\n\tb\u001b[0m\rc'), 'a\n\tb\\x1b[0m\\rc')
})

test('JSON stays JSON, with the unsafe characters as its own escapes', () => {
  const value = { text: 'a\u202eb\u009b\u{e0041}\n', list: ['\u200b'] }
  const printed = safeJson(value)
  assert.deepEqual(JSON.parse(printed), value)
  assert.match(printed, /a\\u202eb\\u009b\\udb40\\udc41\\n/)
})

test('whatever the text, nothing unsafe is left', () => {
  const left = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(left.test(safeText(text)), false)
      assert.equal(left.test(safeBlock(text).replace(/[\n\t]/g, '')), false)
      const json = safeJson({ text }, 2)
      assert.equal(left.test(json.replaceAll('\n', '')), false)
      assert.deepEqual(JSON.parse(json), { text })
    }),
  )
})

test('pieces say the same, and which of them are escapes', () => {
  assert.deepEqual(safePieces('a\u202eb\n'), [
    { text: 'a', escaped: false },
    { text: '\\u{202e}', escaped: true },
    { text: 'b', escaped: false },
    { text: '\\n', escaped: true },
  ])
  const text = 'x\u0007\r\n\ty\u2066'
  assert.equal(joined(safePieces(text)), safeText(text.replaceAll('\r\n', '\r\n')))
  assert.equal(joined(safePieces(text, true)), safeBlock(text))
})

function joined(pieces: readonly { readonly text: string }[]): string {
  return pieces.map((piece) => piece.text).join('')
}
