import { join } from 'node:path'
import { ApplianceError } from '../../schemas/errors.ts'
import {
  type Attestation,
  type Problem,
  type TapeVerification,
  type TrustVerification,
  worstVerdict,
} from '../../schemas/verification.ts'
import { cosignedAt } from '../../schemas/verify/cosignature.ts'
import { withProblems } from '../../schemas/verify/ledger-check.ts'
import { ledgerKeys } from '../../schemas/verify/ledger-line.ts'
import { type Checkpoint, MAX_NOTE_SIZE, parseCheckpoint, parseNote, signersOf } from '../../schemas/verify/note.ts'
import { type Attester, quorumMet, type TrustPolicy } from '../../schemas/verify/trust-policy.ts'
import type { VerifiedLedger } from '../../schemas/verify/verify-ledger.ts'
import { areNested } from '../files.ts'
import type { Store } from '../store/store.ts'
import { nodeTools } from '../tape/tools.ts'
import { anchorPrefix } from './attest.ts'
import { readAuthorities } from './authorities.ts'

/** A timestamp with its certificates, or a signature. */
const MAX_WORD_SIZE = 64 << 10
/** Of an anchor this many checkpoints are compared at least: the newest ones. */
const ANCHORED = 10_000

export interface TrustRules {
  readonly policy: TrustPolicy
  /** The store an anchor line names. */
  readonly openAnchor: (place: string) => Promise<Readable>
  /** Where a timestamp line's file is. */
  readonly resolve: (file: string) => string
}

type Readable = Pick<Store, 'get' | 'list' | 'mark' | 'folder'>

/** An attester, ready to be asked. */
interface Asked {
  /** Of an anchor: what no copy of it has, where that can be told. */
  readonly mark?: string | undefined
  readonly name: string
  readonly kind: Attester['kind']
  /** When it attested this checkpoint, ISO 8601, or that it did (`''`); undefined where it did not. */
  readonly attested: (note: Uint8Array, checkpoint: Checkpoint) => Promise<string | undefined>
}

/**
 * Which part of a verified ledger the trust policy's third parties vouch for, and whether any of them contradicts it. What an anchor has and
 * the ledger has not is a rollback or a fork, whatever the quorum.
 */
export async function judgeTrust(
  store: Readable | undefined,
  ledger: VerifiedLedger | undefined,
  rules: TrustRules,
): Promise<TrustVerification> {
  const { policy } = rules
  if (store === undefined || ledger === undefined) return { verdict: 'UNTRUSTED', size: null, attestations: [], problems: [] }
  const problems: Problem[] = []
  const asked: Asked[] = []
  for (const attester of policy.attesters) asked.push(await askedOf(attester, store, ledger, rules, problems))
  refuseTwins(asked)
  const newest = new Map<string, Attestation>()
  let size: number | null = policy.quorum === 'none' && policy.logs.length === 0 ? ledger.result.size : null
  for (const at of [...ledger.checkpoints.keys()].sort((a, b) => b - a)) {
    if (size !== null) break
    // Under its own number, and as it was read before: one that stands elsewhere has been told of, and counts for nobody.
    const note = await find(store, ledgerKeys.checkpoint(at), MAX_NOTE_SIZE)
    const checkpoint = note === undefined ? undefined : parsed(note)
    if (note === undefined || checkpoint === undefined || checkpoint.size !== at) continue
    if (Buffer.from(checkpoint.root).toString('hex') !== ledger.checkpoints.get(at)) continue
    if (policy.logs.length > 0) {
      const signers = await signersOf(nodeTools, checkpoint.note, policy.logs)
      if (signers === false || signers.length === 0) continue
    }
    const names = new Set<string>()
    for (const { name, kind, attested } of asked) {
      const when = await attested(note, checkpoint)
      if (when === undefined) continue
      names.add(name)
      if (!newest.has(name)) newest.set(name, { name, kind, size: at, at: when === '' ? null : when })
    }
    if (quorumMet(policy, names)) size = at
  }
  return {
    verdict: worstVerdict([...problems.map(({ verdict }) => verdict), ...(size === null ? (['UNTRUSTED'] as const) : [])]),
    size,
    attestations: asked.map(({ name, kind }) => newest.get(name) ?? { name, kind, size: null, at: null }),
    problems,
  }
}

