import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { makeExcerpt } from '../../../recorder/tape/excerpt.ts'
import { sha256 } from '../../../recorder/tape/merkle.ts'
import { openTape } from '../../../recorder/tape/reader.ts'
import { decodeExcerpt, type Excerpt, type ExcerptFrame, type ExcerptLink, encodeExcerpt } from '../../../schemas/excerpt.ts'
import { decodeFrame } from '../../../schemas/tape-frame.ts'
import type { TapeVerification } from '../../../schemas/verification.ts'
import { rootFromInclusion } from '../../../schemas/verify/tree.ts'
import type { clientHere } from '../../support/clients.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, type RecordingFolder, recordingFolder, START } from '../../support/recording.ts'
import { Gallery } from '../../support/verifiers.ts'

const ANSWERS = ['yes', 'no']

let folder: RecordingFolder
let gallery: Gallery
let store: MemoryStore
let id: string

before(async () => {
  folder = await recordingFolder()
  gallery = new Gallery([folder.signer])
  store = new MemoryStore()
  const room = await folder.room({ store, codec: 'gzip', limits: { segmentBlocks: 2 } })
  const { info, recorder } = await room.open(START)
  id = info.id
  for (let n = 0; n < 5; n += 1) {
    const answers = Array.from({ length: 7 }, (_, index) => entry({ body: Buffer.from(ANSWERS[(n + index) % 2] ?? '') }))
    await recorder.append(answers, { durable: true })
  }
  await recorder.seal('client.left')
  await room.close()
})
after(async () => {
  gallery[Symbol.dispose]()
  await folder[Symbol.asyncDispose]()
})

test('what is disclosed is what the tape has, by every verifier, and only that is in it', async (t) => {
  const excerpt = await makeExcerpt(store, id, [
    [3, 8],
    [30, 30],
  ])
  assert.deepEqual(
    excerpt.frames.map(({ frame }) => decodeFrame(frame).seq),
    [3, 4, 5, 6, 7, 8, 30],
  )
  const tape = await openTape(store, id)
  for await (const frame of tape.frames({ fromSeq: 30, toSeq: 31 })) {
    const disclosed = decodeFrame(excerpt.frames.at(-1)?.frame ?? Buffer.alloc(0))
    assert.deepEqual(Buffer.from(disclosed.body ?? []), Buffer.from(frame.body ?? []))
  }
  const text = encodeExcerpt(excerpt)
  assert.deepEqual(encodeExcerpt(decoded(text)), text)
  const results = await every(t, [['whole', excerpt]])
  assert.equal(results.length, 1)
  for (const tape of results[0] ?? []) {
    assert.equal(tape.verdict, 'VALID', JSON.stringify(tape.problems))
    assert.deepEqual([tape.frames, tape.excerpt?.hidden, tape.session, tape.state], [7, 28, id, 'sealed'])
    assert.deepEqual(tape.excerpt?.disclosed, [
      [3, 8],
      [30, 30],
    ])
  }
})

test('a hidden frame of two possible texts cannot be told from what is disclosed', async () => {
  const excerpt = await makeExcerpt(store, id, [[3, 3]])
  const [disclosed] = excerpt.frames
  assert.ok(disclosed !== undefined)
  // Frame 2 is its neighbour in the tree: its leaf is the first hash of the path.
  const [leaf] = disclosed.path
  const candidates: Uint8Array[] = []
  for await (const { seq, atUs } of (await openTape(store, id)).frames({ toSeq: 4 }))
    for (const answer of ANSWERS) candidates.push(frameBytes(disclosed, seq, atUs, answer))
  const saltKey = store.objects.get(`tapes/${id}/salt`) ?? Buffer.alloc(0)
  const salts = createHash('sha512').update(saltKey).update(Buffer.alloc(8)).digest()
  const guess = (salt: Uint8Array): boolean =>
    candidates.some((frame) => sha256(Buffer.concat([Buffer.of(0), salt, frame])).equals(leaf ?? Buffer.alloc(0)))
  assert.ok(guess(salts.subarray(32, 48)), 'with its salt it is guessed at once: the guesses are right')
  assert.ok(!guess(Buffer.alloc(0)) && !guess(disclosed.salt), 'without, nothing fits')
  const text = encodeExcerpt(excerpt)
  for (const seq of [0, 1, 2]) assert.ok(!text.includes(salts.subarray(seq * 16, seq * 16 + 16).toString('base64')))
  assert.ok(!text.includes(saltKey.toString('base64')))
})

/** The bytes of a hidden frame that differs from a disclosed one in number, time and text only. */
function frameBytes({ frame }: ExcerptFrame, seq: number, atUs: number, answer: string): Uint8Array {
  const known = decodeFrame(frame)
  const body = Buffer.from(answer)
  const head = (value: number): Buffer => number(value)
  const before = Buffer.concat([Buffer.of(0x99), head(known.seq), head(known.atUs)])
  const rest = Buffer.from(frame).subarray(before.length)
  const bodyAt = rest.indexOf(Buffer.from(known.body ?? []))
  return Buffer.concat([
    Buffer.of(0x99),
    head(seq),
    head(atUs),
    rest.subarray(0, bodyAt - 1),
    Buffer.of(body.length),
    body,
    rest.subarray(bodyAt + (known.body?.length ?? 0)),
  ])
}

