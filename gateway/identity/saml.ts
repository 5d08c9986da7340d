import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Profile, SAML, ValidateInResponseTo } from '@node-saml/node-saml'
import type { Flow, Proved, SignInWay } from '../../recorder/api/parts.ts'
import { seal, unseal } from '../../recorder/api/sealed.ts'
import type { Records } from '../../recorder/desk/records.ts'
import { API_BASE } from '../../schemas/api.ts'
import type { SamlConfig } from '../../schemas/config-identity.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { durationMs } from '../policy/quantities.ts'
import { identityIn } from './claims.ts'
import { isTame, isWeaklySigned } from './saml-shape.ts'

/** To type a password and find a telephone; also the oldest assertion that is taken. */
const REQUEST_MS = 10 * 60_000
const CLOCK_TOLERANCE_MS = 30_000
/** From what the issuer had posted to what the browser asks for itself. */
const TICKET_MS = 60_000
const DEFAULT_LASTS = '8h'
/** Longer than a response with a hundred groups; XML costs time to read. */
const MAX_RESPONSE_LENGTH = 200_000
const TICKET_USE = 'saml ticket'
/** What was answered is remembered for longer than it could be answered again, by any clock. */
const KEPT_MS = 3_600_000

/**
 * Signing in by SAML 2.0 (Web Browser SSO: redirect there, post back). The assertion itself has to be signed by a configured
 * certificate, answer a request of ours that nobody answered before, be for us (audience), for this address (recipient), of the
 * configured issuer and of now; what is read is only what the signature covers. The post comes from a foreign page and brings no
 * cookie, so it gives the browser a sealed ticket, which signs in once, and only the browser that was sent out with that very request.
 *
 * Records, `<SHA-256 of the request's id>.json` with who was proved and `<...>.used` once they came with the ticket, are shared by all
 * processes behind one address: creating them is what makes assertion and ticket good once.
 */
export class SamlSignIn implements SignInWay {
  readonly id = 'saml'
  readonly name: string
  readonly #settings: SamlConfig
  readonly #certificates: readonly string[]
  readonly #key: Uint8Array
  readonly #requests: Requests
  readonly #records: Records

  /** `certificates`: PEM. `key`: 32 bytes, the same in every process behind one address. */
  constructor(settings: SamlConfig, certificates: readonly string[], key: Uint8Array, records: Records) {
    this.name = settings.name ?? 'Sign in with single sign-on (SAML)'
    this.#settings = settings
    this.#certificates = certificates
    this.#key = key
    this.#requests = new Requests(key)
    this.#records = records
  }

  async start(base: string): Promise<{ readonly location: string; readonly flow: Flow }> {
    const request = this.#requests.next()
    const location = await this.#saml(base, () => request).getAuthorizeUrlAsync('', undefined, {})
    return { location, flow: { request } }
  }

