import { BUNDLE_PATHS, type Figure, type Framework, TAPE_STATES } from '../../schemas/bundle.ts'

const { sessions, decisions } = BUNDLE_PATHS
const APPROVALS = 'populations/approvals.csv'
const ACCESS = 'populations/access.csv'
const POLICIES = 'populations/policy-changes.csv'
const FINDINGS = 'populations/findings.csv'
const OPERATIONS = 'populations/operations.csv'
const CUSTODY = 'custody/custody.csv'
const REVIEW = 'reviews/access-review.csv'

function figure(id: string, title: string, file: string, where: Figure['where'] = {}, sum?: string): Omit<Figure, 'value'> {
  return { id, title, file, where, ...(sum === undefined ? {} : { sum }) }
}

/** Every number the bundle states of itself. */
export const FIGURES: readonly Omit<Figure, 'value'>[] = [
  figure('sessions', 'Sessions opened in the period', sessions),
  figure('sessions-agent', 'Sessions of agents', sessions, { kind: 'agent' }),
  figure('sessions-human', 'Sessions of people', sessions, { kind: 'human' }),
  figure('sessions-service', 'Sessions of services', sessions, { kind: 'service' }),
  figure('sessions-untold', 'Sessions of which neither ledger nor recording tells whose they are', sessions, { kind: '' }),
  ...TAPE_STATES.map((state) => figure(`tapes-${state}`, `Tapes: ${state}`, sessions, { state })),
  figure('statements', 'Statements: what was asked', sessions, {}, 'statements'),
  figure('frames', 'Frames recorded', sessions, {}, 'frames'),
  figure('rows', 'Result rows that were released', sessions, {}, 'rows'),
  figure('bytes-out', 'Bytes released to clients', sessions, {}, 'bytes_out'),
  figure('masked', 'Values masked', sessions, {}, 'masked'),
  figure('blocked', 'Requests blocked', decisions, { what: 'blocked' }),
  figure('cut', 'Answers blocked or cut', decisions, { what: 'cut' }),
  figure('held', 'Held for a person', decisions, { what: 'held' }),
  figure('held-approved', 'Let through after an approval', decisions, { what: 'approved' }),
  figure('held-refused', 'Held and refused: rejected, too late, withdrawn', decisions, { what: 'refused' }),
  figure('approval-requests', 'Approval requests', APPROVALS, { type: 'approval.request' }),
  figure('approvals-approved', 'Decisions: approve', APPROVALS, { type: 'approval.decide', act: 'approve' }),
  figure('approvals-rejected', 'Decisions: reject', APPROVALS, { type: 'approval.decide', act: 'reject' }),
  figure('approvals-expired', 'Requests nobody decided', APPROVALS, { type: 'approval.expire' }),
  figure('break-glass', 'Approved alone, past the approvers', APPROVALS, { type: 'approval.break-glass' }),
  figure('break-glass-reviewed', 'of which somebody has reviewed', APPROVALS, { type: 'approval.review' }),
  figure('access-grants', 'Access granted for a while', ACCESS, { type: 'access.grant' }),
  figure('access-ends', 'Access ended', ACCESS, { type: 'access.end' }),
  figure('keys-created', 'Access keys created', ACCESS, { type: 'key.create' }),
  figure('keys-revoked', 'Access keys revoked', ACCESS, { type: 'key.revoke' }),
  figure('identities-blocked', 'Identities kept out', ACCESS, { type: 'identity.block' }),
  figure('policy-changes', 'Policies activated', POLICIES),
  figure('findings', 'Findings of detectors', FINDINGS, { type: 'finding' }),
  figure('findings-judged', 'Judgements of findings', FINDINGS, { type: 'finding.dispose' }),
  figure('recording-failures', 'Sessions that could not be recorded to their end', OPERATIONS, { type: 'recording.failed' }),
  figure('recoveries', 'Recoveries after a crash', OPERATIONS, { type: 'session.recover' }),
  figure('gateway-starts', 'Starts of gateway processes', OPERATIONS, { type: 'gateway.start' }),
  figure('clock-steps', 'Steps of a clock', OPERATIONS, { type: 'clock' }),
  figure('proofs-denied', 'Proofs of identity denied', OPERATIONS, { type: 'auth.fail' }, 'count'),
  figure('views', 'Views of evidence', CUSTODY, { type: 'evidence.view' }),
  figure('searches', 'Searches of evidence', CUSTODY, { type: 'evidence.search' }),
  figure('exports', 'Exports of evidence', CUSTODY, { type: 'export.create' }),
  figure('holds-set', 'Legal holds set', CUSTODY, { type: 'hold.set' }),
  figure('holds-cleared', 'Legal holds lifted', CUSTODY, { type: 'hold.clear' }),
  figure('deletions', 'Tapes deleted under a rule', CUSTODY, { type: 'retention.delete' }),
]

/** What an auditor tests, and where in the bundle the evidence is. It never says that a criterion is met: that is the auditor's to say. */
export interface Control {
  readonly criterion: string
  readonly question: string
  readonly figures: readonly string[]
  readonly files: readonly string[]
}

