import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import { isBundle, verifyBundleAt } from '../../../recorder/bundle/verify-bundle.ts'
import { verifyPath } from '../../../recorder/index.ts'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import { BUNDLE_PATHS, bundleNoteText } from '../../../schemas/bundle.ts'
import { MAX_KEYS_SIZE } from '../../../schemas/gateway-keys.ts'
import { noteKeyOf, signatureLine } from '../../../schemas/verify/note.ts'
import { ZipSource } from '../../../schemas/verify/zip.ts'
import { type BundleRig, bundleRig, unpack } from '../../support/bundle-rig.ts'
import { clientHere } from '../../support/clients.ts'
import { Gallery, PYTHON_VERIFIER } from '../../support/verifiers.ts'
import { end64, extra, type ForgedArchive, type ForgedEntry, forgeZip } from '../../support/zip-forge.ts'

const README = 'verify/README'
/** Of the rig, which has a session that never ended. */
const GOOD = 'VALID-INCOMPLETE'
/** There is nothing to be verified, and no verdict. */
const REFUSED = 'refused'

let rig: BundleRig
let gallery: Gallery
let path: string
let entries: ForgedEntry[]
let count = 0

before(async () => {
  rig = await bundleRig(2)
  gallery = new Gallery([rig.folder.signer])
  path = (await rig.make('whole.zip', { sampleSize: 3 })).path
  const bytes = readFileSync(path)
  const zip = await ZipSource.open({ size: bytes.length, read: async (from, to) => bytes.subarray(from, to) })
  entries = await Promise.all(zip.names().map(async (name) => ({ name, data: Buffer.from(await zip.get(name)) })))
})
after(async () => {
  gallery[Symbol.dispose]()
  await rig[Symbol.asyncDispose]()
})

/** What each verifier comes to, in the order of the paths. */
async function all(t: TestContext, paths: readonly string[]): Promise<readonly string[][]> {
  const gatewayKeys = [rig.folder.signer]
  const own: string[] = []
  for (const each of paths) {
    const bundle = await isBundle(each)
    const verified = bundle ? verifyBundleAt(each, { keys: gatewayKeys }) : verifyPath(each, { gatewayKeys })
    own.push(
      await verified.then(
        ({ verdict }) => verdict,
        (error) => (error.code === 'TAPE_MALFORMED' || error.code === 'STORE_MISSING' ? REFUSED : `${error}`),
      ),
    )
  }
  const python = clientHere(t, 'python3')
  const others = [gallery.singleFile(paths), ...(python === undefined ? [] : [gallery.python(paths, python)])]
  return [own, ...others.map((results) => results.map((one) => ('error' in one ? REFUSED : one.verdict)))]
}

type Row = readonly [name: string, path: string, wanted: string]

async function check(t: TestContext, rows: readonly Row[]): Promise<void> {
  const wanted = rows.map(([name, , verdict]) => `${name}: ${verdict}`)
  for (const said of await all(
    t,
    rows.map(([, at]) => at),
  ))
    assert.deepEqual(
      said.map((verdict, at) => `${rows[at]?.[0]}: ${verdict}`),
      wanted,
    )
}

