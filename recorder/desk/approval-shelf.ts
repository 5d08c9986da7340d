import { type ApprovalRequest, approvalAfter, brokeGlass, isOpen } from './approval-log.ts'
import type { ApprovalSteps } from './approval-steps.ts'
import { LISTED_COMMAND_CHARS, type ListedApproval } from './desk.ts'

/** Requests remembered; those beyond are read again for each list, which takes longer and changes nothing. */
const MAX_REMEMBERED = 20_000
/** What expired may still get an event that was being written at that moment. */
const SURELY_EXPIRED_MS = 60_000

interface Remembered {
  /** As it was written, its command cut for lists. */
  readonly request: ApprovalRequest
  readonly commandChars: number
  /** Once nothing can happen to it any more. */
  readonly closed: ListedApproval | undefined
}

/**
 * Every request as lists have it, without reading again what cannot have changed: a request is written once, and one that
 * has ended stays as it is. An inbox is looked at several times a second, by people and by whoever waits for a change.
 */
export class ApprovalShelf {
  readonly #steps: ApprovalSteps
  readonly #now: () => number
  readonly #remembered = new Map<string, Remembered>()

  constructor(steps: ApprovalSteps, now: () => number) {
    this.#steps = steps
    this.#now = now
  }

  /** Oldest first; without those in `skip`. */
  async all(skip: ReadonlySet<string>): Promise<ListedApproval[]> {
    const approvals: ListedApproval[] = []
    for (const id of await this.#steps.ids()) {
      if (!skip.has(id)) approvals.push(await this.#listed(id))
    }
    return approvals.sort((a, b) => compare(a.createdAt, b.createdAt) || compare(a.id, b.id))
  }

  forget(id: string): void {
    this.#remembered.delete(id)
  }

  async #listed(id: string): Promise<ListedApproval> {
    const known = this.#remembered.get(id)
    if (known?.closed !== undefined) return known.closed
    const { request, commandChars } = known ?? (await this.#read(id))
    const nowMs = this.#now()
    const approval = { ...approvalAfter(request, await this.#steps.events(id), nowMs), commandChars }
    // Broken glass may be reviewed whenever.
    const over =
      !isOpen(approval) &&
      (approval.state !== 'expired' || nowMs > Date.parse(request.expiresAt) + SURELY_EXPIRED_MS) &&
      !(brokeGlass(approval) && approval.review === undefined)
    if (known !== undefined || this.#remembered.size < MAX_REMEMBERED)
      this.#remembered.set(id, { request, commandChars, closed: over ? approval : undefined })
    return approval
  }

  async #read(id: string): Promise<{ readonly request: ApprovalRequest; readonly commandChars: number }> {
    const { request } = await this.#steps.read(id)
    const { command } = request
    return { request: { ...request, command: beginning(command) }, commandChars: command.length }
  }
}

/** A copy: a slice would keep the whole text in memory. */
function beginning(text: string): string {
  if (text.length <= LISTED_COMMAND_CHARS) return text
  const last = text.charCodeAt(LISTED_COMMAND_CHARS - 1)
  // Not inside a surrogate pair.
  const chars = last >= 0xd800 && last <= 0xdbff ? LISTED_COMMAND_CHARS - 1 : LISTED_COMMAND_CHARS
  return Buffer.from(text.slice(0, chars), 'utf16le').toString('utf16le')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
