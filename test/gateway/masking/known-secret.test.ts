import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { knownSecret } from '../../../gateway/masking/known-secret.ts'
import { Masker } from '../../../gateway/masking/masker.ts'
import { compilePolicy } from '../../../gateway/policy/policy.ts'

const policy = compilePolicy('version: 1\nrules: []\nexempt: [{ who: { kinds: human }, detectors: "*" }]\n', 'p.yaml')
const shown = (known: readonly string[], text: string): string =>
  new Masker({
    rules: policy.masking({ subject: 'ada', kind: 'human', groups: [], proof: 'test' }, known),
    tagKey: Buffer.alloc(16, 1),
    fingerprintKey: Buffer.alloc(16, 2),
  }).text(text)

test('a value that is known is masked wherever it stands, whoever asks, and nothing beside it', () => {
  const short = ['orders', 'tok'].join('-')
  assert.equal(shown([short], `a ${short} b`), 'a [MASKED:own-credential] b')
  assert.equal(shown([short], `x${short}y orders`), 'x[MASKED:own-credential]y orders')
  assert.equal(shown([], `a ${short} b`), `a ${short} b`)
})

test('any character may be in it', () => {
  for (const value of ['a.b*c(d)[e]', '\\Q^$|{2}?+', 'pässwörd-ß', `"quoted" 'twice'`, 'with space  two'])
    assert.equal(shown([value], `<${value}>`), '<[MASKED:own-credential]>', value)
})

test('of a long one nothing is left over', () => {
  const long = randomBytes(700).toString('base64url')
  assert.equal(shown([long], `it is ${long}, so`), 'it is [MASKED:own-credential], so')
})

test('what is too short to be told from other text is not looked for', () => {
  assert.equal(knownSecret('abc'), undefined)
  assert.equal(shown(['abc'], 'abc abc'), 'abc abc')
})
