import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { verifyTape } from '../../../recorder/index.ts'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import { webTools } from '../../../replay-ui/data/web-tools.ts'
import { type PickedFile, verifyFolder } from '../../../replay-ui/verifier/folder.ts'
import { ApplianceError } from '../../../schemas/errors.ts'
import { parseGatewayKeys } from '../../../schemas/gateway-keys.ts'
import { type Codec, tapeKeys } from '../../../schemas/tape.ts'
import type { TapeVerification, Verification } from '../../../schemas/verification.ts'
import type { ObjectSource } from '../../../schemas/verify/tools.ts'
import { type Attack, attacksOnChunks, attacksOnObjects, crashes, flips } from '../../support/attacks.ts'
import { clientHere } from '../../support/clients.ts'
import { attacksOnCodec } from '../../support/codec-attacks.ts'
import { forgeTape } from '../../support/forge.ts'
import { oddVersions, unsoundKeys } from '../../support/key-attacks.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'
import { oddRecoveries } from '../../support/recovery-attacks.ts'
import { oddFrames, oddShapes } from '../../support/shape-attacks.ts'
import { Gallery, PYTHON_VERIFIER } from '../../support/verifiers.ts'
import SIGNATURES from '../../vectors/signatures.json' with { type: 'json' }
import GO_NOTE from '../../vectors/signed-note.json' with { type: 'json' }

const TRY_NOTES = fileURLToPath(new URL('../../support/try_notes.py', import.meta.url))
const TRY_SIGNATURES = fileURLToPath(new URL('../../support/try_signatures.py', import.meta.url))

let folder: RecordingFolder
let gallery: Gallery
const attacks: Attack[] = []
let folders: string[] = []

before(async () => {
  folder = await recordingFolder()
  gallery = new Gallery([folder.signer])
  const tapes = {
    signer: folder.signer,
    forged: await forgeTape(folder.signer, [['a', 'b'], ['c'], ['d', 'e', 'f']]),
    ...(await recorded('gzip')),
  }
  attacks.push(...attacksOnChunks(tapes), ...attacksOnCodec(tapes), ...attacksOnObjects(tapes))
  attacks.push(
    ...oddFrames(tapes),
    ...oddShapes(tapes),
    ...unsoundKeys(tapes),
    ...oddVersions(tapes),
    ...(await oddRecoveries(tapes)),
  )
  attacks.push(...crashes(tapes, 211), ...flips(tapes, 173))
  folders = attacks.map(({ objects }) => gallery.add(objects))
})
after(async () => {
  gallery[Symbol.dispose]()
  await folder[Symbol.asyncDispose]()
})

/** A tape as the recorder writes it, in three segments of two chunks. */
async function recorded(codec: Codec): Promise<{ readonly recorded: MemoryStore; readonly id: string }> {
  const store = new MemoryStore()
  // Chunks end where the appends do, however slow the machine is.
  const limits = { segmentBlocks: 2, chunkAgeMs: 3_600_000 }
  const room = await folder.room({ gateway: `gw1-${codec}`, store, codec, limits })
  const { info, recorder } = await room.open(START)
  const masks = { labels: [['email', 'label:pii.email']] as const, spans: Buffer.alloc(16, 1) }
  const verdict = { act: 'mask', rules: ['label:pii.email'], policy: 'abcabcabcabc' } as const
  for (let n = 0; n < 6; n += 1) {
    const query = entry({ facts: { statements: 1 }, body: Buffer.from('select 1') })
    const rows = entry({ dir: 'out', facts: { rows: 2, share: 0.5 }, body: Buffer.from(`abc${n}`.repeat(200)), masks, verdict })
    // Not released: its statement counts, its rows do not.
    const refused = { act: n % 2 === 0 ? 'block' : 'hold', rules: ['no-bulk'], policy: 'abcabcabcabc' } as const
    const held = [entry({ ...query, verdict: refused }), entry({ ...rows, masks: null, verdict: refused })]
    const odd = entry({ dir: 'out', facts: { rows: -1.5, part: 'whole' } })
    await recorder.append([query, rows, ...held, odd, entry({ dir: 'note', body: Buffer.from('seen') })], { durable: true })
  }
  await recorder.seal('client.left')
  await room.close()
  return { recorded: store, id: info.id }
}

/** What all three must agree on: everything that is not a sentence. */
function told(result: Verification | undefined): unknown {
  const { path: _, tapes = [], ...rest } = result ?? {}
  const wordless = ({ problems, ...tape }: TapeVerification): unknown => ({
    ...tape,
    problems: problems.map(({ what: _what, ...problem }) => problem),
  })
  return { ...rest, tapes: tapes.map(wordless) }
}

function assertAsExpected(results: readonly Verification[]): void {
  const wrong: string[] = []
  for (const [index, { name, verdict, named }] of attacks.entries()) {
    const [tape] = results[index]?.tapes ?? []
    const found = tape?.problems.some((problem) =>
      Object.entries(named ?? {}).every(([key, value]) => isSame(problem, key, value)),
    )
    if (tape?.verdict !== verdict || (named !== undefined && found !== true))
      wrong.push(`${name}: ${tape?.verdict} ${JSON.stringify(tape?.problems)}`)
  }
  assert.deepEqual(wrong, [])
}

