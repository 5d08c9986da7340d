import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { assertRan, clientHere, libpqEnv, run } from '../support/clients.ts'
import { SERVERS, startRig } from '../support/gateway-rig.ts'

const tour = (name: string): string => fileURLToPath(new URL(`clients/${name}`, import.meta.url))

for (const from of SERVERS) {
  test(`psycopg2 against the ${from} server`, async (t) => {
    const python = clientHere(t, 'psycopg2')
    if (python === undefined) return
    await using rig = await startRig(t, from)
    if (rig === undefined) return
    const ran = await run(python, [tour('psycopg2_tour.py')], {
      env: libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database }),
    })
    assertRan(ran, 'the tour')
    assert.match(ran.stdout, /tour done/)
    assert.equal(await rig.tee.check(), 1)
  })

  test(`psycopg on a new libpq against the ${from} server`, async (t) => {
    const python = clientHere(t, 'psycopg')
    if (python === undefined) return
    await using rig = await startRig(t, from)
    if (rig === undefined) return
    const env = libpqEnv(rig.gateway, { port: rig.tee.port, database: rig.database })
    for (const version of ['', '3.0', '3.2']) {
      await t.test(`asking for protocol ${version || 'what it likes'}`, async () => {
        const ran = await run(python, [tour('psycopg_tour.py'), version], { env })
        assertRan(ran, 'the tour')
        assert.match(ran.stdout, /tour done/)
        assert.equal(await rig.tee.check(), 1)
      })
    }
  })
}
