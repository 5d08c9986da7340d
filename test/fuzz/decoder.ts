import { Buffer } from 'node:buffer'
import type { ByteWire, Side } from '../../gateway/message.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { View } from '../../schemas/views/view.ts'
import { testMasker } from '../support/fakes.ts'

/** Something that understands bytes of others. */
export interface Decoder {
  readonly name: string
  /** Valid inputs, made when they are asked for, to begin from. */
  readonly seeds: () => readonly Uint8Array[] | Promise<readonly Uint8Array[]>
  /**
   * Reads it; throws, or rejects, where that is no answer to hostile bytes. What it gives is a short word for what became of them: an input
   * with a word that was not seen before is worth changing further.
   */
  readonly feed: (bytes: Uint8Array) => string | Promise<string>
}

/** Secrets that are planted are put together here, so that no scanner takes them for somebody's. */
export const ADDRESS = ['lovelace', 'example.org'].join('@')
export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8')
export const buffers = (...texts: readonly string[]): readonly Uint8Array[] => texts.map((each) => Buffer.from(each))

/** The code of an error that says whose mistake it was; every other error is ours. */
function refused(error: unknown): string {
  if (error instanceof ApplianceError) return `${error.code} ${error.message.replace(/["'`].*["'`]|\d+/g, '')}`.slice(0, 100)
  throw error
}

export function tried(work: () => unknown): string {
  try {
    return shapeOf(work())
  } catch (error) {
    return refused(error)
  }
}

export async function triedLater(work: () => Promise<unknown>): Promise<string> {
  try {
    return shapeOf(await work())
  } catch (error) {
    return refused(error)
  }
}

/** Which members there are, and of what kind; texts in them only where they are short words. */
function shapeOf(value: unknown, depth = 3): string {
  if (value === null || value === undefined) return '-'
  if (typeof value === 'string') return /^[a-z_.-]{1,24}$/.test(value) ? value : 's'
  if (typeof value !== 'object') return typeof value === 'boolean' ? String(value) : ((typeof value)[0] ?? '')
  if (depth === 0 || value instanceof Uint8Array) return 'o'
  if (Array.isArray(value)) return `[${[...new Set(value.slice(0, 50).map((each) => shapeOf(each, depth - 1)))].join()}]`
  return `{${Object.entries(value)
    .slice(0, 50)
    .map(([key, each]) => `${key}:${shapeOf(each, depth - 1)}`)
    .join()}}`
}

/** A wire of both directions: the first byte of each piece says which, the second and third how long it is. */
export function wireDecoder(name: string, make: () => ByteWire, seeds: () => readonly Uint8Array[]): Decoder {
  return {
    name,
    seeds,
    feed: (bytes) => {
      const wire = make()
      const masker = testMasker()
      const kinds = new Set<string>()
      const end = tried(() => {
        for (const [who, piece] of pieces(bytes)) {
          for (const message of wire.receive(who, piece)) {
            const redacted = message.redacted(masker)
            kinds.add(`${who[0]}${message.kind}`)
            message.facts()
            message.command?.(masker)
            message.binding?.()
            wire.release(message, who === 'server' ? redacted.bytes : undefined)
            masker.entry(message, redacted, null)
          }
        }
      })
      return `${[...kinds].sort().join()} ${end}`
    },
  }
}

export function* pieces(bytes: Uint8Array): Generator<readonly [Side, Uint8Array]> {
  for (let at = 0; at + 3 <= bytes.length; ) {
    const size = ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    yield [(bytes[at] ?? 0) % 2 === 0 ? 'client' : 'server', bytes.subarray(at + 3, at + 3 + size)]
    at += 3 + size
  }
}

export function asPieces(talk: readonly (readonly [Side, Uint8Array])[]): Uint8Array {
  return Buffer.concat(
    talk.flatMap(([who, bytes]) => [Buffer.of(who === 'client' ? 0 : 1, bytes.length >> 8, bytes.length & 0xff), bytes]),
  )
}

export function viewDecoder(
  name: string,
  make: () => View,
  seeds: () => readonly Uint8Array[],
  kinds: readonly string[],
): Decoder {
  return {
    name,
    seeds,
    feed: (bytes) => {
      const view = make()
      const said = [...pieces(bytes)].map(([who, body], n) =>
        tried(() =>
          view.read({
            ...{ seq: n, atUs: n, channel: 0, kind: kinds[n % kinds.length] ?? '', facts: {}, body, masks: null, verdict: null },
            dir: who === 'client' ? 'in' : 'out',
          } as never),
        ),
      )
      return [...new Set(said)].sort().join()
    },
  }
}
