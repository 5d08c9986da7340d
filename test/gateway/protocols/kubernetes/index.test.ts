import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { Agent, fetch } from 'undici'
import { placesIn } from '../../../../gateway/places.ts'
import { kubernetes } from '../../../../gateway/protocols/kubernetes/index.ts'
import { openFolderDesk } from '../../../../recorder/desk/desk-folder.ts'
import { type KubernetesGateway, kubernetesGateway } from '../../../support/kubernetes-gateway.ts'
import { framesOf, sessionsOf } from '../../../support/tapes.ts'

// Put together here, so that no file holds anything like a secret.
const WORD = ['hunter', 'two', 'x'.repeat(9)].join('-')
const MAIL = `ann${String.fromCharCode(64)}example.org`
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const MASKED = new RegExp(`^${base64('[MASKED:').slice(0, 10)}`)

const SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: 'db',
    namespace: 'shop',
    annotations: {
      'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ kind: 'Secret', stringData: { password: WORD } }),
    },
  },
  data: { password: base64(WORD) },
}
const POD = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop' }, spec: {} }

/** The gateway's certificate is its own. */
const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })

async function rig(options: Parameters<typeof kubernetesGateway>[1] = {}): Promise<KubernetesGateway> {
  const gateway = await kubernetesGateway(
    {
      log: async (follow, write) => {
        write(`for ${MAIL}\n`)
        if (follow) await new Promise<void>((resolve) => setImmediate(resolve))
        write('bye\n')
      },
      upgrade: (_, socket) => void socket.destroy(),
    },
    options,
  )
  gateway.api.add(SECRET)
  gateway.api.add(POD)
  return gateway
}

const ask = (gateway: KubernetesGateway, path: string, init: Parameters<typeof fetch>[1] = {}, key = gateway.keys.agent) =>
  fetch(`${gateway.url}${path}`, { dispatcher, ...init, headers: { authorization: `Bearer ${key}`, ...init.headers } })

async function tapeOf(gateway: KubernetesGateway) {
  await gateway.stop()
  const sessions = await sessionsOf(gateway.dataDir)
  const frames = (await Promise.all(sessions.map(({ id }) => framesOf(gateway.dataDir, id)))).flat()
  const text = frames.map(({ body, facts }) => `${JSON.stringify(facts)}${Buffer.from(body ?? '').toString()}`).join('\n')
  return { frames, text }
}

test('targets ask for it by its name', async () => {
  assert.equal((await kubernetes()).name, 'kubernetes')
})

