import type { StorePlace } from './places.ts'
import type { Store } from './store.ts'
import { FileStore } from './store-file.ts'

/** Opens the store at `place`. Nothing is asked of it yet; the Azure SDK is loaded only for a container. */
export async function openStore(place: StorePlace): Promise<Store> {
  if ('folder' in place) return new FileStore(place.folder)
  const { openBlobStore } = await import('./store-blob.ts')
  return openBlobStore(place.blob)
}
