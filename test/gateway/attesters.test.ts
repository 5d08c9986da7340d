import assert from 'node:assert/strict'
import { readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openFileSigner } from '../../recorder/tape/signer-file.ts'
import { nodeTools } from '../../recorder/tape/tools.ts'
import { witnessVerifierKey } from '../../schemas/verify/cosignature.ts'
import { type NoteKey, noteKeyOf, verifierKey } from '../../schemas/verify/note.ts'
import { runCli } from '../support/cli.ts'
import { GOOD, lineOf, mistakes } from '../support/config.ts'
import { EchoClient, type EchoGateway, echoGateway } from '../support/echo-gateway.ts'
import { selfSigned } from '../support/pg-tls.ts'
import { testWitness } from '../support/witness.ts'

const ORIGIN = 'log.example.com/sallyport'

test('attesters that could never attest are mistakes of the configuration, by line', async () => {
  const text = `${GOOD}ledger:
  witnesses:
    - { url: 'http://169.254.169.254/w', key: 'w+00000000+AAAA' }
  timestamps:
    - { name: tsa, url: 'https://time.example/' }
    - { name: tsa, url: 'https://time.example/2' }
  anchors:
    - { name: worm, blob: { account: abc, url: 'http://store.example' } }
    - { name: inside, folder: ./data/anchor }
    - { name: beside, folder: ./data-anchor }
    - { name: around, folder: . }
`
  const told = await mistakes(text)
  for (const [part, words] of [
    ['169.254', /metadata service/],
    ['w+00000000', /a witness key is name\+hash\+key/],
    ["'https://time.example/2'", /tsa stands here twice/],
    ['worm', /give either account or url/],
    ['inside', /where the ledger itself lies/],
    ['around', /where the ledger itself lies/],
  ] as const) {
    const line = lineOf(text, part)
    const own = told.split('\n').filter((one) => one.includes(`:${line}:`))
    assert.match(own.join('\n'), words, told)
  }
  assert.doesNotMatch(told, new RegExp(`:${lineOf(text, 'beside')}:`))
})

test('an anchor behind what cannot be followed is judged by its name, and keeps no gateway from serving', async () => {
  await using gateway = await echoGateway({ extra: 'ledger: { anchors: [{ name: away, folder: dead/anchor }] }\n' })
  // As of a mount whose server is gone: whoever looks gets an error that says neither that it is there nor that it is not.
  await symlink('dead', join(gateway.folder, 'dead'))
  await visit(gateway)
  const held = () => runCli(['retention', 'hold', 'list', '--config', gateway.config])
  assert.deepEqual([(await held()).code, (await held()).err], [0, 'nothing is held\n'])
  const text = await readFile(gateway.config, 'utf8')
  await symlink('loop', join(gateway.dataDir, 'loop'))
  await writeFile(gateway.config, text.replace('dead/anchor', join(gateway.dataDir, 'loop', 'anchor')))
  assert.match((await held()).err, /where the ledger itself lies/)
})

test('an anchor in the container of the ledger is a mistake, however that is written', async () => {
  const store = 'store: { blob: { account: abc } }\n'
  const anchored = (blob: string): Promise<string> =>
    mistakes(`${GOOD}${store}ledger:\n  anchors: [{ name: worm, blob: { ${blob} } }]\n`)
  for (const blob of ['account: abc', "url: 'https://ABC.blob.core.windows.net/', container: live"])
    assert.match(await anchored(blob), /where the ledger itself lies/)
  for (const blob of ['account: abc, container: worm', 'account: other'])
    assert.doesNotMatch(await anchored(blob).catch(() => ''), /where the ledger itself lies/)
})

async function visit(gateway: EchoGateway): Promise<void> {
  const { service, port } = await gateway.start()
  using client = await EchoClient.enter(port, gateway.keys.agent)
  client.say('hello')
  assert.equal(await client.hear(), 'hello')
  await service.stop('test')
}

