import { randomBytes } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Approval, ApprovalState } from '../../schemas/approval.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Ledger, LedgerEntry } from '../ledger/ledger.ts'
import { ApprovalFiles, requestIn } from './approval-files.ts'
import { type ApprovalEvent, type ApprovalRequest, approvalAfter, checkRetraction, checkRuling, isOpen } from './approval-log.ts'
import { ApprovalShelf } from './approval-shelf.ts'
import type { ApprovalAsk, Outcome } from './approvals.ts'
import { Askers } from './askers.ts'
import type { Approver, Desk, ListedApproval, Ruling } from './desk.ts'
import { createFile, isErrno, makeFolder } from './exclusive-file.ts'
import { FolderChanges } from './folder-changes.ts'
import { RequestRate } from './request-rate.ts'

type DeskLedger = Pick<Ledger, 'append'>

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const GENERATION_DIGITS = 8

/**
 * The desk as a folder shared by any number of processes of one machine.
 *
 *   <id>.0000.json                         the request
 *   <id>.0001.json, <id>.0002.json ...     its events in order; creating the next one is the compare-and-swap
 *   by-binding/<binding>/<number>.json     the requests ever made with this binding (same bytes as 0000); the newest may be open
 *   askers/<id>.<random>                   one per wire that waits for it; the last to leave withdraws the request
 *
 * Nothing is ever rewritten. Whoever may write here may approve: the folder belongs to the gateway's user alone (0700).
 */
export class FolderDesk implements Desk {
  readonly #folder: string
  readonly #now: () => number
  readonly #ledger: DeskLedger | undefined
  readonly #files: ApprovalFiles
  readonly #shelf: ApprovalShelf
  readonly #changes: FolderChanges
  readonly #requests = new RequestRate()
  readonly #askers: Askers

  /** Requests made here, of which nobody has told yet that they ran out. */
  readonly #made = new Set<string>()

  private constructor(folder: string, now: () => number, ledger: DeskLedger | undefined) {
    this.#folder = folder
    this.#now = now
    this.#ledger = ledger
    this.#files = new ApprovalFiles(folder)
    this.#shelf = new ApprovalShelf(this.#files, now)
    this.#changes = new FolderChanges(folder)
    this.#askers = new Askers(join(folder, 'askers'))
  }

