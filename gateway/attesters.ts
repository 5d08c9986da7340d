import { resolve, sep } from 'node:path'
import { areNested } from '../recorder/files.ts'
import { Attestations, nodeTools, openStore, type StoreLedger, type StorePlace } from '../recorder/index.ts'
import type { Config } from '../schemas/config.ts'
import type { LedgerConfig } from '../schemas/config-evidence.ts'
import { parseWitnessKey } from '../schemas/verify/cosignature.ts'
import type { Problem } from './config-check.ts'
import { isMetadata } from './hosts.ts'
import type { Log } from './log.ts'
import { containerOf, storePlaceOf, storeProblems } from './store-place.ts'

const MINUTE_MS = 60_000
const DEFAULT_EVERY_MINUTES = 60

/** Who attests the ledger's checkpoints, as configured; anchors with their places worked out. */
export interface Attesters {
  readonly witnesses: NonNullable<LedgerConfig['witnesses']>
  readonly timestamps: NonNullable<LedgerConfig['timestamps']>
  readonly anchors: readonly { readonly name: string; readonly place: StorePlace }[]
}

export async function attestersOf(
  { dataDir, ledger = {} }: Pick<Config, 'dataDir' | 'ledger'>,
  from: (path: string) => string,
  env: NodeJS.ProcessEnv | undefined,
): Promise<Attesters> {
  const { witnesses = [], timestamps = [], anchors = [] } = ledger
  const places = anchors.map(async (anchor) => ({
    name: anchor.name,
    place: 'folder' in anchor ? { folder: from(anchor.folder) } : await storePlaceOf({ dataDir, store: anchor }, from, env),
  }))
  return { witnesses, timestamps, anchors: await Promise.all(places) }
}

/** Begins to have checkpoints attested; undefined where nobody is configured to. */
export async function openAttestations(
  { witnesses, timestamps, anchors }: Attesters,
  parts: { readonly store: StorePlace; readonly ledger: StoreLedger; readonly log: Log },
): Promise<Attestations | undefined> {
  if (witnesses.length + timestamps.length + anchors.length === 0) return undefined
  const { store, ledger, log } = parts
  return new Attestations({
    store: await openStore(store),
    ledger,
    witnesses: witnesses.map(({ url, key }) => ({ url, key: parseWitnessKey(nodeTools, key) })),
    timestamps: timestamps.map(({ name, url, everyMinutes = DEFAULT_EVERY_MINUTES }) => ({
      name,
      url,
      everyMs: everyMinutes * MINUTE_MS,
    })),
    anchors: await Promise.all(anchors.map(async ({ name, place }) => ({ name, store: await openStore(place) }))),
    onProblem: (name, error) => log.unattested(name, error),
  })
}

/** What in a well-formed `ledger` could not work or must not. */
export async function attesterProblems(
  { dataDir, store, ledger = {} }: Pick<Config, 'dataDir' | 'store' | 'ledger'>,
  from: (path: string) => string,
): Promise<Problem[]> {
  const { witnesses = [], timestamps = [], anchors = [] } = ledger
  const problems: Problem[] = []
  for (const [kind, sources] of [['witnesses', witnesses] as const, ['timestamps', timestamps] as const]) {
    for (const [index, { url }] of sources.entries()) {
      const at = ['ledger', kind, index, 'url']
      if (!URL.canParse(url)) problems.push({ at, message: 'not a URL' })
      else if (isMetadata(new URL(url).hostname))
        problems.push({ at, message: "the platform's own metadata service attests nothing" })
    }
  }
  for (const [index, { key }] of witnesses.entries()) {
    try {
      parseWitnessKey(nodeTools, key)
    } catch (error) {
      problems.push({
        at: ['ledger', 'witnesses', index, 'key'],
        message: error instanceof Error ? error.message : String(error),
      })
    }
  }
  for (const [index, anchor] of anchors.entries()) {
    const isItself =
      'folder' in anchor
        ? await liesWith(from(anchor.folder), from(dataDir))
        : store !== undefined && containerOf(anchor.blob) === containerOf(store.blob)
    if (isItself)
      problems.push({
        at: ['ledger', 'anchors', index],
        message: 'this is where the ledger itself lies: whoever rewrites the one rewrites the other',
      })
    if ('folder' in anchor) continue
    for (const { at, message } of storeProblems({ store: anchor }))
      problems.push({ at: ['ledger', 'anchors', index, ...at.slice(1)], message })
  }
  return problems
}

/** As areNested; by the names alone where a mount that is dead does not tell: an anchor that is away keeps nothing from starting. */
async function liesWith(folder: string, other: string): Promise<boolean> {
  try {
    return await areNested(folder, other)
  } catch {
    const [one, two] = [folder, other].map((path) => resolve(path) + sep) as [string, string] // two were given
    return one.startsWith(two) || two.startsWith(one)
  }
}
