import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { FileStore, nodeTools, openStore, type TrustRules } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { parseTrustPolicy } from '../../schemas/verify/trust-policy.ts'
import { pathFrom } from '../config.ts'
import { tapesOfUrl } from '../store-place.ts'

/** Reads a trust policy; files and folders it names are seen from it. Rejects CONFIG_INVALID with every mistake by line. */
export async function trustRules(file: string, cwd: string): Promise<TrustRules> {
  const path = resolve(cwd, file)
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ApplianceError(
      'CONFIG_INVALID',
      `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    )
  })
  const from = pathFrom(path)
  return {
    policy: parseTrustPolicy(nodeTools, text, file),
    resolve: from,
    openAnchor: async (place) => (/^https?:/.test(place) ? openStore(tapesOfUrl(place).place) : new FileStore(from(place))),
  }
}
