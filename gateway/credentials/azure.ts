import type { AzureIdentity } from '../../recorder/azure/identity.ts'
import { tokensOf } from '../../recorder/azure/identity.ts'
import { isRefusal, Vault } from '../../recorder/azure/vault.ts'
import type { Config } from '../../schemas/config.ts'

type ConfiguredCredential = NonNullable<Config['targets'][number]['credential']>
export type VaultSource = NonNullable<ConfiguredCredential['keyVault']>
export type TokenSource = NonNullable<ConfiguredCredential['managedIdentity']>

/** Azure Database for PostgreSQL and MySQL: the token is the password. */
const DATABASE_SCOPE = 'https://ossrdbms-aad.database.windows.net/.default'
/** A rotated secret counts from the next session on, but for this long at most. */
const FRESH_MS = 60_000
/** While its vault is away a secret is used for this long: a database keeps the old password valid while a new one is rolled out. */
const STALE_MS = 3_600_000
/** A vault that hangs would keep every session waiting through its tries and timeouts, each minute anew. */
const LATE_MS = 2_000

interface Held {
  readonly value: string
  readonly atMs: number
}

const held = new Map<string, Held>()
const asking = new Map<string, Promise<string>>()

export function azureIdentityOf({ identity, clientId }: { identity?: AzureIdentity['kind']; clientId?: string }): AzureIdentity {
  return { kind: identity ?? 'managed', ...(clientId === undefined ? {} : { clientId }) }
}

/** A token for logging in to a database of Azure or an API, renewed in the background. Rejects AZURE_FAILED. */
export async function accessToken(source: TokenSource): Promise<string> {
  const tokens = await tokensOf(azureIdentityOf(source))
  return (await tokens.getToken(source.scope ?? DATABASE_SCOPE)).token
}

/** The secret as it is in its vault, or was a moment ago; one that is known is not waited for longer than `lateMs`. Rejects AZURE_FAILED. */
export async function vaultSecret(source: VaultSource, nowMs = performance.now(), lateMs = LATE_MS): Promise<string> {
  const name = [source.vault, source.secret, source.identity ?? '', source.clientId ?? ''].join(' ')
  const have = held.get(name)
  if (have !== undefined && nowMs - have.atMs < FRESH_MS) return have.value
  const ask = asking.get(name) ?? fetchSecret(name, source, nowMs)
  if (have === undefined || nowMs - have.atMs >= STALE_MS) return ask
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(() => late.resolve(have.value), lateMs)
  try {
    return await Promise.race([ask, late.promise])
  } catch (error) {
    if (isRefusal(error)) throw error
    return have.value
  } finally {
    clearTimeout(timer)
  }
}

/** One question however many sessions open at once. */
function fetchSecret(name: string, source: VaultSource, nowMs: number): Promise<string> {
  const work = async (): Promise<string> => {
    try {
      const value = await new Vault({ url: source.vault, identity: azureIdentityOf(source) }).secret(source.secret)
      held.set(name, { value, atMs: nowMs })
      return value
    } catch (error) {
      // What was taken away is not used any longer, whatever a session before was given.
      if (isRefusal(error)) held.delete(name)
      throw error
    } finally {
      asking.delete(name)
    }
  }
  const ask = work()
  asking.set(name, ask)
  // Whoever did not wait for it does not hear of it.
  ask.catch(() => undefined)
  return ask
}