/** The tape, UNTRUSTED where nobody vouches for the ledger's last word on it. */
export function checkTrust(
  tape: TapeVerification,
  ledger: VerifiedLedger | undefined,
  trust: TrustVerification,
): TapeVerification {
  const facts = ledger?.facts.sessions.get(tape.session)
  const last = (facts?.deleted ?? facts?.close ?? facts?.recover ?? facts)?.place
  if (last !== undefined && trust.size !== null && last.entry < trust.size) return tape
  const what =
    ledger === undefined
      ? 'the trust policy asks for attested checkpoints, and there is no ledger here to have any'
      : trust.size === null
        ? 'no checkpoint of the ledger is attested as the trust policy asks'
        : `what the ledger says of this tape last is not attested yet: the policy is met up to entry ${trust.size - 1}`
  return withProblems(tape, [{ verdict: 'UNTRUSTED', part: 'trust', what, ...(last ?? { object: `tapes/${tape.session}/` }) }])
}

async function askedOf(
  attester: Attester,
  store: Readable,
  ledger: VerifiedLedger,
  rules: TrustRules,
  problems: Problem[],
): Promise<Asked> {
  const { name, kind } = attester
  switch (attester.kind) {
    case 'witness':
      return {
        name,
        kind,
        async attested(note, { size }) {
          const line = await find(store, ledgerKeys.witness(size, `${attester.key.keyId}.cosignature`))
          const timeS = line === undefined ? undefined : await cosignedIn(note, line, attester.key)
          return timeS === undefined ? undefined : new Date(timeS * 1000).toISOString()
        },
      }
    case 'timestamp': {
      const trusted = await readAuthorities(rules.resolve(attester.file))
      return {
        name,
        kind,
        async attested(note, { size }) {
          // By whatever name the gateway knows the authority: its signature decides.
          for await (const key of store.list(ledgerKeys.witness(size, ''))) {
            const token = key.endsWith('.tsr') ? await find(store, key) : undefined
            if (token === undefined) continue
            const { checkTimestamp } = await import('./timestamp.ts')
            const timestamp = await checkTimestamp(token, note, trusted).catch(malformed)
            if (timestamp !== undefined) return timestamp.at
          }
          return undefined
        },
      }
    }
    case 'anchor': {
      const anchor = await rules.openAnchor(attester.place)
      const { kept, mark } = await anchored(anchor, name, ledger, problems, store)
      return { name, kind, mark, attested: async (_, { size }) => (kept.has(size) ? '' : undefined) }
    }
    default:
      return attester satisfies never
  }
}

/** Sizes of checkpoints that the anchor has and the ledger agrees with. What it does not agree with is a problem. */
async function anchored(
  anchor: Readable,
  name: string,
  ledger: VerifiedLedger,
  problems: Problem[],
  store: Readable,
): Promise<{ readonly kept: ReadonlySet<number>; readonly mark: string | undefined }> {
  const kept = new Set<number>()
  const keys: string[] = []
  for await (const key of anchor.list(anchorPrefix(ledger.result.origin ?? ''))) keys.push(key)
  await refuseItself(store, anchor, name, [
    keys[0],
    keys.at(-1),
    ledgerKeys.checkpoint(Math.max(0, ...ledger.checkpoints.keys())),
  ])
  await refuseNested(store, anchor, name, ledger.result.origin ?? '')
  for (const object of keys.slice(-ANCHORED)) {
    const note = await find(anchor, object)
    const checkpoint = note === undefined ? undefined : parsed(note)
    if (checkpoint === undefined) continue
    const { size, root } = checkpoint
    const told = (what: string): void =>
      void problems.push({ verdict: 'INVALID', part: 'anchor', what: `${name}: ${what}`, object })
    const own = ledger.checkpoints.get(size)
    if (own === undefined)
      told(
        size > ledger.result.size
          ? `it has a checkpoint of ${size} entries, the ledger has ${ledger.result.size}: it was rolled back`
          : `it has a checkpoint of ${size} entries, which the ledger has no longer`,
      )
    else if (own !== Buffer.from(root).toString('hex'))
      told(`its checkpoint of ${size} entries is of another tree: the ledger is a fork`)
    else kept.add(size)
  }
  return { kept, mark: await markOf(anchor, keys) }
}