function number(value: number): Buffer {
  if (value < 0x80) return Buffer.of(value)
  const bytes = Buffer.alloc(5)
  if (value < 0x100) return Buffer.of(0xcc, value)
  if (value < 0x10000) {
    bytes.writeUInt8(0xcd)
    bytes.writeUInt16BE(value, 1)
    return bytes.subarray(0, 3)
  }
  bytes.writeUInt8(0xce)
  bytes.writeUInt32BE(value, 1)
  return bytes
}

test('changed, left out, added, doubled and moved frames, and a chain that was cut, are INVALID in every verifier', async (t) => {
  const whole = await makeExcerpt(store, id, [
    [2, 6],
    [9, 9],
  ])
  const [first, second] = whole.frames
  assert.ok(first !== undefined && second !== undefined)
  const other = await makeExcerpt(store, id, [[20, 20]])
  const flipped = Buffer.from(first.frame)
  flipped[flipped.length - 4] = (flipped[flipped.length - 4] ?? 0) ^ 1
  const without = (kind: ExcerptLink['kind'], place = 0): Excerpt => {
    const gone = whole.chain.filter((link) => link.kind === kind)[place]
    return { ...whole, chain: whole.chain.filter((link) => link !== gone) }
  }
  const rows: readonly (readonly [string, Excerpt])[] = [
    ['changed', { ...whole, frames: [{ ...first, frame: flipped }, ...whole.frames.slice(1)] }],
    ['another salt', { ...whole, frames: [{ ...first, salt: second.salt }, ...whole.frames.slice(1)] }],
    ['left out', { ...whole, frames: whole.frames.slice(1) }],
    ['added', { ...whole, frames: [...whole.frames, ...other.frames] }],
    ['twice', { ...whole, frames: [first, ...whole.frames] }],
    [
      'under another number',
      { ...whole, frames: [{ ...first, seq: 3 }, { ...second, seq: 2 }, ...whole.frames.slice(2)].sort((a, b) => a.seq - b.seq) },
    ],
    ['beyond the end', { ...whole, disclosed: [...whole.disclosed, [99, 99]], frames: [...whole.frames, { ...first, seq: 99 }] }],
    ['a path of another', { ...whole, frames: [{ ...first, path: second.path }, ...whole.frames.slice(1)] }],
    ['a chunk left out', without('chunk', 1)],
    ['the last chunk left out under the seal', without('chunk', 4)],
    ['a segment left out', without('segment')],
    ['another session', { ...whole, session: `${id.slice(0, -1)}9` }],
  ]
  for (const [index, results] of (await every(t, rows)).entries())
    for (const tape of results) assert.equal(tape.verdict, 'INVALID', `${rows[index]?.[0]}: ${JSON.stringify(tape.problems)}`)
  const softer: readonly (readonly [string, Excerpt, string])[] = [
    ['no seal', without('seal'), 'VALID-INCOMPLETE'],
    ['no certificate', { ...whole, header: { ...whole.header, certificate: undefined } }, 'UNVERIFIABLE'],
  ]
  for (const [index, results] of (await every(t, softer)).entries())
    for (const tape of results) assert.equal(tape.verdict, softer[index]?.[2], softer[index]?.[0])
})

test('the golden excerpt still verifies, and what is no excerpt or of a later version is told apart', async (t) => {
  const vector = JSON.parse(readFileSync(new URL('../../vectors/tape/v1/tape.json', import.meta.url), 'utf8')) as {
    readonly gateway: string
    readonly publicKey: string
  }
  const golden = readFileSync(new URL('../../vectors/tape/v1/frames-1-2.excerpt.json', import.meta.url), 'utf8')
  using own = new Gallery([{ gateway: vector.gateway, publicKey: Buffer.from(vector.publicKey, 'base64') }])
  const rows: readonly (readonly [string | Buffer, string])[] = [
    [golden, 'VALID'],
    [golden.replace('"v": 1', '"v": 2'), 'UNVERIFIABLE'],
    ['{}', 'INVALID'],
    ['not JSON', 'INVALID'],
    [golden.replace('"frames": [', '"frames": [7,'), 'INVALID'],
    // What parsers of JSON differ about.
    [golden.replace('{', '{"more": [12, -3, "\\"1.5\\\\"],'), 'VALID'],
    ['['.repeat(100_000), 'INVALID'],
    [golden.replace('{', `{"more": ${'['.repeat(20)}${']'.repeat(20)},`), 'INVALID'],
    [golden.replace('"v": 1', '"v": 1.0'), 'INVALID'],
    [golden.replace(/"seq": ?(\d+)/, '"seq": $1.0'), 'INVALID'],
    [golden.replace('{', '{"more": 1e2,'), 'INVALID'],
    [golden.replace('{', '{"more": 12345678901234567,'), 'INVALID'],
    [golden.replace('{', '{"more": NaN,'), 'INVALID'],
    [`\ufeff${golden}`, 'INVALID'],
    [Buffer.from(golden.replace('{', '{"more": "\u00e9",'), 'latin1'), 'INVALID'],
    [Buffer.from(golden, 'utf16le'), 'INVALID'],
  ]
  const paths = rows.map(([text], index) => {
    const path = join(own.path, `${index}.excerpt.json`)
    writeFileSync(path, text)
    return path
  })
  // Renamed, and known by how it begins.
  const renamed = join(own.path, 'few.json')
  writeFileSync(renamed, golden)
  for (const [result] of await own.all(t, [renamed])) assert.equal(result?.verdict, 'VALID')
  for (const results of await own.all(t, paths))
    assert.deepEqual(
      results.map(({ verdict }) => verdict),
      rows.map(([, verdict]) => verdict),
    )
})

