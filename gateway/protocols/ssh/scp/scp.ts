import type { Facts } from '../../../../schemas/frame.ts'
import type { FileOperation } from '../../../../schemas/policy.ts'
import type { Refusal } from '../../../../schemas/verdict.ts'
import { type Field, joined, type Redacted, type Redactor, type Side } from '../../../message.ts'
import { SshOutput } from '../output.ts'
import { WriteContent } from '../sftp/content.ts'
import { SftpMessage, type SftpParts } from '../sftp/messages.ts'
import { OpenFile } from '../sftp/open-file.ts'
import type { ScpCommand } from './command.ts'
import { type Said, SinkAnswers, SourceLines } from './lines.ts'
import { type Place, placesOf } from './places.ts'

const NO_BYTES = new Uint8Array()
/** Refused, whatever policy says. */
const TOO_LONG: Facts = { malformed: 'a path of scp that is longer or deeper than paths may be' }
const NAME: Field = { path: 'ssh.sftp', action: 'scan' }
/** Of a command that may not go on (POSIX, "Exit Status for Commands"). */
const NOT_PERMITTED = 126

/** A file on its way. */
interface Going {
  readonly statement: number
  /** Once it has its turn, and is to be found in its folder. */
  file: OpenFile | undefined
  /** Read of it, and passed on. */
  read: number
  passed: number
  readonly content: WriteContent
  /** Refused here, or not taken by the other end: what comes of it is left out. */
  out: boolean
}

interface NamedParts {
  readonly facts: { readonly statement: number; readonly size?: number }
  /** It has its turn. */
  readonly turn?: (path: string) => void
  /** It will not come. */
  readonly lost?: () => void
}

/**
 * One channel of the old protocol of scp (`scp -O`, rcp's): the end that has the files names each before it sends it, and the other answers. Files and folders
 * are judged by their names as of SFTP, before their first byte; a refusal is an answer in the place of the other end's.
 */
export class Scp {
  readonly #channel: number
  readonly #nextStatement: () => number
  readonly #command: ScpCommand
  readonly #source: Side
  readonly #lines = new SourceLines()
  readonly #answers = new SinkAnswers()
  /** Names of the folders that are being sent, below what the command names. */
  readonly #folders: string[] = []
  #going: Going | undefined
  /** What was passed on and is not answered yet, oldest first; the first answer is for nothing but the beginning. */
  readonly #unanswered: ((taken: boolean) => void)[] = [() => undefined]
  readonly #waiting: (() => void)[] = []
  #left = false
  #over = false

  constructor(channel: number, nextStatement: () => number, command: ScpCommand) {
    this.#channel = channel
    this.#nextStatement = nextStatement
    this.#command = command
    this.#source = command.direction === 'to' ? 'client' : 'server'
  }

  client(chunk: Uint8Array): readonly SftpMessage[] {
    return this.#source === 'client' ? this.#said(chunk) : this.#answered('client', chunk)
  }

  server(chunk: Uint8Array): readonly SftpMessage[] {
    return this.#source === 'server' ? this.#said(chunk) : this.#answered('server', chunk)
  }

