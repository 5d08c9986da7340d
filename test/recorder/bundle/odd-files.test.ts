import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import type { LedgerEntry } from '../../../schemas/ledger.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import type { Verification, VerifyVerdict } from '../../../schemas/verification.ts'
import { interimRoot } from '../../../schemas/verify/ledger-facts.ts'
import { ledgerKeys } from '../../../schemas/verify/ledger-line.ts'
import { clientHere } from '../../support/clients.ts'
import { FOLDER_ATTACKS } from '../../support/folder-attacks.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'
import { Gallery, PYTHON_VERIFIER } from '../../support/verifiers.ts'

let folder: RecordingFolder
let gallery: Gallery
let session: string
const store = new MemoryStore()

before(async () => {
  folder = await recordingFolder()
  gallery = new Gallery([folder.signer])
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer: folder.signer })
  await ledger.append({ type: 'gateway.start', version: '0', node: 'v24' })
  await ledger.publish()
  const room = await folder.room({ store, ledger, codec: 'gzip' })
  const { info, recorder } = await room.open(START)
  session = info.id
  await recorder.append([entry({ body: Buffer.from('select 1') })], { durable: true })
  await recorder.seal('client.left')
  await room.close()
  await ledger.append({ type: 'gateway.stop', reason: 'stopped' })
  await ledger.close()
})
after(async () => {
  gallery[Symbol.dispose]()
  await folder[Symbol.asyncDispose]()
})

/** Puts a link where the object was, which lies on beside the store. */
function linked(path: string, key: string): void {
  renameSync(join(path, key), join(path, 'elsewhere'))
  symlinkSync(join(path, 'elsewhere'), join(path, key))
}

function pipe(path: string, key: string): void {
  rmSync(join(path, key), { recursive: true, force: true })
  assert.equal(spawnSync('mkfifo', [join(path, key)]).status, 0)
}

type Row = readonly [name: string, VerifyVerdict, change: (path: string) => void]

test('only regular files in real folders are objects: links, pipes and folders in their place are not followed, not waited for, and end nothing', async (t) => {
  const tape = tapeKeys.segment(session, 0)
  const own = `tapes/${session}`
  const rows: Row[] = [
    ['a session’s folder is a link', 'INVALID', (path) => linked(path, own)],
    ['a segment is a link', 'INVALID', (path) => linked(path, tape)],
    ['the salt is a link', 'UNVERIFIABLE', (path) => linked(path, tapeKeys.salt(session))],
    ['the sequence is a link', 'INVALID', (path) => linked(path, ledgerKeys.sequence(0))],
    ['a segment is a pipe', 'INVALID', (path) => pipe(path, tape)],
    ['the salt is a pipe', 'UNVERIFIABLE', (path) => pipe(path, tapeKeys.salt(session))],
    ['the sequence is a pipe', 'INVALID', (path) => pipe(path, ledgerKeys.sequence(0))],
    ['the ledger’s name is a pipe', 'INVALID', (path) => pipe(path, ledgerKeys.origin)],
    ['a checkpoint is a pipe', 'VALID', (path) => pipe(path, ledgerKeys.checkpoint(999))],
    ['a link that leads nowhere', 'VALID', (path) => symlinkSync('nowhere', join(path, 'tapes/none'))],
    ['a link to itself', 'VALID', (path) => symlinkSync('loop', join(path, 'tapes/loop'))],
    [
      'a segment is a folder',
      'INVALID',
      (path) => {
        rmSync(join(path, tape))
        mkdirSync(join(path, tape))
      },
    ],
    [
      'the ledger’s name is a folder',
      'INVALID',
      (path) => {
        rmSync(join(path, ledgerKeys.origin))
        mkdirSync(join(path, ledgerKeys.origin))
      },
    ],
    [
      'the ledger is a file',
      'UNVERIFIABLE',
      (path) => {
        rmSync(join(path, 'ledger'), { recursive: true })
        writeFileSync(join(path, 'ledger'), '')
      },
    ],
    [
      'folders of files among tapes, in a tape, and hidden ones',
      'VALID',
      (path) => {
        for (const place of ['tapes/other', `${own}/inner`, 'ledger/checkpoint/.hidden', 'ledger/seq/.hidden']) {
          mkdirSync(join(path, place))
          for (const name of place === `${own}/inner` ? ['0000.tape', '0001.tape', '0002.idx'] : ['one', 'two'])
            writeFileSync(join(path, place, name), 'x')
        }
      },
    ],
  ]
  const paths = rows.map(([, , change]) => {
    const path = gallery.add(store.objects)
    change(path)
    return path
  })
  const [first = [], ...others] = await gallery.all(t, paths)
  assert.deepEqual(
    first.map(({ verdict }, index) => [rows[index]?.[0], verdict]),
    rows.map(([name, verdict]) => [name, verdict]),
  )
  assert.deepEqual(first.at(-1)?.foreign, [`${own}/inner`, 'tapes/other'].sort())
  for (const results of others) assert.deepEqual(results.map(told), first.map(told))
})

