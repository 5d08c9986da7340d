import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type FrameFilter, frameMatcher, includesBytes, parseFilter } from '../../../replay-ui/data/filter.ts'
import type { Frame } from '../../../schemas/frame.ts'

const FRAME: Frame = {
  seq: 7,
  atUs: 1,
  dir: 'out',
  channel: 0,
  kind: 'reply',
  facts: { rows: 120, relations: ['public.orders', 'customers'] },
  body: new TextEncoder().encode('Order 12 for ADA'),
  masks: null,
  verdict: { act: 'mask', rules: ['label:pii.email'], policy: 'abababababab' },
}

function filterOf(source: string): FrameFilter {
  const parsed = parseFilter(source)
  assert.ok(parsed.ok, source)
  return parsed.filter
}

test('terms are read, and words without a name are text', () => {
  assert.deepEqual(filterOf('kind:reply rows>100 table:orders verdict:mask rule:label:* dir:out masked "free text" more'), {
    kind: 'reply',
    minRows: 101,
    relation: 'orders',
    verdict: 'mask',
    rule: 'label:*',
    dir: 'out',
    masked: true,
    text: 'free text more',
  })
  assert.deepEqual([filterOf('rows>=100').minRows, filterOf('rows:100').minRows], [100, 100])
  assert.deepEqual(parseFilter('  '), { ok: true, filter: {}, empty: true })
})

test('what is no term says what it should be', () => {
  for (const source of ['http://x', 'kind>5', '-colour:red', 'colour:red', 'dir:up', 'verdict:maybe', 'rows>many', 'kind:']) {
    const parsed = parseFilter(source)
    assert.ok(!parsed.ok && parsed.what.length > 10, source)
  }
})

test('frames are found by each term, and by all of them at once', () => {
  const found = (source: string): boolean => frameMatcher(filterOf(source))(FRAME)
  for (const source of [
    '',
    'kind:reply',
    'rows>119',
    'table:public.*',
    'rule:label:*',
    'verdict:mask',
    'ada',
    '"12 FOR"',
    'ada rows>1',
    'rows<121',
    'rows<=120',
    '-kind:query',
    '-verdict:block -rows>200 -masked',
    '-nobody',
    '-"for nobody"',
  ])
    assert.ok(found(source), source)
  for (const source of ['kind:query', 'rows>120', 'table:order', 'verdict:allow', 'masked', 'bob', 'ada dir:in'])
    assert.ok(!found(source), source)
})

test('bytes are found as a plain search of lower-cased text finds them', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'A', 'b', '1', 'é') })
  fc.assert(
    fc.property(letters, letters, (text, word) => {
      const lower = (one: string): string => one.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
      const encode = (one: string): Uint8Array => new TextEncoder().encode(one)
      assert.equal(includesBytes(encode(text), encode(lower(word))), lower(text).includes(lower(word)))
    }),
  )
})

test('any text is a filter or says why not', () => {
  fc.assert(fc.property(fc.string(), (source) => assert.equal(typeof parseFilter(source).ok, 'boolean')))
})
