import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Masker } from '../../../gateway/masking/masker.ts'
import { lintPolicy } from '../../../gateway/policy/command-lint.ts'
import { explainMasking } from '../../../gateway/policy/command-mask.ts'
import { testPolicy } from '../../../gateway/policy/command-test.ts'
import { compilePolicy } from '../../../gateway/policy/policy.ts'
import type { Identity } from '../../../schemas/session.ts'

const agent: Identity = { subject: 'agent-7', kind: 'agent', groups: [], proof: 'test' }
const auditor: Identity = { subject: 'ada', kind: 'human', groups: ['auditors'], proof: 'test' }

const FILE = `
version: 1
labels:
  pii.email: { names: ["*email*"], entity: email, mask: partial }
  pii.login: { names: [login], entity: email, mask: { text: "(a login)" } }
patterns:
  - { id: employee, regex: '\\bEMP-[0-9]{6}\\b' }
  - { id: contract, regex: 'CT/[A-Z0-9]{12,40}', entity: document }
  - { id: member, regex: '\\b\\d{8}\\b', context: [member], validator: luhn, mask: { text: "(member)" } }
exempt:
  - { who: { groups: auditors }, detectors: employee }
rules: []
tests:
  - { name: all three, text: "EMP-123456 CT/ABCDEFGHIJ12 member 79927398713 member 12345674", expect: { masks: ["pattern:employee", "pattern:contract", "pattern:member"] } }
  - { name: auditors see employees, as: { kind: human, groups: [auditors] }, text: EMP-123456, expect: { masks: [] } }
  - { name: a column decides, column: public.staff.member_no, text: "12345674", expect: { masks: ["pattern:member"] } }
  - { name: a label comes first, column: login, text: EMP-123456, expect: { masks: ["label:pii.login"] } }
`

test('patterns of a policy mask what they find, in their own forms, for whom they are meant', () => {
  const policy = compilePolicy(FILE, 'p.yaml')
  const shown = (who: Identity, text: string): string =>
    new Masker({ rules: policy.masking(who), tagKey: Buffer.alloc(16, 1), fingerprintKey: Buffer.alloc(16, 2) }).text(text)
  // Twenty bits are tried out quickly: no tag.
  assert.equal(shown(agent, 'by EMP-123456.'), 'by [MASKED:employee].')
  assert.match(shown(agent, 'see CT/ABCDEFGHIJ12'), /^see \[MASKED:document:[0-9a-f]{12}\]$/)
  assert.equal(shown(agent, 'member 12345674 member 12345678'), 'member (member) member 12345678')
  assert.equal(shown(auditor, 'by EMP-123456.'), 'by EMP-123456.')
  assert.match(shown(auditor, 'see CT/ABCDEFGHIJ12'), /MASKED:document/)
})

test('a form is its rule’s: labels of one entity have each their own, and the first gives the detector of that entity its form', () => {
  const policy = compilePolicy(FILE, 'p.yaml')
  const of = (value: string, column?: string): unknown =>
    explainMasking(policy, agent, value, column).map(({ rule, form }) => [rule, form])
  assert.deepEqual(of('ada@example.com', 'email'), [['label:pii.email', 'partial']])
  assert.deepEqual(of('ada@example.com', 'login'), [['label:pii.login', { text: '(a login)' }]])
  assert.deepEqual(of('ada@example.com'), [['detector:email', 'partial']])
})

test('the tests of a policy say what is masked, all of it', () => {
  assert.equal(testPolicy(compilePolicy(FILE, 'p.yaml')).text, '4 of 4 texts judged as expected')
  const more = FILE.replace('text: EMP-123456, expect', 'text: EMP-123456 ada@example.com, expect').replace(
    '"pattern:contract", ',
    '',
  )
  assert.deepEqual(
    testPolicy(compilePolicy(more, 'p.yaml')).results.flatMap(({ why }) => (why === '' ? [] : [why])),
    ['masked by pattern:contract', 'masked by detector:email'],
  )
})

