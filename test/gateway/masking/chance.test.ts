import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TEXT } from '../../../gateway/protocols/http/text-body.ts'
import { testMasker } from '../../support/fakes.ts'
import { Random } from '../../support/random.ts'

// Put together here, so that no file holds one.
const MAIL = ['hm1', 'example.org'].join('@')
/** As short as what comes about by chance. */
const SHORT = ['x1', 'ab.io'].join('@')

/** Bytes without any order, as those of an archive. */
function noise(random: Random, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => random.between(0, 255)))
}

/** What of bytes of which nobody knows whether they are a text is masked. */
function masked(before: Uint8Array, value: string, behind: Uint8Array): boolean {
  const source = Buffer.concat([before, Buffer.from(value, 'latin1'), behind])
  const masker = testMasker()
  const sink = masker.sink(source.length)
  const stream = masker.stream({ ...TEXT, untyped: true })
  stream.push(sink, source, 0, source.length)
  stream.end(sink)
  return sink.finish().masks !== null
}

test('what looks like an address in noise is chance', () => {
  const random = new Random(11)
  let hits = 0
  for (let run = 0; run < 1_000; run++) if (masked(noise(random, 600), SHORT, noise(random, 600))) hits++
  // What is beside it makes it longer now and then.
  assert.ok(hits < 3, `${hits} of 1,000`)
})

test('one of some length is none, among hashes and numbers of a message too', () => {
  const random = new Random(13)
  let hits = 0
  for (let run = 0; run < 300; run++) if (masked(noise(random, 32), MAIL, noise(random, 32))) hits++
  assert.ok(hits > 200, `${hits} of 300`)
})

test('so is what a table of numbers has of itself', () => {
  const table = Buffer.from('\xcf\xdb\xff\xff'.repeat(300), 'latin1')
  assert.equal(masked(table, '.\xd0\xdb\xff@\xd8\xdb\xffz.\xda\xdb\xff\xff.de', table), false)
})

test('an address in a text is one, whatever the text is written in and whatever is around it', () => {
  const random = new Random(12)
  const cyrillic = Buffer.from('\xcf\xee\xf7\xf2\xe0 \xe8 \xcf\xe0\xf0\xee\xeb\xfc, '.repeat(60), 'latin1')
  const double = Buffer.from('\xd3\xca\xcf\xe4\xb5\xd8\xd6\xb7\xa3\xba'.repeat(60), 'latin1')
  const line = Buffer.from('a line of some length before it: ')
  assert.ok(masked(cyrillic, MAIL, cyrillic))
  assert.ok(masked(double, ` ${MAIL} `, double))
  assert.ok(masked(Buffer.alloc(512), MAIL, Buffer.alloc(512)))
  assert.ok(masked(Buffer.concat([noise(random, 600), line]), MAIL, noise(random, 600)))
})
