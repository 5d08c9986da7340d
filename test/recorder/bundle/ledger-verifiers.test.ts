import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import { fence } from '../../../recorder/tape/fence.ts'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import type { LedgerEntry } from '../../../schemas/ledger.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import type { TapeVerification, Verification, VerifyVerdict } from '../../../schemas/verification.ts'
import { interimRoot } from '../../../schemas/verify/ledger-facts.ts'
import { ledgerKeys } from '../../../schemas/verify/ledger-line.ts'
import { forgeChunk, forgeSeal, forgeTape, ID, makeKey } from '../../support/forge.ts'
import { goldenLedger, makeSigner } from '../../support/ledger.ts'
import { EVERY_KIND } from '../../support/ledger-kinds.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'
import { CHUNK_MAGIC, StoredChunks } from '../../support/stored-chunks.ts'
import { Gallery } from '../../support/verifiers.ts'

/** One row: a store somebody has been at, what every verifier must say of it, and in which part it must see why. */
type Row = readonly [name: string, store: MemoryStore, verdict: VerifyVerdict, part?: string]

/** Entries of every kind there is, of a session that was deleted by policy. */
const kinds = goldenLedger('ledger-kinds')
let kindsToday: MemoryStore
let folder: RecordingFolder
let gallery: Gallery
let sealed: string
let open: string
let whole: MemoryStore
/** While `open` was open. */
let running: MemoryStore
/** The ledger tells of an act of retention: on a session that had been released, and on one that was held. */
let retention: MemoryStore
let heldRetention: MemoryStore
/** A session that was only opened, and ended as absent: a fence stands where its tape would begin. */
let absent: MemoryStore
let absentId: string

before(async () => {
  folder = await recordingFolder()
  gallery = new Gallery([folder.signer, ...kinds.gatewayKeys])
  const { signer } = folder
  const store = new MemoryStore()
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer, origin: 'log.example/test' })
  await ledger.append({ type: 'gateway.start', version: '0', node: 'v24' })
  const stored = new StoredChunks(store)
  const { onStored } = stored
  const room = await folder.room({ store, ledger, codec: 'gzip', limits: { interimMs: 3_600_000 }, onStored })
  const record = async (): Promise<Awaited<ReturnType<typeof room.open>>> => {
    const opened = await room.open(START)
    for (let n = 0; n < 3; n += 1)
      await opened.recorder.append([entry({ body: Buffer.from(`statement ${n}`) })], { durable: true })
    return opened
  }
  const first = await record()
  sealed = first.info.id
  await first.recorder.seal('client.left')
  await ledger.publish()
  const second = await record()
  open = second.info.id
  await stored.reached(open, 3)
  await room.interim()
  await ledger.publish()
  running = store.copy()
  await second.recorder.seal('client.left')
  await room.close()
  await ledger.append({ type: 'gateway.stop', reason: 'stopped' })
  await ledger.close()
  whole = store
  const opening = {
    number: 9,
    header: 'ab'.repeat(32),
    identity: 'agent-7',
    target: 'shop',
    policy: 'ab',
    durability: 'disk',
  } as const
  absentId = '20261120T120000Z-gw1-cli-00000009'
  absent = await withEntries(store, [
    { type: 'session.open', session: absentId, ...opening },
    { type: 'session.recover', session: absentId, spool: '', outcome: 'absent', frames: 0, recovered: 0, signer: 'ab' },
  ])
  await fence(absent, absentId, { segment: 0, position: 0 }, 100)
  kindsToday = await withEntries(new MemoryStore(), EVERY_KIND, 'gw1')
  const by = { actor: 'otto', proof: 'key:k1', session: sealed }
  const deletion = { type: 'retention.delete', ...by, rule: 'after-90-days', objects: 2 } as const
  const matter = { ...by, matter: 'case-1', reason: 'audit' }
  retention = await withEntries(store, [{ type: 'hold.set', ...matter }, { type: 'hold.clear', ...matter }, deletion])
  heldRetention = await withEntries(store, [
    { type: 'hold.set', ...matter },
    { type: 'hold.clear', ...by, reason: 'another matter' },
    deletion,
  ])
})
after(async () => {
  gallery[Symbol.dispose]()
  await folder[Symbol.asyncDispose]()
})

async function withEntries(store: MemoryStore, entries: readonly LedgerEntry[], gateway = 'gw1-cli'): Promise<MemoryStore> {
  const copy = store.copy()
  const ledger = await StoreLedger.open({ store: copy, gateway, signer: folder.signer, publish: false })
  for (const one of entries) await ledger.append(one)
  await ledger.close()
  return copy
}

