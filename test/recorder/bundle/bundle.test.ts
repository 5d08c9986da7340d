import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { type BundleWish, createBundle } from '../../../recorder/bundle/create-bundle.ts'
import { verifyBundleAt } from '../../../recorder/bundle/verify-bundle.ts'
import { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import { BUNDLE_PATHS } from '../../../schemas/bundle.ts'
import { readCsv } from '../../../schemas/csv.ts'
import { tapeKeys } from '../../../schemas/tape.ts'
import { VERIFY_EXITS, type VerifyVerdict } from '../../../schemas/verification.ts'
import type { BundleVerification } from '../../../schemas/verify/bundle-verification.ts'
import type { GatewayKey } from '../../../schemas/verify/tools.ts'
import { type BundleRig, bundleRig, sha256Of, unpack } from '../../support/bundle-rig.ts'
import { clientHere } from '../../support/clients.ts'
import { recordingFolder } from '../../support/recording.ts'
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
  const folder = join(rig.folder.path, `unpacked-${count}`)
  await mkdir(folder)
  await unpack(path, folder)
  return folder
}

async function table(folder: string, path: string): Promise<readonly ReadonlyMap<string, string>[]> {
  return readCsv(await readFile(join(folder, path), 'utf8'))
}

/** What each of the three verifiers says of the paths, in this order. */
async function all(
  t: TestContext,
  paths: readonly string[],
  trust: { readonly keys: readonly GatewayKey[]; readonly gallery: Gallery } = { keys: [rig.folder.signer], gallery },
): Promise<(readonly BundleVerification[])[]> {
  const python = clientHere(t, 'python3')
  const typescript: BundleVerification[] = []
  for (const path of paths) {
    // The others know nothing of certificates.
    const { timestamps: _, ...report } = await verifyBundleAt(path, { keys: trust.keys })
    typescript.push(report)
  }
  const others = [trust.gallery.singleFile(paths), ...(python === undefined ? [] : [trust.gallery.python(paths, python)])]
  return [typescript, ...(others as unknown as BundleVerification[][])] // of bundles they say what verifyBundle does
}

