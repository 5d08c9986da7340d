import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { missing } from '../support/clients.ts'
import { type KubernetesGateway, kubectls, kubernetesGateway } from '../support/kubernetes-gateway.ts'
import { servePod } from '../support/kubernetes-pods.ts'
import { framesOf, sessionsOf } from '../support/tapes.ts'

// Put together here, so that no file holds anything like a secret.
const WORD = ['hunter', 'two', 'y'.repeat(9)].join('-')
const MAIL = `ann${String.fromCharCode(64)}example.org`
const STARS = '*'.repeat(MAIL.length)
const IN_POD = ['-n', 'shop', 'web']

let gateway: KubernetesGateway
let more = (): void => undefined

before(async () => {
  gateway = await kubernetesGateway({
    log: async (follow, write) => {
      write(`first ${MAIL}\n`)
      if (follow) await new Promise<void>((resolve) => (more = resolve))
      write('second\n')
    },
    upgrade: servePod,
  })
  gateway.api.add({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop' },
    // As a server fills it in: kubectl reads it without a look.
    spec: { containers: [{ name: 'c', image: 'x' }], securityContext: {} },
    status: { phase: 'Running' },
  })
})

after(() => gateway[Symbol.asyncDispose]())

for (const binary of kubectls()) {
  const version = binary.slice(binary.lastIndexOf('/') + 1)
  const kubectl = (args: readonly string[], input?: string | Buffer) => gateway.kubectl(binary, gateway.keys.agent, args, input)

  test(`${version}: get, apply, describe, delete`, async () => {
    const file = join(gateway.folder, 'secret.json')
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'made', namespace: 'shop' }, stringData: { word: WORD } }
    await writeFile(file, JSON.stringify(secret))
    const applied = await kubectl(['apply', '--validate=false', '-f', file])
    assert.match(applied.stdout, /secret\/made (created|configured|unchanged)/, applied.stderr)
    assert.match((await kubectl(['get', 'secrets', '-A'])).stdout, /made +Secret/)
    const { stdout } = await kubectl(['get', 'secret', 'made', '-n', 'shop', '-o', 'jsonpath={.data.word}'])
    assert.match(Buffer.from(stdout, 'base64').toString(), /^\[MASKED:kubernetes-secret:/)
    const yaml = await kubectl(['get', 'secret', 'made', '-n', 'shop', '-o', 'yaml'])
    assert.match(yaml.stdout, /last-applied-configuration: .*\n? *.*MASKED:kubernetes-secret/)
    assert.match((await kubectl(['describe', 'secret', 'made', '-n', 'shop'])).stdout, /word: +\d+ bytes/)
    const again = await kubectl(['apply', '--validate=false', '-f', '-'], yaml.stdout)
    assert.match(again.stderr, /policy\.masked-write/, 'what was shown is not written back')
    const patch = (operation: object) =>
      kubectl(['patch', 'secret', 'made', '-n', 'shop', '--type=json', '-p', JSON.stringify([operation])])
    const value = Buffer.from(WORD).toString('base64')
    assert.match((await patch({ op: 'replace', path: '/data/word', value })).stdout, /secret\/made patched/)
    const copied = await patch({ op: 'copy', from: '/data/word', path: '/metadata/annotations/x' })
    assert.match(copied.stderr, /a JSON Patch of a Secret may add/)
    const refused = await kubectl(['delete', 'pod', 'web', '-n', 'prod'])
    assert.deepEqual([refused.code, refused.stderr.split(':')[0]], [1, 'Error from server (Forbidden)'])
    assert.match((await kubectl(['delete', 'secret', 'made', '-n', 'shop', '--wait=false'])).stdout, /deleted/)
  })

  test(`${version}: logs, followed line by line`, async () => {
    assert.equal((await kubectl(['logs', ...IN_POD])).stdout, `first ${STARS}\nsecond\n`)
    const following = gateway.start(binary, gateway.keys.agent, ['logs', '-f', ...IN_POD])
    const [first] = (await once(following.stdout ?? following, 'data')) as [Buffer]
    assert.equal(first.toString(), `first ${STARS}\n`, 'it does not wait for what follows')
    more()
    const [second] = (await once(following.stdout ?? following, 'data')) as [Buffer]
    assert.equal(second.toString(), 'second\n')
    await once(following, 'close')
  })

  test(`${version}: exec with its streams, its status, and its refusals`, async () => {
    const run = await kubectl(['exec', '-i', ...IN_POD, '--', 'sh', '-c', `cat; echo to ${MAIL}; echo bad >&2; exit 3`], 'in\n')
    assert.deepEqual([run.code, run.stdout], [3, `in\nto ${STARS}\n`])
    assert.match(run.stderr, /^bad\ncommand terminated with exit code 3/m)
    const refused = await kubectl(['exec', ...IN_POD, '--', 'sh', '-c', 'cat /etc/shadow'])
    assert.match(refused.stderr, /not that file \[no-etc\]/)
    const terminal = await kubectl(['exec', '-it', ...IN_POD, '--', 'true'])
    // Without a terminal of its own kubectl asks for none.
    assert.equal(terminal.code, 0, terminal.stderr)
  })

  test(`${version}: attach to what runs, and debug in a container of its own`, async () => {
    const attached = await kubectl(['attach', '-i', ...IN_POD, '-c', 'c'], `typed ${MAIL}\n`)
    assert.deepEqual([attached.code, attached.stdout], [0, `typed ${STARS}\n`], attached.stderr)
    const name = `look-${version.replaceAll('.', '-')}`
    const debugged = await kubectl(
      ['debug', '-i', ...IN_POD, '--image=tools', '-c', name, '--target=c', '--', 'cat'],
      `found ${MAIL}\n`,
    )
    assert.equal(debugged.code, 0, debugged.stderr)
    assert.ok(debugged.stdout.endsWith(`found ${STARS}\n`), debugged.stdout)
    const asked = gateway.api.asked.map(({ method, url }) => `${method} ${url.replace(/\?.*/, '')}`)
    assert.ok(asked.includes('PATCH /api/v1/namespaces/shop/pods/web/ephemeralcontainers'))
  })

  test(`${version}: cp both ways`, async () => {
    const [there, back] = [join(gateway.folder, 'there'), join(gateway.folder, 'back')]
    const content = Buffer.alloc(300_000, 'lorem ipsum dolor\n')
    const source = join(gateway.folder, 'source')
    await writeFile(source, content)
    const copied = await kubectl(['cp', source, `shop/web:${there}`])
    assert.equal(copied.code, 0, copied.stderr)
    assert.ok((await readFile(there)).equals(content))
    const fetched = await kubectl(['cp', `shop/web:${there}`, back])
    assert.equal(fetched.code, 0, fetched.stderr)
    assert.ok((await readFile(back)).equals(content))
  })

  test(`${version}: port-forward, where a rule allows it`, async () => {
    const server = createServer((request, response) => response.end(`you asked ${request.url} for ${MAIL}`))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo // it listens on TCP
    const forward = gateway.start(binary, gateway.keys.agent, ['port-forward', '-n', 'shop', 'pod/web', `:${port}`])
    const [line] = (await once(forward.stdout ?? forward, 'data')) as [Buffer]
    const local = /127\.0\.0\.1:(\d+)/.exec(line.toString())?.[1]
    for (const path of ['/a', '/b'])
      assert.equal(await (await fetch(`http://127.0.0.1:${local}${path}`)).text(), `you asked ${path} for ${STARS}`)
    forward.kill()
    await once(forward, 'close')
    server.closeAllConnections()
    server.close()
  })
}