function lines(store: MemoryStore): string[] {
  return (store.objects.get(ledgerKeys.sequence(0))?.toString() ?? '').split('\n').slice(0, -1)
}

function withLines(store: MemoryStore, changed: readonly string[]): MemoryStore {
  const copy = store.copy()
  copy.objects.set(ledgerKeys.sequence(0), Buffer.from(changed.map((line) => `${line}\n`).join('')))
  return copy
}

function without(store: MemoryStore, prefix: string): MemoryStore {
  const copy = store.copy()
  for (const key of copy.objects.keys()) if (key.startsWith(prefix)) copy.objects.delete(key)
  return copy
}

function changed(store: MemoryStore, key: string, change: (bytes: Buffer) => Buffer): MemoryStore {
  const copy = store.copy()
  copy.objects.set(key, change(Buffer.from(copy.objects.get(key) ?? '')))
  return copy
}

/** The last chunk and everything behind it. */
function cutTail(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.lastIndexOf(CHUNK_MAGIC))
}

function rows(): Row[] {
  const all = lines(whole)
  const [first = '', second = ''] = all
  const noCheckpoints = without(whole, 'ledger/checkpoint/')
  const close = all.findIndex((line) => line.includes('"type":"session.close"'))
  const tape = tapeKeys.segment(open, 0)
  const gone = all.filter((line) => !line.includes(sealed))
  const flips = Array.from({ length: 8 }, (_, index): Row => {
    const flip = (bytes: Buffer): Buffer => {
      const at = Math.floor((bytes.length * (index + 0.5)) / 8)
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << index), at)
      return bytes
    }
    return [`a bit flipped in the sequence, place ${index}`, changed(whole, ledgerKeys.sequence(0), flip), 'INVALID']
  })
  return [
    ['as it was written', whole, 'VALID'],
    ['still running', running, 'VALID-INCOMPLETE', 'end'],
    ['a session’s tape removed', without(whole, tapeKeys.prefix(sealed)), 'INVALID', 'ledger'],
    ['the tape of an open session removed', without(running, tapeKeys.prefix(open)), 'INVALID', 'ledger'],
    ['all tapes removed', without(whole, 'tapes/'), 'INVALID', 'ledger'],
    ['a session removed with its entries', withLines(without(whole, tapeKeys.prefix(sealed)), gone), 'INVALID', 'numbering'],
    ['… and every checkpoint', withLines(without(noCheckpoints, tapeKeys.prefix(sealed)), gone), 'INVALID', 'checkpoint'],
    [
      'a tape of which the ledger never heard',
      withLines(
        whole,
        all.filter((line) => !(line.includes(sealed) && line.includes('session.open'))),
      ),
      'INVALID',
      'ledger',
    ],
    ['retention', without(retention, tapeKeys.prefix(sealed)), 'DELETED-BY-POLICY'],
    ['retention under legal hold', without(heldRetention, tapeKeys.prefix(sealed)), 'INVALID', 'ledger'],
    ['a session absent, its place fenced', absent, 'VALID-INCOMPLETE', 'ledger'],
    ['… without the fence', without(absent, tapeKeys.prefix(absentId)), 'VALID-INCOMPLETE', 'ledger'],
    [
      '… and of which there is a tape after all',
      changed(absent, tapeKeys.segment(absentId, 0), () => Buffer.from(whole.objects.get(tape) ?? '')),
      'INVALID',
      'ledger',
    ],
    ['the tail of an open tape cut behind its interim', changed(running, tape, cutTail), 'INVALID', 'ledger'],
    ['the tail of a sealed tape cut', changed(whole, tape, cutTail), 'INVALID', 'ledger'],
    [
      'the tape as it was before its end',
      changed(whole, tape, () => Buffer.from(running.objects.get(tape) ?? '')),
      'INVALID',
      'ledger',
    ],
    [
      'an entry altered',
      withLines(
        whole,
        all.map((line) => line.replace('"target":"shop"', '"target":"shoq"')),
      ),
      'INVALID',
      'entry',
    ],
    ['entries reordered', withLines(whole, [second, first, ...all.slice(2)]), 'INVALID', 'numbering'],
    ['an entry twice', withLines(noCheckpoints, [...all, all.at(-1) ?? '']), 'INVALID', 'numbering'],
    ['a stranger’s line', withLines(noCheckpoints, [...all, 'hello', '[{},"0000000000000000","AAAA"]']), 'INVALID', 'checkpoint'],
    ['the end of the ledger cut', withLines(whole, all.slice(0, close)), 'INVALID', 'checkpoint'],
    ['… with its checkpoints', withLines(noCheckpoints, all.slice(0, close)), 'INVALID', 'ledger'],
    [
      'a checkpoint of another size',
      changed(whole, ledgerKeys.checkpoint(3), (note) => Buffer.from(note.toString().replace('\n3\n', '\n4\n'))),
      'INVALID',
      'checkpoint',
    ],
    [
      'no checkpoint in its place',
      changed(whole, ledgerKeys.checkpoint(3), () => Buffer.from('no note')),
      'INVALID',
      'checkpoint',
    ],
    ['a checkpoint taken away', without(whole, ledgerKeys.checkpoint(3)), 'INVALID', 'checkpoint'],
    ['the ledger taken away', without(whole, 'ledger/'), 'UNVERIFIABLE', 'ledger'],
    ['the sequence taken away', without(whole, 'ledger/seq/'), 'INVALID', 'checkpoint'],
    [
      'an object of the sequence behind a missing one',
      changed(whole, ledgerKeys.sequence(7), () => Buffer.from('x\n')),
      'INVALID',
      'entry',
    ],
    ...kindRows(),
    ...flips,
  ]
}

