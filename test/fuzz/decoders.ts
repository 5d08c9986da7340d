import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { egressFacts } from '../../gateway/policy/http/egress-facts.ts'
import { requestFacts } from '../../gateway/policy/http/facts.ts'
import { kubernetesFacts } from '../../gateway/policy/kubernetes/request-info.ts'
import { compilePolicy } from '../../gateway/policy/policy.ts'
import { loadShell, shellFacts } from '../../gateway/policy/shell/facts.ts'
import { TerminalLines } from '../../gateway/policy/shell/terminal-lines.ts'
import { sqlFacts } from '../../gateway/policy/sql/facts.ts'
import { EchoWire, echoFrame } from '../../gateway/protocols/echo/wire.ts'
import { encodeFrame, OPCODES, WebSocketReader } from '../../gateway/protocols/http/websocket.ts'
import { ChannelSocket } from '../../gateway/protocols/kubernetes/channel-socket.ts'
import { SpdyReader, spdyData } from '../../gateway/protocols/kubernetes/spdy.ts'
import { SpdyTunnel } from '../../gateway/protocols/kubernetes/spdy-tunnel.ts'
import { readStartup, writeStartup } from '../../gateway/protocols/postgres/startup-packet.ts'
import { offered } from '../../gateway/protocols/ssh/certificate.ts'
import { Packets, packet } from '../../gateway/protocols/ssh/sftp/packets.ts'
import { readRequest } from '../../gateway/protocols/ssh/sftp/request.ts'
import { pack } from '../../recorder/tape/msgpack.ts'
import { nodeTools } from '../../recorder/tape/tools.ts'
import { decodeExcerpt } from '../../schemas/excerpt.ts'
import { parseTerms } from '../../schemas/filter.ts'
import { unpack } from '../../schemas/msgpack.ts'
import { decodeChunk, decodeChunkHeader, decodeFooter, decodeIndex } from '../../schemas/tape-chunk.ts'
import { decodeFrame, frameBounds } from '../../schemas/tape-frame.ts'
import { decodeHeader, decodeRecovery, decodeSeal, decodeStatement } from '../../schemas/tape-statement.ts'
import { parseLine } from '../../schemas/verify/ledger-line.ts'
import { parseCheckpoint, parseNote, parseVerifierKey } from '../../schemas/verify/note.ts'
import { ObjectWindow, scanSegment } from '../../schemas/verify/scan.ts'
import { parseProof } from '../../schemas/verify/tlog-proof.ts'
import type { ObjectSource } from '../../schemas/verify/tools.ts'
import { parseTrustPolicy } from '../../schemas/verify/trust-policy.ts'
import { ZipSource } from '../../schemas/verify/zip.ts'
import { HttpView } from '../../schemas/views/http.ts'
import { KubernetesView } from '../../schemas/views/kubernetes.ts'
import { PostgresView } from '../../schemas/views/postgres.ts'
import { SshView } from '../../schemas/views/ssh.ts'
import { testMasker } from '../support/fakes.ts'
import { postgresTalk } from '../support/pg-talk.ts'
import { testWire } from '../support/pg-words.ts'
import { ADDRESS, asPieces, buffers, type Decoder, pieces, text, tried, triedLater, viewDecoder, wireDecoder } from './decoder.ts'
import { excerptSeeds, ledgerSeeds, policySeeds, shellSeeds, sqlSeeds, tapeSeeds } from './seeds.ts'

const sides = ['client', 'server'] as const
const webSocketSeeds = (): readonly Uint8Array[] =>
  sides.flatMap((side) =>
    (['text', 'binary', 'close', 'ping'] as const).map((opcode) =>
      encodeFrame(side, { opcode: OPCODES[opcode], payload: Buffer.from(`\u0003${ADDRESS} {"Width":80,"Height":24}`) }),
    ),
  )

const talkSeeds = (): readonly Uint8Array[] => fc.sample(postgresTalk(ADDRESS), { numRuns: 60, seed: 7 }).map(asPieces)
const one = (bytes: Uint8Array): Uint8Array => asPieces([['client', bytes]])

/** What the records of tapes carry: their sums keep changed copies of whole tapes from being looked into. */
async function payloadSeeds(): Promise<readonly Uint8Array[]> {
  const payloads: Uint8Array[] = []
  for (const bytes of tapeSeeds())
    for await (const piece of scanSegment(await ObjectWindow.open(sourceOf(bytes), nodeTools, 'x'))) {
      if (piece.kind !== 'record') continue
      payloads.push(piece.payload)
      try {
        payloads.push(...decodedParts(piece.payload))
      } catch {
        // No chunk; its payload is a seed as it is.
      }
    }
  return payloads
}

/** The frames of a chunk, inflated. */
function decodedParts(payload: Uint8Array): readonly Uint8Array[] {
  return [decodeChunk(payload)].flatMap((chunk) => Object.values(chunk).filter((each) => each instanceof Uint8Array))
}

