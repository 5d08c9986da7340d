import { ApplianceError } from '../../../../schemas/errors.ts'
import type { Facts } from '../../../../schemas/frame.ts'
import type { Refusal } from '../../../../schemas/verdict.ts'
import type { SshOutput } from '../output.ts'
import { Reader } from '../reader.ts'
import {
  LIMITS,
  limitIn,
  operationAnswer,
  pathIn,
  readStatus,
  restQuestion,
  statusName,
  toldUs,
  toServer,
  versionAnswer,
  whole,
} from './answers.ts'
import { denial } from './denial.ts'
import { downloads } from './download.ts'
import { SftpMessage } from './messages.ts'
import { OpenFile } from './open-file.ts'
import { LENGTH_SIZE, Packets, packet, STATUS, TYPE, typeOf, VERSION } from './packets.ts'
import { insideFact, pathFact } from './paths.ts'
import { Pending } from './pending.ts'
import { type Answered, Read, Reads } from './reads.ts'
import { type Request, readRequest } from './request.ts'
import { Resolver } from './resolve.ts'
import { uploads } from './upload.ts'

/** Open at once on one channel; a server's process may have no more itself. */
const MAX_OPEN_FILES = 1_024
/** The id of what the gateway itself asks, once, before any other. */
const OWN_ID = 0xffff_ffff
const NO_BYTES = new Uint8Array()

type FileRequest = Extract<Request, { is: 'file' }>
type WriteRequest = Extract<Request, { is: 'write' }>

/**
 * One channel of SFTP: what the client asks for as operations on files, and what it is answered. Packets pass whole; one that was
 * refused is answered here with SSH_FX_PERMISSION_DENIED and never sent.
 */
export class Sftp {
  readonly pending = new Pending()
  readonly #channel: number
  readonly #nextStatement: () => number
  readonly #resolver: Resolver
  readonly #fromClient = new Packets()
  readonly #fromServer = new Packets()
  readonly #order = new Reads()
  readonly #files = new Map<string, OpenFile>()
  #over = false
  /** Where relative paths begin; asked for when the client says hello. */
  #home: string | undefined
  #greeted = false

  constructor(channel: number, nextStatement: () => number) {
    this.#channel = channel
    this.#nextStatement = nextStatement
    this.#resolver = new Resolver(this.pending, channel)
  }

  /** The target answers nothing any more. */
  leave(): void {
    this.#resolver.leave()
    this.#order.leave()
  }

