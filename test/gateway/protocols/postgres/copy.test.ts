import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Field } from '../../../../gateway/message.ts'
import { type CopyShape, redactCopy, uncutField } from '../../../../gateway/protocols/postgres/copy.ts'
import type { CopyLines } from '../../../../gateway/protocols/postgres/copy-fields.ts'
import { Rewrite } from '../../../../gateway/protocols/postgres/rewrite.ts'
import { testMasker } from '../../../support/fakes.ts'
import { answers, int16, int32Of, TEXT_LINES } from '../../../support/pg-words.ts'
import { SAMPLES } from '../../masking/samples.ts'

const MAIL = ['ada', 'example.org'].join('@')
const scan: Field = { path: 'copy', action: 'scan' }
const mask: Field = { path: 'copy.name', action: 'mask', label: 'pii.name', entity: 'name' }
const nulled: Field = { ...mask, nullOnly: true }
const text: CopyShape = { lines: TEXT_LINES, count: 4, columns: [scan, mask, nulled], rest: mask }
const CSV_LINES: CopyLines = { ...TEXT_LINES, format: 'csv', delimiter: 0x2c, nullText: Buffer.from('') }

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
  assert.deepEqual(redact({ ...text, count: 2 }, 'a\\\tb\tAda\n'), ['a\\\tb\t[MASKED:name]\n'])
  assert.deepEqual(redact({ ...text, count: 2 }, 'a\tAda\\'), ['a\t[MASKED:name]'])
})

test('quoted CSV fields keep their quotes, and what is in them is one field', () => {
  const csv: CopyShape = { ...text, lines: CSV_LINES, count: 3 }
  assert.deepEqual(redact(csv, 'a,"Lovelace, Ada ""A""",3\n', '"x,y",,z\r\n'), ['a,"[MASKED:name]",\n', '"x,y",,\r\n'])
})

test('lines that cannot be cut, or have other fields than the server said, are masked whole', () => {
  for (const shape of [undefined, { ...text, lines: 'unknown' as const }, { ...text, count: 3, columns: [scan], rest: scan }])
    assert.deepEqual(redact(shape, 'note\\n\tclean\n'), ['[MASKED:unverified]\n'])
  assert.deepEqual(redact({ ...text, lines: CSV_LINES, count: 2 }, 'a,"b\n'), ['[MASKED:unverified]\n'])
  assert.deepEqual(redact({ ...text, count: 0, columns: [], rest: scan }, '\n'), ['\n'])
})

test('a field of a line too large to hold is masked whole where its fields would have to be cut to be read', () => {
  assert.equal(uncutField({ lines: TEXT_LINES, count: 1, columns: [scan] }), undefined)
  assert.equal(uncutField({ lines: 'binary', count: 1, columns: [scan] }), undefined)
  assert.equal(uncutField({ lines: TEXT_LINES, count: 2, columns: [scan, mask] }), mask)
  for (const lines of [{ ...TEXT_LINES, delimiter: 0x58 }, 'unknown'] as const)
    assert.equal(uncutField({ lines, count: 1, columns: [scan] })?.action, 'mask')
})

test('a value of a binary COPY becomes NULL, also behind the file header', () => {
  const shape: CopyShape = { ...text, lines: 'binary', columns: [scan, mask] }
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
  assert.throws(() => redact({ ...text, lines: 'binary' }, row), { code: 'PROTOCOL_MALFORMED' })
})

const VALUES = [
  ...(['email', 'us-ssn', 'card', 'iban', 'password'] as const).flatMap((entity) =>
    SAMPLES[entity].slice(0, 5).map(([value]) => value),
  ),
  ...['', '\\N', 'plain', 'a\\tb', `${MAIL} ${MAIL}`, '"quoted, text"', `"${MAIL}, x"`, '-', 'x'.repeat(40)],
]

test('dirty lines covered in one go are those covered line by line: bytes, spans, labels', () => {
  const typed: Field = { ...scan, nullOnly: true }
  const shapes: readonly CopyShape[] = [
    { ...text, columns: [scan, scan, typed], rest: scan },
    { ...text, columns: [scan], rest: scan },
    { ...text, lines: CSV_LINES, columns: [scan, { ...scan, action: 'skip' }, typed, scan], rest: scan },
    { ...text, lines: { ...TEXT_LINES, delimiter: 0x2d }, columns: [scan], rest: scan },
  ]
  const line = fc.array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...VALUES) }, fc.string({ maxLength: 8 })), {
    minLength: 1,
    maxLength: 4,
  })
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 20, maxLength: 90 }),
      fc.constantFrom(...shapes),
      fc.integer({ min: 1, max: 4 }),
      (lines, form, count) => {
        const shape = { ...form, count }
        const delimiter = String.fromCharCode(typeof shape.lines === 'string' ? 9 : shape.lines.delimiter)
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
      },
    ),
    { numRuns: 150 },
  )
})
