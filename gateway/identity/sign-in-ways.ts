import { readFile } from 'node:fs/promises'
import type { SignInWay } from '../../recorder/api/parts.ts'
import type { Records } from '../../recorder/desk/records.ts'
import type { SignInConfig } from '../../schemas/config-identity.ts'
import { readSecret } from '../credentials/upstream.ts'
import { OidcSignIn } from './oidc.ts'
import { SamlSignIn } from './saml.ts'

/** The configured ways to sign in through others. Rejects CONFIG_INVALID where a secret or certificate is not there. */
export async function signInWays(
  { oidc, saml }: SignInConfig,
  {
    key,
    answers,
    from,
    env,
  }: {
    readonly key: Uint8Array
    /** Of SAML, which were taken. */
    readonly answers: Records
    readonly from: (path: string) => string
    readonly env: NodeJS.ProcessEnv
  },
): Promise<readonly SignInWay[]> {
  const ways: SignInWay[] = []
  if (oidc !== undefined) {
    const { clientSecret } = oidc
    ways.push(new OidcSignIn(oidc, clientSecret === undefined ? undefined : await readSecret(clientSecret, from, env)))
  }
  if (saml !== undefined) {
    const certificates = await Promise.all(saml.certificates.map((path) => readFile(path, 'utf8')))
    ways.push(new SamlSignIn(saml, certificates, key, answers))
  }
  return ways
}