  async accept(form: URLSearchParams, base: string): Promise<URLSearchParams> {
    const response = form.get('SAMLResponse') ?? ''
    if (response === '' || response.length > MAX_RESPONSE_LENGTH) throw denied('no response, or an endless one')
    const xml = Buffer.from(response, 'base64')
    // SAML has no use for them, and entities grow.
    if (/<!DOCTYPE/i.test(xml.toString('latin1'))) throw denied('a document type')
    const text = xml.toString('utf8')
    if (!isTame(text)) throw denied('a response that no issuer writes')
    if (isWeaklySigned(text)) throw denied('a signature by SHA-1: the issuer has to sign by SHA-256 or better')
    const { profile, request } = await this.#proved(response, base)
    const identity = this.#identity(profile)
    await this.#records.forget(KEPT_MS)
    if (!(await this.#records.create(nameOf(request, 'json'), JSON.stringify(identity)))) throw denied('it was answered before')
    return new URLSearchParams({ ticket: seal(this.#key, TICKET_USE, { request }, Date.now() + TICKET_MS) })
  }

  async finish(answer: URL, { request }: Flow): Promise<Proved> {
    const ticket = unseal(this.#key, TICKET_USE, answer.searchParams.get('ticket') ?? '', Date.now())
    if (ticket === undefined) throw denied('the ticket is none of ours, or too old')
    if (request === undefined || ticket['request'] !== request) throw denied('the assertion answers another browser')
    const found = await this.#records.read(nameOf(request, 'json'))
    const used = new Date().toISOString()
    if (found === undefined || !(await this.#records.create(nameOf(request, 'used'), used))) throw denied('the ticket was used')
    const identity: Proved['identity'] = JSON.parse(found) // written by ourselves
    return { identity, expiresMs: Date.now() + durationMs(this.#settings.lasts ?? DEFAULT_LASTS) }
  }

  metadata(base: string): string {
    return this.#saml(base).generateServiceProviderMetadata(null)
  }

  async #proved(response: string, base: string): Promise<{ readonly profile: Profile; readonly request: string }> {
    try {
      const { profile } = await this.#saml(base).validatePostResponseAsync({ SAMLResponse: response })
      if (profile === null) throw denied('no assertion')
      const { recipient, request } = confirmation(profile)
      if (profile.issuer !== this.#settings.idpEntityId) throw denied('another issuer')
      if (recipient !== acsAt(base)) throw denied('the assertion is for another address')
      if (request === undefined || request !== profile.inResponseTo) throw denied('the assertion answers no request')
      return { profile, request }
    } catch (error) {
      throw error instanceof ApplianceError ? error : denied(reasonOf(error))
    }
  }

  #identity(profile: Profile): Proved['identity'] {
    const { attributes = {}, idpEntityId, groups, subjectPrefix } = this.#settings
    const claims = { ...attributesOf(profile), nameID: profile.nameID }
    const rules = {
      claims: { subject: attributes.subject ?? 'nameID', groups: attributes.groups ?? 'groups' },
      ...(groups === undefined ? {} : { groups }),
      ...(subjectPrefix === undefined ? {} : { subjectPrefix }),
    }
    const proof = identityIn(claims, rules, 'human', `saml:${idpEntityId}`)
    if ('why' in proof) throw denied(proof.why)
    return proof.identity
  }

  #saml(base: string, generateUniqueId?: () => string): SAML {
    const { entryPoint, entityId } = this.#settings
    return new SAML({
      callbackUrl: acsAt(base),
      entryPoint,
      issuer: entityId,
      audience: entityId,
      idpCert: [...this.#certificates],
      wantAssertionsSigned: true,
      // Some issuers sign both, most the assertion: it is the one that is read.
      wantAuthnResponseSigned: false,
      acceptedClockSkewMs: CLOCK_TOLERANCE_MS,
      maxAssertionAgeMs: REQUEST_MS,
      requestIdExpirationPeriodMs: REQUEST_MS,
      validateInResponseTo: ValidateInResponseTo.always,
      cacheProvider: this.#requests,
      signatureAlgorithm: 'sha256',
      digestAlgorithm: 'sha256',
      identifierFormat: null,
      disableRequestedAuthnContext: true,
      ...(generateUniqueId === undefined ? {} : { generateUniqueId }),
    })
  }
}

/** The ids of our requests say themselves that they are ours, and of when: any process that has the key knows them again. */
class Requests {
  readonly #key: Uint8Array

  constructor(key: Uint8Array) {
    this.#key = key
  }

  next(): string {
    const text = `${Date.now().toString(16)}.${randomBytes(16).toString('hex')}`
    return `_${text}.${this.#mac(text)}`
  }

  async saveAsync(_id: string, value: string): Promise<{ readonly value: string; readonly createdAt: number }> {
    return { value, createdAt: Date.now() }
  }

  /** When the request was made; null for what is no request of ours, or too old. */
  async getAsync(id: string): Promise<string | null> {
    const [, text = '', ms = '', mac = ''] = /^_(([0-9a-f]{1,14})\.[0-9a-f]{32})\.([0-9a-f]{64})$/.exec(id) ?? []
    if (mac === '' || !timingSafeEqual(Buffer.from(mac), Buffer.from(this.#mac(text)))) return null
    const madeMs = Number.parseInt(ms, 16)
    if (Date.now() - madeMs > REQUEST_MS) return null
    return new Date(madeMs).toISOString()
  }

  /** The library's word for an answer it believes; that it is the first is for the records to say. */
  async removeAsync(id: string | null): Promise<string | null> {
    return id
  }

  #mac(text: string): string {
    return createHmac('sha256', this.#key).update(`saml request ${text}`).digest('hex')
  }
}

/** What the signed part says of whom it is for: the one bearer confirmation there has to be. */
function confirmation(profile: Profile): { readonly recipient: string | undefined; readonly request: string | undefined } {
  const assertion: unknown = profile.getAssertion?.()
  const found = step(step(step(assertion, 'Assertion'), 'Subject', 0), 'SubjectConfirmation')
  if (!Array.isArray(found) || found.length !== 1) throw denied('not one subject confirmation')
  if (step(step(found[0], '$'), 'Method') !== 'urn:oasis:names:tc:SAML:2.0:cm:bearer') throw denied('no bearer confirmation')
  const data = step(step(found[0], 'SubjectConfirmationData', 0), '$')
  const [recipient, request, until] = [step(data, 'Recipient'), step(data, 'InResponseTo'), step(data, 'NotOnOrAfter')]
  if (typeof until !== 'string') throw denied('a confirmation without an end')
  return {
    recipient: typeof recipient === 'string' ? recipient : undefined,
    request: typeof request === 'string' ? request : undefined,
  }
}

function step(value: unknown, name: string, index?: number): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  const found: unknown = Reflect.get(value, name)
  return index === undefined || !Array.isArray(found) ? found : found[index]
}

function attributesOf(profile: Profile): Readonly<Record<string, unknown>> {
  const { attributes } = profile
  return typeof attributes === 'object' && attributes !== null ? { ...attributes } : {}
}

function nameOf(request: string, end: 'json' | 'used'): string {
  return `${createHash('sha256').update(request).digest('hex')}.${end}`
}

function acsAt(base: string): string {
  return `${base}${API_BASE}/sign-in/saml/acs`
}

/** What the library's words begin with, and what of it goes into log and ledger. */
const REASONS: readonly (readonly [begins: string, why: string])[] = [
  ['SAML provider returned', 'it reports a failure instead'],
  ['Invalid', 'no signature that counts'],
  ['Only 1 signed', 'no signature that counts'],
  ['Too many signatures', 'no signature that counts'],
  ['SAML assertion expired', 'the assertion has expired'],
  ['SAML assertion not yet', 'the assertion is not valid yet'],
  ['SAML assertion', 'the assertion is for another audience'],
  ['No valid subject confirmation', 'no subject confirmation that is of now'],
  ['InResponseTo', 'the assertion answers no request'],
  ['SubjectInResponseTo', 'the assertion answers no request'],
]

/** Ours, never the library's: it repeats what stands in a response that anybody may have written. */
function reasonOf(error: unknown): string {
  const words = error instanceof Error ? error.message : ''
  return REASONS.find(([begins]) => words.startsWith(begins))?.[1] ?? 'a response that cannot be read'
}

function denied(why: string): ApplianceError {
  return new ApplianceError('AUTH_DENIED', `the issuer did not prove who this is: ${why}`)
}
