import assert from 'node:assert/strict'
import { test } from 'node:test'
import { JsonKeys } from '../../../../gateway/protocols/http/json-keys.ts'

test('a key is looked into once, wherever it comes again, and never taken for another', () => {
  const words = ['id', 'name', 'note', 'id', 'name', 'note', 'name', 'di', 'id', '', 'note', 'nope', 'id']
  const source = Buffer.from(words.join(' '))
  const asked: string[] = []
  const keys = new JsonKeys(source, (from, to) => {
    asked.push(source.toString('latin1', from, to))
    return to - from > 2
  })
  let at = 0
  for (const word of words) {
    const found = keys.find(at, at + word.length)
    assert.deepEqual([source.toString('latin1', found?.from, found?.to), found?.clean], [word, word.length > 2])
    at += word.length + 1
  }
  assert.deepEqual(asked, ['id', 'name', 'note', 'di', '', 'nope'])
})

test('what is remembered has a limit, and what is too long for a name is not', () => {
  const source = Buffer.from(Array.from({ length: 5000 }, (_, n) => String(n).padStart(5, '0')).join(''))
  const keys = new JsonKeys(source, () => true)
  const found = new Set(Array.from({ length: 5000 }, (_, n) => keys.find(5 * n, 5 * n + 5)))
  found.delete(undefined)
  assert.ok(found.size > 100 && found.size <= 1024)
  assert.equal(keys.find(0, 65), undefined)
})
