import { resolve } from 'node:path'
import { isBundle } from '../../recorder/bundle/verify-bundle.ts'
import { openStore, type VerifyPathOptions, verifyPath, verifyStore } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import type { Verification } from '../../schemas/verification.ts'
import { verificationLines } from '../../schemas/verify/lines.ts'
import { tapesOfUrl } from '../store-place.ts'
import { type Cli, printJson } from './context.ts'
import { type EvidenceHere, evidenceOf } from './evidence.ts'
import { noteView } from './note-view.ts'
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
  /** Of the configured store only this one: an id, or the beginning or end of one. */
  readonly session?: string
  readonly keyFile?: string
  /** Why, for the ledger. */
  readonly purpose?: string
}

/**
 * Verifies what is at `path`, or in the configured store, whose ledger is then told who did and what it came to. The exit code is the verdict's
 * (docs/tape-format.md): 0 only for VALID.
 */
export async function verify(path: string | undefined, options: VerifyOptions, cli: Cli): Promise<number> {
  if (path !== undefined && options.session !== undefined)
    throw new ApplianceError(
      'CONFIG_INVALID',
      '--session is of the configured store: leave out the path, or give it the session’s folder',
    )
  if (path !== undefined && (await isBundle(resolve(cli.cwd, path)))) {
    refuseOfStores(options)
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
  if (path !== undefined) return told(await verifyNamed(path, how, cli), options, cli)
  const here = await evidenceOf(options.config, cli)
  const session = options.session === undefined ? {} : { session: await idOf(here, options.session) }
  const result = await verifyStore(here.store, here.name, { ...how, ...session })
  const exit = told(result, options, cli)
  await noteRun(here, { ...session, ...runOf(result) }, options, cli)
  return exit
}

/** A bundle has no attestations of its checkpoint, and is of the moment it was cut at. */
function refuseOfStores({ trustPolicy, at }: VerifyOptions): void {
  if (trustPolicy !== undefined)
    throw new ApplianceError(
      'CONFIG_INVALID',
      '--trust-policy is of tapes and ledgers: who vouches for a bundle is asked by sallyport bundle verify --tsa',
    )
  if (at !== undefined)
    throw new ApplianceError('CONFIG_INVALID', '--at is of tapes and ledgers: a bundle is as of its watermark, leave it out')
}

function told(result: Verification, { json }: VerifyOptions, cli: Cli): number {
  if (json) printJson(cli, result)
  else cli.out(`${verificationLines(result).join('\n')}\n`)
  return result.exit
}

async function idOf({ store }: EvidenceHere, part: string): Promise<string> {
  const { fullId } = await import('./replay.ts')
  return fullId(store, part)
}

function runOf({ verdict, tapes, ledger }: Verification) {
  const problems = tapes.reduce((sum, { problemCount }) => sum + problemCount, ledger?.problemCount ?? 0)
  return { with: 'command line', verdict, tapes: tapes.length, problems }
}

/** A ledger that cannot be written to, damaged as it may be, keeps nobody from the verdict: it has been told by then. */
async function noteRun(
  { where }: EvidenceHere,
  run: ReturnType<typeof runOf> & { readonly session?: string },
  options: VerifyOptions,
  cli: Cli,
): Promise<void> {
  const purpose = options.purpose === undefined ? {} : { purpose: options.purpose }
  try {
    await noteView(where, { type: 'evidence.verify', ...run, ...purpose }, options, cli)
  } catch (error) {
    cli.err(`sallyport: this is not noted in the ledger: ${safeText(error instanceof Error ? error.message : String(error))}\n`)
  }
}

/** A folder, or a container by URL. */
async function verifyNamed(path: string, how: VerifyPathOptions, cli: Cli): Promise<Verification> {
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
