import type { Approval } from '../../schemas/approval.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { brokeGlass } from '../desk/approval-log.ts'
import type { ListedApproval } from '../desk/desk.ts'

export type NewsKind = 'requested' | 'voted' | 'broken-glass' | Exclude<Approval['state'], 'pending'>

/** Something happened to a request. The same thing has the same `id`, whoever tells it and how often. */
export interface News {
  readonly id: string
  readonly kind: NewsKind
  readonly at: string
  readonly approval: ListedApproval
}

/** What there is to tell of a request as it is now. */
export function newsOf(approval: ListedApproval): News {
  const { id, state, decisions, createdAt, expiresAt, withdrawn } = approval
  const last = decisions.at(-1)
  const kind =
    state === 'pending'
      ? last === undefined
        ? 'requested'
        : 'voted'
      : state === 'approved' && brokeGlass(approval)
        ? 'broken-glass'
        : state
  const at = state === 'expired' ? expiresAt : (withdrawn?.at ?? last?.at ?? createdAt)
  return { id: `${id}.${state}.${decisions.length}`, kind, at, approval }
}

/** Where people see it whole and decide. */
export function addressOf(console: string | undefined, { id }: Approval): string | undefined {
  return console === undefined ? undefined : `${console.replace(/\/$/, '')}/approvals/${id}`
}

const WORDS: Readonly<Record<NewsKind, string>> = {
  requested: 'waits for approval',
  voted: 'waits for another approval',
  'broken-glass': 'was approved by BREAKING THE GLASS',
  approved: 'was approved',
  rejected: 'was rejected',
  expired: 'has expired',
  withdrawn: 'was withdrawn',
  consumed: 'was approved and used',
}

/** One line, escaped: it holds names that others chose. */
export function headline({ kind, approval }: News): string {
  const { id, about = 'message', requester } = approval
  const { target = about === 'retention' ? 'whose time is over' : 'every target' } = approval
  const wish = {
    message: 'a command on',
    access: 'access to',
    policy: 'another policy for',
    retention: 'deleting recordings',
  }[about]
  return safeText(`${id} ${WORDS[kind]}: ${requester}, ${wish} ${target}`)
}

/** Who, why, how many, until when; each line escaped. */
export function details({ approval }: News): readonly string[] {
  const { requester, requesterKind, principal, reason, rules, approvers, expiresAt, decisions, withdrawn } = approval
  return [
    `Requester: ${requester} (${requesterKind}${principal === undefined ? '' : `, for ${principal}`})`,
    `Because: ${reason}${rules.length === 0 ? '' : ` [${rules.join(', ')}]`}`,
    `Needs: ${approvers.count} of ${approvers.groups.join(', ')}, until ${expiresAt}`,
    ...decisions.map(({ act, by, at, reason: why }) => `${act} by ${by} at ${at}${why === undefined ? '' : `: ${why}`}`),
    ...(withdrawn?.by === undefined
      ? []
      : [`withdrawn by ${withdrawn.by}${withdrawn.reason === undefined ? '' : `: ${withdrawn.reason}`}`]),
  ].map(safeText)
}
