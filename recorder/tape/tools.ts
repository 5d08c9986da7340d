import { crc32 as zlibCrc32 } from 'node:zlib'
import { ApplianceError } from '../../schemas/errors.ts'
import { ObjectWindow } from '../../schemas/verify/scan.ts'
import type { LeafHasher, VerifyTools } from '../../schemas/verify/tools.ts'
import type { Store } from '../store/store.ts'
import { decompress, gunzipOne } from './codec.ts'
import { verifyEpoch } from './keys.ts'
import { Leaves, merkleRoot, sha256 } from './merkle.ts'
import { checkCertificate, verifyKey } from './signer.ts'

/** Verification with node:crypto and node:zlib. */
export const nodeTools = {
  sha256,
  crc32: (bytes) => zlibCrc32(bytes),
  decompress,
  gunzip: (bytes, maxSize) => {
    try {
      return gunzipOne(bytes, maxSize)
    } catch (error) {
      throw new ApplianceError('TAPE_MALFORMED', 'the index cannot be decompressed', { cause: error })
    }
  },
  leaves: hasher,
  merkleRoot: (hashes, count) => merkleRoot(buffer(hashes), count),
  verifyEpoch,
  checkCertificate,
  verifyKey,
} as const satisfies VerifyTools

function hasher(saltKey: Uint8Array): LeafHasher {
  const leaves = new Leaves(saltKey)
  let last: { readonly target: Uint8Array; readonly view: Buffer } | undefined
  return {
    write(seq, raw, from, to, target, at) {
      // One target per chunk, and a view of it costs as much as a leaf.
      if (last?.target !== target) last = { target, view: buffer(target) }
      leaves.write(seq, raw, from, to, last.view, at)
    },
  }
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** A stored object as its size is now. Rejects STORE_MISSING. */
export function openObject(store: Store, key: string, signal?: AbortSignal, windowSize?: number): Promise<ObjectWindow> {
  return ObjectWindow.open(store, nodeTools, key, signal, windowSize)
}
