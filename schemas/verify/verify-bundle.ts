import {
  BUNDLE_NOTE,
  BUNDLE_PATHS,
  type BundleManifest,
  drawSample,
  MAX_MANIFEST_SIZE,
  MAX_TABLE_SIZE,
  parseManifest,
  SIGNATURE_FILE,
} from '../bundle.ts'
import { base64Of, hexOf, utf8 } from '../bytes.ts'
import { readCsv } from '../csv.ts'
import { ApplianceError } from '../errors.ts'
import { FigureCounts } from '../figures.ts'
import type { Totals } from '../tape.ts'
import { MAX_PROBLEMS, type Problem, type TapeVerification, VERIFY_EXITS, worstVerdict } from '../verification.ts'
import { hmac, isRowOf, linesOf, MISSING_TAPE, otherTotals } from './bundle-rows.ts'
import type { BundleVerification } from './bundle-verification.ts'
import { EntryKeys } from './entry-keys.ts'
import { withProblems } from './ledger-check.ts'
import { MerkleStack } from './merkle.ts'
import { MAX_NOTE_SIZE, noteKeysOf, parseCheckpoint, parseNote, signersOf } from './note.ts'
import { PeriodLog, type PeriodSession } from './period-log.ts'
import type { GatewayKey, ObjectSource, VerifyTools } from './tools.ts'
import { verifyTapeWith } from './verify-tape.ts'

/** What verification takes beside a tape's. */
export interface BundleTools extends VerifyTools {
  /** A running SHA-256: files are read in pieces. */
  hasher(): { update(bytes: Uint8Array): void; digest(): Uint8Array }
}

const WINDOW_SIZE = 1 << 20
const HAS_TAPE: ReadonlySet<string> = new Set(['whole', 'recovered', 'damaged'])

/**
 * Verifies an audit bundle, from its folder or its archive: files against the signed manifest, the log's lines against the signed checkpoint, the tables
 * against the lines, the figures against the tables, the sample against its seed, and every tape in it. Never rejects on what the bundle holds.
 */
export async function verifyBundle(
  source: ObjectSource,
  tools: BundleTools,
  trusted: readonly GatewayKey[],
  options: { readonly onRead?: (bytes: number) => void; readonly signal?: AbortSignal } = {},
): Promise<BundleVerification> {
  return new BundleVerifier(source, tools, trusted, options).run()
}

class BundleVerifier {
  readonly #source: ObjectSource
  readonly #tools: BundleTools
  readonly #trusted: readonly GatewayKey[]
  readonly #options: { readonly onRead?: (bytes: number) => void; readonly signal?: AbortSignal }
  readonly #problems: Problem[] = []
  readonly #verdicts = new Set<Problem['verdict']>()
  #problemCount = 0
  /** Leaves by type, for the tables. */
  readonly #leaves = new Map<string, { readonly index: number; readonly within: boolean }[]>()

  constructor(
    source: ObjectSource,
    tools: BundleTools,
    trusted: readonly GatewayKey[],
    options: { readonly onRead?: (bytes: number) => void; readonly signal?: AbortSignal },
  ) {
    this.#source = source
    this.#tools = tools
    this.#trusted = trusted
    this.#options = options
  }