test('archives that lie about their entries are refused, or the entry is none, by every verifier alike', async (t) => {
  const packed = (name: string, bytes: Uint8Array, wanted: string, ending = '.zip'): Row => {
    count += 1
    const at = join(rig.folder.path, `${count}${ending}`)
    writeFileSync(at, bytes)
    return [name, at, wanted]
  }
  const forged = (name: string, change: Partial<ForgedEntry>, wanted: string, archive: ForgedArchive = {}): Row =>
    packed(
      name,
      forgeZip(
        entries.map((one) => (one.name === README ? { ...one, ...change } : one)),
        archive,
      ),
      wanted,
    )
  const more = (name: string, added: string, wanted: string): Row =>
    packed(name, forgeZip([...entries, { name: added, data: Buffer.from('x') }]), wanted)
  const size = entries.find(({ name }) => name === README)?.data.length ?? assert.fail()
  const [larger, smaller] = [{ 24: size + 5 }, { 24: size - 5 }]
  const beyond = Object.fromEntries([20, 21, 22, 23, 24, 25, 26, 27].map((at) => [at, 0xff]))
  const otherName = Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), Buffer.from('../../../x')])
  const whole = forgeZip(entries)
  await check(t, [
    packed('as it is', whole, GOOD),
    packed('under another name', whole, GOOD, '.bin'),
    forged('a CRC that is wrong', { central: { 16: 1 }, local: { 14: 1 } }, GOOD),
    packed(
      'a flipped byte, the CRC as it was',
      Buffer.from(whole.toString('latin1').replace('verify me', 'Verify me'), 'latin1'),
      'INVALID',
    ),
    forged('names in UTF-8', { central: { 9: 8 }, local: { 7: 8 } }, GOOD),
    forged('encrypted', { central: { 8: 1 }, local: { 6: 1 } }, REFUSED),
    forged('encrypted by its own header', { local: { 6: 1 } }, 'INVALID'),
    forged('with a descriptor by its own header', { local: { 6: 8 } }, 'INVALID'),
    forged('patched', { central: { 8: 0x20 } }, REFUSED),
    forged('strongly encrypted', { central: { 8: 0x40 } }, REFUSED),
    forged('for a reader of version 9', { central: { 6: 90 } }, GOOD),
    forged('compressed by its own header', { local: { 8: 8 } }, 'INVALID'),
    forged('larger than it is stored', { central: larger }, REFUSED),
    forged('smaller than it is stored', { central: smaller }, REFUSED),
    forged('on another disk', { central: { 34: 7 } }, REFUSED),
    forged('with a comment', { comment: Buffer.from('hidden') }, REFUSED),
    forged('with another name for some', { centralExtra: extra(0x7075, otherName) }, REFUSED),
    forged('with half an extra', { centralExtra: Buffer.from('hid') }, REFUSED),
    forged('with sizes of 64 bits', { central: beyond, centralExtra: extra(1, [size, size]) }, GOOD),
    forged(
      'with two of them',
      { central: beyond, centralExtra: Buffer.concat([extra(1, [size, size]), extra(1, [9, 9])]) },
      REFUSED,
    ),
    forged('with one of them', { central: beyond, centralExtra: extra(1, [size]) }, REFUSED),
    forged('of 2^60 bytes', { central: beyond, centralExtra: extra(1, [2 ** 60, 2 ** 60]) }, REFUSED),
    forged('fewer entries than there are', {}, REFUSED, { end: { 10: 3 } }),
    forged('of several volumes', {}, REFUSED, { end: { 4: 1 } }),
    forged('a zip64 directory nobody asked for', {}, REFUSED, { before: (at, lines) => end64(entries.length, lines, at) }),
    forged('2^40 entries', {}, REFUSED, {
      end: { 8: 255, 9: 255, 10: 255, 11: 255 },
      before: (at, lines) => end64(2 ** 40, lines, at),
    }),
    more('one file more', 'verify/more', 'INVALID'),
    more('a second manifest', BUNDLE_PATHS.manifest, REFUSED),
    more('a second manifest in other letters', 'Manifest.json', 'INVALID'),
    more('a file that is a folder', `${README}/x`, REFUSED),
    more('a second manifest behind a byte order mark', `\ufeff${BUNDLE_PATHS.manifest}`, REFUSED),
    ...(
      [
        ['a link', 0o120777, REFUSED],
        ['a folder by its mode', 0o040755, REFUSED],
        ['a device', 0o020600, REFUSED],
        ['a file by its mode', 0o100600, GOOD],
        ['a mode of no kind, as Python gives', 0o600, GOOD],
      ] as const
    ).map(([name, mode, wanted]) => forged(name, { central: { 5: 3, 40: mode & 0xff, 41: mode >> 8 } }, wanted)),
    packed(
      'its manifest behind a byte order mark',
      forgeZip(entries.map((one) => (one.name === BUNDLE_PATHS.manifest ? { ...one, name: `\ufeff${one.name}` } : one))),
      REFUSED,
    ),
    more('a way out', '../../x', REFUSED),
    more('a folder', 'empty/', REFUSED),
    packed('no manifest', forgeZip(entries.filter(({ name }) => name !== BUNDLE_PATHS.manifest)), 'INVALID'),
    packed('no entry', forgeZip([]), 'INVALID'),
    packed('cut', whole.subarray(0, whole.length / 2), REFUSED),
    packed('nothing', Buffer.alloc(0), REFUSED),
    packed('no archive', Buffer.from('no archive, and no tape'), REFUSED),
    packed('neither that nor anything else', Buffer.from('nothing'), REFUSED, '.txt'),
  ])
})

