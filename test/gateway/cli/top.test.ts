import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run } from '../../../gateway/cli/program.ts'
import type { TopSnapshot } from '../../../gateway/cli/top-fleet.ts'
import { Metrics } from '../../../gateway/monitoring/metrics.ts'
import { openMonitoring } from '../../../gateway/monitoring/server.ts'
import { Traffic } from '../../../gateway/monitoring/traffic.ts'
import { ask as askOf } from '../../recorder/desk/contract.ts'
import { apiRig, keyOf } from '../../support/api.ts'
import { terminal } from '../../support/recorded-session.ts'
import { entry, START } from '../../support/recording.ts'

const HOSTILE = '\u001b[2Jagent-\u202e8\r\nroot'
const fail = (error: unknown): never => {
  throw error
}

test('top shows what runs: gateways by their monitoring, sessions and requests by the console', async (t) => {
  await using rig = await apiRig()
  const traffic = new Traffic()
  const metrics = new Metrics()
  const message = { channel: 0, kind: 'query', facts: {}, body: Buffer.alloc(2_000), masks: null, dir: 'out' } as const
  metrics.read({
    protocols: [],
    sessions: () => new Map([['postgres' as const, 2]]),
    holding: () => 1,
    recorder: () => ({ bytes: 4_096, oldestMs: 1_500 }),
    traffic,
  })
  const measure = async () => {
    traffic.add('postgres', [{ ...message, verdict: { act: 'block', rules: [], policy: '' } }])
    return [{ metrics: await metrics.json() }]
  }
  await using monitoring = await openMonitoring({ host: '127.0.0.1', port: 0 }, measure, fail)
  const places = ['--url', `http://127.0.0.1:${rig.server.port}`, '--monitoring', `127.0.0.1:${monitoring.port}`]
  const { info, recorder } = await rig.room.open({ ...START, identity: { ...START.identity, subject: HOSTILE } })
  const blocked = entry({ verdict: { act: 'block', rules: ['r'], policy: 'abababababab' } })
  await recorder.append([entry({ dir: 'out', kind: 'reply', facts: { rows: 3 } }), blocked])
  const { id } = await rig.desk.request(askOf({ target: 'shop', requester: HOSTILE }))
  await rig.catalog.settle()
  const world = () => ({ ...terminal(rig.folder), env: { SALLYPORT_KEY: keyOf('gina') } })

  await t.test('once, as JSON: rates are of the interval between two looks', async () => {
    const cli = world()
    assert.equal(await run(['top', '--json', ...places], cli), 0, cli.text())
    const { gateways, sessions, holds, problems }: TopSnapshot = JSON.parse(cli.text())
    assert.deepEqual(problems, [])
    assert.deepEqual(
      sessions?.map((each) => [each.id, each.subject, each.target, each.frames, each.verdicts.block]),
      [[info.id, HOSTILE, 'shop', 2, 1]],
    )
    assert.deepEqual(
      holds?.map((each) => [each.id, each.requester, each.about]),
      [[id, HOSTILE, 'message']],
    )
    const [gateway] = gateways
    assert.deepEqual(
      [gateway?.sessions, gateway?.holds, gateway?.recorderLagSeconds, gateway?.recorderWaitingBytes],
      [2, 1, 1.5, 4_096],
    )
    assert.ok((gateway?.messagesPerSecond ?? 0) > 0 && (gateway?.bytesOutPerSecond ?? 0) > 0, JSON.stringify(gateway))
    assert.ok((gateway?.memoryBytes ?? 0) > 1e6)
  })
  await t.test('in 80 columns, with nothing of what others chose acting on the terminal', async () => {
    const cli = world()
    assert.equal(await run(['top', '--once', '--interval', '0.25', ...places], cli), 0, cli.text())
    const lines = cli.text().trimEnd().split('\n')
    assert.ok(
      lines.every((line) => line.length <= 80),
      cli.text(),
    )
    assert.doesNotMatch(cli.text(), /[\u001b\u202e\r]/)
    assert.match(cli.text(), /GATEWAY +SESS +HOLD +MSG\/S +IN\/S +OUT\/S +BLOCK +LAG +MEM +CPU\n127\.0\.0\.1:\d+ +2 +1 /)
    assert.match(cli.text(), new RegExp(`${id} +\\d+[smh] +message +shop +\\\\x1b\\[2Jagent-\\\\u\\{202e\\}8`))
    assert.match(cli.text(), /\n\\x1b\[2Jagent.*… shop +postgres +\d+[smh] +2 +0 +\S+ B1\n/)
  })
  await t.test('as it goes on, until a key ends it; another sorts', async () => {
    const cli = world()
    let press: (key: string) => void = () => undefined
    const heard = Promise.withResolvers<void>()
    const screen = {
      size: () => ({ columns: 80, rows: 24 }),
      onKey(listener: (key: string) => void) {
        press = listener
        heard.resolve()
        return () => undefined
      },
    }
    const out = (text: string): void => {
      cli.out(text)
      if (text.includes('latecomer')) press('q')
    }
    const running = run(['top', '--interval', '0.25', ...places], { ...cli, out, screen })
    await heard.promise
    press('w')
    const late = await rig.room.open({ ...START, identity: { ...START.identity, subject: 'latecomer' } })
    await late.recorder.append([entry({})])
    await late.recorder.append([blocked])
    assert.equal(await running, 0)
    assert.match(cli.text(), /sorted by who/)
    assert.match(cli.text(), /latecomer/)
    assert.ok(cli.text().endsWith('\u001b[?1049l'), 'the screen is given back')
    await late.recorder.seal('over')
  })
  await t.test('a gateway that is away is told of; without a key there are numbers alone; without both, nothing', async () => {
    const away = world()
    assert.equal(await run(['top', '--once', '--interval', '0.25', ...places, '127.0.0.1:1'], away), 0)
    assert.match(away.text(), /127\.0\.0\.1:1: no monitoring answers at 127\.0\.0\.1:1 \(/)
    const keyless = terminal(rig.folder)
    assert.equal(await run(['top', '--once', '--interval', '0.25', ...places.slice(2)], keyless), 0, keyless.text())
    assert.match(keyless.text(), /! no sessions are shown: /)
    const nothing = terminal(rig.folder)
    assert.equal(await run(['top', '--once'], nothing), 1)
    assert.match(nothing.text(), /CONFIG_INVALID/)
  })
  await t.test('the ledger has who looked', () => {
    const follows = rig.notes.filter(({ type }) => type === 'evidence.follow')
    assert.ok(follows.length >= 3 && follows.every(({ actor, purpose }) => actor === 'gina' && purpose === 'top'))
  })
  await recorder.seal('over')
})
