import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Masker } from '../../../gateway/masking/masker.ts'
import { inNoise } from '../../../gateway/masking/noise.ts'
import { DEFAULT_RULES } from '../../../gateway/masking/rules.ts'
import { Random } from '../../support/random.ts'

const masker = new Masker({ rules: DEFAULT_RULES, tagKey: Buffer.alloc(16, 1), fingerprintKey: Buffer.alloc(16, 2) })
const masked = (bytes: Uint8Array): boolean => !masker.clean(bytes, 0, bytes.length, { path: 'file', action: 'scan' })
// Put together here, so that no file holds one.
const SECRET = Buffer.from(['pwd', "'x7Gq2_mZ'"].join('='))

/** Bytes without any order, as those of an archive. */
function noise(random: Random, size: number): Buffer {
  return Buffer.from(Array.from({ length: size }, () => random.between(0, 255)))
}

test('what looks like a password in noise is noise; in text it is a password', () => {
  const random = new Random(7)
  let hits = 0
  for (let run = 0; run < 1_000; run += 1) if (masked(Buffer.concat([noise(random, 200), SECRET, noise(random, 200)]))) hits += 1
  assert.ok(hits < 30, `${hits} of 1,000`)
  assert.ok(masked(SECRET))
  assert.ok(masked(Buffer.from(`first line\n${SECRET}\nlast line\n`)))
})

test('texts inside of binary formats are texts', () => {
  const random = new Random(8)
  const around: readonly (readonly [string, Uint8Array, Uint8Array])[] = [
    ['padded with NUL, as in an archive of files', Buffer.alloc(512), Buffer.alloc(512)],
    [
      'strings with their lengths, as in messages',
      Buffer.from('\x0a\x05orders\x12\x0a\x08\x96\x01'),
      Buffer.from('\x1a\x03abc\x22\x04\x08\x01\x10\x02'),
    ],
    [
      'an older encoding',
      Buffer.from('Das Passwort für die Büros ist geändert, öffnen Sie es', 'latin1'),
      Buffer.from('schöne Grüße aus München, Ihr Büro für Überweisungen', 'latin1'),
    ],
    ['another script', Buffer.from('在办公室里有一个密码,请不要告诉任何人'), Buffer.from('谢谢您的合作,祝您工作愉快,再见')],
    ['colours of a terminal', Buffer.from('\x1b[31mred\x1b[0m \x1b[1mbold\x1b[0m\r\n'), Buffer.from('\x1b[K\x1b[2J\x08\x08\r\n')],
    [
      'a text of some length in noise',
      Buffer.concat([noise(random, 200), Buffer.from('# a comment\n')]),
      Buffer.concat([Buffer.from('\nport=1\n'), noise(random, 200)]),
    ],
    ['the ends of a file', noise(random, 4), noise(random, 4)],
  ]
  for (const [name, before, behind] of around) assert.ok(masked(Buffer.concat([before, SECRET, behind])), name)
})

test('where little is to be seen it does not say noise', () => {
  const bytes = noise(new Random(9), 64)
  for (let size = 0; size < 10; size += 1) assert.equal(inNoise(bytes, 20, 30, 20 - size, 30), false)
})
