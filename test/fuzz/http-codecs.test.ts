import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Side } from '../../gateway/message.ts'
import { egressFacts } from '../../gateway/policy/http/egress-facts.ts'
import { requestFacts } from '../../gateway/policy/http/facts.ts'
import { kubernetesFacts } from '../../gateway/policy/kubernetes/request-info.ts'
import { encodeFrame, OPCODES, WebSocketReader } from '../../gateway/protocols/http/websocket.ts'
import { ChannelSocket } from '../../gateway/protocols/kubernetes/channel-socket.ts'
import { SpdyReader, spdyData } from '../../gateway/protocols/kubernetes/spdy.ts'
import { SpdyTunnel } from '../../gateway/protocols/kubernetes/spdy-tunnel.ts'
import { ApplianceError } from '../../schemas/errors.ts'

/** As the shared properties of protocols: each stays within two seconds, `FUZZ_RUNS` for longer ones. */
const settings = {
  numRuns: Number(process.env['FUZZ_RUNS'] ?? 300),
  interruptAfterTimeLimit: process.env['FUZZ_RUNS'] === undefined ? 2_000 : 600_000,
}

const side = fc.constantFrom<Side>('client', 'server')
const payload = fc.uint8Array({ maxLength: 400 })

/** Bytes of real frames, with some of them changed, or none that ever were one. */
const hostile = (real: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc.tuple(real, fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 })).map(([bytes, changes]) => {
      const changed = Uint8Array.from(bytes)
      for (const [at, byte] of changes) if (changed.length > 0) changed[at % changed.length] = byte
      return changed
    }),
  )

const frames = fc
  .array(fc.tuple(side, fc.constantFrom(OPCODES.text, OPCODES.binary, OPCODES.close, OPCODES.ping, OPCODES.pong), payload), {
    minLength: 1,
    maxLength: 4,
  })
  .map((all) => Buffer.concat(all.map(([from, opcode, bytes]) => encodeFrame(from, { opcode, payload: bytes }))))

const data = fc
  .array(fc.tuple(fc.nat(20), payload, fc.boolean()), { minLength: 1, maxLength: 4 })
  .map((all) => Buffer.concat(all.map(([stream, bytes, last]) => spdyData(stream, bytes, last))))

function isPeersMistake(error: unknown): boolean {
  if (error instanceof ApplianceError && error.code.startsWith('PROTOCOL_')) return true
  throw error
}

function parsesOrRefuses(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    isPeersMistake(error)
  }
}

test('hostile bytes on a WebSocket are messages or the peer’s mistake, the same however they are cut', () => {
  const read = (from: Side, chunks: readonly Uint8Array[]): string => {
    const reader = new WebSocketReader(from)
    const said: string[] = []
    try {
      for (const chunk of chunks)
        said.push(...reader.receive(chunk).map(({ opcode, payload: bytes }) => `${opcode} ${Buffer.from(bytes).toString('hex')}`))
    } catch (error) {
      if (isPeersMistake(error)) said.push('refused')
    }
    return said.at(-1) === 'refused' ? 'refused' : said.join()
  }
  fc.assert(
    fc.property(side, hostile(frames), (from, bytes) => {
      assert.equal(
        read(
          from,
          Array.from(bytes, (byte) => Uint8Array.of(byte)),
        ),
        read(from, [bytes]),
      )
    }),
    settings,
  )
})

test('hostile bytes on the streams of exec are messages or the peer’s mistake', () => {
  fc.assert(
    fc.property(side, hostile(frames), fc.boolean(), (from, bytes, terminal) => {
      const socket = new ChannelSocket({ channel: 1, terminal })
      parsesOrRefuses(() => {
        socket.receive(from, bytes)
        socket.rest(from)
      })
    }),
    settings,
  )
})

test('hostile SPDY is frames or the peer’s mistake, and gives back its memory', async () => {
  await fc.assert(
    fc.asyncProperty(side, hostile(data), async (from, bytes) => {
      const reader = new SpdyReader()
      await reader.receive(bytes).catch(isPeersMistake)
      reader.close()
      const tunnel = new SpdyTunnel({ channel: 1, terminal: false })
      await Promise.resolve(tunnel.receive(from, bytes)).catch(isPeersMistake)
      tunnel.close()
    }),
    settings,
  )
})

test('whatever is asked has facts, or is the peer’s mistake', () => {
  const method = fc.constantFrom('GET', 'POST', 'PATCH', 'DELETE', 'CONNECT', 'PROPFIND')
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '/api/v1/',
      'namespaces/',
      'secrets/',
      'pods/x/exec',
      '?command=',
      '%',
      '%2e%2e',
      '..',
      '//',
      '{id}',
      ':443',
      '[::1]',
      'http://',
      'https://',
      '@',
    ),
  )
  const target = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''))
  const type = fc.constantFrom('', 'application/json', 'application/vnd.kubernetes.protobuf', 'application/x-www-form-urlencoded')
  fc.assert(
    fc.property(
      method,
      target,
      type,
      fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined }),
      (verb, path, contentType, body) => {
        const asked = { method: verb, target: path, contentType, body }
        parsesOrRefuses(() => requestFacts(asked))
        parsesOrRefuses(() => kubernetesFacts(asked))
        parsesOrRefuses(() => egressFacts(asked, ['*.example.org']))
      },
    ),
    settings,
  )
})
