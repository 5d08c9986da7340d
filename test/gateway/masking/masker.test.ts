import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { changedAround } from '../../../gateway/masking/known-words.ts'
import { Masker } from '../../../gateway/masking/masker.ts'
import { DEFAULT_RULES, ENTITY_NAMES } from '../../../gateway/masking/rules.ts'
import { fingerprintOf } from '../../../gateway/masking/siphash.ts'
import type { Field, Message, Redacted } from '../../../gateway/message.ts'
import { MASK_SPAN_SIZE } from '../../../schemas/frame.ts'
import type { MaskForm } from '../../../schemas/policy-masking.ts'
import { INNOCENT, SAMPLES } from './samples.ts'

const fingerprintKey = new Uint8Array(16).fill(9)
const maskerWith = (forms: Readonly<Record<string, MaskForm>> = {}, tagKey = 1): Masker =>
  new Masker({
    rules: { ...DEFAULT_RULES, forms: { ...DEFAULT_RULES.forms, ...forms } },
    tagKey: new Uint8Array(16).fill(tagKey),
    fingerprintKey,
  })
const masker = maskerWith()
const scan: Field = { path: 'row.note', action: 'scan' }
const label: Field = { path: 'row.name', action: 'mask', label: 'pii.name', entity: 'name' }
const [email, ssn, card] = [SAMPLES.email, SAMPLES['us-ssn'], SAMPLES.card].map((list) => list[0]?.[0] ?? '') as [
  string,
  string,
  string,
] // three lists

function write(
  text: string,
  field: Field = scan,
  by: Masker = masker,
): { readonly size: number; readonly redacted: Redacted; readonly text: string } {
  const bytes = Buffer.from(text)
  const sink = by.sink(bytes.length)
  const size = by.write(sink, bytes, 0, bytes.length, field)
  const redacted = sink.finish()
  return { size, redacted, text: Buffer.from(redacted.bytes).toString() }
}

function spansOf({
  masks,
}: Redacted): { start: number; length: number; label: readonly string[] | undefined; fingerprint: string }[] {
  if (masks === null) return []
  return Array.from({ length: masks.spans.length / MASK_SPAN_SIZE }, (_, i) => {
    const span = Buffer.from(masks.spans.subarray(i * MASK_SPAN_SIZE, (i + 1) * MASK_SPAN_SIZE))
    return {
      start: span.readUInt32BE(0),
      length: span.readUIntBE(4, 3),
      label: masks.labels[span[7] ?? 0],
      fingerprint: span.toString('hex', 8),
    }
  })
}

test('no planted value survives, at the beginning, at the end or inside of a field', () => {
  const samples = ENTITY_NAMES.flatMap((entity) => SAMPLES[entity].map(([value, frame]) => [value, frame] as const))
  fc.assert(
    fc.property(
      fc.constantFrom(...samples),
      fc.stringMatching(/^[a-z ,\n]{0,30}$/),
      fc.stringMatching(/^[a-z ,\n]{0,30}$/),
      ([value, frame], before, after) => {
        const text = [before, frame.replace('{}', () => value), after].filter((part) => part !== '').join('\n')
        const bytes = Buffer.from(text)
        assert.equal(masker.clean(bytes, 0, bytes.length, scan), false)
        assert.ok(!write(text).text.includes(value))
        assert.ok(!masker.text(text).includes(value))
      },
    ),
    { numRuns: 500 },
  )
})

test('clean says what write does: the same bytes, or others', () => {
  const samples = ENTITY_NAMES.flatMap((entity) => SAMPLES[entity].map(([value, frame]) => frame.replace('{}', () => value)))
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 30 }),
    fc.constantFrom(...samples, ...INNOCENT),
    fc.constantFrom('@', '://', '-', '=', '"', 'password', 'key'),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
      const bytes = Buffer.from(pieces.join(''))
      const { redacted } = write(pieces.join(''))
      const isClean = masker.clean(bytes, 0, bytes.length, scan)
      assert.equal(isClean, redacted.masks === null)
      if (isClean) assert.deepEqual(Buffer.from(redacted.bytes), bytes)
      assert.equal(masker.text(pieces.join('')) === pieces.join(''), isClean)
    }),
    { numRuns: 1000 },
  )
})

