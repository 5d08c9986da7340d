import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { httpGateway } from '../support/http-gateway.ts'
import { startSshGateway } from '../support/ssh-gateway.ts'
import { framesOf, sessionsOf } from '../support/tapes.ts'

/** What no other gateway knows: numbers of employees, and orders that are told by a word beside them alone. */
const POLICY = `
version: 1
rules: []
patterns:
  - { id: employee, regex: '\\bEMP-[0-9]{6}\\b', mask: { text: "(employee)" } }
  - { id: order, regex: '\\b[0-9]{10}\\b', context: [order] }
`
const PLANTED = /EMP-\d{6}|5550001111/
const ORDER = '5550001111'

test('patterns of the policy hold for what SSH shows, however it is cut, and for files', { timeout: 120_000 }, async (t) => {
  await using gateway = await startSshGateway(t, { policy: POLICY })
  if (gateway === undefined) return
  await writeFile(join(gateway.sshd.files, 'badges.csv'), 'badge,name\nEMP-100001,Ada\nEMP-1000012,nobody\n')
  const ran = await gateway.run([
    `printf 'by EMP-100001 and order ${ORDER}\\n'; echo EMP-200002 >&2; cat ${gateway.sshd.files}/badges.csv`,
  ])
  // Byte for byte, as in everything that streams.
  assert.equal(ran.stdout, 'by ********** and order **********\nbadge,name\n**********,Ada\nEMP-1000012,nobody\n')
  assert.equal(ran.stderr, '**********\n')
  const shown = (await gateway.frames()).flatMap(({ dir, body }) => (dir === 'out' && body !== null ? [Buffer.from(body)] : []))
  assert.doesNotMatch(Buffer.concat(shown).toString().replace('EMP-1000012', ''), PLANTED)
})

test('patterns of the policy hold for HTTP: bodies of every kind, heads, and what is said in pieces', async () => {
  await using gateway = await httpGateway(
    (request, response) => {
      response.setHeader('x-badge', 'EMP-300003')
      if (request.url === '/json' || request.url === '/long')
        response
          .setHeader('content-type', 'application/json')
          .end(
            `{"who":"EMP-100001","order":"${ORDER}","Orders" : [ ${ORDER}, "x"],"count":"${ORDER}","pad":"${request.url === '/long' ? 'x '.repeat(4_000) : ''}"}`,
          )
      else if (request.url === '/text') response.setHeader('content-type', 'text/plain').end('by EMP-100001, EMP-1000012')
      else {
        response.setHeader('content-type', 'text/plain').write('a stream by EMP-1')
        response.end('00001 is over')
      }
    },
    { policy: POLICY },
  )
  const get = (path: string): Promise<Response> =>
    fetch(gateway.url + path, { headers: { authorization: `Bearer ${gateway.keys.agent}` } })
  for (const path of ['/json', '/long']) {
    const json = await get(path)
    assert.equal(json.headers.get('x-badge'), '(employee)')
    const body = (await json.json()) as Record<string, string | string[]>
    assert.deepEqual([body['who'], body['count']], ['(employee)', ORDER], 'only what stands under the word is an order')
    assert.match(String(body['order']), /^\[MASKED:order/)
    assert.match(String(body['Orders']), /^\[MASKED:order(:[0-9a-f]+)?\],x$/)
  }
  assert.equal(await (await get('/text')).text(), 'by (employee), EMP-1000012')
  assert.equal(await (await get('/stream')).text(), 'a stream by ********** is over')
  await gateway.stop()
  for (const { id } of await sessionsOf(gateway.dataDir))
    for (const { dir, body: bytes } of await framesOf(gateway.dataDir, id))
      if (dir === 'out' && bytes !== null)
        assert.doesNotMatch(Buffer.from(bytes).toString().replace('EMP-1000012', '').replace(`"count":"${ORDER}"`, ''), PLANTED)
})

/** As somebody might keep it in a table, a file, a repository's API. */
const CODE = Array.from(
  { length: 40 },
  (_, n) =>
    `export function handle${n}(request: Request): Response {\n  const rows = query${n}(request.id)\n  return render(rows)\n}\n`,
).join('\n')

test('where a policy says so, source code is masked whole, whatever brings it; what is sent to a target is not', {
  timeout: 120_000,
}, async (t) => {
  const policy = 'version: 1\nrules: []\ndetectors: { source-code: { action: mask, form: plain } }\n'
  await using http = await httpGateway(
    (request, response) => {
      if (request.method === 'POST') {
        const parts: Buffer[] = []
        request.on('data', (part: Buffer) => parts.push(part))
        request.on('end', () => response.end(`${Buffer.concat(parts).length} bytes`))
      } else if (request.url === '/json') {
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ path: 'handle.ts', content: CODE }))
      } else response.setHeader('content-type', 'text/plain').end(CODE)
    },
    { policy },
  )
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(http.url + path, { ...init, headers: { authorization: `Bearer ${http.keys.agent}`, 'content-type': 'text/plain' } })
  assert.equal(await (await ask('/text')).text(), '[MASKED:source-code]')
  assert.deepEqual(await (await ask('/json')).json(), { path: 'handle.ts', content: '[MASKED:source-code]' })
  assert.equal(await (await ask('/up', { method: 'POST', body: CODE })).text(), `${CODE.length} bytes`)
  await http.stop()
  const bodies: string[] = []
  for (const { id } of await sessionsOf(http.dataDir))
    for (const { body, dir } of await framesOf(http.dataDir, id)) if (body !== null) bodies.push(`${dir} ${Buffer.from(body)}`)
  assert.ok(
    bodies.some((body) => body.startsWith('in POST') && body.includes('handle39')),
    'the tape has what an agent brings',
  )
  assert.ok(!bodies.some((body) => body.startsWith('out') && body.includes('handle39')))

  await using ssh = await startSshGateway(t, { policy })
  if (ssh === undefined) return
  await writeFile(join(ssh.sshd.files, 'handle.ts'), CODE)
  const { stdout } = await ssh.run([`cat ${ssh.sshd.files}/handle.ts; sleep 0.1; echo; seq 1 200`])
  assert.doesNotMatch(stdout, /handle|render/)
  assert.equal(stdout.length, CODE.length + 1 + 692, 'byte for byte')
})
