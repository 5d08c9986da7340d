import { parentPort, workerData } from 'node:worker_threads'
import { ApplianceError } from '../../schemas/errors.ts'
import { listFindings, markTold, putDisposition, readFinding } from '../findings/finding-rows.ts'
import { readLedger } from '../findings/from-ledger.ts'
import { FindingWatch } from '../findings/watch.ts'
import { readGatewayKeys } from '../tape/signer-file.ts'
import { openTapes } from './arrivals.ts'
import { openDatabase } from './database.ts'
import { DeletedSessions } from './deleted-sessions.ts'
import type { Describers } from './describe.ts'
import { Ingest } from './ingest.ts'
import { findKeyframe } from './keyframe-rows.ts'
import type { CallName, Calls, FromThread, Left, Question, ThreadData } from './messages.ts'
import { narrate } from './narrative.ts'
import { countAll, countSessions, findSession, findSessions, findStatements, listEntries } from './queries.ts'
import { ruleHits } from './rule-hits.ts'
import { search } from './search.ts'
import { topPulls } from './top-pulls.ts'
import { yieldToOthers } from './yielding.ts'

// The catalog's own thread: PostgreSQL and the reading of tapes keep it busy, and the gateway's event loop must not notice.

yieldToOthers()
const port = parentPort
if (port === null) throw new Error('recorder/catalog/thread.ts runs as a worker thread')
// Made by Catalog in this repository, as ThreadData says.
const data = workerData as ThreadData
const tell = (message: FromThread): void => port.postMessage(message)
const onProblem = (message: string): void => tell({ kind: 'problem', message })

const { describers } = (await import(data.describers)) as { readonly describers: Describers }
const database = await openDatabase(data.database, onProblem)
const tapes = await openTapes(data.store)
const trusted = () => readGatewayKeys(data.keys)
await readLedger(database, tapes.store, await trusted())
const watch = await FindingWatch.open({
  database,
  store: tapes.store,
  trusted,
  config: data.findings,
  onFinding: (news) => tell({ kind: 'change', change: { change: 'finding', ...news } }),
  onProblem,
})
const ingest = new Ingest({
  database,
  tapes,
  deleted: new DeletedSessions(tapes.store, trusted),
  describers,
  secret: data.secret,
  ...(data.keepDays === undefined ? {} : { keepDays: data.keepDays }),
  onChange: (change) => tell({ kind: 'change', change }),
  onStored: (row) => watch.changed(row),
  onLag: (lag) => tell({ kind: 'lag', lag }),
  onProblem,
})

/** `gone`: whoever asked. */
type Call<N extends CallName> = (...args: [...Parameters<Calls[N]>, gone: AbortSignal]) => Promise<ReturnType<Calls[N]>>

const calls: { readonly [N in CallName]: Call<N> } = {
  sessions: (query, scope, gone) => findSessions(database, query, scope, gone),
  session: (id) => findSession(database, id),
  statements: (session, query) => findStatements(database, session, query),
  keyframe: (session, channel, seq) => findKeyframe(database, session, channel, seq),
  narrate: (session) => narrate(database, session),
  countSessions: (ids) => countSessions(database, ids),
  topPulls: (query, scope) => topPulls(database, query, scope),
  search: (query, seeker, gone) => search(database, query, seeker, Date.now(), gone),
  ruleHits: (from) => ruleHits(database, from),
  findings: (query, scope) => listFindings(database, query, scope),
  finding: async (id) => (await readFinding(database, id))?.finding ?? null,
  explain: (id) => watch.explain(id),
  putDisposition: (disposition) => putDisposition(database, disposition),
  findingTold: (id) => markTold(database, id),
  scan: () => watch.scan(),
  grew: async (ids) => ingest.grew(ids),
  settle: () => ingest.settle(),
  beginRebuild: async () => {
    await ingest.beginRebuild()
    await watch.again()
  },
  count: () => countAll(database),
  entries: (query) => listEntries(database, query),
  rebuild: async () => {
    await ingest.rebuild()
    await watch.again()
  },
  close: async () => {
    await ingest[Symbol.asyncDispose]()
    await watch[Symbol.asyncDispose]()
    await database.close()
  },
}

const heard = new Map<number, AbortController>()
port.on('message', (message: Question | Left) => {
  if ('left' in message) heard.get(message.left)?.abort()
  else void answer(message)
})
await ingest.start()

async function answer({ id, call, args }: Question): Promise<void> {
  const gone = new AbortController()
  heard.set(id, gone)
  try {
    // The other side is Catalog, whose types pair calls with their arguments.
    const work = calls[call] as (...given: readonly unknown[]) => Promise<unknown>
    tell({ kind: 'answer', id, value: await work(...args, gone.signal) })
  } catch (error) {
    const code = error instanceof ApplianceError ? error.code : undefined
    // PostgreSQL's messages may quote values; only ours are passed on.
    const message = error instanceof ApplianceError ? error.message : error instanceof Error ? error.name : 'unknown'
    tell({ kind: 'failure', id, code, message })
  } finally {
    heard.delete(id)
  }
}
