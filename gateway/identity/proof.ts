import type { ConfiguredIdentity } from '../../schemas/config.ts'
import type { Identity } from '../../schemas/session.ts'

/** Who it is, or why that is not proved: the reason is for our own log, never for the client. */
export type Proof = { readonly identity: Identity } | { readonly why: string }

/** A configured identity, proved this way. */
export function identityOf({ subject, kind, groups = [], principal }: ConfiguredIdentity, proof: string): Identity {
  return { subject, kind, groups, proof, ...(principal === undefined ? {} : { principal }) }
}