function isSame(problem: object, key: string, value: unknown): boolean {
  return JSON.stringify(Object.entries(problem).find(([name]) => name === key)?.[1]) === JSON.stringify(value)
}

describe('every attack on a tape, and every crash, in three verifiers', () => {
  let own: Verification[]
  before(async () => {
    own = await gallery.typescript(folders)
  })

  test('sallyport verify comes to the verdict, and names the place', () => assertAsExpected(own))

  test('so does the single file, which says the same in every field', () => {
    const results = gallery.singleFile(folders)
    assertAsExpected(results)
    for (const [index, { name }] of attacks.entries()) assert.deepEqual(told(results[index]), told(own[index]), name)
  })

  test('so does Python, which says the same in every field', (t) => {
    const python = clientHere(t, 'python3')
    if (python === undefined) return
    const results = gallery.python(folders, python)
    assertAsExpected(results)
    for (const [index, { name }] of attacks.entries()) assert.deepEqual(told(results[index]), told(own[index]), name)
  })
})

test('a file of trusted keys that is odd is refused by each, by file and line', (t) => {
  const good = readFileSync(gallery.keys, 'utf8')
  const odd = join(gallery.path, 'odd.pub')
  const python = clientHere(t, 'python3')
  const programs: readonly (readonly [string, string])[] = [
    [process.execPath, gallery.singleFilePath()],
    ...(python === undefined ? [] : [[python, PYTHON_VERIFIER] as const]),
  ]
  for (const [line, text] of [
    [1, `\ufeff${good}`],
    [2, `${good}gw2 not-base64!\n`],
    [2, `${good}gw2 ${Buffer.from(`302a300506032b657003210001${'00'.repeat(31)}`, 'hex').toString('base64')}\n`],
  ] as const) {
    writeFileSync(odd, text)
    assert.throws(() => parseGatewayKeys(text, odd), { message: new RegExp(`^${odd}:${line}: `) })
    for (const [program, script] of programs) {
      const { status, stderr } = spawnSync(program, [script, '--trust', odd, gallery.path], { encoding: 'utf8' })
      assert.equal(status, 2)
      assert.ok(stderr.includes(`${odd}:${line}: `), stderr)
    }
  }
})

const DENYING = `
import builtins, os
_open = builtins.open
def denied(path, *rest, **named):
    if str(path).endswith(os.environ["DENIED"]):
        raise PermissionError(13, "Permission denied")
    return _open(path, *rest, **named)
builtins.open = denied
`

test('an object that cannot be read is named and makes nothing INVALID; the rest is read', async (t) => {
  const { recorded: store, id } = await recorded('store')
  const middle = tapeKeys.segment(id, 1)
  const denied = (key: string): void => {
    if (key === middle) throw new ApplianceError('STORE_FAILED', 'permission denied')
  }
  const gatewayKeys = [folder.signer]
  const closed: ObjectSource = {
    list: (prefix) => store.list(prefix),
    size: async (key) => store.size(key),
    async get(key, range) {
      denied(key)
      return store.get(key, range)
    },
  }
  const picked = [...store.objects].map(([key, bytes]): [string, PickedFile] => [
    key,
    {
      size: async () => bytes.length,
      async read(from, to) {
        denied(key)
        return bytes.subarray(from, to)
      },
    },
  ])
  const results = [
    await verifyTape(closed, id, { gatewayKeys }),
    ...(await verifyFolder('picked', { files: new Map(picked), whole: false }, { keys: gatewayKeys })).tapes,
  ]
  const python = clientHere(t, 'python3')
  if (python !== undefined) {
    const path = gallery.add(store.objects)
    // Permissions do not stop root: the module that Python loads first does.
    writeFileSync(join(path, 'sitecustomize.py'), DENYING)
    const env = { PYTHONPATH: path, DENIED: middle }
    results.push(...gallery.python([path], python, env).flatMap(({ tapes }) => tapes))
  }
  for (const tape of results) {
    assert.equal(tape.verdict, 'UNVERIFIABLE', JSON.stringify(tape))
    assert.equal(tape.problems[0]?.object, middle)
    assert.deepEqual([tape.frames, tape.unattested, tape.state], [24, 12, 'sealed'])
  }
})

test('a segment of 100 GB costs no more than one of 320 MiB: what is behind is not read', { timeout: 60_000 }, async (t) => {
  const { recorded: store, id } = await recorded('gzip')
  const objects = new Map(store.objects)
  const key = tapeKeys.segment(id, 0)
  objects.set(key, Buffer.from(objects.get(key) ?? '').subarray(0, 1500))
  for (const after of [1, 2]) objects.delete(tapeKeys.segment(id, after))
  const path = gallery.add(objects)
  truncateSync(join(path, key), 100 * 2 ** 30)
  for (const [tape] of (await everyVerifier(t, path)).map(({ tapes }) => tapes)) {
    assert.equal(tape?.verdict, 'INVALID', JSON.stringify(tape))
    assert.ok(tape.problems.some(({ part, object, offset }) => part === 'segment' && object === key && offset === 320 << 20))
    assert.ok(tape.frames > 0)
  }
})

