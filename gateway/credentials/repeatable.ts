import type { ProtocolName } from '../../schemas/session.ts'
import type { Credential } from './credential.ts'
import type { CredentialSource } from './upstream.ts'

/** What is sent with each request may come back in any answer: in an error, an echo, a log. */
const REPEATS: ReadonlySet<ProtocolName> = new Set(['http', 'kubernetes'])

/** Whether a target could repeat its credential. Not a token of a managed identity, which is known by its form and changes within the session. */
export function mayRepeat(protocol: ProtocolName, { managedIdentity }: CredentialSource): boolean {
  return REPEATS.has(protocol) && managedIdentity === undefined
}

/** What could be repeated, as it would stand in an answer. */
export function repeatable({ user, password, header }: Pick<Credential, 'user' | 'password' | 'header'>): readonly string[] {
  if (password === undefined || password === '') return []
  const isBasic = user !== '' && header === undefined
  return isBasic ? [password, Buffer.from(`${user}:${password}`).toString('base64')] : [password]
}
