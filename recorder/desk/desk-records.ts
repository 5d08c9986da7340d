import { randomBytes } from 'node:crypto'
import type { Approval, ApprovalState } from '../../schemas/approval.ts'
import { ApprovalBook, type DeskLedger } from './approval-book.ts'
import { type ApprovalEvent, type ApprovalRequest, approvalAfter, isOpen } from './approval-log.ts'
import { ApprovalShelf } from './approval-shelf.ts'
import { ApprovalSteps, requestIn } from './approval-steps.ts'
import type { ApprovalAsk, Outcome } from './approvals.ts'
import type { Approver, Desk, ListedApproval, Ruling } from './desk.ts'
import { isPast, removeRequest, removeRest } from './old-requests.ts'
import type { Askers, Records } from './records.ts'
import { RequestRate } from './request-rate.ts'
import { checkRetraction, checkReview, checkRuling } from './rulings.ts'

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const GENERATION_DIGITS = 8

export interface DeskParts {
  readonly records: Records
  readonly askers: Askers
  readonly now?: () => number
  readonly ledger?: DeskLedger | undefined
}

/**
 * The desk on records that any number of processes share, of one machine or of many.
 *
 *   <id>.0000.json                         the request
 *   <id>.0001.json, <id>.0002.json ...     its events in order; creating the next one is the compare-and-swap
 *   by-binding/<binding>/<number>.json     the requests ever made with this binding (same bytes as 0000); the newest may be open
 *   told/<id>.0000.json ...                the ledger has that step (see ApprovalBook)
 *
 * Nothing is ever rewritten. One asker per wire waits for a request; the last to leave withdraws it. Whoever may write these records may approve.
 */
export class RecordsDesk implements Desk {
  readonly #records: Records
  readonly #now: () => number
  readonly #steps: ApprovalSteps
  readonly #book: ApprovalBook
  readonly #shelf: ApprovalShelf
  readonly #requests = new RequestRate()
  readonly #askers: Askers
  /** Nothing can happen to them any more, and the ledger has all of it. */
  readonly #swept = new Set<string>()

  /** The ledger is told of each step by whoever makes it, before its caller goes on. */
  constructor(parts: DeskParts) {
    const { records, askers, now = Date.now, ledger } = parts
    this.#records = records
    this.#now = now
    this.#steps = new ApprovalSteps(records)
    this.#book = new ApprovalBook(this.#steps, now, ledger)
    this.#shelf = new ApprovalShelf(this.#steps, now)
    this.#askers = askers
  }

  request(ask: ApprovalAsk): Promise<Approval> {
    return this.#ask(ask, this.#askers)
  }

  submit(ask: ApprovalAsk): Promise<Approval> {
    return this.#ask(ask, undefined)
  }

