import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { har as validHar } from 'har-validator'
import { runCli } from '../support/cli.ts'
import { assertRan, clientHere, run } from '../support/clients.ts'
import { httpGateway } from '../support/http-gateway.ts'
import { selfSigned } from '../support/pg-tls.ts'
import { framesOf, sessionsOf } from '../support/tapes.ts'

const AT = String.fromCharCode(64)

/** Some JSON, a redirect, and an echo of what is posted. */
function shop(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    if (request.url === '/old') response.writeHead(302, { location: '/new' }).end()
    else if (request.method === 'POST') response.end(`got ${Buffer.concat(chunks).length}`)
    else response.setHeader('content-type', 'application/json').end(`{"mail":"ann${AT}example.org","path":"${request.url}"}`)
  })
}

const MASKED = /^{"mail":"\[MASKED:email:[0-9a-f]{12}\]","path":"(\/[^"]*)"}$/

test('curl: bearer, basic, redirects, uploads with Expect, HEAD', async (t) => {
  const curl = clientHere(t, 'curl')
  if (curl === undefined) return
  await using gateway = await httpGateway(shop)
  const asks = async (...args: string[]): Promise<string> => {
    const ran = await run(curl, ['-sS', '--max-time', '30', ...args])
    assertRan(ran, `curl ${args.at(-1)}`)
    return ran.stdout
  }
  const bearer = ['-H', `Authorization: Bearer ${gateway.keys.agent}`]
  assert.equal(MASKED.exec(await asks(...bearer, `${gateway.url}/a?b=c`))?.[1], '/a?b=c')
  assert.equal(MASKED.exec(await asks('-u', `anybody:${gateway.keys.agent}`, `${gateway.url}/b`))?.[1], '/b')
  assert.equal(MASKED.exec(await asks(...bearer, '-L', `${gateway.url}/old`))?.[1], '/new')
  assert.match(await asks(...bearer, '-I', `${gateway.url}/c`), /^HTTP\/1\.1 200 OK\r\n/)
  const large = 'x y '.repeat(600_000)
  const folder = await mkdtemp(join(tmpdir(), 'curl-'))
  try {
    await writeFile(join(folder, 'large'), large)
    assert.equal(
      await asks(
        ...bearer,
        '-H',
        'Expect: 100-continue',
        '-H',
        'Content-Type: text/plain',
        '--data-binary',
        `@${folder}/large`,
        gateway.url,
      ),
      `got ${large.length}`,
    )
    assert.equal(
      await asks(
        ...bearer,
        '-H',
        'Transfer-Encoding: chunked',
        '-H',
        'Content-Type: text/plain',
        '--data-binary',
        `@${folder}/large`,
        gateway.url,
      ),
      `got ${large.length}`,
    )
  } finally {
    await rm(folder, { recursive: true })
  }
  await gateway.stop()
  const [session] = await sessionsOf(gateway.dataDir)
  assert.equal(session?.state, 'sealed')

  await t.test('what curl did leaves as HAR, which a validator takes, and as packets, which tshark reads as HTTP', async (t) => {
    const [{ id } = assert.fail(), ...others] = await sessionsOf(gateway.dataDir)
    const exported = await mkdtemp(join(tmpdir(), 'curl-exports-'))
    t.after(() => rm(exported, { recursive: true, force: true }))
    const write = async (session: string, format: string): Promise<string> => {
      const out = join(exported, `${session}.${format}`)
      const ran = await runCli(['export', session, '--format', format, '--out', out, '--config', gateway.config])
      assert.equal(ran.code, 0, ran.err)
      return out
    }
    const asked: string[] = []
    for (const session of [id, ...others.map((one) => one.id)]) {
      const har = JSON.parse(await readFile(await write(session, 'har'), 'utf8'))
      await validHar(har)
      for (const { request, response } of har.log.entries) {
        asked.push(`${request.method} ${new URL(request.url).pathname} ${response.status}`)
        if (request.method === 'GET' && response.status === 200) assert.match(response.content.text, MASKED)
      }
    }
    assert.deepEqual(
      asked.toSorted(),
      ['GET /a 200', 'GET /b 200', 'GET /new 200', 'GET /old 302', 'HEAD /c 200', 'POST / 200', 'POST / 200'].toSorted(),
    )
    const tshark = clientHere(t, 'tshark')
    if (tshark === undefined) return
    const read: string[] = []
    for (const session of [id, ...others.map((one) => one.id)]) {
      const path = await write(session, 'pcapng')
      const wrong = '_ws.malformed || tcp.analysis.lost_segment || tcp.analysis.retransmission'
      for (const [filter, fields] of [
        [wrong, ['frame.number']],
        ['http.request', ['http.request.method', 'http.request.uri']],
        ['http.response', ['http.response.code']],
      ] as const) {
        const columns = fields.flatMap((field) => ['-e', field])
        const ran = await run(tshark, ['-r', path, '-n', '-T', 'fields', ...columns, '-Y', filter])
        assertRan(ran, 'tshark')
        if (filter === wrong) assert.equal(ran.stdout, '')
        else read.push(...ran.stdout.trim().split('\n'))
      }
    }
    assert.deepEqual(
      read.toSorted(),
      [
        ...['200', '200', '200', '200', '200', '200', '302'],
        'GET\t/a?b=c',
        'GET\t/b',
        'GET\t/new',
        'GET\t/old',
        'HEAD\t/c',
        'POST\t/',
        'POST\t/',
      ].toSorted(),
    )
  })
})

