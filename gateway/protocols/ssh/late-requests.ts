import { EventEmitter } from 'node:events'

/** OpenSSH's PROTOCOL, section 2.1: whoever says it takes no more of what comes through the channel; the other direction goes on. */
const END_OF_WRITE = 'eow@openssh.com'
/** What can be told a program whose input is over (RFC 4254, 6.7 and 6.9). */
const LATE = new Set(['signal', 'window-change'])

/**
 * The library (ssh2 1.17) hears nothing more of a client that has said the end of its input. And it does not know where a client says that what it
 * writes to is closed (`ssh host 'tail -f log' | head -1`), upon which sshd closes the program's output: the program would go on for
 * ever, and so would the client, which waits for its end.
 */
export function hearLate(connection: object): void {
  const protocol: unknown = Reflect.get(connection, '_protocol')
  const manager: unknown = Reflect.get(connection, '_chanMgr')
  if (!isHearing(protocol) || !isManager(manager)) throw new TypeError('this version of ssh2 hears requests in another way')
  const handle = protocol._handlers.CHANNEL_REQUEST
  protocol._handlers.CHANNEL_REQUEST = (self, recipient, type, ...rest) => {
    const session = manager.get(recipient)
    if (!(session instanceof EventEmitter)) return handle(self, recipient, type, ...rest)
    if (type === END_OF_WRITE) session.emit(END_OF_WRITE)
    const ending: unknown = LATE.has(type) ? Reflect.get(session, '_ending') : undefined
    if (ending !== true) return handle(self, recipient, type, ...rest)
    Reflect.set(session, '_ending', false)
    try {
      handle(self, recipient, type, ...rest)
    } finally {
      Reflect.set(session, '_ending', true)
    }
  }
}

/** Of a session of a connection that hears it. */
export function onEndOfWrite(session: object, heard: () => void): void {
  if (session instanceof EventEmitter) session.once(END_OF_WRITE, heard)
}

/** Tells a target. One that does not know it does nothing: no answer is asked for. */
export function sendEndOfWrite(channel: object): void {
  const { protocol, id } = endOf(channel) ?? {}
  if (protocol === undefined || id === undefined) return
  const name = Buffer.from(END_OF_WRITE)
  const { write } = protocol._packetRW
  const packet = write.alloc(1 + 4 + 4 + name.length + 1)
  const at = write.allocStart
  packet[at] = CHANNEL_REQUEST
  packet.writeUInt32BE(id, at + 1)
  packet.writeUInt32BE(name.length, at + 5)
  name.copy(packet, at + 9)
  packet[at + 9 + name.length] = 0
  const whole = write.finalize(packet)
  // While keys are renewed nothing else may be sent, and the library sends what waits.
  if (protocol._kexinit === undefined) protocol._cipher.encrypt(whole)
  else {
    protocol._queue ??= []
    protocol._queue.push(whole)
  }
}

/** The library sends none once the input of a program is over. */
export function sendSignal(channel: object, signal: string): void {
  const { protocol, id } = endOf(channel) ?? {}
  if (id !== undefined) protocol?.signal(id, signal)
}

/** As of a signal. */
export function sendSize(
  channel: object,
  size: { readonly rows: number; readonly cols: number; readonly height: number; readonly width: number },
): void {
  const { protocol, id } = endOf(channel) ?? {}
  if (id !== undefined) protocol?.windowChange(id, size.rows, size.cols, size.height, size.width)
}

const CHANNEL_REQUEST = 98

/** Where a channel at a target can be told something; undefined once it is closed from here. */
function endOf(channel: object): { readonly protocol: Telling; readonly id: number } | undefined {
  const protocol: unknown = Reflect.get(Object(Reflect.get(channel, '_client')), '_protocol')
  const outgoing: unknown = Reflect.get(channel, 'outgoing')
  const id: unknown = Reflect.get(Object(outgoing), 'id')
  const state: unknown = Reflect.get(Object(outgoing), 'state')
  if (!isTelling(protocol) || typeof id !== 'number') throw new TypeError('this version of ssh2 keeps its channels elsewhere')
  return state === 'open' || state === 'eof' ? { protocol, id } : undefined
}

interface Hearing {
  readonly _handlers: { CHANNEL_REQUEST: (self: unknown, recipient: number, type: string, ...rest: unknown[]) => void }
}

interface Telling {
  readonly _packetRW: {
    readonly write: { readonly allocStart: number; alloc(payloadSize: number): Buffer; finalize(packet: Buffer): Buffer }
  }
  /** Changes with the keys. */
  readonly _cipher: { encrypt(packet: Buffer): void }
  readonly _kexinit: unknown
  _queue: Buffer[] | undefined
  signal(id: number, name: string): void
  windowChange(id: number, rows: number, cols: number, height: number, width: number): void
}

function isHearing(value: unknown): value is Hearing {
  const handlers: unknown = Reflect.get(Object(value), '_handlers')
  return typeof Reflect.get(Object(handlers), 'CHANNEL_REQUEST') === 'function'
}

function isTelling(value: unknown): value is Telling {
  if (typeof value !== 'object' || value === null || !('_packetRW' in value) || !('_cipher' in value)) return false
  return ['signal', 'windowChange'].every((name) => typeof Reflect.get(value, name) === 'function')
}

function isManager(value: unknown): value is { get(id: number): unknown } {
  return typeof value === 'object' && value !== null && 'get' in value && typeof value.get === 'function'
}