test('a gateway’s checkpoints are attested up to its last; verify asks for it by a trust policy', async () => {
  const logs: NoteKey[] = []
  await using served = await testWitness(logs)
  await using gateway = await echoGateway({
    extra: `ledger:
  origin: ${ORIGIN}
  witnesses: [{ url: '${served.url}', key: '${witnessVerifierKey(served.witness.key)}' }]
  anchors: [{ name: worm, folder: elsewhere }]
`,
  })
  const signer = await openFileSigner(join(gateway.dataDir, 'keys'), 'gw1')
  const log = noteKeyOf(nodeTools, ORIGIN, signer.publicKey)
  assert.ok(log)
  logs.push(log)
  await visit(gateway)

  const policy = join(gateway.folder, 'trust.policy')
  const lines = [`log ${verifierKey(log)}`, `witness w ${witnessVerifierKey(served.witness.key)}`, 'anchor a elsewhere']
  await writeFile(policy, [...lines, 'group both all w a', 'quorum both', ''].join('\n'))
  const verify = (...more: string[]) => runCli(['verify', gateway.dataDir, '--trust-policy', policy, ...more])
  const good = await verify()
  assert.equal(good.code, 0, good.out)
  assert.match(good.out, /trust policy {2}VALID {2}met up to a checkpoint of \d+ entries/)
  assert.match(good.out, /witness w: \d+ entries, at 20\d\d-/)

  // Nothing is anchored there, and it would never do.
  await writeFile(policy, 'anchor a data\nquorum none\n')
  const itself = await verify()
  assert.deepEqual([itself.code, itself.out], [1, ''])
  assert.match(itself.err, /a is the very store that is verified/)

  // One witness more that has never heard of this ledger.
  await using other = await testWitness([], 'other.example/w')
  await writeFile(
    policy,
    [...lines, `witness o ${witnessVerifierKey(other.witness.key)}`, 'group all3 all w a o', 'quorum all3', ''].join('\n'),
  )
  const untrusted = await verify('--json')
  assert.equal(untrusted.code, 40, untrusted.out)
  const { verdict, policy: trust } = JSON.parse(untrusted.out)
  assert.deepEqual(
    [verdict, trust.size, trust.attestations.at(-1)],
    ['UNTRUSTED', null, { name: 'o', kind: 'witness', size: null, at: null }],
  )

  // The anchor remembers what the ledger no longer has.
  await writeFile(policy, 'anchor a elsewhere\nquorum none\n')
  assert.equal((await verify()).code, 0)
  const newest = await readFile(join(gateway.dataDir, 'ledger', 'seq', '0000'), 'utf8')
  await writeFile(join(gateway.dataDir, 'ledger', 'seq', '0000'), newest.split('\n').slice(0, 2).join('\n'))
  await rm(join(gateway.dataDir, 'ledger', 'checkpoint'), { recursive: true })
  const rolledBack = await verify()
  assert.equal(rolledBack.code, 20)
  assert.match(rolledBack.out, /INVALID {2}anchor: a: it has a checkpoint of \d+ entries, the ledger has \d+: it was rolled back/)

  const { cert } = await selfSigned()
  await writeFile(join(gateway.folder, 'tsa.pem'), cert)
  await writeFile(join(gateway.folder, 'copy.pem'), `the same\n${cert}`)
  for (const [lines, message] of [
    ['anchor a elsewhere\nanchor b elsewhere/\ngroup g all a b\nquorum g\n', /a and b are one party/],
    ['anchor a elsewhere\nanchor b elsewhere/checkpoints\ngroup g all a b\nquorum g\n', /a and b are one party/],
    ['anchor a data/keys\nquorum a\n', /a is .*keys, which lies in the store that is verified/],
    ['anchor a nowhere\nquorum a\n', /nowhere is not a folder/],
    ['timestamp t no.pem\nquorum t\n', /no\.pem is not a file/],
    ['timestamp t tsa.pem\ntimestamp u copy.pem\ngroup g all t u\nquorum g\n', /t and u are one party/],
    [`quorum none\n#${'é'.repeat(140_000)}\n`, /more than 262144 bytes/],
    ['timestamp t trust.policy\nquorum t\n', /trust\.policy holds no certificate/],
  ] as const) {
    await writeFile(policy, lines)
    const refused = await verify()
    assert.deepEqual([refused.code, message.test(refused.err)], [1, true], refused.err)
  }

  await writeFile(policy, 'witness w nonsense\n')
  const wrong = await verify()
  assert.equal(wrong.code, 1)
  assert.match(wrong.err, /trust\.policy:1: a witness key is/)
})
