import type { Facts } from '../../../schemas/frame.ts'
import { bytesHoldMask } from '../../masking/sentinel.ts'
import { mayWrite, statementHoldsMask } from '../../policy/sql/masked-write.ts'
import type { Conversation } from './conversation.ts'
import { CopyMasks } from './copy-masks.ts'
import { labelled, MASKED_WRITE, variant } from './judged-facts.ts'
import { cstringEnd, FRONTEND, HEADER_SIZE, int32, nameAt, textAt, uint16 } from './messages.ts'
import { withoutPasswords } from './password-literals.ts'
import type { ColumnJudge } from './reply-reader.ts'
import {
  bindResultFormats,
  formattedValues,
  type Judged,
  type Meaning,
  type Parse,
  type Request,
  type RequestContext,
} from './request.ts'
import type { Piece } from './splitter.ts'
import { certain, type Portal, type Statement } from './statement.ts'

/** PostgreSQL locks what an open transaction touched: nobody should wait for a person behind those locks. */
const MAX_HOLD_IN_TRANSACTION_MS = 10_000
/** Longest parameter value shown to an approver as text, in characters; what is left out is counted. */
const MAX_SHOWN_CHARS = 2_000

/** What policy and names-as-SQL need of the SQL parser. */
export interface SqlReader {
  facts(sql: string): Facts
  /** Whether a text is so large that it has to be read first, elsewhere; until then it counts as unreadable. */
  unread(sql: string): boolean
  /** Resolves when it is read, or will not be. Never rejects. */
  read(sql: string): Promise<void>
  /** The facts that stand on the tape with every statement: verbs, relations, fingerprint. */
  brief(sql: string): Facts
  /** SQL-level PREPARE and DECLARE in the text, and EXECUTE, FETCH and MOVE. */
  names(sql: string): { readonly prepares: readonly SqlName[]; readonly executes: readonly SqlName[] }
}

/** What SQL defines or uses. Statements and portals of the protocol are the same things under the same names. */
export interface SqlName {
  readonly kind: 'statement' | 'cursor'
  /** As `nameOf` has it. */
  readonly name: string
}

type Labelling = Pick<ColumnJudge, 'edition' | 'labelsTouched' | 'pending' | 'writesFromMasked'>

/** What every mask begins with: `[`. */
const BRACKET = 0x5b

/** Stands for a text that is not known: no grammar reads it, so whoever judges by it errs on the safe side. */
const UNREADABLE_SQL = '?'

/** Resolves what a request means at the moment it is judged. */
export class ConversationContext implements RequestContext {
  readonly #conversation: Conversation
  readonly #reader: SqlReader
  readonly #columns: Labelling
  /** Large texts met while a meaning was resolved, and not read yet. */
  readonly #unread = new Set<string>()
  /** Of the COPY the client sends data for: a mask may be cut in two by the ends of its messages. */
  readonly masksInCopy = new CopyMasks()
  /** Role and database of the upstream login, and its parameters: an approval for one is not one for the other. */
  readonly #place: readonly Uint8Array[]

  constructor(conversation: Conversation, reader: SqlReader, place: readonly string[], columns: Labelling) {
    this.#conversation = conversation
    this.#reader = reader
    this.#columns = columns
    this.#place = place.map((part) => Buffer.from(part))
  }

