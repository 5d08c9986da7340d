/** Whoever takes longer is asked again. */
const ANSWER_TIMEOUT_MS = 10_000
/** Of an answer, nobody needs more. */
const MAX_ANSWER_SIZE = 64 << 10
/** What a receiver may make us wait. */
const MAX_RETRY_AFTER_MS = 300_000

/** A delivery that failed. `final`: trying again would not help. */
export class DeliveryError extends Error {
  readonly final: boolean
  readonly retryAfterMs: number | undefined

  constructor(
    message: string,
    options: { readonly final: boolean; readonly retryAfterMs?: number | undefined; readonly cause?: unknown },
  ) {
    super(message, { cause: options.cause })
    this.name = 'DeliveryError'
    this.final = options.final
    this.retryAfterMs = options.retryAfterMs
  }
}

/** POSTs a body; resolves with the answer's text. Rejects DeliveryError, whose message has no address and no body: both may be secrets. */
export async function post(
  url: string,
  {
    headers,
    body,
    signal,
    timeoutMs = ANSWER_TIMEOUT_MS,
  }: {
    readonly headers: Readonly<Record<string, string>>
    readonly body: string
    readonly signal: AbortSignal
    readonly timeoutMs?: number
  },
): Promise<string> {
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      // A redirect would take what is signed for one to another.
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
  } catch (cause) {
    throw new DeliveryError('no answer', { final: false, cause })
  }
  const { status } = response
  if (status < 200 || status >= 300) {
    await response.body?.cancel()
    const passing = status >= 500 || status === 408 || status === 425 || status === 429
    throw new DeliveryError(`answered ${status}`, { final: !passing, retryAfterMs: retryAfterOf(response) })
  }
  return textOf(response)
}

function retryAfterOf(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS) : undefined
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of body ?? []) {
      size += chunk.length
      if (size > MAX_ANSWER_SIZE) throw new DeliveryError('the answer is too long', { final: true })
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof DeliveryError) throw cause
    throw new DeliveryError('the answer broke off', { final: false, cause })
  }
  return Buffer.concat(chunks).toString('utf8')
}
