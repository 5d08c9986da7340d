import { createHash, randomBytes } from 'node:crypto'
import type { Desk } from '../recorder/desk/desk.ts'
import { type Approval, MAX_REASON_CHARS } from '../schemas/approval.ts'
import { ApplianceError } from '../schemas/errors.ts'
import type { Identity } from '../schemas/session.ts'
import type { Settings, TargetSettings } from './config.ts'
import { Masker } from './masking/masker.ts'
import type { Policy } from './policy/policy.ts'

const MINUTE_MS = 60_000

export interface AccessWish {
  readonly target: string
  readonly forMs: number
  readonly reason: string
}

/** Whether this identity may ask for a while of the target, which its groups do not give it. */
export function mayAsk({ groups, access }: TargetSettings, identity: Identity): boolean {
  const has = (names: readonly string[]): boolean => names.some((name) => identity.groups.includes(name))
  return access !== undefined && has(access.groups) && !has(groups)
}

/**
 * Files the wish of a proved identity at the desk, its reason redacted as everything that is kept. Rejects TARGET_UNKNOWN for targets that
 * may not be asked for (one answer, whether they exist or not), and APPROVAL_CONFLICT where reason or time will not do.
 */
export async function askForAccess(
  wish: AccessWish,
  identity: Identity,
  {
    settings,
    policy,
    desk,
    fingerprintKey,
  }: {
    readonly settings: Pick<Settings, 'targets' | 'limits'>
    readonly policy: Policy
    readonly desk: Pick<Desk, 'submit'>
    readonly fingerprintKey: Uint8Array
  },
): Promise<Approval> {
  const found = settings.targets.get(wish.target)
  if (found?.access === undefined || !mayAsk(found, identity))
    throw new ApplianceError(
      'TARGET_UNKNOWN',
      `there is no target ${JSON.stringify(wish.target.slice(0, 64))} that ${identity.subject} has to ask for`,
    )
  const { approvers, maxMs } = found.access
  if (wish.forMs > maxMs || wish.forMs < MINUTE_MS)
    throw new ApplianceError('APPROVAL_CONFLICT', `access to ${wish.target} is for 1 to ${maxMs / MINUTE_MS} minutes at a time`)
  if (wish.reason.length > MAX_REASON_CHARS)
    throw new ApplianceError('APPROVAL_CONFLICT', `a reason for access has at most ${MAX_REASON_CHARS} characters`)
  if (wish.reason.trim() === '') throw new ApplianceError('APPROVAL_CONFLICT', 'access needs a reason: approvers decide by it')
  const masker = new Masker({
    rules: policy.masking(identity),
    tagKey: randomBytes(32),
    fingerprintKey,
  })
  const command = masker.text(wish.reason.trim().toWellFormed())
  const { subject, kind, principal } = identity
  const bound = JSON.stringify(['access', subject, wish.target, wish.forMs, command])
  return desk.submit({
    about: 'access',
    requester: subject,
    requesterKind: kind,
    ...(principal === undefined ? {} : { principal }),
    target: wish.target,
    protocol: found.target.protocol,
    kind: 'access',
    command,
    facts: { minutes: wish.forMs / MINUTE_MS },
    rules: [],
    reason: `access for ${wish.forMs / MINUTE_MS} minutes`,
    approvers: { groups: [...approvers.groups], count: approvers.count },
    binding: createHash('sha256').update(bound).digest('hex'),
    access: { forMs: wish.forMs },
    ttlMs: settings.limits.approvalTtlMs,
  })
}

/** The access to this target that somebody has now, if any; of several the one that lasts longest. */
export async function accessOf(desk: Pick<Desk, 'list'>, subject: string, target: string): Promise<Approval | undefined> {
  const approved = await desk.list({ state: 'approved' })
  const own = approved.filter((each) => each.about === 'access' && each.requester === subject && each.target === target)
  return own.sort((a, b) => untilOf(a) - untilOf(b)).at(-1)
}

/** When approved access ends, ms. */
export function untilOf({ decisions, access }: Approval): number {
  return Date.parse(decisions.at(-1)?.at ?? '') + (access?.forMs ?? 0)
}

/** What a client is told that may ask and has not. */
export function askFirst(target: string, { subject }: Identity): ApplianceError {
  return new ApplianceError(
    'TARGET_DENIED',
    `${subject} may reach ${target} once somebody has approved it; ask with: sallyport access request ${target} --for 1h --reason "..."`,
  )
}
