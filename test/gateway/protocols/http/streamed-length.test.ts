import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { test } from 'node:test'
import { type HttpGateway, httpGateway } from '../../../support/http-gateway.ts'

const MIB = 1024 * 1024
const LINE = '{"nickname":"bo","note":"x"}\n'
/** In which every mask is longer than what it is for. */
const ROWS = Buffer.from(LINE.repeat(Math.ceil((1.5 * MIB) / LINE.length)))
const PICTURE = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47]), Buffer.alloc(1.5 * MIB, Uint8Array.of(0, 7, 200, 30))])

function files({ url, method }: IncomingMessage, response: ServerResponse): void {
  const [type, body] = FILES[url ?? ''] ?? ['text/plain', Buffer.from('the second answer')]
  response.writeHead(200, { 'content-type': type, 'content-length': body.length }).end(method === 'HEAD' ? undefined : body)
}

const FILES: Readonly<Record<string, readonly [type: string, body: Buffer]>> = {
  '/rows': ['text/plain', ROWS],
  '/unknown': ['application/octet-stream', ROWS],
  '/picture': ['image/png', PICTURE],
  '/archive': ['application/octet-stream', PICTURE],
}

/** What one connection is answered that asks for two things at once, to its end. */
async function pipelined(gateway: HttpGateway, first: string): Promise<string> {
  const socket = connect(gateway.port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  const about = `Host: shop.internal\r\nAuthorization: Bearer ${gateway.keys.agent}\r\n`
  socket.write(`${first} HTTP/1.1\r\n${about}\r\nGET /t/shop/second HTTP/1.1\r\n${about}Connection: close\r\n\r\n`)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}

/** The answers as a reader of RFC 9112 takes them apart. */
function answersOf(text: string, method: string): readonly { readonly head: string; readonly body: string }[] {
  const answers: { head: string; body: string }[] = []
  for (let at = 0; at < text.length; ) {
    assert.match(text.slice(at, at + 20), /^HTTP\/1\.1 200 /)
    const end = text.indexOf('\r\n\r\n', at) + 4
    const head = text.slice(at, end)
    at = end
    let body = ''
    const length = /^content-length: (\d+)\r$/im.exec(head)?.[1]
    if (answers.length === 0 && method === 'HEAD') body = ''
    else if (length !== undefined) {
      body = text.slice(at, at + Number(length))
      at += Number(length)
    } else {
      assert.match(head, /^transfer-encoding: chunked\r$/im)
      for (let size = -1; size !== 0; ) {
        const line = text.indexOf('\r\n', at)
        size = Number.parseInt(text.slice(at, line), 16)
        body += text.slice(line + 2, line + 2 + size)
        at = line + 4 + size
      }
    }
    answers.push({ head, body })
  }
  return answers
}

test('what masks may make longer does not say how long it is: the next answer begins where a client looks for it', async () => {
  await using gateway = await httpGateway(files)
  for (const name of ['rows', 'unknown']) {
    const [rows, second, ...more] = answersOf(await pipelined(gateway, `GET /t/shop/${name}`), 'GET')
    assert.equal(rows?.body.replaceAll(/\[MASKED:nickname:[0-9a-f]+\]/g, 'bo'), ROWS.toString())
    assert.doesNotMatch(rows?.head ?? '', /content-length/i)
    assert.equal(second?.body, 'the second answer')
    assert.equal(more.length, 0)
  }
})

test('a file that is no text says how long it is, and so does a HEAD of it', async () => {
  await using gateway = await httpGateway(files)
  for (const name of ['picture', 'archive'])
    for (const method of ['GET', 'HEAD']) {
      const [file, second] = answersOf(await pipelined(gateway, `${method} /t/shop/${name}`), method)
      assert.match(file?.head ?? '', new RegExp(`^content-length: ${PICTURE.length}\r$`, 'im'))
      if (method === 'GET') assert.ok(Buffer.from(file?.body ?? '', 'latin1').equals(PICTURE))
      assert.equal(second?.body, 'the second answer')
    }
  assert.doesNotMatch(answersOf(await pipelined(gateway, 'HEAD /t/shop/rows'), 'HEAD')[0]?.head ?? '', /content-length/i)
})

test('where nothing is labelled a text keeps its length', async () => {
  await using gateway = await httpGateway(files, { policy: 'version: 1\nrules: []\n' })
  const [rows, second] = answersOf(await pipelined(gateway, 'GET /t/shop/rows'), 'GET')
  assert.match(rows?.head ?? '', new RegExp(`^content-length: ${ROWS.length}\r$`, 'im'))
  assert.equal(rows?.body, ROWS.toString())
  assert.equal(second?.body, 'the second answer')
})

test('over HTTP/2 a stream with longer masks ends well', async () => {
  await using gateway = await httpGateway(files, { tls: 'required' })
  const session = connectHttp2(`https://127.0.0.1:${gateway.port}`, { rejectUnauthorized: false })
  try {
    const stream = session.request({ ':path': '/t/shop/rows', authorization: `Bearer ${gateway.keys.agent}` })
    const [head] = await once(stream, 'response')
    let text = ''
    for await (const chunk of stream.setEncoding('latin1')) text += chunk
    assert.equal(head['content-length'], undefined)
    assert.equal(text.replaceAll(/\[MASKED:nickname:[0-9a-f]+\]/g, 'bo'), ROWS.toString())
    assert.equal(stream.rstCode, 0)
  } finally {
    session.destroy()
  }
})
