import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Attestations, anchorKey } from '../../../recorder/ledger/attest.ts'
import type { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import { checkTrust, judgeTrust } from '../../../recorder/ledger/trust.ts'
import { FileStore } from '../../../recorder/store/store-file.ts'
import { PlainFolder } from '../../../recorder/tape/plain-folder.ts'
import { nodeTools } from '../../../recorder/tape/tools.ts'
import { witnessVerifierKey } from '../../../schemas/verify/cosignature.ts'
import { ledgerKeys } from '../../../schemas/verify/ledger-line.ts'
import { noteKeyOf, verifierKey } from '../../../schemas/verify/note.ts'
import { parseTrustPolicy } from '../../../schemas/verify/trust-policy.ts'
import { FaultyStore } from '../../support/faulty-store.ts'
import { makeSigner, openTestLedger, readLedger } from '../../support/ledger.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { timestampAuthority } from '../../support/timestamp-authority.ts'
import { testWitness } from '../../support/witness.ts'

const ORIGIN = 'example.com/ledger'
const NOBODY = { verdict: 'VALID', size: null, attestations: [], problems: [] } as const
const STOP = { type: 'gateway.stop', reason: 'test' } as const

async function grow(ledger: StoreLedger, entries: number): Promise<void> {
  await Promise.all(Array.from({ length: entries }, () => ledger.append(STOP)))
  await ledger.publish()
}

test('what witness, timestamp authority and anchor have attested is what a policy can ask for', async () => {
  const [store, worm, signer] = [new MemoryStore(), new MemoryStore(), makeSigner()]
  const ledger = await openTestLedger(store, signer, { origin: ORIGIN })
  const log = noteKeyOf(nodeTools, ORIGIN, signer.publicKey)
  assert.ok(log)
  await using served = await testWitness([log])
  await using authority = await timestampAuthority()
  const problems: string[] = []
  const attestations = new Attestations({
    store,
    ledger,
    witnesses: [{ url: served.url, key: served.witness.key }],
    timestamps: [{ name: 'tsa', url: authority.url, everyMs: 0 }],
    anchors: [{ name: 'worm', store: worm }],
    onProblem: (name, error) => problems.push(`${name}: ${String(error)}`),
  })
  await using _ = attestations
  for (const entries of [1, 2, 5]) {
    await grow(ledger, entries)
    await attestations.settle()
  }
  assert.deepEqual(problems, [])
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-trust-'))
  try {
    await writeFile(join(folder, 'ca.pem'), authority.ca)
    const policy = parseTrustPolicy(
      nodeTools,
      `log ${verifierKey(log)}\nwitness w ${witnessVerifierKey(served.witness.key)}\ntimestamp t ca.pem\nanchor a worm\ngroup all3 all w t a\nquorum all3`,
      'trust.policy',
    )
    const rules = { policy, openAnchor: async () => worm, resolve: (file: string) => join(folder, file) }
    await grow(ledger, 3)
    const read = await readLedger(store, [signer])
    const trust = await judgeTrust(store, read, rules)
    assert.deepEqual([trust.size, trust.problems], [8, []])
    assert.deepEqual(
      trust.attestations.map(({ name, kind, size }) => [name, kind, size]),
      [
        ['w', 'witness', 8],
        ['t', 'timestamp', 8],
        ['a', 'anchor', 8],
      ],
    )
    for (const { kind, at } of trust.attestations) assert.equal(at === null, kind === 'anchor')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a ledger rolled back behind an anchor, or told anew, is INVALID whatever the quorum', async () => {
  const [store, worm, signer] = [new MemoryStore(), new MemoryStore(), makeSigner()]
  const policy = parseTrustPolicy(nodeTools, 'anchor a worm\nquorum none', 'trust.policy')
  const rules = { policy, openAnchor: async () => worm, resolve: (file: string) => file }
  const anchored = async (ledger: StoreLedger): Promise<string[]> => {
    const problems: string[] = []
    await using attestations = new Attestations({
      store,
      ledger,
      witnesses: [],
      timestamps: [],
      anchors: [{ name: 'worm', store: worm }],
      onProblem: (_, error) => problems.push(String(error)),
    })
    await attestations.settle()
    return problems
  }
  const first = await openTestLedger(store, signer, { origin: ORIGIN })
  await grow(first, 3)
  const before = store.copy()
  await grow(first, 4)
  assert.deepEqual(await anchored(first), [])
  const rolledBack = await judgeTrust(before, await readLedger(before, [signer]), rules)
  assert.match(rolledBack.problems[0]?.what ?? '', /a checkpoint of 7 entries, the ledger has 3: it was rolled back/)
  const second = await openTestLedger(before, signer, { origin: ORIGIN })
  await grow(second, 4)
  assert.match((await anchored(second))[0] ?? '', /another tree of 7 entries: this ledger is a fork/)
  const forked = await judgeTrust(before, await readLedger(before, [signer]), rules)
  assert.deepEqual([forked.problems.length, forked.problems[0]?.verdict], [1, 'INVALID'])
  assert.match(forked.problems[0]?.what ?? '', /of another tree: the ledger is a fork/)
})

test('one container under two addresses is refused, as it would count twice; two containers with the same in them are two', async () => {
  const [store, signer] = [new MemoryStore(), makeSigner()]
  const ledger = await openTestLedger(store, signer, { origin: ORIGIN })
  await grow(ledger, 3)
  const kept = new MemoryStore()
  await kept.put(anchorKey(ORIGIN, 3), ledger.checkpoint() ?? new Uint8Array())
  const policy = parseTrustPolicy(nodeTools, 'anchor a first\nanchor b second\ngroup both all a b\nquorum both', 'trust.policy')
  const marked = (mark: string) => ({
    get: kept.get.bind(kept),
    list: kept.list.bind(kept),
    mark: async (key: string) => `${mark} of ${key}`,
  })
  const judged = async (second: string) =>
    judgeTrust(store, await readLedger(store, [signer]), {
      policy,
      openAnchor: async (place) => marked(place === 'first' ? 'first' : second),
      resolve: (file) => file,
    })
  assert.deepEqual([(await judged('second')).verdict, (await judged('second')).size], ['VALID', 3])
  await assert.rejects(judged('first'), { code: 'CONFIG_INVALID', message: /a and b are one container/ })
})

test('an anchor that is the very store being verified is refused, under whatever path; a copy of it elsewhere is another party', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-trust-'))
  try {
    const [place, elsewhere, linked] = ['store', 'elsewhere', 'linked'].map((name) => join(folder, name))
    assert.ok(place !== undefined && elsewhere !== undefined && linked !== undefined)
    const [store, signer] = [new FileStore(place), makeSigner()]
    const ledger = await openTestLedger(store, signer, { origin: ORIGIN })
    await grow(ledger, 3)
    await store.put(anchorKey(ORIGIN, 3), ledger.checkpoint() ?? new Uint8Array())
    await cp(place, elsewhere, { recursive: true })
    await symlink(place, linked)
    const policy = parseTrustPolicy(nodeTools, 'anchor a it\nquorum a', 'trust.policy')
    for (const read of [store, new PlainFolder(place)]) {
      const judged = async (anchor: string) =>
        judgeTrust(read, await readLedger(store, [signer]), {
          policy,
          openAnchor: async () => new FileStore(anchor),
          resolve: (file) => file,
        })
      assert.deepEqual([(await judged(elsewhere)).verdict, (await judged(elsewhere)).size], ['VALID', 3])
      for (const same of [place, linked])
        await assert.rejects(judged(same), { code: 'CONFIG_INVALID', message: /a is the very store that is verified/ })
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a folder in the store that is verified, or one the store lies in, is no anchor of it, by whatever links it is reached', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-trust-'))
  try {
    const [place, elsewhere] = [join(folder, 'outer', 'store'), join(folder, 'elsewhere')]
    const [store, signer] = [new FileStore(place), makeSigner()]
    const ledger = await openTestLedger(store, signer, { origin: ORIGIN })
    await grow(ledger, 3)
    const anchors = ['store/anchor', 'store', '.'].map((at) => join(folder, 'outer', at))
    for (const anchor of [...anchors.filter((at) => at !== place), elsewhere])
      await new FileStore(anchor).put(anchorKey(ORIGIN, 3), ledger.checkpoint() ?? new Uint8Array())
    // By a link that is the anchor, one on the way to it, and one below it.
    const links = [
      ['to-inside', join(place, 'anchor'), ''],
      ['to-store', place, 'anchor'],
      ['to-outer', join(folder, 'outer'), ''],
    ] as const
    for (const [name, to, below] of links) {
      await symlink(to, join(folder, name))
      anchors.push(join(folder, name, below))
    }
    await mkdir(join(folder, 'hollow'))
    await symlink(join(place, 'anchor', 'checkpoints'), join(folder, 'hollow', 'checkpoints'))
    anchors.push(join(folder, 'hollow'), join(place, 'not', 'there'))
    const policy = parseTrustPolicy(nodeTools, 'anchor a it\nquorum a', 'trust.policy')
    const throughLink = join(folder, 'to-store')
    for (const read of [store, new PlainFolder(place), new FileStore(throughLink), new PlainFolder(throughLink)]) {
      const judged = async (anchor: string) =>
        judgeTrust(read, await readLedger(store, [signer]), {
          policy,
          openAnchor: async () => new FileStore(anchor),
          resolve: (file) => file,
        })
      assert.deepEqual([(await judged(elsewhere)).verdict, (await judged(elsewhere)).size], ['VALID', 3])
      for (const anchor of anchors)
        await assert.rejects(judged(anchor), { code: 'CONFIG_INVALID', message: /the trust policy’s a is/ }, anchor)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('a witness that has seen another history refuses, and the gateway says so', async () => {
  const [store, signer] = [new MemoryStore(), makeSigner()]
  const log = noteKeyOf(nodeTools, ORIGIN, signer.publicKey)
  assert.ok(log)
  await using served = await testWitness([log])
  const attest = async (ledger: StoreLedger): Promise<string[]> => {
    const problems: string[] = []
    await using attestations = new Attestations({
      store,
      ledger,
      witnesses: [{ url: served.url, key: served.witness.key }],
      timestamps: [],
      anchors: [],
      onProblem: (_, error) => problems.push(String(error)),
    })
    await attestations.settle()
    return problems
  }
  const first = await openTestLedger(store, signer, { origin: ORIGIN })
  await grow(first, 3)
  const before = store.copy()
  await grow(first, 2)
  assert.deepEqual(await attest(first), [])
  const second = await openTestLedger(before, signer, { origin: ORIGIN })
  await grow(second, 2)
  assert.match((await attest(second))[0] ?? '', /another tree of 5 entries: this ledger is a fork/)
  await grow(second, 4)
  assert.match((await attest(second))[0] ?? '', /it answered 422/)
})

test('whoever is away is asked again later; the others are not kept waiting, and forged words attest nothing', async () => {
  const [store, signer] = [new MemoryStore(), makeSigner()]
  const away = new FaultyStore(new MemoryStore())
  away.fault = () => 'not-done'
  const ledger = await openTestLedger(store, signer, { origin: ORIGIN })
  const log = noteKeyOf(nodeTools, ORIGIN, signer.publicKey)
  assert.ok(log)
  await using served = await testWitness([log])
  const problems: string[] = []
  await using attestations = new Attestations({
    store,
    ledger,
    witnesses: [{ url: served.url, key: served.witness.key }],
    timestamps: [{ name: 'gone', url: 'http://127.0.0.1:1/', everyMs: 0 }],
    anchors: [{ name: 'away', store: away }],
    onProblem: (name) => problems.push(name),
  })
  await grow(ledger, 3)
  await attestations.settle()
  assert.deepEqual(problems.sort(), ['away', 'gone'])
  away.fault = () => undefined
  await attestations.settle()
  assert.ok(await away.size(anchorKey(ORIGIN, 3)))

  await using stranger = await testWitness([log], 'stranger.example/w')
  const policy = parseTrustPolicy(
    nodeTools,
    `witness w ${witnessVerifierKey(served.witness.key)}\nwitness s ${witnessVerifierKey(stranger.witness.key)}\nquorum s`,
    'trust.policy',
  )
  const rules = { policy, openAnchor: async () => store, resolve: (file: string) => file }
  const cosigned = store.objects.get(ledgerKeys.witness(3, `${served.witness.key.keyId}.cosignature`))
  assert.ok(cosigned)
  await store.put(ledgerKeys.witness(3, `${stranger.witness.key.keyId}.cosignature`), cosigned)
  const read = await readLedger(store, [signer])
  const trust = await judgeTrust(store, read, rules)
  assert.equal(trust.size, null)
  assert.deepEqual(
    trust.attestations.map(({ name, size }) => [name, size]),
    [
      ['w', 3],
      ['s', null],
    ],
  )
})

test('a tape of which the ledger’s last word is not attested is UNTRUSTED, and worse things stay worse', async () => {
  const [store, signer] = [new MemoryStore(), makeSigner()]
  const ledger = await openTestLedger(store, signer, { origin: ORIGIN })
  const session = '20261120T120000Z-gw1-00000001'
  const told = { session, number: 1 }
  await ledger.append({
    type: 'session.open',
    ...told,
    header: 'cd',
    identity: 'agent-7',
    target: 'shop',
    policy: 'ab',
    durability: 'process',
  })
  await ledger.append({ type: 'session.close', ...told, reason: 'end', frames: 1, chunks: 1, root: 'ef' })
  await ledger.publish()
  const read = await readLedger(store, [signer])
  const tape = { session, verdict: 'VALID', exit: 0, problems: [], problemCount: 0 } as unknown as Parameters<
    typeof checkTrust
  >[0]
  const verdict = (size: number | null, found: typeof read | undefined = read): string =>
    checkTrust(tape, found, { ...NOBODY, size }).verdict
  assert.deepEqual([verdict(2), verdict(1), verdict(null)], ['VALID', 'UNTRUSTED', 'UNTRUSTED'])
  assert.equal(checkTrust(tape, undefined, NOBODY).exit, 40)
  assert.equal(checkTrust({ ...tape, verdict: 'INVALID' }, read, { ...NOBODY, size: 1 }).verdict, 'INVALID')
})

test('what stands in the place of a checkpoint makes nobody throw: the ledger is told of, and nobody vouches for it', async () => {
  const [store, signer] = [new MemoryStore(), makeSigner()]
  const ledger = await openTestLedger(store, signer, { origin: ORIGIN })
  await grow(ledger, 3)
  await ledger.close()
  const policy = parseTrustPolicy(
    nodeTools,
    `log ${verifierKey(noteKeyOf(nodeTools, ORIGIN, signer.publicKey) ?? assert.fail())}\nquorum none`,
    'trust.policy',
  )
  const rules = { policy, openAnchor: async () => store, resolve: (file: string) => file }
  const own = ledgerKeys.checkpoint(3)
  const note = store.objects.get(own) ?? assert.fail()
  assert.equal((await judgeTrust(store, await readLedger(store, [signer]), rules)).size, 3)
  for (const [name, objects] of [
    ['under another number', [[ledgerKeys.checkpoint(4), note]]],
    ['changed since it was read', [[own, Buffer.from('no note')]]],
  ] as const) {
    const copy = store.copy()
    const before = name === 'changed since it was read' ? await readLedger(copy, [signer]) : undefined
    copy.objects.delete(own)
    for (const [key, bytes] of objects) copy.objects.set(key, bytes)
    const read = before ?? (await readLedger(copy, [signer]))
    assert.deepEqual([(await judgeTrust(copy, read, rules)).size, name], [null, name])
  }
})