  /** What the client sent, as messages. Throws PROTOCOL_*, and is dead after that. */
  client(chunk: Uint8Array): readonly SftpMessage[] {
    const messages: SftpMessage[] = []
    let reads: { readonly bytes: Buffer; readonly forward: Buffer }[] = []
    let writes: { readonly bytes: Buffer; readonly request: WriteRequest }[] = []
    let file: OpenFile | undefined
    const flush = (): void => {
      if (reads.length > 0) messages.push(this.#reads(reads))
      if (writes.length > 0 && file !== undefined)
        messages.push(uploads(this.#channel, file, writes, (ids, refusal) => this.#deny(ids, refusal)))
      reads = []
      writes = []
    }
    for (const bytes of this.#fromClient.take(chunk)) {
      const request = whole(() => readRequest(bytes))
      if (request.is === 'read') {
        const forward = this.#read(request)
        if (writes.length > 0) flush()
        if (forward === undefined) messages.push(this.#closedHandle(bytes, request.id))
        else reads.push({ bytes, forward })
        continue
      }
      if (request.is === 'write') {
        const target = this.#files.get(request.handle)
        const last = writes.at(-1)?.request
        const goesOn = target === file && (last === undefined || last.offset + last.data.length === request.offset)
        if (reads.length > 0 || !goesOn) flush()
        file = target
        if (target === undefined) messages.push(this.#closedHandle(bytes, request.id))
        else {
          this.pending.add(request.id, { is: 'write', file: target })
          writes.push({ bytes, request })
        }
        continue
      }
      flush()
      if (request.is === 'file') messages.push(...this.#file(bytes, request))
      else messages.push(this.#request(bytes, request))
    }
    flush()
    return messages
  }

  /** What the target answered, as messages. Throws PROTOCOL_*, and is dead after that. */
  server(chunk: Uint8Array): readonly SftpMessage[] {
    const messages: SftpMessage[] = []
    let blocks: Answered[] = []
    const flush = (): void => {
      if (blocks.length > 0) messages.push(downloads(this.#channel, blocks))
      blocks = []
    }
    for (const bytes of this.#fromServer.take(chunk)) {
      const type = typeOf(bytes)
      const reader = new Reader(bytes.subarray(LENGTH_SIZE + 1))
      const asked = type === TYPE.data || type === TYPE.status ? this.pending.takeRead(whole(() => reader.uint32())) : undefined
      if (asked === undefined) {
        if (type === TYPE.data) throw new ApplianceError('PROTOCOL_MALFORMED', 'the target sent data that nobody asked for')
        flush()
        messages.push(this.#answer(bytes, type))
        continue
      }
      const read = asked.is === 'rest' ? asked.read : asked
      if (type === TYPE.data)
        this.#order.data(
          read,
          bytes,
          whole(() => reader.string()),
          asked.is === 'rest' ? asked.length : read.askable,
        )
      else {
        const code = whole(() => reader.uint32())
        this.#order.status(read, bytes, code)
        if (asked.is === 'rest') messages.push(toldUs(this.#channel, bytes, { status: statusName(code) }))
      }
      for (const answered of this.#order.answered(read.file, (...rest) => messages.push(this.#rest(...rest)))) {
        const { status } = answered.read
        if (status === undefined) blocks.push(answered)
        else {
          flush()
          messages.push(readStatus(this.#channel, status))
        }
      }
    }
    flush()
    return messages
  }

  /** The channel is over: what became of the files that are still open, as far as the target said. */
  end(): readonly SftpMessage[] {
    this.pending.end()
    this.leave()
    const files = this.#over ? [] : [...this.#files.values(), ...this.pending.closing()]
    this.#over = true
    this.#files.clear()
    return files.map((file) => this.#close(NO_BYTES, file, { status: 'cut' }))
  }

  #request(bytes: Buffer, request: Exclude<Request, { is: 'read' | 'write' | 'file' }>): SftpMessage {
    switch (request.is) {
      case 'init':
        return this.#init(bytes, request.version)
      case 'close': {
        const file = this.#files.get(request.handle)
        if (file === undefined) return this.#closedHandle(bytes, request.id)
        // From here on nothing more is asked of it.
        this.#files.delete(request.handle)
        this.pending.add(request.id, { is: 'close', file })
        return this.#close(bytes, file, {})
      }
      case 'other':
        this.pending.add(request.id, { is: 'other', facts: {} })
        return this.#plain(bytes)
      case 'unknown':
        return this.#refused(bytes, request.id, `${request.why} cannot be judged`, STATUS.unsupported)
      default:
        return request satisfies never
    }
  }

  /** Later versions are spoken in another way: the target is asked for this one. */
  #init(bytes: Buffer, version: number): SftpMessage {
    if (this.#greeted || version < VERSION)
      throw new ApplianceError('PROTOCOL_UNSUPPORTED', `SFTP begins once, with version ${VERSION} or later`)
    this.#greeted = true
    this.pending.add(OWN_ID, { is: 'home' })
    return new SftpMessage({
      from: 'client',
      kind: 'file-request',
      channel: this.#channel,
      bytes,
      facts: { version },
      release: () => [
        this.#toServer(packet(TYPE.init, VERSION)),
        toServer(this.#channel, packet(TYPE.realpath, OWN_ID, '.'), { operations: ['realpath'], path: '.' }),
      ],
    })
  }

  /** The request, and before it the question where its paths lead. */
  #file(bytes: Buffer, request: FileRequest): readonly SftpMessage[] {
    const { id, operations, opens } = request
    const paths = [...request.paths]
    const opened: string[] = []
    for (const handle of request.handles) {
      const file = this.#files.get(handle)
      if (file === undefined) return [this.#closedHandle(bytes, id)]
      paths.push(file.path)
      opened.push(...file.resolved)
    }
    if (opens && this.#files.size + this.pending.opening >= MAX_OPEN_FILES)
      return [this.#refused(bytes, id, `${MAX_OPEN_FILES} files are open on this channel`, STATUS.permissionDenied)]
    const where = this.#resolver.resolve(operations, request.paths)
    const statement = this.#nextStatement()
    const [path = '', to] = paths
    const told = { operations, path, ...(to === undefined ? {} : { to }), statement }
    const resolved = (): readonly string[] => [...opened, ...(where?.paths() ?? [])]
    this.pending.add(id, opens ? { is: 'open', statement, path, resolved, facts: told } : { is: 'other', facts: told })
    const message = new SftpMessage({
      from: 'client',
      kind: 'file',
      channel: this.#channel,
      bytes,
      ...(where === undefined ? {} : { pending: () => where.pending() }),
      summary: () => ({
        ...told,
        paths: [...new Set([...paths, ...resolved()].flatMap((name) => factsOf(operations, name, this.#home)))],
      }),
      recorded: () => ({ ...told, ...elsewhere(paths, resolved(), this.#home) }),
      statement,
      units: 1,
      command: `sftp: ${operations.join(', ')} ${paths.join(' ')}`,
      binding: request.what,
      release: (released) => [this.#toServer(released)],
      refuse: (refusal) => this.#deny([id], refusal),
    })
    return where === undefined ? [message] : [where.question, message]
  }

  #reads(reads: readonly { readonly bytes: Buffer; readonly forward: Buffer }[]): SftpMessage {
    const forward = Buffer.concat(reads.map((read) => read.forward))
    return new SftpMessage({
      from: 'client',
      kind: 'file-request',
      channel: this.#channel,
      bytes: reads.length === 1 && reads[0] !== undefined ? reads[0].bytes : Buffer.concat(reads.map(({ bytes }) => bytes)),
      release: () => [this.#toServer(forward)],
    })
  }

  /** What the target is asked for; undefined where no such file is open. */
  #read({ id, handle, offset, length }: Extract<Request, { is: 'read' }>): Buffer | undefined {
    const file = this.#files.get(handle)
    if (file === undefined) return undefined
    const plan = file.content.plan(offset, length)
    const read = new Read({ id, file, plan, handle })
    this.pending.add(id, read)
    file.reads.push(read)
    return packet(TYPE.read, id, Buffer.from(handle, 'latin1'), BigInt(plan.offset), read.askable)
  }

  #rest(read: Read, offset: number, length: number): SftpMessage {
    const id = this.#resolver.nextId()
    this.pending.add(id, { is: 'rest', read, length })
    return restQuestion(this.#channel, id, read, [offset, length])
  }

  #close(bytes: Uint8Array, file: OpenFile, facts: { readonly status?: string }): SftpMessage {
    return new SftpMessage({
      from: 'client',
      kind: 'file-close',
      channel: this.#channel,
      bytes,
      // Of an upload the tape is still owed what was kept back; the packet itself says nothing more.
      redact: () => file.written.rest(),
      // What a read was not given at once is asked for while the file is open.
      pending: () => this.#order.pending(file),
      facts: { path: file.path, statement: file.statement },
      ...(facts.status === undefined ? {} : { summary: () => ({ ...file.summary(), ...facts }) }),
      release: (released) => [this.#toServer(released)],
    })
  }

  #plain(bytes: Buffer): SftpMessage {
    return new SftpMessage({
      from: 'client',
      kind: 'file-request',
      channel: this.#channel,
      bytes,
      release: (released) => [this.#toServer(released)],
    })
  }

  #answer(bytes: Buffer, type: number): SftpMessage {
    if (type === TYPE.version) return versionAnswer(this.#channel, bytes, () => this.#askLimits())
    const reader = new Reader(bytes.subarray(LENGTH_SIZE + 1))
    const asked = this.pending.take(whole(() => reader.uint32()))
    if (asked === undefined) throw new ApplianceError('PROTOCOL_MALFORMED', 'the target answered what nobody asked')
    if (type === TYPE.handle && asked.is !== 'open')
      throw new ApplianceError('PROTOCOL_MALFORMED', 'the target opened what nobody asked for')
    if (asked.is === 'read' || asked.is === 'rest')
      throw new ApplianceError('PROTOCOL_MALFORMED', 'the target answered a read with something else')
    if (asked.is === 'limits') {
      this.#order.limit = limitIn(bytes)
      return toldUs(this.#channel, bytes, { extension: LIMITS })
    }
    if (asked.is === 'home' || asked.is === 'where') {
      const to = pathIn(type, reader)
      if (asked.is === 'home') this.#home = to
      else asked.tell(to)
      const path = asked.is === 'home' ? '.' : asked.path
      return toldUs(this.#channel, bytes, { operations: ['realpath'], path, ...(to === undefined ? {} : { to }) })
    }
    const status = type === TYPE.status ? whole(() => reader.uint32()) : STATUS.ok
    if (asked.is === 'open' && type === TYPE.handle) {
      const handle = Buffer.from(whole(() => reader.string())).toString('latin1')
      this.#files.set(handle, new OpenFile(asked.statement, asked.path, asked.resolved()))
    }
    const facts = 'facts' in asked ? asked.facts : {}
    const outcome = { status: statusName(status) }
    return operationAnswer(this.#channel, [bytes, type], {
      facts: Object.keys(facts).length === 0 && asked.is !== 'close' ? facts : { ...facts, ...outcome },
      summary: asked.is === 'close' ? () => ({ ...asked.file.summary(), ...outcome }) : undefined,
    })
  }

  #askLimits(): number {
    const id = this.#resolver.nextId()
    this.pending.add(id, { is: 'limits' })
    return id
  }

  #closedHandle(bytes: Buffer, id: number): SftpMessage {
    return this.#refused(bytes, id, 'a handle that is not open', STATUS.permissionDenied)
  }

  /** What is refused whatever policy says. */
  #refused(bytes: Buffer, id: number, why: string, status: number): SftpMessage {
    return new SftpMessage({
      from: 'client',
      kind: 'file',
      channel: this.#channel,
      bytes,
      facts: { malformed: why },
      release: () => [],
      refuse: (refusal) => this.#deny([id], refusal, status),
    })
  }

  #toServer(bytes: Uint8Array): SshOutput {
    return toServer(this.#channel, bytes)
  }

  #deny(ids: readonly number[], refusal: Refusal, status: number = STATUS.permissionDenied): readonly SshOutput[] {
    for (const id of ids) this.pending.take(id)
    return [denial(this.#channel, ids, refusal, status)]
  }
}

/** A folder takes along what is in it where it gets another name. */
function factsOf(operations: FileRequest['operations'], path: string, home: string | undefined): readonly string[] {
  return operations.includes('rename') ? [pathFact(path, home), insideFact(path, home)] : [pathFact(path, home)]
}

/** Where the paths lead, if that is not where they say. */
function elsewhere(paths: readonly string[], resolved: readonly string[], home: string | undefined): Facts {
  const said = new Set(paths.map((path) => pathFact(path, home)))
  const led = resolved.filter((path) => !said.has(pathFact(path, home)))
  return led.length === 0 ? {} : { resolved: led }
}
