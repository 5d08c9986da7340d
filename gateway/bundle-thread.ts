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

/** What it tells. `tell`: an entry for the ledger, whose answer it waits for. */
export type FromBundle =
  | { readonly kind: 'progress'; readonly progress: BundleProgress }
  | { readonly kind: 'tell'; readonly entry: LedgerEntry }
  | { readonly kind: 'done'; readonly made: Pick<CreatedBundle, 'size' | 'sha256' | 'states'> }
  | { readonly kind: 'failed'; readonly what: string }

/** The ledger has it; or why not. */
export type ToBundle = { readonly told: true } | { readonly told: false; readonly why: string }

const port = parentPort
if (port === null) throw new Error('gateway/bundle-thread.ts runs as a worker thread')
const say = (message: FromBundle): void => port.postMessage(message)
// Made by BundleFolder, as BundleTask says.
const { where, wish } = workerData as BundleTask

const tell = (entry: LedgerEntry): Promise<void> =>
  new Promise((resolve, reject) => {
    port.once('message', (answer: ToBundle) => (answer.told ? resolve() : reject(new Error(answer.why))))
    say({ kind: 'tell', entry })
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
    tell,
  }
  const { size, sha256, states } = await createBundle(parts, wish, (progress) => {
    if (performance.now() - toldAt < TOLD_EVERY_MS) return
    toldAt = performance.now()
    say({ kind: 'progress', progress })
  })
  say({ kind: 'done', made: { size, sha256, states } })
} catch (error) {
  say({ kind: 'failed', what: error instanceof Error ? error.message : String(error) })
}
port.close()
