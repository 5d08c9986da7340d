import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BudgetBank } from '../../../recorder/desk/budget-bank.ts'
import type { Records } from '../../../recorder/desk/records.ts'

/** The same records, opened by as many processes as the test pretends there are. */
export interface RecordsFixture extends AsyncDisposable {
  open(): Promise<Records>
}

const REACTION_MS = 10_000
const HOUR = 3_600_000
const NONE = Number.POSITIVE_INFINITY

/** What records must do, wherever they are kept. */
export function recordsContract(name: string, fixture: () => Promise<RecordsFixture>): void {
  const records = (title: string, body: (open: () => Promise<Records>) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      await using made = await fixture()
      await body(() => made.open())
    })
  }

  records('of many who create the same record one has created it, and all read its text', async (open) => {
    const all = await Promise.all(Array.from({ length: 4 }, open))
    const made = await Promise.all(all.flatMap((each, n) => [each.create('a/b', `${n}`), each.create('a/b', `${n} again`)]))
    assert.equal(made.filter(Boolean).length, 1)
    const texts = await Promise.all(all.map((each) => each.read('a/b')))
    assert.equal(new Set(texts).size, 1)
  })

  records('a swap happens where the text is the one that was read, and of many at once one does', async (open) => {
    const all = await Promise.all(Array.from({ length: 4 }, open))
    const [first] = all
    const swapped = async (before: string | undefined): Promise<number> =>
      (await Promise.all(all.map((each, n) => each.swap('n', before, `${before ?? ''}${n}`)))).filter(Boolean).length
    assert.equal(await swapped(undefined), 1)
    const text = await first?.read('n')
    assert.equal(await swapped('something else'), 0)
    assert.equal(await swapped(text), 1)
    assert.equal(await swapped(text), 0)
  })

  records(
    'names are those of one folder, in order; all has their texts, and is the same map while nothing changes',
    async (open) => {
      const [one, other] = [await open(), await open()]
      const text = 'a "text"\u2028 of 😀 \\u0000'
      await one.create('keys/b', text)
      await one.create('keys/a', '')
      await one.create('top', 'x')
      assert.deepEqual(await other.names('keys'), ['a', 'b'])
      assert.deepEqual(await other.names(''), ['top'])
      assert.deepEqual(await other.names('nothing'), [])
      const all = await other.all('keys')
      assert.deepEqual([...all], [['a', ''], ['b', text]]) // biome-ignore format: pairs
      await one.replace('keys/a', 'new')
      const untilMs = performance.now() + REACTION_MS
      while ((await other.all('keys')).get('a') !== 'new') assert.ok(performance.now() < untilMs, 'a change shows soon')
      await one.remove('keys/b')
      await one.remove('keys/b')
      while ((await other.all('keys')).size !== 1) assert.ok(performance.now() < untilMs, 'what is removed is gone soon')
      await other.forget(HOUR)
      assert.equal(await one.read('top'), 'x')
      await other.forget(-1_000)
      assert.deepEqual([await one.read('top'), await one.read('keys/a')], [undefined, undefined])
    },
  )

  records('whoever waits for a record is woken when another process makes it, and by the signal', async (open) => {
    const [one, other] = [await open(), await open()]
    const looked = async (): Promise<void> => {
      for (;;) {
        const change = one.next('A-', AbortSignal.timeout(REACTION_MS))
        if ((await one.read('A-1')) !== undefined) return
        await change
      }
    }
    const seen = looked()
    await other.create('A-1', '')
    await seen
    const left = new AbortController()
    const waiting = one.next('B-', left.signal)
    left.abort()
    await waiting
  })

  records('what many reserve of a budget at once is never more than the limit, and all of it can be had', async (open) => {
    const banks = await Promise.all(Array.from({ length: 3 }, async () => new BudgetBank(await open())))
    const limit = { rows: 1_000, bytes: NONE }
    const asks = Array.from({ length: 32 }, (_, n) => banks[n % 3]?.reserve('k', HOUR, { rows: 40, bytes: 0 }, limit))
    const rows = (await Promise.all(asks)).map((each) => each?.granted.rows ?? assert.fail())
    assert.equal(rows.reduce((sum, each) => sum + each, 0), 1_000) // biome-ignore format: one line
    assert.equal(rows.filter((each) => each === 40).length, 25)
  })

  records('what is given back can be had again; what was taken comes back as the window moves on', async (open) => {
    let now = 1_800_000_000_000
    const bank = new BudgetBank(await open(), () => now)
    const limit = { rows: 100, bytes: 5_000 }
    const first = await bank.reserve('k', HOUR, { rows: 80, bytes: 4_000 }, limit)
    assert.deepEqual(first.granted, { rows: 80, bytes: 4_000 })
    await bank.giveBack('k', first.part, { rows: 30, bytes: 1_000 })
    const second = await bank.reserve('k', HOUR, { rows: 80, bytes: 100 }, limit)
    assert.deepEqual([second.granted, second.total], [{ rows: 50, bytes: 100 }, { rows: 100, bytes: 3_100 }]) // biome-ignore format: pairs
    assert.equal((await bank.reserve('other', HOUR, { rows: 80, bytes: 1 }, limit)).granted.rows, 80)
    now -= 5 * HOUR
    assert.equal(
      (await bank.reserve('k', HOUR, { rows: 1, bytes: 0 }, limit)).granted.rows,
      0,
      'a clock that is set back gives nothing',
    )
    now += 7 * HOUR
    assert.deepEqual((await bank.reserve('k', HOUR, { rows: 100, bytes: 0 }, limit)).total, { rows: 100, bytes: 0 })
  })

  records('a process whose clock is ahead gives nobody else the budget again', async (open) => {
    const now = 1_800_000_000_000
    const limit = { rows: 100, bytes: NONE }
    const bank = new BudgetBank(await open(), () => now)
    const ahead = new BudgetBank(await open(), () => now + 1.5 * HOUR)
    assert.equal((await bank.reserve('k', HOUR, { rows: 60, bytes: 0 }, limit)).granted.rows, 60)
    assert.equal((await ahead.reserve('k', HOUR, { rows: 1, bytes: 0 }, limit)).granted.rows, 1)
    const { granted, total } = await bank.reserve('k', HOUR, { rows: 100, bytes: 0 }, limit)
    assert.deepEqual([granted.rows, total.rows], [39, 100])
  })
}
