import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePolicy } from '../../../gateway/policy/policy.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { policyOf } from '../../support/policy.ts'

/** The mistakes of a file, as `line: message`. */
function mistakes(text: string, groups?: ReadonlySet<string>): string[] {
  try {
    compilePolicy(text, 'p.yaml', groups === undefined ? {} : { groups })
    return []
  } catch (error) {
    assert.ok(error instanceof ApplianceError)
    assert.equal(error.code, 'POLICY_INVALID')
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.replace(/^ {2}p\.yaml:(\d+):\d+: /, '$1: '))
  }
}

/** Rules that could never fire, in line 3, and why. */
const NEVER = [
  ['match: { verb: INSERT, has_where: false }', /has_where: INSERT has no WHERE/],
  ['match: { verb: [DELETE], copy: { direction: out } }', /copy: DELETE is no COPY/],
  ['match: { copy: { direction: in, target: stdout } }', /copied in from stdout/],
  ['match: { copy: { direction: out, target: [stdin] } }', /copied out to stdin/],
  ['match: { verb: CREATE TABLE, ddl: false }', /CREATE TABLE is always ddl/],
  ['match: { verb: [INSERT, DELETE], writes: false }', /always writes/],
  ['match: { ddl: true, writes: false }', /ddl always writes/],
  ['match: { multi: true, statement_count: { max: 1 } }', /multi: one statement is not several/],
  ['match: { multi: false, statement_count: { min: 2 } }', /multi: several statements are not one/],
  ['match: { limited: false, limit: { max: 5 } }', /limited: a limit of at most so many is a limit/],
  ['match: { size: { min: 9, max: 3 } }', /size: 9 is more than 3/],
  ['match: { has_where: false, where_trivial: true }', /what has no WHERE has no trivial one/],
  ['match: { parse_ok: false, ddl: true }', /ddl: a statement that cannot be read has no such fact/],
  ['match: { functions: lower, function_categories: file }', /functions: none of these is of category file/],
  ['match: { kind: reply, ddl: true }', /ddl: no message of reply has this fact/],
  ['match: { kind: quary }', /no message of postgres is called "quary"; did you mean "query"\?/],
  ['match: { verb: DELTE }', /no statement has the verb "DELTE"; did you mean "DELETE"\?/],
  ['match: { text: x }', /text: no message of postgres has this fact/],
  [
    'match: { kind: query }, threshold: { rows: 5, per: statement }',
    /kind: "query" has no rows to count; counted: reply, copy-data/,
  ],
  ['threshold: { per: session }', /threshold: counts nothing/],
  ['who: { kinds: agent, groups: [x] }, except: { kinds: [agent, human] }', /except: takes out everybody `who` names/],
  ['who: { subjects: "a@b" }, except: { subjects: "a@*" }', /except: takes out everybody `who` names/],
  ['approval: { groups: [dba] }', /approval: a rule that does not hold has nobody to ask/],
] as const

for (const [rule, why] of NEVER) {
  test(`refused with its line: ${rule}`, () => {
    const found = mistakes(`version: 1\nrules:\n  - { id: r, on: postgres, action: block, ${rule} }`)
    assert.equal(found.length, 1, found.join('\n'))
    assert.match(found[0] ?? '', /^3: rules\[0\]/)
    assert.match(found[0] ?? '', why)
  })
}

test('the same fields with something to find are no mistake', () => {
  for (const rule of [
    'match: { verb: [INSERT, DELETE], has_where: false }',
    'match: { verb: DROP, ddl: true }',
    'match: { functions: [lower, pg_read_file], function_categories: file }',
    'match: { functions: "!app.*", function_categories: unknown }',
    'match: { relations: orders }, threshold: { rows: 5, per: statement }',
    'match: { kind: copy-data }, threshold: { bytes: 1MiB, per: session }',
    'match: { parse_ok: false, size: { min: 100 } }',
    'who: { kinds: [agent, human] }, except: { kinds: agent }',
    'who: { kinds: agent }, except: { groups: [dba] }',
  ]) {
    assert.deepEqual(mistakes(`version: 1\nrules:\n  - { id: r, on: postgres, action: block, ${rule} }`), [], rule)
  }
})

test('a hold needs somebody who can decide', () => {
  const held = 'version: 1\nrules:\n  - { id: r, action: hold }'
  assert.match(mistakes(held)[0] ?? '', /^3: rules\[0\]\.action: a hold needs somebody/)
  assert.deepEqual(mistakes(`${held}\ndefaults: { approval: { groups: [dba] } }`), [])
  assert.match(mistakes(`${held}\ndefaults: { approval: { groups: [dba] } }`, new Set(['analysts']))[0] ?? '', /nobody is in dba/)
  assert.match(mistakes('version: 1\nrules: []\ndefaults: { unparsable: hold }')[0] ?? '', /^3: defaults: a hold needs somebody/)
})

test('a rule for groups that nobody can be in could never fire, where it is known who can be in what', () => {
  const rule = (groups: string): string => `version: 1\nrules:\n  - { id: r, action: block, who: { groups: ${groups} } }`
  const known = new Set(['agents', 'dba'])
  assert.match(
    mistakes(rule('agnets'), known)[0] ?? '',
    /^3: rules\[0\]\.who\.groups: nobody can be in agnets: the rule could never fire; did you mean "agents"\?/,
  )
  assert.deepEqual(mistakes(rule('[others, agents]'), known), [])
  assert.deepEqual(mistakes(rule('agnets')), [])
})

test('a threshold that allows has no effect', () => {
  assert.match(
    mistakes('version: 1\nrules:\n  - { id: r, action: allow, threshold: { rows: 1, per: session } }')[0] ?? '',
    /has no effect/,
  )
})