test('phone numbers where context says so, and addresses of machines, as the documentation has them', () => {
  const documented = /patterns:\n(?: {2}- \{ id: (?:phone|ip).*\n)+/.exec(
    readFileSync(new URL('../../../docs/policy.md', import.meta.url), 'utf8'),
  )
  const policy = compilePolicy(`version: 1\nrules: []\n${documented?.[0]}`, 'p')
  const found = (text: string, column?: string): readonly string[] =>
    explainMasking(policy, agent, text, column).map(({ rule, start, end }) => `${rule.slice(8)} ${text.slice(start, end)}`)
  assert.deepEqual(found('call 0490 75 40 81 or +49 (30) 1234-567'), [
    'phone-number 0490 75 40 81',
    'phone-number 49 (30) 1234-567',
  ])
  assert.deepEqual(found('0490 75 40 81', 'public.people.mobile_no'), ['phone-number 0490 75 40 81'])
  assert.deepEqual(found('order 0490 75 40 81'), [])
  assert.deepEqual(found('reach +4930123456789'), ['phone-international +4930123456789'])
  assert.deepEqual(found('phone list of 2026-01-07 12'), [])
  assert.deepEqual(found('from 10.20.30.40:5432'), ['ip-address 10.20.30.40'])
})

test('another pattern is another policy', () => {
  assert.notEqual(compilePolicy(FILE, 'p').hash, compilePolicy(FILE.replace('EMP-', 'EMQ-'), 'p').hash)
})

test('lint remarks patterns that no test expects, and those that everyday text has', () => {
  const policy = compilePolicy("version: 1\nrules: []\npatterns: [{ id: number, regex: '\\b\\d{8}\\b' }]\n", 'p')
  assert.deepEqual(
    lintPolicy(policy)
      .filter(({ rule }) => rule !== '')
      .map(({ remark }) => remark.slice(0, 13)),
    ['no test expec', 'fits everyday'],
  )
})

/** Texts that look like passwords, always the same. */
const random = (nth: number): string => createHash('sha256').update(`${nth}`).digest('base64').replace(/[+/=]/g, 'x')
const many = (count: number): string =>
  `version: 1\nrules: []\npatterns:\n${Array.from({ length: count }, (_, nth) => `  - { id: p${nth}, regex: '${random(nth).slice(0, 4)}-[0-9]{6}' }\n`).join('')}`

test('the pattern there is no room for is named when the policy is read, and room is kept for the credential of a target', () => {
  const told = (count: number): string => {
    try {
      compilePolicy(many(count), 'p')
    } catch (error) {
      return String(error)
    }
    return ''
  }
  const fits = Number(/: "p(\d+)" has no room beside those above it: .*a table of/.exec(told(100))?.[1])
  assert.ok(fits > 20, told(100))
  assert.match(told(fits + 1), new RegExp(`p:${fits + 4}:\\d+: .*"p${fits}" has no room`))
  const policy = compilePolicy(many(fits), 'p')
  for (let nth = 1000; nth < 1020; nth += 1)
    assert.ok(policy.masking(agent, [random(nth), Buffer.from(`user:${random(nth)}`).toString('base64')]).own)
  const more = Array.from({ length: 40 }, (_, nth) => random(2000 + nth))
  assert.throws(() => policy.masking(agent, more), {
    code: 'POLICY_INVALID',
    message: /no room to recognise the target's credential/,
  })
})

test('mistakes are told with their lines', () => {
  const bad = (yaml: string): string => {
    try {
      compilePolicy(`version: 1\nrules: []\n${yaml}`, 'p')
    } catch (error) {
      return String(error)
    }
    return 'accepted'
  }
  assert.match(bad("patterns:\n  - { id: a, regex: '(' }"), /p:4:\d+.*RE2/)
  assert.match(bad("patterns:\n  - { id: a, regex: '(?=x)abcdef' }"), /p:4:\d+.*RE2/)
  assert.match(bad("patterns:\n  - { id: a, regex: '(a+)+abcdef\\1' }"), /p:4:\d+/)
  assert.match(bad('patterns:\n  - { id: email, regex: abcdefg }'), /comes with Sallyport/)
  assert.match(bad('patterns:\n  - { id: a, regex: abcdefg }\n  - { id: a, regex: abcdefh }'), /p:5:\d+.*taken/)
  assert.match(bad('patterns:\n  - { id: a, regex: abcdefg }\n  - { id: b, regex: abcdefg }'), /a finds all of it first/)
  assert.match(bad('labels: { x: { names: [y], entity: z, mask: tagg } }'), /tag, partial/)
  assert.match(bad("labels: { x: { names: [y], entity: z, mask: { text: 'a\"b' } } }"), /expected/)
  assert.match(bad('tests: [{ text: x, expect: { action: block } }]'), /`masks`/)
  assert.match(bad('tests: [{ sql: x, text: y, expect: { action: block } }]'), /one of them/)
  assert.match(bad('tests: [{ sql: x, expect: { action: block } }]'), /give `as`/)
})
