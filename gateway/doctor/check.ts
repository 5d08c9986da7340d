/** `excess`: it works, and so would what must not. */
export type CheckStatus = 'ok' | 'warning' | 'excess' | 'failed' | 'skipped'

export interface Check {
  /** What was looked at: `store append`, `target shop` ... */
  readonly what: string
  readonly status: CheckStatus
  /** What was seen. */
  readonly seen: string
  /** What to do about it. */
  readonly cure?: string
}

/** Runs a check whose failure is an error; its message is ours and names no secret. `cure` may go by the error. */
export async function checked(
  what: string,
  work: () => Promise<Omit<Check, 'what'>>,
  cureOf?: string | ((error: unknown) => string | undefined),
): Promise<Check> {
  try {
    return { what, ...(await work()) }
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error)
    const cure = typeof cureOf === 'function' ? cureOf(error) : cureOf
    return { what, status: 'failed', seen, ...(cure === undefined ? {} : { cure }) }
  }
}
