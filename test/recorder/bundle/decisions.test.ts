import assert from 'node:assert/strict'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { createBundle } from '../../../recorder/bundle/create-bundle.ts'
import { Decisions, type What } from '../../../recorder/bundle/decisions.ts'
import { openTape, StoreLedger } from '../../../recorder/index.ts'
import { readCsv } from '../../../schemas/csv.ts'
import type { Entry } from '../../../schemas/frame.ts'
import { FROM, TO, unpack } from '../../support/bundle-rig.ts'
import { MemoryStore } from '../../support/memory-store.ts'
import { entry, recordingFolder, START } from '../../support/recording.ts'

const policy = 'abababababab'
const block = (...rules: string[]) => ({ act: 'block', rules, policy }) as const
const ruled = (act: 'allow' | 'block' | 'hold', approval: string) => ({ act, rules: ['r'], policy, approval }) as const
const asks = (statement: number, verdict: Entry['verdict'], counts = true): Partial<Entry> => ({
  facts: { statement, ...(counts ? { statements: 1 } : {}) },
  verdict,
})
const answers = (statement: number, verdict: Entry['verdict'] = null): Partial<Entry> => ({
  dir: 'out',
  kind: 'reply',
  facts: { statement, rows: 2 },
  body: Buffer.from('row'),
  verdict,
})

/** What a gateway records, and what each frame is to whoever counts. */
const FRAMES: readonly (readonly [Partial<Entry>, What?])[] = [
  [asks(1, null)],
  [answers(1)],
  // Blocked: what the target says of what was sent in its place is kept back.
  [asks(2, block('no-drop')), 'blocked'],
  [answers(2, block()), 'more'],
  [{ ...asks(3, block('no-drop')), facts: { part: 'first', statements: 1 } }, 'blocked'],
  [{ ...asks(3, block('no-drop')), facts: { part: 'last' } }, 'more'],
  // Held, approved, done.
  [asks(4, ruled('hold', 'A-1')), 'held'],
  [{ dir: 'note', kind: 'approval', verdict: ruled('hold', 'A-1') }, 'approved'],
  [asks(4, ruled('allow', 'A-1'), false)],
  [answers(4)],
  // Held and rejected.
  [asks(5, ruled('hold', 'A-2')), 'held'],
  [asks(5, ruled('block', 'A-2'), false), 'refused'],
  // A result that is cut: more of it is on its way; then another one.
  [asks(6, null)],
  [answers(6)],
  [answers(6, block('bulk')), 'cut'],
  [answers(6, block('bulk')), 'more'],
  [answers(7, block('bulk')), 'cut'],
  [{ ...answers(7, block('bulk')), channel: 3 }, 'cut'],
  // Of a result, held, and its time was over.
  [answers(8, ruled('hold', 'A-3')), 'held'],
  [answers(8, ruled('block', 'A-3')), 'refused'],
]
const decided = FRAMES.flatMap(([, what], seq) => (what === undefined ? [] : [[seq, what] as const]))

test('of the frames that one stop leaves, one counts', () => {
  const decisions = new Decisions()
  for (const [seq, [part]] of FRAMES.entries()) decisions.add({ ...entry(part), seq, atUs: seq })
  assert.deepEqual(
    decisions.found.map(({ seq, what }) => [seq, what]),
    decided,
  )
})

test('every figure that is about sessions is counted again from the frames', async (t) => {
  const folder = await recordingFolder()
  t.after(() => folder[Symbol.asyncDispose]())
  const store = new MemoryStore()
  const ledger = await StoreLedger.open({ store, gateway: 'gw1', signer: folder.signer })
  const room = await folder.room({ store, ledger })
  const ids: string[] = []
  for (const kind of ['agent', 'human', 'agent'] as const) {
    const { info, recorder } = await room.open({ ...START, identity: { ...START.identity, kind } })
    for (const [part] of FRAMES) await recorder.append([entry(part)], { durable: true })
    ids.push(info.id)
    // The last of them is still going on.
    if (ids.length < 3) await recorder.seal('client.left')
  }
  await ledger.publish()
  const wish = { from: FROM, to: TO, framework: 'soc2' as const, scope: { target: [], identity: [] }, seed: 's' }
  const made = await createBundle(
    {
      store,
      trusted: [folder.signer],
      signer: folder.signer,
      tool: '0',
      describers: {},
      files: new Map(),
      tell: async () => undefined,
    },
    { ...wish, sampleSize: 3, verify: 'all', path: join(folder.path, 'a.zip'), by: { actor: 'ada', proof: 'os' } },
  )
  const counted = { frames: 0, statements: 0, rows: 0, 'bytes-out': 0 }
  for (const id of ids.slice(0, 2))
    for await (const { dir, facts, body, verdict } of (await openTape(store, id)).frames({})) {
      counted.frames += 1
      if (dir === 'in') counted.statements += Number(facts['statements'] ?? 0)
      if (dir === 'out') counted['bytes-out'] += body?.length ?? 0
      if (dir === 'out' && verdict === null) counted.rows += Number(facts['rows'] ?? 0)
    }
  const times = (what: What): number => 2 * decided.filter(([, one]) => one === what).length
  const wanted = {
    ...counted,
    // Asked for five times, of which two were held, in each.
    statements: 2 * 6,
    sessions: 3,
    'sessions-agent': 2,
    'sessions-human': 1,
    'sessions-service': 0,
    'sessions-untold': 0,
    'tapes-live': 1,
    blocked: times('blocked'),
    cut: times('cut'),
    held: times('held'),
    'held-approved': times('approved'),
    'held-refused': times('refused'),
  }
  assert.equal(counted.statements, wanted.statements)
  const value = (id: string): number | undefined => made.manifest.figures.find((one) => one.id === id)?.value
  assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((id) => [id, value(id)])), wanted)

  const unpacked = join(folder.path, 'a')
  await mkdir(unpacked)
  await unpack(made.path, unpacked)
  const rows = readCsv(await readFile(join(unpacked, 'populations/decisions.csv'), 'utf8'))
  assert.deepEqual(
    rows.map((row) => [row.get('session'), Number(row.get('frame')), row.get('what')]),
    ids.slice(0, 2).flatMap((id) => decided.map(([seq, what]) => [id, seq, what])),
  )
  const sessions = readCsv(await readFile(join(unpacked, 'populations/sessions.csv'), 'utf8'))
  assert.deepEqual(
    sessions.map((row) => ['kind', 'state', 'blocked', 'cut', 'held'].map((column) => row.get(column))),
    [...['agent', 'human'].map((kind) => [kind, 'whole', '2', '3', '3']), ['agent', 'live', '0', '0', '0']],
  )
})
