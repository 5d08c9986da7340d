import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Field } from '../../../../gateway/message.ts'
import { type CopyShape, redactCopy } from '../../../../gateway/protocols/postgres/copy.ts'
import { Rewrite } from '../../../../gateway/protocols/postgres/rewrite.ts'
import { testMasker } from '../../../support/fakes.ts'
import { answers, int16, int32Of } from '../../../support/pg-words.ts'
import { SAMPLES } from '../../masking/samples.ts'

const MAIL = ['ada', 'example.org'].join('@')
const scan: Field = { path: 'copy', action: 'scan' }
const mask: Field = { path: 'copy.name', action: 'mask', label: 'pii.name', entity: 'name' }
const nulled: Field = { ...mask, nullOnly: true }
const text: CopyShape = { format: 'text', delimiter: 9, quote: 0x22, columns: [scan, mask, nulled], rest: mask }

/** The bodies of the redacted messages, read by their new lengths. */
function redact(shape: CopyShape | undefined, ...lines: readonly (string | Uint8Array)[]): string[] {
  const bytes = Buffer.concat(lines.map((line) => answers.copyData(line)))
  const rewrite = new Rewrite(bytes, 0, bytes.length, testMasker())
  redactCopy(rewrite, 0, bytes.length, shape)
  const after = Buffer.from(rewrite.finish(bytes).bytes)
  const bodies: string[] = []
  for (let at = 0; at < after.length; ) {
    const end = at + 1 + after.readInt32BE(at + 1)
    bodies.push(after.toString('latin1', at + 5, end))
    at = end
  }
  return bodies.map((body) => body.replace(/:[0-9a-f]{12}\]/g, ']'))
}

test('fields of a text line are treated by their column, further ones by the rest', () => {
  assert.deepEqual(redact(text, 'one\tAda\t7\tmore\n', `${MAIL}\t\\N\t\\N\tx\n`), [
    'one\t[MASKED:name]\t\\N\t[MASKED:name]\n',
    '[MASKED:email]\t\\N\t\\N\t[MASKED:name]\n',
  ])
})

test('an escaped delimiter does not end a field, and a trailing backslash hides nothing', () => {
  assert.deepEqual(redact(text, 'a\\\tb\tAda\n'), ['a\\\tb\t[MASKED:name]\n'])
  assert.deepEqual(redact(text, 'a\tAda\\'), ['a\t[MASKED:name]'])
})

test('quoted CSV fields keep their quotes, and what is in them is one field', () => {
  const csv: CopyShape = { ...text, format: 'csv', delimiter: 0x2c }
  assert.deepEqual(redact(csv, 'a,"Lovelace, Ada ""A""",3\n', '"x,y",,z\r\n'), ['a,"[MASKED:name]",\n', '"x,y",,\r\n'])
})

test('lines of unknown shape are looked at whole', () => {
  assert.deepEqual(redact(undefined, `1\t${MAIL}\n`), ['1\t[MASKED:email]\n'])
})

test('a value of a binary COPY becomes NULL, also behind the file header', () => {
  const shape: CopyShape = { ...text, format: 'binary', columns: [scan, mask] }
  const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), int32Of(0), int32Of(0)])
  const row = Buffer.concat([int16(2), int32Of(3), Buffer.from('one'), int32Of(3), Buffer.from('Ada')])
  const expected = Buffer.concat([int16(2), int32Of(3), Buffer.from('one'), int32Of(-1)]).toString('latin1')
  const trailer = int16(65_535)
  assert.deepEqual(redact(shape, Buffer.concat([header, row]), row, trailer), [
    header.toString('latin1') + expected,
    expected,
    trailer.toString('latin1'),
  ])
})

test('a binary row that lies about its lengths is refused', () => {
  const row = Buffer.concat([int16(1), int32Of(99), Buffer.from('one')])
  assert.throws(() => redact({ ...text, format: 'binary' }, row), { code: 'PROTOCOL_MALFORMED' })
})

const VALUES = [
  ...(['email', 'us-ssn', 'card', 'iban', 'password'] as const).flatMap((entity) =>
    SAMPLES[entity].slice(0, 5).map(([value]) => value),
  ),
  ...['', '\\N', 'plain', 'a\\tb', `${MAIL} ${MAIL}`, '"quoted, text"', `"${MAIL}, x"`, '-', 'x'.repeat(40)],
]

test('dirty lines covered in one go are those covered line by line: bytes, spans, labels', () => {
  const typed: Field = { ...scan, nullOnly: true }
  const shapes: readonly (CopyShape | undefined)[] = [
    { ...text, columns: [scan, scan, typed], rest: scan },
    { ...text, columns: [scan], rest: scan },
    { ...text, format: 'csv', delimiter: 0x2c, columns: [scan, { ...scan, action: 'skip' }, typed, scan], rest: scan },
    { ...text, delimiter: 0x2d, columns: [scan] },
    undefined,
  ]
  const line = fc.array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...VALUES) }, fc.string({ maxLength: 8 })), {
    minLength: 1,
    maxLength: 4,
  })
  fc.assert(
    fc.property(fc.array(line, { minLength: 20, maxLength: 90 }), fc.constantFrom(...shapes), (lines, shape) => {
      const delimiter = String.fromCharCode(shape?.delimiter ?? 9)
      const pieces = lines.map((fields) => answers.copyData(`${fields.join(delimiter)}\n`))
      const bytes = Buffer.concat([answers.copyData(`${'x'.repeat(1100)}\n`), ...pieces])
      const [one, other] = [true, false].map((sifted) => {
        const rewrite = new Rewrite(bytes, 0, bytes.length, testMasker())
        // Alone a line is too short to be sifted.
        if (sifted) redactCopy(rewrite, 0, bytes.length, shape)
        else
          for (let at = 0; at < bytes.length; at += 1 + bytes.readInt32BE(at + 1))
            redactCopy(rewrite, at, at + 1 + bytes.readInt32BE(at + 1), shape)
        return rewrite.finish(bytes)
      })
      assert.deepEqual(one, other)
    }),
    { numRuns: 150 },
  )
})
