import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Masker } from '../../../../gateway/masking/masker.ts'
import { ownDetectors } from '../../../../gateway/masking/own.ts'
import { compilePattern } from '../../../../gateway/masking/pattern/pattern.ts'
import { DEFAULT_RULES, type MaskingRules } from '../../../../gateway/masking/rules.ts'
import type { Field } from '../../../../gateway/message.ts'
import { Rewrite } from '../../../../gateway/protocols/postgres/rewrite.ts'
import { redactRows, skipRows } from '../../../../gateway/protocols/postgres/rows.ts'
import { fakeParts, testMasker } from '../../../support/fakes.ts'
import { answers, PLAIN, says, testWire } from '../../../support/pg-words.ts'
import { client, clientGets, play, server, serverGets } from '../../../support/play.ts'
import { SAMPLES } from '../../masking/samples.ts'

const MAIL = ['ada', 'example.org'].join('@')
const scan: Field = { path: 'row', action: 'scan' }
const mask: Field = { path: 'row.name', action: 'mask', label: 'pii.name', entity: 'name' }
const nulled: Field = { ...mask, nullOnly: true }
const skip: Field = { path: 'row', action: 'skip' }

function redact(bytes: Uint8Array, columns: readonly Field[]): { readonly bytes: Buffer; readonly spanCount: number } {
  const rewrite = new Rewrite(bytes, 0, bytes.length, testMasker())
  redactRows(rewrite, 0, bytes.length, columns)
  const { bytes: after, masks } = rewrite.finish(bytes)
  return { bytes: Buffer.from(after), spanCount: (masks?.spans.length ?? 0) / 16 }
}

/** The cells of every row, read anew from the lengths as they now stand. */
function cells(bytes: Buffer): (string | null)[][] {
  const rows: (string | null)[][] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + bytes.readInt32BE(at + 1)
    const row: (string | null)[] = []
    let cell = at + 7
    for (let count = bytes.readUInt16BE(at + 5); count > 0; count--) {
      const size = bytes.readInt32BE(cell)
      row.push(size < 0 ? null : bytes.toString('utf8', cell + 4, cell + 4 + size))
      cell += 4 + Math.max(size, 0)
    }
    assert.equal(cell, end, 'the row ends where its length says')
    rows.push(row)
    at = end
  }
  return rows
}

test('clean rows stay the very same bytes', () => {
  const bytes = answers.row('clean', null, '')
  const rewrite = new Rewrite(bytes, 0, bytes.length, testMasker())
  redactRows(rewrite, 0, bytes.length, [scan, mask, mask])
  assert.equal(rewrite.finish(bytes).bytes, bytes)
})

test('masked cells change their own length and their row’s, whatever the sum of the changes', () => {
  const bytes = Buffer.concat([
    answers.row('a', MAIL, 'b'),
    answers.row(MAIL, 'x'.repeat(300), MAIL),
    answers.row('c', null, 'd'),
  ])
  for (const columns of [
    [scan, scan, scan],
    [scan, nulled, scan],
    [mask, nulled, mask],
  ]) {
    const after = redact(bytes, columns)
    const rows = cells(after.bytes)
    assert.equal(rows.length, 3)
    assert.ok(!after.bytes.includes(MAIL))
  }
})

test('a row whose masks cancel out in length has its own length again', () => {
  const columns = [mask, mask]
  const grown = cells(redact(answers.row('x', ''), columns).bytes)[0]?.[0]?.length ?? 0
  const bytes = answers.row('x', 'y'.repeat(2 * grown - 1))
  const after = redact(bytes, columns).bytes
  assert.equal(after.length, bytes.length)
  cells(after)
})

test('NULL and empty cells say nothing and stay', () => {
  assert.deepEqual(cells(redact(answers.row(null, ''), [mask, mask]).bytes), [[null, '']])
})

test('rows that lie about their lengths are refused', () => {
  const row = (): Buffer => Buffer.from(answers.row('abc', 'def'))
  const lies = [
    row().fill(0xff, 8, 9),
    Buffer.from(row()).fill(9, 10, 11),
    Buffer.from(row()).fill(3, 6, 7),
    Buffer.from(row()).fill(1, 6, 7),
    (() => {
      const negative = row()
      negative.writeInt32BE(-2, 7)
      return negative
    })(),
  ]
  for (const bytes of lies) assert.throws(() => redact(bytes, [scan, scan]), { code: 'PROTOCOL_MALFORMED' })
})

