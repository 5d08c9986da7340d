import { BUNDLE_PATHS, type BundleManifest, type Framework, TAPE_STATES, type TapeState } from '../../schemas/bundle.ts'
import { hexOf } from '../../schemas/bytes.ts'
import { type CsvCell, csvRecord } from '../../schemas/csv.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { FigureCounts } from '../../schemas/figures.ts'
import { linesOf } from '../../schemas/verify/bundle-rows.ts'
import { parseLine } from '../../schemas/verify/ledger-line.ts'
import type { PeriodEntry, PeriodSession } from '../../schemas/verify/period-log.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Describers } from '../catalog/describe.ts'
import type { Store } from '../store/store.ts'
import { keyIdOf } from '../tape/signer.ts'
import { Batch } from './batch.ts'
import { writePages } from './bundle-pages.ts'
import { countFourWays } from './completeness.ts'
import { FIGURES } from './frameworks.ts'
import { inOrder } from './in-order.ts'
import { inspectTape } from './inspect-tape.ts'
import { type CopiedLog, copyLog, refuseUnknown, type Watermark, watermarkOf } from './log-copy.ts'
import { POLICY_COLUMNS, writePolicies } from './policies.ts'
import { Population } from './population.ts'
import { DECISION_COLUMNS, decisionRows, SESSION_COLUMNS, sessionRow } from './population-rows.ts'
import { selectionOf, writeSample, writeTape } from './sample.ts'
import { type Exported, type SignedBundle, type SigningParts, signBundle } from './sign-bundle.ts'
import { leftOutOf, SMALL_SIZE } from './small-pack.ts'
import { LOG_TABLES, tableHead, tableRow } from './tables.ts'
import { TapeView } from './tape-view.ts'
import { type WrittenFile, ZipWriter } from './zip-writer.ts'

/** Tapes looked into at once, unless somebody says otherwise: a store in the network answers in milliseconds. */
const DEFAULT_WORKERS = 4
const HAS_TAPE: ReadonlySet<string> = new Set<TapeState>(['whole', 'recovered', 'damaged'])
const NEWLINE = Uint8Array.of(0x0a)
const READ_SIZE = 1 << 20

export interface BundleParts extends SigningParts {
  readonly store: Store
  readonly trusted: readonly GatewayKey[]
  /** The product's version. */
  readonly tool: string
  /** Knows protocols; for the statements of the sample. */
  readonly describers: Describers
  /** More files: names in the bundle, and where their content is. Verifier, player and whatever explains them. */
  readonly files: ReadonlyMap<string, () => Promise<Uint8Array>>
  /** Counts the sessions that the catalog has of these; null without a catalog. */
  readonly inCatalog?: (sessions: readonly string[]) => Promise<number>
}

export interface BundleWish {
  readonly from: Date
  readonly to: Date
  readonly framework: Framework
  readonly scope: BundleManifest['scope']
  readonly seed: string
  /** Sessions drawn. */
  readonly sampleSize: number
  /** A pack of SMALL_SIZE bytes at the most: recordings of the sample for which there is no room are left out, and named. */
  readonly small?: boolean
  /** Which tapes are verified byte by byte. */
  readonly verify: BundleManifest['verified']
  /** Targets there are: one of the scope that is neither here nor in the period's log is a mistake. Any, where it is left out. */
  readonly knownTargets?: readonly string[]
  /** The size of an earlier checkpoint; default: the newest. */
  readonly watermark?: number
  readonly workers?: number
  readonly path: string
  readonly by: Exported['by']
}

export type BundleProgress =
  | { readonly phase: 'log'; readonly done: number; readonly of: number }
  | { readonly phase: 'tapes'; readonly done: number; readonly of: number }
  | { readonly phase: 'sample'; readonly done: number; readonly of: number }

/** `sha256`, of manifest.json, is the bundle's name in the ledger. */
export interface CreatedBundle extends SignedBundle {
  readonly path: string
  readonly size: number
  readonly manifest: BundleManifest
  readonly states: Readonly<Record<TapeState, number>>
  readonly sampled: readonly string[]
  /** Of the sample, without their recordings: a small pack had no room. */
  readonly leftOut: readonly string[]
  /** Recordings in the store that the ledger knows nothing of. */
  readonly unledgered: number
  readonly seed: string
}

/**
 * Writes an audit bundle (docs/bundles.md) to a new file. Reads the log once and every tape of the period; memory grows with the number of
 * sessions alone. The ledger is told before the file has its name: what it does not take is not made. On any failure, and when `signal`
 * aborts, nothing is left.
 */