  judged(request: Request): Judged {
    if (request.kind === 'copy-data') return { common: this.#copied(request), statement: undefined, portal: undefined }
    if (request.malformed !== undefined) {
      const common = { parse_ok: false, malformed: request.malformed.message }
      return { common, statement: undefined, portal: undefined }
    }
    const sql = this.sql(request)
    if (sql === undefined) return NOTHING_JUDGED
    const text = sql === null ? UNKNOWN : this.#reader.facts(sql)
    const facts = labelled(text, this.#columns.labelsTouched(text))
    const common = variant(
      facts,
      this.#conversation.inTransaction,
      mayWrite(facts) && this.#holdsMask(request, sql),
      facts['carried'] !== undefined && this.#columns.writesFromMasked(facts),
    )
    if (request.kind === 'parse') return { common, statement: undefined, portal: undefined }
    return { common, statement: this.#conversation.upcomingStatement, portal: this.#portalInParts(request) }
  }

  pending(request: Request): Promise<void> | undefined {
    if (request.malformed !== undefined) return undefined
    if (this.#unread.size > 0) this.#unread.clear()
    const { text, sql } = this.#meaning(request)
    if (typeof text === 'string' && this.#reader.unread(text)) this.#unread.add(text)
    if (typeof sql === 'string' && sql !== text && this.#reader.unread(sql)) this.#unread.add(sql)
    if (this.#unread.size === 0) return this.#columnsPending(sql)
    return Promise.all([...this.#unread].map((each) => this.#reader.read(each))).then(() => {
      // Names may have come to mean something else meanwhile, and what a text uses is known only now.
      request.meaning = undefined
    })
  }

  /** What this session did may have made relations; one made inside an open transaction nobody else can see. */
  #columnsPending(sql: string | null | undefined): Promise<void> | undefined {
    const { ownGeneration, inTransaction } = this.#conversation
    if (ownGeneration === 0 || inTransaction || typeof sql !== 'string') return undefined
    return this.#columns.pending(this.#reader.facts(sql), ownGeneration)
  }

  #copied({ bytes, pieces, units }: Request): Facts {
    let masked = false
    // One search for most runs, which hold nothing a mask could begin with.
    if (!this.masksInCopy.begun && !bytes.includes(BRACKET)) return { rows: units }
    for (const { from, to } of pieces) if (this.masksInCopy.feed(bytes.subarray(from + HEADER_SIZE, to))) masked = true
    return masked ? { rows: units, ...MASKED_WRITE } : { rows: units }
  }

  /** Whether the text a request runs, or a value given to it, holds a mask. Binary formats of text are the text itself. */
  #holdsMask(request: Request, sql: string | null): boolean {
    if (sql === null ? bytesHoldMask(request.bytes) : statementHoldsMask(sql)) return true
    return this.portals(request).some(({ parameters }) => bytesHoldMask(parameters))
  }

  /** The number of a portal whose rows are taken in parts: all its executions are one statement to a threshold. */
  #portalInParts(request: Request): number | undefined {
    const execute = request.piece(FRONTEND.execute)
    if (execute === undefined) return undefined
    const portal = this.portals(request).at(-1)
    if (portal === undefined) return undefined
    const known = inParts.get(portal)
    // The last four bytes of an Execute: the most rows it may answer, 0 for all.
    if (known !== undefined || int32(request.bytes, execute.to - 4) === 0) return known
    portalCount++
    inParts.set(portal, portalCount)
    return portalCount
  }

  recorded(request: Request): Facts {
    if (request.kind === 'copy-data') return { rows: request.units }
    if (request.malformed !== undefined) return request.facts()
    const sql = this.sql(request)
    if (sql === undefined) return {}
    const brief = sql === null ? UNKNOWN : this.#reader.brief(sql)
    const { statement } = request
    if (statement === undefined) return brief
    const { statement_count: statements = 1 } = request.common()
    return { ...brief, statement, statements }
  }

  /** What this request asks to run or prepare, with all that it uses; null: something of it is not known; undefined: nothing of the kind. */
  sql(request: Request): string | null | undefined {
    return this.#meaning(request).sql
  }

  #meaning(request: Request): Meaning {
    if (request.meaning === undefined) {
      this.#conversation.known(this.#columns.edition)
      const portals = this.#portals(request)
      const text = this.#text(request, portals)
      request.meaning = { text, sql: typeof text === 'string' && request.kind !== 'parse' ? this.expanded(text) : text, portals }
    }
    return request.meaning
  }

  /** As `sql`, without what the text uses. */
  text(request: Request): string | null | undefined {
    return this.#meaning(request).text
  }

  #text(request: Request, portals: readonly Portal[]): string | null | undefined {
    const { bytes } = request
    switch (request.kind) {
      case 'query':
        return textAt(bytes, HEADER_SIZE, bytes.length - 1)
      case 'parse':
        return parseOf(request)?.sql
      case 'execute': {
        if (portals.length === 0 || portals.some((portal) => portal.statements.length === 0)) return null
        const only = certain(portals)
        if (only !== undefined) return only.sql
        const texts = new Set(portals.flatMap((portal) => portal.statements.map((statement) => statement.sql)))
        return [...texts].join(';\n')
      }
      case 'function-call':
        return null
      default:
        return undefined
    }
  }

  /** Everything the portal this request executes may stand for. */
  portals(request: Request): readonly Portal[] {
    return this.#meaning(request).portals
  }

  #portals(request: Request): readonly Portal[] {
    const execute = request.piece(FRONTEND.execute)
    if (execute === undefined) return []
    // The reader joins a Bind and an Execute only of the same portal.
    const bound = this.bound(request)
    if (bound !== undefined) return [bound]
    return this.portalsNamed(nameAt(request.bytes, execute.from + HEADER_SIZE, execute.to))
  }

