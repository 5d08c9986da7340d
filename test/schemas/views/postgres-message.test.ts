import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serialize } from 'pg-protocol'
import { BACKEND, message, nulTerminated } from '../../../gateway/protocols/postgres/messages.ts'
import { viewMessage } from '../../../schemas/views/postgres-message.ts'

const client = (bytes: Uint8Array) => viewMessage('client', bytes, [], []).shown
const server = (bytes: Uint8Array) => viewMessage('server', bytes, [], []).shown

/** DataRow of values, null for NULL. */
function row(...values: readonly (Uint8Array | null)[]): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from([0, values.length])]
  for (const value of values) {
    const length = Buffer.alloc(4)
    length.writeInt32BE(value?.length ?? -1)
    parts.push(length, value ?? Buffer.alloc(0))
  }
  return message(BACKEND.dataRow, ...parts)
}

test('what a driver sends is shown as statements, parameters and plain words', () => {
  assert.deepEqual(client(serialize.query('SELECT 1')), [{ show: 'statement', label: 'query', text: 'SELECT 1' }])
  assert.deepEqual(client(serialize.parse({ name: 'q1', text: 'SELECT $1::int, $2', types: [] })), [
    { show: 'statement', label: 'parse q1', text: 'SELECT $1::int, $2' },
  ])
  assert.deepEqual(client(serialize.bind({ portal: 'c', statement: 'q1', values: ['7', null] })), [
    { show: 'word', label: 'bind q1 ->c', text: "$1 = '7', $2 = NULL" },
  ])
  assert.deepEqual(client(serialize.execute({ portal: 'c', rows: 5 })), [
    { show: 'word', label: 'execute c', text: 'at most 5 rows' },
  ])
  assert.deepEqual(client(serialize.close({ type: 'S', name: 'q1' })), [{ show: 'word', label: 'close', text: 'statement q1' }])
  assert.deepEqual(client(serialize.copyFail('no more')), [{ show: 'word', label: 'copy failed', text: 'no more' }])
  assert.deepEqual(client(serialize.sync()), [])
})

test('an error is shown with its code, detail and hint', () => {
  const fields = ['SERROR', 'VERROR', 'C42501', 'Mblocked by rule r1', 'Hask for approval', ''].map(nulTerminated)
  assert.deepEqual(server(message(BACKEND.error, ...fields)), [
    { show: 'word', label: 'error', text: 'ERROR 42501: blocked by rule r1\nHINT: ask for approval' },
  ])
})

test('a row keeps NULL, empty text and bytes that are no text apart', () => {
  assert.deepEqual(server(row(null, Buffer.from(''), Buffer.from('é'), Buffer.from([0xff, 0x00]))), [
    { show: 'row', cells: [{ text: null }, { text: '' }, { text: 'é' }, { text: '\\xff00' }] },
  ])
})

test('a binary value is read as a number only where the server said that it is one', () => {
  const digits = Buffer.from('1234')
  const columns = [{ name: 'n', typeOid: 23, binary: true }]
  assert.deepEqual(viewMessage('server', row(digits), [], columns).shown, [{ show: 'row', cells: [{ text: '825373492' }] }])
  assert.deepEqual(server(row(digits)), [{ show: 'row', cells: [{ text: '1234' }] }])
})

test('a masked cell names what was there, also where only NULL is left of it', () => {
  const bytes = row(Buffer.from('a'), Buffer.from('[MASKED:email]'), null)
  const value = Buffer.from(bytes).indexOf('[MASKED')
  const spans = [
    { from: value, to: value + 14, entity: 'email', rule: 'pii' },
    { from: bytes.length - 4, to: bytes.length, entity: 'birthdate', rule: 'label' },
  ]
  assert.deepEqual(viewMessage('server', bytes, spans, []).shown, [
    {
      show: 'row',
      cells: [
        { text: 'a' },
        { text: '[MASKED:email]', masked: 'email', rule: 'pii' },
        { text: null, masked: 'birthdate', rule: 'label' },
      ],
    },
  ])
})

test('messages cut short inside their fields are shown as far as they go', () => {
  const whole = [serialize.bind({ values: ['abc'] }), serialize.parse({ text: 'SELECT 1' }), row(Buffer.from('abc'))]
  for (const bytes of whole) {
    for (let size = 5; size < bytes.length; size++) {
      assert.doesNotThrow(() => client(bytes.subarray(0, size)))
      assert.doesNotThrow(() => server(bytes.subarray(0, size)))
    }
  }
})