/** Of its oldest object and of its newest. */
async function markOf(anchor: Readable, keys: readonly string[]): Promise<string | undefined> {
  const [first, last] = [keys[0], keys.at(-1)]
  if (anchor.mark === undefined || first === undefined || last === undefined) return undefined
  return `${await anchor.mark(first)} ${await anchor.mark(last)}`
}

/** A folder in that of the store, or the store in it: whoever rewrites the one rewrites the other. Where links on the way lead counts, not what they are called. */
async function refuseNested(store: Readable, anchor: Readable, name: string, origin: string): Promise<void> {
  if (store.folder === undefined || anchor.folder === undefined) return
  for (const folder of [anchor.folder, join(anchor.folder, anchorPrefix(origin))])
    if (await areNested(store.folder, folder))
      throw new ApplianceError(
        'CONFIG_INVALID',
        `the trust policy’s ${name} is ${folder}, which lies in the store that is verified (${store.folder}), or has it in it: whoever rewrites the one rewrites the other`,
      )
}

/** The store under another address: it would vouch for itself, whatever was done to it. */
async function refuseItself(
  store: Readable,
  anchor: Readable,
  name: string,
  keys: readonly (string | undefined)[],
): Promise<void> {
  for (const key of new Set(keys)) {
    const mark = key === undefined ? undefined : await markIn(anchor, key)
    if (key === undefined || mark === undefined || (await markIn(store, key)) !== mark) continue
    throw new ApplianceError(
      'CONFIG_INVALID',
      `the trust policy’s ${name} is the very store that is verified, which would vouch for itself`,
    )
  }
}

async function markIn(store: Readable, key: string): Promise<string | undefined> {
  try {
    return await store.mark?.(key)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
    throw error
  }
}

/** One container has many addresses; under two of them it would count twice. */
function refuseTwins(asked: readonly Asked[]): void {
  for (const [index, { name, mark }] of asked.entries()) {
    const twin = mark === undefined ? undefined : asked.slice(0, index).find((other) => other.mark === mark)
    if (twin !== undefined)
      throw new ApplianceError(
        'CONFIG_INVALID',
        `the trust policy’s ${twin.name} and ${name} are one container, which would count twice`,
      )
  }
}

async function cosignedIn(
  note: Uint8Array,
  line: Uint8Array,
  key: Parameters<typeof cosignedAt>[2],
): Promise<number | undefined> {
  try {
    return await cosignedAt(nodeTools, parseNote(Buffer.concat([note, line])), key)
  } catch (error) {
    return malformed(error)
  }
}

/** Undefined for what is no checkpoint. */
function parsed(note: Uint8Array): Checkpoint | undefined {
  try {
    return parseCheckpoint(note)
  } catch (error) {
    return malformed(error)
  }
}

async function find(store: Pick<Store, 'get'>, key: string, most = MAX_WORD_SIZE): Promise<Uint8Array | undefined> {
  try {
    return await store.get(key, { from: 0, to: most })
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
    throw error
  }
}

/** What is no attestation attests nothing. */
function malformed(error: unknown): undefined {
  if (error instanceof ApplianceError && (error.code === 'LEDGER_MALFORMED' || error.code === 'TAPE_MALFORMED')) return undefined
  throw error
}
