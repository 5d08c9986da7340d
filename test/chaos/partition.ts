import { once } from 'node:events'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startIdentityEndpoint, trustedTls } from '../support/azure-identity.ts'
import { type Azurite, azuriteAt } from '../support/azurite.ts'
import { CUTS, type Cut, NetworkNamespace } from '../support/network-namespace.ts'
import type { Identity } from '../support/pg-tls.ts'
import { playCutOff, type Way } from './cut-off.ts'
import { playThroughProxy } from './failing-service.ts'
import type { Account, Context, Scenario } from './scenario.ts'

const EMULATOR = fileURLToPath(new URL('../support/azurite-child.ts', import.meta.url))

export const partition: Scenario = {
  name: 'partition',
  about:
    'the store is on a network of its own (a namespace), which parts from that of a real gateway: loudly, silently, or one way',
  defaultRuns: 6,
  async play(context: Context, account: Account) {
    let network: NetworkNamespace
    try {
      network = NetworkNamespace.make()
    } catch (error) {
      account.instead = `no network namespace here (${String(error)}): a proxy swallowed what was sent`
      context.progress(`NOT IN A NETWORK NAMESPACE: ${account.instead}`)
      return playThroughProxy(['swallowed'], context, account)
    }
    using _ = network
    const tls = await trustedTls(network.address)
    await using azurite = await emulatorIn(network, tls)
    await using endpoint = await startIdentityEndpoint()
    await using folder = await mkdtempDisposable(join(tmpdir(), 'sallyport-partition-'))
    const authority = join(folder.path, 'ca.pem')
    await writeFile(authority, tls.cert)
    const way: Way<Cut> = {
      kinds: CUTS,
      outages: CUTS,
      env: { ...endpoint.env, NODE_EXTRA_CA_CERTS: authority },
      async place(name) {
        const direct = await azurite.place(name)
        return { direct, seen: { ...direct, access: { identity: { kind: 'managed' } } } }
      },
      fail: (how) => network.cut(how),
      mend: (how) => network.mend(how),
    }
    await playCutOff(way, context, account)
  },
}

async function emulatorIn(network: NetworkNamespace, tls: Identity): Promise<Azurite> {
  const child = network.spawn(process.execPath, [EMULATOR])
  child.stdin.write(`${JSON.stringify({ host: network.address, tls })}\n`)
  child.stderr.pipe(process.stderr, { end: false })
  const early = once(child, 'exit').then(([code]) => {
    throw new Error(`the emulator ended with ${String(code)}`)
  })
  early.catch(() => undefined)
  const [line] = (await Promise.race([once(child.stdout, 'data'), early])) as [Buffer]
  return azuriteAt(line.toString().trim(), async () => {
    child.stdin.end()
    await early.catch(() => undefined)
  })
}
