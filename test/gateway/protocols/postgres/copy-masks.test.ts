import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CopyMasks } from '../../../../gateway/protocols/postgres/copy-masks.ts'

test('a mask is found as it stands and with delimiters escaped in it, however its data is cut', () => {
  for (const line of ['1\t[MASKED:email:7f3a91c204be]\n', '1:\\[MASKED\\:email\\:7f3a91c204be]\n', '1-[MASKED:us\\-ssn]\n']) {
    for (let cut = 0; cut <= line.length; cut++) {
      const masks = new CopyMasks()
      const found = [line.slice(0, cut), line.slice(cut)].map((piece) => masks.feed(Buffer.from(piece)))
      assert.ok(found.includes(true), `${line} cut at ${cut}`)
    }
  }
  const masks = new CopyMasks()
  assert.equal(masks.feed(Buffer.from('1\t[MASKED')), false)
  assert.equal(masks.begun, true)
  masks.reset()
  assert.equal(masks.feed(Buffer.from('\\:email\\:7f3a91c204be]\n')), false)
})
