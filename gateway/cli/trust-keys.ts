import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { GatewayKey } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { parseGatewayKeys } from '../../schemas/gateway-keys.ts'
import type { Cli } from './context.ts'
import { evidenceOf } from './evidence.ts'

/** The keys named by hand; undefined: those beside the tapes. */
export async function keysOf(
  { trust, config }: { readonly trust?: string; readonly config?: string },
  cli: Cli,
): Promise<readonly GatewayKey[] | undefined> {
  if (trust !== undefined) {
    const file = resolve(cli.cwd, trust)
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new ApplianceError(
        'CONFIG_INVALID',
        `${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      )
    })
    return parseGatewayKeys(text, file)
  }
  if (config === undefined) return undefined
  const { trusted } = await evidenceOf(config, cli)
  return trusted.length === 0 ? undefined : trusted
}
