import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { BUNDLE_ENDING, BUNDLE_MARKS, BUNDLE_PATHS, MAX_MANIFEST_SIZE } from '../../schemas/bundle.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { MAX_KEYS_SIZE, parseGatewayKeys, tooLarge } from '../../schemas/gateway-keys.ts'
import { VERIFY_EXITS, worstVerdict } from '../../schemas/verification.ts'
import type { BundleVerification } from '../../schemas/verify/bundle-verification.ts'
import type { GatewayKey, ObjectSource } from '../../schemas/verify/tools.ts'
import { type BundleTools, verifyBundle } from '../../schemas/verify/verify-bundle.ts'
import { ZipSource } from '../../schemas/verify/zip.ts'
import { headOf, isThere, kindOf } from '../files.ts'
import { nodeTools } from '../tape/tools.ts'
import { UnpackedBundle } from './unpacked-bundle.ts'

/** A timestamp with its certificates. */
const MAX_TOKEN_SIZE = 64 << 10
/** Of a ZIP archive. */
const FIRST_BYTES = Buffer.from('PK\x03\x04')

export interface BundleReport extends BundleVerification {
  /** Whose keys signatures were checked with: named by whoever verifies, or those that came with the bundle. */
  readonly trust: 'given' | 'beside'
  /** What authorities say of when its manifest was there. `at` and `authority` where the token leads to a certificate that is trusted. */
  readonly timestamps: readonly BundleTimestampCheck[]
}

export interface BundleTimestampCheck {
  readonly file: string
  readonly at?: string
  readonly authority?: string
  /** Why it proves nothing. */
  readonly problem?: string
}

export interface BundleTrust {
  readonly keys?: readonly GatewayKey[] | undefined
  /** PEM of certificate authorities; with any, a bundle without a timestamp that leads to one of them is UNVERIFIABLE. */
  readonly authorities?: readonly string[] | undefined
}

const tools: BundleTools = {
  ...nodeTools,
  hasher() {
    const hash = createHash('sha256')
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
  },
}

/**
 * Verifies the bundle at `path`, an archive or the folder it was unpacked to. Without keys those in it are used, and the report says so.
 * Rejects STORE_MISSING where there is none, TAPE_MALFORMED where the archive is not one a bundle can be, CONFIG_INVALID where its keys are none.
 */
export async function verifyBundleAt(
  path: string,
  trust: BundleTrust,
  onRead: (bytes: number) => void = () => undefined,
): Promise<BundleReport> {
  const kind = await kindOf(path)
  if (kind !== 'file' && !(kind === 'folder' && (await hasMark(path))))
    throw new ApplianceError('STORE_MISSING', `${path} is no bundle, packed or unpacked`)
  if (kind === 'folder') return verifyIn(new UnpackedBundle(path), trust, onRead)
  await using file = await open(path, 'r')
  const { size } = await file.stat()
  const source = await ZipSource.open({
    size,
    async read(from, to) {
      const bytes = Buffer.allocUnsafe(to - from)
      let filled = 0
      while (filled < bytes.length) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, from + filled)
        if (bytesRead === 0) throw new ApplianceError('TAPE_MALFORMED', 'the archive cannot be read: it is shorter than it was')
        filled += bytesRead
      }
      return bytes
    },
  })
  return await verifyIn(source, trust, onRead)
}

async function verifyIn(source: ObjectSource, trust: BundleTrust, onRead: (bytes: number) => void): Promise<BundleReport> {
  const keys = trust.keys ?? (await keysIn(source))
  const verified = await verifyBundle(source, tools, keys, { onRead })
  const timestamps = await timestampsIn(source, trust.authorities ?? [])
  const report: BundleReport = { ...verified, trust: trust.keys === undefined ? 'beside' : 'given', timestamps }
  if (trust.authorities === undefined || timestamps.some(({ at }) => at !== undefined)) return report
  const problem = {
    verdict: 'UNVERIFIABLE',
    part: 'timestamp',
    what: timestamps[0]?.problem ?? 'no authority has stated when the manifest was there',
    object: timestamps[0]?.file ?? BUNDLE_PATHS.signatures,
  } as const
  const verdict = worstVerdict([report.verdict, problem.verdict])
  return {
    ...report,
    verdict,
    exit: VERIFY_EXITS[verdict],
    problems: [...report.problems, problem],
    problemCount: report.problemCount + 1,
  }
}

async function timestampsIn(source: ObjectSource, authorities: readonly string[]): Promise<readonly BundleTimestampCheck[]> {
  const checks: BundleTimestampCheck[] = []
  let manifest: Uint8Array | undefined
  for await (const file of source.list(BUNDLE_PATHS.signatures)) {
    if (!file.endsWith(BUNDLE_PATHS.timestamp)) continue
    if (authorities.length === 0) {
      checks.push({ file, problem: 'whose timestamps are to be believed was not told' })
      continue
    }
    try {
      const { checkTimestamp } = await import('../ledger/timestamp.ts')
      manifest ??= await source.get(BUNDLE_PATHS.manifest, { from: 0, to: MAX_MANIFEST_SIZE })
      const token = await source.get(file, { from: 0, to: MAX_TOKEN_SIZE })
      checks.push({ file, ...(await checkTimestamp(token, manifest, authorities)) })
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      checks.push({ file, problem: error.message })
    }
  }
  return checks
}

async function keysIn(source: ObjectSource): Promise<readonly GatewayKey[]> {
  try {
    const bytes = await source.get(BUNDLE_PATHS.keys, { from: 0, to: MAX_KEYS_SIZE + 1 })
    if (bytes.length > MAX_KEYS_SIZE) throw new ApplianceError('CONFIG_INVALID', tooLarge(BUNDLE_PATHS.keys))
    return parseGatewayKeys(Buffer.from(bytes).toString('utf8'), BUNDLE_PATHS.keys)
  } catch (error) {
    // One whose own header is another's is told of as a file that cannot be read.
    if (error instanceof ApplianceError && (error.code === 'STORE_MISSING' || error.code === 'TAPE_MALFORMED')) return []
    throw error
  }
}

/** Whether a bundle is there: an archive by its name or its first bytes, a folder by any of what makes it one. */
export async function isBundle(path: string): Promise<boolean> {
  const kind = await kindOf(path)
  if (kind === 'folder') return hasMark(path)
  if (kind !== 'file') return false
  return path.endsWith(BUNDLE_ENDING) || Buffer.from(await headOf(path, FIRST_BYTES.length)).equals(FIRST_BYTES)
}

async function hasMark(folder: string): Promise<boolean> {
  for (const mark of BUNDLE_MARKS) if (await isThere(join(folder, mark))) return true
  return false
}
