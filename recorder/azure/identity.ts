import { Tokens } from './tokens.ts'

/** Who the gateway is in Azure. */
export interface AzureIdentity {
  /** `managed`: this machine's managed identity and nothing else. `default`: whatever a developer has, the CLI's sign-in for example. */
  readonly kind: 'managed' | 'default'
  /** Of a user-assigned identity. */
  readonly clientId?: string
}

const known = new Map<string, Promise<Tokens>>()

/** The tokens of an identity; one holder in each process, so that one background renewal serves store, vault and databases. */
export function tokensOf(identity: AzureIdentity): Promise<Tokens> {
  const name = `${identity.kind} ${identity.clientId ?? ''}`
  const tokens = known.get(name) ?? open(identity)
  known.set(name, tokens)
  return tokens
}

/** Loaded when it is needed: the library costs a tenth of a second, and gateways outside Azure never ask. */
async function open({ kind, clientId }: AzureIdentity): Promise<Tokens> {
  const { DefaultAzureCredential, ManagedIdentityCredential } = await import('@azure/identity')
  switch (kind) {
    case 'managed':
      return new Tokens(clientId === undefined ? new ManagedIdentityCredential() : new ManagedIdentityCredential({ clientId }))
    case 'default':
      return new Tokens(new DefaultAzureCredential(clientId === undefined ? {} : { managedIdentityClientId: clientId }))
    default:
      return kind satisfies never
  }
}
