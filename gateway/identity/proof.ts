import type { ConfiguredIdentity } from '../../schemas/config.ts'
import type { Identity } from '../../schemas/session.ts'
import type { AccessKey } from './access-key.ts'

/** Who it is, or why that is not proved: the reason is for our own log, never for the client. */
export type Proof = { readonly identity: Identity } | { readonly why: string }

/** A configured identity, proved this way. */
export function identityOf({ subject, kind, groups = [], principal }: ConfiguredIdentity, proof: string): Identity {
  return { subject, kind, groups, proof, ...(principal === undefined ? {} : { principal }) }
}

/** The same, by an access key: with what the key was made for, and no more than it opens. */
export function identityByKey(configured: ConfiguredIdentity, { id, scope, run, purpose }: AccessKey): Identity {
  const about = { ...(run === undefined ? {} : { run }), ...(purpose === undefined ? {} : { purpose }) }
  return {
    ...identityOf(configured, `key:${id}`),
    ...(scope === undefined ? {} : { scope }),
    ...(Object.keys(about).length === 0 ? {} : { about }),
  }
}
