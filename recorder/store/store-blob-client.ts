import { BlobServiceClient, type ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { tokensOf } from '../azure/identity.ts'
import type { BlobPlace } from './places.ts'

// The only importer of the SDK. Loaded when a Blob container is opened, never before.

export type { AppendBlobClient, ContainerClient } from '@azure/storage-blob'

/** A container with the SDK's own retries and redirects off: which attempt's outcome is open is for the store to know. */
export async function openContainer(place: BlobPlace): Promise<ContainerClient> {
  return (await openAccount(place)).getContainerClient(place.container)
}

export async function openAccount({ url, access }: Pick<BlobPlace, 'url' | 'access'>): Promise<BlobServiceClient> {
  const credential =
    'key' in access ? new StorageSharedKeyCredential(accountOf(url), access.key) : await tokensOf(access.identity)
  const options = { retryOptions: { maxTries: 1 }, redirectOptions: { maxRetries: 0 } }
  return new BlobServiceClient(url, credential, options)
}

/** The account of `https://<account>.blob...` or of a path, as Azurite has it. */
function accountOf(url: string): string {
  const { pathname, hostname } = new URL(url)
  return pathname.split('/').find((part) => part !== '') ?? hostname.split('.', 1)[0] ?? ''
}
