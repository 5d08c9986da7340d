import { networkOf } from '../../recorder/api/rate.ts'
import type { SignInLogin } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { type DeviceCode, signInByDevice } from './oidc.ts'

/** However long the issuer lets its codes live: whoever has not confirmed one by then left. */
const MAX_WAIT_MS = 600_000
/** People who are at it at once. Each is a connection that proves nothing yet; an office behind one address has so many. */
const MAX_WAITING = 100
const MAX_WAITING_FROM_NETWORK = 20
/** Nobody is known yet who asks for a code: without a bound anybody could have the issuer asked as often as they like. */
const MAX_CODES_PER_MINUTE = 60
const MAX_CODES_FROM_NETWORK_PER_MINUTE = 10
const MINUTE_MS = 60_000

export interface DeviceLoginsParts {
  readonly way: SignInLogin
  /** ms; only differences count. */
  readonly now?: () => number
  readonly maxWaitMs?: number
}

/** People who sign in at an issuer by the device flow (RFC 8628) on behalf of a connection that waits for them. */
export class DeviceLogins {
  readonly #way: SignInLogin
  readonly #now: () => number
  readonly #maxWaitMs: number
  readonly #waiting = new Map<string, number>()
  #started = new Map<string, number>()
  #minute = 0

  constructor({ way, now = () => performance.now(), maxWaitMs = MAX_WAIT_MS }: DeviceLoginsParts) {
    this.#way = way
    this.#now = now
    this.#maxWaitMs = maxWaitMs
  }

  /**
   * The ID token of whoever confirmed the code that `onCode` was told. `client`: `address:port`. Rejects AUTH_DENIED where nobody did, or the code
   * ran out; AUTH_UNAVAILABLE; LIMIT_REACHED. `signal`: the client left.
   */
  async signIn(client: string, onCode: (code: DeviceCode) => void, signal: AbortSignal): Promise<string> {
    const network = networkOf(client)
    this.#count(network)
    const waiting = this.#waiting.get(network) ?? 0
    this.#waiting.set(network, waiting + 1)
    try {
      const late = AbortSignal.timeout(this.#maxWaitMs)
      const { idToken } = await signInByDevice(this.#way, onCode, AbortSignal.any([signal, late]))
      return idToken
    } finally {
      const left = (this.#waiting.get(network) ?? 1) - 1
      if (left > 0) this.#waiting.set(network, left)
      else this.#waiting.delete(network)
    }
  }

  #count(network: string): void {
    const minute = Math.floor(this.#now() / MINUTE_MS)
    if (minute !== this.#minute) this.#started = new Map()
    this.#minute = minute
    const full =
      sum(this.#waiting) >= MAX_WAITING ||
      (this.#waiting.get(network) ?? 0) >= MAX_WAITING_FROM_NETWORK ||
      sum(this.#started) >= MAX_CODES_PER_MINUTE ||
      (this.#started.get(network) ?? 0) >= MAX_CODES_FROM_NETWORK_PER_MINUTE
    if (full)
      throw new ApplianceError('LIMIT_REACHED', 'too many people are signing in just now; try again in a minute, or use a key')
    this.#started.set(network, (this.#started.get(network) ?? 0) + 1)
  }
}

function sum(counts: ReadonlyMap<string, number>): number {
  let all = 0
  for (const count of counts.values()) all += count
  return all
}
