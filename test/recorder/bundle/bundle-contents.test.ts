import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { SMALL_SIZE } from '../../../recorder/bundle/small-pack.ts'
import { verifyBundleAt } from '../../../recorder/bundle/verify-bundle.ts'
import { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import { keepPolicy } from '../../../recorder/policy-texts.ts'
import { readCsv } from '../../../schemas/csv.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import type { BundleVerification } from '../../../schemas/verify/bundle-verification.ts'
import { type BundleRig, bundleRig, sha256Of, unpack } from '../../support/bundle-rig.ts'
import { clientHere } from '../../support/clients.ts'
import { timestampAuthority } from '../../support/timestamp-authority.ts'
import { Gallery } from '../../support/verifiers.ts'

let rig: BundleRig
let gallery: Gallery
before(async () => {
  rig = await bundleRig()
  gallery = new Gallery([rig.folder.signer])
})
after(async () => {
  gallery[Symbol.dispose]()
  await rig[Symbol.asyncDispose]()
})

let count = 0
async function unpacked(path: string): Promise<string> {
  count += 1
  const folder = join(rig.folder.path, `contents-${count}`)
  await mkdir(folder)
  await unpack(path, folder)
  return folder
}

/** Of the two verifiers that a bundle brings. */
function everyReport(t: TestContext, path: string): readonly BundleVerification[] {
  const python = clientHere(t, 'python3')
  const reports = [...gallery.singleFile([path]), ...(python === undefined ? [] : gallery.python([path], python))]
  return reports as unknown as BundleVerification[] // of bundles they say what verifyBundle does
}

const OSCAL = `import json, sys
from oscal_bindings import AssessmentResultsDocument
AssessmentResultsDocument.model_validate(json.load(open(sys.argv[1])))
print("ok")`

test('controls as OSCAL assessment results: NIST’s schema takes them, they say where evidence is and that nothing is satisfied', async (t) => {
  for (const framework of ['soc2', 'iso27001', 'pci'] as const) {
    const folder = await unpacked((await rig.make(`oscal-${framework}.zip`, { framework })).path)
    const path = join(folder, 'controls/oscal-assessment-results.json')
    const text = await readFile(path, 'utf8')
    assert.doesNotMatch(text, /"(state|status)": "(not-)?satisfied"|"findings":/)
    const results = JSON.parse(text)['assessment-results'].results
    for (const { 'relevant-evidence': evidence } of results[0].observations)
      for (const { href } of evidence) await readFile(join(folder, 'controls', href))
    const python = clientHere(t, 'oscal')
    if (python === undefined) return
    const ran = spawnSync(python, ['-c', OSCAL, path], { encoding: 'utf8' })
    assert.equal(ran.stdout.trim(), 'ok', ran.stderr)
  }
})

test('the texts of the policies in force are there under their hashes; one that nobody kept is named; another text is a lie', async (t) => {
  const text = '{"rules":[],"version":1}'
  const hash = createHash('sha256').update(text).digest('hex')
  const store = rig.store.copy()
  const used = 'ab'.repeat(32)
  await keepPolicy(store, { hash, text })
  // What is there under the name of another is as good as nothing.
  store.objects.set(`policies/${used}.json`, Buffer.from(text))
  const folder = await unpacked((await rig.make('policies.zip', {}, store)).path)
  const rows = readCsv(await readFile(join(folder, 'policies/policies.csv'), 'utf8'))
  assert.deepEqual(
    rows.map((row) => [row.get('policy'), row.get('sessions'), row.get('kept')]),
    [[used, '6', 'no']],
  )

  const ledger = await StoreLedger.open({ store, gateway: 'gw1-cli', signer: rig.folder.signer })
  await ledger.append({ type: 'policy.activate', policy: hash })
  await ledger.publish()
  await ledger.close()
  const later = await unpacked((await rig.make('policies-later.zip', {}, store)).path)
  assert.equal(await readFile(join(later, `policies/${hash}.json`), 'utf8'), text)

  const lie = new Map([[`policies/${'0'.repeat(64)}.json`, async () => Buffer.from(text)]])
  const lied = await rig.make('policies-lie.zip', { files: lie })
  for (const { verdict, problems } of everyReport(t, lied.path)) {
    assert.equal(verdict, 'INVALID')
    assert.ok(problems.some(({ what }) => what === 'the policy is not the one of this name'))
  }
})

test('a cover on paper: a PDF of the same bytes whenever and wherever it is made, that says what the pages say', async (t) => {
  const zone = process.env['TZ']
  process.env['TZ'] = 'Pacific/Kiritimati'
  const made = await rig.make('cover-1.zip')
  const first = await unpacked(made.path)
  process.env['TZ'] = 'America/St_Johns'
  const other = await unpacked((await rig.make('cover-2.zip', { watermark: made.manifest.watermark.size })).path)
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
  const bytes = await readFile(join(first, 'cover.pdf'))
  assert.equal(sha256Of(bytes), sha256Of(await readFile(join(other, 'cover.pdf'))))
  assert.equal(bytes.subarray(0, 5).toString(), '%PDF-')
  const pdftotext = clientHere(t, 'pdftotext')
  if (pdftotext === undefined) return
  const ran = spawnSync(pdftotext, ['-layout', join(first, 'cover.pdf'), '-'], { encoding: 'utf8' })
  assert.equal(ran.status, 0, ran.stderr)
  assert.match(ran.stdout, /Audit bundle: SOC 2/)
  assert.match(ran.stdout, /6: session\.open entries of the period, signed/)
  assert.match(ran.stdout, new RegExp(`${rig.live}, live`))
  assert.match(ran.stdout, /CC8\.1 +Are changes of policy authorised\?/)
})

test('a small pack leaves out recordings it has no room for, says which, and all three verifiers say it too; one that is left out silently is missing', async (t) => {
  const store = rig.store.copy()
  const [large = ''] = rig.sealed
  const key = tapeKeys.segment(large, 0)
  // As good as a recording of 50 MB: it is damaged, and of that the bundle tells either way.
  store.objects.set(key, Buffer.concat([Buffer.from(store.objects.get(key) ?? assert.fail()), Buffer.alloc(SMALL_SIZE)]))
  const made = await rig.make('small.zip', { sampleSize: 6, small: true }, store)
  assert.deepEqual(made.leftOut, [large])
  assert.ok(made.size < SMALL_SIZE)
  assert.deepEqual(made.manifest.small, { maxSize: SMALL_SIZE, leftOut: [large] })
  assert.deepEqual(
    made.manifest.files.filter(({ path }) => path.startsWith(`tapes/${large}/`)),
    [],
  )
  const folder = await unpacked(made.path)
  assert.match(await readFile(join(folder, 'README.txt'), 'utf8'), /recordings of 1 sessions of the sample were left out/)
  assert.match(await readFile(join(folder, 'index.html'), 'utf8'), /left out of this small pack/)
  const reports = [await verifyBundleAt(made.path, { keys: [rig.folder.signer] }), ...everyReport(t, made.path)]
  for (const { verdict, problems } of reports) {
    assert.equal(verdict, 'VALID-INCOMPLETE', JSON.stringify(problems))
    assert.ok(problems.some(({ what }) => what === '1 recordings of the sample were left out of this small pack, as it says'))
  }
  const whole = await rig.make('small-whole.zip', { sampleSize: 6, small: true })
  assert.deepEqual([whole.leftOut, whole.manifest.small?.leftOut], [[], []])
  await assert.rejects(
    rig.make('small-none.zip', { small: true, files: new Map([['verify/large', async () => Buffer.alloc(SMALL_SIZE)]]) }),
    { code: 'CONFIG_INVALID', message: /take a shorter period/ },
  )
})

test('an authority states when the manifest was there: OpenSSL and the command believe it, and no other; without an answer there is a bundle, which says so', async (t) => {
  const openssl = clientHere(t, 'openssl')
  if (openssl === undefined) return
  await using authority = await timestampAuthority()
  await using stranger = await timestampAuthority()
  const timestamps = [
    { name: 'tsa-1', url: authority.url },
    { name: 'away', url: 'http://127.0.0.1:1/' },
  ]
  const made = await rig.make('stamped.zip', { timestamps })
  assert.deepEqual(
    made.timestamps.map(({ name, problem }) => [name, problem === undefined]),
    [
      ['tsa-1', true],
      ['away', false],
    ],
  )
  const verified = async (path: string, ...authorities: string[]) =>
    verifyBundleAt(path, { keys: [rig.folder.signer], authorities })
  const good = await verified(made.path, authority.ca)
  assert.equal(good.verdict, 'VALID-INCOMPLETE', JSON.stringify(good.problems))
  assert.match(good.timestamps[0]?.at ?? '', /^20\d\d-/)
  const strange = await verified(made.path, stranger.ca)
  assert.deepEqual([strange.verdict, strange.problems.at(-1)?.part], ['UNVERIFIABLE', 'timestamp'])
  const plain = await rig.make('plain.zip')
  assert.equal((await verified(plain.path, authority.ca)).verdict, 'UNVERIFIABLE')
  assert.equal(
    (await verifyBundleAt(made.path, { keys: [rig.folder.signer] })).timestamps[0]?.problem,
    'whose timestamps are to be believed was not told',
  )

  const folder = await unpacked(made.path)
  await writeFile(join(rig.folder.path, 'ca.pem'), authority.ca)
  const check = (manifest: string) =>
    spawnSync(
      openssl,
      [
        'ts',
        '-verify',
        '-data',
        manifest,
        '-in',
        join(folder, 'signatures/tsa-1.tsr'),
        '-CAfile',
        join(rig.folder.path, 'ca.pem'),
      ],
      { encoding: 'utf8' },
    )
  assert.match(check(join(folder, 'manifest.json')).stdout, /Verification: OK/)
  await writeFile(join(folder, 'other.json'), '{}')
  assert.notEqual(check(join(folder, 'other.json')).status, 0)
})
