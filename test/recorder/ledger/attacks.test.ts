import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import { openTape } from '../../../recorder/tape/reader.ts'
import type { OpenSession, RecorderRoom } from '../../../recorder/tape/room.ts'
import type { GatewaySigner } from '../../../recorder/tape/signer.ts'
import { verifyStore } from '../../../recorder/tape/verify-path.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import type { LedgerVerification, Problem, TapeVerification, VerifyVerdict } from '../../../schemas/verification.ts'
import { ledgerKeys } from '../../../schemas/verify/ledger-line.ts'
import { parseCheckpoint } from '../../../schemas/verify/note.ts'
import { makeSigner } from '../../support/ledger.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'
import { CHUNK_MAGIC, StoredChunks } from '../../support/stored-chunks.ts'

let folder: RecordingFolder
let signer: GatewaySigner
let sealed: string
let open: string
let whole: MemoryStore
/** While `open` is still open. */
let running: MemoryStore

before(async () => {
  folder = await recordingFolder()
  signer = folder.signer
  const store = new MemoryStore()
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer, origin: 'log.example/test' })
  await ledger.append({ type: 'gateway.start', version: '0', node: 'v24' })
  const stored = new StoredChunks(store)
  const room = await folder.room({ store, ledger, limits: { interimMs: 3_600_000 }, onStored: stored.onStored })
  sealed = await session(room, 3, true)
  await ledger.publish()
  const last = await room.open(START)
  open = last.info.id
  await record(last, 3)
  await stored.reached(open, 3)
  await room.interim()
  await ledger.publish()
  running = store.copy()
  await last.recorder.seal('client.left')
  await room.close()
  await ledger.append({ type: 'gateway.stop', reason: 'stopped' })
  await ledger.close()
  whole = store
})
after(() => folder[Symbol.asyncDispose]())

async function session(room: RecorderRoom, count: number, seal: boolean): Promise<string> {
  const opened = await room.open(START)
  await record(opened, count)
  if (seal) await opened.recorder.seal('client.left')
  return opened.info.id
}

/** Each durable append closes a chunk of its own. */
async function record({ recorder }: OpenSession, count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) await recorder.append([entry({ body: Buffer.from(`statement ${n}`) })], { durable: true })
}

interface Found {
  readonly verdict: VerifyVerdict
  readonly ledger: LedgerVerification
  readonly tapes: readonly TapeVerification[]
  readonly problems: readonly Problem[]
}

async function verify(
  store: MemoryStore,
  options: { readonly nowMs?: number; readonly trusted?: readonly GatewaySigner[] } = {},
): Promise<Found> {
  const { trusted = [signer], nowMs } = options
  const { tapes, ledger, verdict } = await verifyStore(store, 'the store', {
    gatewayKeys: trusted,
    ...(nowMs === undefined ? {} : { nowMs }),
  })
  assert.ok(ledger)
  const problems = [...ledger.problems, ...tapes.flatMap((tape) => tape.problems)]
  return { verdict, ledger, tapes, problems }
}

function lines(store: MemoryStore): string[] {
  return (store.objects.get(ledgerKeys.sequence(0))?.toString() ?? '').split('\n').slice(0, -1)
}

/** A copy in which the sequence is these lines. */
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

function at(list: readonly string[], type: string): number {
  const index = list.findIndex((line) => line.includes(`"type":"${type}"`))
  assert.ok(index >= 0, type)
  return index
}

function parts(found: Found): string[] {
  return [...new Set(found.problems.filter(({ verdict }) => verdict === 'INVALID').map(({ part }) => part))].sort()
}

test('a store as it was written is VALID, ledger and tapes', async () => {
  const found = await verify(whole)
  assert.deepEqual([found.verdict, found.problems], ['VALID', []])
  assert.deepEqual(
    found.ledger.writers.map(({ gateway, state, sessions, open: left }) => [gateway, state, sessions, left]),
    [['gw1', 'stopped', 2, 0]],
  )
  assert.equal(found.ledger.checkpoints, 3)
  assert.equal(found.ledger.checkpoint?.size, found.ledger.size)
})

test('a header carries the newest checkpoint, so a tape is not older than it says', async () => {
  const { header } = await openTape(whole, open)
  assert.equal(parseCheckpoint(header.checkpoint ?? new Uint8Array()).size, 3)
  assert.equal((await openTape(whole, sealed)).header.checkpoint, null)
})

