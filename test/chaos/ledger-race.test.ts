import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { FileStore, readGatewayKeys } from '../../recorder/index.ts'
import { ledgerKeys } from '../../schemas/verify/ledger-line.ts'
import { type ReadLedger, readLedger } from '../support/ledger.ts'

const CHILD = fileURLToPath(new URL('ledger-child.ts', import.meta.url))

interface Writer {
  readonly child: ChildProcess
  /** Session numbers it was told are durable. */
  readonly told: number[]
}

function start(path: string, gateway: string, count?: number): Writer {
  const args = [CHILD, path, gateway, ...(count === undefined ? [] : [String(count)])]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const told: number[] = []
  let rest = ''
  child.stdout?.on('data', (text: Buffer) => {
    const lines = (rest + text.toString()).split('\n')
    rest = lines.pop() ?? ''
    told.push(...lines.map(Number))
  })
  return { child, told }
}

async function folder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-race-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

async function read(path: string): Promise<ReadLedger> {
  const keys = await readGatewayKeys(join(path, 'keys'))
  return readLedger(
    new FileStore(path),
    keys.map((key) => ({ ...key, algorithm: 'Ed25519', sign: () => Promise.reject(new Error('a verifier has no private key')) })),
  )
}

function numbers({ entries }: ReadLedger, gateway: string): unknown[] {
  return entries.filter(({ statement }) => statement.gateway === gateway).map(({ statement }) => statement['number'])
}

test('processes race one ledger: each is numbered without gaps, nothing is lost, none is starved, one tree', async () => {
  await using made = await folder()
  const names = ['gw1', 'gw2', 'gw3']
  const writers = names.map((gateway) => start(made.path, gateway, 60))
  await Promise.all(writers.map(({ child }) => once(child, 'close')))
  const ledger = await read(made.path)
  assert.equal(ledger.result.verdict, 'VALID', JSON.stringify(ledger.result.problems))
  const whole = Array.from({ length: 60 }, (_, index) => index + 1)
  for (const [index, gateway] of names.entries()) {
    assert.deepEqual(numbers(ledger, gateway), whole, gateway)
    assert.deepEqual(
      [...(writers[index]?.told ?? [])].sort((a, b) => a - b),
      whole,
    )
  }
  assert.equal(ledger.result.size, 180)
  assert.equal(ledger.result.checkpoint?.size, 180)
})

test('processes killed in the middle of appends lose nothing they were told is durable, and their successors go on', async () => {
  await using made = await folder()
  const told = new Map<string, Set<number>>([
    ['gw1', new Set()],
    ['gw2', new Set()],
  ])
  for (let round = 0; round < 4; round += 1) {
    const writers = [...told.keys()].map((gateway) => ({ gateway, writer: start(made.path, gateway) }))
    await Promise.all(
      writers.map(({ writer }) => Promise.race([once(writer.child.stdout ?? writer.child, 'data'), once(writer.child, 'close')])),
    )
    for (const { gateway, writer } of writers) assert.equal(writer.child.exitCode, null, `${gateway} ended by itself`)
    for (const { writer } of writers) writer.child.kill('SIGKILL')
    await Promise.all(writers.map(({ writer }) => once(writer.child, 'close')))
    for (const { gateway, writer } of writers) for (const number of writer.told) told.get(gateway)?.add(number)
    // What a torn append leaves, and more cruelly than the system does.
    await appendFile(join(made.path, ledgerKeys.sequence(0)), '[{"at":"2026-11-2')
  }
  const ledger = await read(made.path)
  assert.equal(ledger.result.verdict, 'VALID', JSON.stringify(ledger.result.problems))
  assert.ok(ledger.result.malformed >= 3)
  for (const [gateway, numbersTold] of told) {
    const there = numbers(ledger, gateway)
    assert.deepEqual(
      there,
      Array.from(there, (_, index) => index + 1),
      'without gaps, none twice',
    )
    assert.ok(numbersTold.size > 0)
    for (const number of numbersTold) assert.ok(there.includes(number), `${gateway} ${number}`)
  }
})
