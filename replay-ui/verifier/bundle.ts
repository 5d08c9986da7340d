import { BUNDLE_ENDING, BUNDLE_MARKS } from '../../schemas/bundle.ts'
import type { BundleVerification } from '../../schemas/verify/bundle-verification.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import { type BundleTools, verifyBundle } from '../../schemas/verify/verify-bundle.ts'
import { ZipSource } from '../../schemas/verify/zip.ts'
import { webHasher, webTools } from '../data/web-tools.ts'
import { keysBeside, type PickedFile, sourceOf } from './folder.ts'

const tools: BundleTools = { ...webTools, hasher: webHasher }

/** The first bytes of a ZIP archive. */
const ARCHIVE = 'PK\x03\x04'

/** By its name, or its first bytes. */
export async function isArchive(name: string, file: PickedFile): Promise<boolean> {
  if (name.endsWith(BUNDLE_ENDING)) return true
  return new TextDecoder('latin1').decode(await file.read(0, ARCHIVE.length)) === ARCHIVE
}

/** The files in an archive, by name. Rejects TAPE_MALFORMED where it is not one that a bundle can be. */
export async function filesInArchive(file: PickedFile): Promise<ReadonlyMap<string, PickedFile>> {
  const zip = await ZipSource.open({ size: await file.size(), read: (from, to) => file.read(from, to) })
  return new Map(
    zip.names().map((name) => [name, { size: () => zip.size(name), read: (from, to) => zip.get(name, { from, to }) }]),
  )
}

/** Whether these files are a bundle that was unpacked. */
export function isBundleFolder(files: ReadonlyMap<string, PickedFile>): boolean {
  return BUNDLE_MARKS.some((mark) => files.has(mark))
}

export async function verifyBundleFiles(
  files: ReadonlyMap<string, PickedFile>,
  keys: readonly GatewayKey[] | undefined,
  onRead: (bytes: number) => void = () => undefined,
): Promise<BundleVerification & { readonly trust: 'given' | 'beside' }> {
  const source = sourceOf({ files, closed: new Map() }, [...files.keys()].sort(), onRead)
  const result = await verifyBundle(source, tools, keys ?? (await keysBeside(files)))
  return { ...result, trust: keys === undefined ? 'beside' : 'given' }
}