test('what stands beside a field in the same buffer does not count', () => {
  const around = Buffer.from(`7${ssn}7 x${email}9@x.org`)
  assert.equal(masker.clean(around, 1, 1 + ssn.length, scan), false)
  const digits = Buffer.from(`${ssn}`)
  assert.equal(masker.clean(digits, 1, ssn.length, scan), true)
  assert.equal(masker.clean(digits, 0, ssn.length - 1, scan), true)
  const joined = Buffer.from('bob@example.com')
  assert.equal(masker.clean(joined, 4, 15, scan), true)
  assert.equal(masker.clean(joined, 0, 11, scan), true)
  assert.equal(masker.clean(joined, 0, 0, label), true)
})

test('equal values have equal tags within a session and a rule, and nowhere else', () => {
  const tag = (field: Field, by = masker): string => write(email, field, by).text
  assert.match(tag(scan), /^\[MASKED:email:[0-9a-f]{12}\]$/)
  assert.equal(tag(scan), tag(scan))
  const labelled: Field = { path: 'row.mail', action: 'mask', label: 'pii.email', entity: 'email' }
  assert.match(tag(labelled), /^\[MASKED:email:[0-9a-f]{12}\]$/)
  assert.notEqual(tag(labelled), tag(scan))
  assert.notEqual(tag(labelled), tag({ ...labelled, label: 'pii.other' }))
  assert.notEqual(tag(scan), tag(scan, maskerWith({}, 2)))
})

test('guessable values have no tag unless a rule asks for one', () => {
  assert.equal(write(`ssn ${ssn}`).text, 'ssn [MASKED:us-ssn]')
  assert.equal(write(card).text, '[MASKED:card]')
  assert.match(write(ssn, scan, maskerWith({ 'us-ssn': 'tag' })).text, /^\[MASKED:us-ssn:[0-9a-f]{12}\]$/)
})

test('a mask takes the form its entity has', () => {
  const forms = maskerWith({ email: 'partial', 'us-ssn': 'partial', card: 'length', name: 'null', iban: 'null' })
  assert.equal(write(email, scan, forms).text, `${'*'.repeat(email.indexOf('@'))}@mail.example.com`)
  assert.equal(write(ssn, scan, forms).text, `***-**-${ssn.slice(-4)}`)
  assert.equal(write(card, scan, forms).text, '*'.repeat(card.length))
  assert.equal(write('Maria', label, forms).size, -1)
  assert.equal(write(SAMPLES.iban[0]?.[0] ?? '', scan, forms).text, '[MASKED:iban]')
  assert.equal(write('short', { ...label, entity: 'x' }, maskerWith({ x: 'partial' })).text, '*****')
})

test('spans say where, what, why, and carry the same fingerprint for a value everywhere', () => {
  const { redacted, text } = write(`a ${email} b ${ssn} c ${email}`)
  const spans = spansOf(redacted)
  const fingerprint = (value: string): string => Buffer.from(fingerprintOf(fingerprintKey, Buffer.from(value))).toString('hex')
  assert.deepEqual(
    spans.map(({ label: names, fingerprint: print }) => [names, print]),
    [
      [['email', 'detector:email'], fingerprint(email)],
      [['us-ssn', 'detector:us-ssn'], fingerprint(ssn)],
      [['email', 'detector:email'], fingerprint(email)],
    ],
  )
  for (const { start, length, label: names } of spans) {
    assert.ok(text.slice(start, start + length).startsWith(`[MASKED:${names?.[0]}`))
    assert.ok(text.slice(start, start + length).endsWith(']'))
  }
  assert.deepEqual(spansOf(write(email, label).redacted)[0]?.label, ['name', 'label:pii.name'])
  assert.equal(spansOf(write(email, label).redacted)[0]?.fingerprint, fingerprint(email))
})

