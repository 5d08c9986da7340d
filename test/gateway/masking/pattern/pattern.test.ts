import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RE2JS } from 're2js'
import { explain } from '../../../../gateway/masking/explain.ts'
import { Masker } from '../../../../gateway/masking/masker.ts'
import { type OwnPattern, ownDetectors } from '../../../../gateway/masking/own.ts'
import { compilePattern, type PatternSource } from '../../../../gateway/masking/pattern/pattern.ts'
import { DEFAULT_RULES, ENTITY_NAMES, type MaskingRules } from '../../../../gateway/masking/rules.ts'
import type { Field } from '../../../../gateway/message.ts'

const field: Field = { path: 'row.note', action: 'scan' }
const quiet = Object.fromEntries(ENTITY_NAMES.map((name) => [name, 'ignore'])) as MaskingRules['detectors'] // every entity

function patternsOf(...sources: (string | PatternSource)[]): readonly OwnPattern[] {
  return sources.map((source, index) => ({
    id: `p${index}`,
    entity: `thing-${index}`,
    compiled: compilePattern(typeof source === 'string' ? { regex: source } : source),
  }))
}

/** Only these patterns. */
function only(...sources: (string | PatternSource)[]): MaskingRules {
  return { detectors: quiet, forms: {}, own: ownDetectors(patternsOf(...sources)) }
}

function values(text: string, rules: MaskingRules, path = ''): readonly string[] {
  return explain(text, rules, path).map(({ start, end }) => text.slice(start, end))
}

test('a pattern finds its values wherever they stand', () => {
  const rules = only('\\bEMP-[0-9]{6}\\b', '(?:cust|acct)_[a-z0-9]{8,}', '[a-z]{2,20}-internal-\\d{3,9}')
  assert.deepEqual(values('EMP-123456,EMP-1234567 xEMP-123456 (EMP-654321)', rules), ['EMP-123456', 'EMP-654321'])
  assert.deepEqual(values('a cust_abcdefgh12! acct_1234567 acct_12345678', rules), ['cust_abcdefgh12', 'acct_12345678'])
  assert.deepEqual(values('at host-internal-042 and x-internal-1', rules), ['host-internal-042'])
  assert.deepEqual(explain('EMP-123456', rules), [{ entity: 'thing-0', start: 0, end: 10, rule: 'pattern:p0' }])
})

test('letters past ASCII, case, escapes, classes', () => {
  assert.deepEqual(values('Kündigung-77 KÜNDIGUNG-77', only('Kündigung-\\d\\d')), ['Kündigung-77'])
  assert.deepEqual(values('emp-123456 Emp-123456', only('(?i)EMP-\\d{6}')), ['emp-123456', 'Emp-123456'])
  assert.deepEqual(values('a\\b:c{d} a\\b:cXd}', only('a\\\\b:c\\{d\\}')), ['a\\b:c{d}'])
  assert.deepEqual(values('ref=<äöü-12>', only('ref=<[äöü]{3}[-x]\\d\\x32>')), ['ref=<äöü-12>'])
  assert.deepEqual(values('key:héé! key:h\n!!', only('key:h.[^a-z\\d]!')), ['key:héé!'])
})

test('context stands before the value, in the text or in the name of the field', () => {
  const rules = only({ regex: '\\b\\d{7}\\b', context: ['staff', 'employee no'] })
  assert.deepEqual(values('order 1234567', rules), [])
  assert.deepEqual(values('Staff 1234567, 7654321', rules), ['1234567', '7654321'])
  assert.deepEqual(values('1234567 staff', rules), [])
  assert.deepEqual(values(`staff ${'x'.repeat(70)} 1234567`, rules), [])
  assert.deepEqual(values('1234567', rules, 'row.STAFF_id'), ['1234567'])
})

test('the name of the field that was scanned last is no context of facts, nor of what the gateway says', () => {
  const rules = only({ regex: '\\b\\d{7}\\b', context: ['staff'] })
  const masker = new Masker({ rules, tagKey: new Uint8Array(16).fill(1), fingerprintKey: new Uint8Array(16).fill(2) })
  const source = Buffer.from('1234567')
  assert.equal(masker.clean(source, 0, source.length, { path: 'row.staff_id', action: 'scan' }), false)
  assert.equal(masker.text('order 1234567'), 'order 1234567')
  assert.equal(masker.clean(source, 0, source.length, { path: 'row.staff_id', action: 'scan' }), false)
  const said = { to: 'client', bytes: source, own: { kind: 'notice', facts: {} } } as const
  assert.deepEqual(masker.own(said).body, source)
})

