import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CaseShelf } from '../../../recorder/desk/case-shelf.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'
import { SearchShelf } from '../../../recorder/desk/search-shelf.ts'
import type { SavedSearchAsk } from '../../../schemas/api.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-cases-'))
})
after(() => rm(folder, { recursive: true, force: true }))
let second = 0
const now = (): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second++)).toISOString()

test('a case is what was done to it, in every process, also at once', async () => {
  const [one, other] = [new CaseShelf(new FolderRecords(join(folder, 'a'))), new CaseShelf(new FolderRecords(join(folder, 'a')))]
  const { id } = await one.create(await one.newId(), 'Who took the customers', 'ivan', now())
  await Promise.all(
    [one, other, one, other].map((shelf, at) =>
      shelf.change(id, { act: 'add', kind: 'frame', session: 's', frame: at, note: `${at}` }, 'gina', now()),
    ),
  )
  await other.change(id, { act: 'remove', n: 1 }, 'ivan', now())
  await one.change(id, { act: 'note', text: 'see the second' }, 'ivan', now())
  await one.change(id, { act: 'rename', title: 'Customers' }, 'ivan', now())
  await other.change(id, { act: 'close', reason: 'benign' }, 'gina', now())
  await assert.rejects(one.change(id, { act: 'add', kind: 'session', session: 's' }, 'ivan', now()), { code: 'API_CONFLICT' })
  await assert.rejects(one.change(id, { act: 'remove', n: 9 }, 'ivan', now()), { code: 'API_CONFLICT' })
  await assert.rejects(one.checkChange(id, { act: 'add', kind: 'session', session: 's' }), { code: 'API_CONFLICT' })
  await one.checkChange(id, { act: 'reopen', reason: 'x' })
  const again = await new CaseShelf(new FolderRecords(join(folder, 'a'))).get(id)
  assert.deepEqual(again, await one.get(id))
  assert.deepEqual(
    [
      again?.title,
      again?.state,
      again?.items.length,
      again?.items.every(({ n }) => n !== 1),
      again?.notes.map(({ text }) => text),
    ],
    ['Customers', 'closed', 3, true, ['see the second', 'Closed: benign']],
  )
  await one.change(id, { act: 'reopen', reason: 'more of it' }, 'ivan', now())
  assert.equal((await other.get(id))?.state, 'open')
})

test('bookmarks of one’s own are one collection a person', async () => {
  const shelf = new CaseShelf(new FolderRecords(join(folder, 'b')))
  const own = await shelf.own('../../etc', now())
  assert.equal((await shelf.own('../../etc', now())).id, own.id)
  assert.notEqual((await shelf.own('gina', now())).id, own.id)
  await shelf.change(own.id, { act: 'add', kind: 'frame', session: 's', frame: 7 }, '../../etc', now())
  await assert.rejects(shelf.change(own.id, { act: 'close', reason: 'x' }, '../../etc', now()), { code: 'API_CONFLICT' })
  const list = await shelf.list()
  assert.deepEqual([list.length, list.every(({ own }) => own), list[0]?.items.length], [2, true, 1])
  assert.equal(await shelf.get('C-0123456789'), undefined)
})

test('saved searches are one’s own, or shared; only their owner removes them', async () => {
  const shelf = new SearchShelf(new FolderRecords(join(folder, 'c')))
  const save = async (ask: SavedSearchAsk) => shelf.save(await shelf.newId('ivan'), ask, 'ivan', now())
  const mine = await save({ name: 'Mine', page: 'search', filter: 'rows>1', shared: false })
  const ours = await save({ name: 'Ours', page: 'sessions', filter: 'verdict:block', shared: true })
  assert.deepEqual(
    (await shelf.list('gina')).map(({ name }) => name),
    ['Ours'],
  )
  await assert.rejects(shelf.removable(mine.id, 'gina', false), { code: 'API_UNKNOWN' })
  await assert.rejects(shelf.removable(ours.id, 'gina', false), { code: 'API_UNKNOWN' })
  await assert.rejects(shelf.removable('../x', 'ivan', true), { code: 'API_UNKNOWN' })
  await shelf.remove(await shelf.removable(ours.id, 'gina', true))
  await shelf.remove(await shelf.removable(mine.id, 'ivan', false))
  assert.deepEqual(await shelf.list('ivan'), [])
})
