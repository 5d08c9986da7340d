import { mistakeIn, type ServerPlace } from '../recorder/azure/database-login.ts'
import type { SharedConfig } from '../schemas/config.ts'
import { ApplianceError } from '../schemas/errors.ts'
import { azureIdentityOf } from './credentials/azure.ts'
import { readSecret } from './credentials/upstream.ts'

/**
 * Where a database of the gateway's own is; `setting` names it in what is said. Rejects CONFIG_INVALID where its URL is missing, or would
 * be used without verifying whose it is.
 */
export async function databasePlace(
  setting: 'shared.url' | 'catalog.url',
  { url, managedIdentity }: SharedConfig,
  from: (path: string) => string,
  env: NodeJS.ProcessEnv,
): Promise<ServerPlace> {
  const place = {
    url: await readSecret(url, from, env),
    ...(managedIdentity === undefined ? {} : { identity: azureIdentityOf(managedIdentity) }),
  }
  const mistake = mistakeIn(place)
  if (mistake !== undefined) throw new ApplianceError('CONFIG_INVALID', `${setting}: ${mistake}`)
  return place
}
