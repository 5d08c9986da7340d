import { readFile } from 'node:fs/promises'
import { createLocalJWKSet, createRemoteJWKSet, customFetch, decodeJwt, errors, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { JWT_ALGORITHMS, type JwtIssuer } from '../../schemas/config-identity.ts'
import { identityIn } from './claims.ts'
import { issuerFetch } from './issuer-fetch.ts'
import type { Proof } from './proof.ts'

/** Longer than any token an issuer makes; keeps a flood of text from costing signature work. */
const MAX_TOKEN_BYTES = 16 * 1024
/** An issuer that does not answer must not keep the door busy. */
const JWKS_TIMEOUT_MS = 5_000
/** Keys are fetched anew at most this often for unknown key ids, so that invented ids cannot make us hammer the issuer. */
const JWKS_COOLDOWN_MS = 30_000
/** Then they are fetched anew: a key that the issuer has withdrawn proves nobody for longer. */
const JWKS_KEPT_MS = 600_000
const CLOCK_TOLERANCE_S = 30

interface Issuer {
  readonly settings: JwtIssuer
  readonly keys: JWTVerifyGetKey
}

/** Proves tokens of the configured issuers (RFC 7519, RFC 8725): known issuer, listed algorithm, this audience, not expired. */
export class JwtProver {
  readonly #issuers: ReadonlyMap<string, Issuer>

  private constructor(issuers: ReadonlyMap<string, Issuer>) {
    this.#issuers = issuers
  }

  static async open(issuers: readonly JwtIssuer[]): Promise<JwtProver> {
    const opened = await Promise.all(
      issuers.map(async (settings) => [settings.issuer, { settings, keys: await keysOf(settings) }] as const),
    )
    return new JwtProver(new Map(opened))
  }

  /** Never rejects: `why` is for our log only. */
  async prove(token: string): Promise<Proof> {
    if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) return { why: 'token too long' }
    try {
      // The unproved issuer only chooses the keys; jwtVerify then requires the proved one to be the same.
      const issuer = this.#issuers.get(decodeJwt(token).iss ?? '')
      if (issuer === undefined) return { why: 'unknown issuer' }
      const { settings, keys } = issuer
      const { payload } = await jwtVerify(token, keys, {
        issuer: settings.issuer,
        audience: settings.audience,
        algorithms: [...(settings.algorithms ?? JWT_ALGORITHMS)],
        clockTolerance: settings.clockToleranceS ?? CLOCK_TOLERANCE_S,
        requiredClaims: ['exp'],
      })
      return identityIn(payload, settings, settings.kind, `jwt:${settings.issuer}`)
    } catch (error) {
      return { why: error instanceof errors.JOSEError ? error.code : 'not a token' }
    }
  }
}

/** Whether the text has the shape of a signed token, so that it is worth trying. */
export function isJwt(text: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)
}

async function keysOf({ jwks }: JwtIssuer): Promise<JWTVerifyGetKey> {
  if ('file' in jwks) return createLocalJWKSet(JSON.parse(await readFile(jwks.file, 'utf8')))
  return remoteKeys(jwks.uri)
}

function remoteKeys(uri: string): ReturnType<typeof createRemoteJWKSet> {
  return createRemoteJWKSet(new URL(uri), {
    timeoutDuration: JWKS_TIMEOUT_MS,
    cooldownDuration: JWKS_COOLDOWN_MS,
    cacheMaxAge: JWKS_KEPT_MS,
    [customFetch]: issuerFetch,
  })
}

/** How many keys an issuer's tokens may be signed with now. Rejects where they cannot be had. */
export async function jwksSize({ jwks }: JwtIssuer): Promise<number> {
  if ('file' in jwks) return createLocalJWKSet(JSON.parse(await readFile(jwks.file, 'utf8'))).jwks().keys.length
  const keys = remoteKeys(jwks.uri)
  await keys.reload().catch((error: unknown) => {
    const { cause } = error instanceof Error ? error : {}
    throw new Error(`${jwks.uri} does not answer with keys: ${cause instanceof Error ? cause.message : String(error)}`)
  })
  return keys.jwks()?.keys.length ?? 0
}

/** When a token that was proved runs out, ms; undefined for what is no token. */
export function expiryOf(secret: string): number | undefined {
  if (!isJwt(secret)) return undefined
  const { exp } = decodeJwt(secret)
  return exp === undefined ? undefined : exp * 1000
}
