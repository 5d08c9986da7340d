import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serialize } from 'pg-protocol'
import { Masker } from '../../gateway/masking/masker.ts'
import { DEFAULT_RULES } from '../../gateway/masking/rules.ts'
import type { Message } from '../../gateway/message.ts'
import { describers } from '../../gateway/protocols/describers.ts'
import { readSession } from '../../recorder/bundle/session-statements.ts'
import { openTape } from '../../recorder/index.ts'
import type { Facts } from '../../schemas/frame.ts'
import type { ProtocolName } from '../../schemas/session.ts'
import type { VerdictNote } from '../../schemas/verdict.ts'
import { recordingFolder, START } from '../support/recording.ts'

interface Said {
  readonly kind: string
  readonly body?: Uint8Array | string
  readonly facts?: Facts
  readonly act?: 'block' | 'hold' | 'allow'
  /** The end of a hold. */
  readonly again?: boolean
  readonly from?: 'server'
}

const http = (line: string): string => `${line} HTTP/1.1\r\nhost: a\r\n\r\n`

/** What a session says, and how many statements that is. */
const SESSIONS: Readonly<
  Record<ProtocolName, { readonly said: readonly Said[]; readonly statements: number; readonly rows?: number }>
> = {
  postgres: {
    said: [
      { kind: 'query', body: serialize.query('SELECT 1'), facts: { statement: 1, statements: 1 } },
      { kind: 'query', body: serialize.query('SELECT 1; SELECT 2'), facts: { statement: 2, statements: 2 } },
      { kind: 'query', body: serialize.query('SELECT'), facts: {} },
      { kind: 'parse', body: serialize.parse({ name: 'a', text: 'SELECT 3', types: [] }) },
      { kind: 'parse', body: serialize.parse({ name: 'b', text: 'DROP TABLE t', types: [] }), act: 'block' },
      { kind: 'execute', body: serialize.execute({ portal: '', rows: 0 }), facts: { statement: 4, statements: 1 } },
      { kind: 'query', body: serialize.query('DELETE FROM t'), facts: { statement: 5, statements: 1 }, act: 'hold' },
      {
        kind: 'query',
        body: serialize.query('DELETE FROM t'),
        facts: { statement: 5, statements: 1 },
        act: 'allow',
        again: true,
      },
      { kind: 'sync', body: serialize.sync() },
    ],
    statements: 7,
    // A text of two is one row.
    rows: 6,
  },
  ssh: {
    said: [
      { kind: 'session', facts: {} },
      { kind: 'exec', body: 'uptime', facts: { command: 'uptime' } },
      { kind: 'line', body: 'rm -rf /', act: 'block' },
      { kind: 'line', body: 'sudo ls', act: 'hold' },
      { kind: 'line', body: 'sudo ls', act: 'allow', again: true },
      { kind: 'terminal-input', body: 'l' },
      { kind: 'file', facts: { operations: ['read'], path: '/etc/hosts', statement: 1 } },
      { kind: 'file-reply', facts: { statement: 1, status: 'ok' }, from: 'server' },
      { kind: 'forward', facts: { direction: 'local', host: 'db', port: 5432 } },
      { kind: 'stdin', body: 'x' },
    ],
    statements: 5,
  },
  http: {
    said: [
      { kind: 'request', body: http('GET /a'), facts: { method: 'GET', route: '/a', path: '/a' } },
      {
        kind: 'request',
        body: http('POST /mcp'),
        facts: { method: 'POST', route: '/mcp', path: '/mcp', rpc_method: 'tools/call' },
      },
      { kind: 'request-body', body: 'more' },
      { kind: 'request', body: http('DELETE /b'), facts: { method: 'DELETE', route: '/b', path: '/b' }, act: 'block' },
      { kind: 'ws-call', body: '{"method":"x"}' },
      { kind: 'ws-input', body: 'hello' },
      { kind: 'response', body: http('HTTP/1.1 200 OK'), facts: { status: 200 }, from: 'server' },
    ],
    statements: 4,
  },
  egress: {
    said: [
      { kind: 'request', body: http('GET /a'), facts: { method: 'GET', route: '/a', path: '/a' } },
      { kind: 'tunnel-input', body: 'x' },
    ],
    statements: 1,
  },
  kubernetes: {
    said: [
      {
        kind: 'request',
        body: http('GET /api/v1/pods'),
        facts: { method: 'GET', path: '/api/v1/pods', verb: 'list', resource: 'pods' },
      },
      { kind: 'request', body: http('GET /apis'), facts: { method: 'GET', path: '/apis' } },
      { kind: 'exec', body: http('POST /x'), facts: { method: 'POST', path: '/x', verb: 'create', resource: 'pods/exec' } },
      { kind: 'stdin', body: 'x' },
    ],
    statements: 2,
  },
  echo: { said: [{ kind: 'say', body: '\0\0\0\0\0hello' }], statements: 1 },
}

function messageOf({ kind, body, facts = {}, from }: Said): Message {
  const bytes = Buffer.from(body ?? '')
  const message = { from: from ?? 'client', channel: 1, kind, part: 'whole', bytes, units: 0, facts: () => facts }
  return { ...message, redacted: () => ({ bytes, masks: null }) } as unknown as Message // as much of one as is recorded
}

for (const [name, { said, statements, rows = statements }] of Object.entries(SESSIONS))
  test(`${name}: the seal, the catalog and the list in a bundle have as many statements as were asked`, async () => {
    const protocol = name as ProtocolName // its keys
    await using folder = await recordingFolder()
    const room = await folder.room()
    const { info, recorder } = await room.open({ ...START, target: { ...START.target, protocol } })
    const keys = { tagKey: Buffer.alloc(16, 1), fingerprintKey: Buffer.alloc(16, 2) }
    const masker = new Masker({ rules: DEFAULT_RULES, ...keys, protocol })
    for (const one of said) {
      const bytes = one.body === undefined ? null : { bytes: Buffer.from(one.body), masks: null }
      const note: VerdictNote | null =
        one.act === undefined
          ? null
          : { act: one.act, rules: ['r'], policy: 'abababababab', ...(one.act === 'block' ? {} : { approval: 'A-1' }) }
      await recorder.append([masker.entry(messageOf(one), bytes, note, one.again)])
    }
    await recorder.seal('client.left')
    const read = await readSession({ store: folder.store, describers }, info.id, undefined)
    const { summary } = await openTape(folder.store, info.id)
    assert.deepEqual(
      [summary?.totals.statements, read?.session.statements, read?.statements.length],
      [statements, statements, rows],
      JSON.stringify(read?.statements.map(({ kind, text }) => [kind, text])),
    )
  })
