import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../recorder/files.ts'
import type { Settings } from '../config.ts'
import { listenerIdentity } from '../credentials/listener-tls.ts'
import { jwksSize } from '../identity/jwt.ts'
import { issuerKeys } from '../identity/oidc.ts'
import { placesIn } from '../places.ts'
import { type Check, checked } from './check.ts'

const DAY_MS = 86_400_000
/** Whoever renews by hand wants to hear of it a month before. */
const SOON_DAYS = 30

/** Whether those who prove who somebody is can be asked: issuers of tokens and their keys, the console's ways to sign in. */
export async function checkIssuers({ jwt, console: own }: Pick<Settings, 'jwt' | 'console'>): Promise<readonly Check[]> {
  const { oidc, saml } = own?.signIn ?? {}
  const unasked = 'nobody proves themselves by it meanwhile: is the address right, and may this machine reach it?'
  return Promise.all([
    ...jwt.map((issuer) =>
      checked(
        `issuer ${issuer.issuer}`,
        async () => {
          const where = 'file' in issuer.jwks ? issuer.jwks.file : issuer.jwks.uri
          const count = await jwksSize(issuer)
          if (count === 0) return { status: 'failed', seen: `no key in ${where}`, cure: 'no token of it opens anything' }
          return { status: 'ok', seen: `${count} ${count === 1 ? 'key' : 'keys'} in ${where}` }
        },
        unasked,
      ),
    ),
    ...(oidc === undefined
      ? []
      : [
          checked(
            `sign-in ${oidc.issuer}`,
            async () => ({ status: 'ok', seen: `its metadata and keys (${await issuerKeys(oidc)}) can be read` }),
            unasked,
          ),
        ]),
    ...(saml?.certificates ?? []).map((path) => checked('sign-in SAML', async () => lastsFor(await readFile(path), path))),
  ])
}

/** Whether what listeners and console show can be used, and for how long. */
export async function checkCertificates(
  settings: Pick<Settings, 'listeners' | 'console' | 'dataDir' | 'gateway'>,
): Promise<readonly Check[]> {
  const { listeners, console: own, dataDir, gateway } = settings
  const keysDir = placesIn(dataDir).keys
  // SSH has host keys.
  const shown = listeners
    .filter(({ protocol }) => protocol !== 'ssh')
    .map(({ protocol, tls }) => ({ of: `listeners.${protocol}`, tls }))
  return Promise.all([
    ...[...shown, ...(own?.tls === undefined ? [] : [{ of: 'console', tls: own.tls }])].map(({ of, tls }) =>
      checked(
        `certificate ${of}`,
        async () => {
          const { certFile } = tls
          if (certFile === undefined && !(await isThere(join(keysDir, 'listener.pem'))))
            return { status: 'ok', seen: 'none yet: the first start makes one that clients can pin' }
          const { cert } = await listenerIdentity(tls, { keysDir, gateway })
          return lastsFor(cert, certFile ?? join(keysDir, 'listener.crt'))
        },
        'without it the gateway does not start',
      ),
    ),
    ...listeners.flatMap(({ authority }) =>
      authority === undefined
        ? []
        : [checked('authority listeners.egress', async () => lastsFor(await readFile(authority.certFile), authority.certFile))],
    ),
  ])
}

/** PEM; of a chain the first. */
function lastsFor(pem: string | Uint8Array, where: string): Omit<Check, 'what'> {
  const days = Math.floor((Date.parse(new X509Certificate(pem).validTo) - Date.now()) / DAY_MS)
  const cure = 'renew it in place: it is read again while the gateway runs'
  if (days < 0) return { status: 'failed', seen: `${where} has expired`, cure }
  return { status: days < SOON_DAYS ? 'warning' : 'ok', seen: `${where} is good for ${days} days`, cure }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await readFile(path)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}
