import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { codeOf, readAtMost } from '../../recorder/files.ts'
import { type GatewayKey, newestCheckpoint, nodeTools, proofOf, type ReadLine, readLines } from '../../recorder/index.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeBlock, safeJson, safeText } from '../../schemas/safe-text.ts'
import { parseLine } from '../../schemas/verify/ledger-line.ts'
import { noteKeysOf, parseCheckpoint, parseVerifierKey, signersOf, verifierKey } from '../../schemas/verify/note.ts'
import { checkProof, formatProof, MAX_PROOF_SIZE, parseProof } from '../../schemas/verify/tlog-proof.ts'
import type { ObjectSource } from '../../schemas/verify/tools.ts'
import { type Cli, EXIT, printJson, table } from './context.ts'
import { evidenceOf } from './evidence.ts'
import { type Between, between } from './moment.ts'
import { keysOf } from './trust-keys.ts'

interface Options {
  readonly config?: string
  readonly json?: true
}

export interface ListOptions extends Options, Between {
  readonly session?: string
  readonly type?: string
  readonly last?: number
}

/** Members every entry has, or that have a column of their own. */
const COLUMNS = new Set(['v', 'type', 'gateway', 'n', 'at', 'sessions', 'session'])
/** Of an entry's other members in a list. */
const MAX_DETAIL_CHARS = 100

/** The ledger's entries as they stand; `verify` says whether they are to be believed. */
export async function listLedger(options: ListOptions, cli: Cli): Promise<number> {
  const { store } = await evidenceOf(options.config, cli)
  const found: ReadLine[] = []
  const inTime = between(options)
  const session = options.session === undefined ? {} : { session: await sessionIn(store, options.session) }
  for await (const line of readLines(store)) {
    if (!fits(line, { ...options, ...session }) || !inTime(line.entry?.statement.at)) continue
    found.push(line)
    if (options.last !== undefined && found.length > options.last) found.shift()
  }
  if (options.json) for (const line of found) printJson(cli, jsonOf(line))
  else if (found.length === 0) cli.err('the ledger has no such entry\n')
  else cli.out(table([['INDEX', 'AT', 'BY', 'ENTRY', 'SESSION', ''], ...found.map(rowOf)]))
  return EXIT.ok
}

/** One entry, whole: by its index, or the first of a session. */
export async function showEntry(which: string, options: Options, cli: Cli): Promise<number> {
  const { store } = await evidenceOf(options.config, cli)
  const wanted = await whichOf(store, which)
  for await (const line of readLines(store)) {
    if (typeof wanted === 'number' ? line.index !== wanted : line.entry?.statement['session'] !== wanted) continue
    if (options.json) printJson(cli, jsonOf(line))
    else
      cli.out(
        `${Object.entries(jsonOf(line))
          .map(([name, value]) => `${safeText(name)}: ${safeJson(value)}`)
          .join('\n')}\n`,
      )
    return EXIT.ok
  }
  throw missing(which)
}

/** The newest checkpoint, as it is to be kept elsewhere; `keys`: the verifier keys of those who sign them. */
export async function showCheckpoint(options: Options & { readonly keys?: true }, cli: Cli): Promise<number> {
  const { store, trusted } = await evidenceOf(options.config, cli)
  const newest = await newestCheckpoint(store)
  if (newest === undefined) throw new ApplianceError('STORE_MISSING', 'the ledger has no checkpoint yet')
  const checkpoint = parseCheckpoint(newest.bytes)
  const keys = [...new Set(noteKeysOf(nodeTools, checkpoint.origin, trusted).map(verifierKey))]
  const signers = await signersOf(nodeTools, checkpoint.note, noteKeysOf(nodeTools, checkpoint.origin, trusted))
  const good = signers !== false && signers.length > 0
  const { origin, size, root } = checkpoint
  const note = Buffer.from(newest.bytes).toString('utf8')
  if (options.json) printJson(cli, { origin, size, root: Buffer.from(root).toString('hex'), signed: good, note, keys })
  else if (options.keys) cli.out(keys.map((key) => `${safeText(key)}\n`).join(''))
  else cli.out(safeBlock(note))
  if (!good) cli.err('the checkpoint is signed by no key that is trusted here\n')
  return good ? EXIT.ok : EXIT.failure
}

/** Writes a C2SP tlog-proof of an entry, or of a session's opening. */
export async function proveEntry(which: string, options: Options & { readonly out?: string }, cli: Cli): Promise<number> {
  const { store } = await evidenceOf(options.config, cli)
  const proof = await proofOf(store, await whichOf(store, which))
  const text = formatProof(proof)
  if (options.out !== undefined) await writeFile(resolve(cli.cwd, options.out), text)
  if (options.json)
    printJson(cli, { index: proof.index, ...(options.out === undefined ? { proof: text } : { out: options.out }) })
  else if (options.out === undefined) cli.out(safeBlock(text))
  else cli.err(`entry ${proof.index} is proved in ${safeText(options.out)}\n`)
  return EXIT.ok
}

