import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { mock, test } from 'node:test'
import { verifyBundleAt } from '../../../recorder/bundle/verify-bundle.ts'
import { StoreLedger } from '../../../recorder/ledger/store-ledger.ts'
import type { BundleVerification } from '../../../schemas/verify/bundle-verification.ts'
import { bundleRig, unpack } from '../../support/bundle-rig.ts'
import { clientHere } from '../../support/clients.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { Gallery } from '../../support/verifiers.ts'

const at = (time: string): Date => new Date(`2026-03-01T${time}:00Z`)

test('a clock that is set back over the end of a period makes no gap of the sessions outside it, and hides none', async (t) => {
  const rig = await bundleRig(1)
  const gallery = new Gallery([rig.folder.signer])
  t.after(async () => {
    gallery[Symbol.dispose]()
    await rig[Symbol.asyncDispose]()
  })
  const bundleOf = async (name: string, opens: readonly (readonly [time: string, number: number])[]): Promise<string> => {
    const store = new MemoryStore()
    const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer: rig.folder.signer, origin: 'log.example/test' })
    for (const [time, number] of opens) {
      mock.timers.enable({ apis: ['Date'], now: at(time) })
      const [session, header] = [`20260301T000000Z-gw1-0000000${number}`, 'ab'.repeat(32)]
      const rest = { identity: 'agent-7', target: 'shop', policy: 'ab'.repeat(32), durability: 'process' } as const
      await ledger.append({ type: 'session.open', session, number, header, ...rest }).finally(() => mock.timers.reset())
    }
    await ledger.publish()
    await ledger.close()
    const made = await rig.make(name, { from: at('08:30'), to: at('10:00') }, store)
    return made.path
  }
  const paths = [
    // What is lost behind the last of the period is not of it.
    await bundleOf('back.zip', [
      ['09:00', 1],
      ['10:30', 2],
      ['09:30', 3],
      ['11:00', 4],
      ['11:10', 6],
    ]),
    await bundleOf('lost.zip', [
      ['09:00', 1],
      ['10:30', 3],
      ['09:30', 4],
    ]),
  ]
  const folder = join(rig.folder.path, 'back')
  await unpack(paths[0] ?? '', folder)
  const { counters } = JSON.parse(await readFile(join(folder, 'ipe/completeness.json'), 'utf8'))
  assert.deepEqual([counters.ledger.sessions, counters.numbers.sessions], [2, 2])
  const python = clientHere(t, 'python3')
  const own: unknown[] = []
  for (const path of paths) own.push(await verifyBundleAt(path, { keys: [rig.folder.signer] }))
  const others = [gallery.singleFile(paths), ...(python === undefined ? [] : [gallery.python(paths, python)])]
  for (const reports of [own, ...others] as BundleVerification[][]) // of bundles they say what verifyBundle does
    assert.deepEqual(
      reports.map(({ verdict, problems }) => [
        verdict,
        problems.filter(({ part }) => part === 'numbering').map(({ what }) => what),
      ]),
      [
        ['VALID-INCOMPLETE', []],
        ['INVALID', ['the session numbers of gw1 have gaps or repetitions: 1-3']],
      ],
    )
})
