import { base64Bytes, base64Of, sameBytes } from '../bytes.ts'
import { ApplianceError } from '../errors.ts'
import { HASH_SIZE } from '../tape.ts'
import { type Checkpoint, MAX_NOTE_SIZE, type NoteKey, parseCheckpoint, signersOf } from './note.ts'
import type { VerifyTools } from './tools.ts'
import { leafHash, rootFromInclusion } from './tree.ts'

// Offline proofs that a log has an entry, as C2SP has them: c2sp.org/tlog-proof.

const FIRST_LINE = 'c2sp.org/tlog-proof@v1'
/** An entry, a note and 48 hashes: a tree of 2^48 leaves. */
export const MAX_PROOF_SIZE = (128 << 10) + MAX_NOTE_SIZE
const MAX_HASHES = 48

export interface TlogProof {
  /** The entry's line; proofs by others may have none, or something else. */
  readonly extra: Uint8Array | undefined
  readonly index: number
  /** From the leaf's sibling up. */
  readonly hashes: readonly Uint8Array[]
  /** The signed note, as it is. */
  readonly checkpoint: Uint8Array
}

export function formatProof({ extra, index, hashes, checkpoint }: TlogProof): string {
  const lines = [
    FIRST_LINE,
    ...(extra === undefined ? [] : [`extra ${base64Of(extra)}`]),
    `index ${index}`,
    ...hashes.map(base64Of),
  ]
  return `${lines.join('\n')}\n\n${new TextDecoder().decode(checkpoint)}`
}

/** Throws LEDGER_MALFORMED. Nothing is checked yet. */
export function parseProof(bytes: Uint8Array): TlogProof {
  if (bytes.length > MAX_PROOF_SIZE) throw malformed(`a proof has at most ${MAX_PROOF_SIZE} bytes`)
  const text = new TextDecoder().decode(bytes)
  const split = text.indexOf('\n\n')
  const [first, ...lines] = text.slice(0, Math.max(0, split)).split('\n')
  if (split < 0 || first !== FIRST_LINE) throw malformed(`the proof does not begin with ${FIRST_LINE}`)
  const extra = lines[0]?.startsWith('extra ') === true ? base64Bytes(lines.shift()?.slice('extra '.length) ?? '') : undefined
  const index = /^index (0|[1-9]\d{0,15})$/.exec(lines.shift() ?? '')?.[1]
  if (index === undefined || !Number.isSafeInteger(Number(index))) throw malformed('the proof has no index')
  if (lines.length > MAX_HASHES) throw malformed(`the proof has ${lines.length} hashes, the limit is ${MAX_HASHES}`)
  const hashes = lines.map((line) => {
    const hash = base64Bytes(line)
    if (hash?.length !== HASH_SIZE) throw malformed('a line of the proof is not a hash')
    return hash
  })
  return { extra, index: Number(index), hashes, checkpoint: new TextEncoder().encode(text.slice(split + 2)) }
}

export interface CheckedProof {
  readonly index: number
  readonly entry: Uint8Array
  readonly checkpoint: Checkpoint
  /** Those of the given keys that have signed the checkpoint; at least one. */
  readonly signers: readonly NoteKey[]
}

/**
 * Checks that `entry` (the proof's own `extra` where none is given) is leaf `index` of a tree that one of these keys has signed.
 * Throws LEDGER_MALFORMED with what is wrong.
 */
export async function checkProof(
  tools: Pick<VerifyTools, 'sha256' | 'verifyKey'>,
  proof: TlogProof,
  keysOf: (origin: string) => readonly NoteKey[],
  entry = proof.extra,
): Promise<CheckedProof> {
  if (entry === undefined) throw malformed('the proof does not bring its entry along; name it')
  const checkpoint = parseCheckpoint(proof.checkpoint)
  const signers = await signersOf(tools, checkpoint.note, keysOf(checkpoint.origin))
  if (signers === false) throw malformed('a signature of the checkpoint is wrong')
  if (signers.length === 0) throw malformed('the checkpoint is signed by no key that is trusted')
  const sha256 = (bytes: Uint8Array): Uint8Array => tools.sha256(bytes)
  const root = rootFromInclusion(sha256, leafHash(sha256, entry), proof.index, checkpoint.size, proof.hashes)
  if (root === undefined || !sameBytes(root, checkpoint.root))
    throw malformed(`the entry is not number ${proof.index} of the tree that was signed`)
  return { index: proof.index, entry, checkpoint, signers }
}

function malformed(what: string): ApplianceError {
  return new ApplianceError('LEDGER_MALFORMED', what)
}