const WHO = ['sessions', 'sessions-agent', 'sessions-human', 'sessions-service', 'sessions-untold', 'proofs-denied']
const COMPLETE = TAPE_STATES.map((state) => `tapes-${state}`)
const DECIDED = ['approval-requests', 'approvals-approved', 'approvals-rejected', 'approvals-expired', 'break-glass']

export const CONTROLS: Readonly<Record<Framework, readonly Control[]>> = {
  soc2: [
    control(
      'CC6.1',
      'Is access to data and infrastructure restricted, and by which rules?',
      [...WHO, 'blocked', 'cut', 'held'],
      decisions,
    ),
    control(
      'CC6.2',
      'Is access authorised before it is used?',
      [...DECIDED, 'access-grants', 'keys-created'],
      APPROVALS,
      ACCESS,
      REVIEW,
    ),
    control(
      'CC6.3',
      'Is access removed when it is not needed any more?',
      ['access-ends', 'keys-revoked', 'identities-blocked'],
      ACCESS,
      REVIEW,
    ),
    control(
      'CC6.6',
      'Is what comes from outside the boundary kept within rules?',
      ['blocked', 'proofs-denied'],
      decisions,
      OPERATIONS,
    ),
    control('CC6.7', 'Is the removal of data restricted?', ['rows', 'bytes-out', 'masked', 'blocked', 'cut'], sessions),
    control('CC6.8', 'Are unauthorised commands prevented?', ['blocked'], decisions),
    control(
      'CC7.1',
      'Are changes of configuration and failures of monitoring noticed?',
      ['policy-changes', 'recording-failures', 'recoveries', 'gateway-starts', 'clock-steps'],
      POLICIES,
      OPERATIONS,
    ),
    control(
      'CC7.2',
      'Is activity monitored completely?',
      ['sessions', ...COMPLETE, 'findings'],
      sessions,
      'ipe/completeness.json',
    ),
    control(
      'CC7.3',
      'Are events evaluated?',
      ['findings', 'findings-judged', 'break-glass-reviewed', 'views', 'searches'],
      FINDINGS,
      CUSTODY,
    ),
    control('CC7.4', 'Are incidents answered?', ['holds-set', 'exports', 'break-glass-reviewed'], CUSTODY),
    control('CC8.1', 'Are changes of policy authorised?', ['policy-changes', 'approvals-approved'], POLICIES, APPROVALS),
    control('C1.2', 'Is confidential information disposed of by rule?', ['deletions', 'holds-cleared'], CUSTODY),
  ],
  iso27001: [
    control('A.5.15', 'Access control', [...WHO, 'blocked', 'cut', 'held'], sessions, decisions),
    control(
      'A.5.18',
      'Access rights: given, reviewed, removed',
      ['access-grants', 'access-ends', 'keys-revoked'],
      ACCESS,
      REVIEW,
    ),
    control('A.5.28', 'Collection of evidence', ['exports', 'holds-set', 'views'], CUSTODY),
    control('A.5.33', 'Protection of records', [...COMPLETE, 'deletions'], sessions, CUSTODY),
    control('A.8.2', 'Privileged access rights', [...DECIDED, 'sessions-agent'], APPROVALS),
    control('A.8.11', 'Data masking', ['masked'], sessions),
    control('A.8.12', 'Data leakage prevention', ['rows', 'bytes-out', 'blocked', 'cut'], sessions, decisions),
    control('A.8.15', 'Logging', ['sessions', 'frames', 'statements', ...COMPLETE], sessions),
    control('A.8.16', 'Monitoring activities', ['findings', 'searches', 'views'], FINDINGS, CUSTODY),
    control('A.8.17', 'Clock synchronisation', ['clock-steps'], OPERATIONS),
    control('A.8.32', 'Change management', ['policy-changes', 'approvals-approved'], POLICIES, APPROVALS),
  ],
  pci: [
    control('10.2.1.1', 'All individual user access to data is logged', [...WHO, 'statements'], sessions),
    control('10.2.1.2', 'All administrative actions are logged', [...DECIDED, 'policy-changes'], APPROVALS, POLICIES),
    control('10.2.1.3', 'All access to audit logs is logged', ['views', 'searches', 'exports'], CUSTODY),
    control('10.2.1.4', 'Invalid access attempts are logged', ['proofs-denied', 'blocked'], OPERATIONS, decisions),
    control('10.2.1.5', 'Changes of credentials are logged', ['keys-created', 'keys-revoked', 'access-grants'], ACCESS),
    control('10.2.1.6', 'Starting and stopping of logging is logged', ['gateway-starts', 'recording-failures'], OPERATIONS),
    control('10.3', 'Audit logs are protected from destruction and change', [...COMPLETE, 'deletions'], sessions, CUSTODY),
    control('10.4', 'Audit logs are reviewed', ['searches', 'views', 'findings'], CUSTODY, FINDINGS),
    control('10.5.1', 'Audit logs are retained', [...COMPLETE, 'holds-set', 'deletions'], sessions, CUSTODY),
    control('10.6', 'Time is synchronised', ['clock-steps'], OPERATIONS),
    control('10.7', 'Failures of logging are detected and answered', ['recording-failures', 'recoveries'], OPERATIONS),
  ],
}

function control(criterion: string, question: string, figures: readonly string[], ...files: readonly string[]): Control {
  return { criterion, question, figures, files }
}
