import { gunzipSync, gzipSync } from 'node:zlib'
import { sha256 } from '../../recorder/tape/merkle.ts'
import { pack } from '../../recorder/tape/msgpack.ts'
import { encodeRecord } from '../../recorder/tape/record.ts'
import { type Unpacked, unpack } from '../../schemas/msgpack.ts'
import { FOOTER_SIZE, RECORD_HEAD_SIZE, TAPE_MAGIC, tapeKeys } from '../../schemas/tape.ts'
import { array, object } from '../../schemas/tape-members.ts'
import { decodeStatement } from '../../schemas/tape-statement.ts'
import type { Attack, Tapes } from './attacks.ts'
import { forgeChunk, forgeSeal, ID, makeKey } from './forge.ts'

const none = Buffer.alloc(0)
const payloadOf = (record: Buffer): Buffer => record.subarray(RECORD_HEAD_SIZE, -32)

/** Frames of other shapes, signed by whoever holds the keys. */
export function oddFrames({ forged }: Tapes): Attack[] {
  const [key = makeKey(), next = makeKey()] = forged.keys
  const { statement } = decodeStatement(payloadOf(forged.headerRecord))
  const row = (name: string, frame: Uint8Array, good = false, firstUs = 0): Attack => {
    const plan = { n: 0, firstSeq: 0, texts: ['x'], frames: [Buffer.from(frame)], firstUs }
    const chunk = forgeChunk({ ...plan, prev: sha256(statement), key, next })
    return {
      name: `signed: ${name}`,
      objects: forged.write([chunk.record, forgeSeal([chunk], ['x'], next)]).objects,
      verdict: good ? 'VALID-INCOMPLETE' : 'INVALID',
      named: good ? { part: 'footer' } : { part: 'frames', chunk: 0, ...(frame.length > 0 ? { frame: 0 } : { frames: [0, 0] }) },
    }
  }
  const frame = (changed: Readonly<Record<number, unknown>> = {}): Uint8Array =>
    pack([0, 0, 0, 0, 'query', {}, Buffer.from('x'), null, null].map((item, at) => (at in changed ? changed[at] : item)))
  /** `seq`, in other bytes than its one. */
  const seq = (hex: string): Buffer => Buffer.concat([Buffer.of(0x99), Buffer.from(hex, 'hex'), frame().subarray(2)])
  /** The fact `a`, likewise. */
  const fact = (hex: string): Buffer => swapped(frame({ 5: { a: 1 } }), 'a16101', `a161${hex}`)
  const long = 5_000_000_000
  return [
    row('a number as a float of 8 bytes', seq('cb0000000000000000'), true),
    row('minus zero', seq('cb8000000000000000'), true),
    row('a number as a float of 4 bytes', seq('ca00000000'), true),
    row('a number in 8 bytes', seq('cf0000000000000000'), true),
    row('a time behind 71 minutes, of which headers have floats', frame({ 1: long }), true, long),
    row('a fact of 2^53 - 1', fact('cf001fffffffffffff'), true),
    row('a fact of 2^53', fact('cf0020000000000000')),
    row('a fact of -2^53', fact('d3ffe0000000000000')),
    row('a number with a fraction', seq('cb3fe0000000000000')),
    row('a fact twice', swapped(frame({ 5: { a: 1, b: 2 } }), 'a16202', 'a16102')),
    row('channel -1', frame({ 3: -1 })),
    row('masks of three', frame({ 7: [[], none, 1] })),
    row('a cut span', frame({ 7: [[], Buffer.alloc(15)] })),
    row('a label of three', frame({ 7: [[['a', 'b', 'c']], none] })),
    row('a verdict of three', frame({ 8: ['allow', [], 'p'] })),
    row('a verdict of five', frame({ 8: ['allow', [], 'p', null, 1] })),
    row('a body of more than 1 MiB', frame({ 6: Buffer.alloc((1 << 20) + 1) })),
    { ...row('of more than 8 MiB', frame({ 5: { a: 'y'.repeat(8 << 20) } })), named: { part: 'frames', frames: [0, 0] } },
    row('of no bytes', none),
  ]
}

