import { resolve } from 'node:path'
import { isBundle } from '../../recorder/bundle/verify-bundle.ts'
import { openStore, type VerifyPathOptions, verifyPath, verifyStore } from '../../recorder/index.ts'
import type { Verification } from '../../schemas/verification.ts'
import { verificationLines } from '../../schemas/verify/lines.ts'
import { tapesOfUrl } from '../store-place.ts'
import { type Cli, printJson } from './context.ts'
import { evidenceOf } from './evidence.ts'
import { keysOf } from './trust-keys.ts'
import { trustRules } from './trust-policy.ts'

export interface VerifyOptions {
  readonly config?: string
  readonly json?: true
  /** A gateway.pub: whose signatures to believe. */
  readonly trust?: string
  /** Whose word there must be for the ledger's checkpoints. */
  readonly trustPolicy?: string
  /** When a copy was made, ms; default: now. */
  readonly at?: number
}

/** Verifies what is at `path`. The exit code is the verdict's (docs/tape-format.md): 0 only for VALID. */
export async function verify(path: string | undefined, options: VerifyOptions, cli: Cli): Promise<number> {
  if (path !== undefined && (await isBundle(resolve(cli.cwd, path)))) {
    const { verifyBundleFile } = await import('./bundle.ts')
    return verifyBundleFile(path, options, cli)
  }
  const gatewayKeys = await keysOf(options, cli)
  const how = {
    ...(gatewayKeys === undefined ? {} : { gatewayKeys }),
    ...(options.trustPolicy === undefined ? {} : { policy: await trustRules(options.trustPolicy, cli.cwd) }),
    ...(options.at === undefined ? {} : { nowMs: options.at }),
    ...(cli.isTerminal === true ? { onRead: progressOn(cli) } : {}),
  }
  const result = await verifyNamed(path, how, options, cli)
  if (options.json) printJson(cli, result)
  else cli.out(`${verificationLines(result).join('\n')}\n`)
  return result.exit
}

/** A folder, a container by URL, or without either the configured store. */
async function verifyNamed(
  path: string | undefined,
  how: VerifyPathOptions,
  { config }: VerifyOptions,
  cli: Cli,
): Promise<Verification> {
  if (path === undefined) {
    const { store, name } = await evidenceOf(config, cli)
    return verifyStore(store, name, how)
  }
  if (!/^https?:\/\//.test(path)) return { ...(await verifyPath(resolve(cli.cwd, path), how)), path }
  const { place, session } = tapesOfUrl(path)
  return verifyStore(await openStore(place), path, { ...how, ...(session === undefined ? {} : { session }) })
}

/** How often whoever waits at a terminal is told. */
const TOLD_EVERY_MS = 500

/** A line on stderr that is written over, and cleared once it is no longer true. */
function progressOn(cli: Cli): NonNullable<VerifyPathOptions['onRead']> {
  let [read, toldAt] = [0, performance.now()]
  return (bytes, tape, tapes) => {
    read += bytes
    if (performance.now() - toldAt < TOLD_EVERY_MS) return
    toldAt = performance.now()
    cli.err(`\rtape ${tape + 1} of ${tapes}, ${Math.round(read / 1e6)} MB read \r`)
  }
}
