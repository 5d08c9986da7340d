import * as client from 'openid-client'
import type { Flow, Proved, SignInWay } from '../../recorder/api/parts.ts'
import { API_BASE, type SignInLogin } from '../../schemas/api.ts'
import { loginWayOf, type OidcConfig } from '../../schemas/config-identity.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { durationMs } from '../policy/quantities.ts'
import { identityIn } from './claims.ts'
import { issuerFetch } from './issuer-fetch.ts'

/** An issuer that does not answer must not keep browsers waiting. */
const TIMEOUT_S = 10
/** A shift. */
const DEFAULT_LASTS = '8h'
/** What everybody hears who is not let in; why stands in our log. */
const DENIED = 'the issuer did not prove who this is'

/**
 * Signing in by OpenID Connect: authorization code, PKCE (S256), state, nonce, and the ID token's signature checked whatever the
 * transport (RFC 9700). The issuer is asked for its metadata and keys when somebody first needs them, so that the gateway starts without it.
 */
export class OidcSignIn implements SignInWay {
  readonly id = 'oidc'
  readonly name: string
  readonly login: SignInLogin
  readonly #settings: OidcConfig
  readonly #secret: string | undefined
  readonly #scope: string
  #issuer: Promise<client.Configuration> | undefined

  constructor(settings: OidcConfig, secret?: string) {
    const { name = 'Sign in with single sign-on' } = settings
    this.name = name
    this.login = loginWayOf(settings)
    this.#scope = this.login.scope
    this.#settings = settings
    this.#secret = secret
  }

  async start(base: string): Promise<{ readonly location: string; readonly flow: Flow }> {
    const issuer = await this.#discovered()
    const verifier = client.randomPKCECodeVerifier()
    const flow = { verifier, state: client.randomState(), nonce: client.randomNonce() }
    const location = client.buildAuthorizationUrl(issuer, {
      redirect_uri: callbackAt(base),
      response_type: 'code',
      scope: this.#scope,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state: flow.state,
      nonce: flow.nonce,
    })
    return { location: location.href, flow }
  }

  async finish(answer: URL, { verifier, state, nonce }: Flow, base: string): Promise<Proved> {
    const issuer = await this.#discovered()
    if (verifier === undefined || state === undefined || nonce === undefined) throw denied('the flow is none of ours')
    const url = new URL(callbackAt(base))
    url.search = answer.search
    const claims = await this.#claims(issuer, url, { verifier, state, nonce })
    const { issuer: named, lasts = DEFAULT_LASTS } = this.#settings
    const proof = identityIn(claims, this.#settings, 'human', `oidc:${named}`)
    if ('why' in proof) throw denied(proof.why)
    return { identity: proof.identity, expiresMs: Date.now() + durationMs(lasts) }
  }

  async #claims(
    issuer: client.Configuration,
    url: URL,
    { verifier, state, nonce }: { readonly verifier: string; readonly state: string; readonly nonce: string },
  ): Promise<Readonly<Record<string, unknown>>> {
    try {
      const tokens = await client.authorizationCodeGrant(issuer, url, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      })
      return { ...tokens.claims() }
    } catch (error) {
      throw denied(codeOf(error))
    }
  }

  #discovered(): Promise<client.Configuration> {
    this.#issuer ??= this.#discover().catch((error: unknown) => {
      // It may answer the next one.
      this.#issuer = undefined
      throw new ApplianceError('AUTH_UNAVAILABLE', `${this.#settings.issuer} cannot be asked: ${whyOf(error)}`)
    })
    return this.#issuer
  }

  #discover(): Promise<client.Configuration> {
    const { issuer, clientId } = this.#settings
    const secret = this.#secret
    return client.discovery(
      new URL(issuer),
      clientId,
      undefined,
      secret === undefined ? client.None() : client.ClientSecretPost(secret),
      asking(issuer),
    )
  }
}

/** What a person on another device has to do. */
export interface DeviceCode {
  readonly url: string
  /** To be typed there. */
  readonly code: string
  /** With the code in it, where the issuer has such: for the asker's own browser, not to be sent to anybody. */
  readonly completeUrl: string
}

/** An ID token, and what another is to be had for. */
export interface Tokens {
  readonly idToken: string
  readonly refreshToken?: string
}

/**
 * Signs a person in who sits elsewhere (RFC 8628): `onCode` is told where to go and what to type there; waits until they did. Rejects
 * AUTH_UNAVAILABLE, or AUTH_DENIED where they did not, or the code ran out.
 */