test('what stands among the tapes and is none of them is listed, and changes nothing', async (t) => {
  const { recorded: store, id } = await recorded('store')
  const extra = [`tapes/${id}/notes.txt`, 'tapes/README', 'tapes/old/thing.bin']
  const path = gallery.add(new Map([...store.objects, ...extra.map((key) => [key, Buffer.from('x')] as const)]))
  for (const { verdict, foreign, foreignCount, tapes } of await everyVerifier(t, path)) {
    assert.deepEqual([verdict, tapes.length, foreignCount], ['VALID', 1, 3])
    assert.deepEqual(foreign.map((key) => key.split('/').slice(0, 2).join('/')).sort(), [
      `tapes/${id}`,
      'tapes/README',
      'tapes/old',
    ])
  }
})

test('a copy of a session is verified under any name, anywhere', async (t) => {
  const { recorded: store, id } = await recorded('gzip')
  const copy = new Map([...store.objects].map(([key, bytes]) => [key.replace(`tapes/${id}`, 'evidence/for ana'), bytes]))
  const path = gallery.add(copy)
  for (const at of [join(path, 'evidence'), join(path, 'evidence/for ana'), join(path, 'evidence/for ana/0000.tape')]) {
    for (const { tapes } of await everyVerifier(t, at))
      assert.deepEqual(
        tapes.map(({ session, verdict }) => [session, verdict]),
        [[id, 'VALID']],
        at,
      )
  }
})

test('zstd in Python: with the command as everywhere; without a decoder nothing is called good or bad, and what to do is said', async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  const path = gallery.add((await recorded('zstd')).recorded.objects)
  const [whole] = gallery.python([path], python)
  assert.equal(whole?.verdict, 'VALID', JSON.stringify(whole))
  const bare = gallery.python([path], python, { SALLYPORT_VERIFY_ZSTD: 'none' })[0]?.tapes[0]
  assert.equal(bare?.verdict, 'UNVERIFIABLE')
  assert.match(bare.problems[0]?.what ?? '', /install the zstd command/)
})

test('signatures in Python: by its own arithmetic and by openssl the same, on published vectors and on what must be refused', async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined || clientHere(t, 'openssl') === undefined) return
  const vectors = JSON.stringify(SIGNATURES)
  const expected = SIGNATURES.cases.map(({ good }) => good)
  for (const way of ['python', 'openssl']) {
    const ran: SpawnSyncReturns<string> = spawnSync(python, ['-B', TRY_SIGNATURES, PYTHON_VERIFIER, way], {
      input: vectors,
      encoding: 'utf8',
    })
    assert.deepEqual(JSON.parse(ran.stdout || 'null'), expected, `${way}: ${ran.stderr}`)
  }
})

test('the same signatures by the other two verifiers’ means', async () => {
  const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
  for (const { name, spki, message, signature, good } of SIGNATURES.cases) {
    const key = bytes(spki)
    const algorithm = key.length === 44 ? 'Ed25519' : 'ES256'
    const is = [nodeTools, webTools].map((tools) => tools.verifyKey(key, algorithm, bytes(message), bytes(signature)))
    assert.deepEqual(await Promise.all(is), [good, good], name)
  }
})

test('a note signed by another implementation is verified in Python too, and only as it is', (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined || clientHere(t, 'openssl') === undefined) return
  const { key, note } = GO_NOTE
  const [text = '', signature = ''] = note.split('\n\n')
  const notes: readonly (readonly [note: string, answer: unknown])[] = [
    [note, 1],
    [`${note}${signature}`, 2],
    [note.replace('answer', 'cause'), null],
    [note.replaceAll('PeterNeumann', 'EnochRoot'), 0],
    [note.replace('x08go/ZJ', 'x08go/ZK'), null],
    [note.replace('x08go', 'x18go'), 0],
    [note.replace('— ', '- '), 'malformed'],
    [note.replace('nAM=', 'nAN='), 'malformed'],
    [`${text}\n`, 'malformed'],
    [note.slice(0, -1), 'malformed'],
    [note.replace('problem', 'pro\tblem'), 'malformed'],
  ]
  for (const way of ['python', 'openssl']) {
    const ran: SpawnSyncReturns<string> = spawnSync(python, ['-B', TRY_NOTES, PYTHON_VERIFIER, way], {
      input: JSON.stringify({ key, notes: notes.map(([one]) => one) }),
      encoding: 'utf8',
    })
    const expected = { id: key.split('+')[1], answers: notes.map(([, answer]) => answer) }
    assert.deepEqual(JSON.parse(ran.stdout || 'null'), expected, `${way}: ${ran.stderr}`)
  }
})

/** What each verifier that is here says of one folder. */
async function everyVerifier(t: TestContext, path: string): Promise<Verification[]> {
  return (await gallery.all(t, [path])).flat()
}
