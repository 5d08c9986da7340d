import { ApplianceError } from '../../schemas/errors.ts'
import { samePerson } from '../../schemas/session.ts'

/** A person decides a few dozen an hour; an agent that asks in a loop must not bury the desk or fill the disk. */
const MAX_REQUESTS_PER_REQUESTER = 200

/** New requests of each requester through this process, for as long as they may be open. */
export class RequestRate {
  readonly #untilMs = new Map<string, number[]>()

  /** Throws LIMIT_REACHED. */
  count(requester: string, ttlMs: number, nowMs: number): void {
    const person = samePerson(requester)
    const open = (this.#untilMs.get(person) ?? []).filter((until) => until > nowMs)
    if (open.length >= MAX_REQUESTS_PER_REQUESTER) {
      throw new ApplianceError(
        'LIMIT_REACHED',
        `${requester} has asked for ${open.length} approvals lately, more than people can read; wait until some have expired`,
      )
    }
    this.#untilMs.set(person, [...open, nowMs + ttlMs])
  }
}