  /** What this request itself binds. Made once, so that registry and turn share it. */
  bound(request: Request): Portal | undefined {
    const bind = request.piece(FRONTEND.bind)
    if (bind === undefined) return undefined
    request.portal ??= bindPortal(request, bind, this.#bindable(request), this.#conversation.generation)
    return request.portal
  }

  /** Whether the server is skipping to the next Sync because a request of this group was refused. */
  skipping(): boolean {
    return this.#conversation.refusedGroup === this.#conversation.group
  }

  /** Everything the statement this request binds may stand for. */
  #bindable(request: Request): readonly Statement[] {
    const bind = request.piece(FRONTEND.bind)
    if (bind === undefined) return []
    const { statement } = request.bindNames(bind)
    const parse = parseOf(request)
    if (parse !== undefined && parse.name === statement) return [parse.statement]
    return this.statementsNamed(statement)
  }

  /** All that a statement's name may stand for, defined by Parse or by SQL. */
  statementsNamed(name: string): readonly Statement[] {
    const { statements, prepared, group } = this.#conversation
    if (prepared.size === 0) return statements.candidates(name, group)
    return [...statements.candidates(name, group), ...(prepared.get(`statement:${name}`)?.values() ?? [])]
  }

  /** All that a portal's name may stand for, bound by Bind or declared by SQL. */
  portalsNamed(name: string): readonly Portal[] {
    const { portals: bound, prepared, group, generation } = this.#conversation
    if (prepared.size === 0) return bound.candidates(name, group)
    const declared = [...(prepared.get(`cursor:${name}`)?.values() ?? [])].map(
      (statement): Portal => ({ statements: [statement], generation, resultFormats: [], parameters: NO_BYTES }),
    )
    return [...bound.candidates(name, group), ...declared]
  }