test('values of Secrets are masked in objects, lists, tables, and watches, and in what annotations quote', async () => {
  await using gateway = await rig()
  const path = '/api/v1/namespaces/shop/secrets'
  const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
  const bodies: string[] = []
  for (const [at, headers] of [
    [`${path}/db`, {}],
    [path, {}],
    ['/api/v1/secrets', { accept: 'application/vnd.kubernetes.protobuf,application/yaml' }],
    [`${path}?includeObject=Object`, table],
  ] as const) {
    const response = await ask(gateway, at, { headers })
    assert.equal(response.status, 200)
    bodies.push(await response.text())
  }
  for (const body of bodies) {
    assert.ok(!body.includes(WORD) && !body.includes(base64(WORD)), body)
    assert.match(body, /"password":"W01BU0tFRD/)
    assert.match(body, /\\"password\\":\\"\[MASKED:kubernetes-secret:/)
    assert.doesNotThrow(() => JSON.parse(body))
  }
  const { data } = JSON.parse(bodies[0] ?? '')
  assert.match(data.password, MASKED)
  assert.match(Buffer.from(data.password, 'base64').toString(), /^\[MASKED:kubernetes-secret:[0-9a-f]{12}\]$/)
  assert.equal(gateway.api.asked.at(-2)?.headers.accept, 'application/json', 'what could not be read is not asked for')
  assert.equal(gateway.api.asked[0]?.headers.authorization, `Bearer ${gateway.clusterToken}`)

  const watching = await ask(gateway, `${path}?watch=true`)
  const reader = watching.body?.pipeThrough(new TextDecoderStream()).getReader()
  gateway.api.add({ ...SECRET, metadata: { ...SECRET.metadata, name: 'second' } })
  const event = (await reader?.read())?.value ?? ''
  assert.equal(JSON.parse(event).object.metadata.name, 'second')
  assert.ok(!event.includes(base64(WORD)) && event.includes('W01BU0tFRD'))
  await reader?.cancel()

  // What a keeper is exempt from is shown, and on the tape all the same.
  const kept = await ask(gateway, `${path}/db`, {}, gateway.keys.keeper)
  assert.equal(JSON.parse(await kept.text()).data.password, base64(WORD))
})

test('what is written reaches the server as it was sent, and the tape masked; masks are not written back', async () => {
  await using gateway = await rig()
  const path = '/api/v1/namespaces/shop/secrets'
  const send = (method: string, at: string, body: unknown) =>
    ask(gateway, at, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const made = { ...SECRET, metadata: { name: 'made' }, data: undefined, stringData: { password: WORD } }
  assert.equal((await send('POST', path, made)).status, 201)
  assert.deepEqual(JSON.parse(gateway.api.asked.at(-1)?.body ?? '').stringData, { password: WORD })
  const shown = JSON.parse(await (await ask(gateway, `${path}/made`)).text())
  const back = await send('PUT', `${path}/made`, shown)
  assert.deepEqual([back.status, JSON.parse(await back.text()).reason], [403, 'Forbidden'])
  const packed = await ask(gateway, path, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.kubernetes.protobuf' },
    body: Buffer.from(`k8s\0${WORD}`),
  })
  assert.equal(packed.status, 403)
  const yaml = await ask(gateway, `${path}/made`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify({ metadata: { name: 'made' }, stringData: { other: WORD } }),
  })
  assert.equal(yaml.status, 200)
  const { text, frames } = await tapeOf(gateway)
  assert.ok(!text.includes(WORD) && !text.includes(base64(WORD)), 'nothing of it is on the tape')
  assert.ok(!text.includes(gateway.clusterToken) && !text.includes(gateway.keys.agent))
  const created = frames.find(({ facts }) => facts['verb'] === 'create')
  assert.deepEqual(
    ['resource', 'api_group', 'namespace', 'name'].map((name) => created?.facts[name]),
    ['secrets', '', 'shop', 'made'],
  )
})

test('a JSON Patch of a Secret tells none of its values, and takes none elsewhere', async () => {
  await using gateway = await rig()
  const at = '/api/v1/namespaces/shop/secrets/db'
  const patch = (operations: unknown, type = 'application/json-patch+json') =>
    ask(gateway, at, { method: 'PATCH', headers: { 'content-type': type }, body: JSON.stringify(operations) })
  const value = base64(WORD)
  const given = [
    { op: 'test', path: '/metadata/resourceVersion', value: '101' },
    { op: 'replace', path: '/data/password', value },
    { value: { deep: [value] }, path: '/data', op: 'add' },
    { op: 'add', path: '/stringData', ['val\u0075e']: { password: WORD } },
  ]
  const sent = JSON.stringify(given)
  const passed = await patch(given)
  assert.equal(passed.status, 200)
  assert.equal(gateway.api.asked.at(-1)?.body, sent, 'the server gets it as it was sent')
  assert.match(JSON.parse(await passed.text()).data.password, MASKED)
  for (const operation of [
    { op: 'copy', from: '/data/password', path: '/metadata/annotations/x' },
    { op: 'move', from: '/data/password', path: '/metadata/labels/x' },
    { op: 'copy', from: '', path: '/metadata/annotations/x' },
    {
      op: 'copy',
      from: '/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration',
      path: '/metadata/annotations/x',
    },
    { op: 'test', path: '/data/password', value },
  ]) {
    for (const type of ['application/json-patch+json', 'Application/JSON-Patch+json; charset=utf-8']) {
      const refused = await patch([{ op: 'remove', path: '/metadata/labels' }, operation], type)
      assert.equal(refused.status, 403)
      assert.match(JSON.parse(await refused.text()).message, /a JSON Patch of a Secret may add.*\[policy\.malformed\]/)
    }
  }
  assert.equal((await patch({ op: 'add', path: '/data/x', value })).status, 403, 'it is a list')
  assert.equal(gateway.api.asked.length, 1)
  const { text } = await tapeOf(gateway)
  assert.ok(!text.includes(WORD) && !text.includes(value), 'nothing of it is on the tape')
})

test('a Secret in whatever type, or in none, is masked on the tape', async () => {
  await using gateway = await rig()
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/octet-stream', 'multipart/form-data', '']) {
    for (const body of [
      JSON.stringify({ metadata: { name: 'made' }, stringData: { password: WORD } }),
      `stringData:\n  a: ${WORD}\n`,
    ])
      await ask(gateway, '/api/v1/namespaces/shop/secrets/db', {
        method: 'PATCH',
        headers: { 'content-type': type },
        body: Buffer.from(body),
      })
  }
  const { text } = await tapeOf(gateway)
  assert.ok(!text.includes(WORD))
})

