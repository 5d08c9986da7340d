import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../../gateway/masking/explain.ts'
import { DEFAULT_RULES, ENTITY_NAMES } from '../../../gateway/masking/rules.ts'
import { INNOCENT, pemKey, SAMPLES } from './samples.ts'

for (const entity of ENTITY_NAMES) {
  test(`finds ${entity}, exactly`, () => {
    for (const [value, frame] of SAMPLES[entity]) {
      const text = frame.replace('{}', () => value)
      const start = frame.indexOf('{}')
      assert.deepEqual(
        explain(text),
        [{ entity, start, end: start + value.length, rule: `detector:${entity}` }],
        `in ${JSON.stringify(text)}`,
      )
    }
  })

  test(`leaves ${entity} alone where it is to be ignored`, () => {
    const rules = { ...DEFAULT_RULES, detectors: { ...DEFAULT_RULES.detectors, [entity]: 'ignore' } } as const
    for (const [value, frame] of SAMPLES[entity]) {
      const found = explain(
        frame.replace('{}', () => value),
        rules,
      )
      assert.ok(!found.some((hit) => hit.entity === entity))
    }
  })
}

test('finds nothing in what only looks like something', () => {
  for (const text of INNOCENT) assert.deepEqual(explain(text), [], text)
})

test('a value inside a longer word or number is not a value', () => {
  for (const entity of [
    'us-ssn',
    'card',
    'iban',
    'aws-access-key-id',
    'github-token',
    'npm-token',
    'google-api-key',
    'sallyport-key',
  ] as const) {
    for (const [value] of SAMPLES[entity]) {
      assert.deepEqual(explain(`x7${value}`), [], `before ${entity}`)
      if (!value.includes(' ') && entity !== 'github-token') assert.deepEqual(explain(`${value}Z7`), [], `after ${entity}`)
    }
  }
})

test('a value behind an escape of JSON or of a string is found, and the escape stays whole', () => {
  for (const ending of ['\\n', '\\t', '\\\\r', '\\f', '\\u000a', '\\u000A']) {
    for (const entity of [
      'email',
      'us-ssn',
      'card',
      'aws-access-key-id',
      'github-token',
      'npm-token',
      'sallyport-key',
    ] as const) {
      for (const [value] of SAMPLES[entity]) {
        const text = `{"note": "see${ending}${value}"}`
        const found = explain(text).map((hit) => [hit.entity, text.slice(hit.start, hit.end)])
        assert.deepEqual(found, [[entity, value]], text)
      }
    }
    if (ending.includes('u')) continue
    for (const [value] of SAMPLES.iban)
      assert.deepEqual(
        explain(`"see${ending}${value}"`).map(({ entity }) => entity),
        ['iban'],
        `${ending}${value}`,
      )
  }
  assert.deepEqual(
    explain('{"a": "see\\npassword: \\"Zx9!kk2Lq_w\\""}').map(({ entity }) => entity),
    ['password'],
  )
})

test('several values of several kinds are found side by side', () => {
  const [email] = SAMPLES.email[0] ?? ['']
  const [card] = SAMPLES.card[0] ?? ['']
  const [jwt] = SAMPLES.jwt[0] ?? ['']
  const text = `${email},${card},${jwt},${email}`
  assert.deepEqual(
    explain(text).map(({ entity, start, end }) => [entity, text.slice(start, end)]),
    [
      ['email', email],
      ['card', card],
      ['jwt', jwt],
      ['email', email],
    ],
  )
})

test('a private key is hidden to its END line, whatever its length, and no further', () => {
  for (const lineCount of [1, 40, 200, 2000]) {
    const key = pemKey(lineCount)
    const text = `a: 1\n${key}\nb: 2`
    assert.deepEqual(
      explain(text).map(({ start, end }) => [start, end]),
      [[5, 5 + key.length]],
    )
  }
})

test('positions count characters of the text, not bytes', () => {
  const [email] = SAMPLES.email[0] ?? ['']
  const text = `Grüße 😀 ${email}`
  assert.deepEqual(
    explain(text).map(({ start, end }) => text.slice(start, end)),
    [email],
  )
})

test('what only speaks of a secret is none; a word of people is', () => {
  const found = (text: string): boolean => explain(text).length > 0
  for (const value of [
    'password1',
    'user_password',
    'my-secret-token',
    'newPassword',
    'your password',
    'Enter the password, please',
    'app.auth.token',
    'pw',
  ])
    assert.ok(!found(`password: "${value}"`), value)
  for (const user of ['pass', 'pw', 'secret1', 'my-password']) assert.ok(!found(`postgres://me:${user}@host/db`), user)
  for (const value of [
    'monkey',
    'hunter',
    'correct horse battery staple',
    'Password123!',
    'passe-partout',
    'keyboard',
    'userland',
  ])
    assert.ok(found(`password: "${value}"`), value)
  assert.ok(found('postgres://me:passage@host/db'))
})

test('a long row of such words is judged as quickly as any other', () => {
  const started = process.cpuUsage()
  for (const unit of ['pass', 'my ', 'key-', 'a', 'user.', 'aB'])
    explain(`password: "${unit.repeat(60).slice(0, 120)}!"`.repeat(200))
  assert.ok(process.cpuUsage(started).user < 5e6)
})
