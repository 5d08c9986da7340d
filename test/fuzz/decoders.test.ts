import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../support/random.ts'
import { corpusOf, pastCrashes } from './corpus.ts'
import { DECODERS } from './decoders.ts'
import { mutated } from './mutate.ts'

// A few hundred inputs each; `npm run fuzz` goes on for as long as somebody has time.

/** Of one decoder: beside everything else there is little time here. */
const BOX_MS = 300
const MAX_INPUTS = 300

for (const { name, seeds, feed } of DECODERS)
  test(`${name}: what it is made for is read, and changed copies are read or refused`, async () => {
    const given = [...(await seeds()), ...corpusOf(name)]
    const untilMs = performance.now() + BOX_MS
    for (const bytes of given) await feed(Uint8Array.from(bytes))
    const random = new Random(20261129)
    for (let count = 0; count < MAX_INPUTS && performance.now() < untilMs; count += 1) {
      const bytes = mutated(given, random)
      await feed(bytes)
    }
  })

test('what was read wrongly once is not any more', async () => {
  for (const { name, input } of pastCrashes()) {
    const decoder = DECODERS.find((each) => each.name === name)
    assert.ok(decoder, `${name} is there`)
    await decoder.feed(input)
  }
})
