import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ByteWire, Message, Side } from '../../gateway/message.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { testMasker } from './fakes.ts'

/** A conversation: what each end says, in the order said; each line whole messages. */
export type Talk = readonly (readonly [who: Side, bytes: Uint8Array])[]

export interface ProtocolCase {
  readonly wire: () => ByteWire
  /** Valid conversations in which `secret` may stand wherever a value may; the text has no special meaning to the protocol. */
  readonly talk: (secret: string) => fc.Arbitrary<Talk>
}

/** How many runs of each property; each stays within two seconds. `FUZZ_RUNS` for longer ones. */
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 150)
const TIME_LIMIT_MS = process.env['FUZZ_RUNS'] === undefined ? 2_000 : 600_000
const settings = { numRuns: RUNS, interruptAfterTimeLimit: TIME_LIMIT_MS }

/** Found by a detector in any field, put together here so that no scanner of repositories takes it for somebody's. */
export const SECRET = ['lovelace', 'example.org'].join('@')

/** However the bytes are cut, the same bytes go on to the same end, and the tape has the same bodies. */
export function sameHoweverCut(protocol: ProtocolCase): void {
  fc.assert(
    fc.property(protocol.talk(SECRET), fc.array(fc.nat(), { maxLength: 8 }), (talk, cuts) => {
      const whole = run(protocol.wire(), talk)
      const cut = run(protocol.wire(), cutUp(talk, cuts))
      const bytewise = run(protocol.wire(), cutUp(talk, undefined))
      for (const other of [cut, bytewise]) {
        assert.deepEqual(other.released, whole.released)
        assert.deepEqual(other.taped, whole.taped)
      }
    }),
    settings,
  )
}

/** Releasing everything as it came gives each end exactly what the other said, but for what the gateway itself asks. */
export function releasesWhatCame(protocol: ProtocolCase): void {
  fc.assert(
    fc.property(protocol.talk('plain'), (talk) => {
      const { released } = run(protocol.wire(), talk)
      for (const side of ['client', 'server'] as const) {
        const said = Buffer.concat(talk.filter(([who]) => who === side).map(([, bytes]) => bytes))
        assert.equal(released[side === 'client' ? 'server' : 'client'].toString('latin1'), said.toString('latin1'))
      }
    }),
    settings,
  )
}

/** Hostile bytes parse, or throw PROTOCOL_*; after that the wire is dead. Nothing else is ever thrown. */
export function survivesHostility(protocol: ProtocolCase): void {
  const mutations = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }), fc.constantFrom('set', 'drop', 'insert')), {
    minLength: 1,
    maxLength: 6,
  })
  fc.assert(
    fc.property(protocol.talk(SECRET), mutations, (talk, changes) => {
      hostile(() => void run(protocol.wire(), mutate(talk, changes)))
    }),
    settings,
  )
  fc.assert(
    fc.property(fc.constantFrom<Side>('client', 'server'), fc.uint8Array({ maxLength: 400 }), (who, bytes) => {
      const wire = protocol.wire()
      if (hostile(() => void run(wire, [[who, bytes]]))) hostile(() => void run(wire, [[who, bytes]]))
    }),
    settings,
  )
}

/** A planted secret is nowhere in an entry, and not in what the client gets. */
export function hidesSecrets(protocol: ProtocolCase): void {
  fc.assert(
    fc.property(protocol.talk(SECRET), fc.array(fc.nat(), { maxLength: 4 }), (talk, cuts) => {
      const { released, entries } = run(protocol.wire(), cutUp(talk, cuts))
      for (const form of [SECRET, Buffer.from(SECRET).toString('base64').slice(0, -4), Buffer.from(SECRET).toString('hex')]) {
        assert.ok(!released.client.includes(form), 'the client got it')
        assert.ok(!entries.includes(form), 'the tape got it')
      }
    }),
    settings,
  )
}

interface Ran {
  readonly released: Readonly<Record<Side, Buffer>>
  /** Bodies, per direction. */
  readonly taped: Readonly<Record<Side, Buffer>>
  /** All of every entry, as text. */
  readonly entries: string
}

/** Everything is released, as an allowing gate would: redacted to the client, as it came to the server. */
function run(wire: ByteWire, talk: Talk): Ran {
  const masker = testMasker()
  const released: Record<Side, Uint8Array[]> = { client: [], server: [] }
  const taped: Record<Side, Uint8Array[]> = { client: [], server: [] }
  const entries: string[] = []
  for (const [who, bytes] of talk) {
    for (const message of wire.receive(who, bytes)) {
      const redacted = message.redacted(masker)
      const outputs = wire.release(message, who === 'server' ? redacted.bytes : undefined)
      for (const output of outputs) if (output.own === undefined) released[output.to].push(output.bytes)
      const entry = masker.entry(message, redacted, null)
      taped[who].push(redacted.bytes)
      entries.push(shown(message), JSON.stringify({ ...entry, body: null, masks: null }), latin(entry.body))
    }
  }
  return { released: joined(released), taped: joined(taped), entries: entries.join('\n') }
}

/** Facts are asked for as policy would; they stay inside, so only that they can be made matters. */
function shown(message: Message): string {
  assert.equal(typeof message.facts(), 'object')
  message.command?.()
  message.binding?.()
  return message.kind
}

function joined(parts: Readonly<Record<Side, readonly Uint8Array[]>>): Record<Side, Buffer> {
  return { client: Buffer.concat(parts.client), server: Buffer.concat(parts.server) }
}

function latin(bytes: Uint8Array | null): string {
  return bytes === null ? '' : Buffer.from(bytes).toString('latin1')
}

/** Each line cut at `cuts` (taken modulo its length), or into single bytes. */
function cutUp(talk: Talk, cuts: readonly number[] | undefined): Talk {
  return talk.flatMap(([who, bytes]) => {
    const at = cuts?.map((cut) => cut % (bytes.length + 1)) ?? [...bytes.keys()]
    const edges = [...new Set([0, ...at, bytes.length])].sort((a, b) => a - b)
    return edges.slice(1).map((to, index): Talk[number] => [who, bytes.subarray(edges[index] ?? 0, to)])
  })
}

function mutate(talk: Talk, changes: readonly (readonly [number, number, 'set' | 'drop' | 'insert'])[]): Talk {
  const changed = talk.map(([who, bytes]): [Side, number[]] => [who, [...bytes]])
  for (const [at, value, how] of changes) {
    const bytes = changed[at % Math.max(changed.length, 1)]?.[1]
    if (bytes === undefined) continue
    const place = (at >> 4) % (bytes.length + 1)
    if (how === 'insert') bytes.splice(place, 0, value)
    else if (how === 'drop') bytes.splice(place, 1)
    else bytes[place] = value
  }
  return changed.map(([who, bytes]) => [who, Uint8Array.from(bytes)])
}

/** Runs it; true where it threw what a peer's mistake may throw, and fails on anything else. */
function hostile(work: () => void): boolean {
  try {
    work()
    return false
  } catch (error) {
    assert.ok(
      error instanceof ApplianceError && error.code.startsWith('PROTOCOL_'),
      String(error instanceof Error ? error.stack : error),
    )
    return true
  }
}
