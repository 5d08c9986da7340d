import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { type BundleProgress, createBundle } from '../../recorder/bundle/create-bundle.ts'
import { type BundleTimestampCheck, verifyBundleAt } from '../../recorder/bundle/verify-bundle.ts'
import { readGatewayKeys } from '../../recorder/index.ts'
import { BUNDLE_ENDING, type Framework } from '../../schemas/bundle.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { bundleLines } from '../../schemas/verify/bundle-lines.ts'
import { bundleFiles } from '../bundle-files.ts'
import { bundleScope, readScope } from '../bundle-scope.ts'
import { keepYoungSmall } from '../collections.ts'
import { placesIn } from '../places.ts'
import { describers } from '../protocols/describers.ts'
import { openSigner, tellInCheckpoint, tellLedger } from '../tape-room.ts'
import { type Cli, EXIT, printJson } from './context.ts'
import { evidenceOf } from './evidence.ts'
import { callerOf } from './prove-caller.ts'
import { keysOf } from './trust-keys.ts'

export interface BundleOptions {
  readonly config?: string
  readonly json?: true
  readonly from: number
  readonly to: number
  readonly framework: Framework
  readonly scope?: readonly string[]
  readonly seed?: string
  readonly sample: number
  readonly small?: true
  readonly verify: 'all' | 'sample'
  readonly watermark?: number
  readonly workers?: number
  readonly out: string
  readonly reason?: string
  readonly keyFile?: string
}

/** How often whoever waits at a terminal is told. */
const TOLD_EVERY_MS = 300

/** Makes an audit bundle; Ctrl-C leaves nothing of it. */
export async function createBundleFile(options: BundleOptions, cli: Cli): Promise<number> {
  const path = resolve(cli.cwd, options.out)
  if (!path.endsWith(BUNDLE_ENDING))
    throw new ApplianceError('CONFIG_INVALID', `a bundle's name ends in ${BUNDLE_ENDING}, by which verifiers know it`)
  if (options.from >= options.to)
    throw new ApplianceError('CONFIG_INVALID', 'the period ends before it begins: --from, then --to')
  if (options.seed === '')
    throw new ApplianceError('CONFIG_INVALID', '--seed is empty; without the option one is made up, and told')
  keepYoungSmall()
  const { store, where, targets } = await evidenceOf(options.config, cli)
  const scope = bundleScope(readScope(options.scope ?? []), targets)
  const keys = placesIn(where.dataDir).keys
  const signer = await openSigner(where.signer, keys, where.gateway)
  const by = await callerOf(where, options.keyFile, cli)
  const stop = new AbortController()
  const interrupted = (): void => stop.abort(new ApplianceError('STORE_FAILED', 'interrupted; nothing of the bundle is left'))
  process.once('SIGINT', interrupted)
  process.once('SIGTERM', interrupted)
  try {
    // As of now: also what commands told since a gateway last published.
    if (options.watermark === undefined) await tellInCheckpoint(where, [])
    const made = await createBundle(
      {
        store,
        // Read anew: the signer's key may have been published just now.
        trusted: await readGatewayKeys(keys),
        signer,
        tool: packageJson.version,
        describers,
        files: await bundleFiles(),
        timestamps: where.ledger?.timestamps ?? [],
        tell: (entry) => tellLedger(where, entry),
      },
      {
        from: new Date(options.from),
        to: new Date(options.to),
        framework: options.framework,
        scope,
        seed: options.seed ?? randomBytes(16).toString('hex'),
        sampleSize: options.sample,
        knownTargets: targets.map(({ name }) => name),
        small: options.small === true,
        verify: options.verify,
        ...(options.watermark === undefined ? {} : { watermark: options.watermark }),
        ...(options.workers === undefined ? {} : { workers: options.workers }),
        path,
        by: { ...by, ...(options.reason === undefined ? {} : { reason: options.reason }) },
      },
      cli.isTerminal === true ? progressOn(cli) : undefined,
      stop.signal,
    )
    const { size, sha256, states, sampled, leftOut, unledgered, seed, manifest, timestamps } = made
    const { watermark } = manifest
    if (options.json)
      printJson(cli, {
        path,
        size,
        sha256,
        seed,
        watermark: watermark.size,
        tapes: states,
        unledgered,
        sampled,
        leftOut,
        timestamps,
      })
    else {
      const gaps = Object.entries(states).filter(([state, count]) => count > 0 && state !== 'whole')
      const sessions = Object.values(states).reduce((sum, count) => sum + count, 0)
      cli.out(`${safeText(path)}: ${sessions} sessions, ${sampled.length} sampled with seed ${safeText(seed)}, ${size} bytes\n`)
      cli.out(`cut at entry ${watermark.size} of ${safeText(watermark.origin)}; manifest ${sha256}\n`)
      if (gaps.length > 0) cli.out(`not whole: ${gaps.map(([state, count]) => `${count} ${state}`).join(', ')} (ipe/gaps.csv)\n`)
      if (sessions === 0) cli.err('sallyport: no session of the period is in scope; the bundle says so\n')
      if (unledgered > 0)
        cli.out(`unledgered: ${unledgered} recordings that the ledger knows nothing of are in the store (ipe/gaps.csv)\n`)
      if (leftOut.length > 0)
        cli.out(
          `a small pack: the recordings of ${leftOut.length} of ${sampled.length} sampled sessions had no room (manifest.json names them)\n`,
        )
      for (const { name, problem } of timestamps)
        if (problem === undefined) cli.out(`timestamped by ${safeText(name)}\n`)
        else cli.err(`sallyport: without a timestamp by ${safeText(name)}: ${safeText(problem)}\n`)
    }
    return EXIT.ok
  } finally {
    process.off('SIGINT', interrupted)
    process.off('SIGTERM', interrupted)
  }
}

export interface VerifyBundleOptions {
  readonly config?: string
  readonly json?: true
  readonly trust?: string
  /** A file with certificates. */
  readonly tsa?: string
}

/** Verifies a bundle, packed or unpacked. The exit code is the verdict's. */
export async function verifyBundleFile(path: string, options: VerifyBundleOptions, cli: Cli): Promise<number> {
  const keys = await keysOf(options, cli)
  const authorities = options.tsa === undefined ? undefined : await certificatesIn(resolve(cli.cwd, options.tsa))
  const result = await verifyBundleAt(resolve(cli.cwd, path), { keys, authorities })
  if (options.json) printJson(cli, { ...result, path })
  else cli.out(`${[...bundleLines(path, result), ...result.timestamps.map(timestampLine)].join('\n')}\n`)
  return result.exit
}

function timestampLine({ file, at, authority, problem }: BundleTimestampCheck): string {
  const said = problem === undefined ? `the manifest was there at ${at}, says ${authority}` : `not believed: ${problem}`
  return safeText(`${file}: ${said}`)
}

/** Each certificate of a PEM file. */
async function certificatesIn(file: string): Promise<readonly string[]> {
  const found = (await readFile(file, 'utf8')).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (found === null) throw new ApplianceError('CONFIG_INVALID', `${file} has no certificate in PEM`)
  return found
}

/** A line on stderr that is written over. */
function progressOn(cli: Cli): (progress: BundleProgress) => void {
  let toldAt = 0
  return ({ phase, done, of }) => {
    if (performance.now() - toldAt < TOLD_EVERY_MS && done < of) return
    toldAt = performance.now()
    cli.err(`\r${{ log: 'log: entry', tapes: 'tapes: session', sample: 'sample: session' }[phase]} ${done} of ${of}   \r`)
  }
}
