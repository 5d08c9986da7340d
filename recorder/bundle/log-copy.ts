import { sameBytes } from '../../schemas/bytes.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { HASH_SIZE } from '../../schemas/tape.ts'
import { EntryKeys } from '../../schemas/verify/entry-keys.ts'
import { isImported } from '../../schemas/verify/ledger-facts.ts'
import { isCount, ledgerKeys, parseLine } from '../../schemas/verify/ledger-line.ts'
import { MerkleStack } from '../../schemas/verify/merkle.ts'
import { type Checkpoint, MAX_NOTE_SIZE, noteKeysOf, parseCheckpoint, signersOf } from '../../schemas/verify/note.ts'
import { isWithin, PeriodLog, type PeriodRange } from '../../schemas/verify/period-log.ts'
import { Sequence } from '../../schemas/verify/sequence.ts'
import type { TlogProof } from '../../schemas/verify/tlog-proof.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { inclusionProof, leafHash, nodeHash } from '../../schemas/verify/tree.ts'
import { newestCheckpoint } from '../ledger/ledger-reader.ts'
import type { Store } from '../store/store.ts'
import { merkleRoot, sha256 } from '../tape/merkle.ts'
import { keyIdOf } from '../tape/signer.ts'
import { nodeTools } from '../tape/tools.ts'

/** Subtrees of so many leaves and more are hashed once, however many proofs need them. */
const KEPT_LEVEL = 6

export interface Watermark extends Checkpoint {
  /** The signed note. */
  readonly bytes: Uint8Array
  /** Of the trusted keys that have signed it. */
  readonly keyIds: ReadonlySet<string>
}

/** The checkpoint of that size, or the newest. Rejects STORE_MISSING where there is none, LEDGER_MALFORMED where no trusted key has signed it. */
export async function watermarkOf(
  store: Store,
  trusted: readonly GatewayKey[],
  size: number | undefined,
  signal?: AbortSignal,
): Promise<Watermark> {
  const bytes =
    size === undefined
      ? (await newestCheckpoint(store, signal))?.bytes
      : await store.get(ledgerKeys.checkpoint(size), { from: 0, to: MAX_NOTE_SIZE + 1 }, signal)
  if (bytes === undefined)
    throw new ApplianceError('STORE_MISSING', 'the ledger has no checkpoint yet; try again in a few seconds')
  const checkpoint = parseCheckpoint(bytes)
  const signers = await signersOf(nodeTools, checkpoint.note, noteKeysOf(nodeTools, checkpoint.origin, trusted))
  if (signers === false || signers.length === 0)
    throw new ApplianceError(
      'LEDGER_MALFORMED',
      `the checkpoint of size ${checkpoint.size} is signed by no key that is trusted here`,
    )
  const keyIds = new Set(signers.map(({ publicKey }) => keyIdOf(publicKey)))
  return { ...checkpoint, bytes, keyIds }
}

/** The log as far as a bundle of this period needs it. */
export interface CopiedLog {
  readonly log: PeriodLog
  /** Leaf of the first line copied; the watermark's size where the period has none. */
  readonly from: number
  readonly left: readonly Uint8Array[]
  /** Leaves whose line counts for nothing: no entries, strangers'. */
  readonly ignored: ReadonlySet<number>
  /** Sessions opened before the period that had not ended when it began. */
  readonly carried: number
  /** Why a tape of the population that is asked for may be gone: deleted under a rule by an entry behind the watermark. */
  readonly deletedSince: ReadonlyMap<string, string>
  /** Whether the log knows the session from outside the period, or the watermark, or from before there was a log. */
  knows(session: string): boolean
  /** Inclusion of a leaf among those copied, under the watermark. */
  proof(index: number, line: Uint8Array): Promise<TlogProof>
}

/**
 * Reads the log once, from its first line, and hands on every line from the period's first entry to the watermark. Rejects LEDGER_MALFORMED where
 * the lines are not those of the watermark.
 */