  async run(): Promise<BundleVerification> {
    const manifestBytes = await this.#whole(BUNDLE_PATHS.manifest, MAX_MANIFEST_SIZE)
    const manifest = manifestBytes && this.#tried(BUNDLE_PATHS.manifest, () => parseManifest(manifestBytes))
    if (manifestBytes === undefined || manifest === undefined) return this.#result(null, null, false, 0, undefined, {}, [])
    const made = await this.#signature(manifest, manifestBytes)
    await this.#files(manifest)
    const { log, lines } = await this.#log(manifest)
    const rows = (await this.#rows(BUNDLE_PATHS.sessions)) ?? []
    // Where no trusted key has signed anything, there is no entry to compare with: nothing is known, which is not a lie that was found.
    if (made !== null || log.keyIds.size > 0 || log.strangers === 0) {
      this.#population(manifest, log, rows)
      await this.#tables(manifest)
    }
    await this.#figures(manifest)
    const sampled = await this.#sample(manifest, log, rows)
    const tapes: Record<string, number> = {}
    for (const row of rows) tapes[row.get('state') ?? ''] = (tapes[row.get('state') ?? ''] ?? 0) + 1
    for (const state of ['missing', 'damaged', 'live'])
      if (tapes[state] !== undefined)
        this.#report(
          'VALID-INCOMPLETE',
          'ledger',
          `${tapes[state]} recordings of the population are ${state}, as the bundle says`,
          BUNDLE_PATHS.sessions,
        )
    return this.#result(manifest, made, made !== null, lines, rows.length, tapes, sampled)
  }

