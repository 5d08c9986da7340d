import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import type { Worker } from 'node:worker_threads'
import { isUnread, MAX_INLINE_SQL_BYTES, sqlFacts } from '../../../../gateway/policy/sql/facts.ts'
import { readingOf, SqlThreads } from '../../../../gateway/protocols/postgres/sql-threads.ts'

let serial = 0
/** A text too large to be read here, another one each time. */
function largeText(head = 'INSERT INTO t (a) VALUES'): string {
  serial++
  return `${head} (${serial})${' '.repeat(MAX_INLINE_SQL_BYTES)}`
}

/** A thread that does what it is told, and nothing else. */
class Thread extends EventEmitter {
  ended = false
  postMessage(sql: string): void {
    this.onText(sql)
  }
  onText: (sql: string) => void = () => undefined
  ref(): void {}
  unref(): void {}
  async terminate(): Promise<number> {
    this.ended = true
    return 0
  }
}

function scripted(
  onText: (thread: Thread) => void,
  timeoutMs = 60_000,
): { readonly threads: SqlThreads; readonly made: Thread[] } {
  const made: Thread[] = []
  const make = (): Worker => {
    const thread = new Thread()
    thread.onText = () => onText(thread)
    made.push(thread)
    return thread as unknown as Worker // as much of one as SqlThreads uses
  }
  return { threads: new SqlThreads(make, timeoutMs), made }
}

const answer = {
  facts: { parse_ok: true, size: 9 },
  made: { converts: false, measures: false, handed: new Set() },
  plan: undefined,
}

test('a large text is read in a thread, and its facts are then there as for any other', async () => {
  const sql = largeText()
  assert.ok(Buffer.byteLength(sql) > MAX_INLINE_SQL_BYTES && isUnread(sql))
  assert.equal(sqlFacts(sql).parse_ok, false, 'the event loop is not held for it')
  const threads = new SqlThreads()
  await threads.read(sql)
  assert.ok(!isUnread(sql))
  assert.deepEqual([sqlFacts(sql).parse_ok, sqlFacts(sql).verbs, sqlFacts(sql).relations], [true, ['INSERT'], ['t']])
  assert.equal(readingOf(sql)?.made.converts, false)
  const copy = `${' '.repeat(20_000)}COPY t (a) TO STDOUT (FORMAT csv)`
  await threads.read(copy)
  assert.equal(readingOf(copy)?.plan?.lines?.format, 'csv')
  const wrong = largeText('INSRT INTO t VALUES')
  await threads.read(wrong)
  assert.deepEqual([isUnread(wrong), sqlFacts(wrong).parse_error_at], [false, 1])
})

test('while one is read the loop is free, and small statements are judged', async () => {
  const { threads, made } = scripted(() => undefined)
  let done = false
  const reading = threads.read(largeText()).then(() => {
    done = true
  })
  assert.deepEqual(sqlFacts('SELECT 1').verbs, ['SELECT'])
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(done, false)
  made[0]?.emit('message', answer)
  await reading
})

test('two at once, the others in turn, and no more threads than that', async () => {
  const { threads, made } = scripted(() => undefined)
  const readings = [largeText(), largeText(), largeText()].map((sql) => threads.read(sql))
  assert.equal(made.length, 2)
  made[1]?.emit('message', answer)
  await readings[1]
  made[1]?.emit('message', answer)
  await readings[2]
  made[0]?.emit('message', answer)
  await Promise.all(readings)
})

test('a text that takes too long, or ends its thread, is unreadable; the next has a thread of its own', async () => {
  const slow = scripted(() => undefined, 5)
  const sql = largeText()
  await slow.threads.read(sql)
  assert.deepEqual([isUnread(sql), sqlFacts(sql).parse_ok, slow.made[0]?.ended], [false, false, true])
  for (const end of ['error', 'exit']) {
    const { threads, made } = scripted((thread) => queueMicrotask(() => thread.emit(end, new Error('out of memory'))))
    const text = largeText()
    await threads.read(text)
    assert.equal(sqlFacts(text).parse_ok, false)
    await threads.read(largeText())
    assert.equal(made.length, 2)
  }
})

test('more than can wait are unreadable at once', async () => {
  const { threads, made } = scripted(() => undefined)
  const held = Array.from({ length: 2 + 256 }, () => threads.read(largeText()))
  const sql = largeText()
  await threads.read(sql)
  assert.deepEqual([isUnread(sql), sqlFacts(sql).parse_ok], [false, false])
  const answering = setInterval(() => {
    for (const thread of made) thread.emit('message', answer)
  }, 0)
  await Promise.all(held)
  clearInterval(answering)
})
