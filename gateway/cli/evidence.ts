import { readFile } from 'node:fs/promises'
import { type GatewayKey, openStore, readGatewayKeys, type Store } from '../../recorder/index.ts'
import { Config } from '../../schemas/config.ts'
import { pathFrom } from '../config.ts'
import { placesIn } from '../places.ts'
import { storePlaceOf } from '../store-place.ts'
import { readYaml } from '../yaml.ts'
import { type Cli, findConfig } from './context.ts'

/**
 * What the reading commands need of a configuration: where the tapes are, and whose signatures to believe. The rest of the
 * file is not enforced here: who investigates need not have the secrets that `serve` needs.
 */
export async function evidenceOf(
  named: string | undefined,
  cli: Cli,
): Promise<{ readonly store: Store; readonly name: string; readonly trusted: readonly GatewayKey[] }> {
  const path = findConfig(named, cli)
  const config = readYaml(await readFile(path, 'utf8'), path, Config, 'CONFIG_INVALID')
  const from = pathFrom(path)
  const place = await storePlaceOf(config, from, cli.env)
  const name = 'folder' in place ? place.folder : `${place.blob.url}/${place.blob.container}`
  return { store: await openStore(place), name, trusted: await readGatewayKeys(placesIn(from(config.dataDir)).keys) }
}
