import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

test('the thread that yields is nicer than before; the process and its other threads are not', async () => {
  const module = new URL('../../../recorder/catalog/yielding.ts', import.meta.url).href
  const own = getPriority()
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads')
    import(${JSON.stringify(module)}).then(({ yieldToOthers }) => {
      yieldToOthers()
      const read = () => { try { return require('node:fs').readFileSync('/proc/thread-self/stat', 'utf8') } catch { return '' } }
      parentPort.postMessage(read())
    })`,
    { eval: true },
  )
  const [stat] = (await once(worker, 'message')) as [string]
  await worker.terminate()
  assert.equal(getPriority(), own)
  // proc(5): the 19th field is the nice value. Empty where the system has no such file, which is where nothing may change.
  if (process.platform === 'linux') assert.equal(niceOf(stat), 5)
  else assert.equal(stat, '')
  if (process.platform === 'linux') assert.equal(niceOf(readFileSync('/proc/self/stat', 'utf8')), own)
})

function niceOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16])
}