export async function createBundle(
  parts: BundleParts,
  wish: BundleWish,
  onProgress: (progress: BundleProgress) => void = () => undefined,
  signal?: AbortSignal,
): Promise<CreatedBundle> {
  const watermark = await watermarkOf(parts.store, parts.trusted, wish.watermark, signal)
  await using zip = await ZipWriter.create(wish.path, wish.to)
  return await new BundleMaker(parts, wish, watermark, zip, onProgress, signal).make()
}

class BundleMaker {
  readonly #parts: BundleParts
  readonly #wish: BundleWish
  readonly #watermark: Watermark
  readonly #zip: ZipWriter
  readonly #onProgress: (progress: BundleProgress) => void
  readonly #signal: AbortSignal | undefined
  readonly #figures = new FigureCounts(FIGURES)
  readonly #files: WrittenFile[] = []
  readonly #states = Object.fromEntries(TAPE_STATES.map((state) => [state, 0])) as Record<TapeState, number> // every state

  constructor(
    parts: BundleParts,
    wish: BundleWish,
    watermark: Watermark,
    zip: ZipWriter,
    onProgress: (progress: BundleProgress) => void,
    signal: AbortSignal | undefined,
  ) {
    this.#parts = parts
    this.#wish = wish
    this.#watermark = watermark
    this.#zip = zip
    this.#onProgress = onProgress
    this.#signal = signal
  }

