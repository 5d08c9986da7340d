import type { PolicyState } from '../../schemas/api.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Store } from '../store/store.ts'
import { isSignedBy } from './entry-signer.ts'
import { entriesBack } from './read-back.ts'

/** A quarter of a second; every process tells something each 10 s, so some days. */
const MAX_LOOKED = 50_000
const MAX_ACTIVATIONS = 100
const TELL: ReadonlySet<string> = new Set(['policy.activate', 'gateway.start', 'session.open'])

/** Which policy is in force and which were, newest first, of what a trusted key has signed. A start with the policy that was in force is none. */
export async function policyHistory(
  store: Pick<Store, 'list' | 'get' | 'size'>,
  trusted: readonly GatewayKey[],
): Promise<Pick<PolicyState, 'inForce' | 'activations' | 'lookedTo'>> {
  const found: PolicyState['activations'] = []
  let inForce: string | null = null
  let looked = 0
  for await (const { entry } of entriesBack(store)) {
    looked += 1
    const { type, at, gateway, ...told } = entry.statement
    if (looked > MAX_LOOKED || found.length >= MAX_ACTIVATIONS) return { inForce, activations: came(found), lookedTo: at }
    const policy = textOf(told['policy'])
    if (!TELL.has(type) || policy === null) continue
    // Sessions are most of a ledger, and only tell what was in force last.
    if (type === 'session.open' && inForce !== null) continue
    if (!isSignedBy(entry, trusted)) continue
    inForce ??= policy
    if (type === 'session.open') continue
    found.push({
      policy,
      previous: textOf(told['previous']),
      at,
      gateway,
      by: textOf(told['by']),
      request: textOf(told['request']),
    })
  }
  return { inForce, activations: came(found), lookedTo: null }
}

/** Of several that tell of the same policy one after the other, the first. */
function came(newestFirst: PolicyState['activations']): PolicyState['activations'] {
  return newestFirst.filter(({ policy }, index) => newestFirst[index + 1]?.policy !== policy)
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