test('validators', () => {
  const found = (validator: NonNullable<PatternSource['validator']>, regex: string, text: string): readonly string[] =>
    values(text, only({ regex, validator }))
  assert.deepEqual(found('luhn', 'M\\d{8}', 'M79927397 M12345674 M12345678'), ['M12345674'])
  assert.deepEqual(found('mod-97', '\\b\\d{10}\\b', '1234567891 0000000098 0000000001'), ['0000000098', '0000000001'])
  assert.deepEqual(found('mod-11', '\\b\\d{3}-\\d{6}[\\dX]\\b', '943-4765919 943-4765918 080-442957X'), [
    '943-4765919',
    '080-442957X',
  ])
  assert.deepEqual(found('mixed', '#[a-z0-9]{6}', '#abcdef #123456 #abc123'), ['#abc123'])
})

test('the last class of a value may go on without end', () => {
  const text = `corp_${'a1'.repeat(5_000)} end`
  assert.deepEqual(values(text, only('corp_[a-z0-9]{4,}')), [text.slice(0, -4)])
})

test('what is refused, and why', () => {
  const refused: readonly (readonly [string | PatternSource, RegExp])[] = [
    ['(abc)?', /empty text/],
    ['abc', /values of 3 bytes; below 6/],
    ['\\w{6,}', /too broad/],
    ['[a-z]+[a-z]+@x', /values of|without end/],
    ['.{6}', /too broad/],
    ['(?:x|y)*abcdef', /none is certain/],
    ['\\d{200}[ab]{300}c{100}', /up to 600 bytes/],
    ['\\w{60}K3Y-77', /too broad/],
    ['(a*)*bcdefg', /none is certain/],
    ['x[^\\x00-\\x7f]{3}[^\\d\\D]abc', /no member|cannot stand/],
    ['^abcdef', /write \\b/],
    ['abc\\bdefg', /beginning or at the end/],
    ['abc.*defg', /without end/],
    ['abcdef+?', /lazy/],
    ['(?s)abcdef', /of flags only/],
    ['\\pLabcdef', /not known/],
    ['[[:alpha:]]abcdef', /as ranges/],
    [{ regex: 'abcdefg', validator: 'luhn' }, /could never fire/],
    ['(?:[a-z]{0,40}x){40}', /up to \d+ bytes/],
  ]
  for (const [source, why] of refused)
    assert.throws(() => compilePattern(typeof source === 'string' ? { regex: source } : source), why, JSON.stringify(source))
})

test('too many broad ones together are refused', () => {
  const broad = [...'abcdefghijkl'].map((letter) => `${letter}[a-z]{5}`)
  assert.ok(ownDetectors(patternsOf(...broad.slice(0, 2))))
  assert.throws(() => ownDetectors(patternsOf(...broad)), /every \d+ bytes/)
})

/** Patterns of the part that is known, with values that fit, or nearly. */
const piece = fc.constantFrom(
  '[ab]',
  '[ab]{1,3}',
  '(?:a|bb)',
  'b?',
  '[a-c]{2}',
  '(?:ab|ba)?',
  '[^ab]',
  '(?:c|d){0,2}',
  '.',
  '\\d',
)
const regex = fc
  .tuple(
    fc.constantFrom('', '\\b'),
    fc.array(piece, { maxLength: 3 }),
    fc.array(piece, { maxLength: 4 }),
    fc.constantFrom('', '\\b', '[ab]*', '\\d+'),
  )
  .map(([start, before, after, end]) => `${start}${before.join('')}K3Y-77${after.join('')}${end}`)
const text = fc
  .array(
    fc.oneof(
      fc.constantFrom('K3Y-77', 'ab', 'ba', 'c', 'd', ' ', '1', 'é', '\n', 'aK3Y-77b', '_'),
      fc.stringMatching(/^[abcdK3Y 7-]{0,6}$/),
    ),
    { maxLength: 14 },
  )
  .map((parts) => parts.join(''))

