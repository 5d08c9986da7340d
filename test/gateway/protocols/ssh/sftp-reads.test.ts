import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OpenFile } from '../../../../gateway/protocols/ssh/sftp/open-file.ts'
import { packet, STATUS, statusPacket, TYPE } from '../../../../gateway/protocols/ssh/sftp/packets.ts'
import { type Answered, Read, Reads } from '../../../../gateway/protocols/ssh/sftp/reads.ts'

interface Question {
  readonly read: Read
  readonly offset: number
  readonly length: number
}

interface Target {
  readonly file: Buffer
  /** Of the questions on their way, counted from the first, which is answered next; with how much at most, or not at all. Over and over. */
  readonly answers: readonly { readonly which: number; readonly most: number | 'failure' }[]
  /** Where it says how much it gives, that is what it gives. */
  readonly limit: number | undefined
}

/** A file read from its beginning in reads of these sizes, so many of them asked for at once. Ends when nothing is on its way any more. */
function readAll(sizes: readonly number[], atOnce: number, { file, answers, limit }: Target) {
  const open = new OpenFile(1, '/file')
  const order = new Reads()
  order.limit = limit
  const reads: Read[] = []
  const given: Answered[] = []
  const onWay: Question[] = []
  const ask = (read: Read, offset: number, length: number): unknown => onWay.push({ read, offset, length })
  let from = 0
  const askMore = (): void => {
    while (reads.length < sizes.length && open.reads.length < atOnce) {
      const size = sizes[reads.length] ?? 0
      const read = new Read({ id: reads.length, file: open, plan: open.content.plan(from, size), handle: 'h' })
      reads.push(read)
      open.reads.push(read)
      ask(read, read.plan.offset, read.askable)
      from += size
    }
  }
  let questions = 0
  for (askMore(); onWay.length > 0; askMore()) {
    const { which, most } = answers[questions++ % answers.length] ?? { which: 0, most: 1 }
    const [question] = onWay.splice(which % onWay.length, 1)
    assert.ok(question)
    const { read, offset, length } = question
    assert.ok(open.reads.includes(read), 'nothing is asked for what is answered')
    const data = file.subarray(offset, offset + Math.min(length, limit ?? (most === 'failure' ? 0 : most)))
    if (most === 'failure') order.status(read, statusPacket(read.id, STATUS.failure, ''), STATUS.failure)
    else if (data.length === 0) order.status(read, statusPacket(read.id, STATUS.eof, ''), STATUS.eof)
    else {
      const whole = packet(TYPE.data, read.id, data)
      order.data(read, whole, whole.subarray(13), length)
    }
    given.push(...order.answered(open, ask))
  }
  return { reads, given, questions }
}

const most = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 2_000 }), fc.constant(100_000))
const size = fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 1_200 }), fc.nat({ max: 5_000 }))
const cases = {
  file: fc.nat({ max: 8_000 }).map((length) => Buffer.from(Array.from({ length }, (_, at) => at % 251))),
  sizes: fc.array(size, { minLength: 1, maxLength: 12 }),
  atOnce: fc.integer({ min: 1, max: 12 }),
  which: fc.oneof(fc.constant(0), fc.nat({ max: 11 })),
  limit: fc.option(most, { nil: undefined }),
}

function check(sizes: readonly number[], atOnce: number, target: Target): void {
  const { reads, given } = readAll(sizes, atOnce, target)
  assert.deepEqual(
    given.map(({ read }) => read.id),
    reads.map(({ id }) => id),
  )
  for (const [index, { read, ahead }] of given.entries()) {
    if (read.status !== undefined) continue
    const { offset, length } = read.plan
    const known = Buffer.concat([read.data, ahead])
    // The next that failed cannot tell what stands behind this one.
    const alone = given[index + 1]?.read.status !== undefined
    const whole = target.file.subarray(offset, offset + (alone ? known.length : length))
    assert.ok(known.equals(whole), `read ${index}: ${known.length} bytes at ${offset}, not ${whole.length}`)
    assert.ok(read.data.length >= Math.min(read.plan.to, target.file.length) - offset)
  }
}

test('however a file is read and however little a target gives at once: every read is answered, in order, with its bytes and what stands behind', () => {
  const answer = fc.record({ which: cases.which, most })
  const { file, sizes, atOnce, limit } = cases
  fc.assert(
    fc.property(file, sizes, atOnce, fc.array(answer, { minLength: 1, maxLength: 8 }), limit, (...drawn) => {
      const [content, parts, together, answers, said] = drawn
      check(parts, together, { file: content, answers, limit: said })
    }),
    { numRuns: 1_000 },
  )
})

test('nor does one wait for ever where the target fails now and then', () => {
  const answer = fc.record({ which: cases.which, most: fc.oneof(most, most, fc.constant('failure' as const)) })
  const { file, sizes, atOnce } = cases
  fc.assert(
    fc.property(file, sizes, atOnce, fc.array(answer, { minLength: 1, maxLength: 8 }), (content, parts, together, answers) => {
      check(parts, together, { file: content, answers, limit: undefined })
    }),
    { numRuns: 1_000 },
  )
})

test('a file asked for to its last byte, which is near, takes one question more', () => {
  const file = Buffer.alloc(98_404, 'a b ')
  const sizes = [32_768, 32_768, 32_768, 100]
  const { given, questions } = readAll(sizes, 4, { file, answers: [{ which: 0, most: 65_536 }], limit: undefined })
  assert.deepEqual([given.length, questions], [4, 5])
})

test('no more is asked for at once than a packet holds, and the client gets all it asked for, wherever it begins', () => {
  const file = new OpenFile(1, '/file')
  for (const offset of [0, 1_000_000]) {
    const plan = file.content.plan(offset, 261_120)
    assert.deepEqual([plan.from, plan.to - plan.from], [offset, 261_120])
    assert.equal(new Read({ id: 1, file, plan, handle: 'h' }).askable, 261_120)
  }
})

test('what waits is copied out of what it came in, once', () => {
  const file = new OpenFile(1, '/file')
  const read = new Read({ id: 1, file, plan: file.content.plan(0, 100), handle: 'h' })
  const whole = packet(TYPE.data, 1, Buffer.alloc(10, 'a'))
  read.push(whole, whole.subarray(13))
  read.keep()
  whole.fill(0)
  const kept = read.packet
  read.keep()
  assert.equal(read.packet, kept)
  assert.equal(String(read.data), 'a'.repeat(10))
})