test('Python’s urllib, on connections of its own', async (t) => {
  const python = clientHere(t, 'python3')
  if (python === undefined) return
  await using gateway = await httpGateway(shop)
  const ran = await run(python, [
    '-c',
    `import urllib.request as u, sys
for path in ('/p', '/q'):
    print(u.urlopen(u.Request(sys.argv[1] + path, headers={'Authorization': 'Bearer ' + sys.argv[2]}), timeout=30).read().decode())`,
    gateway.url,
    gateway.keys.agent,
  ])
  assertRan(ran, 'python3')
  assert.deepEqual(
    ran.stdout
      .trim()
      .split('\n')
      .map((line) => MASKED.exec(line)?.[1]),
    ['/p', '/q'],
  )
})

test('Python’s requests: one session, redirects, a form with a file, a body without a length', async (t) => {
  const python = clientHere(t, 'requests')
  if (python === undefined) return
  await using gateway = await httpGateway(shop)
  const ran = await run(python, [
    '-c',
    `import requests, sys
url, key = sys.argv[1:]
with requests.Session() as s:
    s.headers['Authorization'] = 'Bearer ' + key
    for path in ('/p', '/old'):
        print(s.get(url + path, timeout=60).text)
    print(s.post(url, data={'a': 'b'}, files={'f': ('f.txt', b'x' * 1000)}, timeout=60).text.split()[0])
    print(s.post(url, data=(b'y' * 1000 for _ in range(3000)), timeout=60).text)
    refused = s.delete(url + '/p', timeout=60)
    print(refused.status_code, refused.json()['rules'][0])
print(requests.get(url, auth=('anybody', key), timeout=60).json()['path'])`,
    gateway.url,
    gateway.keys.agent,
  ])
  assertRan(ran, 'python3')
  const [first, moved, ...others] = ran.stdout.trim().split('\n')
  assert.deepEqual(
    [first, moved].map((line) => MASKED.exec(line ?? '')?.[1]),
    ['/p', '/new'],
  )
  assert.deepEqual(others, ['got', 'got 3000000', '403 no-deletes', '/'])
})

test('git clones and pushes over https, by HTTP/2 and HTTP/1.1, and in clear', async (t) => {
  const git = clientHere(t, 'git')
  if (git === undefined) return
  const folder = await mkdtemp(join(tmpdir(), 'git-http-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const does = async (cwd: string, ...args: string[]): Promise<string> => {
    const ran = await run(git, ['-c', 'user.name=t', '-c', `user.email=t${AT}localhost`, ...args], {
      cwd,
      env: {
        GIT_TERMINAL_PROMPT: '0',
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_SSL_CAINFO: join(folder, 'ca.pem'),
      },
    })
    assertRan(ran, `git ${args[0]}`)
    return ran.stdout
  }
  const identity = await selfSigned()
  await writeFile(join(folder, 'ca.pem'), identity.cert)
  const repository = join(folder, 'repo.git')
  await does(folder, 'init', '-q', '--bare', 'repo.git')
  await does(repository, 'config', 'http.receivepack', 'true')
  await using gateway = await httpGateway(gitBackend(git, folder), { tls: 'optional', identity })
  const at = `agent:${gateway.keys.agent}${AT}localhost:${gateway.port}/t/shop/repo.git`
  for (const [name, scheme, ...version] of [
    ['http2', 'https'],
    ['http1', 'https', '-c', 'http.version=HTTP/1.1'],
    ['clear', 'http'],
  ] as const) {
    const work = join(folder, name)
    await does(folder, ...version, 'clone', '-q', `${scheme}://${at}`, name)
    await does(work, 'checkout', '-q', '-b', name)
    await writeFile(join(work, `${name}.txt`), Array.from({ length: 100_000 }, (_, n) => `${name} ${n} ${n * 7919}`).join('\n'))
    await does(work, 'add', '.')
    await does(work, 'commit', '-q', '-m', name)
    await does(work, ...version, 'push', '-q', 'origin', name)
    await does(folder, ...version, 'clone', '-q', '-b', name, `${scheme}://${at}`, `${name}-again`)
    const [pushed, ...cloned] = [
      await does(repository, 'rev-parse', name),
      await does(work, 'rev-parse', 'HEAD'),
      await does(join(folder, `${name}-again`), 'rev-parse', 'HEAD'),
    ]
    assert.deepEqual(cloned, [pushed, pushed], name)
  }
  await gateway.stop()
  const [session, ...others] = await sessionsOf(gateway.dataDir)
  assert.deepEqual(others, [])
  const frames = await framesOf(gateway.dataDir, session?.id ?? '')
  const pushes = frames.filter(({ kind, facts }) => kind === 'request' && facts['path'] === '/repo.git/git-receive-pack')
  assert.ok(pushes.length >= 3, 'each push is on the tape')
  assert.ok(!frames.some(({ body }) => Buffer.from(body ?? '').includes(gateway.keys.agent)))
})

/** git's own CGI (git-http-backend). */
function gitBackend(git: string, root: string) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? '/', 'http://origin')
    const child = spawn(git, ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        ...(request.headers['content-encoding'] === undefined
          ? {}
          : { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] }),
        ...(request.headers['content-length'] === undefined ? {} : { CONTENT_LENGTH: request.headers['content-length'] }),
        ...(request.headers['git-protocol'] === undefined ? {} : { GIT_PROTOCOL: String(request.headers['git-protocol']) }),
        REMOTE_USER: 'agent',
      },
    })
    request.pipe(child.stdin).on('error', () => undefined)
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.on('close', () => {
      const all = Buffer.concat(chunks)
      const end = all.indexOf('\r\n\r\n')
      for (const line of all.subarray(0, end).toString().split('\r\n')) {
        const [name = '', value = ''] = line.split(': ', 2)
        if (name === 'Status') response.statusCode = Number.parseInt(value, 10)
        else response.setHeader(name, value)
      }
      response.end(all.subarray(end + 4))
    })
  }
}
