import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { verifyStore } from '../../../recorder/index.ts'
import { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import type { Store } from '../../../recorder/store/store.ts'
import { type PickedFile, verifyFolder } from '../../../replay-ui/verifier/folder.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import type { Problem, Verification } from '../../../schemas/verification.ts'
import { ledgerKeys } from '../../../schemas/verify/ledger-line.ts'
import { clientHere } from '../../support/clients.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'
import { Gallery } from '../../support/verifiers.ts'

// Permissions stop no root: what cannot be read is made so where each verifier reads.

let folder: RecordingFolder
let gallery: Gallery
/** Of three segments. */
let session: string
let newest: number
const store = new MemoryStore()

before(async () => {
  folder = await recordingFolder()
  gallery = new Gallery([folder.signer])
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer: folder.signer })
  await ledger.append({ type: 'gateway.start', version: '0', node: 'v24' })
  await ledger.publish()
  const limits = { segmentBlocks: 2, chunkAgeMs: 3_600_000, interimMs: 3_600_000 }
  const room = await folder.room({ store, ledger, codec: 'gzip', limits })
  const record = async (chunks: number): Promise<string> => {
    const { info, recorder } = await room.open(START)
    for (let n = 0; n < chunks; n += 1) await recorder.append([entry({ body: Buffer.from(`statement ${n}`) })], { durable: true })
    await room.interim()
    await recorder.seal('client.left')
    return info.id
  }
  session = await record(6)
  await record(1)
  await room.close()
  await ledger.append({ type: 'gateway.stop', reason: 'stopped' })
  await ledger.close()
  newest = ledger.size
})
after(async () => {
  gallery[Symbol.dispose]()
  await folder[Symbol.asyncDispose]()
})

function refuse(key: string, code: 'STORE_FAILED' | 'STORE_DENIED'): never {
  throw new ApplianceError(code, `reading of ${key} failed: permission denied`)
}

/** The store with one object, or one folder, that cannot be read. */
function closedStore(closed: string, code: 'STORE_FAILED' | 'STORE_DENIED'): Store {
  const check = (key: string): void => {
    if (key === closed || (closed.endsWith('/') && key.startsWith(closed))) refuse(key, code)
  }
  return {
    put: (key, bytes) => store.put(key, bytes),
    append: (key, position, bytes) => store.append(key, position, bytes),
    async *list(prefix) {
      if (closed.endsWith('/') && (closed.startsWith(prefix) || prefix.startsWith(closed))) refuse(prefix, code)
      yield* store.list(prefix)
    },
    async size(key) {
      check(key)
      return store.size(key)
    },
    async get(key, range) {
      check(key)
      return store.get(key, range)
    },
  }
}

async function picked(closed: string): Promise<Verification> {
  const files = new Map<string, PickedFile>()
  for (const [key, bytes] of store.objects) {
    if (closed.endsWith('/') && key.startsWith(closed)) continue
    const read = async (from: number, to: number): Promise<Uint8Array> =>
      key === closed ? refuse(key, 'STORE_FAILED') : bytes.subarray(from, to)
    files.set(key, { size: async () => bytes.length, read })
  }
  const unlisted = closed.endsWith('/') ? new Map([[closed, 'permission denied']]) : new Map<string, string>()
  return verifyFolder('picked', { files, whole: true, closed: unlisted }, { keys: [folder.signer] })
}

const DENYING = `
import builtins, os
closed = "/" + os.environ["DENIED"]
def denying(of):
    def denied(path, *rest, **named):
        if closed in str(path) + "/" if closed.endswith("/") else str(path).endswith(closed):
            raise PermissionError(13, "Permission denied")
        return of(path, *rest, **named)
    return denied
builtins.open, os.scandir, os.lstat = denying(builtins.open), denying(os.scandir), denying(os.lstat)
`

type Row = readonly [closed: string, object: string, part: Problem['part'], of: 'tape' | 'ledger']

test('what cannot be read is named and makes nothing INVALID, whatever it would have said; the rest is read, and nothing passes', async (t) => {
  const rows: Row[] = [
    ...[0, 2].map((n): Row => [tapeKeys.segment(session, n), tapeKeys.segment(session, n), 'segment', 'tape']),
    [tapeKeys.salt(session), tapeKeys.salt(session), 'salt', 'tape'],
    [ledgerKeys.sequence(0), ledgerKeys.sequence(0), 'entry', 'ledger'],
    [ledgerKeys.origin, ledgerKeys.origin, 'entry', 'ledger'],
    [ledgerKeys.checkpoint(1), ledgerKeys.checkpoint(1), 'checkpoint', 'ledger'],
    [ledgerKeys.checkpoint(newest), ledgerKeys.checkpoint(newest), 'checkpoint', 'ledger'],
    [ledgerKeys.checkpointPrefix, ledgerKeys.checkpointPrefix, 'checkpoint', 'ledger'],
    [ledgerKeys.sequencePrefix, ledgerKeys.sequencePrefix, 'entry', 'ledger'],
    ['ledger/', ledgerKeys.sequencePrefix, 'entry', 'ledger'],
  ]
  const python = clientHere(t, 'python3')
  const path = gallery.add(store.objects)
  writeFileSync(join(path, 'sitecustomize.py'), DENYING)
  for (const [closed, object, part, of] of rows) {
    // The service's own refusal, and any other failure.
    const results = [await picked(closed)]
    for (const code of ['STORE_DENIED', 'STORE_FAILED'] as const)
      results.push(await verifyStore(closedStore(closed, code), 'store', { gatewayKeys: [folder.signer] }))
    if (python !== undefined) results.push(...gallery.python([path], python, { PYTHONPATH: path, DENIED: closed }))
    for (const [index, { verdict, tapes, ledger }] of results.entries()) {
      const at = `${closed}, ${index}: ${JSON.stringify({ tapes, ledger })}`
      assert.equal(verdict, 'UNVERIFIABLE', at)
      const problems = [...tapes.flatMap((tape) => tape.problems), ...(ledger?.problems ?? [])]
      assert.ok(
        problems.every((one) => one.verdict === 'UNVERIFIABLE'),
        at,
      )
      const named = of === 'ledger' ? ledger?.problems[0] : tapes[0]?.problems[0]
      assert.deepEqual([named?.part, named?.object], [part, object], at)
      assert.equal(tapes.filter((tape) => tape.verdict === 'VALID').length, of === 'ledger' ? 2 : 1, at)
      assert.equal(ledger?.verdict, of === 'ledger' ? 'UNVERIFIABLE' : 'VALID', at)
    }
  }
})
