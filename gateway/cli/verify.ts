import { readFile } from 'node:fs/promises'
import { type GatewayKey, openStore, parseGatewayKeys, verifyPath, verifyStore } from '../../recorder/index.ts'
import { safeText } from '../../schemas/safe-text.ts'
import type { Problem, TapeVerification, Verification } from '../../schemas/verification.ts'
import { tapesOfUrl } from '../store-place.ts'
import { type Cli, printJson } from './context.ts'
import { evidenceOf } from './evidence.ts'

export interface VerifyOptions {
  readonly config?: string
  readonly json?: true
  /** A gateway.pub: whose signatures to believe. */
  readonly trust?: string
}

const TRUST: Readonly<Record<Verification['trust'], string>> = {
  given: 'signatures were checked with the keys you named',
  beside:
    'signatures were checked with the keys beside the tapes, which whoever changed the tapes could have changed too; ' +
    'keep a copy of keys/gateway.pub elsewhere and name it with --trust',
  none: 'there are no keys to check signatures with; name a gateway.pub with --trust',
}

/** Verifies what is at `path`. The exit code is the verdict's (docs/tape-format.md): 0 only for VALID. */
export async function verify(path: string | undefined, options: VerifyOptions, cli: Cli): Promise<number> {
  const gatewayKeys = await keysOf(options, cli)
  const keys = gatewayKeys === undefined ? {} : { gatewayKeys }
  const result = await verifyNamed(path, keys, options, cli)
  if (options.json) printJson(cli, result)
  else cli.out(`${verificationLines(result).join('\n')}\n`)
  return result.exit
}

/** A folder, a container by URL, or without either the configured store. */
async function verifyNamed(
  path: string | undefined,
  keys: { readonly gatewayKeys?: readonly GatewayKey[] },
  { config }: VerifyOptions,
  cli: Cli,
): Promise<Verification> {
  if (path === undefined) {
    const { store, name } = await evidenceOf(config, cli)
    return verifyStore(store, name, keys)
  }
  if (!/^https?:\/\//.test(path)) return verifyPath(path, keys)
  const { place, session } = tapesOfUrl(path)
  return verifyStore(await openStore(place), path, { ...keys, ...(session === undefined ? {} : { session }) })
}

/** The keys named by hand; undefined: those beside the tapes. */
async function keysOf({ trust, config }: VerifyOptions, cli: Cli): Promise<readonly GatewayKey[] | undefined> {
  if (trust !== undefined) return parseGatewayKeys(await readFile(trust, 'utf8'))
  if (config === undefined) return undefined
  const { trusted } = await evidenceOf(config, cli)
  return trusted.length === 0 ? undefined : trusted
}

export function verificationLines({ path, verdict, tapes, frames, trust }: Verification): string[] {
  const count = tapes.length === 1 ? '1 tape' : `${tapes.length} tapes`
  return [...tapes.flatMap(tapeLines), `${verdict}: ${safeText(path)} (${count}, ${frames} frames)`, TRUST[trust]]
}

function tapeLines(tape: TapeVerification): string[] {
  const { session, verdict, state, frames, chunks, signer, recovered, unattested, lastGood, problems, problemCount } = tape
  const { durability, lossWindow } = tape
  const by = signer === null ? 'not signed' : `signed by ${signer.gateway} (${signer.algorithm} ${signer.keyId})`
  const lines = [
    safeText(
      `${session}  ${verdict}  ${state}, ${frames} frames in ${chunks} chunks, ${by}, durability ${durability ?? 'unknown'}`,
    ),
  ]
  const add = (line: string): void => void lines.push(`  ${safeText(line)}`)
  if (recovered !== null) {
    add(`frames ${recovered.first}-${recovered.last} are attested by their recovery only (${recovered.by}, ${recovered.at})`)
  }
  if (unattested > 0) add(`${unattested} frames behind a break in the chain are attested by nobody`)
  if (verdict !== 'VALID' && lastGood !== null) {
    const at = `${(lastGood.atUs / 1e6).toFixed(3)} s after the start, chunk ${lastGood.chunk}`
    add(`the chain of signatures is unbroken up to frame ${lastGood.frame} (${at})`)
  }
  if (verdict === 'VALID-INCOMPLETE' && lossWindow !== null)
    add(`what may be missing after it, recorded with durability ${durability}: ${lossWindow}`)
  for (const problem of problems) add(problemLine(problem))
  if (problemCount > problems.length) add(`... and ${problemCount - problems.length} more problems`)
  return lines
}

function problemLine({ verdict, part, what, object, offset, chunk, frame, frames }: Problem): string {
  const where = [
    ...(frame === undefined ? [] : [`frame ${frame}`]),
    ...(frames === undefined ? [] : [`frames ${frames[0]}-${frames[1]}`]),
    ...(chunk === undefined ? [] : [`chunk ${chunk}`]),
    offset === undefined ? object : `${object} at byte ${offset}`,
  ]
  return `${verdict}  ${part}: ${what} (${where.join(', ')})`
}