test('refusals are Status objects, and nobody speaks in another name', async () => {
  await using gateway = await rig()
  const refused = await ask(gateway, '/api/v1/namespaces/prod/pods/web', { method: 'DELETE' })
  assert.equal(refused.status, 403)
  assert.deepEqual(JSON.parse(await refused.text()), {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'sallyport: nothing is deleted in prod [no-deletes]; ask for a change',
    reason: 'Forbidden',
    code: 403,
  })
  const all = await ask(gateway, '/api/v1/pods', { method: 'DELETE' })
  assert.equal(all.status, 403, 'prod is among all of them')
  const proxy = await ask(gateway, '/api/v1/nodes/n1/proxy/run/x')
  assert.match(await proxy.text(), /policy\.forward/)
  const other = await ask(gateway, '/api/v1/namespaces/shop/pods', { headers: { 'impersonate-user': 'system:admin' } })
  assert.match(await other.text(), /Impersonate headers are not passed on/)
  const nobody = await ask(gateway, '/api/v1/pods', {}, 'wrong')
  assert.deepEqual([nobody.status, JSON.parse(await nobody.text()).reason], [401, 'Unauthorized'])
  for (const query of ['watch=%zz', 'limit=5;watch=1']) {
    const unclear = await ask(gateway, `/api/v1/pods?${query}`)
    assert.equal(unclear.status, 403)
    const { kind, message } = JSON.parse(await unclear.text())
    assert.equal(kind, 'Status')
    assert.match(message, /the query can be read in more than one way \[policy\.malformed\]/)
  }
  const hidden = await exec(gateway, 'GET', WEBSOCKET, 'command=x;y&command=reboot')
  assert.match(hidden, /^HTTP\/1\.1 403 [\s\S]*policy\.malformed/)
  for (const tty of ['tty=yes', 'tty', 'tty=1&tty=0']) {
    const terminal = await exec(gateway, 'GET', WEBSOCKET, `command=sh&stdin=true&${tty}`)
    assert.match(terminal, /^HTTP\/1\.1 403 [\s\S]*policy\.agent-terminal/, tty)
  }
  assert.equal(gateway.api.asked.length, 0)
  await ask(gateway, '/api/v1/pods', { headers: { 'x-remote-user': 'root' } })
  assert.equal(gateway.api.asked[0]?.headers['x-remote-user'], undefined)
})

