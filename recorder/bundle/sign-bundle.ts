import { createHash } from 'node:crypto'
import { BUNDLE_PATHS, type BundleManifest, bundleNoteText } from '../../schemas/bundle.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { derEcdsa, noteKeyOf, signatureLine } from '../../schemas/verify/note.ts'
import type { LedgerEntry } from '../ledger/ledger.ts'
import type { GatewaySigner } from '../tape/signer.ts'
import { nodeTools } from '../tape/tools.ts'
import type { ZipWriter } from './zip-writer.ts'

/** Sessions named in the ledger's entry of an export; an entry has 64 KiB, and `sessionCount` says how many there are. */
const MAX_NAMED_SESSIONS = 500

export interface SigningParts {
  readonly signer: GatewaySigner
  /** Timestamp authorities (RFC 3161) that are to state when the manifest was there. */
  readonly timestamps?: readonly { readonly name: string; readonly url: string }[]
  /** Tells the ledger, durably. */
  readonly tell: (entry: LedgerEntry) => Promise<void>
}

export interface Exported {
  readonly manifest: BundleManifest
  readonly by: { readonly actor: string; readonly proof: string; readonly reason?: string }
  readonly sampled: readonly string[]
  readonly sessionCount: number
}

/** One authority's word; `problem`: it could not be had, and the bundle is without. */
export interface BundleTimestamp {
  readonly name: string
  readonly problem?: string
}

export interface SignedBundle {
  /** Of manifest.json, hex. */
  readonly sha256: string
  readonly timestamps: readonly BundleTimestamp[]
}

/**
 * Adds the manifest and what stands below signatures/, the ledger being told in between. A timestamp that cannot be had is told, not waited for:
 * the ledger's own checkpoints are timestamped too.
 */
export async function signBundle(
  zip: ZipWriter,
  { signer, timestamps = [], tell }: SigningParts,
  { manifest, by, sampled, sessionCount }: Exported,
  signal: AbortSignal | undefined,
): Promise<SignedBundle> {
  const { framework, period, watermark } = manifest
  const bytes = Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`)
  await zip.add(BUNDLE_PATHS.manifest, bytes)
  const digest = createHash('sha256').update(bytes).digest()
  const sha256 = digest.toString('hex')
  const words = await Promise.all(timestamps.map((one) => attested(one, bytes, signal)))
  signal?.throwIfAborted()
  await tell({
    type: 'export.create',
    actor: by.actor,
    proof: by.proof,
    format: `bundle ${framework} ${period.from}/${period.to}`,
    sha256,
    sessionIds: sampled.slice(0, MAX_NAMED_SESSIONS),
    sessionCount,
    ...(by.reason === undefined ? {} : { reason: by.reason }),
  })
  const text = bundleNoteText(digest.toString('base64'), { at: new Date().toISOString(), by: by.actor })
  const key = noteKeyOf(nodeTools, watermark.origin, signer.publicKey)
  if (key === undefined)
    throw new ApplianceError('RECORDER_FAILED', `a ${signer.algorithm} key of this kind cannot sign manifests`)
  const signature = await signer.sign(Buffer.from(text))
  const line = signatureLine(key, signer.algorithm === 'ES256' ? derEcdsa(signature) : signature)
  await zip.add(BUNDLE_PATHS.note, `${text}\n${line}`)
  for (const { name, token } of words)
    if (token !== undefined) await zip.add(`${BUNDLE_PATHS.signatures}${name}${BUNDLE_PATHS.timestamp}`, token)
  return { sha256, timestamps: words.map(({ name, problem }) => ({ name, ...(problem === undefined ? {} : { problem }) })) }
}

async function attested(
  { name, url }: { readonly name: string; readonly url: string },
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<BundleTimestamp & { readonly token?: Uint8Array }> {
  try {
    // Loaded when it is needed, as most have no authority.
    const { requestTimestamp } = await import('../ledger/timestamp.ts')
    return { name, token: await requestTimestamp(url, bytes, signal) }
  } catch (error) {
    signal?.throwIfAborted()
    return { name, problem: error instanceof Error ? error.message : String(error) }
  }
}
