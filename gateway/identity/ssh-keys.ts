import { createHash } from 'node:crypto'
import type { ConfiguredIdentity } from '../../schemas/config.ts'
import { identityOf, type Proof } from './proof.ts'

/** A public key, and what a certificate says of it; whoever makes one has checked the certificate. */
export interface SshKey {
  readonly fingerprint: string
  readonly certificate?: {
    /** Fingerprint of the authority that signed it. */
    readonly authority: string
    readonly keyId: string
    readonly principals: readonly string[]
  }
}

/** `SHA256:` and the hash of the key's blob, as `ssh-keygen -l` prints it. */
export function fingerprintOf(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
}

/** The blob of a line as in `authorized_keys`: type, base64, and whatever comment. */
export function blobOf(line: string): Uint8Array {
  return Buffer.from(line.split(' ')[1] ?? '', 'base64')
}

/** Whose keys and certificates these are. */
export class SshKeys {
  readonly #byKey: ReadonlyMap<string, ConfiguredIdentity>
  readonly #bySubject: ReadonlyMap<string, ConfiguredIdentity>

  constructor(identities: readonly ConfiguredIdentity[]) {
    this.#byKey = new Map(
      identities.flatMap((identity) => (identity.sshKeys ?? []).map((line) => [fingerprintOf(blobOf(line)), identity] as const)),
    )
    this.#bySubject = new Map(identities.map((identity) => [identity.subject, identity]))
  }

  /** Whose key it is; `why` it is nobody's, for our own log. */
  whose({ fingerprint, certificate }: SshKey): Proof {
    if (certificate === undefined) {
      const identity = this.#byKey.get(fingerprint)
      return identity === undefined ? { why: 'unknown ssh key' } : { identity: identityOf(identity, `ssh:${fingerprint}`) }
    }
    const found = certificate.principals.flatMap((principal) => this.#bySubject.get(principal) ?? [])
    const [identity] = found
    if (identity === undefined) return { why: 'no principal of the certificate is a configured subject' }
    if (found.length > 1) return { why: 'the certificate names several configured subjects' }
    return { identity: identityOf(identity, `ssh-cert:${certificate.authority}`) }
  }
}
