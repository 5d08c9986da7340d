import { ApplianceError } from '../../../../schemas/errors.ts'
import type { Facts } from '../../../../schemas/frame.ts'
import type { Refusal } from '../../../../schemas/verdict.ts'
import { SshOutput } from '../output.ts'
import { Reader } from '../reader.ts'
import { denial } from './denial.ts'
import { downloads } from './download.ts'
import { SftpMessage } from './messages.ts'
import { OpenFile } from './open-file.ts'
import { LENGTH_SIZE, Packets, packet, STATUS, STATUS_NAMES, TYPE, typeOf, VERSION } from './packets.ts'
import { pathFact } from './paths.ts'
import { Pending, type Read } from './pending.ts'
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
  readonly #files = new Map<string, OpenFile>()
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
    let blocks: { readonly read: Read; readonly packet: Buffer; readonly data: Uint8Array }[] = []
    const flush = (): void => {
      if (blocks.length > 0) messages.push(downloads(this.#channel, blocks))
      blocks = []
    }
    for (const bytes of this.#fromServer.take(chunk)) {
      const type = typeOf(bytes)
      if (type !== TYPE.data) {
        flush()
        messages.push(this.#answer(bytes, type))
        continue
      }
      const reader = new Reader(bytes.subarray(LENGTH_SIZE + 1))
      const read = this.pending.take(whole(() => reader.uint32()))
      if (read?.is !== 'read') throw new ApplianceError('PROTOCOL_MALFORMED', 'the target sent data that nobody asked for')
      blocks.push({ read, packet: bytes, data: whole(() => reader.string()) })
    }
    flush()
    return messages
  }

  /** The channel is over: what became of the files that are still open. */
  end(): readonly SftpMessage[] {
    this.pending.end()
    this.leave()
    const files = [...this.#files.values()]
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
        new SshOutput('server', this.#channel, { act: 'data' }, packet(TYPE.realpath, OWN_ID, '.'), {
          kind: 'file-request',
          facts: { operations: ['realpath'], path: '.' },
        }),
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
        paths: [...new Set([...paths, ...resolved()].map((name) => pathFact(name, this.#home)))],
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
    this.pending.add(id, { is: 'read', id, file, plan })
    return packet(TYPE.read, id, Buffer.from(handle, 'latin1'), BigInt(plan.offset), plan.length)
  }

  #close(bytes: Uint8Array, file: OpenFile, facts: { readonly status?: string }): SftpMessage {
    return new SftpMessage({
      from: 'client',
      kind: 'file-close',
      channel: this.#channel,
      bytes,
      // Of an upload the tape is still owed what was kept back; the packet itself says nothing more.
      redact: () => file.written.rest(),
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
    if (type === TYPE.version) return this.#version(bytes)
    const reader = new Reader(bytes.subarray(LENGTH_SIZE + 1))
    const id = whole(() => reader.uint32())
    const asked = this.pending.take(id)
    if (asked === undefined) throw new ApplianceError('PROTOCOL_MALFORMED', 'the target answered what nobody asked')
    if (type === TYPE.handle && asked.is !== 'open')
      throw new ApplianceError('PROTOCOL_MALFORMED', 'the target opened what nobody asked for')
    if (asked.is === 'read' && type !== TYPE.status)
      throw new ApplianceError('PROTOCOL_MALFORMED', 'the target answered a read with something else')
    if (asked.is === 'home') return this.#homeIs(bytes, type, reader)
    if (asked.is === 'where') {
      const path = pathIn(type, reader)
      asked.tell(path)
      return this.#told(bytes, asked.path, path)
    }
    const status = type === TYPE.status ? whole(() => reader.uint32()) : STATUS.ok
    if (asked.is === 'open' && type === TYPE.handle) {
      const handle = Buffer.from(whole(() => reader.string())).toString('latin1')
      this.#files.set(handle, new OpenFile(asked.statement, asked.path, asked.resolved()))
    }
    const facts = 'facts' in asked ? asked.facts : {}
    const outcome = { status: STATUS_NAMES[status] ?? String(status) }
    return new SftpMessage({
      from: 'server',
      kind: 'file-reply',
      channel: this.#channel,
      bytes,
      // Handles are the target's own, and attributes are numbers: only words can be masked without breaking them.
      ...(type === TYPE.name || type === TYPE.status || type === TYPE.extendedReply
        ? {}
        : { redact: () => ({ bytes, masks: null }) }),
      facts: Object.keys(facts).length === 0 && asked.is !== 'close' ? facts : { ...facts, ...outcome },
      ...(asked.is === 'close' ? { summary: () => ({ ...asked.file.summary(), ...outcome }) } : {}),
      release: (released) => [new SshOutput('client', this.#channel, { act: 'data' }, released)],
    })
  }

  #version(bytes: Buffer): SftpMessage {
    const version = whole(() => new Reader(bytes.subarray(LENGTH_SIZE + 1)).uint32())
    if (version !== VERSION)
      throw new ApplianceError('PROTOCOL_UNSUPPORTED', `the target speaks SFTP ${version}; ${VERSION} is understood here`)
    return new SftpMessage({
      from: 'server',
      kind: 'file-reply',
      channel: this.#channel,
      bytes,
      // Names of extensions look like addresses of mail.
      redact: () => ({ bytes, masks: null }),
      facts: { version },
      release: (released) => [new SshOutput('client', this.#channel, { act: 'data' }, released)],
    })
  }

  #homeIs(bytes: Buffer, type: number, reader: Reader): SftpMessage {
    this.#home = pathIn(type, reader)
    return this.#told(bytes, '.', this.#home)
  }

  /** An answer to a question of ours. */
  #told(bytes: Buffer, path: string, to: string | undefined): SftpMessage {
    return new SftpMessage({
      from: 'server',
      kind: 'file-reply',
      channel: this.#channel,
      bytes,
      answersGateway: true,
      facts: { operations: ['realpath'], path, ...(to === undefined ? {} : { to }) },
      release: () => [],
    })
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
    return new SshOutput('server', this.#channel, { act: 'data' }, bytes)
  }

  #deny(ids: readonly number[], refusal: Refusal, status: number = STATUS.permissionDenied): readonly SshOutput[] {
    for (const id of ids) this.pending.take(id)
    return [denial(this.#channel, ids, refusal, status)]
  }
}

/** What a REALPATH was answered; undefined where that is no path from the root. */
function pathIn(type: number, reader: Reader): string | undefined {
  if (type !== TYPE.name) return undefined
  whole(() => reader.uint32())
  const path = whole(() => reader.text())
  return path.startsWith('/') ? path : undefined
}

/** Where the paths lead, if that is not where they say. */
function elsewhere(paths: readonly string[], resolved: readonly string[], home: string | undefined): Facts {
  const said = new Set(paths.map((path) => pathFact(path, home)))
  const led = resolved.filter((path) => !said.has(pathFact(path, home)))
  return led.length === 0 ? {} : { resolved: led }
}

/** Runs what reads; what ends too early is malformed. */
function whole<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof RangeError)
      throw new ApplianceError('PROTOCOL_MALFORMED', 'a packet of SFTP that says more than there is', { cause: error })
    throw error
  }
}