test('a file of keys that is none is said so by the verifiers that stand alone, without a verdict', (t) => {
  const python = clientHere(t, 'python3')
  const keys = join(gallery.path, 'odd.pub')
  for (const text of ['gw1 !!!', 'one two three']) {
    writeFileSync(keys, text)
    const ran = spawnSync(process.execPath, [gallery.singleFilePath(), '--trust', keys, gallery.path], { encoding: 'utf8' })
    assert.deepEqual([ran.status, ran.stdout, ran.stderr.split('\n').length], [2, '', 2], ran.stderr)
    if (python === undefined) continue
    const other = spawnSync(python, ['-B', PYTHON_VERIFIER, '--trust', keys, gallery.path], { encoding: 'utf8' })
    assert.deepEqual([other.status, other.stdout], [2, ''], other.stderr)
    assert.doesNotMatch(other.stderr, /Traceback/)
  }
})

function told(result: Verification): unknown {
  return JSON.parse(JSON.stringify(result, (name, value: unknown) => (name === 'what' || name === 'path' ? undefined : value)))
}

async function withEntries(entries: readonly LedgerEntry[]): Promise<MemoryStore> {
  const copy = store.copy()
  const ledger = await StoreLedger.open({ store: copy, gateway: 'gw1-cli', signer: folder.signer, publish: false })
  for (const one of entries) await ledger.append(one)
  await ledger.close()
  return copy
}

function without(from: MemoryStore, prefix: string): MemoryStore {
  const copy = from.copy()
  for (const key of copy.objects.keys()) if (key.startsWith(prefix)) copy.objects.delete(key)
  return copy
}

/** Everything that is not a sentence. */
function wordless(result: Verification | undefined): unknown {
  return JSON.parse(JSON.stringify(result, (name, value: unknown) => (name === 'what' || name === 'path' ? undefined : value)))
}

test('a stranger’s signature line on a checkpoint is passed over; blanks and controls in its name make it none, to everybody', async (t) => {
  const key = [...store.objects.keys()].find((one) => one.startsWith(ledgerKeys.checkpointPrefix)) ?? assert.fail()
  const lines = [
    ...['werd', 'we\u{1f600}rd', 'we\ue000rd'].map((name) => [`— ${name} AAAAAAAAAAAA\n`, 'VALID'] as const),
    ...['\u0085', '\ufeff', '\u00a0', '\u2028', '\u180e', '\u200b', '\u007f', '\u001c', '\u3000', '+'].map(
      (odd) => [`— we${odd}rd AAAAAAAAAAAA\n`, 'INVALID'] as const,
    ),
    ['— a AAAA\u0085AAAA\n', 'INVALID'] as const,
  ]
  const folders = lines.map(([line]) => {
    const copy = store.copy()
    copy.objects.set(key, Buffer.concat([Buffer.from(copy.objects.get(key) ?? ''), Buffer.from(line)]))
    return gallery.add(copy.objects)
  })
  const [own = [], ...others] = await gallery.all(t, folders)
  assert.deepEqual(
    own.map(({ verdict }) => verdict),
    lines.map(([, verdict]) => verdict),
  )
  for (const results of others) assert.deepEqual(results.map(wordless), own.map(wordless))
})

