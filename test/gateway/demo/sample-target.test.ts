import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import pg from 'pg'
import { CUSTOMER_COUNT, ORDER_COUNT } from '../../../gateway/demo/sample-seed.ts'
import { SAMPLE_ROLE, type SampleTarget, startSampleTarget } from '../../../gateway/demo/sample-target.ts'
import { OWN_MARK } from '../../../recorder/process-mark.ts'

const temp = mkdtempSync(join(tmpdir(), 'sallyport-sample-target-'))
chmodSync(temp, 0o711)
after(() => rmSync(temp, { recursive: true, force: true }))
const quiet = (): void => {}

async function rows(target: SampleTarget, sql: string): Promise<Record<string, unknown>[]> {
  const { host, port, database, user, passwordFile } = target
  const client = new pg.Client({ host, port, database, user, password: readFileSync(passwordFile, 'utf8').trim() })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** Sum of ISO/IEC 7812-1 over the digits, 0 modulo 10 for a valid number. */
function luhn(digits: string): number {
  const values = [...digits]
    .reverse()
    .map((digit, at) => (at % 2 === 0 ? Number(digit) : (Number(digit) * 2) % 9 || (digit === '0' ? 0 : 9)))
  return values.reduce((sum, value) => sum + value, 0) % 10
}

/** ISO 13616: 1 for a valid IBAN. */
function mod97(iban: string): bigint {
  const moved = iban.slice(4) + iban.slice(0, 4)
  return BigInt([...moved].map((letter) => Number.parseInt(letter, 36)).join('')) % 97n
}

test('the first start seeds customers whose cards and IBANs would pass a checker, the second finds the same rows', async () => {
  const folder = join(temp, 'shop')
  const said: string[] = []
  const first = await startSampleTarget(folder, (line) => said.push(line))
  const { port } = first
  try {
    const customers = await rows(first, 'SELECT id, email, ssn, card, iban FROM customers ORDER BY id')
    assert.equal(customers.length, CUSTOMER_COUNT)
    for (const { card, iban, ssn } of customers) {
      assert.equal(luhn(String(card)), 0, `card ${card}`)
      assert.equal(mod97(String(iban)), 1n, `IBAN ${iban}`)
      assert.match(String(ssn), /^(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}$/)
    }
    assert.deepEqual(await rows(first, 'SELECT count(*)::int AS n FROM orders'), [{ n: ORDER_COUNT }])
    assert.equal(said.length, 2, 'what takes long is said')
  } finally {
    await first[Symbol.asyncDispose]()
  }
  await using second = await startSampleTarget(folder, assert.fail)
  assert.equal(second.port, port, 'a configuration written at the first start stays true')
  assert.deepEqual(await rows(second, 'SELECT email FROM customers WHERE id = 1'), [{ email: 'grace.okafor1@example.com' }])
  const [role] = await rows(second, `SELECT rolsuper FROM pg_roles WHERE rolname = '${SAMPLE_ROLE}'`)
  assert.equal(role?.rolsuper, false)
})

test('a server that outlived a killed demo, and a lock that names somebody else, do not stop the next start', async () => {
  const folder = join(temp, 'shop')
  const orphaned = await startSampleTarget(folder, quiet)
  // Not disposed: as if the demo had been killed. The next start ends it.
  const next = await startSampleTarget(folder, quiet)
  assert.equal(next.port, orphaned.port)
  await next[Symbol.asyncDispose]()
  // The process number of a lock left behind may by now be anybody's, ours for one.
  writeFileSync(join(folder, 'data/postmaster.pid'), `${process.pid}\n`)
  await using last = await startSampleTarget(folder, quiet)
  assert.deepEqual(await rows(last, 'SELECT 1 AS one'), [{ one: 1 }])
})

test('a second demo on the same folder is refused while the first one lives, and told whom to stop', async () => {
  const folder = join(temp, 'shop')
  // Our parent lives, and is not us.
  writeFileSync(join(folder, 'owner'), JSON.stringify({ ...OWN_MARK, pid: process.ppid, started: '' }))
  await assert.rejects(startSampleTarget(folder, quiet), {
    code: 'TARGET_UNREACHABLE',
    message: new RegExp(`process ${process.ppid} runs this sample target already`),
  })
})
