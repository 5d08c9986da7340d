import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import type { Verification, VerifyVerdict } from '../../../schemas/verification.ts'
import { ledgerKeys } from '../../../schemas/verify/ledger-line.ts'
import { clientHere } from '../../support/clients.ts'
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
  const room = await folder.room({ store, ledger, codec: 'gzip' })
  const { info, recorder } = await room.open(START)
  session = info.id
  await recorder.append([entry({ body: Buffer.from('select 1') })], { durable: true })
  await recorder.seal('client.left')
  await room.close()
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
      'VALID',
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
          for (const name of ['one', 'two']) writeFileSync(join(path, place, name), 'x')
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