test('what is found is what RE2 finds, the longest from the leftmost', () => {
  fc.assert(
    fc.property(regex, text, (source, subject) => {
      const rules = only(source)
      const [first] = explain(subject, rules)
      const matcher = RE2JS.compile(source, RE2JS.LONGEST_MATCH).matcher(subject)
      const expected = matcher.find() ? [matcher.start(), matcher.end()] : undefined
      assert.deepEqual(first === undefined ? undefined : [first.start, first.end], expected, JSON.stringify([source, subject]))
    }),
    { numRuns: 500 },
  )
})

const all: MaskingRules = {
  detectors: DEFAULT_RULES.detectors,
  forms: Object.fromEntries(
    [...ENTITY_NAMES, 'overload', 'thing-0', 'thing-1', 'thing-2'].map((entity) => [entity, 'length'] as const),
  ),
  own: ownDetectors(patternsOf('\\bEMP-[0-9]{6}\\b', 'corp_[a-z0-9]{4,}', { regex: '\\b\\d{7}\\b', context: ['staff'] })),
}
const masker = new Masker({ rules: all, tagKey: new Uint8Array(16), fingerprintKey: new Uint8Array(16) })
const document = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        'EMP-123456',
        'EMP-12345',
        'ada@example.com',
        `corp_${'x'.repeat(700)}`,
        'corp_abcd',
        'staff',
        '1234567',
        '219-44-5678',
        'token=',
        ' ',
      ),
      fc.stringMatching(/^[a-z0-9 .,\n@-]{0,40}$/),
      fc.integer({ min: 1, max: 9000 }).map((size) => 'lorem ipsum '.repeat(size / 12)),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.from(parts.join(' ')))

function whole(bytes: Uint8Array): Buffer {
  const sink = masker.sink(bytes.length)
  masker.write(sink, bytes, 0, bytes.length, field)
  return Buffer.from(sink.finish().bytes)
}

test('however a field is cut, the same bytes come out, and they are those of the whole field', () => {
  fc.assert(
    fc.property(document, fc.array(fc.nat({ max: 20_000 }), { maxLength: 8 }), (bytes, cuts) => {
      const stream = masker.stream(field)
      const sink = masker.sink(64)
      const edges = [0, ...cuts.filter((cut) => cut <= bytes.length).sort((a, b) => a - b), bytes.length]
      for (let i = 0; i + 1 < edges.length; i++) stream.push(sink, bytes, edges[i] ?? 0, edges[i + 1] ?? 0)
      stream.end(sink)
      assert.deepEqual(Buffer.from(sink.finish().bytes), whole(bytes))
    }),
    { numRuns: 200 },
  )
})

test('a sieve holds back every field in which something of the policy stands', () => {
  const cells = Array.from({ length: 400 }, (_, i) =>
    i % 40 === 7 ? 'EMP-123456' : i % 40 === 20 ? 'ada@example.com' : `order ${i}`,
  )
  const source = Buffer.from(cells.join(''))
  const sieve = masker.sieve(source, 0, source.length)
  assert.ok(sieve)
  const starts: number[] = []
  let at = 0
  for (const cell of cells) {
    sieve.add(at, at + cell.length)
    if (cell.includes('-1') || cell.includes('@')) starts.push(at)
    at += cell.length
  }
  const suspects = new Set(sieve.suspects())
  assert.deepEqual(
    starts.filter((start) => !suspects.has(start)),
    [],
  )
  assert.ok(suspects.size < 60, `${suspects.size}`)
})

test('hostile text costs linear time and never passes', () => {
  const worst = only('[ab]{1,40}K3Y-77[ab]{1,400}c')
  const one = new Masker({ rules: worst, tagKey: new Uint8Array(16), fingerprintKey: new Uint8Array(16) })
  const source = Buffer.from(`${'ab'.repeat(20)}K3Y-77`.repeat(20_000))
  const started = process.cpuUsage()
  one.clean(source, 0, source.length, field)
  const { user } = process.cpuUsage(started)
  assert.ok(user < 5e6, `${user} us for ${source.length} bytes`)
})