/** Arrays and maps around what is signed, by somebody who needs no key for it. */
export function oddShapes({ forged, recorded, id }: Tapes): Attack[] {
  const header = array(unpack(payloadOf(forged.headerRecord)), 'header')
  const certificate = array(header[1], 'certificate')
  const seal = array(unpack(payloadOf(forged.sealRecord)), 'seal')
  const chunks = forged.chunks.map(({ record }) => record)
  const row = (name: string, first: unknown, last: unknown, part: 'header' | 'seal'): Attack => {
    const records = [encodeRecord('header', [pack(first)]), ...chunks, encodeRecord('seal', [pack(last)])]
    const bytes = Buffer.concat([TAPE_MAGIC, ...records])
    const objects = new Map([...forged.store.objects, [tapeKeys.segment(ID, 0), bytes]])
    return { name: `unsigned: ${name}`, objects, verdict: 'INVALID', named: { part } }
  }
  const last = tapeKeys.segment(id, 2)
  const segment = Buffer.from(recorded.objects.get(last) ?? none)
  const indexAt = Number(segment.readBigUInt64BE(segment.length - FOOTER_SIZE + 8))
  const stored = segment.subarray(indexAt + RECORD_HEAD_SIZE + 1, -FOOTER_SIZE - 32)
  const index = object(unpack(gunzipSync(stored)), 'index')
  const [rows, density] = [array(index['chunks'], 'rows'), object(index['density'], 'density')]
  const summary = object(index['summary'], 'summary')
  const totals = object(summary['totals'], 'totals')
  const indexed = (name: string, change: object): Attack => {
    const record = encodeRecord('index', [Buffer.of(1), gzipSync(pack({ ...index, ...change }))])
    const footer = Buffer.from(segment.subarray(-FOOTER_SIZE))
    footer.writeBigUInt64BE(BigInt(indexAt + record.length + FOOTER_SIZE), 16)
    footer.set(sha256(Buffer.concat([footer.subarray(0, 32), record.subarray(-32)])), 32)
    const bytes = Buffer.concat([segment.subarray(0, indexAt), record, footer])
    const verdict = Object.keys(change).length === 0 ? 'VALID' : 'INVALID'
    const named = verdict === 'VALID' ? {} : { named: { part: 'index' as const, object: last } }
    return { name: `an index with ${name}`, objects: new Map([...recorded.objects, [last, bytes]]), verdict, ...named }
  }
  return [
    row('a header of three', [...header, 1], seal, 'header'),
    row('a certificate of five', [header[0], [...certificate, 1]], seal, 'header'),
    row('a certificate of three', [header[0], certificate.slice(0, 3)], seal, 'header'),
    row('nil for a certificate', [header[0], null], seal, 'header'),
    row('a seal of three', header, [...seal, Buffer.alloc(1 << 20)], 'seal'),
    indexed('nothing else', {}),
    indexed('a member more', { more: 'x' }),
    indexed('a row of thirteen', { chunks: rows.map((one) => [...array(one, 'row'), 7]) }),
    indexed('a row of eleven', { chunks: rows.map((one) => array(one, 'row').slice(0, 11)) }),
    indexed('more in its density', { density: { ...density, more: 1 } }),
    indexed('more in its summary', { summary: { ...summary, more: 1 } }),
    indexed('booleans for numbers in its rows', { chunks: truthy(rows) }),
    indexed('true for its version', { v: true }),
    indexed('booleans for numbers in its density', { density: { ...density, counts: truthy(density['counts'] ?? null) } }),
    indexed('more in its totals', { summary: { ...summary, totals: { ...totals, more: 1 } } }),
  ]
}

/** With booleans in the places of 0 and 1: some languages call them equal. */
function truthy(value: Unpacked): Unpacked {
  if (value === 0 || value === 1) return value === 1
  if (Array.isArray(value)) return value.map(truthy)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]: [string, Unpacked]) => [name, truthy(item)]))
}

function swapped(bytes: Uint8Array, from: string, to: string): Buffer {
  return Buffer.from(Buffer.from(bytes).toString('hex').replace(from, to), 'hex')
}
