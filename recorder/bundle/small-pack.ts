import { ApplianceError } from '../../schemas/errors.ts'
import type { Store } from '../store/store.ts'
import { tapeParts } from '../tape/tape-parts.ts'

/** What tools for audits take of one file: Vanta 50 MB, AWS Audit Manager 100. */
export const SMALL_SIZE = 50_000_000
/** Pages and signatures are written last. */
const RESERVED = 2_000_000
/** Of a file in the manifest and in the archive's own headers. */
const FILE_SIZE = 800
/** Objects of a tape: segments, their indexes, a salt. A recording of more than 256 MiB has more, and no room. */
const TAPE_FILES = 4

/**
 * Which recordings of a sample stay out of a small pack, in the order of the sample: those for which there is no room. `used` bytes in `files` files are there,
 * or will be, without them. Rejects CONFIG_INVALID where the rest alone is too large.
 */
export async function leftOutOf(
  store: Store,
  sampled: readonly string[],
  { used, files }: { readonly used: number; readonly files: number },
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  let room = SMALL_SIZE - RESERVED - used - files * FILE_SIZE
  if (room < 0)
    throw new ApplianceError(
      'CONFIG_INVALID',
      `a small pack has ${SMALL_SIZE} bytes, and tables and log of this period alone ${used}: take a shorter period, or the whole bundle`,
    )
  const leftOut: string[] = []
  for (const id of sampled) {
    let size = TAPE_FILES * FILE_SIZE
    for await (const key of tapeParts(store, id, signal)) size += await store.size(key, signal)
    if (size <= room) room -= size
    else leftOut.push(id)
  }
  return leftOut
}
