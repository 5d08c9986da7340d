import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Field } from '../../../../gateway/message.ts'
import { redactCopy } from '../../../../gateway/protocols/postgres/copy.ts'
import { CopyFields, type CopyLines } from '../../../../gateway/protocols/postgres/copy-fields.ts'
import { redactText } from '../../../../gateway/protocols/postgres/hex-runs.ts'
import { MessageLength, Rewrite } from '../../../../gateway/protocols/postgres/rewrite.ts'
import { testMasker } from '../../../support/fakes.ts'
import { answers, TEXT_LINES } from '../../../support/pg-words.ts'
import { SAMPLES } from '../../masking/samples.ts'

const scan: Field = { path: 'copy', action: 'scan' }
const mask: Field = { path: 'copy.name', action: 'mask', label: 'pii.name', entity: 'name' }
const VALUES = [
  ...(['email', 'us-ssn', 'card', 'iban', 'aws-access-key-id', 'github-token', 'password'] as const).flatMap((entity) =>
    SAMPLES[entity].slice(0, 4).map(([value]) => value),
  ),
  ...['', 'plain', 'a\tb', '"quoted, text"', '-', 'x'.repeat(40)],
]

test('escapes are read as the server reads them, also those it does not write', () => {
  const fields = new CopyFields(TEXT_LINES)
  const line = Buffer.from('a\\x41\\101\\q\\n\t\\N\t\\\\N\n')
  fields.read(line, 0, line.length)
  assert.equal(fields.count, 3)
  assert.equal(Buffer.from(fields.value(0)).toString(), 'aAAq\n')
  assert.deepEqual([fields.isNull(1), fields.isNull(2), Buffer.from(fields.value(2)).toString()], [true, false, '\\N'])
})

test('an escape that is no quote shifts no field, and quotes that do not end are no line', () => {
  const fields = new CopyFields({ ...TEXT_LINES, format: 'csv', delimiter: 0x2c, escapeByte: 0x5c, nullText: Buffer.from('') })
  const line = Buffer.from('"T1a\\"","b\\\\",c\n')
  fields.read(line, 0, line.length)
  assert.deepEqual(
    [0, 1, 2].map((index) => Buffer.from(fields.value(index)).toString()),
    ['T1a"', 'b\\', 'c'],
  )
  fields.read(Buffer.from('"a,b'), 0, 4)
  assert.equal(fields.count, -1)
})

/** As the server writes a row (CopyOneRowTo), read from the manual and not from the code under test. */
function written(
  cells: readonly (string | null)[],
  { format, delimiter, quote, escapeByte, nullText }: CopyLines,
  force: boolean,
): string {
  const [delim, quotes, escapes] = [delimiter, quote, escapeByte].map((byte) => String.fromCharCode(byte)) as [
    string,
    string,
    string,
  ]
  const none = Buffer.from(nullText).toString()
  const names: Record<string, string> = { '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '\v': 'v' }
  const fields = cells.map((cell) => {
    if (cell === null) return none
    if (format === 'text')
      return [...cell]
        .map((each) => (names[each] !== undefined ? `\\${names[each]}` : each === '\\' || each === delim ? `\\${each}` : each))
        .join('')
    if (!force && cell !== none && ![delim, quotes, '\n', '\r'].some((each) => cell.includes(each))) return cell
    return quotes + [...cell].map((each) => (each === quotes || each === escapes ? escapes + each : each)).join('') + quotes
  })
  return `${fields.join(delim)}\n`
}

/** What a reader of the COPY makes of a line: every quote and escape taken back, NULL known by its text. */
function readBack(line: string, { format, delimiter, quote, escapeByte, nullText }: CopyLines): (string | null)[] {
  const bytes = [...line.slice(0, -1)]
  const is = (each: string | undefined, byte: number): boolean => each?.charCodeAt(0) === byte
  const letters: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }
  const cells: (string | null)[] = []
  let [raw, value, quoted, wasQuoted] = ['', '', false, false]
  const end = (): void => {
    cells.push(!wasQuoted && raw === Buffer.from(nullText).toString() ? null : value)
    ;[raw, value, wasQuoted] = ['', '', false]
  }
  for (let at = 0; at < bytes.length; at++) {
    const each = bytes[at] ?? ''
    const next = bytes[at + 1]
    if (format === 'text' ? is(each, delimiter) : is(each, delimiter) && !quoted) end()
    else if (format === 'text' && each === '\\' && next !== undefined) {
      raw += each + next
      value += letters[next] ?? next
      at++
    } else if (quoted && is(each, escapeByte) && next !== undefined && (is(next, quote) || is(next, escapeByte))) {
      value += next
      at++
    } else if (format === 'csv' && is(each, quote)) {
      quoted = !quoted
      wasQuoted = true
    } else {
      raw += each
      value += each
    }
  }
  end()
  return cells
}

