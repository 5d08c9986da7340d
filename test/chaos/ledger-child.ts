import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { openFileSigner, openStore, StoreLedger } from '../../recorder/index.ts'

// Appends to the ledger of the store it is given (in SALLYPORT_TEST_STORE, as it holds a key; else in the data folder), under the name it is
// given, and prints the number of each entry it was told is durable. Without a count it goes on until it is killed.
const [path = '', gateway = '', count = 'Infinity'] = process.argv.slice(2)
const store = await openStore(JSON.parse(process.env['SALLYPORT_TEST_STORE'] ?? JSON.stringify({ folder: path })))
const signer = await openFileSigner(join(path, 'keys'), gateway)
const ledger = await StoreLedger.open({ store, gateway, signer, limits: { checkpointMs: 50 } })
let next = ledger.lastSession() + 1
for (let left = Number(count); left > 0; ) {
  const batch = Array.from({ length: Math.min(left, 1 + (next % 5)) }, () => {
    const number = next
    next += 1
    const session = `20261120T120000Z-${gateway}-${String(number).padStart(8, '0')}`
    const told = { identity: 'agent-7', target: 'shop', policy: 'ab', durability: 'process', header: 'cd' } as const
    return ledger.append({ type: 'session.open', session, number, ...told }).then(() => writeSync(1, `${number}\n`))
  })
  left -= batch.length
  await Promise.all(batch)
}
await ledger.close()
