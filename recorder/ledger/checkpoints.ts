import { ApplianceError } from '../../schemas/errors.ts'
import { ledgerKeys } from '../../schemas/verify/ledger-line.ts'
import { checkpointText, derEcdsa, noteKeyOf, parseCheckpoint, parseOrigin, signatureLine } from '../../schemas/verify/note.ts'
import type { Store } from '../store/store.ts'
import { sha256 } from '../tape/merkle.ts'
import type { GatewaySigner } from '../tape/signer.ts'
import { nodeTools } from '../tape/tools.ts'
import type { TileTree } from './tile-tree.ts'

export interface KnownCheckpoint {
  readonly size: number
  readonly root: Uint8Array
  /** The signed note. */
  readonly bytes: Uint8Array
}

/**
 * Publishes the tree as it is: full tiles and bundles, partial tiles, and last the checkpoint that needs them. Another process may publish
 * the same at the same time. `entries` stores the partial bundle too, which is the one large object among them.
 */
export async function publishCheckpoint(
  parts: { readonly store: Store; readonly tree: TileTree; readonly origin: string; readonly signer: GatewaySigner },
  entries: boolean,
): Promise<KnownCheckpoint> {
  const { store, tree, origin, signer } = parts
  const { size } = tree
  const root = tree.root()
  // Everything of this size is taken before the first wait: the tree grows meanwhile.
  for (const { key, bytes } of [...tree.full, ...tree.partial(entries)]) await putDerived(store, key, bytes)
  tree.stored(size)
  const bytes = Buffer.from(await signedCheckpoint(origin, size, root, signer))
  const key = ledgerKeys.checkpoint(size)
  try {
    await store.put(key, bytes)
    return { size, root, bytes }
  } catch (error) {
    if (!isConflict(error)) throw error
    // A gateway with another key was quicker with the same.
    const other = await store.get(key)
    const { size: otherSize, root: otherRoot } = parseCheckpoint(other)
    if (otherSize !== size || !Buffer.from(otherRoot).equals(Buffer.from(root)))
      throw new ApplianceError(
        'LEDGER_MALFORMED',
        `${key} is a checkpoint of another tree than this ledger's; see \`sallyport verify\``,
      )
    return { size, root, bytes: other }
  }
}

async function signedCheckpoint(origin: string, size: number, root: Uint8Array, signer: GatewaySigner): Promise<string> {
  const text = checkpointText(origin, size, root)
  const key = noteKeyOf(nodeTools, origin, signer.publicKey)
  if (key === undefined)
    throw new ApplianceError('RECORDER_FAILED', `a ${signer.algorithm} key of this kind cannot sign checkpoints`)
  const signature = await signer.sign(Buffer.from(text))
  return `${text}\n${signatureLine(key, signer.algorithm === 'ES256' ? derEcdsa(signature) : signature)}`
}

/** Whoever can add to the store may have put something else there first: derived objects are checked by their readers, and made again from the sequence. */
async function putDerived(store: Store, key: string, bytes: Uint8Array): Promise<void> {
  try {
    await store.put(key, bytes)
  } catch (error) {
    if (!isConflict(error)) throw error
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof ApplianceError && error.code === 'STORE_CONFLICT'
}

/** A ledger's name: given once, by whoever comes first; everybody else takes it from the store. Rejects LEDGER_MALFORMED where what stands there is none. */
export async function originOf(store: Store, configured: string | undefined, gateway: string): Promise<string> {
  const found = await readOrigin(store)
  const mine =
    found ??
    configured ??
    `sallyport.${gateway}/${Buffer.from(sha256(crypto.getRandomValues(new Uint8Array(16))))
      .toString('hex')
      .slice(0, 8)}`
  if (found === undefined) {
    try {
      await store.put(ledgerKeys.origin, Buffer.from(`${mine}\n`))
    } catch (error) {
      if (!isConflict(error)) throw error
      return originOf(store, configured, gateway)
    }
  }
  if (configured !== undefined && configured !== mine)
    throw new ApplianceError(
      'CONFIG_INVALID',
      `ledger.origin is ${configured}, and the ledger in this store is ${mine}: one ledger has one name, for good`,
    )
  return mine
}

/** Checkpoints under half a name would stand there for good, and no verifier takes them. */
async function readOrigin(store: Store): Promise<string | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await store.get(ledgerKeys.origin)
  } catch (error) {
    if (error instanceof ApplianceError && error.code === 'STORE_MISSING') return undefined
    throw error
  }
  const name = parseOrigin(bytes)
  if (name === undefined)
    throw new ApplianceError(
      'LEDGER_MALFORMED',
      `${ledgerKeys.origin} is not a log's name and a newline: put back a copy of it; each checkpoint begins with that line`,
    )
  return name
}
