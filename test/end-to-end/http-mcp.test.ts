import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { placesIn } from '../../gateway/places.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import { HttpView } from '../../schemas/views/http.ts'
import { httpGateway } from '../support/http-gateway.ts'
import { framesOf, sessionsOf } from '../support/tapes.ts'

const GRACE = { subject: 'grace', kind: 'human', groups: ['deciders'] } as const
// Put together here, so that no file holds anything like it.
const MAIL = `ann${String.fromCharCode(64)}example.org`

const POLICY = `
version: 1
rules:
  - { id: ask-refunds, on: http, match: { tool: refund }, action: hold, reason: refunds are decided by people, approval: { groups: [deciders], timeout: 60s } }
  - { id: no-shell, on: http, match: { tool: "shell*" }, action: block, reason: no shells }
`

/** Two tools, over streamable HTTP; each request is served by itself. */
function tools(called: string[]) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const server = new Server({ name: 'shop', version: '1' }, { capabilities: { tools: {} } })
    const inputSchema = { type: 'object' as const, properties: { order: { type: 'number' } } }
    server.setRequestHandler(ListToolsRequestSchema, () => ({
      tools: ['find', 'refund', 'shell'].map((name) => ({ name, inputSchema })),
    }))
    server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
      called.push(`${params.name} ${JSON.stringify(params.arguments)}`)
      return { content: [{ type: 'text', text: `order of ${MAIL}` }] }
    })
    const transport = new StreamableHTTPServerTransport({})
    response.on('close', () => void transport.close())
    await server.connect(transport as Parameters<typeof server.connect>[0])
    await transport.handleRequest(request, response)
  }
}

test('an MCP client calls tools: as facts, masked, blocked, held and released', async () => {
  const called: string[] = []
  const serve = tools(called)
  await using gateway = await httpGateway((request, response) => void serve(request, response), { policy: POLICY })
  using desk = openFolderDesk(placesIn(gateway.dataDir).approvals)
  const client = new Client({ name: 'agent', version: '1' })
  const transport = new StreamableHTTPClientTransport(new URL(`${gateway.url}/mcp`), {
    requestInit: { headers: { authorization: `Bearer ${gateway.keys.agent}` } },
  })
  await client.connect(transport as Parameters<typeof client.connect>[0])
  assert.deepEqual(
    (await client.listTools()).tools.map(({ name }) => name),
    ['find', 'refund', 'shell'],
  )
  const found = await client.callTool({ name: 'find', arguments: { order: 7 } })
  assert.match(JSON.stringify(found.content), /order of \[MASKED:email:[0-9a-f]{12}\]/)

  await assert.rejects(client.callTool({ name: 'shell', arguments: {} }), /no shells/)
  const asking = client.callTool({ name: 'refund', arguments: { order: 9 } })
  let id: string | undefined
  while (id === undefined) {
    await wait(20)
    id = (await desk.list()).find(({ state }) => state === 'pending')?.id
  }
  assert.deepEqual(called, ['find {"order":7}'])
  assert.match((await desk.get(id)).command, /"name":"refund","arguments":{"order":9}/)
  await desk.decide(id, { act: 'approve' }, GRACE)
  assert.match(JSON.stringify((await asking).content), /order of/)
  assert.deepEqual(called, ['find {"order":7}', 'refund {"order":9}'])
  await client.close()

  await gateway.stop()
  const [session] = await sessionsOf(gateway.dataDir)
  const frames = await framesOf(gateway.dataDir, session?.id ?? '')
  const calls = frames.filter(({ facts }) => 'tool' in facts)
  assert.deepEqual(
    calls.map(({ facts, verdict }) => [facts['tool'], verdict?.act ?? 'allow']),
    [
      [['find'], 'allow'],
      [['shell'], 'block'],
      [['refund'], 'hold'],
      [['refund'], 'allow'],
    ],
  )
  const view = new HttpView()
  const shown = JSON.stringify(calls.map((frame) => view.read(frame)))
  assert.ok(shown.includes('refund') && shown.includes('order'), 'the replay shows tool and arguments')
  assert.ok(!frames.some(({ body }) => Buffer.from(body ?? '').includes(MAIL)))
})
