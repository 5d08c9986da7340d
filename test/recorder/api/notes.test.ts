import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { serialize } from 'pg-protocol'
import { keepPolicy } from '../../../recorder/policy-texts.ts'
import { ENDPOINTS, type Endpoint, type EndpointName } from '../../../schemas/api.ts'
import { type ApiRig, type Asking, apiRig, type Browser, listen } from '../../support/api.ts'
import { COMPLETE } from '../../support/recorded-session.ts'
import { entry, START } from '../../support/recording.ts'
import { ask } from '../desk/contract.ts'

let rig: ApiRig
let gina: Browser
/** Who may what an investigator may not. */
let audrey: Browser
let ann: Browser
let session: string
/** Requests that more can be done about than deciding. */
let others: Partial<Record<EndpointName, string>>
let approval: string

before(async () => {
  rig = await apiRig({ findings: { detectors: { 'large-pull': { rows: 1 } } } })
  const { info, recorder } = await rig.room.open(START)
  await recorder.append([
    entry({ kind: 'query', body: serialize.query('SELECT 1') }),
    entry({ dir: 'out', kind: 'reply', body: COMPLETE, facts: { statement: 1, rows: 1, tag: 'SELECT 1', status: 'I' } }),
  ])
  await recorder.seal('client.left')
  session = info.id
  await rig.catalog.settle()
  await rig.catalog.scan()
  const finding = (await rig.catalog.findings({}, null)).findings[0]?.id ?? ''
  const asked = await rig.desk.request({
    session,
    requester: 'agent-7',
    requesterKind: 'agent',
    target: 'shop',
    protocol: 'postgres',
    kind: 'query',
    command: 'DELETE FROM stale_carts',
    facts: {},
    rules: ['no-where'],
    reason: 'deletes everything',
    approvers: { groups: ['dba'], count: 1 },
    binding: 'ab'.repeat(32),
    ttlMs: 60_000,
  })
  approval = asked.id
  const broken = await rig.desk.submit(ask({ binding: 'b'.repeat(64) }))
  const cleo = { subject: 'cleo', kind: 'human', groups: [], mayBreakGlass: true } as const
  await rig.desk.decide(broken.id, { act: 'break-glass', reason: 'fire' }, cleo)
  const own = await rig.desk.submit(ask({ binding: 'c'.repeat(64), requester: 'gina', requesterKind: 'human' }))
  others = {
    finding,
    explainFinding: finding,
    disposeFinding: finding,
    review: broken.id,
    endApproval: own.id,
    bundle: 'b-0',
    caseView: 'mine',
    changeCase: 'mine',
  }
  await keepPolicy(rig.folder.store, POLICY)
  gina = await rig.as('gina')
  const { searches } = (await gina.ask('/saved-searches', { body: SEARCH })).json
  others.removeSearch = searches[0].id
  audrey = await rig.as('audrey')
  ann = await rig.as('ann')
  const period = { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z' }
  await audrey.ask('/bundles', { body: { ...period, framework: 'soc2', sample: 5 } })
})
after(() => rig[Symbol.asyncDispose]())

const POLICY_TEXT = '{"rules":[]}'
const POLICY = { hash: createHash('sha256').update(POLICY_TEXT).digest('hex'), text: POLICY_TEXT }
const SEARCH = { name: 'Blocked', page: 'sessions', filter: 'verdict:block', shared: true }
/** What shows no evidence: who one is, public keys, and that the server lives. */
const NOT_EVIDENCE: readonly EndpointName[] = [
  'me',
  'signInWays',
  'trust',
  'health',
  'openapi',
  'accessTargets',
  'bundles',
  'catalog',
  'savedSearches',
]
/** What each kind of question is noted as. */
const NOTED: Readonly<Partial<Record<EndpointName, string>>> = {
  signOut: 'console.sign-out',
  startBundle: 'export.ask',
  bundle: 'evidence.view',
  custody: 'evidence.view',
  ledgerState: 'evidence.view',
  policy: 'evidence.view',
  policyText: 'evidence.view',
  tryPolicy: 'evidence.view',
  cases: 'evidence.search',
  caseView: 'evidence.view',
  createCase: 'case.change',
  changeCase: 'case.change',
  saveSearch: 'search.save',
  removeSearch: 'search.remove',
  bookmarks: 'evidence.view',
  sessions: 'evidence.search',
  search: 'evidence.search',
  findings: 'evidence.search',
  pulls: 'evidence.search',
  catalogSessions: 'evidence.search',
  rebuildCatalog: 'catalog.rebuild',
  finding: 'evidence.view',
  explainFinding: 'evidence.view',
  disposeFinding: 'finding.dispose',
  session: 'evidence.view',
  statements: 'evidence.view',
  objects: 'evidence.view',
  object: 'evidence.view',
  screen: 'evidence.view',
  live: 'evidence.follow',
  kill: 'session.kill',
  summarise: 'summary.ask',
  noteVerification: 'evidence.verify',
  approvals: 'evidence.search',
  approval: 'evidence.view',
  decide: 'approval.decision',
  similar: 'evidence.view',
  review: 'approval.decision',
  endApproval: 'approval.decision',
  askAccess: 'access.ask',
  events: 'evidence.follow',
}

/** Every endpoint but signing in, which is asked under nobody's name. */
function asked(): { readonly name: EndpointName; readonly path: string; readonly asking: Asking }[] {
  const bodies: Partial<Record<EndpointName, object>> = {
    startBundle: { from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z', framework: 'soc2', sample: 5 },
    kill: { reason: 'x' },
    summarise: {},
    noteVerification: { verdict: 'VALID', problems: 0 },
    tryPolicy: { target: 'shop', command: 'DROP TABLE customers' },
    createCase: { title: 'x' },
    changeCase: { act: 'add', kind: 'session', session },
    saveSearch: SEARCH,
    removeSearch: {},
    decide: { act: 'approve' },
    review: { note: 'x' },
    endApproval: {},
    disposeFinding: { state: 'benign', reason: 'x' },
    askAccess: { target: 'vault', minutes: 5, reason: 'x' },
  }
  return (Object.keys(ENDPOINTS) as EndpointName[])
    .filter((name) => name !== 'signIn' && !NOT_EVIDENCE.includes(name))
    .map((name) => ({
      name,
      path: ENDPOINTS[name].path
        .replace('{id}', others[name] ?? (['approval', 'decide', 'similar'].includes(name) ? approval : session))
        .replace('{name}', '0000.tape')
        .replace('{hash}', POLICY.hash)
        .replace(/\/screen$/, '/screen?channel=0&frame=0')
        .replace(/\/search$/, '/search?q=SELECT')
        .replace(/\/custody$/, `/custody?session=${session}`),
      asking: { method: ENDPOINTS[name].method.toUpperCase(), ...(name in bodies ? { body: bodies[name] } : {}) },
    }))
}

function whoMay(name: EndpointName): Browser {
  const { access }: Endpoint = ENDPOINTS[name]
  return access === 'admin' ? ann : access === 'auditor' ? audrey : gina
}

test('what cannot be noted is neither shown nor done, at any endpoint', async () => {
  rig.mute = true
  rig.killed.length = 0
  for (const { name, path, asking } of asked().filter(({ name }) => name !== 'signOut')) {
    const { status, json, text } = await whoMay(name).ask(path, asking)
    assert.equal(status, 503, name)
    assert.equal(json.code, 'RECORDER_FAILED', name)
    assert.doesNotMatch(text, /stale_carts|SELECT/, name)
  }
  rig.mute = false
  assert.equal((await rig.desk.get(approval)).state, 'pending')
  assert.deepEqual(rig.killed, [])
  const { status } = await rig.ask('/sign-in', { body: { key: 'key-gina' } })
  assert.equal(status, 200)
})

test('every endpoint that shows evidence or changes something is noted, with who asked', async () => {
  // Signing out last: it ends what the others are asked with.
  for (const { name, path, asking } of asked().sort((a, b) => Number(a.name === 'signOut') - Number(b.name === 'signOut'))) {
    const before = rig.notes.length
    if (ENDPOINTS[name].answer === 'events') (await listen(rig.server.port, path, { cookie: gina.cookie })).close()
    else assert.ok((await whoMay(name).ask(path, asking)).status < 300, name)
    const [note] = rig.notes.slice(before)
    assert.deepEqual(
      [note?.type, note?.['actor']],
      [NOTED[name], whoMay(name) === gina ? 'gina' : whoMay(name) === ann ? 'ann' : 'audrey'],
      name,
    )
  }
})

test('what a browser has already is noted as looked at again', async () => {
  const again = await rig.as('gina')
  const { headers } = await again.ask(`/sessions/${session}/objects/0000.tape`)
  const before = rig.notes.length
  const { status } = await again.ask(`/sessions/${session}/objects/0000.tape`, {
    headers: { 'if-none-match': String(headers['etag']) },
  })
  assert.equal(status, 304)
  assert.deepEqual(
    rig.notes.slice(before).map(({ type, object, unchanged }) => [type, object, unchanged]),
    [['evidence.view', '0000.tape', true]],
  )
})
