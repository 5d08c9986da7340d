import { Compile } from 'typebox/compile'
import { ApplianceError } from '../../schemas/errors.ts'
import { type ApprovalEvent, ApprovalEvent as ApprovalEventSchema, ApprovalRequest } from './approval-log.ts'
import { unreadable } from './record-check.ts'
import type { Records } from './records.ts'

const ID_PATTERN = /^A-[0-9A-HJKMNP-TV-Z]{8}$/
const REQUEST_NAME = /^(A-[0-9A-HJKMNP-TV-Z]{8})\.0000\.json$/
const SLOT_DIGITS = 4

const requestChecker = Compile(ApprovalRequest)
const eventChecker = Compile(ApprovalEventSchema)

/** Requests and their events as numbered records, each written once: slot 0 is the request, the others its events in order. */
export class ApprovalSteps {
  readonly #records: Records

  constructor(records: Records) {
    this.#records = records
  }

  /** Ids of every request, in no order. */
  async ids(): Promise<readonly string[]> {
    const names = await this.#records.names('')
    return names.flatMap((name) => REQUEST_NAME.exec(name)?.[1] ?? [])
  }

  /** The request and its events so far. Rejects APPROVAL_UNKNOWN, or STORE_FAILED naming a damaged record. */
  async read(id: string): Promise<{ readonly request: ApprovalRequest; readonly events: readonly ApprovalEvent[] }> {
    const first = ID_PATTERN.test(id) ? await this.#slot(id, 0) : undefined
    if (first === undefined)
      throw new ApplianceError('APPROVAL_UNKNOWN', `there is no approval request ${JSON.stringify(id.slice(0, 40))}`)
    if (!requestChecker.Check(first)) throw damaged(slotName(id, 0))
    return { request: first, events: await this.events(id) }
  }

  async events(id: string): Promise<readonly ApprovalEvent[]> {
    const events: ApprovalEvent[] = []
    for (let slot = 1; ; slot += 1) {
      const event = await this.#slot(id, slot)
      if (event === undefined) return events
      if (!eventChecker.Check(event)) throw damaged(slotName(id, slot))
      events.push(event)
    }
  }

  async #slot(id: string, slot: number): Promise<unknown> {
    const name = slotName(id, slot)
    const text = await this.#records.read(name)
    return text === undefined ? undefined : parsed(text, name)
  }

  /** Whether the ledger has what stands in this slot, so far as anybody wrote down. */
  async isTold(id: string, slot: number): Promise<boolean> {
    return (await this.#records.read(told(id, slot))) !== undefined
  }

  async markTold(id: string, slot: number): Promise<void> {
    await this.#records.create(told(id, slot), '')
  }

  /** False when the slot is taken: another process was quicker. */
  put(id: string, slot: number, text: string): Promise<boolean> {
    return this.#records.create(slotName(id, slot), text)
  }
}

/** Throws APPROVAL_CONFLICT for an event that, once written, would make a damaged record of its slot, and of every list that has it. */
export function checkEvent(id: string, event: ApprovalEvent): void {
  const why = unreadable(eventChecker, event)
  if (why !== undefined) throw new ApplianceError('APPROVAL_CONFLICT', `this cannot be kept with request ${id}: ${why}`)
}

/** The request in this text. Throws STORE_FAILED naming the file where it is none. */
export function requestIn(text: string, name: string): ApprovalRequest {
  const request = parsed(text, name)
  if (!requestChecker.Check(request)) throw damaged(name)
  return request
}

function told(id: string, slot: number): string {
  return `told/${slotName(id, slot)}`
}

function slotName(id: string, slot: number): string {
  return `${id}.${String(slot).padStart(SLOT_DIGITS, '0')}.json`
}

function parsed(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw damaged(name, error)
  }
}

function damaged(name: string, cause?: unknown): ApplianceError {
  return new ApplianceError(
    'STORE_FAILED',
    `the approval record ${name} is damaged; restore it from a backup or remove its request`,
    { cause },
  )
}
