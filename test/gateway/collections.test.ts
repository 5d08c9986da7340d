import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const MODULE = fileURLToPath(new URL('../../gateway/collections.ts', import.meta.url))
/** Lets 1 GiB through in pieces that are dead at once, and prints the full collections that took. */
const STREAM = `
const { countBytesWithHeap } = await import(process.argv[1])
if (process.argv[2] === 'with') countBytesWithHeap()
let full = 0
const { constants, PerformanceObserver } = await import('node:perf_hooks')
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries()) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full += 1
}).observe({ entryTypes: ['gc'] })
for (let piece = 0; piece < 16_384; piece += 1) {
  Buffer.allocUnsafeSlow(65_536)
  if (piece % 64 === 0) await new Promise(setImmediate)
}
await new Promise((resolve) => setTimeout(resolve, 50))
process.stdout.write(String(full))
`

test('bytes that went through begin fewer full collections than they would by themselves', () => {
  const collections = (how: string): number => {
    const ran = spawnSync(process.execPath, ['--input-type=module', '-e', STREAM, MODULE, how], { encoding: 'utf8' })
    assert.equal(ran.status, 0, ran.stderr)
    return Number(ran.stdout)
  }
  const [without, together] = [collections('without'), collections('with')]
  assert.ok(without >= 4, `${without} without: this test sees nothing any more`)
  assert.ok(together < without / 2, `${together} with, ${without} without`)
})
