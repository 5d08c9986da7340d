import { parentPort, workerData } from 'node:worker_threads'
import packageJson from '../package.json' with { type: 'json' }
import { type BundleProgress, type BundleWish, type CreatedBundle, createBundle } from '../recorder/bundle/create-bundle.ts'
import { openStore, readGatewayKeys } from '../recorder/index.ts'
import type { LedgerEntry } from '../recorder/ledger/ledger.ts'
import { bundleFiles } from './bundle-files.ts'
import { placesIn } from './places.ts'
import { describers } from './protocols/describers.ts'
import { openSigner, type Where } from './tape-room.ts'

// A bundle's own thread: it reads everything there is, and the gateway's event loop must not notice.

/** What it is given; plain data. */
export interface BundleTask {
  readonly where: Where
  readonly wish: BundleWish
}

/** What it tells. `tell`: an entry for the ledger; `count`: how many of these the catalog has. It waits for the answer to either. */
export type FromBundle =
  | { readonly kind: 'progress'; readonly progress: BundleProgress }
  | { readonly kind: 'tell'; readonly entry: LedgerEntry }
  | { readonly kind: 'count'; readonly sessions: readonly string[] }
  | { readonly kind: 'done'; readonly made: Pick<CreatedBundle, 'size' | 'sha256' | 'states' | 'leftOut' | 'timestamps'> }
  | { readonly kind: 'failed'; readonly what: string }

/** What was asked for; or why there is none. */
export type ToBundle = { readonly value: number } | { readonly why: string }

const port = parentPort
if (port === null) throw new Error('gateway/bundle-thread.ts runs as a worker thread')
const say = (message: FromBundle): void => port.postMessage(message)
// Made by BundleFolder, as BundleTask says.
const { where, wish } = workerData as BundleTask

/** One at a time: the answer is the next thing that is said here. */
const ask = (message: FromBundle): Promise<number> =>
  new Promise((resolve, reject) => {
    port.once('message', (answer: ToBundle) => ('why' in answer ? reject(new Error(answer.why)) : resolve(answer.value)))
    say(message)
  })

/** Often enough for somebody who looks. */
const TOLD_EVERY_MS = 200
let toldAt = 0
try {
  const keys = placesIn(where.dataDir).keys
  const parts = {
    store: await openStore(where.store),
    trusted: await readGatewayKeys(keys),
    signer: await openSigner(where.signer, keys, where.gateway),
    tool: packageJson.version,
    describers,
    files: await bundleFiles(),
    timestamps: where.ledger?.timestamps ?? [],
    tell: async (entry: LedgerEntry) => void (await ask({ kind: 'tell', entry })),
    inCatalog: (sessions: readonly string[]) => ask({ kind: 'count', sessions }),
  }
  const { size, sha256, states, leftOut, timestamps } = await createBundle(parts, wish, (progress) => {
    if (performance.now() - toldAt < TOLD_EVERY_MS) return
    toldAt = performance.now()
    say({ kind: 'progress', progress })
  })
  say({ kind: 'done', made: { size, sha256, states, leftOut, timestamps } })
} catch (error) {
  say({ kind: 'failed', what: error instanceof Error ? error.message : String(error) })
}
port.close()