  /** An end is gone: no more answers are waited for. */
  leave(): void {
    this.#left = true
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** The channel is over: what became of the file that was on its way. */
  end(): readonly SftpMessage[] {
    this.#over = true
    this.leave()
    const going = this.#going
    this.#going = undefined
    if (going === undefined || going.out || going.file === undefined) return []
    return [this.#closed(NO_BYTES, going, { status: 'cut' })]
  }

  #answered(from: Side, bytes: Uint8Array): readonly SftpMessage[] {
    for (const taken of this.#answers.take(bytes)) this.#unanswered.shift()?.(taken)
    if (this.#unanswered.length === 0) for (const wake of this.#waiting.splice(0)) wake()
    return [this.#message({ from, kind: from === 'client' ? 'file-request' : 'file-reply', bytes: Buffer.from(bytes) })]
  }

  #said(chunk: Uint8Array): readonly SftpMessage[] {
    // What was on its way when the file was cut goes nowhere.
    if (this.#over) return []
    return this.#lines.take(chunk).map((said) => this.#tell(said))
  }

  #tell(said: Said): SftpMessage {
    const { bytes } = said
    switch (said.is) {
      case 'file': {
        const statement = this.#nextStatement()
        const going: Going = { statement, file: undefined, read: 0, passed: 0, content: new WriteContent(), out: false }
        this.#going = going
        const operation = this.#source === 'client' ? 'write' : 'read'
        return this.#named(said.name, operation, bytes, {
          facts: { statement, size: said.size },
          turn: (path) => {
            going.file = new OpenFile(statement, path)
          },
          lost: () => {
            going.out = true
            // What was sent ahead of its answer is left out as it comes; else the next line is one again.
            if (this.#going === going && this.#lines.drop()) this.#going = undefined
          },
        })
      }
      case 'folder':
        return this.#named(said.name, this.#source === 'client' ? 'mkdir' : 'list', bytes, {
          facts: { statement: this.#nextStatement() },
        })
      case 'data':
        return this.#data(bytes)
      case 'end': {
        const going = this.#going
        this.#going = undefined
        if (going === undefined) throw new Error('an end is of a file')
        return this.#closed(bytes, going, {})
      }
      case 'up':
        return this.#plain(bytes, () => void this.#folders.pop())
      case 'times':
        return this.#plain(bytes)
      case 'trouble':
        // Nobody answers that.
        return this.#message({ bytes, pending: () => this.#room() })
      default:
        return said satisfies never
    }
  }

  /** A file or folder by its name: what policy is asked about. */
  #named(name: string, operation: FileOperation, bytes: Buffer, { facts, turn, lost }: NamedParts): SftpMessage {
    const folder = operation === 'mkdir' || operation === 'list'
    let redacted: Uint8Array = bytes
    let where: readonly Place[] | undefined
    let asked = false
    const path = (): string => where?.[0]?.path ?? name
    const told = (): Facts => ({ operations: [operation], path: path(), name, ...facts })
    return this.#message({
      // Whoever has the file, it is the client that wants it moved.
      from: 'client',
      kind: 'file',
      bytes,
      pending: () => {
        const room = this.#room()
        if (room !== undefined || asked) return room
        // In which folder it is, is known only now.
        asked = true
        where = placesOf(this.#command, [...this.#folders, name])
        turn?.(path())
        return undefined
      },
      statement: facts.statement,
      units: 1,
      redact: (redactor) => maskedName(redactor, bytes),
      summary: () => ({ ...told(), ...(where === undefined ? TOO_LONG : { paths: where.map(({ fact }) => fact) }) }),
      recorded: told,
      command: () => `scp: ${operation} ${path()}`,
      seen: (masked) => {
        redacted = masked
      },
      release: () => {
        if (folder) this.#folders.push(name)
        this.#unanswered.push((taken) => {
          if (taken) return
          if (folder) this.#folders.pop()
          lost?.()
        })
        return [this.#output(this.#source === 'client' ? bytes : redacted)]
      },
      refuse: (refusal) => {
        lost?.()
        return this.#deny(refusal)
      },
    })
  }

  #data(bytes: Buffer): SftpMessage {
    const going = this.#going
    if (going === undefined) throw new Error('data is of a file')
    const offset = going.read
    going.read += bytes.length
    const up = this.#source === 'client'
    return this.#message({
      kind: up ? 'file-upload' : 'file-download',
      bytes,
      pending: () => this.#room(),
      units: 1,
      statement: going.statement,
      facts: { statement: going.statement, offset, size: bytes.length, scp: true },
      redact: (redactor) => going.content.push(offset, bytes, redactor),
      release: (released) => {
        if (going.out || this.#over) return []
        if (up) going.file?.took(offset, bytes)
        else this.#gave(going, released)
        return [this.#output(released)]
      },
      refuse: () => this.#cut(going),
    })
  }

  #gave(going: Going, bytes: Uint8Array): void {
    going.file?.gave(going.passed, bytes)
    going.passed += bytes.length
  }

  /** The last word on a file: what was kept back of it comes first. */
  #closed(bytes: Uint8Array, going: Going, facts: { readonly status?: string }): SftpMessage {
    const up = this.#source === 'client'
    return this.#message({
      kind: 'file-close',
      bytes,
      ...(facts.status === undefined ? { pending: () => this.#room() } : {}),
      redact: (redactor) => {
        // Of a download that was cut nobody gets it.
        if (!up && facts.status !== undefined) return { bytes, masks: null }
        const rest = going.content.rest()
        return up ? rest : joined(redactor, [rest, { bytes, masks: null }])
      },
      summary: () => ({ ...this.#summary(going), ...facts }),
      release: (released) => {
        if (going.out || this.#over) return []
        if (!up) this.#gave(going, released.subarray(0, released.length - bytes.length))
        this.#unanswered.push(() => undefined)
        return [this.#output(released)]
      },
      refuse: () => this.#cut(going),
    })
  }

  /** As of a file of SFTP: no hash of what was masked on the tape. */
  #summary(going: Going): Facts {
    const { uploaded_sha256: hash, ...rest } = going.file?.summary() ?? {}
    return { ...rest, ...(hash === undefined || going.content.masked ? {} : { uploaded_sha256: hash }), scp: true }
  }

  /** What is answered, and says nothing of a file. */
  #plain(bytes: Buffer, passing: () => void = () => undefined): SftpMessage {
    return this.#message({
      bytes,
      pending: () => this.#room(),
      // Numbers, in which chance would find something to mask.
      redact: () => ({ bytes, masks: null }),
      release: (released) => {
        passing()
        this.#unanswered.push(() => undefined)
        return [this.#output(released)]
      },
    })
  }

  /**
   * `pending`: it has its turn once everything before it is answered, so that what the other end would not take is not followed by what
   * belongs to it.
   */
  #message(parts: Partial<SftpParts> & Pick<SftpParts, 'bytes'>): SftpMessage {
    const from = parts.from ?? this.#source
    const to = from === 'client' ? 'server' : 'client'
    return new SftpMessage({
      kind: from === 'client' ? 'file-request' : 'file-reply',
      release: (released) => [new SshOutput(to, this.#channel, { act: 'data' }, released)],
      ...parts,
      from,
      channel: this.#channel,
    })
  }

  #room(): Promise<void> | undefined {
    if (this.#unanswered.length === 0 || this.#left) return undefined
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #output(bytes: Uint8Array): SshOutput {
    return new SshOutput(this.#source === 'client' ? 'server' : 'client', this.#channel, { act: 'data' }, bytes)
  }

  /** Each end is told by what would be the other's word: that it is not taken, that it cannot be sent. */
  #deny(refusal: Refusal): readonly SshOutput[] {
    const line = Buffer.from(`\u0001scp: ${refusal.message.replaceAll(/[\r\n]/g, ' ')}\n`)
    const answer = (to: Side): SshOutput =>
      new SshOutput(to, this.#channel, { act: 'data' }, line, {
        kind: to === 'client' ? 'file-reply' : 'file-request',
        facts: {},
      })
    // Whoever sends hears that it is not taken; a client that waits for a file hears that it does not come.
    return this.#source === 'client' ? [answer('client')] : [answer('client'), answer('server')]
  }

  /** There is no word for the middle of a file: the channel ends. */
  #cut(going: Going): readonly SshOutput[] {
    if (this.#over) return []
    this.#over = true
    this.#going = undefined
    const cut = { kind: 'file-close', facts: { ...this.#summary(going), status: 'cut' } }
    const exit = { kind: 'exit', facts: { status: NOT_PERMITTED } }
    return [
      new SshOutput('server', this.#channel, { act: 'data' }, NO_BYTES, cut),
      new SshOutput('client', this.#channel, { act: 'exit', exit: { status: NOT_PERMITTED } }, NO_BYTES, exit),
      new SshOutput('server', this.#channel, { act: 'close' }, NO_BYTES, { kind: 'close', facts: {} }),
    ]
  }
}

/** Mode and size are let be; what follows the second blank is masked in place. */
function maskedName(redactor: Redactor, bytes: Buffer): Redacted {
  const from = bytes.indexOf(0x20, bytes.indexOf(0x20) + 1) + 1
  if (redactor.clean(bytes, from, bytes.length, NAME)) return { bytes, masks: null }
  const live = redactor.live(NAME)
  return joined(redactor, [{ bytes: bytes.subarray(0, from), masks: null }, live.push(bytes.subarray(from)), live.settle()])
}
