import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Masker } from '../../../gateway/masking/masker.ts'
import { DEFAULT_RULES } from '../../../gateway/masking/rules.ts'
import { bytesHoldMask, holdsMask, MaskSearch } from '../../../gateway/masking/sentinel.ts'

test('what the masker writes is known again, and text like it is not', () => {
  const masker = new Masker({ rules: DEFAULT_RULES, tagKey: Buffer.alloc(16, 1), fingerprintKey: Buffer.alloc(16, 2) })
  for (const value of [['ada', '@', 'example.com'].join(''), ['4111', '1111', '1111', '1111'].join('')]) {
    const masked = masker.text(`for ${value}`)
    assert.ok(masked.includes('[MASKED:') && holdsMask(masked) && bytesHoldMask(Buffer.from(masked)), masked)
  }
  for (const text of ['', '[MASKED', '[MASKED:', '[MASKED:]', '[MASKED: card]', '[masked:card]', '[MASKED:Card]']) {
    assert.ok(!holdsMask(text) && !bytesHoldMask(Buffer.from(text)), text)
  }
})

test('a mask is found however the bytes it stands in are cut', () => {
  const mask = fc.stringMatching(/^\[MASKED:[a-z][a-z0-9_-]{0,60}[:\]]$/)
  const noise = fc.string({ unit: fc.constantFrom('[', 'M', 'A', ':', 'x', '\u00e9'), maxLength: 90 })
  fc.assert(
    fc.property(noise, mask, noise, fc.array(fc.nat(300), { maxLength: 8 }), (before, found, after, cuts) => {
      const bytes = Buffer.from(before + found + after)
      const search = new MaskSearch()
      const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
      const pieces = at.slice(1).map((to, index) => bytes.subarray(at[index], to))
      assert.ok(pieces.map((piece) => search.feed(piece)).some(Boolean))
    }),
  )
})

test('what was begun in one COPY is not ended in the next', () => {
  const search = new MaskSearch()
  search.feed(Buffer.from('[MASKED:ca'))
  assert.ok(search.begun)
  search.reset()
  assert.equal(search.feed(Buffer.from('rd]')), false)
})
