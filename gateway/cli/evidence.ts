import { readFile } from 'node:fs/promises'
import { FileStore, type GatewayKey, readGatewayKeys, type Store } from '../../recorder/index.ts'
import { Config } from '../../schemas/config.ts'
import { pathFrom } from '../config.ts'
import { placesIn } from '../places.ts'
import { readYaml } from '../yaml.ts'
import { type Cli, findConfig } from './context.ts'

/**
 * What the reading commands need of a configuration: where the tapes are, and whose signatures to believe. The rest of the
 * file is not enforced here: who investigates need not have the secrets that `serve` needs.
 */
export async function evidenceOf(
  config: string | undefined,
  cli: Cli,
): Promise<{ readonly store: Store; readonly trusted: readonly GatewayKey[] }> {
  const path = findConfig(config, cli)
  const { dataDir } = readYaml(await readFile(path, 'utf8'), path, Config, 'CONFIG_INVALID')
  const places = placesIn(pathFrom(path)(dataDir))
  return { store: new FileStore(places.store), trusted: await readGatewayKeys(places.keys) }
}
