import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { passwordLiterals } from '../../../../gateway/protocols/postgres/password-literals.ts'

const found = (sql: string): string[] => {
  const bytes = Buffer.from(sql)
  return passwordLiterals(bytes, 0, bytes.length).map(({ from, to }) => bytes.toString('utf8', from, to))
}

test('the string behind the word PASSWORD is found, however it is written', () => {
  assert.deepEqual(found(`alter role a password 'one'`), ['one'])
  assert.deepEqual(found(`alter role a PassWord\n\t'o''ne'`), [`o''ne`])
  assert.deepEqual(found(`create role a password E'o\\'ne' login`), [`o\\'ne`])
  assert.deepEqual(found(`create role a password U&'one'`), ['one'])
  assert.deepEqual(found('create role a password $$one$$'), ['one'])
  assert.deepEqual(found('create role a password $tag$o$$ne$tag$ login'), ['o$$ne'])
  assert.deepEqual(found(`options (user 'u', password 'one'), (password = 'two')`), ['one', 'two'])
})

test('an open literal runs to the end, and other words are left alone', () => {
  assert.deepEqual(found(`alter role a password 'one`), ['one'])
  assert.deepEqual(found(`alter role a password null; select 'x'`), [])
  assert.deepEqual(found('select password from users'), [])
})

test('whatever stands around it, literals lie inside the text, in order', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('password', `'`, '$', '$a$', 'E', '\\', ' ', 'x', `''`)), (words) => {
      const bytes = Buffer.from(words.join(''))
      let at = 0
      for (const { from, to } of passwordLiterals(bytes, 0, bytes.length)) {
        assert.ok(from >= at && to > from && to <= bytes.length)
        at = to
      }
    }),
  )
})