test('where text would not be valid the field becomes NULL, and the span stands on its length', () => {
  const bytes = Buffer.from(ssn)
  const sink = masker.sink(16)
  sink.int32(0x01020304)
  assert.equal(masker.write(sink, bytes, 0, bytes.length, { ...label, nullOnly: true }), -1)
  assert.equal(sink.size, 4)
  sink.int32(-1)
  sink.noteNull(4, { ...label, nullOnly: true })
  const redacted = sink.finish()
  assert.deepEqual([...redacted.bytes], [1, 2, 3, 4, 255, 255, 255, 255])
  assert.deepEqual(
    spansOf(redacted).map(({ start, length, label: names }) => [start, length, names]),
    [[4, 4, ['name', 'label:pii.name']]],
  )
  assert.equal(write(`x ${ssn}`, { ...scan, nullOnly: true }).size, -1)
  assert.equal(write('plain text', { ...scan, nullOnly: true }).size, 10)
})

test('hostile fields cost bounded work and are masked whole', () => {
  for (const unit of [
    'password: ',
    ' api_key =',
    'pass>    ',
    '-----BEGIN RSA PRIVATE KEY----- ',
    'pass_',
    " by 'x",
    'eyJhbGciOiJ.',
    'curl -u ',
    'a@',
    '4111-1111-',
    'GB82 WEST ',
  ]) {
    const cost = (size: number): readonly [number, number, string] => {
      const by = maskerWith()
      const text = unit.repeat(size / unit.length)
      const masked = write(text, scan, by).text
      return [by.counters.candidateCount, by.counters.overloadCount, masked]
    }
    const [once] = cost(100_000)
    const [twice, overloads, masked] = cost(200_000)
    assert.ok(twice <= 2.2 * once + 100, `${unit}: ${once} then ${twice} candidates`)
    if (overloads > 0) assert.match(masked, /^\[MASKED:overload:[0-9a-f]{12}\]$/)
  }
  const judged = maskerWith()
  write('password: '.repeat(20_000), scan, judged)
  assert.equal(judged.counters.overloadCount, 1)
})

const message = (facts: Message['facts'], part: Message['part'] = 'whole'): Message => ({
  from: 'client',
  kind: 'query',
  channel: 3,
  part,
  bytes: Buffer.from('q'),
  units: 0,
  facts,
  redacted: () => ({ bytes: Buffer.from('q'), masks: null }),
})

test('facts without anything to hide stay the same object', () => {
  const facts = { sql: 'SELECT 1', rows: 3, tables: ['public.customers'], ok: true, none: null }
  assert.equal(masker.facts(facts), facts)
})

test('paths among the facts are looked at for what their escapes say', () => {
  const escaped = (text: string): string => text.replace(/\W/g, (mark) => `%${mark.charCodeAt(0).toString(16)}`)
  const path = `/a%2fb/${escaped(email)}/${escaped(ssn)}/x`
  const shown = /^\/a%2fb\/\[MASKED:email:[0-9a-f]{12}\]\/\[MASKED:us-ssn\]\/x$/
  assert.match(String(masker.facts({ path }).path), shown)
  assert.match(String(masker.facts({ route: `h:80${path}` }).route).replace('h:80', ''), shown)
  for (const facts of [{ path: '/a%2fb/100%+1' }, { text: path }]) assert.equal(masker.facts(facts), facts)
  // Blanks, as in the line; and what begins with an escape is the same person as in the line.
  const spaced = card.replace(/\D/g, '').replace(/\d{4}(?=\d)/g, '$&+')
  assert.equal(masker.facts({ path: `/${spaced}/x` }).path, '/[MASKED:card]/x')
  const begins = `/%${email.charCodeAt(0).toString(16)}${email.slice(1)}`
  assert.equal(masker.facts({ path: begins }).path, masker.facts({ path: `/${email}` }).path)
})

