import { startAzurite } from '../support/azurite.ts'
import { type FaultProxy, startFaultProxy, type Treatment } from '../support/fault-proxy.ts'
import type { Random } from '../support/random.ts'
import { playCutOff, type Way } from './cut-off.ts'
import type { Account, Context, Scenario } from './scenario.ts'

const KINDS = ['swallowed', 'refused', 'late', 'answers lost'] as const
type Kind = (typeof KINDS)[number]

export const failingService: Scenario = {
  name: 'failing-service',
  about:
    "a real gateway's requests to Blob Storage are swallowed, refused, late, or answered into nothing; when for long, sessions end",
  defaultRuns: 12,
  play: (context, account) => playThroughProxy(KINDS, context, account),
}

/** What comes of a proxy between a real gateway and its store that treats requests in these ways; `swallowed` is that of its outages. */
export async function playThroughProxy(kinds: readonly [Kind, ...Kind[]], context: Context, account: Account): Promise<void> {
  await using azurite = await startAzurite()
  await using proxy = await startFaultProxy(azurite.url)
  const way: Way<Kind> = {
    kinds,
    outages: ['swallowed'],
    async place(name) {
      const direct = await azurite.place(name)
      return { direct, seen: { ...direct, url: proxy.url } }
    },
    fail: (kind, random) => fail(proxy, kind, random),
    mend() {
      proxy.treat = () => ({ act: 'pass' })
    },
  }
  await playCutOff(way, context, account)
}

function fail(proxy: FaultProxy, kind: Kind, random: Random): void {
  proxy.treat = (): Treatment => {
    switch (kind) {
      case 'swallowed':
        return { act: 'swallow' }
      case 'refused':
        return { act: 'busy' }
      case 'late':
        return { act: 'late', ms: random.between(10, 800) }
      case 'answers lost':
        return random.chance(0.4) ? { act: 'lose-answer' } : { act: 'pass' }
      default:
        return kind satisfies never
    }
  }
}
