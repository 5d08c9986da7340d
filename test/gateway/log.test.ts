import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { pino } from 'pino'
import { Log } from '../../gateway/log.ts'
import { FileStore } from '../../recorder/store/store-file.ts'
import { ApplianceError } from '../../schemas/errors.ts'

function heard(): { readonly log: Log; readonly lines: () => string } {
  let text = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk
      done()
    },
  })
  return { log: new Log(pino({ base: {} }, stream)), lines: () => text }
}

test('the text of an error never reaches the log: it may quote traffic', () => {
  const { log, lines } = heard()
  const quoting = new Error('syntax error at "ana@example.org"')
  const ours = new ApplianceError('PROTOCOL_MALFORMED', 'found ana@example.org', { cause: quoting })
  const system = Object.assign(new Error('connect ECONNREFUSED ana@example.org'), { code: 'ECONNREFUSED' })
  for (const error of [quoting, ours, system, 'ana@example.org', { toString: () => 'ana@example.org' }]) {
    log.stray(error)
    log.connectionFailed('192.0.2.1:1', error)
  }
  assert.equal(lines().includes('ana@example.org'), false)
  assert.match(lines(), /"code":"PROTOCOL_MALFORMED"/)
  assert.match(lines(), /"code":"ECONNREFUSED"/)
})

test('an error tells where in our sources it began', () => {
  const { log, lines } = heard()
  const error = new Error('x')
  error.stack =
    'Error: x\n    at thing (file:///srv/app/node_modules/pg/lib/x.js:1:1)\n    at Gate.pass (file:///srv/app/gateway/gate.ts:12:3)'
  log.stray(error)
  assert.equal(JSON.parse(lines()).at, 'gateway/gate.ts:12:3')
})

test('what the machine or a database is short of is no bug: the line says what to do', () => {
  const system = (code: string, syscall: string, path?: string): Error =>
    Object.assign(new Error(code), { code, syscall, ...(path === undefined ? {} : { path }) })
  for (const [error, cure] of [
    [system('ENOSPC', 'write'), /disk is full: make room/],
    [new ApplianceError('STORE_FAILED', 'x', { cause: system('EMFILE', 'open', '/data/x') }), /ulimit -n/],
    [system('EACCES', 'open', '/data/x'), /dataDir and all in it/],
    [new ApplianceError('STORE_FAILED', 'the shared database does not answer (ECONNREFUSED)'), undefined],
  ] as const) {
    const { log, lines } = heard()
    log.stray(error)
    const line = JSON.parse(lines())
    assert.match(line.msg, /^a file or database of the gateway could not be used$/)
    if (cure !== undefined) assert.match(line.cure, cure)
    else assert.match(line.why, /shared database does not answer/)
  }
  for (const error of [system('EACCES', 'connect'), system('ENOSPC', 'watch', '/data'), new TypeError('x')]) {
    const { log, lines } = heard()
    log.stray(error)
    assert.match(lines(), /unexpected error outside any connection/)
    assert.doesNotMatch(lines(), /cure/)
  }
})

test('an error of the store tells what the system said, and where', async (t) => {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-log-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  await writeFile(join(path, 'file'), '')
  const { log, lines } = heard()
  await new FileStore(path).put('file/below', Buffer.alloc(1)).catch((error: unknown) => log.stray(error))
  const { code, system, at } = JSON.parse(lines())
  assert.deepEqual([code, system], ['STORE_FAILED', 'EEXIST'])
  const [file, line] = String(at).split(':')
  const source = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
  assert.match(source.split('\n')[Number(line) - 1] ?? '', /put of/)
})