  /** `askers`: where somebody waits on a wire is written down there, as long as they wait. */
  async #ask(ask: ApprovalAsk, askers: Askers | undefined): Promise<Approval> {
    for (;;) {
      const { newest, number } = await this.#newest(ask.binding)
      if (newest !== undefined && isOpen(newest)) {
        await askers?.join(newest.id)
        // It may have been withdrawn by its last asker before this one was counted.
        const joined = await this.get(newest.id)
        if (isOpen(joined)) return joined
        await askers?.leave(newest.id)
      }
      this.#requests.count(ask.requester, ask.ttlMs, this.#now())
      const id = newId()
      const request = requestOf(ask, id, this.#now())
      await askers?.join(id)
      const bytes = JSON.stringify(request)
      const claim = `by-binding/${ask.binding}/${String(number + 1).padStart(GENERATION_DIGITS, '0')}.json`
      // Claimed first: of two processes asking the same at once, one makes the request and the other joins it.
      if ((await this.#records.create(claim, bytes)) && (await this.#steps.put(id, 0, bytes))) {
        await this.#book.opened(request)
        return approvalAfter(request, [], this.#now())
      }
      await askers?.leave(id)
    }
  }

  async outcome(id: string, signal: AbortSignal): Promise<Outcome> {
    for (;;) {
      signal.throwIfAborted()
      const waiting = new AbortController()
      const change = this.#records.next(id, AbortSignal.any([signal, waiting.signal]))
      try {
        const outcome = outcomeOf(await this.#book.current(id))
        if (outcome !== undefined) {
          await this.#askers.leave(id)
          return outcome
        }
        await change
      } finally {
        waiting.abort()
      }
    }
  }

  async consume(id: string): Promise<boolean> {
    const taken = await this.#book.step(id, ({ state, access }) =>
      state === 'approved' && access === undefined ? { kind: 'consumed', at: this.#at() } : undefined,
    )
    return taken !== undefined
  }

  async granted(binding: string): Promise<Approval | undefined> {
    const { newest } = await this.#newest(binding)
    return newest?.state === 'approved' ? newest : undefined
  }

  async withdraw(id: string): Promise<void> {
    await this.#askers.leave(id)
    if (await this.#askers.awaited(id)) return
    await this.#book.step(id, ({ state }) => (state === 'pending' ? { kind: 'withdrawn', at: this.#at() } : undefined))
  }

  retract(id: string, by: Approver, reason?: string): Promise<Approval> {
    return this.#must(id, (approval) => {
      checkRetraction(approval, by)
      return { kind: 'withdrawn', at: this.#at(), by: by.subject, ...(reason === undefined ? {} : { reason }) }
    })
  }

  review(id: string, note: string, reviewer: Approver): Promise<Approval> {
    return this.#must(id, (approval) => {
      checkReview(approval, note, reviewer)
      return { kind: 'reviewed', at: this.#at(), by: reviewer.subject, ...proofOf(reviewer), note: note.trim() }
    })
  }

  async sweep(keepMs?: number): Promise<readonly string[]> {
    for (const { id } of await this.#shelf.all(this.#swept)) {
      // Told, and written down where it has run out.
      if (!isOpen(await this.#book.current(id))) this.#swept.add(id)
    }
    return keepMs === undefined ? [] : this.#forget(this.#now() - keepMs)
  }

  async #forget(beforeMs: number): Promise<readonly string[]> {
    const past = (await this.#shelf.all(new Set())).filter((each) => this.#swept.has(each.id) && isPast(each, beforeMs))
    for (const approval of past) {
      await removeRequest(this.#records, approval)
      this.#shelf.forget(approval.id)
      this.#swept.delete(approval.id)
    }
    await removeRest(this.#records)
    return past.map(({ id }) => id)
  }

  async list(filter: { readonly state?: ApprovalState } = {}): Promise<readonly ListedApproval[]> {
    const approvals = await this.#shelf.all(new Set())
    return filter.state === undefined ? approvals : approvals.filter(({ state }) => state === filter.state)
  }

  async get(id: string): Promise<Approval> {
    const { request, events } = await this.#steps.read(id)
    return approvalAfter(request, events, this.#now())
  }

  decide(id: string, ruling: Ruling, approver: Approver): Promise<Approval> {
    return this.#must(id, (approval) => {
      checkRuling(approval, ruling, approver)
      const reason = ruling.reason?.trim()
      const told = reason === undefined || reason === '' ? {} : { reason }
      return {
        kind: 'decision',
        decision: { act: ruling.act, by: approver.subject, ...proofOf(approver), at: this.#at(), ...told },
      }
    })
  }

  async *watch(signal: AbortSignal): AsyncGenerator<ListedApproval> {
    const seen = new Map<string, string>()
    const closed = new Set<string>()
    for (let first = true; !signal.aborted; first = false) {
      const change = this.#records.next('A-', signal)
      for (const approval of await this.#shelf.all(closed)) {
        const { id, state, decisions } = approval
        if (!isOpen(approval)) closed.add(id)
        const version = `${state} ${decisions.length}`
        if (seen.get(id) === version) continue
        seen.set(id, version)
        if (!first || isOpen(approval)) yield approval
      }
      await change
    }
  }

  [Symbol.dispose](): void {
    this.#records[Symbol.dispose]()
  }

  /** As ApprovalBook.step, where `next` throws what it does not make an event of. */
  async #must(id: string, next: (approval: Approval) => ApprovalEvent): Promise<Approval> {
    const after = await this.#book.step(id, next)
    if (after === undefined) throw new Error('a step that must be taken is taken')
    return after
  }

  /** The last request made with this binding, and its number (0: none yet). */
  async #newest(binding: string): Promise<{ readonly newest?: Approval; readonly number: number }> {
    const folder = `by-binding/${binding}`
    const name = (await this.#records.names(folder)).filter((each) => /^\d+\.json$/.test(each)).at(-1)
    const bytes = name === undefined ? undefined : await this.#records.read(`${folder}/${name}`)
    if (name === undefined || bytes === undefined) return { number: 0 }
    const request = requestIn(bytes, name)
    // A process may have died between claiming the binding and writing the request: finish its work.
    await this.#steps.put(request.id, 0, bytes)
    return { newest: await this.#book.current(request.id), number: Number.parseInt(name, 10) }
  }

  #at(): string {
    return new Date(this.#now()).toISOString()
  }
}

function requestOf({ ttlMs, ...ask }: ApprovalAsk, id: string, nowMs: number): ApprovalRequest {
  return { ...ask, id, createdAt: new Date(nowMs).toISOString(), expiresAt: new Date(nowMs + ttlMs).toISOString() }
}

function outcomeOf({ state, decisions }: Approval): Outcome | undefined {
  switch (state) {
    case 'pending':
      return undefined
    case 'approved':
    // Used by another wire that asked the same: consume() will say so.
    case 'consumed':
      return { act: 'approved', decisions }
    case 'rejected':
      return { act: 'rejected', decisions }
    // Withdrawn under a second asker, in the instant of its joining: nobody will decide it any more.
    case 'withdrawn':
    case 'expired':
      return { act: 'expired' }
    default:
      return state satisfies never
  }
}

/** Forty random bits, in letters that cannot be misread aloud. */
function newId(): string {
  return `A-${Array.from(randomBytes(8), (byte) => CROCKFORD[byte % CROCKFORD.length]).join('')}`
}

function proofOf({ proof }: Approver): { readonly proof?: string } {
  return proof === undefined ? {} : { proof }
}
