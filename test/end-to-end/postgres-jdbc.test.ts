import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { assertRan, clientHere, JDBC_JAR, run } from '../support/clients.ts'
import { SERVERS, startRig } from '../support/gateway-rig.ts'

const TOUR = fileURLToPath(new URL('clients/JdbcTour.java', import.meta.url))

for (const from of SERVERS) {
  test(`JDBC against the ${from} server`, async (t) => {
    const java = clientHere(t, 'java')
    if (java === undefined) return
    await using rig = await startRig(t, from)
    if (rig === undefined) return
    const url = `jdbc:postgresql://127.0.0.1:${rig.tee.port}/${rig.database}?sslmode=disable`
    const args = ['-XX:TieredStopAtLevel=1', '-cp', JDBC_JAR, TOUR, url, 'agent', rig.gateway.folder.keys.agent]
    const ran = await run(java, args)
    assertRan(ran, 'the tour')
    assert.match(ran.stdout, /tour done/)
    assert.equal(await rig.tee.check(), 1)
  })
}
