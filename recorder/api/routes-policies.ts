import { type PolicyState, type PolicyText, PolicyTrial } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { policyHistory } from '../ledger/policy-history.ts'
import { keptPolicy } from '../policy-texts.ts'
import { bodyOf } from './check.ts'
import type { Handlers } from './context.ts'
import { note, purposeOf } from './notes.ts'

const DAYS = 7
const DAY_MS = 86_400_000

export const policyRoutes: Handlers<'policy' | 'policyText' | 'tryPolicy'> = {
  async policy({ request, viewer }, { parts }): Promise<PolicyState> {
    await note(parts, viewer.identity, { type: 'evidence.view', what: 'policy', ...purposeOf(request) })
    const from = new Date(Date.now() - DAYS * DAY_MS).toISOString().replaceAll(/[-:]|\.\d+/g, '')
    const [history, hits] = await Promise.all([policyHistory(parts.store, await parts.trusted()), parts.catalog.ruleHits(from)])
    return { ...history, days: DAYS, hits: [...hits] }
  },

  async policyText({ request, viewer }, { parts }): Promise<PolicyText> {
    const policy = String(request.params['hash'])
    const bytes = /^[0-9a-f]{64}$/.test(policy) ? await keptPolicy(parts.store, policy) : undefined
    if (bytes === undefined) throw new ApplianceError('API_UNKNOWN', 'no text of such a policy was kept')
    await note(parts, viewer.identity, { type: 'evidence.view', what: 'policy', object: policy, ...purposeOf(request) })
    return { policy, text: Buffer.from(bytes).toString('utf8') }
  },

  async tryPolicy({ request, viewer }, { parts }) {
    const { subject, target, command } = bodyOf(request, PolicyTrial)
    const identity = subject === undefined ? viewer.identity : parts.people.named(subject)
    if (identity === undefined) throw new ApplianceError('API_UNKNOWN', 'no such identity is configured')
    // What it says of others would tell somebody how to get past it.
    await note(parts, viewer.identity, {
      type: 'evidence.view',
      what: 'policy-trial',
      object: `${identity.subject} at ${target}`,
      ...purposeOf(request),
    })
    return parts.tryPolicy(identity, target, command)
  },
}