test('an entry carries masked facts, the redacted bytes, and which part it is', () => {
  const facts = { sql: `select '${ssn}'`, tables: ['a', email], rows: 1 }
  const redacted = write(`select '${ssn}'`).redacted
  const verdict = { act: 'allow', rules: ['r'], policy: 'p' } as const
  const entry = masker.entry(
    message(() => facts, 'first'),
    redacted,
    verdict,
  )
  assert.equal(entry.dir, 'in')
  assert.equal(entry.channel, 3)
  assert.equal(entry.kind, 'query')
  assert.equal(entry.facts.sql, "select '[MASKED:us-ssn]'")
  assert.match(String(entry.facts.tables), /^a,\[MASKED:email:[0-9a-f]{12}\]$/)
  assert.equal(entry.facts.part, 'first')
  assert.equal(entry.body, redacted.bytes)
  assert.equal(entry.masks, redacted.masks)
  assert.equal(entry.verdict, verdict)
  assert.equal(
    masker.entry(
      message(() => ({})),
      null,
      null,
    ).body,
    null,
  )
  assert.equal(facts.sql, `select '${ssn}'`)
})

test('a note is masked like any entry', () => {
  const decided = masker.note('approval', { said: email }, null, { by: ['grace@example.com'] })
  assert.deepEqual(decided.facts['by'], ['grace@example.com'], 'who decided is known by their proof')
  assert.doesNotMatch(String(decided.facts['said']), /@/)
  const note = masker.note('session', { user: email }, null)
  assert.equal(note.dir, 'note')
  assert.match(String(note.facts.user), /^\[MASKED:email/)
})

test('what the gateway itself says keeps its framing and shows nothing a detector finds', () => {
  const plain = { to: 'client', bytes: Buffer.from('ready'), own: { kind: 'ready', facts: {} } } as const
  const said = masker.own(plain)
  assert.equal(said.dir, 'out')
  assert.equal(said.body, plain.bytes)
  assert.deepEqual(said.facts, { origin: 'gateway' })

  const bytes = Buffer.from(`E${email} refused ${ssn}`)
  const starred = masker.own({ to: 'server', bytes, own: { kind: 'error', facts: { text: ssn } } })
  assert.equal(starred.dir, 'in')
  assert.equal(starred.body?.length, bytes.length)
  assert.doesNotMatch(Buffer.from(starred.body ?? []).toString(), /example|8712/)
  assert.equal(starred.facts.text, '[MASKED:us-ssn]')

  const first = write(email).redacted
  const partly = { bytes: Buffer.concat([Buffer.from(`${ssn} `), first.bytes, Buffer.from(` ${ssn}`)]), masks: first.masks }
  partly.masks?.spans.set([0, 0, 0, ssn.length + 1])
  const both = masker.own({ to: 'client', bytes, own: { kind: 'error', facts: {}, redacted: partly } })
  assert.deepEqual(
    spansOf({ bytes: both.body ?? Buffer.alloc(0), masks: both.masks }).map(({ start, label: names }) => [start, names?.[0]]),
    [
      [0, 'us-ssn'],
      [ssn.length + 1, 'email'],
      [partly.bytes.length - ssn.length, 'us-ssn'],
    ],
  )
  assert.throws(() => masker.own({ to: 'client', bytes }), TypeError)
})

test('who ended a session stands on its tape as they are, and nothing else that a detector finds beside them', () => {
  const ending = maskerWith()
  const who = `${email} ended this session: `
  const words = `${who}it looked up ${ssn}, ask ${email}`
  const said = (): { readonly text: string; readonly count: number } => {
    const { body, masks } = ending.own({ to: 'client', bytes: Buffer.from(words), own: { kind: 'farewell', facts: {} } })
    return { text: Buffer.from(body ?? []).toString(), count: (masks?.spans.length ?? 0) / MASK_SPAN_SIZE }
  }
  assert.equal(said().count, 3)
  ending.evidence = who
  const { text, count } = said()
  assert.ok(text.startsWith(who))
  assert.doesNotMatch(text.slice(who.length), /example|8712/)
  assert.deepEqual([text.length, count], [words.length, 2])
  assert.match(
    changedAround(`blocked: ${words}`, who, (part) => ending.text(part)),
    /^blocked: \S+@\S+ ended this session: it looked up \[MASKED:us-ssn\], ask \[MASKED:email/,
  )
  assert.match(ending.text(who), /MASKED/)
})

test('keys too short to keep anything secret are refused', () => {
  assert.throws(() => new Masker({ rules: DEFAULT_RULES, tagKey: new Uint8Array(8), fingerprintKey }), RangeError)
})

test('a long field is clean exactly where nothing in it would be masked, wherever in it that stands', () => {
  const field: Field = { path: 'row.note', action: 'scan' }
  const filler = 'the quick brown fox, and 7 more   '.repeat(9)
  for (const size of [200, 208, 211, 300]) {
    const text = filler.slice(0, size)
    assert.equal(masker.clean(Buffer.from(text), 0, size, field), true)
    for (const entity of ENTITY_NAMES) {
      for (const [value, frame] of SAMPLES[entity].slice(0, 2)) {
        const planted = frame.replace('{}', () => value)
        for (let at = 0; at <= size; at += 5) {
          const bytes = Buffer.from(`${text.slice(0, at)}\n${planted}\n${text.slice(at)}`)
          const found = masker.text(bytes.toString()) !== bytes.toString()
          assert.equal(masker.clean(bytes, 0, bytes.length, field), !found, `${entity} at ${at}`)
        }
      }
    }
  }
})

test('sessions with like rules share what only the rules decide: each keeps less than 4 KiB of its own', () => {
  const count = 2_000
  setFlagsFromString('--expose-gc')
  const used = (): number => {
    runInNewContext('gc')()
    return process.memoryUsage().heapUsed
  }
  const before = used()
  const sessions = Array.from({ length: count }, () => maskerWith())
  const grown = used() - before
  assert.ok(grown / sessions.length < 4096, `${Math.round(grown / sessions.length)} bytes each`)
})

test('source code is masked where it is asked for, in fields that a target hands out alone, whole or in a stream', () => {
  const code = Buffer.from(Array.from({ length: 30 }, (_, n) => `const value${n} = read(${n});`).join('\n'))
  const bulk = { path: 'row.body', action: 'scan', bulk: true } as const
  const own = (rules: object) =>
    new Masker({ rules: { ...DEFAULT_RULES, ...rules }, tagKey: Buffer.alloc(16, 1), fingerprintKey: Buffer.alloc(16, 2) })
  const written = (masker: Masker, field: Field, bytes: Uint8Array): string => {
    const sink = masker.sink(bytes.length)
    masker.write(sink, bytes, 0, bytes.length, field)
    return Buffer.from(sink.finish().bytes).toString()
  }
  const asked = own({ code: true })
  assert.equal(asked.clean(code, 0, code.length, bulk), false)
  assert.match(written(asked, bulk, code), /^\[MASKED:source-code:[0-9a-f]{12}\]$/)
  assert.equal(written(asked, { path: 'sql', action: 'scan' }, code), code.toString())
  assert.equal(own({}).clean(code, 0, code.length, bulk), true)
  const prose = Buffer.from('Nobody would take this for a program.\n'.repeat(40))
  assert.equal(asked.clean(prose, 0, prose.length, bulk), true)
  for (const size of [64, 700, 8192]) {
    const stream = asked.stream(bulk)
    const sink = asked.sink(code.length)
    for (let at = 0; at < code.length; at += size) stream.push(sink, code, at, Math.min(code.length, at + size))
    stream.push(sink, prose, 0, prose.length)
    stream.push(sink, prose, 0, prose.length)
    stream.end(sink)
    const out = Buffer.from(sink.finish().bytes).toString()
    assert.equal(out.length, code.length + 2 * prose.length)
    // Eight lines are seen before anybody can tell.
    assert.doesNotMatch(out, size === 8192 ? /value/ : /value(1[3-9]|2\d)/, `${size}`)
    assert.ok(out.endsWith(prose.toString()))
  }
})