/** Whatever an entry says, it counts, is signed and is numbered. */
function kindRows(): Row[] {
  const all = lines(kinds.store)
  const altered = all.map((line) => line.replace('"gateway":"gw1"', '"gateway":"gw1-2"'))
  const bare = without(kinds.store, 'ledger/checkpoint/')
  const everySecond = (rest: number): MemoryStore =>
    withLines(
      bare,
      all.filter((_, index) => index % 2 === rest),
    )
  return [
    ['entries of every kind', kinds.store, 'DELETED-BY-POLICY'],
    ['… as they are written today', kindsToday, 'DELETED-BY-POLICY'],
    ['… each altered', withLines(kinds.store, altered), 'INVALID', 'entry'],
    ['… the even ones removed', everySecond(0), 'INVALID', 'numbering'],
    ['… the odd ones removed', everySecond(1), 'INVALID', 'numbering'],
  ]
}

/** Everything that is not a sentence. */
function told({ path: _, tapes, ledger, ...rest }: Verification): unknown {
  const wordless = <T extends Pick<TapeVerification, 'problems'>>(one: T): unknown => ({
    ...one,
    problems: one.problems.map(({ what: _what, ...problem }) => problem),
  })
  return { ...rest, tapes: tapes.map(wordless), ledger: ledger === null ? null : wordless(ledger) }
}

test('what the ledger tells of removed, cut and replaced tapes, and of itself, every verifier says alike', async (t) => {
  const table = rows()
  const folders = table.map(([, store]) => gallery.add(store.objects))
  const [own = [], ...others] = await gallery.all(t, folders)
  for (const [index, [name, , verdict, part]] of table.entries()) {
    const result = own[index]
    const problems = [...(result?.ledger?.problems ?? []), ...(result?.tapes.flatMap((tape) => tape.problems) ?? [])]
    assert.equal(result?.verdict, verdict, `${name}: ${JSON.stringify(problems)}`)
    if (part !== undefined)
      assert.ok(
        problems.some((one) => one.part === part && one.verdict === verdict),
        `${name}: ${JSON.stringify(problems)}`,
      )
    for (const results of others) assert.deepEqual(results[index] && told(results[index]), result && told(result), name)
  }
})