export interface CheckOptions extends Options {
  /** A gateway.pub. */
  readonly trust?: string
  /** Verifier keys, `name+hash+key`. */
  readonly key?: readonly string[]
}

/** Checks a proof by itself: no store is looked at. */
export async function checkProofFile(file: string, options: CheckOptions, cli: Cli): Promise<number> {
  const bytes = await readAtMost(resolve(cli.cwd, file), MAX_PROOF_SIZE).catch((error: unknown) => {
    throw codeOf(error) === 'ENOENT' ? new ApplianceError('STORE_MISSING', `${file} does not exist`) : error
  })
  if (bytes === undefined) throw new ApplianceError('LEDGER_MALFORMED', `a proof has at most ${MAX_PROOF_SIZE} bytes`)
  const proof = parseProof(bytes)
  const named = (options.key ?? []).map((key) => parseVerifierKey(nodeTools, key))
  const gateways = await gatewaysOf(options, named.length > 0, cli)
  const { index, entry, checkpoint, signers } = await checkProof(nodeTools, proof, (origin) => [
    ...named.filter(({ name }) => name === origin),
    ...noteKeysOf(nodeTools, origin, gateways),
  ])
  const { statement } = parseLine(entry) ?? {}
  const by = signers.map(({ name, keyId }) => `${name}+${keyId}`)
  if (options.json)
    printJson(cli, {
      valid: true,
      origin: checkpoint.origin,
      index,
      size: checkpoint.size,
      signers: by,
      statement: statement ?? null,
    })
  else {
    const what =
      statement === undefined ? 'a line that is no entry' : `${statement.type} by ${statement.gateway} at ${statement.at}`
    cli.out(
      safeText(
        `entry ${index} of ${checkpoint.origin} (${what}) is in the tree of ${checkpoint.size} entries signed by ${by.join(', ')}`,
      ),
    )
    cli.out('\n')
  }
  return EXIT.ok
}

async function gatewaysOf({ trust, config }: CheckOptions, named: boolean, cli: Cli): Promise<readonly GatewayKey[]> {
  if (trust !== undefined) return (await keysOf({ trust }, cli)) ?? []
  return named ? [] : (await evidenceOf(config, cli)).trusted
}

/** An index has no zeros in front: what has is the end of a session's id. */
async function whichOf(store: ObjectSource, text: string): Promise<number | string> {
  return /^(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : sessionIn(store, text)
}

/** A session by the beginning or end of its id, as elsewhere, but of those whose tapes are gone as well. Where there is none it stays as it is. */
async function sessionIn(store: ObjectSource, part: string): Promise<string> {
  const found = new Set<string>()
  for await (const { entry } of readLines(store)) {
    const session = entry?.statement['session']
    if (session === part) return part
    if (part !== '' && typeof session === 'string' && (session.startsWith(part) || session.endsWith(part))) found.add(session)
  }
  if (found.size > 1)
    throw new ApplianceError('STORE_MISSING', `${found.size} sessions match ${JSON.stringify(part)}; give more of the id`)
  return found.values().next().value ?? part
}

function fits({ entry }: ReadLine, { session, type }: ListOptions): boolean {
  if (session !== undefined && entry?.statement['session'] !== session) return false
  return type === undefined || entry?.statement.type === type || entry?.statement.type.startsWith(`${type}.`) === true
}

function jsonOf({ index, entry, bytes }: ReadLine): Record<string, unknown> {
  if (entry === undefined) return { index, malformed: true, size: bytes.length }
  return { index, key: entry.keyId, ...entry.statement }
}

function rowOf({ index, entry, bytes }: ReadLine): string[] {
  if (entry === undefined) return [String(index), '-', '?', 'no entry', '-', `${bytes.length} bytes`]
  const { at, gateway, n, type, session } = entry.statement
  const rest = Object.entries(entry.statement).filter(([name]) => !COLUMNS.has(name))
  const detail = rest.map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ')
  const short = detail.length > MAX_DETAIL_CHARS ? `${detail.slice(0, MAX_DETAIL_CHARS)}...` : detail
  return [String(index), at, `${gateway}/${n}`, type, typeof session === 'string' ? session : '-', short]
}

function missing(which: string): ApplianceError {
  return new ApplianceError('STORE_MISSING', `the ledger has no entry ${JSON.stringify(which.slice(0, 64))}`)
}
