import type { AzureIdentity } from '../azure/identity.ts'

/** A container of Azure Blob Storage. Plain data: it is handed to threads. */
export interface BlobPlace {
  /** Of the account: `https://<account>.blob.core.windows.net`. */
  readonly url: string
  readonly container: string
  /** The account's key: for the emulator only, as it may do everything. */
  readonly access: { readonly identity: AzureIdentity } | { readonly key: string }
}

/** Where a store is. Plain data. */
export type StorePlace = { readonly folder: string } | { readonly blob: BlobPlace }