function sourceOf(bytes: Uint8Array): ObjectSource {
  return {
    get: async (_key, range = { from: 0, to: bytes.length }) => bytes.subarray(range.from, range.to),
    size: async () => bytes.length,
    async *list() {},
  }
}

export const DECODERS: readonly Decoder[] = [
  wireDecoder('postgres-wire', testWire, talkSeeds),
  wireDecoder(
    'echo-wire',
    () => new EchoWire(),
    () => [one(echoFrame(1, `mail ${ADDRESS}`)), one(echoFrame(2, 'x'))],
  ),
  {
    name: 'postgres-startup',
    seeds: () => [
      writeStartup([3, 0] as never, [
        ['user', 'a'],
        ['database', 'shop'],
        ['options', '-c sallyport.run=1'],
      ]).subarray(4),
    ],
    feed: (bytes) => tried(() => readStartup(bytes)),
  },
  { name: 'sql-facts', seeds: sqlSeeds, feed: (bytes) => tried(() => sqlFacts(text(bytes))) },
  {
    name: 'shell-facts',
    seeds: shellSeeds,
    feed: async (bytes) => {
      await loadShell()
      return tried(() => shellFacts(text(bytes)))
    },
  },
  {
    name: 'terminal-lines',
    seeds: () => [
      asPieces([
        ['server', Buffer.from('$ ')],
        ['client', Buffer.from('ls\u007f\u001b[A\u0003')],
        ['server', Buffer.from('\u001b[2Kls -l\r\n')],
        ['client', Buffer.from('\r')],
      ]),
    ],
    feed: (bytes) => {
      const lines = new TerminalLines(80)
      return tried(() => {
        const found: unknown[] = []
        for (const [who, piece] of pieces(bytes)) {
          if (who === 'server') lines.output(piece)
          else found.push(...lines.input(piece))
          void lines.certain
        }
        return found
      })
    },
  },
  {
    name: 'websocket',
    seeds: webSocketSeeds,
    feed: (bytes) => sides.map((side) => tried(() => new WebSocketReader(side).receive(bytes))).join(' '),
  },
  {
    name: 'kubernetes-streams',
    seeds: webSocketSeeds,
    feed: (bytes) =>
      sides
        .map((side) =>
          tried(() => {
            const socket = new ChannelSocket({ channel: 1, terminal: true })
            const read = socket.receive(side, bytes)
            socket.rest(side)
            return read
          }),
        )
        .join(' '),
  },
  {
    name: 'spdy',
    seeds: () => [spdyData(1, Buffer.from('hello'), false), spdyData(3, Buffer.from(ADDRESS), true)],
    feed: async (bytes) => {
      const reader = new SpdyReader()
      const tunnel = new SpdyTunnel({ channel: 1, terminal: false })
      try {
        const read = await triedLater(() => reader.receive(bytes))
        return `${read} ${await triedLater(async () => tunnel.receive('client', bytes))}`
      } finally {
        reader.close()
        tunnel.close()
      }
    },
  },
  {
    name: 'http-requests',
    seeds: () =>
      buffers(
        'GET /api/v1/namespaces/a/secrets/x?watch=1\n\n',
        'POST /graphql\napplication/json\n{"query":"mutation M { a }","operationName":"M"}',
        'POST /mcp\napplication/json\n[{"jsonrpc":"2.0","method":"tools/call","params":{"name":"rm"}}]',
        'POST /api/v1/namespaces/a/pods/x/exec?command=ls&command=-l&stdin=true\n\n',
        'CONNECT [::1]:443\n\n',
        'PUT http://example.org:80/%2e%2e/a\napplication/x-www-form-urlencoded\na=b&c=%zz',
      ),
    feed: (bytes) => {
      const [first = '', contentType = '', ...body] = Buffer.from(bytes).toString('latin1').split('\n')
      const [method = '', ...target] = first.split(' ')
      const asked = { method, target: target.join(' '), contentType, body: Buffer.from(body.join('\n'), 'latin1') }
      return [
        tried(() => requestFacts(asked)),
        tried(() => kubernetesFacts(asked)),
        tried(() => egressFacts(asked, ['*.example.org'])),
      ].join(' ')
    },
  },
  {
    name: 'ssh-key',
    seeds: () => {
      const field = (bytes: Uint8Array | string): Buffer => {
        const size = Buffer.alloc(4)
        size.writeUInt32BE(bytes.length)
        return Buffer.concat([size, Buffer.from(bytes as string)])
      }
      const certificate = ['ssh-ed25519-cert-v01@openssh.com', Buffer.alloc(32, 1), Buffer.alloc(32, 2)].map(field)
      return [
        Buffer.concat(['ssh-ed25519', Buffer.alloc(32, 7)].map(field)),
        Buffer.concat([...certificate, Buffer.alloc(120, 3)]),
      ]
    },
    feed: (bytes) => {
      const rules = { authorities: new Set<string>(), address: '127.0.0.1', nowMs: 0 }
      const algorithms = ['ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp256', 'ssh-ed25519-cert-v01@openssh.com']
      return algorithms.map((each) => (offered(each, bytes, rules) === undefined ? '-' : 'key')).join()
    },
  },
  {
    name: 'sftp',
    seeds: () => [
      packet(1, 3),
      packet(3, 7, '/etc/passwd', 1, 0),
      packet(18, 8, '/a', '/b'),
      packet(200, 9, 'posix-rename@openssh.com', '/a', '/b'),
    ],
    feed: (bytes) =>
      tried(() =>
        new Packets().take(bytes).map((each) => {
          try {
            return readRequest(each)
          } catch (error) {
            // As it says; its caller takes it for the client's mistake.
            if (error instanceof RangeError) return 'short'
            throw error
          }
        }),
      ),
  },
  {
    name: 'msgpack',
    seeds: () => [pack({ a: [1, -1, 1.5, null, true, 'x', Buffer.alloc(3)] as never })],
    feed: (bytes) => tried(() => unpack(bytes)),
  },
  {
    name: 'tape',
    seeds: tapeSeeds,
    feed: async (bytes) => {
      const said: string[] = []
      const end = await triedLater(async () => {
        for await (const piece of scanSegment(await ObjectWindow.open(sourceOf(bytes), nodeTools, 'x'))) {
          said.push(piece.kind)
          if (piece.kind !== 'record') continue
          const { payload } = piece
          said.push(
            tried(() => decodeChunk(payload)),
            tried(() => decodeHeader(decodeStatement(payload).statement)),
          )
          said.push(
            tried(() => decodeSeal(decodeStatement(payload).statement)),
            tried(() => decodeRecovery(decodeStatement(payload).statement)),
          )
        }
      })
      return `${[...new Set(said)].join()} ${end}`.slice(0, 2_000)
    },
  },
  {
    name: 'tape-parts',
    seeds: payloadSeeds,
    feed: (bytes) =>
      [decodeChunkHeader, decodeIndex, decodeFooter, decodeFrame, frameBounds, decodeChunk]
        .map((decode) => tried(() => decode(bytes)))
        .join(' '),
  },
  {
    name: 'ledger-line',
    seeds: ledgerSeeds,
    feed: (bytes) =>
      [
        tried(() => parseLine(bytes)),
        tried(() => parseNote(bytes)),
        tried(() => parseCheckpoint(bytes)),
        tried(() => parseProof(bytes)),
        tried(() => parseVerifierKey(nodeTools, text(bytes))),
        tried(() => parseTrustPolicy(nodeTools, text(bytes), 'trust.policy')),
      ].join(' '),
  },
  {
    name: 'excerpt',
    seeds: excerptSeeds,
    feed: (bytes) => tried(() => decodeExcerpt(bytes)),
  },
  {
    name: 'zip',
    seeds: () => {
      const end = Buffer.alloc(22)
      end.writeUInt32LE(0x06054b50)
      return [end]
    },
    feed: (bytes) =>
      triedLater(async () => {
        const zip = await ZipSource.open({ size: bytes.length, read: async (from, to) => bytes.subarray(from, to) })
        for (const name of zip.names()) await zip.get(name)
        return zip
      }),
  },
  {
    name: 'search-terms',
    seeds: () => buffers('identity:agent-* -target:x since:7d rows>=10 text:"drop table" in:result'),
    feed: (bytes) => tried(() => parseTerms(text(bytes), 0)),
  },
  {
    name: 'policy',
    seeds: policySeeds,
    feed: (bytes) => tried(() => compilePolicy(text(bytes), 'policy.yaml', { groups: new Set(['dba']), findings: {} } as never)),
  },
  {
    name: 'masker',
    seeds: () => [
      ...sqlSeeds(),
      ...shellSeeds(),
      ...buffers(ADDRESS, `Authorization: Bearer ${'ab12'.repeat(12)}`, '4111 1111 1111 1111', 'DE89370400440532013000'),
    ],
    feed: (bytes) => {
      const masker = testMasker()
      const masked = masker.text(text(bytes))
      // What is masked has nothing left to mask, but for what the marks themselves look like.
      return `${masked.length === text(bytes).length} ${
        masked
          .match(/\[MASKED:[a-z-]+/g)
          ?.slice(0, 5)
          .join() ?? ''
      }`
    },
  },
  viewDecoder('view-postgres', () => new PostgresView(), talkSeeds, ['query', 'reply', 'row']),
  viewDecoder(
    'view-http',
    () => new HttpView(),
    () => [one(Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n{}'))],
    ['request', 'response', 'body'],
  ),
  viewDecoder(
    'view-kubernetes',
    () => new KubernetesView(),
    () => [one(Buffer.from('GET / HTTP/1.1\r\nhost: a\r\n\r\n{}'))],
    ['request', 'stdout'],
  ),
  viewDecoder(
    'view-ssh',
    () => new SshView(),
    () => [one(packet(3, 7, '/etc/passwd', 1, 0))],
    ['sftp', 'shell', 'exec', 'output'],
  ),
]