  /** What the signer says of it; null where nobody that is trusted has signed this manifest. */
  async #signature(manifest: BundleManifest, bytes: Uint8Array): Promise<string | null> {
    const noteBytes = await this.#whole(BUNDLE_PATHS.note, MAX_NOTE_SIZE)
    const note = noteBytes && this.#tried(BUNDLE_PATHS.note, () => parseNote(noteBytes))
    if (note === undefined) return null
    const [kind, hash, ...said] = note.text.split('\n')
    if (kind !== BUNDLE_NOTE || hash !== base64Of(this.#tools.sha256(bytes)))
      this.#invalid('signature', 'what was signed is another manifest', BUNDLE_PATHS.note)
    const signers = await signersOf(this.#tools, note, noteKeysOf(this.#tools, manifest.watermark.origin, this.#trusted))
    if (signers === false) this.#invalid('signature', 'a signature of the manifest is wrong', BUNDLE_PATHS.note)
    else if (signers.length === 0)
      this.#report('UNVERIFIABLE', 'signature', 'the manifest is signed by no trusted key', BUNDLE_PATHS.note)
    return signers === false || signers.length === 0 ? null : said.filter((line) => line !== '').join(', ')
  }

  async #files(manifest: BundleManifest): Promise<void> {
    const listed = new Map(manifest.files.map((file) => [file.path, file]))
    // What stands below signatures/ is not for this to judge, but an archive has nothing behind it that is no file's.
    for await (const key of this.#source.list('', this.#options.signal))
      if (SIGNATURE_FILE.test(key)) await this.#read(key, 0, 0)
      else if (!listed.has(key) && key !== BUNDLE_PATHS.manifest)
        this.#invalid('checksum', 'the manifest does not know this file', key)
    for (const { path, size, sha256 } of manifest.files) {
      const hasher = this.#tools.hasher()
      let read = 0
      for await (const bytes of this.#pieces(path)) {
        hasher.update(bytes)
        read += bytes.length
      }
      if (read !== size || hexOf(hasher.digest()) !== sha256)
        this.#invalid('checksum', 'the file is missing, or is not the one that was signed', path)
      const [, policy = sha256] = /^policies\/([0-9a-f]{64})\.json$/.exec(path) ?? []
      if (policy !== sha256) this.#invalid('checksum', 'the policy is not the one of this name', path)
    }
  }

  /** The lines lead from what was before them to the watermark, which a trusted key has signed. */
  async #log(manifest: BundleManifest): Promise<{ readonly log: PeriodLog; readonly lines: number }> {
    const { watermark, lines } = manifest
    const log = new PeriodLog(manifest, new EntryKeys(this.#tools, this.#trusted))
    const sha256 = (bytes: Uint8Array): Uint8Array => this.#tools.sha256(bytes)
    const bytes = await this.#whole(BUNDLE_PATHS.checkpoint, MAX_NOTE_SIZE)
    const checkpoint = bytes && this.#tried(BUNDLE_PATHS.checkpoint, () => parseCheckpoint(bytes))
    if (checkpoint !== undefined) {
      const signers = await signersOf(this.#tools, checkpoint.note, noteKeysOf(this.#tools, checkpoint.origin, this.#trusted))
      if (signers === false) this.#invalid('checkpoint', 'a signature of the checkpoint is wrong', BUNDLE_PATHS.checkpoint)
      else if (signers.length === 0)
        this.#report('UNVERIFIABLE', 'checkpoint', 'the checkpoint is signed by no trusted key', BUNDLE_PATHS.checkpoint)
      const { origin, size, root } = checkpoint
      if (origin !== watermark.origin || size !== watermark.size || hexOf(root) !== watermark.root)
        this.#invalid('checkpoint', 'the checkpoint is not the manifest’s watermark', BUNDLE_PATHS.checkpoint)
    }
    const left = lines.left.map((hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)))
    const tree = MerkleStack.behind(sha256, lines.from, left)
    if (tree === undefined) {
      this.#invalid('entry', 'what stands before the first line is not as many subtrees as it must be', BUNDLE_PATHS.manifest)
      return { log, lines: 0 }
    }
    for await (const line of linesOf(this.#pieces(BUNDLE_PATHS.lines))) {
      const index = tree.count
      tree.push(line)
      const entry = await log.add(index, line)
      if (entry === undefined) continue
      const { type } = entry.statement
      const leaves = this.#leaves.get(type) ?? []
      this.#leaves.set(type, leaves)
      leaves.push({ index, within: entry.within })
    }
    if (tree.count !== watermark.size || hexOf(tree.root()) !== watermark.root)
      this.#invalid(
        'entry',
        'the lines are not those of the watermark: one was changed, moved, added or taken out',
        BUNDLE_PATHS.lines,
      )
    const counted = tree.count - lines.from
    if (log.bad > 0) this.#invalid('entry', `${log.bad} entries are not what their writers have signed`, BUNDLE_PATHS.lines)
    if (log.strangers > 0)
      this.#report(
        'UNVERIFIABLE',
        'entry',
        `${log.strangers} entries are signed by keys that are not trusted`,
        BUNDLE_PATHS.lines,
      )
    for (const [gateway, { gaps }] of log.numbers)
      if (gaps.length > 0)
        this.#invalid(
          'numbering',
          `the session numbers of ${gateway} have gaps or repetitions: ${gaps.join(', ')}`,
          BUNDLE_PATHS.lines,
        )
    return { log, lines: counted }
  }

  /** Every session that the log opened is a row, and no other; what the log says of it is what the row says. */
  #population(manifest: BundleManifest, log: PeriodLog, rows: readonly ReadonlyMap<string, string>[]): void {
    const seen = new Set<string>()
    const wrong = (what: string): void => this.#invalid('ledger', what, BUNDLE_PATHS.sessions)
    for (const row of rows) {
      const id = row.get('session') ?? ''
      const session = log.sessions.get(id)
      if (session === undefined || seen.has(id))
        wrong(`${id} is not a session that the log opened in the period, or is there twice`)
      else if (!isRowOf(row, session)) wrong(`the row of ${id} is not what the log says`)
      seen.add(id)
    }
    const absent = [...log.sessions.keys()].filter((id) => !seen.has(id))
    if (absent.length > 0)
      wrong(
        `${absent.length} sessions that the log opened from ${manifest.period.from} on are not in the population, ${absent[0]} among them`,
      )
  }

  /** A row for each entry of the table's types, in their order, and no other. */
  async #tables(manifest: BundleManifest): Promise<void> {
    for (const { file, types, until } of manifest.tables) {
      const rows = await this.#rows(file)
      if (rows === undefined) continue
      const wanted = types
        .flatMap((type) => this.#leaves.get(type) ?? [])
        .filter(({ within }) => within || until === 'watermark')
        .map(({ index }) => index)
        .sort((a, b) => a - b)
      const found = rows.map((row) => Number(row.get('entry')))
      if (found.length !== wanted.length || found.some((index, at) => index !== wanted[at]))
        this.#invalid('ledger', `the table has ${found.length} rows, the log ${wanted.length} such entries, or others`, file)
    }
  }