test('columns of numbers are not looked at, others beside them are', () => {
  const bytes = answers.row('1', MAIL)
  assert.deepEqual(redact(bytes, [skip, skip]).bytes, Buffer.from(bytes))
  assert.equal(redact(bytes, [skip, scan]).spanCount, 1)
  assert.equal(skipRows(Buffer.concat([bytes, bytes]), 0, 1), bytes.length)
})

test('a bytea in a long run of rows is looked at for what it stands for', async () => {
  const mail = ['lovelace', 'example.org'].join('@')
  const hidden = `\\x${Buffer.from(`to ${mail}`).toString('hex')}`
  const parts = fakeParts()
  const rows = Array.from({ length: 300 }, (_, index) => answers.row(index === 250 ? hidden : '\\x00ff', `clean ${index}`))
  await play(testWire(), parts, [
    client(says.query('select body, words from t')),
    serverGets(() => undefined),
    server(
      answers.columns({ name: 'body', table: PLAIN, type: 17 }, { name: 'words', table: PLAIN }),
      ...rows,
      answers.done(),
      answers.ready(),
    ),
    clientGets((bytes) => {
      assert.ok(!bytes.includes(hidden.slice(2)) && bytes.includes('clean 250') && bytes.includes('\\x00ff'))
    }),
  ])
})

const CELLS = [
  ...['email', 'us-ssn', 'card', 'iban', 'password'].flatMap((entity) =>
    (SAMPLES[entity as keyof typeof SAMPLES] ?? []).slice(0, 6).map(([text]) => text),
  ),
  ...['', 'plain', 'a@b', `two: ${MAIL}, ${MAIL}`, 'x'.repeat(60), '4111 1111'],
]
const own = ownDetectors([{ id: 'p0', entity: 'employee', compiled: compilePattern({ regex: 'EMP-[0-9]{6}' }) }])
const KEYS = { tagKey: new Uint8Array(16).fill(1), fingerprintKey: new Uint8Array(16).fill(2) }
const RULES: readonly MaskingRules[] = [
  DEFAULT_RULES,
  { ...DEFAULT_RULES, forms: { email: { text: '(address)' }, card: 'tag' } },
  { ...DEFAULT_RULES, forms: { email: 'partial' } },
  { ...DEFAULT_RULES, forms: { email: { text: 'n'.repeat(70) } } },
  { ...DEFAULT_RULES, detectors: { ...DEFAULT_RULES.detectors, email: 'ignore' } },
  { ...DEFAULT_RULES, own },
]

/** One who knows nothing of suspects: every cell is asked for, and written, by itself. */
function unsifted(masker: Masker): Masker {
  return Object.assign(Object.create(masker), {
    clean: masker.clean.bind(masker),
    write: masker.write.bind(masker),
    sink: masker.sink.bind(masker),
    sieve: () => undefined,
  })
}

test('rows written in one go are those written cell by cell: bytes, spans, labels', () => {
  const typed: Field = { ...scan, nullOnly: true }
  const layout = fc.constantFrom([scan, scan, scan], [scan, typed, scan], [skip, scan, typed], [scan, mask, scan])
  const cell = fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom(...CELLS, 'EMP-123456') },
    fc.constant(null),
    fc.string({ maxLength: 20 }),
  )
  const rows = fc.array(fc.tuple(cell, cell, cell), { minLength: 30, maxLength: 120 })
  fc.assert(
    fc.property(layout, rows, fc.constantFrom(...RULES), (columns, table, rules) => {
      const masker = new Masker({ rules, ...KEYS })
      const before = answers.row(MAIL, 'x'.repeat(1100), null)
      const bytes = Buffer.concat([before, ...table.map((row) => answers.row(...row))])
      const [one, other] = [masker, unsifted(masker)].map((redactor) => {
        const rewrite = new Rewrite(bytes, 0, bytes.length, redactor)
        // In two runs, as where something else stands between rows of one read.
        redactRows(rewrite, 0, before.length, columns)
        redactRows(rewrite, before.length, bytes.length, columns)
        return rewrite.finish(bytes)
      })
      assert.deepEqual(one, other)
      cells(Buffer.from(one?.bytes ?? []))
    }),
    { numRuns: 150 },
  )
})