test('a bundle that was unpacked is one while anything of it is left, has no links, and lists what it has, by every verifier alike', async (t) => {
  const rows: Row[] = []
  const unpacked = async (name: string, change: (at: (path: string) => string) => void, wanted: string): Promise<void> => {
    count += 1
    const folder = join(rig.folder.path, `${count}`)
    mkdirSync(folder)
    await unpack(path, folder)
    change((inside) => join(folder, inside))
    rows.push([name, folder, wanted])
  }
  const told =
    (change: (manifest: { files: object[]; tables: { file: string }[]; figures: { file: string; sum?: string }[] }) => void) =>
    (at: (path: string) => string) => {
      const manifest = JSON.parse(readFileSync(at(BUNDLE_PATHS.manifest), 'utf8'))
      change(manifest)
      writeFileSync(at(BUNDLE_PATHS.manifest), JSON.stringify(manifest))
    }
  const file = { size: 0, sha256: '0'.repeat(64) }
  await unpacked('as it is', () => {}, GOOD)
  for (const lost of [BUNDLE_PATHS.manifest, BUNDLE_PATHS.lines, BUNDLE_PATHS.note])
    await unpacked(`without ${lost}`, (at) => rmSync(at(lost)), 'INVALID')
  await unpacked('another manifest', (at) => writeFileSync(at(BUNDLE_PATHS.manifest), '['.repeat(100_000)), 'INVALID')
  for (const moved of [BUNDLE_PATHS.manifest, 'log', 'tapes', 'signatures', 'verify', README])
    await unpacked(
      `${moved} behind a link`,
      (at) => {
        count += 1
        const elsewhere = join(rig.folder.path, `moved-${count}`)
        renameSync(at(moved), elsewhere)
        symlinkSync(elsewhere, at(moved))
      },
      'INVALID',
    )
  await unpacked('a link more', (at) => symlinkSync('/etc/hosts', at('verify/more')), 'INVALID')
  await unpacked('a link to a folder more', (at) => symlinkSync('/etc', at('populations/more')), 'INVALID')
  await unpacked('a pipe more', (at) => assert.equal(spawnSync('mkfifo', [at('verify/pipe')]).status, 0), 'INVALID')
  await unpacked('a tape more', (at) => mkdirSync(at('tapes/x')) ?? writeFileSync(at('tapes/x/0000.tape'), 'x'), 'INVALID')
  await unpacked('a folder without files', (at) => mkdirSync(at('tapes/x')), GOOD)
  await unpacked('what a system puts into folders', (at) => writeFileSync(at('tapes/.DS_Store'), 'x'), GOOD)
  for (const name of ['../x', '', 'a'.repeat(500), '/etc/hosts'])
    await unpacked(
      `a path: ${name.slice(0, 9)}`,
      told(({ files }) => files.push({ path: name, ...file })),
      'INVALID',
    )
  await unpacked(
    'a table elsewhere',
    told(({ tables }) => Object.assign(tables[0] ?? {}, { file: '../x' })),
    'INVALID',
  )
  await unpacked(
    'a figure elsewhere',
    told(({ figures }) => Object.assign(figures[0] ?? {}, { file: '../x' })),
    'INVALID',
  )
  await unpacked(
    'a sum of names',
    told(({ figures }) => Object.assign(figures[0] ?? {}, { sum: 'identity' })),
    'INVALID',
  )
  await unpacked(
    'a file of no size',
    told(({ files }) => files.push({ path: 'x', sha256: file.sha256 })),
    'INVALID',
  )
  for (const [name, of, was, is] of [
    ['a number that is none', BUNDLE_PATHS.manifest, /"value": \d+/, '"value": NaN'],
    ['true for 1', BUNDLE_PATHS.manifest, /"v": 1\b/, '"v": true'],
    ['a table without its ids', BUNDLE_PATHS.sessions, /^session,/, 'sessiom,'],
    ['a table without states', BUNDLE_PATHS.sessions, /,state,/, ',stat,'],
  ] as const)
    await unpacked(
      name,
      (at) => {
        const text = readFileSync(at(of), 'utf8')
        assert.match(text, was)
        writeFileSync(at(of), text.replace(was, is))
      },
      'INVALID',
    )
  await check(t, rows)
})

