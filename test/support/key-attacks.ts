import { pack } from '../../recorder/tape/msgpack.ts'
import { encodeRecord } from '../../recorder/tape/record.ts'
import { unpack } from '../../schemas/msgpack.ts'
import { RECORD_HEAD_SIZE, TAPE_MAGIC, tapeKeys } from '../../schemas/tape.ts'
import { array } from '../../schemas/tape-members.ts'
import type { Attack, Tapes } from './attacks.ts'
import { forgeChunk, forgeSeal, ID, makeKey } from './forge.ts'

const none = Buffer.alloc(0)
const payloadOf = (record: Buffer): Buffer => record.subarray(RECORD_HEAD_SIZE, -32)

/** Points that are of small order, or written otherwise than they must be: some libraries take signatures by them that nobody made. */
const UNSOUND = {
  'of order 1': `01${'00'.repeat(31)}`,
  'of order 1, with a sign': `01${'00'.repeat(30)}80`,
  'of order 2': `ec${'ff'.repeat(30)}7f`,
  'of order 2, with a sign': `ec${'ff'.repeat(31)}`,
  'of order 4': '00'.repeat(32),
  'of order 4, with a sign': `${'00'.repeat(31)}80`,
  'of order 8': 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'of order 8, with a sign': 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  'of order 8, the other': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'of order 8, the other, with a sign': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'not canonical, of order 4': `ed${'ff'.repeat(30)}7f`,
  'not canonical, of order 1': `ee${'ff'.repeat(30)}7f`,
  'no point at all': `02${'00'.repeat(31)}`,
}

/** A recorder that names an epoch key for which anybody can sign: the seal is then by nobody. */
export function unsoundKeys({ forged }: Tapes): Attack[] {
  const [key = makeKey()] = forged.keys
  const prev = Buffer.from(forged.headerHash, 'hex')
  return Object.entries(UNSOUND).flatMap(([name, hex]) =>
    // s = 0 fits every R that is minus k times the key: of a key of order 1 it is always the neutral point.
    [UNSOUND['of order 1'], UNSOUND['not canonical, of order 1']].map((r, index): Attack => {
      const next = { raw: Buffer.from(hex, 'hex'), privateKey: makeKey().privateKey }
      const chunk = forgeChunk({ n: 0, firstSeq: 0, texts: ['a'], prev, key, next })
      const [statement] = array(unpack(payloadOf(forgeSeal([chunk], ['a'], next))), 'seal')
      const seal = encodeRecord('seal', [pack([statement, Buffer.concat([Buffer.from(r, 'hex'), Buffer.alloc(32)])])])
      return {
        name: `a seal by a key ${name}, R ${index}`,
        objects: forged.write([chunk.record, seal]).objects,
        verdict: 'INVALID',
        named: { part: 'seal' },
      }
    }),
  )
}

/** A statement's version, of any shape, by somebody who has no key. */
export function oddVersions({ forged }: Tapes): Attack[] {
  const [statement, certificate] = array(unpack(payloadOf(forged.headerRecord)), 'header')
  const bytes = statement instanceof Uint8Array ? Buffer.from(statement) : none
  const at = bytes.indexOf(Buffer.from('a176', 'hex')) + 2
  const row = (name: string, hex: string, verdict: 'INVALID' | 'UNVERIFIABLE'): Attack => {
    const changed = Buffer.concat([bytes.subarray(0, at), Buffer.from(hex, 'hex'), bytes.subarray(at + 1)])
    const segment = Buffer.concat([TAPE_MAGIC, encodeRecord('header', [pack([changed, certificate])])])
    const objects = new Map([...forged.store.objects, [tapeKeys.segment(ID, 0), segment]])
    return { name: `a header of version ${name}`, objects, verdict, named: { part: 'header' } }
  }
  return [
    row('2', '02', 'UNVERIFIABLE'),
    row('2.0', 'cb4000000000000000', 'UNVERIFIABLE'),
    row('2^32 - 1', 'ceffffffff', 'UNVERIFIABLE'),
    row('2^32', 'cf0000000100000000', 'INVALID'),
    row('2^53', 'cb4340000000000000', 'INVALID'),
    row('1e300', 'cb7e37e43c8800759c', 'INVALID'),
    row('infinity', 'cb7ff0000000000000', 'INVALID'),
    row('2.5', 'cb4004000000000000', 'INVALID'),
    row('true', 'c3', 'INVALID'),
    row('0', '00', 'INVALID'),
  ]
}
