import type { IncomingHttpHeaders } from 'node:http'

interface Kept {
  until?: string
  mode?: string
  hold?: boolean
}

type Asked = { readonly method: string; readonly path: string; readonly comp: string }

/** Version-level immutability and legal holds as Azure keeps them: policies only ever grow once they are locked, what is kept is not deleted. */
export class Worm {
  readonly #kept = new Map<string, Kept>()
  /** Containers with version-level immutability, `/account/container`. */
  readonly versioned = new Set<string>()

  /** `done`: it was about a policy or hold; a code: refused; undefined: none of its business. */
  answer({ method, path, comp }: Asked, headers: IncomingHttpHeaders): 'done' | string | undefined {
    const kept = this.#kept.get(path) ?? {}
    const until = text(headers['x-ms-immutability-policy-until-date'])
    const mode = text(headers['x-ms-immutability-policy-mode'])
    if (comp === 'immutabilityPolicies') {
      if (
        kept.mode?.toLowerCase() === 'locked' &&
        (method === 'DELETE' || !(Date.parse(until ?? '') >= Date.parse(kept.until ?? '')))
      )
        return 'BlobImmutableDueToPolicy'
      this.#kept.set(path, method === 'DELETE' ? { hold: kept.hold === true } : { ...kept, ...policy(until, mode) })
      return 'done'
    }
    if (comp === 'legalhold') {
      this.#kept.set(path, { ...kept, hold: text(headers['x-ms-legal-hold']) === 'true' })
      return 'done'
    }
    const isKept = kept.hold === true || Date.parse(kept.until ?? '') > Date.now()
    if (isKept && (method === 'DELETE' || (method === 'PUT' && comp !== 'tags')))
      return headers['if-none-match'] === '*' ? 'BlobAlreadyExists' : 'BlobImmutableDueToPolicy'
    if (method === 'PUT' && (until !== undefined || headers['x-ms-legal-hold'] !== undefined)) {
      const hold = text(headers['x-ms-legal-hold']) === 'true'
      this.#kept.set(path, { ...policy(until, mode), ...(hold ? { hold } : {}) })
    }
    return undefined
  }

  /** As if it had been set before. */
  keep(path: string, until: Date, mode: 'Locked' | 'Unlocked'): void {
    this.#kept.set(path, { until: until.toUTCString(), mode })
  }

  /** What reading a blob tells of it. */
  headers(path: string): Record<string, string> {
    const { until, mode, hold } = this.#kept.get(path) ?? {}
    return {
      ...(this.versioned.has(path) ? { 'x-ms-immutable-storage-with-versioning-enabled': 'true' } : {}),
      ...(until === undefined
        ? {}
        : { 'x-ms-immutability-policy-until-date': until, 'x-ms-immutability-policy-mode': mode ?? 'unlocked' }),
      ...(hold === true ? { 'x-ms-legal-hold': 'true' } : {}),
    }
  }
}

function policy(until: string | undefined, mode: string | undefined): Kept {
  return until === undefined ? {} : { until, mode: mode ?? 'Unlocked' }
}

function text(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0]
}