  async #figures(manifest: BundleManifest): Promise<void> {
    const counts = new FigureCounts(manifest.figures)
    for (const file of new Set(manifest.figures.map((figure) => figure.file)))
      for (const row of (await this.#rows(file)) ?? []) counts.add(file, (column) => row.get(column))
    for (const [at, { id, file, value }] of counts.result().entries())
      if (value !== manifest.figures[at]?.value)
        this.#invalid('index', `figure ${id} is ${manifest.figures[at]?.value}, and counted again ${value}`, file)
  }

  async #sample(
    manifest: BundleManifest,
    log: PeriodLog,
    rows: readonly ReadonlyMap<string, string>[],
  ): Promise<readonly TapeVerification[]> {
    const { seed, size } = manifest.sample
    const ids = rows.map((row) => row.get('session') ?? '')
    const drawn = drawSample(ids, size, (id) => hexOf(hmac(this.#tools, seed, id)))
    const bytes = await this.#whole(BUNDLE_PATHS.sample, MAX_MANIFEST_SIZE)
    const selection = bytes && this.#tried(BUNDLE_PATHS.sample, () => JSON.parse(utf8.decode(bytes)) as unknown)
    const chosen = typeof selection === 'object' && selection !== null && 'chosen' in selection ? selection.chosen : undefined
    if (JSON.stringify(chosen) !== JSON.stringify(drawn))
      this.#invalid('order', 'the sample is not the one that its seed draws from the population', BUNDLE_PATHS.sample)
    const byId = new Map(rows.map((row) => [row.get('session') ?? '', row]))
    const verified: TapeVerification[] = []
    const leftOut = new Set(manifest.small?.leftOut)
    let left = 0
    for (const id of drawn) {
      const session = log.sessions.get(id)
      const row = byId.get(id)
      if (session === undefined || row === undefined || !HAS_TAPE.has(row.get('state') ?? '')) continue
      if (leftOut.has(id)) left += 1
      else verified.push(await this.#tape(session, row))
    }
    if (left > 0) {
      const what = `${left} recordings of the sample were left out of this small pack, as it says`
      this.#report('VALID-INCOMPLETE', 'segment', what, BUNDLE_PATHS.manifest)
    }
    const wanted = new Set(drawn)
    const folders = new Set<string>()
    for await (const key of this.#source.list('tapes/', this.#options.signal)) folders.add(key.split('/')[1] ?? '')
    for (const id of folders) if (!wanted.has(id)) this.#invalid('order', 'a tape that was not drawn', `tapes/${id}/`)
    return verified
  }

  async #tape(session: PeriodSession, row: ReadonlyMap<string, string>): Promise<TapeVerification> {
    const { session: id, header, closed } = session
    let seen = ''
    const host = { source: this.#source, tools: this.#tools }
    const onHeader = (statement: Uint8Array): void => {
      seen = hexOf(statement)
    }
    let differs: string | undefined
    const onTotals = (totals: Totals, sealed: boolean): void => {
      differs = otherTotals(row, totals, sealed)
    }
    let tape: TapeVerification
    try {
      const signal = this.#options.signal === undefined ? {} : { signal: this.#options.signal }
      tape = await verifyTapeWith(host, id, { gatewayKeys: this.#trusted }, { onHeader, onTotals, ...signal })
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      if (error.code === 'STORE_MISSING')
        this.#invalid('segment', 'the tape of a session that was drawn is missing', `tapes/${id}/`)
      else if (error.code === 'TAPE_MALFORMED') this.#invalid('record', error.message, `tapes/${id}/`)
      else throw error
      return { ...MISSING_TAPE, session: id }
    }
    const said: Problem[] = []
    const wrong = (what: string): void => void said.push({ verdict: 'INVALID', part: 'ledger', what, object: `tapes/${id}/` })
    if (seen !== '' && seen !== header) wrong('the tape’s header is not the one the session was opened with')
    if (closed !== undefined && (tape.root !== closed.root || tape.chunks !== closed.chunks))
      wrong(`the log says ${closed.chunks} chunks with root ${closed.root}, the tape has ${tape.chunks} with ${tape.root}`)
    const judged = withProblems(tape, said)
    // What was found changed sums up to something else, and that has been said.
    if (differs !== undefined && (judged.verdict === 'VALID' || judged.verdict === 'VALID-INCOMPLETE'))
      this.#invalid('index', `the row of ${id} has ${differs}`, BUNDLE_PATHS.sessions)
    for (const problem of judged.problems) this.#verdicts.add(problem.verdict)
    return judged
  }

  async #rows(file: string): Promise<readonly ReadonlyMap<string, string>[] | undefined> {
    const bytes = await this.#whole(file, MAX_TABLE_SIZE)
    return bytes && this.#tried(file, () => readCsv(utf8.decode(bytes)))
  }

  async *#pieces(path: string): AsyncGenerator<Uint8Array> {
    for (let at = 0; ; at += WINDOW_SIZE) {
      const bytes = await this.#read(path, at, at + WINDOW_SIZE)
      if (bytes === undefined || bytes.length === 0) return
      yield bytes
      if (bytes.length < WINDOW_SIZE) return
    }
  }

  async #whole(path: string, maxSize: number): Promise<Uint8Array | undefined> {
    const bytes = await this.#read(path, 0, maxSize + 1)
    if (bytes === undefined) this.#invalid('checksum', 'the file is missing', path)
    else if (bytes.length > maxSize) this.#invalid('checksum', `the file has more than ${maxSize} bytes`, path)
    return bytes === undefined || bytes.length > maxSize ? undefined : bytes
  }

  /** Undefined where there is no such file. */
  async #read(path: string, from: number, to: number): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#source.get(path, { from, to }, this.#options.signal)
      this.#options.onRead?.(bytes.length)
      return bytes
    } catch (error) {
      if (!(error instanceof ApplianceError)) throw error
      if (error.code === 'STORE_MISSING') return undefined
      if (error.code !== 'TAPE_MALFORMED') throw error
      this.#invalid('record', error.message, path)
      return undefined
    }
  }

  #tried<T>(path: string, read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      this.#invalid('record', error instanceof Error ? error.message : String(error), path)
      return undefined
    }
  }

