import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { areNested, readAtMost } from '../../recorder/files.ts'
import { areOneParty, FileStore, nodeTools, openStore, readAuthorities, type TrustRules } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { type Attester, MAX_POLICY_SIZE, parseTrustPolicy } from '../../schemas/verify/trust-policy.ts'
import { pathFrom } from '../config.ts'
import { tapesOfUrl } from '../store-place.ts'

/** Reads a trust policy; files and folders it names are seen from it. Rejects CONFIG_INVALID with every mistake by line. */
export async function trustRules(file: string, cwd: string): Promise<TrustRules> {
  const path = resolve(cwd, file)
  const text = await readPolicy(path).catch((cause: unknown) => {
    throw new ApplianceError(
      'CONFIG_INVALID',
      `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
    )
  })
  const from = pathFrom(path)
  const policy = parseTrustPolicy(nodeTools, text, file)
  await refuseTwins(policy.attesters, from, file)
  return {
    policy,
    resolve: from,
    openAnchor: async (place) => (isUrl(place) ? openStore(tapesOfUrl(place).place) : new FileStore(from(place))),
  }
}

/** Never a file that fills the memory. Whatever is larger is refused, as what is left out of a policy asks for less. */
async function readPolicy(path: string): Promise<string> {
  const bytes = await readAtMost(path, MAX_POLICY_SIZE)
  if (bytes === undefined) throw new Error(`it has more than ${MAX_POLICY_SIZE} bytes, which no trust policy has`)
  return bytes.toString('utf8')
}

/** One party under two names would count twice. Of containers that is looked at when they are read: their addresses do not say. */
async function refuseTwins(attesters: readonly Attester[], from: (path: string) => string, file: string): Promise<void> {
  const known: (Party & { readonly name: string })[] = []
  for (const attester of attesters) {
    if (attester.kind === 'witness') continue
    const party = await partyOf(attester, from, file)
    const twin = await firstOf(known, (other) => isOne(party, other))
    if (twin !== undefined)
      throw new ApplianceError(
        'CONFIG_INVALID',
        `${file}: ${twin.name} and ${attester.name} are one party, which would count twice`,
      )
    known.push({ ...party, name: attester.name })
  }
}

/** Where it is, whatever the policy calls it, or by which certificates it is known. */
type Party = { readonly url: string } | { readonly folder: string } | { readonly certificates: readonly string[] }

/** Of folders one in the other: who writes into the outer one writes into both. */
async function isOne(party: Party, other: Party): Promise<boolean> {
  if ('url' in party) return 'url' in other && party.url === other.url
  if ('folder' in party) return 'folder' in other && (await areNested(party.folder, other.folder))
  return 'certificates' in other && areOneParty(party.certificates, other.certificates)
}

async function firstOf<T>(all: readonly T[], is: (one: T) => Promise<boolean>): Promise<T | undefined> {
  for (const one of all) if (await is(one)) return one
  return undefined
}

/** What is not there has kept nothing, and is no reason to believe that nothing was kept. */
async function partyOf(
  attester: Exclude<Attester, { readonly kind: 'witness' }>,
  from: (path: string) => string,
  file: string,
): Promise<Party> {
  const isAnchor = attester.kind === 'anchor'
  if (isAnchor && isUrl(attester.place)) return { url: URL.parse(attester.place)?.href.replace(/\/+$/, '') ?? attester.place }
  const path = from(isAnchor ? attester.place : attester.file)
  const found = await stat(path).catch(() => undefined)
  if (isAnchor ? found?.isDirectory() !== true : found?.isFile() !== true) {
    const what = isAnchor ? 'a folder' : 'a file of PEM certificates'
    throw new ApplianceError('CONFIG_INVALID', `${file}: ${attester.kind} ${attester.name}: ${path} is not ${what}`)
  }
  return isAnchor ? { folder: path } : { certificates: await readAuthorities(path) }
}

function isUrl(place: string): boolean {
  return /^https?:/.test(place)
}
