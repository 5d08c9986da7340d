import { setTimeout as delay } from 'node:timers/promises'
import { ApplianceError } from '../../schemas/errors.ts'

export interface Token {
  readonly token: string
  /** Epoch, ms. */
  readonly expiresOnTimestamp: number
}

/** Whoever can issue tokens: the credentials of @azure/identity, or a test. */
export interface TokenIssuer {
  getToken(
    scope: string,
    options: { readonly abortSignal: AbortSignal },
  ): Promise<(Token & { readonly refreshAfterTimestamp?: number | undefined }) | null>
}

/** Every limit, with its reason; tests make them smaller. */
export interface TokenLimits {
  /** How long the first token of a scope may take: an identity endpoint that has just been started, or answers 429. */
  readonly patienceMs: number
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** One question to the issuer: it asks a service on this machine. */
  readonly timeoutMs: number
  /** New ones are asked for this long before the old one ends, where the issuer names no time: the library gives out its old one before. */
  readonly refreshBeforeMs: number
  /** A token with less life than this is not given out: the request it is for has to arrive. */
  readonly usableMs: number
}

const LIMITS: TokenLimits = {
  patienceMs: 30_000,
  firstPauseMs: 250,
  longestPauseMs: 30_000,
  timeoutMs: 15_000,
  refreshBeforeMs: 5 * 60_000,
  usableMs: 2_000,
}
/** Longest timer of Node. */
const MAX_DELAY_MS = 2 ** 31 - 1

/**
 * Tokens, one per scope, renewed in the background before they end: an outage of the identity endpoint shorter than the rest
 * of a token's life is noticed by nobody. The library does not try again after 429 and asks only once a token is nearly over;
 * here every refusal but a wrong request is tried again, with growing pauses and jitter.
 */
export class Tokens implements Disposable {
  readonly #issuer: TokenIssuer
  readonly #limits: TokenLimits
  readonly #held = new Map<string, Token>()
  readonly #asking = new Map<string, Promise<Token>>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  #closed = false

  constructor(issuer: TokenIssuer, limits: Partial<TokenLimits> = {}) {
    this.#issuer = issuer
    this.#limits = { ...LIMITS, ...limits }
  }

  /** A token with life left. Rejects AZURE_FAILED when there is none and none can be had. The shape is the Azure SDK's TokenCredential. */
  async getToken(scopes: string | string[], options: { readonly abortSignal?: unknown } = {}): Promise<Token> {
    const [scope, ...more] = Array.isArray(scopes) ? scopes : [scopes]
    if (scope === undefined || more.length > 0) throw new ApplianceError('AZURE_FAILED', 'a token is for exactly one scope')
    const held = this.#held.get(scope)
    if (held !== undefined && held.expiresOnTimestamp - Date.now() > this.#limits.usableMs) return held
    const asking = this.#asking.get(scope) ?? this.#ask(scope)
    return options.abortSignal instanceof AbortSignal ? orAborted(asking, options.abortSignal) : asking
  }

  /** Ends the renewals; tokens already held stay usable. */
  [Symbol.dispose](): void {
    this.#closed = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #ask(scope: string): Promise<Token> {
    const asking = this.#insist(scope).finally(() => this.#asking.delete(scope))
    this.#asking.set(scope, asking)
    return asking
  }

  async #insist(scope: string): Promise<Token> {
    const deadline = performance.now() + this.#limits.patienceMs
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.#renew(scope)
      } catch (error) {
        const pauseMs = this.#pauseMs(tries)
        if (isWrongRequest(error) || performance.now() + pauseMs > deadline) throw failed(scope, error)
        await delay(pauseMs)
      }
    }
  }

  async #renew(scope: string): Promise<Token> {
    const token = await this.#issuer.getToken(scope, { abortSignal: AbortSignal.timeout(this.#limits.timeoutMs) })
    if (token === null) throw new ApplianceError('AZURE_FAILED', `no token for ${scope}`)
    const left = token.expiresOnTimestamp - Date.now()
    if (left <= this.#limits.usableMs)
      throw new ApplianceError('AZURE_FAILED', `the token for ${scope} had expired when it came (is the clock right?)`)
    const held = { token: token.token, expiresOnTimestamp: token.expiresOnTimestamp }
    const isNew = held.token !== this.#held.get(scope)?.token
    this.#held.set(scope, held)
    const refreshInMs = (token.refreshAfterTimestamp ?? token.expiresOnTimestamp - this.#limits.refreshBeforeMs) - Date.now()
    // The library answers from its own memory until shortly before the end: then it is asked again, as after a failure.
    this.#later(scope, isNew && refreshInMs > 0 ? refreshInMs * jitter() : this.#pauseMs(MANY), 0)
    return held
  }

  #later(scope: string, ms: number, tries: number): void {
    clearTimeout(this.#timers.get(scope))
    if (this.#closed) return
    const timer = setTimeout(
      () => {
        this.#renew(scope).catch(() => this.#later(scope, this.#pauseMs(tries), tries + 1))
      },
      Math.min(ms, MAX_DELAY_MS),
    )
    timer.unref()
    this.#timers.set(scope, timer)
  }

  #pauseMs(tries: number): number {
    return Math.min(this.#limits.firstPauseMs * 2 ** tries, this.#limits.longestPauseMs) * jitter()
  }
}

/** As many tries as make the pause the longest. */
const MANY = 32

/** Between three quarters and the whole, so that replicas do not ask in step. */
function jitter(): number {
  return 0.75 + Math.random() * 0.25
}

/** An unknown client id or resource: the same question gets the same answer. */
function isWrongRequest(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const status = 'status' in at ? at.status : 'statusCode' in at ? at.statusCode : undefined
    if (status === 400 || status === 401 || status === 403) return true
  }
  return false
}

function failed(scope: string, error: unknown): ApplianceError {
  if (error instanceof ApplianceError) return error
  const message = error instanceof Error ? error.message.split('\n', 1)[0] : String(error)
  // Of `identity: default`: none of the ways to sign in had anybody.
  const nobody = error instanceof Error && error.name === 'AggregateAuthenticationError'
  const cure = nobody ? ' (nobody is signed in here: az login, or a managed identity of this machine)' : ''
  return new ApplianceError('AZURE_FAILED', `no token for ${scope}: ${message}${cure}`, { cause: error })
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const abort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
