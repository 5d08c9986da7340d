import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { FileStore, openFileSigner, openRecorder, StoreLedger } from '../../recorder/index.ts'
import { entry, START, TEST_LIMITS } from '../support/recording.ts'

// Records as fast as it can on the data folder it is given and prints the number of each accepted append, until it is killed.
const [path = '', sizes = '300'] = process.argv.slice(2)
const bodies = sizes.split(',').map(Number)
const signer = await openFileSigner(join(path, 'keys'), 'gw1')
const store = new FileStore(path)
const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer })
const room = await openRecorder({
  gateway: 'gw1',
  store,
  signer,
  spoolFolder: join(path, 'spool'),
  ledger,
  limits: TEST_LIMITS,
})
const sessions = await Promise.all([room.open(START), room.open(START)])
writeSync(1, `${sessions.map(({ info }) => info.id).join(' ')}\n`)
for (let index = 0; ; index += 1) {
  const [session, other] = index % 2 === 0 ? sessions : [sessions[1], sessions[0]]
  if (session === undefined || other === undefined) break
  const body = Buffer.alloc(bodies[index % bodies.length] ?? 0, index)
  await session.recorder.append([entry({ dir: 'out', kind: 'rows', facts: { index }, body })])
  writeSync(1, `${index}\n`)
}