test('a tail cut and sealed anew with a stolen current key looks whole by itself, and is INVALID by the ledger’s last interim', async (t) => {
  const lists = [['a', 'b'], ['c'], ['d', 'e', 'f']]
  const forged = await forgeTape(folder.signer, lists)
  const [c0, c1, c2] = forged.chunks
  const key = forged.keys[2]
  assert.ok(c0 !== undefined && c1 !== undefined && c2 !== undefined && key !== undefined)
  const next = makeKey()
  const other = forgeChunk({ n: 2, firstSeq: 3, texts: ['x', 'y', 'z'], prev: c1.head, key, next })
  const seal = forgeSeal([c0, c1, other], ['a', 'b', 'c', 'x', 'y', 'z'], next)
  const store = forged.write([c0.record, c1.record, other.record, seal])
  const alone = gallery.add(store.objects)
  const tapeAlone = `${alone}/tapes/${ID}`
  // An index is missing, which a thief of keys could make as well.
  for (const [result] of await gallery.all(t, [tapeAlone]))
    assert.deepEqual(
      result?.tapes[0]?.problems.map(({ part }) => part),
      ['footer'],
    )
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer: folder.signer })
  await ledger.append({ type: 'gateway.start', version: '0', node: 'v24' })
  await ledger.append({
    type: 'session.open',
    session: ID,
    number: 1,
    header: forged.headerHash,
    identity: 'agent-7',
    target: 'shop',
    policy: 'ab'.repeat(32),
    durability: 'process',
  })
  const point = { chunks: 3, frames: 6, head: c2.head.toString('hex') }
  const root = Buffer.from(interimRoot(nodeTools, new Map([[ID, point]]))).toString('hex')
  await ledger.append({
    type: 'gateway.interim',
    open: 1,
    root,
    tapes: [[ID, point.chunks, point.frames, point.head]],
  })
  await ledger.close()
  for (const [result] of await gallery.all(t, [gallery.add(store.objects)])) {
    assert.equal(result?.ledger?.verdict, 'VALID', JSON.stringify(result?.ledger))
    assert.equal(result.verdict, 'INVALID')
    assert.match(result.tapes[0]?.problems.at(-1)?.what ?? '', /chunk 2 of the tape was another/)
  }
  const cut = forged.write([c0.record, c1.record, forgeSeal([c0, c1], ['a', 'b', 'c'], key)])
  for (const [name, bytes] of store.objects) if (name.startsWith('ledger/')) cut.objects.set(name, bytes)
  for (const [result] of await gallery.all(t, [gallery.add(cut.objects)]))
    assert.match(result?.tapes[0]?.problems.at(-1)?.what ?? '', /its end was cut off/)
})

test('a recording that fell silent with open tapes is named by every verifier, at the time the copy was made', async (t) => {
  const path = gallery.add(running.objects)
  const later = new Date(Date.now() + 120_000).toISOString()
  for (const [result] of await gallery.all(t, [path], later)) {
    assert.equal(result?.ledger?.verdict, 'VALID-INCOMPLETE', JSON.stringify(result?.ledger))
    assert.deepEqual([result.ledger.writers[0]?.state, result.ledger.problems.map(({ part }) => part)], ['silent', ['interim']])
  }
})

test('what is an entry and what is malformed every verifier decides alike, and what the log is called', async (t) => {
  const statement = { v: 1, type: 'x', gateway: 'stranger', n: 1, at: '2026-11-28T00:00:00.000Z', sessions: 0 }
  const said = (part: object, more = ''): string => JSON.stringify({ ...statement, ...part }).replace(/\}$/, `${more}}`)
  const nested = (depth: number): string => said({}, `,"a":${'['.repeat(depth)}"[\\"["${']'.repeat(depth)}`)
  const entries = [
    said({}),
    said({ at: '2024-02-29T23:59:59Z' }),
    nested(14),
    said({}, `,"a":${'9'.repeat(5000)}`),
    said({}).replace('"n":1', '"n":1.0'),
  ]
  const malformed = [
    ...['2026', '2026-11-28T00:00:00+01:00', '2026-02-30T00:00:00.000Z', '2026-02-20T24:00:00Z', '0000-01-01T00:00:00Z'].map(
      (at) => said({ at }),
    ),
    said({ at: '\u0662\u0660\u0662\u0666-11-28T00:00:00Z' }),
    nested(15),
    nested(20_000),
    said({ v: true }),
  ]
  const line = (text: string): string => `[${text},"0000000000000000","AAAA"]`
  const added = (text: string): MemoryStore => withLines(whole, [...lines(whole), line(text)])
  const origins = ['\ufefflog.example/test\n', ' log.example/test\n', 'log.example/test\u001c\n', 'log.example/test\n\n']
  const renamed = origins.map((origin) => changed(whole, ledgerKeys.origin, () => Buffer.from(origin)))
  const stores = [...[...entries, ...malformed].map(added), ...renamed]
  const [own = [], ...others] = await gallery.all(
    t,
    stores.map((store) => gallery.add(store.objects)),
  )
  assert.deepEqual(
    own.map(({ verdict, ledger }) => [verdict, ledger?.malformed]),
    [...entries.map(() => ['UNVERIFIABLE', 0]), ...malformed.map(() => ['VALID', 1]), ...renamed.map(() => ['INVALID', 0])],
  )
  for (const results of others) assert.deepEqual(results.map(told), own.map(told))
})

test('a ledger by keys nobody trusts is UNVERIFIABLE in every verifier', async (t) => {
  using other = new Gallery([makeSigner()])
  const path = other.add(whole.objects)
  const [own, ...others] = (await other.all(t, [path])).map(([result]) => result && told(result))
  assert.equal((own as Verification).verdict, 'UNVERIFIABLE')
  for (const result of others) assert.deepEqual(result, own)
})