  /** The text by which the columns of an answer are judged. */
  answering(sql: string | null | undefined): string {
    if (sql === null || sql === undefined) return UNREADABLE_SQL
    if (this.#usesNone(sql)) return sql
    const used = this.#used(sql)
    return used === undefined ? UNREADABLE_SQL : used.join(';\n')
  }

  command(request: Request): string {
    const sql = this.sql(request) ?? ''
    const parameters = shownParameters(this.portals(request).at(-1)?.parameters ?? NO_BYTES)
      .map((value, index) => `\n-- $${index + 1} = ${value}`)
      .join('')
    const own = this.#conversation.ownNames.among(request.facts()).map((name) => JSON.stringify(name))
    const note =
      own.length === 0
        ? ''
        : `\n-- made, or possibly made, by this session itself: ${own.join(', ')}; an approval is good in this session alone`
    return withoutPasswords(sql) + parameters + note
  }

  binding(request: Request): readonly Uint8Array[] {
    const { settings, ownNames } = this.#conversation
    const context = [...this.#place, Buffer.from(settings), Buffer.from(ownNames.bound(request.facts()))]
    // With all that the text uses: what EXECUTE and FETCH name may be another statement by then.
    const sql = Buffer.from(this.sql(request) ?? '')
    // Names of statements and portals are the driver's, and differ from session to session; what they stand for is bound.
    if (request.kind !== 'execute') return [...context, sql, request.bytes]
    const portals = this.portals(request).flatMap(({ statements, parameters }) => [
      parameters,
      ...statements.map(({ types }) => types ?? NO_BYTES),
    ])
    return [...context, sql, ...portals]
  }

  holdLimitMs(): number | undefined {
    return this.#conversation.mayHoldLocks ? MAX_HOLD_IN_TRANSACTION_MS : undefined
  }

  /**
   * SQL-level EXECUTE and FETCH run a text given before: they are judged together with whatever that name may stand for.
   * null where a statement is executed that nobody prepared here.
   */
  expanded(sql: string): string | null {
    if (this.#usesNone(sql)) return sql
    const used = this.#used(sql)
    if (used !== undefined) return used.join(';\n')
    // A cursor may have been opened by a function, and that call was judged; a statement is prepared only where we can read it.
    return this.#reader.names(sql).executes.some(({ kind }) => kind === 'statement') ? null : sql
  }

  #usesNone(sql: string): boolean {
    const facts = this.#reader.facts(sql)
    return (facts['parse_ok'] === true && facts['executes'] === undefined) || !USES.test(sql)
  }

  /** The text and all it uses, directly or not; undefined where some of it is not known. */
  #used(sql: string): readonly string[] | undefined {
    const texts = new Set([sql])
    for (const used of texts) {
      if (!USES.test(used)) continue
      if (this.#reader.unread(used)) this.#unread.add(used)
      const { prepares, executes } = this.#reader.names(used)
      for (const { kind, name } of executes) {
        const found =
          kind === 'statement'
            ? this.statementsNamed(name)
            : this.portalsNamed(name).flatMap((portal) =>
                portal.statements.length === 0 ? [UNKNOWN_STATEMENT] : portal.statements,
              )
        const inside = prepares.some((defined) => defined.kind === kind && defined.name === name)
        if ((found.length === 0 && !inside) || found.includes(UNKNOWN_STATEMENT)) return undefined
        for (const statement of found) texts.add(statement.sql)
      }
    }
    return [...texts]
  }
}

/** The words without which no text uses another: most need not be parsed for it. */
const USES = /execute|fetch|move/i
const UNKNOWN_STATEMENT: Statement = { sql: UNREADABLE_SQL }
const NO_BYTES = new Uint8Array()
const NOTHING_JUDGED: Judged = { common: {}, statement: undefined, portal: undefined }

/** Facts of something that cannot be known: policy's `unparsable` decides. */
const UNKNOWN: Facts = { parse_ok: false, unknown_statement: true }

export function parseOf(request: Request): Parse | undefined {
  if (request.parse !== undefined) return request.parse
  const piece = request.piece(FRONTEND.parse)
  if (piece === undefined) return undefined
  const { bytes } = request
  const name = nameAt(bytes, piece.from + HEADER_SIZE, piece.to)
  const from = cstringEnd(bytes, piece.from + HEADER_SIZE, piece.to) + 1
  const end = cstringEnd(bytes, from, piece.to)
  const sql = textAt(bytes, from, end)
  // Copied: the read they came in must not live as long as the statement.
  const types = end === -1 || uint16(bytes, end + 1) === 0 ? undefined : copyOf(bytes, end + 1, piece.to)
  request.parse = { name, sql, statement: types === undefined ? { sql } : { sql, types } }
  return request.parse
}

/** Portals whose rows are taken in parts, by the number their executions share. */
const inParts = new WeakMap<Portal, number>()
let portalCount = 0

function bindPortal(request: Request, bind: Piece, statements: readonly Statement[], generation: number): Portal {
  const { bytes } = request
  const names = request.bindNames(bind)
  const resultFormats = bindResultFormats(bytes, bind, names)
  // Copied: the read they came in must not live as long as the portal.
  return { statements, generation, resultFormats, parameters: copyOf(bytes, names.at, bind.to) }
}

/** Up to this size a copy byte by byte is quicker than a call that makes a view first. */
const SHORT_SIZE = 64

function copyOf(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const copy = new Uint8Array(to - from)
  if (copy.length > SHORT_SIZE) copy.set(bytes.subarray(from, to))
  else for (let index = 0; index < copy.length; index++) copy[index] = bytes[from + index] ?? 0
  return copy
}

/** The parameters of a Bind as an approver reads them. */
function shownParameters(parameters: Uint8Array): readonly string[] {
  return formattedValues(parameters, 0, parameters.length).values.map(({ from, to, binary, isNull }) => {
    if (isNull) return 'NULL'
    const value = binary
      ? `\\x${Buffer.from(parameters.subarray(from, to)).toString('hex')}`
      : `'${textAt(parameters, from, to)}'`
    const left = value.length - MAX_SHOWN_CHARS
    return left > 0 ? `${value.slice(0, MAX_SHOWN_CHARS)}... (${left} more characters, bound exactly)` : value
  })
}