  /** The ledger is told of each step by whoever makes it, before its caller goes on. */
  static async open(folder: string, now: () => number = Date.now, ledger?: DeskLedger): Promise<FolderDesk> {
    await makeFolder(join(folder, 'by-binding'))
    await makeFolder(join(folder, 'askers'))
    return new FolderDesk(folder, now, ledger)
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
      const folder = join(this.#folder, 'by-binding', ask.binding)
      await makeFolder(folder)
      // Claimed first: of two processes asking the same at once, one makes the request and the other joins it.
      if (
        (await createFile(join(folder, `${String(number + 1).padStart(GENERATION_DIGITS, '0')}.json`), bytes)) &&
        (await this.#files.put(id, 0, bytes))
      ) {
        await this.#tellRequest(request)
        return approvalAfter(request, [], this.#now())
      }
      await askers?.leave(id)
    }
  }

  async outcome(id: string, signal: AbortSignal): Promise<Outcome> {
    // Read once: it never changes, and its command may be large.
    const { request } = await this.#files.read(id)
    for (;;) {
      signal.throwIfAborted()
      const waiting = new AbortController()
      const change = this.#changes.next(id, AbortSignal.any([signal, waiting.signal]))
      try {
        const approval = approvalAfter(request, await this.#files.events(id), this.#now())
        const outcome = outcomeOf(approval)
        if (outcome !== undefined) {
          if (approval.state === 'expired' && this.#made.delete(id))
            await this.#ledger?.append({ type: 'approval.expire', ...told(request) })
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
    return (
      (await this.#step(id, ({ state }) => (state === 'approved' ? { kind: 'consumed', at: this.#at() } : undefined))) !==
      undefined
    )
  }

  async granted(binding: string): Promise<Approval | undefined> {
    const { newest } = await this.#newest(binding)
    return newest?.state === 'approved' ? newest : undefined
  }

  async withdraw(id: string): Promise<void> {
    await this.#askers.leave(id)
    if (await this.#askers.awaited(id)) return
    await this.#step(id, ({ state }) => (state === 'pending' ? { kind: 'withdrawn', at: this.#at() } : undefined))
  }

  async retract(id: string, by: Approver): Promise<Approval> {
    const after = await this.#step(id, (approval) => {
      checkRetraction(approval, by)
      return { kind: 'withdrawn', at: this.#at() }
    })
    if (after === undefined) throw new ApplianceError('APPROVAL_CONFLICT', `request ${id} could not be withdrawn`)
    return after
  }

  async list(filter: { readonly state?: ApprovalState } = {}): Promise<readonly ListedApproval[]> {
    const approvals = await this.#shelf.all(new Set())
    return filter.state === undefined ? approvals : approvals.filter(({ state }) => state === filter.state)
  }

  async get(id: string): Promise<Approval> {
    const { request, events } = await this.#files.read(id)
    return approvalAfter(request, events, this.#now())
  }

  async decide(id: string, ruling: Ruling, approver: Approver): Promise<Approval> {
    const after = await this.#step(id, (approval) => {
      checkRuling(approval, ruling, approver)
      const reason = ruling.reason?.trim()
      const told = reason === undefined || reason === '' ? {} : { reason }
      return { kind: 'decision', decision: { act: ruling.act, by: approver.subject, at: this.#at(), ...told } }
    })
    if (after === undefined) throw new ApplianceError('APPROVAL_CONFLICT', `request ${id} could not be decided`)
    return after
  }

  async *watch(signal: AbortSignal): AsyncGenerator<ListedApproval> {
    const seen = new Map<string, string>()
    const closed = new Set<string>()
    for (let first = true; !signal.aborted; first = false) {
      const change = this.#changes.next('A-', signal)
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
    this.#changes[Symbol.dispose]()
  }

  /** Adds the event `next` makes of the present state; undefined when it makes none. Tried again whenever another process was quicker. */
  async #step(id: string, next: (approval: Approval) => ApprovalEvent | undefined): Promise<Approval | undefined> {
    for (;;) {
      const { request, events } = await this.#files.read(id)
      const event = next(approvalAfter(request, events, this.#now()))
      if (event === undefined) return undefined
      if (await this.#files.put(id, events.length + 1, JSON.stringify(event))) {
        await this.#ledger?.append(stepEntry(request, event))
        return approvalAfter(request, [...events, event], this.#now())
      }
    }
  }

  /** The last request made with this binding, and its number (0: none yet). */
  async #newest(binding: string): Promise<{ readonly newest?: Approval; readonly number: number }> {
    const folder = join(this.#folder, 'by-binding', binding)
    const names = await readdir(folder).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return []
      throw error
    })
    const name = names
      .filter((each) => /^\d+\.json$/.test(each))
      .sort()
      .at(-1)
    if (name === undefined) return { number: 0 }
    const bytes = await readFile(join(folder, name), 'utf8')
    const request = requestIn(bytes, name)
    // A process may have died between claiming the binding and writing the request: finish its work.
    await this.#files.put(request.id, 0, bytes)
    return { newest: await this.get(request.id), number: Number.parseInt(name, 10) }
  }

  async #tellRequest(request: ApprovalRequest): Promise<void> {
    if (this.#ledger === undefined) return
    const { requester, about, target, rules, binding, approvers, expiresAt } = request
    await this.#ledger.append({
      type: 'approval.request',
      ...told(request),
      ...(about === undefined ? {} : { about }),
      requester,
      ...(target === undefined ? {} : { target }),
      rules: [...rules],
      binding,
      approvers: { groups: [...approvers.groups], count: approvers.count },
      expiresAt,
    })
    this.#made.add(request.id)
  }

  #at(): string {
    return new Date(this.#now()).toISOString()
  }
}

/** The request, as every entry of the ledger about it names it. */
function told({ id, session }: ApprovalRequest): { readonly approval: string; readonly session?: string } {
  return { approval: id, ...(session === undefined ? {} : { session }) }
}

function stepEntry(request: ApprovalRequest, event: ApprovalEvent): LedgerEntry {
  switch (event.kind) {
    case 'decision': {
      const { act, by, reason } = event.decision
      return { type: 'approval.decide', ...told(request), act, actor: by, ...(reason === undefined ? {} : { reason }) }
    }
    case 'withdrawn':
      return { type: 'approval.withdraw', ...told(request) }
    case 'consumed':
      return { type: 'approval.consume', ...told(request) }
    default:
      return event satisfies never
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