describe('a whole session removed', () => {
  test('its tape: INVALID, and missing is not deleted', async () => {
    const found = await verify(without(whole, tapeKeys.prefix(sealed)))
    const tape = found.tapes.find((one) => one.session === sealed)
    assert.deepEqual([tape?.verdict, tape?.state], ['INVALID', 'missing'])
    assert.match(tape?.problems[0]?.what ?? '', /missing: it was sealed with 3 frames in 3 chunks/)
  })

  test('its tape while it was open: INVALID', async () => {
    const found = await verify(without(running, tapeKeys.prefix(open)))
    assert.deepEqual(found.tapes.find((one) => one.session === open)?.state, 'missing')
    assert.equal(found.verdict, 'INVALID')
  })

  test('with its entries in the ledger: INVALID by numbers and checkpoints', async () => {
    const store = without(whole, tapeKeys.prefix(sealed))
    const found = await verify(
      withLines(
        store,
        lines(whole).filter((line) => !line.includes(sealed)),
      ),
    )
    assert.equal(found.verdict, 'INVALID')
    assert.deepEqual(parts(found), ['checkpoint', 'ledger', 'numbering'])
  })

  test('with its entries and every checkpoint: INVALID by numbers', async () => {
    const store = without(without(whole, tapeKeys.prefix(sealed)), 'ledger/checkpoint/')
    const found = await verify(
      withLines(
        store,
        lines(whole).filter((line) => !line.includes(sealed)),
      ),
    )
    assert.deepEqual(parts(found), ['checkpoint', 'ledger', 'numbering'])
  })

  test('a tape of which the ledger never heard: INVALID', async () => {
    const changed = lines(whole).filter((line) => !(line.includes(sealed) && line.includes('session.open')))
    const found = await verify(withLines(whole, changed))
    assert.match(found.tapes[0]?.problems[0]?.what ?? '', /no session.open/)
  })

  test('by an act of retention: DELETED-BY-POLICY, which does not look like tampering', async () => {
    const store = whole.copy()
    const ledger = await StoreLedger.open({ store, gateway: 'gw1-cli', signer, publish: false })
    const told = { actor: 'otto', proof: 'key:k1', session: sealed, rule: 'after-90-days', objects: 2 }
    await ledger.append({ type: 'retention.delete', ...told })
    await ledger.close()
    const found = await verify(without(store, tapeKeys.prefix(sealed)))
    assert.equal(found.verdict, 'DELETED-BY-POLICY')
    assert.deepEqual(found.problems, [])
  })
})

describe('a tail cut', () => {
  test('behind the last interim of a tape still open: INVALID where the interim knew more, a crash where not', async () => {
    const key = tapeKeys.segment(open, 0)
    const bytes = running.objects.get(key) ?? Buffer.alloc(0)
    const chunk = bytes.lastIndexOf(CHUNK_MAGIC)
    const cut = running.copy()
    cut.objects.set(key, bytes.subarray(0, chunk))
    const found = await verify(cut)
    assert.equal(found.verdict, 'INVALID')
    assert.match(found.problems.find(({ part }) => part === 'ledger')?.what ?? '', /had 3 chunks with 3 frames in the store/)
    assert.equal((await verify(running)).tapes.find((one) => one.session === open)?.verdict, 'VALID-INCOMPLETE')
  })

  test('of a tape that was sealed, with its seal: INVALID', async () => {
    const copy = whole.copy()
    const key = tapeKeys.segment(open, 0)
    copy.objects.set(key, running.objects.get(key) ?? Buffer.alloc(0))
    const found = await verify(copy)
    assert.match(found.problems.find(({ part }) => part === 'ledger')?.what ?? '', /says the tape was sealed/)
    assert.equal(found.verdict, 'INVALID')
  })
})