test('all mistakes come at once, in the order of their lines', () => {
  const found = mistakes(`version: 1
detectors: { emial: mask }
labels:
  nothing: { entity: email }
exempt:
  - { who: { kinds: human }, labels: nobody.* }
  - { who: { kinds: human } }
rules:
  - { id: same, action: block }
  - { id: same, action: block }
  - { id: policy.mine, action: block }
  - { id: mixed, match: { ddl: true, text: x }, action: block }
tests:
  - { as: { kind: agent }, sql: SELECT 1, expect: { action: allow, rules: [sane] } }`)
  assert.deepEqual(
    found.map((line) => line.slice(0, line.indexOf(':'))),
    ['2', '4', '6', '7', '10', '11', '12', '14'],
  )
  assert.match(found[0] ?? '', /did you mean "email"/)
  assert.match(found[4] ?? '', /taken by the rule in line 9/)
  assert.match(found[6] ?? '', /no protocol has all of these facts/)
  assert.match(found[7] ?? '', /did you mean "same"/)
})

test('mistakes of form and of meaning are told in one round, and what only follows is not', () => {
  const text = `version: 1
defaults: { unparsible: block }
detectors: { emial: mask }
rules:
  - { id: a, on: postgres, match: { verb: DELET }, action: blok }
  - { id: a, on: postgres, match: { verb: SELECT, has_where: yes please }, action: block }
  - { id: b, on: postgres, match: { verb: INSERT, has_where: false }, action: hold, approval: { gruops: [dba] } }
  - { on: postgres, action: block }
tests:
  - { as: { kind: agent }, sql: SELECT 1, expect: { action: block, rules: [c] } }
`
  assert.throws(
    () => compilePolicy(text, 'p.yaml'),
    (error: Error) => {
      const told = error.message
        .split('\n')
        .slice(1)
        .map((line) => line.trim().replace(/^p.yaml:(\d+):\d+: /, '$1 '))
      assert.deepEqual(told, [
        '2 defaults.unparsible: unknown key; did you mean "unparsable"?',
        '3 detectors.emial: there is no detector of this name; did you mean "email"?',
        '5 rules[0].match.verb: no statement has the verb "DELET"; did you mean "DELETE"?',
        '5 rules[0].action: found "blok", expected one of block, hold, allow; did you mean "block"?',
        '6 rules[1].id: "a" is taken by the rule in line 5; this one could never be told from it',
        '6 rules[1].match.has_where: found "yes please", expected true or false',
        '7 rules[2].match.has_where: INSERT has no WHERE: the rule could never fire',
        '7 rules[2].approval.gruops: unknown key; did you mean "groups"?',
        '8 rules[3]: "id" is missing',
      ])
      return true
    },
  )
})

test('thresholds that count nothing, or over no time, are refused', () => {
  const threshold = (text: string) => () => policyOf(`  - { id: a, action: block, threshold: { ${text} } }`)
  assert.throws(threshold('per: session'), /counts nothing: give `rows`, `bytes`, `distinct` or `code`/)
  assert.throws(threshold('rows: 5, per: identity'), /needs a `window`/)
  assert.throws(threshold('rows: 5, per: session, window: 1h'), /only per: identity has one/)
  assert.throws(threshold('rows: 5, per: identity, window: 169h'), /at most 168h/)
  assert.throws(threshold('distinct: 5, per: identity, window: 1h'), /per statement or per session/)
  threshold('rows: 5, bytes: 1MiB, per: identity, window: 10m')()
})

test('conditions, hours and labels that could never decide anything are refused', () => {
  const text = `version: 1
labels:
  pii.email: { names: ["*email*"], entity: email }
rules:
  - { id: a, when: facts.limit, action: block }
  - { id: b, on: postgres, match: { kind: reply }, when: facts.ddl, action: block }
  - { id: c, during: { days: mon, zone: Mars/Olympus }, action: block }
  - { id: d, during: { days: mon-fri }, outside: { days: mon-sun }, action: block }
  - { id: e, on: postgres, match: { labels: "pii.emial" }, action: block }
  - { id: f, on: echo, match: { labels: "pii.*" }, action: block }
  - { id: fine, on: postgres, match: { labels: ["pii.*", "unknown-origin"] }, during: { days: mon, hours: "22:00-04:00" }, action: block }
`
  assert.throws(
    () => compilePolicy(text, 'p.yaml'),
    (error: Error) => {
      const told = error.message.split('\n').map((line) => line.trim().replace(/^p.yaml:(\d+):\d+: /, '$1 '))
      assert.deepEqual(told.slice(1), [
        '5 rules[0].when: says int, not true or false',
        '6 rules[1].when: reply has no facts to look at: the rule could never fire',
        '7 rules[2].during.zone: "Mars/Olympus" is no time zone known here; write it like Europe/Berlin',
        '8 rules[3].outside: leaves no minute of the week: the rule could never fire',
        '9 rules[4].match.labels: "pii.emial" fits no label of this policy; did you mean "pii.email"?',
        '10 rules[5].match.labels: no message of echo has this fact: the rule could never fire',
      ])
      return true
    },
  )
})

test('a word of the policy in another case is a mistake that says which one was meant', () => {
  const text = `version: 1
rules:
  - { id: a, on: HTTP, match: { method: delete }, action: block }
  - { id: b, on: ssh, match: { operation: Read }, action: block }
  - { id: c, on: kubernetes, match: { verb: Delete, kind: Request }, action: block }
`
  const told = mistakes(text).join('\n')
  for (const meant of ['3.*did you mean "http"', '4.*did you mean "read"', '5.*did you mean "request"'])
    assert.match(told, new RegExp(meant))
})
