import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openStore, readGatewayKeys, type StorePlace } from '../../recorder/index.ts'
import { ledgerKeys } from '../../schemas/verify/ledger-line.ts'
import { startAzurite } from '../support/azurite.ts'
import { type ReadLedger, readLedger } from '../support/ledger.ts'

const CHILD = fileURLToPath(new URL('ledger-child.ts', import.meta.url))

interface Writer {
  readonly child: ChildProcess
  /** Session numbers it was told are durable. */
  readonly told: number[]
}

function start({ path, place }: Made, gateway: string, count?: number): Writer {
  const args = [CHILD, path, gateway, ...(count === undefined ? [] : [String(count)])]
  const env = { ...process.env, SALLYPORT_TEST_STORE: JSON.stringify(place) }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const told: number[] = []
  let rest = ''
  child.stdout?.on('data', (text: Buffer) => {
    const lines = (rest + text.toString()).split('\n')
    rest = lines.pop() ?? ''
    told.push(...lines.map(Number))
  })
  return { child, told }
}

interface Made {
  /** Keys are here, whatever the store is. */
  readonly path: string
  readonly place: StorePlace
  /** Leaves what a torn append leaves, and more cruelly than the store does. */
  tear(): Promise<void>
}

const TORN = '[{"at":"2026-11-2'
let azurite: ReturnType<typeof startAzurite> | undefined
after(async () => (await azurite)?.[Symbol.asyncDispose]())

const STORES: Readonly<Record<string, (path: string) => Promise<Made>>> = {
  'in a folder': async (path) => ({
    path,
    place: { folder: path },
    tear: () => appendFile(join(path, ledgerKeys.sequence(0)), TORN),
  }),
  'in a Blob container': async (path) => {
    azurite ??= startAzurite()
    const emulator = await azurite
    const blob = await emulator.place()
    return {
      path,
      place: { blob },
      tear: async () => {
        await emulator.container(blob.container).getAppendBlobClient(ledgerKeys.sequence(0)).appendBlock(TORN, TORN.length)
      },
    }
  },
}

async function makeIn(name: string): Promise<Made & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'sallyport-race-'))
  const made = await STORES[name]?.(path)
  if (made === undefined) throw new Error(`no store ${name}`)
  return { ...made, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

async function read({ path, place }: Made): Promise<ReadLedger> {
  const keys = await readGatewayKeys(join(path, 'keys'))
  return readLedger(
    await openStore(place),
    keys.map((key) => ({ ...key, algorithm: 'Ed25519', sign: () => Promise.reject(new Error('a verifier has no private key')) })),
  )
}

function numbers({ entries }: ReadLedger, gateway: string): unknown[] {
  return entries.filter(({ statement }) => statement.gateway === gateway).map(({ statement }) => statement['number'])
}

for (const name of Object.keys(STORES)) {
  test(`processes race one ledger ${name}: each is numbered without gaps, nothing is lost, none is starved, one tree`, async () => {
    await using made = await makeIn(name)
    const names = ['gw1', 'gw2', 'gw3']
    const writers = names.map((gateway) => start(made, gateway, 60))
    await Promise.all(writers.map(({ child }) => once(child, 'close')))
    const ledger = await read(made)
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

  test(`processes killed in the middle of appends ${name} lose nothing they were told is durable, and their successors go on`, async () => {
    await using made = await makeIn(name)
    const told = new Map<string, Set<number>>([
      ['gw1', new Set()],
      ['gw2', new Set()],
    ])
    for (let round = 0; round < 4; round += 1) {
      const writers = [...told.keys()].map((gateway) => ({ gateway, writer: start(made, gateway) }))
      await Promise.all(
        writers.map(({ writer }) =>
          Promise.race([once(writer.child.stdout ?? writer.child, 'data'), once(writer.child, 'close')]),
        ),
      )
      for (const { gateway, writer } of writers) assert.equal(writer.child.exitCode, null, `${gateway} ended by itself`)
      for (const { writer } of writers) writer.child.kill('SIGKILL')
      await Promise.all(writers.map(({ writer }) => once(writer.child, 'close')))
      for (const { gateway, writer } of writers) for (const number of writer.told) told.get(gateway)?.add(number)
      await made.tear()
    }
    const ledger = await read(made)
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
}
