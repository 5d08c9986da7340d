import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { message, nulTerminated } from '../../gateway/protocols/postgres/messages.ts'
import type { PostgresWire } from '../../gateway/protocols/postgres/wire.ts'
import { testMasker } from '../support/fakes.ts'
import { startPostgres } from '../support/pg-server.ts'
import { says, testWire } from '../support/pg-words.ts'

const RUNS = Number(process.env['FUZZ_RUNS'] ?? 25)
const READY = 0x5a
const END = 'select 4242'

/** One request each; some fail, some are skipped behind a failure, some name what is not there. */
const request = fc.constantFrom(
  says.query('select 1'),
  says.query('bad'),
  says.query('begin'),
  says.query('commit; select 2; select 3'),
  says.query(''),
  says.query('prepare s1 as select 7'),
  says.query('execute s1'),
  says.query('deallocate s1'),
  says.query('declare p1 cursor with hold for select generate_series(1, 9)'),
  says.query('fetch 2 from p1'),
  says.query('copy (select 1) to stdout'),
  Buffer.concat([says.query('copy pg_temp.none from stdin'), says.copyData('1\n'), says.copyDone()]),
  says.parse('', 'select generate_series(1, 5)'),
  says.parse('s1', 'select 6'),
  says.parse('s2', 'bad'),
  says.bind('', ''),
  says.bind('', 's1'),
  says.bind('p1', 's1'),
  says.describe('S', 's1'),
  says.describe('P'),
  says.execute(),
  says.execute('', 2),
  says.execute('p1'),
  says.close('S', 's1'),
  says.close('P', 'p1'),
  says.flush(),
  says.sync(),
  says.copyDone(),
)

/** A trusted connection that has logged in. */
async function login(path: string): Promise<Socket> {
  const socket = connect(path)
  const body = Buffer.concat([Buffer.of(0, 3, 0, 0), nulTerminated('user'), nulTerminated('postgres'), Buffer.of(0)])
  // The same shape as a message, without its type.
  socket.write(message(0, body).subarray(1))
  let got = Buffer.alloc(0)
  while (got.at(-6) !== READY) got = Buffer.concat([got, ...(await once(socket, 'data'))])
  return socket
}

test('the turns stay in step with a real server, whatever is pipelined', async () => {
  await using server = await startPostgres()
  const path = `${server.socketFolder}/.s.PGSQL.${server.port}`
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(request, fc.boolean()), { maxLength: 14 }), async (steps) => {
      const socket = await login(path)
      try {
        const wire = testWire()
        const masker = testMasker()
        const { promise: done, resolve, reject } = Promise.withResolvers<void>()
        socket.on('data', (chunk) => {
          try {
            for (const reply of wire.receive('server', chunk)) {
              const bytes = reply.redacted(masker).bytes
              wire.release(reply, bytes)
              if (Buffer.from(bytes).includes('4242')) resolve()
            }
          } catch (error) {
            reject(error)
          }
        })
        socket.on('close', () => reject(new Error('the server hung up')))
        for (const [bytes, waits] of [
          ...steps,
          [Buffer.concat([says.sync(), says.query('rollback'), says.query(END)]), false] as const,
        ]) {
          ask(wire, bytes, socket)
          if (waits) await new Promise((next) => setImmediate(next))
        }
        const late = AbortSignal.timeout(5_000)
        late.addEventListener('abort', () => reject(new Error('no answer')))
        await done
      } finally {
        socket.destroy()
      }
    }),
    { numRuns: RUNS },
  )
})

function ask(wire: PostgresWire, bytes: Uint8Array, socket: Socket): void {
  for (const one of wire.receive('client', bytes)) for (const output of wire.release(one)) socket.write(output.bytes)
}
