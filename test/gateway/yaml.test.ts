import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from 'typebox'
import { nearest, openYaml, readYaml } from '../../gateway/yaml.ts'
import { ApplianceError } from '../../schemas/errors.ts'

const Schema = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    mode: Type.Optional(Type.Union([Type.Literal('fast'), Type.Literal('safe')])),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    hosts: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String({ pattern: '^[a-z]+$' }), { minItems: 1 })])),
    upstream: Type.Optional(Type.Object({ password: Type.Integer(), on: Type.Boolean() }, { additionalProperties: false })),
    many: Type.Optional(Type.Record(Type.String({ pattern: '^[a-z]+$' }), Type.Integer(), { additionalProperties: false })),
  },
  { additionalProperties: false },
)

function mistakes(text: string): string[] {
  try {
    readYaml(text, 'x.yaml', Schema, 'CONFIG_INVALID')
    return []
  } catch (error) {
    assert.ok(error instanceof ApplianceError)
    assert.equal(error.code, 'CONFIG_INVALID')
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
}

test('a good file is its value', () => {
  assert.deepEqual(readYaml('name: a\nhosts: [b, c]\n', 'x.yaml', Schema, 'CONFIG_INVALID'), { name: 'a', hosts: ['b', 'c'] })
})

test('every mistake is told at once, with its place, what was found and what is expected', () => {
  assert.deepEqual(
    mistakes('nmae: a\nmode: fats\nport: 99999\nhosts: [B, c]\nupstream:\n  password: hunter2\n  on: maybe\nmany: { a: x }\n'),
    [
      'x.yaml:1:1: "name" is missing',
      'x.yaml:1:1: nmae: unknown key; did you mean "name"?',
      'x.yaml:2:1: mode: found "fats", expected one of fast, safe; did you mean "fast"?',
      'x.yaml:3:1: port: found 99999, expected a whole number from 1 to 65535',
      'x.yaml:4:9: hosts[0]: found "B", expected text like ^[a-z]+$',
      'x.yaml:6:3: upstream.password: found text, expected a whole number',
      'x.yaml:7:3: upstream.on: found "maybe", expected true or false',
      'x.yaml:8:9: many.a: found "x", expected a whole number',
    ],
  )
})

test('what is empty or too long is told as that, with what would be taken', () => {
  const schema = Type.Object({
    short: Type.String({ minLength: 1, maxLength: 3 }),
    inner: Type.Object({ a: Type.Optional(Type.String()), b: Type.Optional(Type.String()) }, { minProperties: 1 }),
  })
  const told = (text: string): string => {
    try {
      return JSON.stringify(readYaml(text, 'x.yaml', schema, 'CONFIG_INVALID'))
    } catch (error) {
      return error instanceof Error ? error.message : ''
    }
  }
  assert.match(told('short: ""\ninner: {}'), /short: found "", expected some text of at most 3 characters\n/)
  assert.match(told('short: abcd\ninner: { a: x }'), /short: found "abcd", expected some text of at most 3 characters$/)
  assert.match(told('short: a\ninner: {}'), /inner: found an empty mapping, expected a mapping with one of a, b$/)
})

test('of a union the branch of the same shape is explained, else all of them', () => {
  assert.deepEqual(mistakes('name: a\nhosts: []'), [
    'x.yaml:2:1: hosts: found an empty list, expected a list of at least 1: text like ^[a-z]+$',
  ])
  assert.deepEqual(mistakes('name: a\nhosts: 5'), [
    'x.yaml:2:1: hosts: found 5, expected text, or a list of at least 1: text like ^[a-z]+$',
  ])
})

test('text that is no YAML is located, duplicates and unknown tags among it', () => {
  assert.match(mistakes('name: [a\nmode: fast')[0] ?? '', /^x\.yaml:\d+:\d+: /)
  assert.match(mistakes('name: a\nname: b')[0] ?? '', /^x\.yaml:2:1: .*unique/i)
  assert.match(mistakes('name: !!js/function "x"')[0] ?? '', /^x\.yaml:1:7: .*tag/i)
  assert.match(mistakes('')[0] ?? '', /expected a mapping/)
  assert.match(mistakes('- a')[0] ?? '', /found a list, expected a mapping/)
})

test('what is no YAML is told in words for who wrote it, at its place, and never quoted: it may be a secret', () => {
  for (const [text, place, words] of [
    ['name: a\nmode: *hush', '2:7', /alias .* of no anchor before it/],
    ['name: *hush\nmode: &hush fast', '1:7', /alias .* of no anchor before it/],
    ['name: a\nmode: !hush', '2:7', /tag .* means nothing here/],
    ['name: "\\hush"', '1:8', /backslash that begins no escape/],
    ['name: |hush\n  a', '1:8', /extra characters/],
    ['name: a\n---\nname: hush', '2:1', /second document begins here/],
    ['name: a\nname: hush', '2:1', /stands here twice/],
  ] as const) {
    const [told = ''] = mistakes(text)
    assert.match(told, words)
    assert.ok(told.startsWith(`x.yaml:${place}: `), told)
    assert.doesNotMatch(told, /hush/)
  }
  assert.match(mistakes(`name: ${'['.repeat(5_000)}${']'.repeat(5_000)}`)[0] ?? '', /nested too deeply/)
})

test('hostile files cost little: alias bombs, more mistakes than anybody reads, sheer size', () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x,x]\n${[...'bcdefghij'].map((c, i) => `${c}: &${c} [${Array(10).fill(`*${'abcdefghij'[i]}`).join()}]`).join('\n')}`
  assert.match(mistakes(bomb)[0] ?? '', /alias/i)
  const many = mistakes(`name: a\nmany: {${Array.from({ length: 300 }, (_, i) => `k${'x'.repeat(i)}: y`).join()}}`)
  assert.ok(many.length <= 101)
  assert.throws(() => readYaml(`name: ${'a'.repeat(2_000_000)}`, 'x.yaml', Schema, 'CONFIG_INVALID'), /2000006 characters/)
})

test('a key called __proto__ is a key', () => {
  assert.match(mistakes('name: a\n__proto__: { admin: true }')[0] ?? '', /__proto__: unknown key/)
})

test('a reader may add mistakes of its own, and they come in the order of lines', () => {
  const file = openYaml('name: a\nhosts: [b, c]\nport: 1\n', 'x.yaml', Schema, 'POLICY_INVALID')
  assert.equal(file.line(['hosts', 1]), 2)
  file.mistake(['port'], 'is taken')
  file.mistake(['hosts', 1], 'is down')
  assert.throws(() => file.finish(), {
    code: 'POLICY_INVALID',
    message: 'x.yaml: 2 mistakes\n  x.yaml:2:12: hosts[1]: is down\n  x.yaml:3:1: port: is taken',
  })
})

test('the nearest word is near', () => {
  assert.equal(nearest('emial', ['email', 'card']), 'email')
  assert.equal(nearest('xyz', ['email', 'card']), undefined)
  assert.equal(nearest('x'.repeat(10_000), ['email']), undefined)
})

test('what a thing is for stands behind what it has to look like, and a mapping says what it needs', () => {
  const Described = Type.Object({
    name: Type.String({ pattern: '^[a-z]+$', description: 'Names it' }),
    secret: Type.Union([Type.Object({ env: Type.String() }), Type.Object({ file: Type.String() })]),
  })
  assert.throws(
    () => readYaml('name: B\nsecret: x\n', 'x.yaml', Described, 'CONFIG_INVALID'),
    (error: Error) => {
      assert.deepEqual(error.message.split('\n').slice(1), [
        '  x.yaml:1:1: name: found "B", expected text like ^[a-z]+$ (Names it)',
        '  x.yaml:2:1: secret: found text, expected a mapping with env, or a mapping with file',
      ])
      return true
    },
  )
})
