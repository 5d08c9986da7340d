import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { loadConfig } from '../../gateway/config.ts'
import { silentLog } from '../../gateway/log.ts'
import { openSealer } from '../../gateway/tape-room.ts'
import type { Verification } from '../../schemas/verification.ts'
import { type IdentityEndpoint, startIdentityEndpoint, trustedTls, withEnv } from '../support/azure-identity.ts'
import { type Azurite, startAzurite } from '../support/azurite.ts'
import { type BlobProxy, startBlobProxy } from '../support/blob-proxy.ts'
import { runCli } from '../support/cli.ts'
import { EchoClient, type EchoGateway, echoGateway } from '../support/echo-gateway.ts'

// A whole gateway whose tapes are in Azure: the unmodified SDKs and managed identity, over HTTPS, against the emulator behind a
// fake of Azure's access control that allows what the recorder's role allows and nothing more.

let azurite: Azurite
let proxy: BlobProxy
let endpoint: IdentityEndpoint
let env: Disposable

before(async () => {
  const tls = await trustedTls()
  azurite = await startAzurite({ tls })
  proxy = await startBlobProxy({ to: azurite.url, tls, worm: true })
  endpoint = await startIdentityEndpoint()
  env = withEnv({ ...endpoint.env, AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential' })
})
after(async () => {
  env[Symbol.dispose]()
  for (const each of [endpoint, proxy, azurite]) await each[Symbol.asyncDispose]()
})
beforeEach(() => {
  proxy.rights = new Set(['blobs/read', 'blobs/add/action'])
  proxy.fault = () => undefined
  proxy.calls.length = 0
  endpoint.answers = ['ok']
})

async function blobGateway(more = ''): Promise<{ readonly gateway: EchoGateway; readonly container: string }> {
  const { container } = await azurite.place()
  const store = `store: { blob: { url: '${proxy.url}', container: ${container}, clientId: ${randomUUID()}${more} } }\n`
  return { gateway: await echoGateway({ extra: store }), container }
}

async function session(port: number, key: string, words: readonly string[]): Promise<void> {
  using client = await EchoClient.enter(port, key)
  for (const word of words) {
    client.say(word)
    assert.equal(await client.hear(), word)
  }
}

test('records, lists, replays and verifies with blobs/read and blobs/add/action alone, by managed identity', async () => {
  const { gateway, container } = await blobGateway()
  await using _gateway = gateway
  const { service, port } = await gateway.start()
  await Promise.all([1, 2, 3].map((n) => session(port, gateway.keys.agent, [`one ${n}`, `two ${n}`])))
  assert.equal(await service.stop('done'), true)
  assert.deepEqual(new Set(proxy.calls.map(({ action }) => action)), new Set(['blobs/add/action', 'blobs/read']))

  const listed = await runCli(['sessions', '--json', '--config', gateway.config])
  const sessions: { id: string; state: string }[] = JSON.parse(listed.out)
  assert.deepEqual(
    sessions.map(({ state }) => state),
    ['sealed', 'sealed', 'sealed'],
  )
  const replayed = await runCli(['replay', sessions[0]?.id ?? '', '--config', gateway.config])
  assert.match(replayed.out, /two \d/)

  const configured = await runCli(['verify', '--json', '--config', gateway.config])
  assert.equal(configured.code, 0, configured.out + configured.err)
  assert.equal(JSON.parse(configured.out).trust, 'given')
  const url = `${proxy.url}/${container}`
  const named = await runCli(['verify', url, '--json'])
  const { verdict, trust, tapes } = JSON.parse(named.out)
  assert.deepEqual({ verdict, trust, tapes: tapes.length }, { verdict: 'VALID', trust: 'beside', tapes: 3 })
  const one = await runCli(['verify', `${url}/tapes/${sessions[1]?.id}`, '--json'])
  assert.equal(JSON.parse(one.out).tapes.length, 1)
  const examined = await runCli(['doctor', '--config', gateway.config])
  assert.equal(examined.code, 0, examined.out)
  proxy.rights = undefined
  const broad = await runCli(['doctor', '--config', gateway.config])
  assert.equal(broad.code, 3, broad.out)
  assert.match(broad.out, /TOO MUCH {2}rights: delete/)
  const none = await runCli(['verify', `${proxy.url}/no-such-container`, '--json'])
  assert.equal(none.code, 1)
  assert.match(none.err, /STORE_/)
})

test('ended tapes are copied to the evidence container, by an identity that may write there, and verify there', async () => {
  const { container: evidence } = await azurite.place()
  const { gateway } = await blobGateway(`, evidence: { container: ${evidence}, clientId: ${randomUUID()} }`)
  await using _gateway = gateway
  const { service, port } = await gateway.start()
  await session(port, gateway.keys.agent, ['hello'])
  await service.stop('done')
  proxy.rights = new Set(['blobs/read', 'blobs/add/action', 'blobs/write'])
  await using sealer = await openSealer(await loadConfig(gateway.config, {}), silentLog())
  await sealer?.look()
  const { code, out } = await runCli(['verify', `${proxy.url}/${evidence}`, '--json'])
  assert.equal(code, 0, out)
  const { tapes } = JSON.parse(out)
  assert.equal(tapes.length, 1)

  // A person puts it under legal hold: the ledger has it, and Azure keeps the copies.
  const env = { SALLYPORT_KEY: gateway.keys.approver }
  const hold = (act: string) =>
    runCli(['retention', 'hold', act, tapes[0].session, '--reason', 'audit', '--json', '--config', gateway.config], { env })
  const refused = await hold('set')
  assert.equal(refused.code, 1)
  assert.match(refused.err, /the ledger has it, the copies in the evidence container do not yet/)
  proxy.rights = new Set([...proxy.rights, 'containers/write'])
  await using repairing = await openSealer(await loadConfig(gateway.config, {}), silentLog())
  await repairing?.look()
  const blob = `/${new URL(proxy.url).pathname.slice(1)}/${evidence}/tapes/${tapes[0].session}/0000.tape`
  assert.deepEqual(proxy.worm.headers(blob), { 'x-ms-legal-hold': 'true' })
  const cleared = await hold('clear')
  assert.equal(cleared.code, 0, cleared.err)
  assert.equal(JSON.parse(cleared.out).held, false)
  assert.ok(JSON.parse(cleared.out).copies >= 2)
  assert.deepEqual(proxy.worm.headers(blob), {})
})

test('a byte changed in the container is INVALID, by URL as on disk', async () => {
  const { gateway, container } = await blobGateway()
  await using _gateway = gateway
  const { service, port } = await gateway.start()
  await session(port, gateway.keys.agent, ['hello'])
  await service.stop('done')
  const blobs = azurite.container(container)
  for await (const { name } of blobs.listBlobsFlat()) {
    if (!name.endsWith('0000.tape')) continue
    const bytes = await blobs.getBlobClient(name).downloadToBuffer()
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    await blobs.getBlobClient(name).delete()
    await blobs.getBlockBlobClient(name).upload(bytes, bytes.length)
  }
  assert.equal((await runCli(['verify', `${proxy.url}/${container}`])).code, 20)
})

test('a blob that may not be read is named, what others put there is listed, and the rest is verified', async () => {
  const { gateway, container } = await blobGateway()
  await using _gateway = gateway
  const { service, port } = await gateway.start()
  for (const word of ['one', 'two']) await session(port, gateway.keys.agent, [word])
  await service.stop('done')
  const blobs = azurite.container(container)
  for (const name of ['tapes/notes.txt', 'tapes/old/what.bin', 'readme']) await blobs.getBlockBlobClient(name).upload('x', 1)
  const url = `${proxy.url}/${container}`
  const verify = async (): Promise<Verification> => JSON.parse((await runCli(['verify', url, '--json'])).out)
  const { verdict, foreign, tapes } = await verify()
  assert.deepEqual([verdict, foreign, tapes.length], ['VALID', ['tapes/notes.txt', 'tapes/old'], 2])
  const refusing = async (part: string): Promise<Verification> => {
    proxy.fault = ({ method, path }) => (method === 'GET' && path.endsWith(part) ? 403 : undefined)
    return verify()
  }
  const [first] = tapes
  const segment = `tapes/${first?.session}/0000.tape`
  const withoutTape = await refusing(segment)
  assert.deepEqual(
    [
      withoutTape.verdict,
      withoutTape.tapes.map((tape) => tape.verdict),
      withoutTape.tapes[0]?.problems.map(({ object }) => object),
    ],
    ['UNVERIFIABLE', ['UNVERIFIABLE', 'VALID'], [segment]],
  )
  assert.match(withoutTape.tapes[0]?.problems[0]?.what ?? '', /403 AuthorizationPermissionMismatch/)
  const withoutLedger = await refusing('ledger/seq/0000')
  assert.deepEqual(
    [withoutLedger.verdict, withoutLedger.tapes.map((tape) => tape.verdict), withoutLedger.ledger?.problems[0]?.object],
    ['UNVERIFIABLE', ['VALID', 'VALID'], 'ledger/seq/0000'],
  )
})

test('an outage of the identity endpoint, and lost answers of the store, are noticed by no session', async () => {
  const { gateway } = await blobGateway()
  await using _gateway = gateway
  const { service, port } = await gateway.start()
  await session(port, gateway.keys.agent, ['before'])
  endpoint.answers = ['cut']
  let writes = 0
  proxy.fault = ({ method }) => {
    if (method !== 'PUT') return undefined
    writes += 1
    return writes % 3 === 0 ? 'answer-lost' : writes % 5 === 0 ? 503 : undefined
  }
  await session(port, gateway.keys.agent, ['during', 'it all'])
  proxy.fault = () => undefined
  assert.equal(await service.stop('done'), true)
  const { code, out } = await runCli(['verify', '--config', gateway.config])
  assert.equal(code, 0, out)
  assert.ok(writes > 5)
})

test('a container that refuses to be written lets nobody in, and the message says what is missing', async () => {
  const { gateway } = await blobGateway()
  await using _gateway = gateway
  proxy.rights = new Set(['blobs/read'])
  await assert.rejects(gateway.start(), { code: 'STORE_DENIED', message: /403 AuthorizationPermissionMismatch/ })
})
