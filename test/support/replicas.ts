import { randomUUID } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Durability } from '../../schemas/session.ts'
import type { Azurite } from './azurite.ts'
import { type GatewayFolder, gatewayFolder, spawnGateway, targetAt } from './gateway.ts'
import type { PgServer } from './pg-server.ts'

export type Replica = Awaited<ReturnType<typeof spawnGateway>>

/** Gateways of one configuration on machines of their own: they share a container of Blob Storage and a database, and no folder. */
export interface Replicas extends AsyncDisposable {
  /** What they are given, but for the data folder. */
  readonly folder: GatewayFolder
  /** The data folder of one. */
  dataDir(name: string): string
  /** Starts it, or starts it again. */
  start(name: string): Promise<Replica>
  /** For commands on the machine of one. */
  config(name: string): string
}

const SHARED_DATABASE = 'sallyport_shared'

export async function makeReplicas(options: {
  readonly server: PgServer
  readonly azurite: Azurite
  readonly policy: string
  readonly durability: Durability
  readonly more?: object
  /** Of one alone, by its name. */
  readonly own?: Readonly<Record<string, object>>
  /** Files of the folder `secrets`. */
  readonly secrets?: Readonly<Record<string, string>>
}): Promise<Replicas> {
  const { server, azurite, policy, durability, more = {}, own: owns = {} } = options
  const place = await azurite.place(`r-${randomUUID()}`)
  if (!('key' in place.access)) throw new Error('the emulator is reached by its key')
  await server.sql(`create database ${SHARED_DATABASE}`)
  const folder = await gatewayFolder({ targets: [targetAt(server, { name: 'shop' })], policy, durability })
  const base: object = { ...JSON.parse(await readFile(folder.config, 'utf8')), ...more }
  const secrets = {
    ...options.secrets,
    'account-key': place.access.key,
    'shared-url': `postgres://postgres:${server.password}@127.0.0.1:${server.port}/${SHARED_DATABASE}`,
  }
  for (const [name, text] of Object.entries(secrets)) await writeFile(join(folder.path, 'secrets', name), text, { mode: 0o600 })
  const running = new Set<Replica>()
  const dataDir = (name: string): string => join(folder.path, `data-${name}`)
  const config = (name: string): string => join(folder.path, `${name}.yaml`)
  return {
    folder,
    dataDir,
    config,
    async start(name) {
      await writeFile(
        config(name),
        JSON.stringify({
          ...base,
          ...owns[name],
          dataDir: dataDir(name),
          store: { blob: { url: place.url, container: place.container, key: { file: 'secrets/account-key' } } },
          shared: { url: { file: 'secrets/shared-url' } },
        }),
      )
      const own = { ...folder, config: config(name), dataDir: dataDir(name) }
      const replica = await spawnGateway(own, { env: { SALLYPORT_REPLICA: name } })
      running.add(replica)
      return replica
    },
    async [Symbol.asyncDispose]() {
      for (const each of running) await each.kill()
      await folder[Symbol.asyncDispose]()
    },
  }
}
