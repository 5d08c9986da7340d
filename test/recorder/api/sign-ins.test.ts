import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { SignIns } from '../../../recorder/api/sign-ins.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'
import { PEOPLE } from '../../support/api.ts'

let folder: string
let count = 0
let nowMs = 0
let errors: unknown[] = []
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-sign-ins-'))
})
after(() => rm(folder, { recursive: true, force: true }))
beforeEach(() => {
  errors = []
  nowMs = Date.now()
  count += 1
})

/** One of several consoles that share what is in a folder. */
function replica(records = new FolderRecords(join(folder, `${count}`))): SignIns {
  return new SignIns(
    records,
    (error) => errors.push(error),
    () => nowMs,
  )
}

/** What stands there as it was when last looked, until told otherwise: as a database's answer of a moment ago. */
class Stale extends FolderRecords {
  fresh = true
  written: Promise<boolean>[] = []
  #last: ReadonlyMap<string, string> = new Map()

  override async all(within: string): Promise<ReadonlyMap<string, string>> {
    if (this.fresh) this.#last = await super.all(within)
    return this.#last
  }

  override swap(path: string, was: string | undefined, text: string): Promise<boolean> {
    const swapped = super.swap(path, was, text)
    this.written.push(swapped)
    return swapped
  }
}

test('who signed out at another console does not come back by being seen here', async () => {
  const records = new Stale(join(folder, `${count}`))
  const [one, other] = [replica(records), replica()]
  const { token, record } = await one.start(PEOPLE.vera)
  assert.equal((await one.seen(token))?.identity.subject, 'vera')
  nowMs += 120_000
  records.fresh = false
  records.written = []
  await other.end(token)
  assert.ok(await one.seen(token), 'not heard of yet')
  assert.deepEqual(await Promise.all(records.written), [false], 'written over nothing')
  records.fresh = true
  assert.equal(await one.seen(token), undefined)
  assert.equal(await other.lasts(record.tokenHash), false)
  assert.deepEqual(await records.names(''), [])
  assert.deepEqual(errors, [])
})

test('being seen is written down, and every console has it', async () => {
  const records = new Stale(join(folder, `${count}`))
  const one = replica(records)
  const { token, record } = await one.start(PEOPLE.vera)
  for (let minutes = 0; minutes < 90; minutes += 45) {
    nowMs += 45 * 60_000
    records.written = []
    assert.ok(await one.seen(token))
    assert.deepEqual(await Promise.all(records.written), [true])
  }
  assert.equal(await replica().lasts(record.tokenHash), true)
  assert.deepEqual(errors, [])
})

test('a sign-in whose end cannot be written goes on, says so, and ends at the next try', async (t) => {
  const one = replica()
  const { token, record } = await one.start(PEOPLE.vera)
  const { mock } = t.mock.method(FolderRecords.prototype, 'remove', () => Promise.reject(new Error('the database is away')))
  await assert.rejects(one.end(token), /away/)
  assert.equal(await one.lasts(record.tokenHash), true)
  mock.restore()
  await one.end(token)
  assert.equal(await one.lasts(record.tokenHash), false)
  assert.equal(await replica().lasts(record.tokenHash), false)
  await one.end(token)
})
