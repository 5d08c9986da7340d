import { resolve } from 'node:path'
import { type GatewayKey, readKeyFile } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { Cli } from './context.ts'
import { evidenceOf } from './evidence.ts'

/** The keys named by hand; undefined: those beside the tapes. */
export async function keysOf(
  { trust, config }: { readonly trust?: string; readonly config?: string },
  cli: Cli,
): Promise<readonly GatewayKey[] | undefined> {
  if (trust !== undefined) {
    const file = resolve(cli.cwd, trust)
    return readKeyFile(file).catch((cause: unknown) => {
      if (cause instanceof ApplianceError) throw cause
      throw new ApplianceError(
        'CONFIG_INVALID',
        `${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      )
    })
  }
  if (config === undefined) return undefined
  const { trusted } = await evidenceOf(config, cli)
  return trusted.length === 0 ? undefined : trusted
}
