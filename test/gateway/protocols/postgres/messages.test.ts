import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  cstring,
  cstringEnd,
  int32,
  message,
  nameAt,
  nameOf,
  nulTerminated,
  text,
  uint16,
} from '../../../../gateway/protocols/postgres/messages.ts'

test('a message is its type, its length with itself, and its parts', () => {
  const bytes = message(0x51, nulTerminated('a'), Uint8Array.of(7))
  assert.deepEqual([...bytes], [0x51, 0, 0, 0, 7, 0x61, 0, 7])
  assert.equal(int32(bytes, 1), 7)
  assert.equal(uint16(bytes, 3), 7)
  assert.equal(int32(Uint8Array.of(255, 255, 255, 255), 0), -1)
})

test('a string without its NUL before the end is none', () => {
  const bytes = Buffer.from('ab\0cd')
  assert.equal(cstring(bytes, 0, 5), 'ab')
  assert.equal(cstringEnd(bytes, 3, 5), -1)
  assert.equal(cstring(bytes, 3, 5), '')
  assert.equal(cstringEnd(bytes, 0, 2), -1, 'a NUL behind the end belongs to somebody else')
})

test('names are what the server tells apart: their first 63 bytes, whatever these mean', () => {
  const long = 'x'.repeat(63)
  assert.equal(nameOf(`${long}1`), nameOf(`${long}2`))
  assert.notEqual(nameOf(`${long.slice(1)}1`), nameOf(`${long.slice(1)}2`))
  assert.notEqual(nameAt(Uint8Array.of(0xff, 0), 0, 2), nameAt(Uint8Array.of(0xfe, 0), 0, 2), 'bytes that are not UTF-8 differ')
  assert.equal(nameAt(nulTerminated('größe'), 0, 8), nameOf('größe'))
})

test('a byte order mark is part of the text', () => {
  assert.equal(text.decode(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61)), '\ufeffa')
})
