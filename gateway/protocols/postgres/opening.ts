import type { Facts } from '../../../schemas/frame.ts'
import type { Field, Message, Output, Redacted, Redactor } from '../../message.ts'
import type { Greeting } from './greet.ts'
import type { Upstream } from './login.ts'
import { BACKEND, cstringEnd, HEADER_SIZE, int32, message, nulTerminated } from './messages.ts'
import { Reply, type Segment } from './reply.ts'
import { MessageLength, Rewrite } from './rewrite.ts'

const AUTHENTICATION_OK = Uint8Array.of(0x52, 0, 0, 0, 8, 0, 0, 0, 0)
const READY_IDLE = Uint8Array.of(BACKEND.readyForQuery, 0, 0, 0, 5, 0x49)
const PROCESS_ID_SIZE = 4
const STARTUP_VALUE: Field = { path: 'startup.parameter', action: 'scan' }
const STAR = 0x2a

type Startup = Extract<Greeting, { kind: 'startup' }>

/** What the client sent before there was a tape: its startup packet, and that it showed a password (never which). */
export function opening(greeting: Startup): readonly Message[] {
  return [
    new Opening('startup', greeting.received, { tls: greeting.tls?.protocol ?? 'none', database: greeting.database }),
    new Opening('password', new Uint8Array(), { size: greeting.knock.secret.length }),
  ]
}

class Opening implements Message {
  readonly from = 'client'
  readonly channel = 0
  readonly part = 'whole'
  readonly units = 0
  readonly kind: string
  readonly bytes: Uint8Array
  readonly #facts: Facts

  constructor(kind: string, bytes: Uint8Array, facts: Facts) {
    this.kind = kind
    this.bytes = bytes
    this.#facts = facts
  }

  facts(): Facts {
    return this.#facts
  }

  /** Length word, version, then names and values, each NUL-terminated (manual, StartupMessage). */
  redacted(redactor: Redactor): Redacted {
    const { bytes } = this
    if (bytes.length === 0) return { bytes, masks: null }
    const rewrite = new Rewrite(bytes, 0, bytes.length, redactor)
    const length = new MessageLength(0, int32(bytes, 0))
    let isValue = false
    for (let at = 8; at < bytes.length && bytes[at] !== 0; ) {
      const end = cstringEnd(bytes, at, bytes.length)
      if (end === -1) break
      if (isValue) rewrite.field(at, end, STARTUP_VALUE, length)
      isValue = !isValue
      at = end + 1
    }
    length.settle()
    return rewrite.finish(bytes)
  }
}

/** The target's side of the welcome, as a message like any other: what the server reported passes the masker too. */
export function welcome(upstream: Upstream): Message {
  const parts: Uint8Array[] = [AUTHENTICATION_OK]
  const segments: Segment[] = []
  let at = AUTHENTICATION_OK.length
  const add = (bytes: Uint8Array, what: 'parameter' | 'complaint'): void => {
    parts.push(bytes)
    segments.push({ what, from: at, to: at + bytes.length, values: undefined })
    at += bytes.length
  }
  for (const [name, value] of upstream.parameters) {
    add(message(BACKEND.parameterStatus, nulTerminated(name), nulTerminated(value)), 'parameter')
  }
  for (const notice of upstream.notices) add(notice, 'complaint')
  const bytes = Buffer.concat(parts)
  return new Reply(bytes, 0, bytes.length, segments, undefined, 'open')
}

/**
 * Our own cancel key, and readiness. The key is a secret of the client's: the tape has stars in its place. They are no mask:
 * nobody's data was there, and a session in which nothing was masked must not count one.
 */
export function admission(key: Uint8Array): readonly Output[] {
  const keyData = message(BACKEND.backendKeyData, key)
  const taped = Uint8Array.from(keyData).fill(STAR, HEADER_SIZE + PROCESS_ID_SIZE)
  return [
    { to: 'client', bytes: keyData, own: { kind: 'cancel-key', facts: {}, redacted: { bytes: taped, masks: null } } },
    { to: 'client', bytes: READY_IDLE, own: { kind: 'ready', facts: { status: 'I' } } },
  ]
}
