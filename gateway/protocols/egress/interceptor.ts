import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { ApplianceError } from '../../../schemas/errors.ts'
import type { EgressSettings } from '../../config.ts'
import { issueCertificate } from '../../credentials/certificate.ts'
import type { Authority } from '../../credentials/egress-authority.ts'
import { isListed } from '../../policy/http/egress-facts.ts'

/** Some clients take none that is valid for longer than about a year; it is made anew well before it ends. */
const LEAF_MS = 30 * 86_400_000
const RENEW_BEFORE_MS = 86_400_000
const SKEW_MS = 3_600_000
/** Of hosts met last: a certificate costs a millisecond, a context some kilobytes. */
const MAX_LEAVES = 1000
/** What a common name has room for (RFC 5280, A.1: ub-common-name); clients go by the alternative name. */
const MAX_COMMON_NAME = 64

interface Leaf {
  readonly context: SecureContext
  readonly renewAt: number
}

/** Stands in for hosts whose TLS is opened: with a certificate for each, made when it is first asked for, all with one key of this process. */
export class Interceptor {
  readonly #authority: Authority
  readonly #authorityEnds: number
  readonly #key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
  readonly #leaves = new Map<string, Leaf>()

  constructor(authority: Authority) {
    this.#authority = authority
    this.#authorityEnds = Date.parse(new X509Certificate(authority.cert).validTo)
  }

  /** `host`: a name or an address, as `placeOf` tells it. */
  contextFor(host: string, now = Date.now()): SecureContext {
    const kept = this.#leaves.get(host)
    this.#leaves.delete(host)
    const leaf = kept !== undefined && now < kept.renewAt ? kept : this.#made(host, now)
    this.#leaves.set(host, leaf)
    const [eldest] = this.#leaves.keys()
    if (this.#leaves.size > MAX_LEAVES && eldest !== undefined) this.#leaves.delete(eldest)
    return leaf.context
  }

  #made(host: string, now: number): Leaf {
    const ends = Math.min(now + LEAF_MS, this.#authorityEnds)
    const cert = issueCertificate(
      {
        subject: host.slice(0, MAX_COMMON_NAME),
        key: this.#key,
        notBefore: new Date(now - SKEW_MS),
        notAfter: new Date(ends),
        names: [host],
      },
      this.#authority,
    )
    return {
      context: createSecureContext({ key: this.#key, cert: `${cert}${this.#authority.cert}` }),
      renewAt: ends - RENEW_BEFORE_MS,
    }
  }
}

/** Whether what passes to that host is read inside of TLS. */
export function isIntercepted(host: string, { intercept }: Pick<EgressSettings, 'intercept'>): boolean {
  return intercept !== undefined && isListed(host, intercept.hosts) && !isListed(host, intercept.except)
}

/** PEM certificates an upstream has to be certified by: the usual ones and those of a file. Rejects CONFIG_INVALID. */
export async function rootsOf({ intercept }: Pick<EgressSettings, 'intercept'>): Promise<readonly string[]> {
  const usual = getCACertificates('default')
  if (intercept?.trustFile === undefined) return usual
  const pem = await readFile(intercept.trustFile, 'utf8').catch((cause: unknown) => {
    throw new ApplianceError('CONFIG_INVALID', `${intercept.trustFile}: cannot be read`, { cause })
  })
  const own = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (own.length === 0) throw new ApplianceError('CONFIG_INVALID', `${intercept.trustFile}: holds no certificate in PEM`)
  return [...usual, ...own]
}
