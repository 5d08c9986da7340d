import type { ListedApproval } from '../../../recorder/desk/desk.ts'

/** A request as lists have it, to be told of. */
export function listed(changes: Partial<ListedApproval> = {}): ListedApproval {
  const command = changes.command ?? "delete from people where email = '[MASKED:email:7f3a91c204be]'"
  return {
    id: 'A-00000001',
    about: 'message',
    session: '20261120T105150Z-gw1-00000042',
    requester: 'agent-7',
    requesterKind: 'agent',
    principal: 'ada@example.com',
    target: 'shop',
    protocol: 'postgres',
    kind: 'query',
    facts: { verbs: ['DELETE'] },
    rules: ['pg.no-where'],
    reason: 'a whole table',
    approvers: { groups: ['dba'], count: 1 },
    binding: 'a'.repeat(64),
    createdAt: '2026-11-20T10:00:00.000Z',
    expiresAt: '2026-11-20T11:00:00.000Z',
    state: 'pending',
    decisions: [],
    command,
    commandChars: command.length,
    ...changes,
  }
}
