import type { ProtocolName } from '../../schemas/session.ts'
import { type CredentialSource, readCredential } from './upstream.ts'

/** What is sent with each request may come back in any answer: in an error, an echo, a log. */
const REPEATS: ReadonlySet<ProtocolName> = new Set(['http', 'kubernetes'])

/**
 * What a target could repeat of the credential it is given, as it would stand in an answer. Nothing of a token of a managed identity, which is known by
 * its form and changes within the session; nothing where the credential cannot be read, which the session finds out itself.
 */
export async function repeatable(
  { target, credential }: { readonly target: { readonly protocol: ProtocolName }; readonly credential: CredentialSource },
  env: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  if (!REPEATS.has(target.protocol) || credential.managedIdentity !== undefined) return []
  const { user, password, header } = await readCredential(credential, env).catch(() => ({
    user: '',
    password: undefined,
    header: undefined,
  }))
  if (password === undefined || password === '') return []
  const isBasic = user !== '' && header === undefined
  return isBasic ? [password, Buffer.from(`${user}:${password}`).toString('base64')] : [password]
}