test('what somebody did to a folder itself every verifier says alike', { timeout: 120_000 }, async (t) => {
  const folders = FOLDER_ATTACKS.map(({ change }) => {
    const path = gallery.add(store.objects)
    change(path, session)
    return path
  })
  // The folder itself may be a link.
  const [first = ''] = folders
  symlinkSync(first, `${first}-link`)
  const rows = [...FOLDER_ATTACKS, { name: 'the folder itself, by a link', verdict: 'VALID', foreign: 0 }]
  const [own = [], ...others] = await gallery.all(t, [...folders, `${first}-link`])
  for (const [index, { name, verdict, foreign = 0 }] of rows.entries()) {
    const result = own[index]
    assert.deepEqual([result?.verdict, result?.foreignCount], [verdict, foreign], `${name}: ${JSON.stringify(result)}`)
    for (const results of others) assert.deepEqual(results[index] && wordless(results[index]), result && wordless(result), name)
  }
})

test('what entries say in odd texts every verifier takes for the same', async (t) => {
  const head = 'cd'.repeat(32)
  const interim = (sessions: readonly string[]): LedgerEntry => {
    const open = new Map(sessions.map((session) => [session, { chunks: 1, frames: 1, head }]))
    const root = Buffer.from(interimRoot(nodeTools, open)).toString('hex')
    return { type: 'gateway.interim', open: open.size, root, tapes: sessions.map((session) => [session, 1, 1, head]) }
  }
  const start: LedgerEntry = { type: 'gateway.start', version: '0', node: 'v24' }
  const stop: LedgerEntry = { type: 'gateway.stop', reason: 'stopped' }
  const grown = async (...entries: readonly unknown[]): Promise<MemoryStore> => withEntries(entries as readonly LedgerEntry[])
  const act = { actor: 'otto', proof: 'key:k1', session, reason: 'audit' }
  const held = async (set: unknown, clear: unknown): Promise<MemoryStore> =>
    without(
      await grown(
        { type: 'hold.set', ...act, matter: set },
        { type: 'hold.clear', ...act, ...(clear === undefined ? {} : { matter: clear }) },
        { type: 'retention.delete', ...act, rule: 'after-90-days', objects: 2 },
      ),
      tapeKeys.prefix(session),
    )
  const long = 'x'.repeat(200)
  const rows: readonly (readonly [name: string, store: MemoryStore, verdict: VerifyVerdict])[] = [
    ['an interim of half a surrogate', await grown(start, interim(['\ud800']), stop), 'VALID'],
    ['an interim beyond the basic plane', await grown(start, interim(['\ue000', '\u{1f600}', 'a']), stop), 'VALID'],
    ['a hold cleared', await held('a', 'a'), 'DELETED-BY-POLICY'],
    ['a hold whose matter differs behind 200 characters', await held(`${long}a`, `${long}b`), 'INVALID'],
    ['a hold whose matter is null', await held(null, undefined), 'INVALID'],
    ['a hold whose matter is a number, cleared by another', await held(1, 1.5), 'INVALID'],
    ['a hold whose matter is a list, cleared by a map', await held([], {}), 'INVALID'],
  ]
  const [own = [], ...others] = await gallery.all(
    t,
    rows.map(([, store]) => gallery.add(store.objects)),
  )
  for (const [index, [name, , verdict]] of rows.entries()) {
    const result = own[index]
    assert.equal(result?.verdict, verdict, `${name}: ${JSON.stringify(result)}`)
    for (const results of others) assert.deepEqual(results[index] && wordless(results[index]), result && wordless(result), name)
  }
})
