import { readFile, realpath, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { FileStore, nodeTools, openStore, type TrustRules } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { type Attester, parseTrustPolicy } from '../../schemas/verify/trust-policy.ts'
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
  const policy = parseTrustPolicy(nodeTools, text, file)
  const known = new Map<string, string>()
  for (const attester of policy.attesters) {
    if (attester.kind === 'witness') continue
    const party = `${attester.kind} ${await placeOf(attester, from, file)}`
    const other = known.get(party)
    if (other !== undefined)
      throw new ApplianceError('CONFIG_INVALID', `${file}: ${other} and ${attester.name} are one party, which would count twice`)
    known.set(party, attester.name)
  }
  return {
    policy,
    resolve: from,
    openAnchor: async (place) => (isUrl(place) ? openStore(tapesOfUrl(place).place) : new FileStore(from(place))),
  }
}

/** Where it is, whatever the policy calls it. What is not there has kept nothing, and is no reason to believe that nothing was kept. */
async function placeOf(
  attester: Exclude<Attester, { readonly kind: 'witness' }>,
  from: (path: string) => string,
  file: string,
): Promise<string> {
  const place = attester.kind === 'anchor' ? attester.place : attester.file
  if (attester.kind === 'anchor' && isUrl(place)) return URL.parse(place)?.href.replace(/\/+$/, '') ?? place
  const path = from(place)
  const isRight = await stat(path).then(
    (found) => (attester.kind === 'anchor' ? found.isDirectory() : found.isFile()),
    () => false,
  )
  const what = attester.kind === 'anchor' ? 'a folder' : 'a file of PEM certificates'
  if (!isRight) throw new ApplianceError('CONFIG_INVALID', `${file}: ${attester.kind} ${attester.name}: ${path} is not ${what}`)
  return realpath(path)
}

function isUrl(place: string): boolean {
  return /^https?:/.test(place)
}
