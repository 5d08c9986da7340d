import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isSecretValue, type ValueContext } from '../../../gateway/masking/assignment-rules.ts'
import { traitsOf } from '../../../gateway/masking/value-traits.ts'

/** Every letter, and nothing that rules anything out: all questions are asked. */
const EVERYTHING = (1 << 26) - 1

function contextOf(value: string, traits: number, [isQuoted, isTight, isArgument, isLine]: readonly boolean[]): ValueContext {
  return {
    name: 'db_secret',
    wordEnd: 9,
    value,
    traits,
    size: value.length,
    byteAt: (index) => value.charCodeAt(index),
    isQuoted: isQuoted === true,
    isTight: isTight === true,
    isArgument: isArgument === true,
    isLine: isLine === true,
    isInCode: false,
  }
}

const SIGNS = ' _-./:;=+*$#{}[]()<>%@&?!\'"\\^~,|\t\u00a0\u00e9\u00ff'
const WORDS =
  `MASKED redacted filtered hidden secret null none nil n/a string bytes boolean scram-sha-256-plus md5 sha-1 argon2id not_set
 pbkdf2_x not-set not set argon2_a scram-sha-1 your YOUR yourX my mypass my_token changeme change-this place holder example insert replace put-your -here _here xxxx **** ... key.pem
 .json a:// ~/ ../ http:// password pw pass token credential api auth user the 12 hunter2 Zq8 s3cr3t`.split(/\s+/)
const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...WORDS) },
  { weight: 2, arbitrary: fc.constantFrom(...SIGNS) },
  fc.string({ maxLength: 6 }),
)
const spelt = fc
  .tuple(piece, fc.constantFrom('as it is', 'upper'))
  .map(([text, how]) => (how === 'upper' ? text.toUpperCase() : text))
const value = fc
  .array(spelt, { minLength: 1, maxLength: 4 })
  .map((pieces) => Buffer.from(pieces.join(''), 'latin1').toString('latin1'))

test('no value is judged otherwise for what its bytes rule out', () => {
  fc.assert(
    fc.property(
      value,
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      fc.constantFrom('password' as const, 'secret' as const),
      (text, how, entity) => {
        const bytes = Buffer.from(text, 'latin1')
        const traits = traitsOf(bytes, 0, bytes.length)
        assert.equal(
          isSecretValue(contextOf(text, traits, how), entity),
          isSecretValue(contextOf(text, EVERYTHING, how), entity),
          JSON.stringify(text),
        )
      },
    ),
    { numRuns: 6000 },
  )
})