  async make(): Promise<CreatedBundle> {
    const period = { from: this.#wish.from.toISOString(), to: this.#wish.to.toISOString() }
    const copied = await this.#copyLog({ period, scope: this.#wish.scope })
    refuseUnknown(copied.log, this.#wish)
    const gaps: CsvCell[][] = []
    const population = await this.#inspect(copied, gaps)
    await this.#sessions(population)
    const activated = new Set<string>()
    for (const table of LOG_TABLES) {
      const written = async function* (lines: AsyncIterable<PeriodEntry>): AsyncGenerator<readonly CsvCell[]> {
        for await (const entry of lines) {
          const { type, policy } = entry.statement
          if (type === 'policy.activate' && entry.within && typeof policy === 'string') activated.add(policy)
          const row = tableRow(table, entry)
          if (row !== undefined) yield row
        }
      }
      await this.#table(table.file, tableHead(table), written(this.#entries(copied)))
    }
    const policies = await this.#policies(population, activated)
    await this.#table('policies/policies.csv', POLICY_COLUMNS, policies)
    const { sampled, leftOut } = await this.#sample(copied, population)
    await this.#add('reviews/access-review.csv', population.review.csv())
    const { store, inCatalog } = this.#parts
    const counted = { store, period, size: this.#watermark.size, tapes: this.#states, signal: this.#signal }
    const completeness = await countFourWays(copied, gaps, inCatalog === undefined ? counted : { ...counted, inCatalog })
    await this.#add('ipe/completeness.json', `${JSON.stringify(completeness, null, 1)}\n`)
    await this.#table('ipe/gaps.csv', ['session', 'state', 'why'], gaps)
    const own = keyIdOf(this.#parts.signer.publicKey)
    const signs = ({ publicKey }: GatewayKey): boolean => {
      const keyId = keyIdOf(publicKey)
      return keyId === own || copied.log.keyIds.has(keyId) || this.#watermark.keyIds.has(keyId)
    }
    const keys = this.#parts.trusted.filter(signs)
    const keyLines = keys.map(({ gateway, publicKey }) => `${gateway} ${Buffer.from(publicKey).toString('base64')}\n`)
    await this.#add(BUNDLE_PATHS.keys, [...new Set(keyLines)].sort().join(''))
    const figures = this.#figures.result()
    const { origin, size, root } = this.#watermark
    const facts = {
      format: 'sallyport bundle',
      v: 1,
      period,
      framework: this.#wish.framework,
      scope: this.#wish.scope,
      watermark: { origin, size, root: hexOf(root) },
      lines: { from: copied.from, left: copied.left.map(hexOf) },
      tool: this.#parts.tool,
      verified: this.#wish.verify,
      sample: { seed: this.#wish.seed, size: this.#wish.sampleSize },
      ...(this.#wish.small === true ? { small: { maxSize: SMALL_SIZE, leftOut: [...leftOut] } } : {}),
      tables: LOG_TABLES.map(({ file, types, until }) => ({ file, types: [...types], until })),
      figures,
    } as const
    const pageFacts = { ...facts, completeness, sampled, gaps: gaps.map((row) => row.map(String)) }
    for (const [path, content] of writePages(pageFacts)) await this.#add(path, content)
    const { coverPdf } = await import('./cover.ts')
    await this.#add('cover.pdf', await coverPdf(pageFacts))
    for (const [path, read] of [...this.#parts.files].sort(([a], [b]) => (a < b ? -1 : 1))) await this.#add(path, await read())
    const files = this.#files.map(({ path, size: fileSize, sha256 }) => ({ path, size: fileSize, sha256 }))
    const manifest: BundleManifest = { ...facts, files: files.sort((a, b) => (a.path < b.path ? -1 : 1)) }
    const { by, path, seed } = this.#wish
    const exported = { manifest, by, sampled, sessionCount: population.ids.length }
    const signed = await signBundle(this.#zip, this.#parts, exported, this.#signal)
    await this.#zip.commit()
    const unledgered = gaps.filter(([, state]) => state === 'unledgered').length
    return { ...signed, path, size: this.#zip.size, manifest, states: this.#states, sampled, leftOut, unledgered, seed }
  }

  async #copyLog(range: Pick<BundleManifest, 'period' | 'scope'>): Promise<CopiedLog> {
    let copied: CopiedLog | undefined
    let done = 0
    const { store, trusted } = this.#parts
    const file = await this.#zip.stream(BUNDLE_PATHS.lines, async (write) => {
      const lines = new Batch(write)
      copied = await copyLog(
        store,
        trusted,
        this.#watermark,
        range,
        async (line) => {
          this.#signal?.throwIfAborted()
          done += 1
          if (done % 1000 === 0) this.#onProgress({ phase: 'log', done, of: this.#watermark.size })
          await lines.add(line, NEWLINE)
        },
        this.#signal,
      )
      await lines.flush()
    })
    this.#files.push(file)
    if (copied === undefined) throw new ApplianceError('LEDGER_MALFORMED', 'the ledger was not read')
    await this.#add(BUNDLE_PATHS.checkpoint, this.#watermark.bytes)
    return copied
  }

  /** Every session of the period, whatever there is of it; its blocked and held messages go into their table on the way. */
  async #inspect(copied: CopiedLog, gaps: CsvCell[][]): Promise<Population> {
    const { store, trusted } = this.#parts
    const sessions = [...copied.log.sessions.values()].sort((a, b) => (a.session < b.session ? -1 : 1))
    const { deletedSince } = copied
    const options = { verify: this.#wish.verify === 'all', trusted, deletedSince, signal: this.#signal }
    const population = new Population()
    const at = new Map(SESSION_COLUMNS.map((column, place) => [column as string, place]))
    const zone = this
    async function* decisions(): AsyncGenerator<readonly CsvCell[]> {
      const all = inOrder(sessions, zone.#wish.workers ?? DEFAULT_WORKERS, (one) =>
        inspectTape(new TapeView(store, one.session), one, options),
      )
      for await (const found of all) {
        zone.#signal?.throwIfAborted()
        const row = sessionRow(found)
        population.add(row, found.state)
        zone.#figures.add(BUNDLE_PATHS.sessions, (column) => String(row[at.get(column) ?? -1] ?? ''))
        zone.#states[found.state] += 1
        if (found.state !== 'whole') gaps.push([found.session.session, found.state, found.problem])
        zone.#onProgress({ phase: 'tapes', done: population.ids.length, of: sessions.length })
        yield* decisionRows(found)
      }
    }
    await this.#table(BUNDLE_PATHS.decisions, DECISION_COLUMNS, decisions())
    return population
  }

  /** Its figures were counted when it was looked into. */
  async #sessions(population: Population): Promise<void> {
    const file = await this.#zip.stream(BUNDLE_PATHS.sessions, async (write) => {
      const batch = new Batch(write)
      await batch.add(Buffer.from(csvRecord(SESSION_COLUMNS)))
      for (const record of population.records()) await batch.add(Buffer.from(record))
      await batch.flush()
    })
    this.#files.push(file)
  }

  /** Adds the texts of policies that judged the period's sessions, or came into force in it; a row for each. */
  async #policies(population: Population, activated: ReadonlySet<string>): Promise<readonly CsvCell[][]> {
    const sessions = new Map([...[...activated].map((hash) => [hash, 0] as const), ...population.policies])
    const written: CsvCell[][] = []
    for await (const file of writePolicies(this.#zip, this.#parts.store, sessions, written, this.#signal)) this.#files.push(file)
    return written
  }

  async #sample(
    copied: CopiedLog,
    population: Population,
  ): Promise<{ readonly sampled: readonly string[]; readonly leftOut: readonly string[] }> {
    const { seed, sampleSize } = this.#wish
    const { ids } = population
    const selection = selectionOf(ids, seed, sampleSize)
    const { chosen } = selection
    await this.#add(BUNDLE_PATHS.sample, `${JSON.stringify(selection, null, 1)}\n`)
    const wanted = new Map<number, Uint8Array>()
    for (const id of chosen) {
      const { open, end } = this.#sessionOf(copied, id)
      for (const index of [open, end]) if (index !== null) wanted.set(index, new Uint8Array(0))
    }
    for await (const { index, line } of this.#lines(copied)) if (wanted.has(index)) wanted.set(index, line)
    const withTape = chosen.filter((id) => HAS_TAPE.has(population.stateOf(id)))
    // Where nothing is left out a recording is copied when it is at hand.
    const whole = this.#wish.small !== true
    let done = 0
    const copy = async (id: string, store: Store): Promise<void> => {
      for await (const file of writeTape(this.#zip, store, id, this.#signal)) this.#files.push(file)
    }
    const told = (): void => {
      done += 1
      this.#onProgress({ phase: 'sample', done, of: withTape.length })
    }
    for (const id of chosen) {
      this.#signal?.throwIfAborted()
      const lineOf = (index: number): Uint8Array => wanted.get(index) ?? new Uint8Array(0)
      const proof = (index: number) => copied.proof(index, lineOf(index))
      const session = this.#sessionOf(copied, id)
      const hasTape = HAS_TAPE.has(population.stateOf(id))
      const parts = { store: new TapeView(this.#parts.store, id), describers: this.#parts.describers }
      for await (const file of writeSample(this.#zip, parts, session, hasTape, proof, this.#signal)) this.#files.push(file)
      if (!hasTape || !whole) continue
      await copy(id, parts.store)
      told()
    }
    if (whole) return { sampled: chosen, leftOut: [] }
    const leftOut = new Set(await this.#leftOut(withTape))
    for (const id of withTape) {
      this.#signal?.throwIfAborted()
      if (!leftOut.has(id)) await copy(id, this.#parts.store)
      told()
    }
    return { sampled: chosen, leftOut: [...leftOut] }
  }

  async #leftOut(sampled: readonly string[]): Promise<readonly string[]> {
    let used = this.#zip.size
    for (const read of this.#parts.files.values()) used += (await read()).length
    return leftOutOf(this.#parts.store, sampled, { used, files: this.#files.length + this.#parts.files.size }, this.#signal)
  }

  #sessionOf(copied: CopiedLog, id: string): PeriodSession {
    const session = copied.log.sessions.get(id)
    if (session === undefined) throw new RangeError('a session that was drawn is in the population')
    return session
  }

  async *#lines(copied: CopiedLog): AsyncGenerator<{ readonly index: number; readonly line: Uint8Array }> {
    const file = this.#files.find(({ path }) => path === BUNDLE_PATHS.lines)
    if (file === undefined) return
    let index = copied.from
    const zip = this.#zip
    async function* pieces(at: number, end: number): AsyncGenerator<Uint8Array> {
      for (let from = at; from < end; from += READ_SIZE) yield await zip.read(from, Math.min(from + READ_SIZE, end))
    }
    for await (const line of linesOf(pieces(file.at, file.at + file.size))) {
      yield { index, line }
      index += 1
    }
  }

  async *#entries(copied: CopiedLog): AsyncGenerator<PeriodEntry> {
    const { from, to } = this.#wish
    for await (const { index, line } of this.#lines(copied)) {
      const statement = copied.ignored.has(index) ? undefined : parseLine(line)?.statement
      if (statement === undefined) continue
      const ms = Date.parse(statement.at)
      yield { index, statement, within: ms >= from.getTime() && ms < to.getTime() }
    }
  }

  async #table(
    path: string,
    columns: readonly string[],
    rows: Iterable<readonly CsvCell[]> | AsyncIterable<readonly CsvCell[]>,
  ): Promise<void> {
    const places = new Map(columns.map((column, at) => [column, at]))
    const file = await this.#zip.stream(path, async (write) => {
      const batch = new Batch(write)
      await batch.add(Buffer.from(csvRecord(columns)))
      for await (const row of rows) {
        this.#figures.add(path, (column) => String(row[places.get(column) ?? -1] ?? ''))
        await batch.add(Buffer.from(csvRecord(row)))
      }
      await batch.flush()
    })
    this.#files.push(file)
  }

  async #add(path: string, content: string | Uint8Array): Promise<void> {
    this.#files.push(await this.#zip.add(path, content))
  }
}