describe('the ledger itself', () => {
  test('an entry altered: INVALID, and the entry is named', async () => {
    const changed = lines(whole).map((line) => line.replace('"target":"shop"', '"target":"shoq"'))
    const found = await verify(withLines(whole, changed))
    assert.equal(found.verdict, 'INVALID')
    assert.equal(found.ledger.problems.find(({ part }) => part === 'entry')?.entry, at(lines(whole), 'session.open'))
  })

  test('one flipped bit anywhere in the sequence: INVALID', async () => {
    const bytes = whole.objects.get(ledgerKeys.sequence(0)) ?? Buffer.alloc(0)
    for (let place = 0; place < bytes.length; place += 157) {
      const copy = whole.copy()
      const flipped = Buffer.from(bytes)
      flipped[place] = (flipped[place] ?? 0) ^ (1 << (place % 8))
      copy.objects.set(ledgerKeys.sequence(0), flipped)
      assert.equal((await verify(copy)).verdict, 'INVALID', `byte ${place}`)
    }
  })

  test('two entries reordered, and one twice: INVALID', async () => {
    const list = lines(whole)
    const [first, second, ...rest] = list
    const swapped = await verify(withLines(whole, [second ?? '', first ?? '', ...rest]))
    assert.ok(parts(swapped).includes('numbering'))
    const twice = await verify(withLines(without(whole, 'ledger/checkpoint/'), [...list, list.at(-1) ?? '']))
    assert.ok(parts(twice).includes('numbering'))
  })

  test('its end cut off: INVALID by the checkpoint, and without that by the tapes', async () => {
    const list = lines(whole)
    const before = at(list, 'session.close')
    const cut = await verify(withLines(whole, list.slice(0, before)))
    assert.match(cut.ledger.problems.at(-1)?.what ?? '', /rolled back/)
    const alone = await verify(withLines(without(whole, 'ledger/checkpoint/'), list.slice(0, before)))
    assert.equal(alone.verdict, 'INVALID')
    assert.ok(parts(alone).includes('ledger'))
  })

  test('rolled back and continued by somebody who holds the gateway’s key: INVALID as far as a checkpoint or a tape knew more', async () => {
    const store = withLines(without(whole, 'ledger/checkpoint/'), lines(whole).slice(0, 1))
    const fork = await StoreLedger.open({ store, gateway: 'gw1', signer })
    await fork.append({ type: 'key.revoke', key: 'k1' })
    await fork.append({ type: 'key.revoke', key: 'k2' })
    await fork.append({ type: 'key.revoke', key: 'k3' })
    await fork.close()
    const found = await verify(store)
    assert.equal(found.verdict, 'INVALID')
    assert.ok(found.problems.some(({ what }) => what.includes('not this ledger')))
    // The checkpoints of before, kept elsewhere, tell it from the ledger alone.
    for (const [key, bytes] of whole.objects) if (key.startsWith('ledger/checkpoint/')) store.objects.set(key, bytes)
    assert.ok((await verify(store)).ledger.problems.some(({ what }) => what.includes('fork')))
  })

  test('a checkpoint forged, changed, or taken away: INVALID', async () => {
    const key = ledgerKeys.checkpoint(3)
    const bytes = whole.objects.get(key)?.toString() ?? ''
    const copy = whole.copy()
    copy.objects.set(key, Buffer.from(bytes.replace('\n3\n', '\n4\n')))
    assert.equal((await verify(copy)).verdict, 'INVALID')
    copy.objects.set(key, Buffer.from('no note'))
    assert.equal((await verify(copy)).verdict, 'INVALID')
    // The interim has seen it.
    copy.objects.delete(key)
    assert.match((await verify(copy)).ledger.problems[0]?.what ?? '', /which a gateway has seen, is not there/)
  })

  test('all of it taken away: never a pass', async () => {
    const found = await verify(without(whole, 'ledger/'))
    assert.equal(found.verdict, 'UNVERIFIABLE')
    const sequence = await verify(without(whole, 'ledger/seq/'))
    assert.equal(sequence.verdict, 'INVALID')
  })

  test('by keys nobody trusts: UNVERIFIABLE', async () => {
    assert.equal((await verify(whole, { trusted: [makeSigner()] })).verdict, 'UNVERIFIABLE')
    assert.equal((await verify(whole, { trusted: [] })).verdict, 'UNVERIFIABLE')
  })
})

describe('a recording that stops silently', () => {
  test('with open tapes is named, and not complete; one that is running is neither', async () => {
    const now = Date.now()
    const later = await verify(running, { nowMs: now + 120_000 })
    assert.deepEqual(
      later.ledger.problems.map(({ verdict, part }) => [verdict, part]),
      [['VALID-INCOMPLETE', 'interim']],
    )
    assert.match(later.ledger.problems[0]?.what ?? '', /gw1 was last heard of at .* with 1 open sessions/)
    assert.equal(later.ledger.writers[0]?.state, 'silent')
    const live = await verify(running, { nowMs: now })
    assert.deepEqual([live.ledger.verdict, live.ledger.writers[0]?.state], ['VALID', 'running'])
  })
})