  #invalid(part: Problem['part'], what: string, object: string): void {
    this.#report('INVALID', part, what, object)
  }

  #report(verdict: Problem['verdict'], part: Problem['part'], what: string, object: string): void {
    this.#problemCount += 1
    this.#verdicts.add(verdict)
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push({ verdict, part, what, object })
  }

  #result(
    manifest: BundleManifest | null,
    made: string | null,
    signed: boolean,
    lines: number,
    sessions: number | undefined,
    tapes: Readonly<Record<string, number>>,
    sampled: readonly TapeVerification[],
  ): BundleVerification {
    const verdict = worstVerdict(this.#verdicts)
    const { period, framework, scope, watermark, sample, verified } = manifest ?? {}
    return {
      verdict,
      exit: VERIFY_EXITS[verdict],
      manifest:
        period === undefined ||
        framework === undefined ||
        scope === undefined ||
        watermark === undefined ||
        sample === undefined ||
        verified === undefined
          ? null
          : { period, framework, scope, watermark, sample, verified },
      made,
      signed,
      files: manifest?.files.length ?? 0,
      lines,
      sessions: sessions ?? 0,
      tapes,
      figures: manifest?.figures.length ?? 0,
      sampled,
      problems: this.#problems,
      problemCount: this.#problemCount,
    }
  }
}