/** Makes the manifest of what is there now, behind `mark`, and signs it: what is wrong with it then is not that it was changed. */
async function signAgain(at: (path: string) => string, mark: string): Promise<void> {
  const { signer } = rig.folder
  const manifest = JSON.parse(readFileSync(at(BUNDLE_PATHS.manifest), 'utf8'))
  const hash = (bytes: Buffer) => createHash('sha256').update(bytes)
  for (const file of manifest.files) {
    const bytes = readFileSync(at(file.path))
    Object.assign(file, { size: bytes.length, sha256: hash(bytes).digest('hex') })
  }
  const bytes = Buffer.from(`${mark}${JSON.stringify(manifest)}`)
  writeFileSync(at(BUNDLE_PATHS.manifest), bytes)
  const text = bundleNoteText(hash(bytes).digest('base64'), { at: '2026-01-01T00:00:00Z', by: 'mallory' })
  const key = noteKeyOf(nodeTools, manifest.watermark.origin, signer.publicKey) ?? assert.fail()
  writeFileSync(at(BUNDLE_PATHS.note), `${text}\n${signatureLine(key, await signer.sign(Buffer.from(text)))}`)
}

test('a byte order mark is passed over by no verifier, whoever signed it', async (t) => {
  const MARK = '\ufeff'
  const rows: Row[] = []
  for (const [name, marked, wanted] of [
    ['none', undefined, GOOD],
    ['the manifest', BUNDLE_PATHS.manifest, 'INVALID'],
    ['the sample', BUNDLE_PATHS.sample, 'INVALID'],
    ['the sessions', BUNDLE_PATHS.sessions, 'INVALID'],
  ] as const) {
    count += 1
    const folder = join(rig.folder.path, `${count}`)
    const at = (inside: string) => join(folder, inside)
    mkdirSync(folder)
    await unpack(path, folder)
    if (marked !== undefined && marked !== BUNDLE_PATHS.manifest)
      writeFileSync(at(marked), MARK + readFileSync(at(marked), 'utf8'))
    await signAgain(at, marked === BUNDLE_PATHS.manifest ? MARK : '')
    rows.push([name, folder, wanted])
  }
  await check(t, rows)
})

test('where no keys are named, those in an archive that cannot be read make it INVALID; of what is no file of keys there is no verdict', async (t) => {
  const python = clientHere(t, 'python3')
  for (const [change, wanted] of [
    [{ local: { 8: 8 } }, 'INVALID'],
    [{ data: Buffer.alloc(MAX_KEYS_SIZE + 1, '#') }, REFUSED],
  ] as const) {
    const at = join(rig.folder.path, `keys-${wanted}.zip`)
    writeFileSync(at, forgeZip(entries.map((one) => (one.name === BUNDLE_PATHS.keys ? { ...one, ...change } : one))))
    const own = verifyBundleAt(at, {}).then(
      ({ verdict }) => verdict,
      (error) => (error.code === 'CONFIG_INVALID' ? REFUSED : `${error}`),
    )
    const said: string[] = [await own]
    for (const [program = '', ...args] of [
      [process.execPath, gallery.singleFilePath()],
      ...(python === undefined ? [] : [[python, '-B', PYTHON_VERIFIER]]),
    ]) {
      const { stdout, status } = spawnSync(program, [...args, '--json', at], { encoding: 'utf8' })
      said.push(status === 1 || status === 2 ? REFUSED : JSON.parse(stdout).verdict)
    }
    assert.deepEqual([...new Set(said)], [wanted], `${said}`)
  }
})
