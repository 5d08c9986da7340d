import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { countBytesWithHeap, keepYoungSmall } from '../../gateway/collections.ts'
import { createBundle } from '../../recorder/bundle/create-bundle.ts'
import { openFileSigner, readGatewayKeys } from '../../recorder/index.ts'
import { FileStore } from '../../recorder/store/store-file.ts'

export interface BundleMeasured {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMiB: number
  readonly bundleBytes: number
}

// A process of its own: its peak is the bundle's.
// As the command does.
countBytesWithHeap()
keepYoungSmall()
const [, , path = '', verify = 'all', sample = '25'] = process.argv
const before = process.cpuUsage()
const begun = performance.now()
const out = join(path, `bench-${process.pid}.zip`)
const made = await createBundle(
  {
    store: new FileStore(path),
    trusted: await readGatewayKeys(join(path, 'keys')),
    signer: await openFileSigner(join(path, 'keys'), 'gw1'),
    tool: 'bench',
    describers: {},
    files: new Map(),
    tell: async () => undefined,
  },
  {
    from: new Date('2020-01-01T00:00:00Z'),
    to: new Date('2100-01-01T00:00:00Z'),
    framework: 'soc2',
    scope: { target: [], identity: [] },
    seed: 'bench',
    sampleSize: Number(sample),
    verify: verify === 'sample' ? 'sample' : 'all',
    path: out,
    by: { actor: 'bench', proof: 'os' },
  },
)
const { user, system } = process.cpuUsage(before)
const measured: BundleMeasured = {
  seconds: (performance.now() - begun) / 1000,
  cpuSeconds: (user + system) / 1e6,
  peakMiB: process.resourceUsage().maxRSS / 1024,
  bundleBytes: made.size,
}
await rm(out)
process.send?.(measured)
process.disconnect?.()
