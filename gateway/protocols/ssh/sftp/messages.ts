import type { Facts } from '../../../../schemas/frame.ts'
import type { Refusal } from '../../../../schemas/verdict.ts'
import { type Field, joined, type Message, type Redacted, type Redactor, type Side } from '../../../message.ts'
import type { SshOutput } from '../output.ts'

const WORDS: Field = { path: 'ssh.sftp', action: 'scan' }

export interface SftpParts {
  readonly from: Side
  readonly kind: string
  readonly channel: number
  /** Packets as they came; of an answer that was longer than what was asked for, the part that was. */
  readonly bytes: Uint8Array
  readonly facts?: Facts
  /** In the place of `facts`, where they are complete only when it passes. */
  readonly summary?: () => Facts
  /** What stands on the tape of the facts, where it is less. */
  readonly recorded?: Facts | (() => Facts)
  readonly statement?: number
  readonly units?: number
  /** What an approver reads, and what an approval is of. */
  readonly command?: string | (() => string)
  readonly binding?: Uint8Array
  /** An answer to what only the gateway asked. */
  readonly answersGateway?: boolean
  /** In the place of masking the packets as they stand. */
  readonly redact?: (redactor: Redactor) => Redacted
  /** Undefined once it has its turn. */
  readonly pending?: () => Promise<void> | undefined
  /** Told what of it is on the tape. */
  readonly seen?: (masked: Uint8Array) => void
  /** Passed on; `bytes`: as it was masked. */
  readonly release: (bytes: Uint8Array) => readonly SshOutput[]
  readonly refuse?: (refusal: Refusal) => readonly SshOutput[]
}

/** One or more packets of SFTP that belong together. */
export class SftpMessage implements Message {
  readonly part = 'whole'
  readonly from: Side
  readonly kind: string
  readonly channel: number
  readonly bytes: Uint8Array
  readonly units: number
  readonly statement: number | undefined
  readonly answersGateway: boolean
  readonly #parts: SftpParts
  #redacted: Redacted | undefined

  constructor(parts: SftpParts) {
    this.from = parts.from
    this.kind = parts.kind
    this.channel = parts.channel
    this.bytes = parts.bytes
    this.units = parts.units ?? 0
    this.statement = parts.statement
    this.answersGateway = parts.answersGateway === true
    this.#parts = parts
  }

  pending(): Promise<void> | undefined {
    return this.#parts.pending?.()
  }

  facts(): Facts {
    return this.#parts.summary?.() ?? this.#parts.facts ?? NO_FACTS
  }

  recorded(): Facts {
    const { recorded } = this.#parts
    return typeof recorded === 'function' ? recorded() : (recorded ?? this.facts())
  }

  command(): string {
    const { command = this.kind } = this.#parts
    return typeof command === 'function' ? command() : command
  }

  binding(): readonly Uint8Array[] {
    return [this.#parts.binding ?? this.bytes]
  }

  /** Moves streams on, so it is done once, whoever asks how often. */
  redacted(redactor: Redactor): Redacted {
    this.#redacted ??= this.#parts.redact === undefined ? inPlace(this.bytes, redactor) : this.#parts.redact(redactor)
    this.#parts.seen?.(this.#redacted.bytes)
    return this.#redacted
  }

  release(bytes: Uint8Array): readonly SshOutput[] {
    return this.#parts.release(bytes)
  }

  refuse(refusal: Refusal): readonly SshOutput[] {
    return this.#parts.refuse?.(refusal) ?? []
  }
}

const NO_FACTS: Facts = {}

/** Whole packets, byte for byte, so that lengths stay true. */
function inPlace(bytes: Uint8Array, redactor: Redactor): Redacted {
  if (redactor.clean(bytes, 0, bytes.length, WORDS)) return { bytes, masks: null }
  const live = redactor.live(WORDS)
  return joined(redactor, [live.push(bytes), live.settle()])
}