export async function signInByDevice(
  { issuer, clientId, scope }: SignInLogin,
  onCode: (code: DeviceCode) => void,
  signal?: AbortSignal,
): Promise<Tokens> {
  const server = await publicClient(issuer, clientId)
  try {
    const device = await client.initiateDeviceAuthorization(server, { scope })
    const { verification_uri: url, verification_uri_complete: completeUrl = url, user_code: code } = device
    onCode({ url, code, completeUrl })
    return tokensOf(await client.pollDeviceAuthorizationGrant(server, device, undefined, signal === undefined ? {} : { signal }))
  } catch (error) {
    throw denied(whyOf(error))
  }
}

/** Another ID token. Rejects AUTH_DENIED where the issuer gives none any more: sign in again. */
export async function renewed({ issuer, clientId }: SignInLogin, refreshToken: string): Promise<Tokens> {
  const server = await publicClient(issuer, clientId)
  try {
    return { refreshToken, ...tokensOf(await client.refreshTokenGrant(server, refreshToken)) }
  } catch (error) {
    throw denied(whyOf(error))
  }
}

/** Where an issuer says its keys are. Rejects AUTH_UNAVAILABLE where it cannot be asked for them. */
export async function issuerKeys({ issuer, clientId }: Pick<SignInLogin, 'issuer' | 'clientId'>): Promise<string> {
  const { jwks_uri: uri } = (await publicClient(issuer, clientId)).serverMetadata()
  if (uri === undefined) throw new ApplianceError('AUTH_UNAVAILABLE', `${issuer} does not say where its keys are`)
  try {
    const response = await fetch(uri, { signal: AbortSignal.timeout(TIMEOUT_S * 1000) })
    await response.body?.cancel()
    if (!response.ok) throw new Error(`HTTP ${response.status}`)
  } catch (error) {
    throw new ApplianceError('AUTH_UNAVAILABLE', `${uri} cannot be asked: ${whyOf(error)}`)
  }
  return uri
}

async function publicClient(issuer: string, clientId: string): Promise<client.Configuration> {
  if (!isPrivate(issuer)) throw new ApplianceError('AUTH_DENIED', `${issuer} is no https address: nobody signs in there`)
  try {
    return await client.discovery(new URL(issuer), clientId, undefined, client.None(), asking(issuer))
  } catch (error) {
    throw new ApplianceError('AUTH_UNAVAILABLE', `${issuer} cannot be asked: ${whyOf(error)}`)
  }
}

function tokensOf(answer: { readonly id_token?: string; readonly refresh_token?: string }): Tokens {
  const { id_token: idToken, refresh_token: refreshToken } = answer
  if (idToken === undefined) throw new Error('the issuer gave no ID token; is openid in the scope?')
  return { idToken, ...(refreshToken === undefined ? {} : { refreshToken }) }
}

/** The scope with which there is a refresh token as well: what makes the next hour's token without a person. */
export function withOffline(scope: string): string {
  return scope.split(' ').includes('offline_access') ? scope : `${scope} offline_access`
}

/** Whether what is sent there is for nobody on the way: https, or this machine. */
export function isPrivate(address: string): boolean {
  const url = URL.parse(address)
  if (url === null || url.username !== '' || url.password !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname))
}

/** How an issuer is asked, whatever for. Plain HTTP is for one on this machine; the configuration takes no other. */
function asking(issuer: string): client.DiscoveryRequestOptions {
  return {
    timeout: TIMEOUT_S,
    execute: [client.enableNonRepudiationChecks, ...(issuer.startsWith('http:') ? [client.allowInsecureRequests] : [])],
    [client.customFetch]: issuerFetch,
  }
}

function callbackAt(base: string): string {
  return `${base}${API_BASE}/sign-in/oidc/callback`
}

function denied(why: string): ApplianceError {
  return new ApplianceError('AUTH_DENIED', `${DENIED}: ${why}`)
}

/** RFC 6749 and OpenID Connect Core: what an answer may give as its `error`. */
const ERRORS = new Set([
  'access_denied',
  'account_selection_required',
  'consent_required',
  'interaction_required',
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'invalid_scope',
  'login_required',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
])

/** For log and ledger: codes from lists alone, as anybody may write the address a browser comes back to. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  const code =
    'code' in error && typeof error.code === 'string' && /^OAUTH_[A-Z_]{1,60}$/.test(error.code) ? error.code : error.name
  const said = 'error' in error && typeof error.error === 'string' ? error.error : undefined
  return said === undefined ? code : `${code} (${ERRORS.has(said) ? said : 'another error'})`
}

/** For the person at the terminal: the library's words and the issuer's error code; never a code or token. */
function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown error'
  const code = 'error' in error && typeof error.error === 'string' ? ` (${error.error.slice(0, 80)})` : ''
  return `${error.message.slice(0, 200)}${code}`
}
