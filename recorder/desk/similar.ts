import type { SimilarApprovals } from '../../schemas/api.ts'
import type { Approval } from '../../schemas/approval.ts'
import { isOpen } from './approval-log.ts'
import type { ListedApproval } from './desk.ts'

const MAX_SIMILAR = 5

/** What was decided about requests that want the same of the same target, the newest first: the same shape of statement, or the same rules. */
export function similarTo(approval: Approval, all: readonly ListedApproval[]): SimilarApprovals['similar'] {
  const fingerprint = approval.facts['fingerprint']
  return all
    .filter((each) => each.id !== approval.id && each.decisions.length > 0 && !(isOpen(each) && each.state === 'pending'))
    .filter((each) => each.target === approval.target && (each.about ?? 'message') === (approval.about ?? 'message'))
    .filter((each) =>
      typeof fingerprint === 'string'
        ? each.facts['fingerprint'] === fingerprint
        : each.kind === approval.kind && each.rules.join() === approval.rules.join(),
    )
    .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))
    .slice(0, MAX_SIMILAR)
    .map((each) => {
      const { id, state, requester, createdAt, decisions } = each
      const same = each.commandChars === approval.command.length && approval.command.startsWith(each.command)
      return { id, state, requester, createdAt, decisions, same }
    })
}