test('whatever a client chooses for its lines, it reads what the cells are masked to', () => {
  const planted = fc.constantFrom(...VALUES.filter((value) => value !== '\\N'))
  const near = fc.constantFrom(
    '',
    '\n',
    '\t',
    'x\n',
    '\\',
    '"',
    ',',
    'X',
    '1',
    '9',
    '-',
    '_',
    "'",
    ' ',
    'é',
    'note\r\n',
    '\v',
    '\\x',
  )
  const cell = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(near, planted, near).map((parts) => parts.join('')) },
    { weight: 2, arbitrary: fc.array(near, { maxLength: 4 }).map((parts) => parts.join('')) },
    { weight: 1, arbitrary: fc.constant(null) },
  )
  const textLines: fc.Arbitrary<CopyLines> = fc
    .tuple(fc.constantFrom(...'\t\t\t,|;X_-:@ [#Z"'), fc.constantFrom('\\N', '\\N', '', '\\\\', 'NULL'))
    .map(([delimiter, none]) => ({ ...TEXT_LINES, delimiter: delimiter.charCodeAt(0), nullText: Buffer.from(none) }))
  const csvLines: fc.Arbitrary<CopyLines> = fc
    .tuple(
      fc.constantFrom(...',,,\t|;X_-:@1a'),
      fc.constantFrom(...`"""'-_15|`),
      fc.constantFrom(undefined, undefined, ...`"\\x-9,`),
      fc.constantFrom('', '', '9', 'NULL', '\\N', '536'),
    )
    .filter(([delimiter, quote, , none]) => delimiter !== quote && !none.includes(delimiter) && !none.includes(quote))
    .map(([delimiter, quote, escapes, none]) => ({
      format: 'csv',
      delimiter: delimiter.charCodeAt(0),
      quote: quote.charCodeAt(0),
      escapeByte: (escapes ?? quote).charCodeAt(0),
      nullText: Buffer.from(none),
    }))
  const columns = fc.constantFrom<readonly Field[]>([scan, scan, scan], [scan, mask, scan], [mask, scan, mask])
  fc.assert(
    fc.property(
      fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 16 }),
      fc.oneof(textLines, csvLines),
      columns,
      fc.boolean(),
      (rows, lines, fields, force) => {
        const masker = testMasker()
        const shown = (value: string | null, field: Field): string | null => {
          if (value === null) return null
          const bytes = Buffer.from(value)
          const rewrite = new Rewrite(bytes, 0, bytes.length, masker)
          if (field.action === 'scan') redactText(rewrite, 0, bytes.length, field, new MessageLength(0, 0))
          else rewrite.field(0, bytes.length, field, new MessageLength(0, 0))
          return Buffer.from(rewrite.finish(bytes).bytes).toString()
        }
        const texts = rows.map((cells) => written(cells, lines, force))
        const bytes = Buffer.concat(texts.map((line) => answers.copyData(line)))
        const rewrite = new Rewrite(bytes, 0, bytes.length, testMasker())
        redactCopy(rewrite, 0, bytes.length, { lines, count: 3, columns: fields })
        const after = Buffer.from(rewrite.finish(bytes).bytes)
        let at = 0
        for (const [index, cells] of rows.entries()) {
          const end = at + 1 + after.readInt32BE(at + 1)
          const line = after.toString('utf8', at + 5, end)
          const plain = readBack(texts[index] ?? '', lines)
          if (line !== '[MASKED:unverified]\n') {
            const expected = plain.map((value, column) => {
              const field = fields[column] ?? scan
              // A NULL that could be a value is treated as one.
              const none = Buffer.from(lines.nullText).toString()
              const isUnsure = value === null && lines.format === 'text' && none !== '' && none !== '\\N'
              return isUnsure && field.action === 'mask' ? shown('NULL', field)?.slice(0, 13) : shown(value, field)
            })
            const unsure = (value: string | null | undefined, column: number): string | null | undefined =>
              plain[column] === null && lines.format === 'text' ? (value?.slice(0, 13) ?? null) : value
            assert.deepEqual(readBack(line, lines).map(unsure), expected.map(unsure), JSON.stringify([lines, texts[index], line]))
          } else {
            assert.notEqual(plain.length, 3, texts[index])
          }
          if (
            cells.every((value, column) => shown(value, fields[column] ?? scan) === value) &&
            fields.every(({ action }) => action === 'scan')
          )
            assert.equal(line, texts[index], 'what is clean stays as it is')
          at = end
        }
        assert.equal(at, after.length)
      },
    ),
    { numRuns: 200 },
  )
})
