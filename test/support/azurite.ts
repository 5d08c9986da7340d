import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BlobServiceClient, type ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import type { BlobPlace } from '../../recorder/store/places.ts'
import type { Identity } from './pg-tls.ts'

export const AZURITE_ACCOUNT = 'devstoreaccount1'
/** The emulator's published key, put together here so that no scanner takes it for somebody's. */
export const AZURITE_KEY = [
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq',
  'K1SZFPTOtr',
  'KBHBeksoGMGw==',
].join('/')
const MEMORY_SIZE = 512 << 20
const KEEP_ALIVE_S = 5

/** What is used of Azurite's insides, which have no types; its version is pinned. */
interface BlobServer {
  start(): Promise<void>
  close(): Promise<void>
  clean(): Promise<void>
  getHttpServerAddress(): string
}
type BlobServerClass = new (configuration: object) => BlobServer
type ConfigurationClass = new (...options: unknown[]) => object
type ChunkStoreClass = new (maxBytes: number) => object

export interface Azurite extends AsyncDisposable {
  /** Of the account. */
  readonly url: string
  /** A container of its own, made now, with everything allowed by the account's key. */
  place(name?: string): Promise<BlobPlace>
  /** The SDK itself, to look and meddle behind the store's back. */
  container(name: string): ContainerClient
  /** The SDK by another way to the account: a proxy's. */
  through(url: string): BlobServiceClient
}

let count = 0

/** The emulator in this process, in memory, on a free port of `host`. With `tls` it speaks HTTPS and takes tokens. */
export async function startAzurite({
  tls,
  memorySize = MEMORY_SIZE,
  host = '127.0.0.1',
}: {
  readonly tls?: Identity
  readonly memorySize?: number
  readonly host?: string
} = {}): Promise<Azurite> {
  const load = createRequire(import.meta.url)
  const Server: BlobServerClass = load('azurite/dist/src/blob/BlobServer').default
  const Configuration: ConfigurationClass = load('azurite/dist/src/blob/BlobConfiguration').default
  const ChunkStore: ChunkStoreClass = load('azurite/dist/src/common/persistence/MemoryExtentStore').MemoryExtentChunkStore
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-azurite-'))
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  if (tls !== undefined) for (const name of ['cert', 'key'] as const) await writeFile(files[name], tls[name], { mode: 0o600 })
  const server = new Server(
    new Configuration(
      host,
      0,
      KEEP_ALIVE_S,
      join(folder, 'blobs.json'),
      join(folder, 'extents.json'),
      [],
      false, // access log
      undefined,
      false, // debug log
      undefined,
      false, // loose
      true, // skipApiVersionCheck: the SDK is newer than the emulator
      tls === undefined ? '' : files.cert,
      tls === undefined ? '' : files.key,
      '',
      tls === undefined ? undefined : 'basic',
      false,
      true, // in memory
      new ChunkStore(memorySize),
    ),
  )
  await server.start()
  return azuriteAt(`${server.getHttpServerAddress()}/${AZURITE_ACCOUNT}`, async () => {
    await server.close()
    await server.clean()
    await rm(folder, { recursive: true, force: true })
  })
}

/** One that runs somewhere else. */
export function azuriteAt(url: string, end: () => Promise<void>): Azurite {
  const credential = new StorageSharedKeyCredential(AZURITE_ACCOUNT, AZURITE_KEY)
  const service = new BlobServiceClient(url, credential)
  return {
    url,
    container: (name) => service.getContainerClient(name),
    through: (other) => new BlobServiceClient(other, credential, { retryOptions: { maxTries: 1 } }),
    async place(name) {
      count += 1
      const container = name ?? `c-${count}`
      await service.getContainerClient(container).create()
      return { url, container, access: { key: AZURITE_KEY } }
    },
    [Symbol.asyncDispose]: end,
  }
}
