import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openFolderDesk } from '../../../recorder/desk/desk-folder.ts'
import { ask, newClock } from './contract.ts'

const ana = { subject: 'ana', kind: 'human', groups: ['dba'], mayBreakGlass: true } as const
const DAY_MS = 86_400_000
const binding = (digit: string): string => digit.repeat(64)

async function filesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((each) => each.isFile())
    .map(({ name }) => name)
    .sort()
}

test('what ended long ago leaves the desk, with everything written about it; what is open, or has to be reviewed, stays', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-desk-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const clock = newClock()
  using desk = openFolderDesk(folder, () => clock.now)
  const rejected = await desk.submit(ask({ binding: binding('1') }))
  await desk.decide(rejected.id, { act: 'reject', reason: 'no' }, ana)
  const used = await desk.submit(ask({ binding: binding('2') }))
  await desk.decide(used.id, { act: 'approve' }, ana)
  assert.ok(await desk.consume(used.id))
  await desk.submit(ask({ binding: binding('3') })) // runs out
  const broken = await desk.submit(ask({ binding: binding('4') }))
  await desk.decide(broken.id, { act: 'break-glass', reason: 'down' }, ana)
  assert.deepEqual(await desk.sweep(DAY_MS), [], 'nothing is old')
  clock.now += 3 * DAY_MS
  const open = await desk.submit(ask({ binding: binding('5') }))
  const again = await desk.submit(ask({ binding: binding('1') }))
  // Left by a process that died while it removed a request.
  await writeFile(join(folder, 'A-00000000.0001.json'), '{}')
  await writeFile(join(folder, 'told', 'A-00000000.0001.json'), '')
  assert.equal((await desk.sweep(DAY_MS)).length, 3)
  const left = (await desk.list()).map(({ id }) => id)
  assert.deepEqual(left.toSorted(), [broken.id, open.id, again.id].toSorted())
  await assert.rejects(desk.get(used.id), { code: 'APPROVAL_UNKNOWN' })
  assert.equal(await desk.granted(binding('2')), undefined)
  assert.deepEqual((await readdir(join(folder, 'by-binding'))).sort(), ['1', '4', '5'].map(binding))
  const names = await filesIn(folder)
  assert.ok(
    names.every((name) => /^0000000[12]\.json$/.test(name) || left.some((id) => name.startsWith(id))),
    names.join(),
  )
  const anew = await desk.submit(ask({ binding: binding('2') }))
  assert.equal((await desk.get(anew.id)).state, 'pending', 'the same may be asked again')
  await desk.review(broken.id, 'it was', { ...ana, subject: 'ben' })
  assert.deepEqual(await desk.sweep(DAY_MS), [], 'its review counts')
  clock.now += 2 * DAY_MS
  assert.ok((await desk.sweep(DAY_MS)).includes(broken.id))
})