test('a bundle tells of every session of the period whatever became of it, and all three verifiers come to the same report', async (t) => {
  const made = await rig.make('whole.zip', { sampleSize: 4 })
  const folder = await unpacked(made.path)
  const sessions = await table(folder, BUNDLE_PATHS.sessions)
  assert.deepEqual(
    Object.fromEntries(sessions.map((row) => [row.get('session'), row.get('state')])),
    Object.fromEntries([...rig.sealed.map((id) => [id, 'whole']), [rig.deleted, 'deleted'], [rig.live, 'live']]),
  )
  assert.deepEqual([...new Set(sessions.map((row) => row.get('verdict')))], ['VALID', ''])
  const gaps = await table(folder, 'ipe/gaps.csv')
  assert.deepEqual(gaps.map((row) => row.get('state')).sort(), ['deleted', 'live'])
  const { counters } = JSON.parse(await readFile(join(folder, 'ipe/completeness.json'), 'utf8'))
  assert.deepEqual([counters.ledger.sessions, counters.numbers.sessions, counters.store.sessions], [6, 6, 5])

  const drops = await table(folder, BUNDLE_PATHS.decisions)
  assert.deepEqual(
    drops.map((row) => [row.get('session'), row.get('frame'), row.get('what'), row.get('rules')]),
    rig.sealed.map((id) => [id, '6', 'blocked', 'no-drop']),
  )
  const { figures } = made.manifest
  const figure = (id: string): number | undefined => figures.find((one) => one.id === id)?.value
  assert.deepEqual(
    ['sessions', 'tapes-whole', 'blocked', 'rows', 'approval-requests', 'views', 'deletions'].map(figure),
    [6, 4, 4, 24, 1, 1, 1],
  )
  const [access, ...more] = await table(folder, 'reviews/access-review.csv')
  assert.deepEqual(
    [
      more.length,
      ...['identity', 'kind', 'target', 'sessions', 'rows', 'blocked', 'reviewer'].map((column) => access?.get(column)),
    ],
    [0, 'agent-7', 'agent', 'shop', '6', '24', '4', ''],
  )
  assert.match(
    await readFile(join(folder, 'custody/certification.txt'), 'utf8'),
    /: 6 sessions, of which 4 have a whole recording/,
  )
  const custody = await readFile(join(folder, 'custody/custody.csv'), 'utf8')
  assert.match(custody, /,'=otto,key:k1,"a look, ""quoted""",/, 'a text that would be a formula is none')

  const reports = await all(t, [made.path, folder])
  for (const [packed, open] of reports) {
    assert.equal(packed?.verdict, 'VALID-INCOMPLETE', JSON.stringify(packed?.problems))
    assert.deepEqual({ ...packed, path: '' }, { ...open, path: '' })
    const { problems, sampled, ...rest } = packed
    const [{ problems: wanted, sampled: tapes, ...same } = assert.fail()] = reports[0] ?? []
    assert.deepEqual({ ...rest, path: '' }, { ...same, path: '' })
    assert.deepEqual(
      problems.map(({ what }) => what),
      wanted.map(({ what }) => what),
    )
    assert.deepEqual(
      sampled.map(({ session, verdict, frames }) => [session, verdict, frames]),
      tapes.map(({ session, verdict, frames }) => [session, verdict, frames]),
    )
  }
  const [{ sampled, made: by } = assert.fail()] = reports[0] ?? []
  assert.ok(sampled.length > 0 && sampled.every(({ verdict }) => verdict === 'VALID'))
  assert.match(by ?? '', /^made \S+Z, by ada$/)
})

test('the ledger is told what leaves, and of whom', async () => {
  rig.told.splice(0)
  const made = await rig.make('told.zip', { by: { actor: 'ada', proof: 'os', reason: 'SOC 2 2026' } })
  const { period, watermark } = made.manifest
  assert.deepEqual(rig.told, [
    {
      type: 'export.create',
      actor: 'ada',
      proof: 'os',
      format: `bundle soc2 ${period.from}/${period.to}`,
      sha256: made.sha256,
      sessionIds: made.sampled,
      sessionCount: 6,
      reason: 'SOC 2 2026',
    },
  ])
  assert.equal(watermark.origin, 'log.example/test')
})

test('two bundles of one watermark are the same bytes but for signatures/, in another time zone and with other workers, also when the log has grown since', async () => {
  const first = await rig.make('first.zip', { workers: 1 })
  const later = rig.store.copy()
  const ledger = await StoreLedger.open({ store: later, gateway: 'gw1-cli', signer: rig.folder.signer })
  await ledger.append({ type: 'evidence.search', actor: 'eve', proof: 'os', query: {}, found: 1 })
  await ledger.publish()
  await ledger.close()
  const zone = process.env['TZ']
  process.env['TZ'] = 'Pacific/Kiritimati'
  let second: Awaited<ReturnType<typeof rig.make>>
  try {
    second = await rig.make('second.zip', { workers: 16, watermark: first.manifest.watermark.size }, later)
  } finally {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  }
  const [a, b] = [await readFile(first.path), await readFile(second.path)]
  // Its header, with the checksum of what it signs, has 30 bytes.
  const at = a.indexOf(BUNDLE_PATHS.note) - 30
  assert.ok(at > 0)
  assert.equal(sha256Of(a.subarray(0, at)), sha256Of(b.subarray(0, at)))
  assert.equal(second.sha256, first.sha256)
  const newest = await rig.make('newest.zip', {}, later)
  assert.notEqual(newest.sha256, first.sha256)
  // One other seed may draw the same of so few; four do not.
  const drawn = new Set<string>()
  for (const seed of ['seed-2', 'seed-3', 'seed-4', 'seed-5'])
    drawn.add(String((await rig.make(`${seed}.zip`, { seed })).sampled))
  assert.notDeepEqual([...drawn], [String(first.sampled)])
})

test('what is missing, damaged or unknown to the log is listed by name; a hole is never a smaller number', async (t) => {
  const [gone = '', cut = '', flipped = ''] = rig.sealed
  const store = rig.store.copy()
  for (const key of [...store.objects.keys()]) if (key.startsWith(tapeKeys.prefix(gone))) store.objects.delete(key)
  const change = (id: string, how: (bytes: Buffer) => Buffer): void => {
    const key = tapeKeys.segment(id, 0)
    store.objects.set(key, how(Buffer.from(store.objects.get(key) ?? assert.fail())))
  }
  change(cut, (bytes) => bytes.subarray(0, bytes.length - 200))
  change(flipped, (bytes) => {
    const at = Math.floor(bytes.length / 3)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    return bytes
  })
  const stray = '20261120T120000Z-gw9-00000001'
  store.objects.set(tapeKeys.segment(stray, 0), Buffer.from('x'))
  const made = await rig.make('holes.zip', { sampleSize: 6 }, store)
  const folder = await unpacked(made.path)
  const gaps = new Map((await table(folder, 'ipe/gaps.csv')).map((row) => [row.get('session'), row.get('state')]))
  assert.deepEqual(
    [gone, cut, flipped, stray].map((id) => gaps.get(id)),
    ['missing', 'damaged', 'damaged', 'unledgered'],
  )
  assert.equal((await table(folder, BUNDLE_PATHS.sessions)).length, 6)
  assert.match(await readFile(join(folder, 'index.html'), 'utf8'), new RegExp(`${gone}</td><td>missing`))
  for (const [report] of await all(t, [made.path])) {
    assert.equal(report?.verdict, 'INVALID', 'the damaged recordings were drawn, and are here')
    assert.deepEqual([report.tapes['missing'], report.tapes['damaged']], [1, 2])
  }
})

test('every lie is found by every verifier: a row, a figure, a line, a file, a sample, a signature', async (t) => {
  const made = await rig.make('lies.zip', { sampleSize: 4 })
  const text = (path: string, change: (text: string) => string) => async (folder: string) => {
    const before = await readFile(join(folder, path), 'utf8')
    const after = change(before)
    assert.notEqual(after, before, path)
    await writeFile(join(folder, path), after)
  }
  const manifest = text(BUNDLE_PATHS.manifest, (was) => was.replace('"value": 6', '"value": 7'))
  const rows: readonly (readonly [string, (folder: string) => Promise<void>, VerifyVerdict])[] = [
    ['a session left out', text(BUNDLE_PATHS.sessions, (was) => was.replace(/\n[^\n]*gw1-00000002[^\n]*/, '')), 'INVALID'],
    ['a live session called whole', text(BUNDLE_PATHS.sessions, (was) => was.replace(',live,', ',whole,')), 'INVALID'],
    ['a figure', manifest, 'INVALID'],
    ['an entry taken out', text(BUNDLE_PATHS.lines, (was) => was.slice(was.indexOf('\n') + 1)), 'INVALID'],
    ['an entry changed', text(BUNDLE_PATHS.lines, (was) => was.replace('"=otto"', '"=anna"')), 'INVALID'],
    ['a view left out', text('custody/custody.csv', (was) => was.replace(/\n[^\n]*evidence\.view[^\n]*/, '')), 'INVALID'],
    ['another sample', text(BUNDLE_PATHS.sample, (was) => was.replace(/\n {2}"[^"]*gw1[^"]*",?/, '')), 'INVALID'],
    ['a file more', (folder) => writeFile(join(folder, 'more.txt'), 'x'), 'INVALID'],
    ['a page among the signatures', (folder) => writeFile(join(folder, 'signatures/README.html'), 'x'), 'INVALID'],
    ['a timestamp more', (folder) => writeFile(join(folder, 'signatures/other-1.tsr'), 'x'), 'VALID-INCOMPLETE'],
    ['a file changed', (folder) => writeFile(join(folder, 'verify/README'), 'x'), 'INVALID'],
    [
      'no signature',
      text(BUNDLE_PATHS.note, (was) => `${was.slice(0, was.indexOf('\n\n'))}\n\n— a.example/x AAAAAAAAAA==\n`),
      'UNVERIFIABLE',
    ],
    [
      'a byte of a tape',
      async (folder) => {
        const [id = ''] = (await readdir(join(folder, 'tapes'))).sort()
        const path = join(folder, tapeKeys.segment(id, 0))
        const bytes = await readFile(path)
        bytes.writeUInt8(bytes.readUInt8(300) ^ 1, 300)
        await writeFile(path, bytes)
      },
      'INVALID',
    ],
  ]
  const folders: string[] = []
  for (const [, change] of rows) {
    const folder = await unpacked(made.path)
    await change(folder)
    folders.push(folder)
  }
  for (const reports of await all(t, folders))
    assert.deepEqual(
      reports.map(({ verdict, exit }, at) => [rows[at]?.[0], verdict, exit]),
      rows.map(([name, , verdict]) => [name, verdict, VERIFY_EXITS[verdict]]),
    )
})

test('keys of somebody else prove nothing: UNVERIFIABLE in every verifier; what contradicts itself is a lie whoever signed it', async (t) => {
  const other = await recordingFolder()
  const strangers = new Gallery([other.signer])
  t.after(async () => {
    strangers[Symbol.dispose]()
    await other[Symbol.asyncDispose]()
  })
  const made = await rig.make('foreign.zip', { sampleSize: 6 })
  const folder = await unpacked(made.path)
  const lied = await unpacked(made.path)
  await writeFile(join(lied, 'verify/README'), 'x')
  for (const reports of await all(t, [made.path, folder, lied], { keys: [other.signer], gallery: strangers })) {
    assert.deepEqual(
      reports.map(({ verdict, exit }) => [verdict, exit]),
      [
        ...['UNVERIFIABLE', 'UNVERIFIABLE'].map((verdict) => [verdict, VERIFY_EXITS.UNVERIFIABLE]),
        ['INVALID', VERIFY_EXITS.INVALID],
      ],
    )
    assert.ok(
      reports[0]?.problems.every(({ verdict }) => verdict !== 'INVALID'),
      JSON.stringify(reports[0]?.problems),
    )
  }
})

test('a tape that was deleted behind the watermark is missing as of it, and the bundle says by which entry it is gone', async () => {
  const store = rig.store.copy()
  const [gone = ''] = rig.sealed
  const watermark = (await rig.make('before.zip', {}, store)).manifest.watermark.size
  const ledger = await StoreLedger.open({ store, gateway: 'gw1-cli', signer: rig.folder.signer })
  await ledger.append({ type: 'retention.delete', actor: 'o', proof: 'os', session: gone, rule: 'r90', objects: 2 })
  for (const key of [...store.objects.keys()]) if (key.includes(gone)) store.objects.delete(key)
  const row = async (name: string, change: Partial<BundleWish>) => {
    const folder = await unpacked((await rig.make(name, change, store)).path)
    return (await table(folder, 'ipe/gaps.csv')).find((one) => one.get('session') === gone)
  }
  const as = await row('behind.zip', { watermark })
  assert.equal(as?.get('state'), 'missing')
  assert.match(as?.get('why') ?? '', /^deleted at \S+Z by rule r90, by entry \d+, behind the watermark$/)
  await ledger.publish()
  await ledger.close()
  assert.equal((await row('published.zip', {}))?.get('state'), 'deleted')
})

test('a damaged recording that was drawn: what the verdict is depends on what is wrong with it, and is the same in every verifier', async (t) => {
  const [id = ''] = rig.sealed
  const key = tapeKeys.segment(id, 0)
  const whole = Buffer.from(rig.store.objects.get(key) ?? assert.fail())
  const flipped = Buffer.from(whole)
  flipped.writeUInt8(flipped.readUInt8(whole.length >> 1) ^ 1, whole.length >> 1)
  const damages: readonly (readonly [string, Uint8Array | undefined])[] = [
    ['a byte flipped', flipped],
    ['its seal cut off', whole.subarray(0, whole.length - 200)],
    ['cut in the middle', whole.subarray(0, whole.length >> 1)],
    ['gone', undefined],
  ]
  const paths: string[] = []
  for (const [at, [, bytes]] of damages.entries()) {
    const store = rig.store.copy()
    if (bytes !== undefined) store.objects.set(key, Buffer.from(bytes))
    else for (const one of [...store.objects.keys()]) if (one.includes(id)) store.objects.delete(one)
    paths.push((await rig.make(`damaged-${at}.zip`, { sampleSize: 6 }, store)).path)
  }
  for (const reports of await all(t, paths))
    assert.deepEqual(
      reports.map(({ verdict, tapes }, at) => [damages[at]?.[0], verdict, tapes['damaged'] ?? 0, tapes['missing'] ?? 0]),
      [
        ['a byte flipped', 'INVALID', 1, 0],
        ['its seal cut off', 'VALID-INCOMPLETE', 1, 0],
        ['cut in the middle', 'INVALID', 1, 0],
        ['gone', 'VALID-INCOMPLETE', 0, 1],
      ],
    )
})

test('an export that fails or is stopped leaves nothing, and nothing is written over', async () => {
  const path = join(rig.folder.path, 'never.zip')
  const stop = new AbortController()
  await assert.rejects(
    createBundle(
      rig.parts(),
      rig.wish('never.zip'),
      ({ phase }) => {
        if (phase === 'tapes') stop.abort(new Error('stopped'))
      },
      stop.signal,
    ),
    /stopped/,
  )
  const silent = { ...rig.parts(), tell: async () => Promise.reject(new Error('the ledger is away')) }
  await assert.rejects(createBundle(silent, rig.wish('never.zip')), /the ledger is away/)
  assert.equal(existsSync(path), false)
  assert.deepEqual(
    (await readdir(rig.folder.path)).filter((name) => name.includes('never')),
    [],
  )
  await writeFile(path, 'mine')
  await assert.rejects(createBundle(rig.parts(), rig.wish('never.zip')), { code: 'STORE_CONFLICT' })
  assert.equal(await readFile(path, 'utf8'), 'mine')
})

test('a scope narrows the population and says how many are outside; an empty period is a bundle that says so', async () => {
  const made = await rig.make('scope.zip', { scope: { target: ['elsewhere'], identity: [] } })
  assert.equal(made.manifest.figures.find(({ id }) => id === 'sessions')?.value, 0)
  const folder = await unpacked(made.path)
  assert.equal(JSON.parse(await readFile(join(folder, 'ipe/completeness.json'), 'utf8')).outOfScope, 6)
  const empty = await rig.make('empty.zip', { from: new Date('2020-01-01'), to: new Date('2021-01-01') })
  const report = await verifyBundleAt(empty.path, { keys: [rig.folder.signer] })
  assert.deepEqual([report.verdict, report.sessions, report.lines], ['VALID', 0, 0])
  const beside = await verifyBundleAt(empty.path, {})
  assert.deepEqual([beside.verdict, beside.trust], ['VALID', 'beside'], 'whose key it is, an empty bundle says as well')
  const wrong = { scope: { target: ['elsewhere', 'shop'], identity: [] }, knownTargets: ['other'] }
  await assert.rejects(rig.make('unknown.zip', wrong), { code: 'CONFIG_INVALID', message: /is of elsewhere, and/ })
  await rig.make('known.zip', { ...wrong, knownTargets: ['elsewhere'] })
})

test('other tools read the archive: Python’s zipfile finds nothing wrong with it', async (t) => {
  const made = await rig.make('tools.zip')
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  const script = `import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(len(z.namelist()))`
  const ran = spawnSync(python, ['-c', script, made.path], { encoding: 'utf8' })
  assert.equal(ran.stdout.trim(), String(made.manifest.files.length + 2), ran.stderr)
})
