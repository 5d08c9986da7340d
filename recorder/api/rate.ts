import { isIPv6 } from 'node:net'

/** More names than that at once are a flood; the longest unseen is forgotten, which only gives it a full bucket. */
const MAX_NAMES = 10_000

interface Bucket {
  tokens: number
  atMs: number
}

/** Token buckets by name. */
export class Rate {
  readonly #perSecond: number
  readonly #burst: number
  readonly #now: () => number
  readonly #buckets = new Map<string, Bucket>()

  constructor(limits: { readonly perSecond: number; readonly burst: number }, now: () => number = () => performance.now()) {
    this.#perSecond = limits.perSecond
    this.#burst = limits.burst
    this.#now = now
  }

  /** 0 where it may go on now, else after how many seconds it may be tried again. */
  take(name: string): number {
    const nowMs = this.#now()
    const before = this.#buckets.get(name)
    const tokens =
      before === undefined ? this.#burst : Math.min(this.#burst, before.tokens + ((nowMs - before.atMs) / 1000) * this.#perSecond)
    const allowed = tokens >= 1
    this.#buckets.delete(name)
    this.#buckets.set(name, { tokens: allowed ? tokens - 1 : tokens, atMs: nowMs })
    if (this.#buckets.size > MAX_NAMES) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return allowed ? 0 : Math.ceil((1 - tokens) / this.#perSecond)
  }

  /** Undoes a `take`: for what turned out to be none of what is limited. */
  giveBack(name: string): void {
    const bucket = this.#buckets.get(name)
    if (bucket !== undefined) bucket.tokens = Math.min(this.#burst, bucket.tokens + 1)
  }
}

/**
 * What one household or machine gets, by which whoever floods is counted: the IPv4 address, or the /64 of an IPv6 one. `client`: an address, with its
 * port or without, an IPv6 one in brackets or not.
 */
export function networkOf(client: string): string {
  const host = isIPv6(client) ? client : client.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1]
  if (v4 !== undefined) return v4
  if (!isIPv6(host)) return host
  const [head = '', tail = ''] = host.split('%')[0]?.split('::') ?? []
  const groups = head === '' ? [] : head.split(':')
  const after = tail === '' ? [] : tail.split(':')
  const whole = host.includes('::')
    ? [...groups, ...Array<string>(Math.max(0, 8 - groups.length - after.length)).fill('0'), ...after]
    : groups
  return `${whole
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
