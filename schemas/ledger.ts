import { type Static, type TProperties, Type } from 'typebox'
import { DURABILITY_LEVELS, IDENTITY_KINDS } from './session.ts'

const closed = { additionalProperties: false } as const
const Text = Type.String()
const Count = Type.Integer({ minimum: 0 })
const Hex = Type.String({ pattern: '^[0-9a-f]+$' })
const Time = Type.String({ format: 'date-time' })
const Groups = Type.Array(Text)
const optional = { purpose: Type.Optional(Text), client: Type.Optional(Text) }
/** A request and the session whose message it holds, where it holds one. */
const request = { approval: Text, session: Type.Optional(Text) }
/** Who did it, and how they proved it. */
const by = { actor: Text, proof: Text }
/** Earlier entries are without the proof. */
const decider = { actor: Text, proof: Type.Optional(Text) }

/** One kind of entry: what its writer says; who, when and which number are added when it is written. */
function kind<N extends string, P extends TProperties>(type: N, members: P, options: { readonly description: string }) {
  return Type.Object({ type: Type.Literal(type), ...members }, options)
}

/** Everything a ledger may tell of. Members are added, never renamed; readers pass over what they do not know. */
export const LedgerEntry = Type.Union([
  kind(
    'gateway.start',
    {
      version: Text,
      node: Text,
      policy: Type.Optional(Hex),
      durability: Type.Optional(Text),
      targets: Type.Optional(Count),
    },
    { description: 'A process that records begins; from here on it says gateway.interim every 10 s' },
  ),
  kind('gateway.stop', { reason: Text }, { description: 'It ends, and every tape of it is sealed or left to recovery' }),
  kind(
    'gateway.interim',
    {
      open: Count,
      root: Hex,
      tapes: Type.Array(Type.Tuple([Text, Count, Count, Hex])),
      more: Type.Optional(Type.Literal(true)),
      checkpoint: Type.Optional(Type.Object({ size: Count, root: Hex }, closed)),
    },
    { description: 'How far every open tape of this process is in the store: [session, chunks, frames, head] where it changed' },
  ),
  kind(
    'session.open',
    {
      session: Text,
      number: Type.Integer({ minimum: 1 }),
      header: Hex,
      identity: Text,
      kind: Type.Optional(Type.Unsafe<string>(Type.Union(IDENTITY_KINDS.map((one) => Type.Literal(one))))),
      target: Text,
      policy: Text,
      durability: Type.Unsafe<string>(Type.Union(DURABILITY_LEVELS.map((level) => Type.Literal(level)))),
    },
    { description: 'Durable before the first byte goes upstream; header is the SHA-256 of the tape header’s statement' },
  ),
  kind(
    'session.close',
    { session: Text, number: Count, reason: Text, frames: Count, chunks: Count, root: Hex },
    { description: 'The tape is sealed and in the store' },
  ),
  kind(
    'session.recover',
    {
      session: Text,
      spool: Text,
      outcome: Type.Union([Type.Literal('recovered'), Type.Literal('absent')]),
      frames: Count,
      recovered: Count,
      signer: Hex,
      head: Type.Optional(Hex),
      segment: Type.Optional(Count),
      offset: Type.Optional(Count),
      chunks: Type.Optional(Count),
      discardedBytes: Type.Optional(Count),
    },
    {
      description:
        'Another process is about to end the tape of one that died; absent: it had opened the session and stored nothing',
    },
  ),
  kind('session.kill', { ...by, session: Text, reason: Text }, { description: 'Somebody ended a running session' }),
  kind(
    'recording.failed',
    { session: Text, number: Count, frames: Type.Optional(Count), what: Text },
    { description: 'A session could not be recorded any more, and was ended; frames had been accepted by then' },
  ),
  kind(
    'policy.activate',
    { policy: Hex, previous: Type.Optional(Hex), by: Type.Optional(Text), request: Type.Optional(Text) },
    { description: 'SHA-256 of the policy in force from here on; who changed the file, and upon which request' },
  ),
  kind(
    'approval.request',
    {
      ...request,
      about: Type.Optional(Text),
      requester: Text,
      target: Type.Optional(Text),
      rules: Type.Array(Text),
      binding: Text,
      approvers: Type.Object({ groups: Groups, count: Count }),
      expiresAt: Time,
    },
    { description: 'Something waits until somebody decides: a held message, access to a target, another policy' },
  ),
  kind(
    'approval.decide',
    { ...request, act: Text, ...decider, reason: Type.Optional(Text) },
    { description: 'One person has decided, and how they proved who they are' },
  ),
  kind('approval.consume', { ...request }, { description: 'What was approved is about to be done, once' }),
  kind('approval.expire', { ...request }, { description: 'Nobody decided in time' }),
  kind(
    'approval.withdraw',
    { ...request, actor: Type.Optional(Text) },
    { description: 'Whoever asked is gone, or takes it back' },
  ),
  kind(
    'approval.break-glass',
    { ...request, ...decider, reason: Text },
    { description: 'One person has approved it alone, past its approvers' },
  ),
  kind('approval.review', { ...request, ...decider, note: Text }, { description: 'Somebody else has looked into that' }),
  kind(
    'approval.decision',
    { ...by, ...request, act: Text, reason: Type.Optional(Text) },
    {
      description:
        'Somebody is about to decide (or `review`, `end`) at the console or in Slack, and how they proved who they are',
    },
  ),
  kind(
    'approval.decision-failed',
    { ...by, ...request, act: Text, code: Text },
    { description: 'That decision was not taken after all' },
  ),
  kind(
    'access.grant',
    {
      ...by,
      grant: Text,
      subject: Text,
      groups: Groups,
      target: Type.Optional(Text),
      reason: Text,
      expiresAt: Type.Optional(Time),
    },
    { description: 'Somebody may more than configured, for a while' },
  ),
  kind(
    'access.ask',
    { ...by, target: Text, minutes: Count },
    { description: 'Somebody is about to ask for it at the console, and how they proved who they are' },
  ),
  kind('access.end', { grant: Text, subject: Text, reason: Text, actor: Type.Optional(Text) }, { description: 'That is over' }),
  kind(
    'key.create',
    {
      key: Text,
      subject: Text,
      expiresAt: Type.Optional(Time),
      targets: Type.Optional(Type.Array(Text)),
      verbs: Type.Optional(Type.Array(Text)),
      run: Type.Optional(Text),
      purpose: Type.Optional(Text),
    },
    { description: 'An access key exists; the key itself is nowhere' },
  ),
  kind('key.revoke', { key: Text }, { description: 'An access key opens nothing any more' }),
  kind(
    'identity.block',
    { subject: Text, actor: Text, reason: Text },
    { description: 'Somebody is kept out, whatever they prove' },
  ),
  kind('identity.unblock', { subject: Text, actor: Text, reason: Text }, { description: 'and let in again' }),
  kind(
    'auth.fail',
    {
      since: Time,
      count: Count,
      by: Type.Array(Type.Object({ network: Text, why: Text, count: Count }, closed)),
      others: Count,
    },
    { description: 'Proofs denied since then, by network; rolled up, so that a flood is one entry a minute' },
  ),
  kind(
    'finding',
    { finding: Text, detector: Text, version: Text, severity: Text, sessionIds: Type.Array(Text), summary: Text },
    { description: 'A detector found something' },
  ),
  kind(
    'finding.dispose',
    { ...by, finding: Text, state: Text, reason: Text },
    { description: 'Somebody has judged a finding: true, benign, false, or open again' },
  ),
  kind(
    'case.change',
    {
      ...by,
      case: Type.Optional(Text),
      act: Text,
      title: Type.Optional(Text),
      session: Type.Optional(Text),
      frame: Type.Optional(Count),
      finding: Type.Optional(Text),
      reason: Type.Optional(Text),
    },
    { description: 'Somebody gathers evidence: begins a case, adds to it, takes out of it, writes a note, closes it' },
  ),
  kind(
    'search.save',
    { ...by, search: Text, name: Text, shared: Type.Boolean() },
    { description: 'Somebody keeps a search, for themselves or for all' },
  ),
  kind(
    'search.remove',
    { ...by, search: Text, name: Text, shared: Type.Boolean() },
    { description: 'and keeps it, or lets everybody keep it, no longer' },
  ),
  kind(
    'evidence.view',
    {
      ...by,
      what: Text,
      session: Type.Optional(Text),
      approval: Type.Optional(Text),
      object: Type.Optional(Text),
      from: Type.Optional(Count),
      to: Type.Optional(Count),
      first: Type.Optional(Count),
      last: Type.Optional(Count),
      unchanged: Type.Optional(Type.Boolean()),
      ...optional,
    },
    { description: 'Somebody is shown evidence' },
  ),
  kind(
    'evidence.search',
    { ...by, what: Type.Optional(Text), query: Type.Record(Text, Type.Unknown()), found: Count, ...optional },
    { description: 'Somebody searched' },
  ),
  kind(
    'evidence.verify',
    {
      ...by,
      session: Type.Optional(Text),
      with: Text,
      verdict: Text,
      tapes: Type.Optional(Count),
      problems: Count,
      ...optional,
    },
    {
      description:
        'Somebody verified a tape, or (without a session) all there are: with what, and the verdict it came to. A browser’s verdict is what that browser says',
    },
  ),
  kind(
    'summary.ask',
    { ...by, session: Text, host: Text, model: Type.Optional(Text), bytes: Count, sha256: Hex, statements: Count, ...optional },
    {
      description:
        'Masked text of a session is about to leave for a model that writes a summary: to which host, how much, and the hash of it',
    },
  ),
  kind('evidence.follow', { ...by, what: Text, session: Type.Optional(Text), ...optional }, { description: 'Somebody watches' }),
  kind('console.sign-in', { ...by, by: Text, client: Text }, { description: 'Somebody came to the console' }),
  kind('console.sign-out', { ...by }, { description: 'and left' }),
  kind('export.ask', { ...by, what: Text, ...optional }, { description: 'Somebody asks for an export, which is then made' }),
  kind(
    'export.create',
    {
      ...by,
      format: Text,
      sha256: Hex,
      sessionIds: Type.Array(Text),
      /** Where it is of more sessions than can be named. */
      sessionCount: Type.Optional(Count),
      frames: Type.Optional(Type.Array(Type.Tuple([Count, Count]))),
      reason: Type.Optional(Text),
    },
    { description: 'Something left the appliance: its hash, of which sessions it is made, and of which frames if not all' },
  ),
  kind(
    'hold.set',
    { ...by, session: Text, matter: Type.Optional(Text), reason: Text },
    { description: 'Not to be deleted, for this matter, until it is cleared' },
  ),
  kind(
    'hold.clear',
    { ...by, session: Text, matter: Type.Optional(Text), reason: Text },
    { description: 'That matter holds it no longer' },
  ),
  kind(
    'retention.delete',
    {
      ...by,
      session: Text,
      rule: Text,
      objects: Count,
      root: Type.Optional(Hex),
      request: Type.Optional(Text),
      approvedBy: Type.Optional(Type.Array(Text)),
    },
    { description: 'A tape is about to be removed, under this rule and upon this approved request, by whom; the entry stays' },
  ),
  kind(
    'reconcile',
    { opens: Count, tapes: Count, rows: Type.Optional(Count), missing: Type.Array(Text), extra: Type.Array(Text) },
    { description: 'Ledger, store and catalog were compared' },
  ),
  kind('catalog.rebuild', { ...by, ...optional }, { description: 'The catalog is dropped and read from the tapes again' }),
  kind('clock', { stepMs: Type.Integer() }, { description: 'The wall clock moved by this against the monotonic one' }),
  kind(
    'journal.import',
    { sha256: Hex, entries: Count, sessions: Count },
    { description: 'Sessions of this gateway up to this number were noted in a local journal before there was a ledger' },
  ),
])
export type LedgerEntry = Static<typeof LedgerEntry>

/** What is added to every entry when it is written. */
const LedgerEnvelope = Type.Object({
  v: Type.Literal(1),
  /** The process that wrote it: `gw1`, or `gw1-3`, `gw1-console`, `gw1-cli`. */
  gateway: Type.String({ pattern: '^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$' }),
  /** Counts this writer's entries from 1, without gaps. */
  n: Type.Integer({ minimum: 1 }),
  at: Time,
  /** The newest session number this writer has given. */
  sessions: Count,
})

/** An entry as it stands in the ledger: the first member of its line. */
export const LedgerStatement = Type.Intersect([LedgerEnvelope, LedgerEntry])