test('a held change waits for a person; the cluster is asked in the name of the one who asks', async () => {
  await using gateway = await rig({ impersonate: ', impersonate: { prefix: "sallyport:" }' })
  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  gateway.api.add({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' } })
  const scaling = ask(gateway, '/apis/apps/v1/namespaces/shop/deployments/web', {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: '{"spec":{"replicas":3}}',
  })
  let id: string | undefined
  while (id === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    id = (await desk.list()).find(({ state }) => state === 'pending')?.id
  }
  assert.equal(gateway.api.asked.length, 0)
  await desk.decide(id, { act: 'approve' }, { subject: 'grace', kind: 'human', groups: ['deciders'] })
  assert.equal((await scaling).status, 200)
  const { headers } = gateway.api.asked[0] ?? {}
  assert.deepEqual([headers?.['impersonate-user'], headers?.['impersonate-group']], ['sallyport:agent-7', 'sallyport:agents'])
  const { frames } = await tapeOf(gateway)
  assert.deepEqual(
    frames.map(({ kind, verdict }) => [kind, verdict?.act]),
    [
      ['request', 'hold'],
      ['approval', 'hold'],
      ['request', 'allow'],
      ['response', undefined],
    ],
  )
})

/** What is answered to an exec that asks for this protocol. */
async function exec(
  gateway: KubernetesGateway,
  method: string,
  upgrade: readonly string[],
  query = 'command=reboot&stdout=true',
): Promise<string> {
  const socket = connect({ port: gateway.port, host: '127.0.0.1', rejectUnauthorized: false })
  const target = `${new URL(gateway.url).pathname}/api/v1/namespaces/shop/pods/web/exec?${query}`
  const lines = ['host: cluster', `authorization: Bearer ${gateway.keys.agent}`, 'connection: Upgrade', ...upgrade]
  socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  let text = ''
  socket
    .on('error', () => undefined)
    .on('data', (chunk: Buffer) => {
      text += chunk
    })
  await once(socket, 'close')
  return text
}

const WEBSOCKET = [
  'upgrade: websocket',
  'sec-websocket-version: 13',
  `sec-websocket-key: ${base64('0123456789abcdef')}`,
  'sec-websocket-protocol: v5.channel.k8s.io',
]
const SPDY = ['upgrade: SPDY/3.1', 'x-stream-protocol-version: v4.channel.k8s.io', 'content-length: 0']

test('an exec that people refused by WebSocket is not asked again by SPDY; a third time it is', { timeout: 60_000 }, async () => {
  await using gateway = await rig()
  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  const rejectNext = async (): Promise<void> => {
    for (;;) {
      const id = (await desk.list()).find(({ state }) => state === 'pending')?.id
      if (id !== undefined) {
        await desk.decide(id, { act: 'reject', reason: 'not today' }, { subject: 'grace', kind: 'human', groups: ['deciders'] })
        return
      }
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const [first] = await Promise.all([exec(gateway, 'GET', WEBSOCKET), rejectNext()])
  assert.match(first, /^HTTP\/1\.1 403 [\s\S]*not today/)
  const again = await exec(gateway, 'POST', SPDY)
  assert.match(again, /^HTTP\/1\.1 403 [\s\S]*not today/)
  assert.equal((await desk.list()).length, 1)
  const [third] = await Promise.all([exec(gateway, 'POST', SPDY), rejectNext()])
  assert.match(third, /^HTTP\/1\.1 403 /)
  assert.equal((await desk.list()).length, 2)
  const { frames } = await tapeOf(gateway)
  assert.equal(frames.filter(({ kind, dir }) => kind === 'exec' && dir === 'in').length >= 3, true, 'each of them is on the tape')
  assert.ok(frames.some(({ kind, facts }) => kind === 'refusal' && facts['repeated'] === true))
})

test('logs are masked, followed or not', async () => {
  await using gateway = await rig()
  for (const follow of ['', '?follow=true']) {
    const text = await (await ask(gateway, `/api/v1/namespaces/shop/pods/web/log${follow}`)).text()
    assert.equal(text, `for ${'*'.repeat(MAIL.length)}\nbye\n`)
  }
})

test('an API server behind a path is one like any other; a path that leads through another server to one is refused', async () => {
  const path = '/k8s/clusters/c-abc'
  await using gateway = await rig({ path })
  const secret = await ask(gateway, '/api/v1/namespaces/shop/secrets/db')
  assert.equal(secret.status, 200)
  const text = await secret.text()
  assert.ok(!text.includes(base64(WORD)) && !text.includes(WORD))
  assert.match((JSON.parse(text) as typeof SECRET).data.password, MASKED)
  const removed = await ask(gateway, '/api/v1/namespaces/prod/pods/web', { method: 'DELETE' })
  assert.equal(removed.status, 403)
  for (const through of [path, '/k8s/clusters/local', '/v3', '/%61pi2'])
    for (const below of ['/api/v1/namespaces/shop/secrets/db', '/apis/apps/v1/deployments', '/%61pi/v1/secrets']) {
      const refused = await ask(gateway, `${through}${below}`)
      assert.equal(refused.status, 403, `${through}${below}`)
      assert.match(await refused.text(), /leads through another server/)
    }
  assert.equal((await ask(gateway, '/openapi/v3/apis/apps/v1')).status, 404)
  const { frames } = await tapeOf(gateway)
  assert.equal(frames.find(({ kind }) => kind === 'request')?.facts['resource'], 'secrets')
})
