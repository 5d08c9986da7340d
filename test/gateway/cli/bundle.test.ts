import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { BUNDLE_PATHS } from '../../../schemas/bundle.ts'
import { buildConsole } from '../../support/browser.ts'
import { runCli } from '../../support/cli.ts'
import { EchoClient, echoGateway } from '../../support/echo-gateway.ts'

const MAIN = fileURLToPath(new URL('../../../gateway/main.ts', import.meta.url))

test('as an auditor’s wish is met: a gateway’s sessions in one file, made twice in other places and the same, verified by the command', async () => {
  buildConsole()
  await using gateway = await echoGateway()
  const { service, port } = await gateway.start()
  for (const text of ['one', 'two']) {
    using client = await EchoClient.enter(port, gateway.keys.agent)
    client.say(text)
    assert.equal(await client.hear(), text)
  }
  await service.stop('done')
  const create = (out: string, env: Readonly<Record<string, string>>, ...more: readonly string[]) => {
    const period = ['--from', '2026-01-01T00:00:00Z', '--to', '2100-01-01T00:00:00Z']
    const args = ['bundle', 'create', ...period, '--seed', 'dice', '--out', out, '--json', ...more]
    const ran = spawnSync(process.execPath, [MAIN, ...args], {
      cwd: gateway.folder,
      env: { ...process.env, SALLYPORT_CONFIG: gateway.config, ...env },
      encoding: 'utf8',
    })
    assert.equal(ran.status, 0, ran.stderr)
    return JSON.parse(ran.stdout) as {
      readonly sha256: string
      readonly watermark: number
      readonly tapes: Record<string, number>
    }
  }
  const first = create('a.zip', { TZ: 'UTC', LC_ALL: 'C' }, '--workers', '1')
  assert.equal(first.tapes['whole'], 2)
  const at = String(first.watermark)
  const second = create(
    'b.zip',
    { TZ: 'America/St_Johns', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' },
    '--workers',
    '9',
    '--watermark',
    at,
  )
  assert.equal(second.sha256, first.sha256)
  const [a, b] = await Promise.all(['a.zip', 'b.zip'].map((name) => readFile(join(gateway.folder, name))))
  assert.ok(a !== undefined && b !== undefined)
  // A local header has 30 bytes.
  const end = a.indexOf(BUNDLE_PATHS.note) - 30
  assert.ok(end > 0 && a.subarray(0, end).equals(b.subarray(0, end)))

  const run = (line: string) => runCli(line.split(' '), { cwd: gateway.folder, env: { SALLYPORT_CONFIG: gateway.config } })
  const verified = await run('bundle verify a.zip --trust data/keys/gateway.pub')
  assert.equal(verified.code, 0, verified.out + verified.err)
  assert.match(verified.out, /^VALID: a\.zip$/m)
  assert.equal((await run('verify b.zip --json')).code, 0)
  for (const [options, why] of [
    ['--trust-policy nonexistent', /CONFIG_INVALID: --trust-policy .* bundle verify --tsa/],
    ['--at 2026-01-01T00:00:00Z', /CONFIG_INVALID: --at /],
    ['--session nope', /CONFIG_INVALID: --session /],
  ] as const) {
    const refused = await run(`verify b.zip ${options}`)
    assert.deepEqual([refused.code, refused.out], [1, ''])
    assert.match(refused.err, why)
  }
  // What commands told since is in the next one, though no gateway runs that would publish it.
  const third = create('third.zip', {})
  assert.ok(third.watermark > first.watermark)
  assert.ok((await readFile(join(gateway.folder, 'third.zip'))).includes(`,${first.sha256},`), 'custody.csv has the first')
  const listed = await run('ledger list --type export --json')
  assert.ok(listed.out.includes(first.sha256), listed.out)

  const wrong = async (line: string, code: RegExp): Promise<void> => assert.match((await run(line)).err, code)
  await wrong(
    'bundle create --from 2026-01-01T00:00:00Z --to 2025-01-01T00:00:00Z --out c.zip',
    /CONFIG_INVALID: the period ends/,
  )
  await wrong('bundle create --from 2026-01-01T00:00:00Z --to 2027-01-01T00:00:00Z --out c.tar', /CONFIG_INVALID: .*\.zip/)
  await wrong(
    'bundle create --from 2026-01-01T00:00:00Z --to 2027-01-01T00:00:00Z --out c.zip --scope x=y',
    /CONFIG_INVALID: --scope/,
  )
  await wrong('bundle create --from 2026-01-01T00:00:00Z --to 2100-01-01T00:00:00Z --out a.zip', /STORE_CONFLICT: .*exists/)
  const year = 'bundle create --from 2026-01-01T00:00:00Z --to 2100-01-01T00:00:00Z'
  await wrong(`${year} --out nowhere/c.zip`, /STORE_MISSING: there is no folder \S+nowhere to write c\.zip into/)
  await wrong(`${year} --out c.zip --scope target=nosuch`, /CONFIG_INVALID: no session .* of nosuch/)
  await wrong(`${year} --out c.zip --seed=`, /CONFIG_INVALID: --seed is empty/)
  const nobody = await run(`${year} --out none.zip --scope identity=nobody`)
  assert.equal(nobody.code, 0)
  assert.match(nobody.err, /no session of the period is in scope/)
  await wrong('bundle verify nothing.zip', /STORE_MISSING/)
  assert.deepEqual(
    (await readdir(gateway.folder)).filter((name) => name.startsWith('c.') || name.includes('.part')),
    [],
  )
})