test('paths lead to the roots of RFC 6962 and to nothing else', () => {
  const vectors = JSON.parse(readFileSync(new URL('../../vectors/rfc6962.json', import.meta.url), 'utf8')) as {
    readonly leaves: readonly string[]
    readonly roots: readonly string[]
    readonly paths: readonly { readonly size: number; readonly index: number; readonly path: readonly string[] }[]
  }
  for (const { size, index, path } of vectors.paths) {
    const leaf = sha256(Buffer.concat([Buffer.of(0), Buffer.from(vectors.leaves[index] ?? '', 'hex')]))
    const hashes = path.map((hash) => Buffer.from(hash, 'hex'))
    assert.equal(Buffer.from(rootFromInclusion(sha256, leaf, index, size, hashes) ?? []).toString('hex'), vectors.roots[size])
    assert.equal(rootFromInclusion(sha256, leaf, size, size, hashes), undefined)
    if (size > 1)
      assert.notEqual(
        Buffer.from(rootFromInclusion(sha256, leaf, index, size, hashes.slice(1)) ?? []).toString('hex'),
        vectors.roots[size],
      )
  }
})

function decoded(text: string): Excerpt {
  const excerpt = decodeExcerpt(Buffer.from(text))
  assert.ok(!('newer' in excerpt))
  return excerpt
}

/** What every verifier that is here says of each. */
async function every(
  t: Parameters<typeof clientHere>[0],
  rows: readonly (readonly [string, Excerpt | string, ...unknown[]])[],
): Promise<TapeVerification[][]> {
  const place = gallery.add(new Map())
  mkdirSync(place, { recursive: true })
  const paths = rows.map(([, excerpt], index) => {
    const path = join(place, `${index}.excerpt.json`)
    writeFileSync(path, typeof excerpt === 'string' ? excerpt : encodeExcerpt(excerpt))
    return path
  })
  const all = await gallery.all(t, paths)
  const told = (tape: TapeVerification | undefined): unknown => ({
    ...tape,
    problems: tape?.problems.map(({ what: _, ...problem }) => problem),
  })
  return paths.map((_, index) => {
    const tapes = all.map((results) => results[index]?.tapes[0])
    for (const tape of tapes) assert.deepEqual(told(tape), told(tapes[0]), rows[index]?.[0])
    return tapes.flatMap((tape) => tape ?? [])
  })
}

test('depth is the text’s, also where a member stands twice, and a version is a number up to 2^32 - 1', async (t) => {
  const text = encodeExcerpt(await makeExcerpt(store, id, [[2, 2]]))
  const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`
  const version = (v: string): string => text.replace('"v": 1,', `"v": ${v},`)
  const whole = decoded(text)
  const later = Buffer.from(whole.header.statement)
  later[later.indexOf(Buffer.from('a176', 'hex')) + 2] = 2
  const rows = [
    ['as it is', text, 'VALID'],
    ['15 deep below the top', version(`1, "x": ${deep(15)}`), 'VALID'],
    ['16 deep below the top', version(`1, "x": ${deep(16)}`), 'INVALID'],
    ['deep in a member that another of its name hides', version(`1, "x": ${deep(20)}, "x": 1`), 'INVALID'],
    ['version 2', version('2'), 'UNVERIFIABLE'],
    ['version 2^32 - 1', version('4294967295'), 'UNVERIFIABLE'],
    ['version 2^32', version('4294967296'), 'INVALID'],
    ['version 2^53 - 1', version('9007199254740991'), 'INVALID'],
    ['version 2^53', version('9007199254740992'), 'INVALID'],
    ['version true', version('true'), 'INVALID'],
    ['a tape of version 2', encodeExcerpt({ ...whole, header: { ...whole.header, statement: later } }), 'UNVERIFIABLE'],
  ] as const
  for (const [index, tapes] of (await every(t, rows)).entries())
    for (const { verdict, problems } of tapes)
      assert.equal(verdict, rows[index]?.[2], `${rows[index]?.[0]}: ${JSON.stringify(problems)}`)
})
