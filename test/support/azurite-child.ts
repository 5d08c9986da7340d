import { createInterface } from 'node:readline'
import { startAzurite } from './azurite.ts'

// The emulator in a process of its own: is told the address and its certificate in one line of JSON, says where it is, and ends with
// whoever started it.

const lines = createInterface(process.stdin)
lines.once('line', (line) => void start(line))
lines.once('close', () => process.exit())

async function start(line: string): Promise<void> {
  const { url } = await startAzurite(JSON.parse(line))
  process.stdout.write(`${url}\n`)
}
