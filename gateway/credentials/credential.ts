/** How the gateway itself logs in upstream. Never the same type as a Knock, so that one cannot be handed to the other's place. */
export interface Credential {
  /** Empty where the target asks for none. */
  readonly user: string
  readonly password?: string
  /** The HTTP header that takes the password as it is. */
  readonly header?: string
  /** Of a Kubernetes target: requests are made in the name of the one who asks. */
  readonly impersonate?: { readonly prefix?: string }
  /** PEM, for targets that ask for a client certificate. */
  readonly certificate?: { readonly cert: string; readonly key: string }
  /** In OpenSSH format, for targets that ask for a key. */
  readonly privateKey?: string
  /** A certificate of OpenSSH for that key, as in `*-cert.pub`. */
  readonly certificateLine?: string
  /** Of an ssh target: the public keys of which it must prove one, as in `known_hosts`. */
  readonly hostKeys?: readonly string[]
  /** Of an ssh target: public keys of which one must have certified its host key, for this name (its host, if left out). */
  readonly hostAuthorities?: readonly string[]
  readonly hostName?: string
  /** Of kubernetes: where its API server is found. */
  readonly path?: string
  readonly tls: UpstreamTls
}

export type UpstreamTls =
  | { readonly mode: 'off' }
  /** Encrypted, the server's certificate not checked: for loopback and tests only; lint of the configuration says so. */
  | { readonly mode: 'unverified' }
  | { readonly mode: 'verify'; readonly ca?: string; readonly serverName?: string }