test('a terminal is for people, and is on the tape as one', async (t) => {
  const [binary] = kubectls()
  if (binary === undefined) return missing(t, 'there is no kubectl')
  const exec = ['exec', '-it', ...IN_POD, '--', 'sh', '-c', `echo screen; stty size; sleep 0.2`]
  const base = ['--server', gateway.url, '--insecure-skip-tls-verify', '--cache-dir', join(gateway.folder, 'cache')]
  const inTerminal = (key: string) => gateway.inTerminal([binary, ...base, '--token', key, ...exec])
  assert.match(await inTerminal(gateway.keys.agent), /agents get no terminal/)
  assert.match(await inTerminal(gateway.keys.human), /screen/)
})

test('everything stands on the tape, and nothing of what is secret', async (t) => {
  if (kubectls().length === 0) return missing(t, 'there is no kubectl')
  await gateway.stop()
  const sessions = await sessionsOf(gateway.dataDir)
  const frames = (await Promise.all(sessions.map(({ id }) => framesOf(gateway.dataDir, id)))).flat()
  const text = frames.map(({ body, facts }) => `${JSON.stringify(facts)}${Buffer.from(body ?? '').toString('latin1')}`).join('\n')
  for (const secret of [WORD, Buffer.from(WORD).toString('base64'), MAIL, gateway.clusterToken, gateway.keys.agent])
    assert.ok(!text.includes(secret))
  const kinds = new Set(frames.map(({ dir, kind }) => `${dir} ${kind}`))
  for (const kind of [
    'in exec',
    'in attach',
    'in stdin',
    'out stdout',
    'out stderr',
    'out exit',
    'in port-forward',
    'out forward-output',
  ])
    assert.ok(kinds.has(kind), kind)
  assert.ok(kinds.has('out terminal-output') && kinds.has('in terminal-resize'))
  const debuggers = frames.filter(({ facts }) => facts['resource'] === 'pods/ephemeralcontainers')
  assert.equal(debuggers.filter(({ facts }) => facts['verb'] === 'patch').length, kubectls().length)
  const containers = new Set(frames.filter(({ kind }) => kind === 'attach').map(({ facts }) => facts['container']))
  assert.equal(containers.size, kubectls().length + 1, 'the pod’s own, and one for each that debugged')
  const statuses = new Set(frames.filter(({ kind }) => kind === 'exit').map(({ facts }) => facts['status']))
  assert.ok(statuses.has(0) && statuses.has(3) && !statuses.has(undefined))
})