export async function copyLog(
  store: Store,
  trusted: readonly GatewayKey[],
  watermark: Watermark,
  range: PeriodRange,
  onLine: (line: Uint8Array) => Promise<void>,
  signal?: AbortSignal,
): Promise<CopiedLog> {
  const keys = new EntryKeys(nodeTools, trusted)
  const log = new PeriodLog(range, keys)
  const deletedSince = new Map<string, string>()
  const tree = new MerkleStack(sha256)
  let leaves: LeafHashes | undefined
  const ignored = new Set<number>()
  const running = new Set<string>()
  const others = new Set<string>()
  const imported = new Map<string, number>()
  let from: number | undefined
  let left: readonly Uint8Array[] = []
  let root: Uint8Array | undefined = watermark.size === 0 ? tree.root() : undefined
  let carried = 0
  let index = 0
  for await (const { bytes } of new Sequence().read(store, signal)) {
    if (index < watermark.size) {
      // Before the period only what opens, ends or begins it is looked into.
      const statement = from === undefined ? parseLine(bytes)?.statement : undefined
      if (from === undefined && statement !== undefined && isWithin(statement.at, range.period)) {
        from = index
        left = tree.roots
        leaves = new LeafHashes(from, left)
        carried = running.size
      }
      const [session, type] = [statement?.['session'], statement?.type]
      if (from === undefined && typeof session === 'string') {
        if (type === 'session.open') running.add(session)
        else if (type === 'session.close' || type === 'session.recover') running.delete(session)
      }
      if (type === 'journal.import' && statement !== undefined && isCount(statement['sessions']))
        imported.set(statement.gateway, statement['sessions'])
      tree.push(bytes)
      if (from !== undefined) {
        leaves?.push(leafHash(sha256, bytes))
        const entry = await log.add(index, bytes)
        if (entry === undefined) ignored.add(index)
        else if (entry.statement.type === 'session.open') others.add(String(entry.statement['session']))
        await onLine(bytes)
      } else if (type === 'session.open') others.add(String(session))
      if (index + 1 === watermark.size) root = tree.root()
    } else {
      const line = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      if (line.includes('"type":"session.open"')) {
        const statement = parseLine(bytes)?.statement
        if (statement !== undefined) others.add(String(statement['session']))
      } else if (line.includes('"type":"retention.delete"')) {
        const entry = parseLine(bytes)
        if (entry !== undefined && (await keys.check(entry)) === 'good') {
          const { session, rule, at } = entry.statement
          deletedSince.set(String(session), `deleted at ${at} by rule ${rule}, by entry ${index}, behind the watermark`)
        }
      }
    }
    index += 1
  }
  if (root === undefined || !sameBytes(root, watermark.root))
    throw new ApplianceError(
      'LEDGER_MALFORMED',
      `the ledger’s lines are not those of its checkpoint of ${watermark.size} entries; see \`sallyport verify\``,
    )
  if (from === undefined) {
    from = watermark.size
    left = tree.count === watermark.size ? tree.roots : await rootsOf(store, watermark.size, signal)
    carried = running.size
  }
  return {
    log,
    from,
    left,
    ignored,
    carried,
    deletedSince,
    knows: (session) => others.has(session) || isImported(imported, session),
    async proof(at, line) {
      const node = async (level: number, place: number): Promise<Uint8Array> => leaves?.node(level, place) ?? fail()
      const hashes = await inclusionProof(sha256, node, at, watermark.size)
      return { extra: line, index: at, hashes, checkpoint: watermark.bytes }
    },
  }
}

/** Throws CONFIG_INVALID where the scope names a target that neither the period's log nor the configuration has: it is a slip, not an empty population. */
export function refuseUnknown(
  log: Pick<PeriodLog, 'targets'>,
  { scope, knownTargets }: Pick<PeriodRange, 'scope'> & { readonly knownTargets?: readonly string[] },
): void {
  const unknown = scope.target.filter((name) => knownTargets?.includes(name) === false && !log.targets.has(name))
  if (unknown.length > 0)
    throw new ApplianceError(
      'CONFIG_INVALID',
      `no session of the period is of ${unknown.join(', ')}, and the configuration has no such target: nothing is in that scope`,
    )
}

/** Where no line is copied, the tree's own subtrees stand for all of it. */
async function rootsOf(store: Store, size: number, signal: AbortSignal | undefined): Promise<readonly Uint8Array[]> {
  const tree = new MerkleStack(sha256)
  for await (const { bytes } of new Sequence().read(store, signal)) {
    if (tree.count === size) break
    tree.push(bytes)
  }
  return tree.roots
}

/** Leaf hashes from some leaf on, and the nodes over them. */
class LeafHashes {
  readonly #start: number
  readonly #left = new Map<string, Uint8Array>()
  #hashes = new Uint8Array(1 << 16)
  #count = 0
  readonly #kept = new Map<string, Uint8Array>()

  /** `left`: roots of the complete subtrees before leaf `start`, the largest first. */
  constructor(start: number, left: readonly Uint8Array[]) {
    this.#start = start
    let at = 0
    for (const root of left) {
      // The next one is the largest power of two that has room.
      const size = 2 ** Math.floor(Math.log2(start - at))
      this.#left.set(`${at} ${at + size}`, root)
      at += size
    }
  }

  push(hash: Uint8Array): void {
    if ((this.#count + 1) * HASH_SIZE > this.#hashes.length) {
      const larger = new Uint8Array(this.#hashes.length * 2)
      larger.set(this.#hashes)
      this.#hashes = larger
    }
    this.#hashes.set(hash, this.#count * HASH_SIZE)
    this.#count += 1
  }

  /** A complete subtree: of these leaves, of those before them, or of both. */
  node(level: number, index: number): Uint8Array {
    const start = this.#start
    const [from, to] = [index * 2 ** level, (index + 1) * 2 ** level]
    // Beside the way to a later leaf only the complete subtrees of what is before can stand.
    if (to <= start) return this.#left.get(`${from} ${to}`) ?? fail()
    const key = `${level} ${index}`
    const known = this.#kept.get(key)
    if (known !== undefined) return known
    const hash =
      level === 0
        ? this.#hashes.slice((from - start) * HASH_SIZE, (to - start) * HASH_SIZE)
        : from >= start && level < KEPT_LEVEL
          ? merkleRoot(Buffer.from(this.#hashes.subarray((from - start) * HASH_SIZE, (to - start) * HASH_SIZE)), to - from)
          : nodeHash(sha256, this.node(level - 1, index * 2), this.node(level - 1, index * 2 + 1))
    if (level >= KEPT_LEVEL) this.#kept.set(key, hash)
    return hash
  }
}

function fail(): never {
  throw new RangeError('the tree has no such node')
}
