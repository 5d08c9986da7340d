import { setTimeout as wait } from 'node:timers/promises'
import type { Approval } from '../../schemas/approval.ts'
import type { Ledger, LedgerEntry } from '../ledger/ledger.ts'
import { type ApprovalEvent, type ApprovalRequest, approvalAfter, approvalOf, brokeGlass, endOf } from './approval-log.ts'
import { type ApprovalSteps, checkEvent } from './approval-steps.ts'

/** How long whoever wrote a step gets to tell the ledger of it, before somebody else does. */
const TELLER_MS = 5_000
const LOOK_AGAIN_MS = 20

export type DeskLedger = Pick<Ledger, 'append'>

interface Read {
  readonly request: ApprovalRequest
  readonly events: readonly ApprovalEvent[]
  readonly approval: Approval
}

/**
 * Every step of every request, and the ledger's knowledge of them. Nothing is done on the strength of a step that the ledger does not
 * have: whoever writes one tells the ledger next, and where they died in between the next to come does (so that an entry may be
 * there twice, and never not at all).
 */
export class ApprovalBook {
  readonly #steps: ApprovalSteps
  readonly #now: () => number
  readonly #ledger: DeskLedger | undefined

  constructor(steps: ApprovalSteps, now: () => number, ledger: DeskLedger | undefined) {
    this.#steps = steps
    this.#now = now
    this.#ledger = ledger
  }

  /** As it is now, told to the ledger, and if it has run out, expired for good. Rejects as ApprovalSteps.read. */
  async current(id: string): Promise<Approval> {
    return (await this.#settled(id)).approval
  }

  /** The request was written in slot 0 by this process. */
  async opened(request: ApprovalRequest): Promise<void> {
    await this.#tell(request, [], 0)
  }

  /** Adds the event `next` makes of the present state; undefined when it makes none. Tried again whenever another process was quicker. Rejects APPROVAL_CONFLICT as checkEvent. */
  async step(id: string, next: (approval: Approval) => ApprovalEvent | undefined): Promise<Approval | undefined> {
    for (;;) {
      const { request, events, approval } = await this.#settled(id)
      const event = next(approval)
      if (event === undefined) return undefined
      checkEvent(id, event)
      if (await this.#put(request, events, event)) return approvalAfter(request, [...events, event], this.#now())
    }
  }

  async #settled(id: string): Promise<Read> {
    for (;;) {
      const { request, events } = await this.#steps.read(id)
      await this.#tellRest(request, events)
      const approval = approvalAfter(request, events, this.#now())
      const runsOut = approval.state === 'expired' && !events.some(({ kind }) => kind === 'expired')
      if (!runsOut) return { request, events, approval }
      await this.#put(request, events, { kind: 'expired', at: new Date(this.#now()).toISOString() })
    }
  }

  async #put(request: ApprovalRequest, events: readonly ApprovalEvent[], event: ApprovalEvent): Promise<boolean> {
    const slot = events.length + 1
    if (!(await this.#steps.put(request.id, slot, JSON.stringify(event)))) return false
    await this.#tell(request, [...events, event], slot)
    return true
  }

  /** What others wrote and the ledger does not have yet: they are most likely telling it this moment. */
  async #tellRest(request: ApprovalRequest, events: readonly ApprovalEvent[]): Promise<void> {
    const { id } = request
    const deadlineMs = performance.now() + TELLER_MS
    for (;;) {
      if (await this.#steps.isTold(id, events.length)) return
      if (performance.now() >= deadlineMs) break
      await wait(LOOK_AGAIN_MS)
    }
    let slot = events.length
    while (slot > 0 && !(await this.#steps.isTold(id, slot - 1))) slot -= 1
    for (; slot <= events.length; slot += 1) await this.#tell(request, events, slot)
  }

  async #tell(request: ApprovalRequest, events: readonly ApprovalEvent[], slot: number): Promise<void> {
    const event = events[slot - 1]
    const before = approvalOf(request, events.slice(0, Math.max(0, slot - 1)))
    const entries = event === undefined ? [requestEntry(request)] : stepEntries(request, before, event)
    for (const entry of entries) await this.#ledger?.append(entry)
    await this.#steps.markTold(request.id, slot)
  }
}

/** The request, as every entry of the ledger about it names it. */
function named({ id, session }: ApprovalRequest): { readonly approval: string; readonly session?: string } {
  return { approval: id, ...(session === undefined ? {} : { session }) }
}

function requestEntry(request: ApprovalRequest): LedgerEntry {
  const { requester, about, target, rules, binding, approvers, expiresAt } = request
  return {
    type: 'approval.request',
    ...named(request),
    ...(about === undefined ? {} : { about }),
    requester,
    ...(target === undefined ? {} : { target }),
    rules: [...rules],
    binding,
    approvers: { groups: [...approvers.groups], count: approvers.count },
    expiresAt,
  }
}

/** What the ledger has of one step; `before`: what it was a step from. */
function stepEntries(request: ApprovalRequest, before: Approval, event: ApprovalEvent): readonly LedgerEntry[] {
  const name = named(request)
  switch (event.kind) {
    case 'decision': {
      const { act, by: actor, reason, proof } = event.decision
      const who = { actor, ...(proof === undefined ? {} : { proof }) }
      const entry: LedgerEntry =
        act === 'break-glass'
          ? { type: 'approval.break-glass', ...name, ...who, reason: reason ?? '' }
          : { type: 'approval.decide', ...name, act, ...who, ...(reason === undefined ? {} : { reason }) }
      return [entry, ...granted(request, before, event)]
    }
    case 'withdrawn': {
      const { by: actor, reason } = event
      const ends = ended(request, before, reason ?? 'ended early', actor)
      return ends.length > 0 ? ends : [{ type: 'approval.withdraw', ...name, ...(actor === undefined ? {} : { actor }) }]
    }
    case 'consumed':
      return [{ type: 'approval.consume', ...name }]
    case 'expired': {
      const ends = ended(request, before, 'its time is over')
      return ends.length > 0 ? ends : [{ type: 'approval.expire', ...name }]
    }
    case 'reviewed':
      return [
        {
          type: 'approval.review',
          ...name,
          actor: event.by,
          ...(event.proof === undefined ? {} : { proof: event.proof }),
          note: event.note,
        },
      ]
    default:
      return event satisfies never
  }
}

/** Where this decision gives access. */
function granted(request: ApprovalRequest, before: Approval, event: Extract<ApprovalEvent, { kind: 'decision' }>): LedgerEntry[] {
  const decisions = [...before.decisions, event.decision]
  const after = approvalOf(
    request,
    decisions.map((decision) => ({ kind: 'decision', decision })),
  )
  if (request.access === undefined || after.state !== 'approved') return []
  const { id: grant, requester: subject, target, command: reason } = request
  return [
    {
      type: 'access.grant',
      actor: event.decision.by,
      proof: brokeGlass(after) ? 'break-glass' : 'approval',
      grant,
      subject,
      groups: [],
      ...(target === undefined ? {} : { target }),
      reason,
      expiresAt: new Date(endOf(after)).toISOString(),
    },
  ]
}

/** Where access that was given ends. */
function ended(
  { id: grant, requester: subject, access }: ApprovalRequest,
  { state }: Approval,
  reason: string,
  actor?: string,
): LedgerEntry[] {
  if (access === undefined || state !== 'approved') return []
  return [{ type: 'access.end', grant, subject, reason, ...(actor === undefined ? {} : { actor }) }]
}
