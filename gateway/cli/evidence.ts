import { type GatewayKey, openStore, readGatewayKeys, type Store } from '../../recorder/index.ts'
import { Config } from '../../schemas/config.ts'
import { jwtOf, pathFrom, type Settings, signerOf } from '../config.ts'
import { placesIn } from '../places.ts'
import { storePlaceOf } from '../store-place.ts'
import type { Where } from '../tape-room.ts'
import { readYaml, readYamlText } from '../yaml.ts'
import { type Cli, findConfig } from './context.ts'

export interface EvidenceHere {
  readonly store: Store
  readonly name: string
  readonly trusted: readonly GatewayKey[]
  /** As they are configured now. */
  readonly targets: readonly { readonly name: string; readonly labels?: Readonly<Record<string, string>> }[]
  /** What it takes to tell the ledger something, and to know who does. */
  readonly where: Where & Pick<Settings, 'identities' | 'jwt' | 'shared' | 'from'>
}

/**
 * What the reading commands need of a configuration: where the tapes are, and whose signatures to believe. The rest of the
 * file is not enforced here: who investigates need not have the secrets that `serve` needs.
 */
export async function evidenceOf(named: string | undefined, cli: Cli): Promise<EvidenceHere> {
  const path = findConfig(named, cli)
  const config = readYaml(await readYamlText(path), path, Config, 'CONFIG_INVALID')
  const from = pathFrom(path)
  const place = await storePlaceOf(config, from, cli.env)
  const dataDir = from(config.dataDir)
  return {
    store: await openStore(place),
    name: 'folder' in place ? place.folder : `${place.blob.url}/${place.blob.container}`,
    trusted: await readGatewayKeys(placesIn(dataDir).keys),
    targets: config.targets,
    where: {
      dataDir,
      gateway: config.gateway,
      store: place,
      identities: config.identities ?? [],
      jwt: jwtOf(config, from),
      from,
      ...(config.shared === undefined ? {} : { shared: config.shared }),
      ...(config.signer === undefined ? {} : { signer: signerOf(config.signer) }),
      ...(config.ledger === undefined ? {} : { ledger: config.ledger }),
    },
  }
}
