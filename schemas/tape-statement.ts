import { type Unpacked, unpack } from './msgpack.ts'
import type { SessionInfo } from './session.ts'
import {
  type Certificate,
  type ContinuedHeader,
  HASH_SIZE,
  KEY_SIZE,
  type RecoveryStatement,
  type SealStatement,
  TAPE_MAGIC,
  TAPE_VERSION,
  type TapeHeader,
  type Totals,
} from './tape.ts'
import { array, binary, count, isNewer, malformed, object, sized, text, tuple, version } from './tape-members.ts'

/** Where in it the version's digit stands. */
const VERSION_AT = 5

/** A signed statement and its signature or certificate, as headers, recovery statements and seals are stored: `[bin, ...]`. */
export function decodeStatement(payload: Uint8Array): { readonly statement: Uint8Array; readonly rest: readonly Unpacked[] } {
  const [statement, ...rest] = array(unpack(payload), 'statement')
  if (rest.length > 1) throw malformed('something stands behind a statement and its signature')
  return { statement: binary(statement, 'statement'), rest }
}

export function decodeCertificate(value: Unpacked | undefined): Certificate {
  const [gateway, algorithm, keyId, signature] = tuple(value, 4, 'certificate')
  return {
    gateway: text(gateway, 'certificate gateway'),
    algorithm: text(algorithm, 'certificate algorithm'),
    keyId: text(keyId, 'certificate key id'),
    signature: binary(signature, 'certificate signature'),
  }
}

export function decodeHeader(statement: Uint8Array): TapeHeader | ContinuedHeader {
  const map = object(unpack(statement), 'header')
  version(map)
  const segment = count(map['segment'], 'header segment')
  if (segment > 0) {
    return {
      v: TAPE_VERSION,
      segment,
      id: text(map['id'], 'header id'),
      prev: sized(map['prev'], HASH_SIZE, 'header prev'),
      chunk: count(map['chunk'], 'header chunk'),
      seq: count(map['seq'], 'header seq'),
    }
  }
  const session = object(map['session'], 'header session')
  text(session['id'], 'session id')
  text(session['gateway'], 'session gateway')
  count(session['number'], 'session number')
  text(session['startedAt'], 'session start')
  text(session['durability'], 'session durability')
  object(session['identity'], 'session identity')
  object(session['target'], 'session target')
  return {
    v: TAPE_VERSION,
    segment: 0,
    // Written by us from a SessionInfo and signed; the members readers branch on are checked above.
    session: session as unknown as SessionInfo,
    epoch: sized(map['epoch'], KEY_SIZE, 'header epoch key'),
    salt: sized(map['salt'], HASH_SIZE, 'header salt commitment'),
    monotonicUs: count(map['monotonicUs'], 'header clock'),
    lossWindow: text(map['lossWindow'], 'header loss window'),
    checkpoint: map['checkpoint'] === null ? null : binary(map['checkpoint'], 'header checkpoint'),
  }
}

export function decodeRecovery(statement: Uint8Array): RecoveryStatement {
  const map = object(unpack(statement), 'recovery statement')
  version(map)
  return {
    v: TAPE_VERSION,
    id: text(map['id'], 'recovery id'),
    gateway: text(map['gateway'], 'recovery gateway'),
    spool: text(map['spool'], 'recovery spool'),
    recoveredAt: text(map['recoveredAt'], 'recovery time'),
    head: sized(map['head'], HASH_SIZE, 'recovery head'),
    segment: count(map['segment'], 'recovery segment'),
    offset: count(map['offset'], 'recovery offset'),
    chunks: count(map['chunks'], 'recovery chunks'),
    frames: count(map['frames'], 'recovery frames'),
    recovered: count(map['recovered'], 'recovered frames'),
    discardedBytes: count(map['discardedBytes'], 'recovery discarded bytes'),
    salt: sized(map['salt'], HASH_SIZE, 'recovery salt commitment'),
    epoch: sized(map['epoch'], KEY_SIZE, 'recovery key'),
  }
}

export function decodeSeal(statement: Uint8Array): SealStatement {
  const map = object(unpack(statement), 'seal')
  version(map)
  return {
    v: TAPE_VERSION,
    id: text(map['id'], 'seal id'),
    reason: text(map['reason'], 'seal reason'),
    chunks: count(map['chunks'], 'seal chunks'),
    root: sized(map['root'], HASH_SIZE, 'seal root'),
    head: sized(map['head'], HASH_SIZE, 'seal head'),
    atUs: count(map['atUs'], 'seal time'),
    endedAt: text(map['endedAt'], 'seal end'),
    totals: totalsOf(map['totals']),
  }
}

/** The version of a segment with the magic of a later version than ours; undefined for every other beginning. */
export function newerMagic(magic: Uint8Array): number | undefined {
  const version = (magic[VERSION_AT] ?? 0) - 0x30
  const like = magic.length === TAPE_MAGIC.length && TAPE_MAGIC.every((byte, at) => at === VERSION_AT || magic[at] === byte)
  return like && version > TAPE_VERSION && version <= 9 ? version : undefined
}

/** The version a statement says it is written in, where that is later than ours; undefined for every other bytes. */
export function newerVersion(statement: Uint8Array): number | undefined {
  try {
    const version = object(unpack(statement), 'statement')['v']
    return isNewer(version) ? version : undefined
  } catch {
    return undefined
  }
}

/** The members of totals and of their verdicts, which are all there are where no signature covers them. */
export const TOTALS_MEMBERS = ['frames', 'bytesIn', 'bytesOut', 'rows', 'statements', 'masked', 'verdicts']
export const VERDICT_MEMBERS = ['allow', 'mask', 'block', 'hold']

export function totalsOf(value: Unpacked | undefined): Totals {
  const map = object(value, 'totals')
  const verdicts = object(map['verdicts'], 'totals verdicts')
  return {
    frames: count(map['frames'], 'total frames'),
    bytesIn: count(map['bytesIn'], 'total bytes in'),
    bytesOut: count(map['bytesOut'], 'total bytes out'),
    rows: count(map['rows'], 'total rows'),
    statements: count(map['statements'], 'total statements'),
    masked: count(map['masked'], 'total masked'),
    verdicts: {
      allow: count(verdicts['allow'], 'total allow'),
      mask: count(verdicts['mask'], 'total mask'),
      block: count(verdicts['block'], 'total block'),
      hold: count(verdicts['hold'], 'total hold'),
    },
  }
}
