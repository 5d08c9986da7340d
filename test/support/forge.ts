import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { pack } from '../../recorder/tape/msgpack.ts'
import { encodeRecord } from '../../recorder/tape/record.ts'
import type { GatewaySigner } from '../../recorder/tape/signer.ts'
import { certify } from '../../recorder/tape/signer.ts'
import { SIGNED, TAPE_MAGIC, TAPE_VERSION, tapeKeys } from '../../schemas/tape.ts'
import { MemoryStore } from './memory-store.ts'
import { START } from './recording.ts'

/** Written from docs/tape-format.md and not with the recorder's own code: a second opinion, and an attacker who has every key. */
export interface Key {
  readonly raw: Buffer
  readonly privateKey: KeyObject
}

export function makeKey(): Key {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { raw: publicKey.export({ format: 'der', type: 'spki' }).subarray(12), privateKey }
}

export const ID = '20261120T120000Z-gw1-00000001'
const STARTED_AT = '2026-11-20T12:00:00.000Z'
export const SALT_KEY = Buffer.alloc(32, 7)

const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest()

function signed(kind: keyof typeof SIGNED, bytes: Uint8Array, key: Key): Buffer {
  return sign(null, Buffer.concat([Buffer.from(SIGNED[kind], 'latin1'), bytes]), key.privateKey)
}

function salt(seq: number): Buffer {
  const group = Buffer.alloc(8)
  group.writeBigUInt64BE(BigInt(Math.floor(seq / 4)))
  const salts = createHash('sha512').update(SALT_KEY).update(group).digest()
  return salts.subarray((seq % 4) * 16, (seq % 4) * 16 + 16)
}

/** RFC 6962 section 2.1, as it is written there. */
function treeHash(leaves: readonly Buffer[]): Buffer {
  const [only] = leaves
  if (only === undefined) return sha256()
  if (leaves.length === 1) return only
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return sha256(Buffer.of(1), treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)))
}

export interface ForgedChunk {
  readonly record: Buffer
  readonly header: Buffer
  readonly head: Buffer
}

export interface ChunkPlan {
  readonly n: number
  readonly firstSeq: number
  readonly texts: readonly string[]
  readonly prev: Uint8Array
  readonly key: Key
  readonly next: Key
  /** When it claims to begin; its number otherwise. */
  readonly firstUs?: number
  /** Its frames as they are, of whatever shape; made of `texts` otherwise. */
  readonly frames?: readonly Buffer[]
}

/** A chunk of `in` frames with these bodies, stored uncompressed. */
export function forgeChunk(plan: ChunkPlan): ForgedChunk {
  const { n, firstSeq, texts, prev, key, next, firstUs = firstSeq } = plan
  const packed = (text: string, index: number): Buffer =>
    Buffer.from(pack([firstSeq + index, firstUs + index, 0, 0, 'query', {}, Buffer.from(text), null, null]))
  const frames = plan.frames ?? texts.map(packed)
  const leaves = frames.map((frame, index) => sha256(Buffer.of(0), salt(firstSeq + index), frame))
  const raw = Buffer.concat(frames.flatMap((frame) => [u32(frame.length), frame]))
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const lastUs = firstUs + texts.length - 1
  const header = Buffer.from(
    pack([n, firstSeq, texts.length, firstUs, lastUs, prev, treeHash(leaves), raw.length, 0, bytes, 0, 0, next.raw]),
  )
  const signature = signed('chunk', header, key)
  const marks = Buffer.concat(leaves.map((leaf) => leaf.subarray(0, 2)))
  return {
    record: encodeRecord('chunk', [u32(header.length), header, signature, Buffer.of(0), marks, raw]),
    header,
    head: sha256(header, signature),
  }
}

/** A seal over these chunks, whose frames have these texts. */
export function forgeSeal(chunks: readonly ForgedChunk[], texts: readonly string[], key: Key): Buffer {
  const totals = {
    frames: texts.length,
    bytesIn: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
    bytesOut: 0,
    rows: 0,
    statements: 0,
    masked: 0,
    verdicts: { allow: texts.length, mask: 0, block: 0, hold: 0 },
  }
  const end = {
    v: TAPE_VERSION,
    id: ID,
    reason: 'client.left',
    chunks: chunks.length,
    root: treeHash(chunks.map(({ header }) => sha256(Buffer.of(0), header))),
    head: chunks.at(-1)?.head ?? Buffer.alloc(32),
    atUs: texts.length - 1,
    endedAt: STARTED_AT,
    totals,
  }
  const seal = Buffer.from(pack(end))
  return encodeRecord('seal', [pack([seal, signed('seal', seal, key)])])
}

export interface ForgedTape {
  readonly store: MemoryStore
  readonly keys: readonly Key[]
  readonly headerRecord: Buffer
  /** SHA-256 of the header's statement, hex. */
  readonly headerHash: string
  readonly chunks: readonly ForgedChunk[]
  readonly sealRecord: Buffer
  /** Header, then whatever the test puts together. */
  write(records: readonly Uint8Array[]): MemoryStore
}

/** A tape of one chunk per list of texts, sealed, without index and footer. */
export async function forgeTape(signer: GatewaySigner, lists: readonly (readonly string[])[]): Promise<ForgedTape> {
  const keys = [...lists, [], []].map(makeKey)
  const keyAt = (index: number): Key => keys[index] ?? makeKey()
  const session = { ...START, id: ID, gateway: 'gw1', number: 1, startedAt: STARTED_AT }
  const statement = Buffer.from(
    pack({
      v: TAPE_VERSION,
      segment: 0,
      session,
      epoch: keyAt(0).raw,
      salt: sha256(SALT_KEY),
      monotonicUs: 0,
      lossWindow: 'none',
      checkpoint: null,
    }),
  )
  const { gateway, algorithm, keyId, signature } = await certify(signer, 'header', statement)
  const headerRecord = encodeRecord('header', [pack([statement, [gateway, algorithm, keyId, signature]])])
  const chunks: ForgedChunk[] = []
  let [head, seq] = [sha256(statement), 0]
  for (const [n, texts] of lists.entries()) {
    const chunk = forgeChunk({ n, firstSeq: seq, texts, prev: head, key: keyAt(n), next: keyAt(n + 1) })
    chunks.push(chunk)
    head = chunk.head
    seq += texts.length
  }
  const sealRecord = forgeSeal(chunks, lists.flat(), keyAt(lists.length))
  const write = (records: readonly Uint8Array[]): MemoryStore => {
    const store = new MemoryStore()
    store.objects.set(tapeKeys.salt(ID), SALT_KEY)
    store.objects.set(tapeKeys.segment(ID, 0), Buffer.concat([TAPE_MAGIC, headerRecord, ...records]))
    return store
  }
  return {
    store: write([...chunks.map(({ record }) => record), sealRecord]),
    keys,
    headerRecord,
    headerHash: sha256(statement).toString('hex'),
    chunks,
    sealRecord,
    write,
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
