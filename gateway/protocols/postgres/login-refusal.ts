import { ApplianceError } from '../../../schemas/errors.ts'
import type { Target } from '../../../schemas/session.ts'
import type { Credential } from '../../credentials/credential.ts'
import type { ServerError } from './startup-error.ts'

/**
 * A server's refusal in words a client may read: what the client can mend (its database, its parameters) is said in full, what
 * only the operator can mend (our credential) is not. The server's own words stay in `cause`.
 */
export function refusedBy(target: Target, credential: Credential, database: string, cause: ServerError): ApplianceError {
  return new ApplianceError('TARGET_REFUSED', `target ${target.name} ${reason(credential, database, cause)}`, { cause })
}

function reason(credential: Credential, database: string, { sqlState, message }: ServerError): string {
  if (sqlState.startsWith('28')) return "refused the gateway's own login; its operator has to look at the target's credential"
  if (sqlState === '3D000') return `has no database ${JSON.stringify(database)}`
  if (sqlState === '53300') return 'has too many connections; try again later'
  if (sqlState === '57P03') return 'is starting up or shutting down; try again later'
  // Faults in startup parameters and privileges: about what the client sent, unless our own user is named.
  if (/^(?:22|42)/.test(sqlState) && !message.includes(credential.user)) return `refused the connection: ${message} (${sqlState})`
  return `refused the connection (${sqlState})`
}
