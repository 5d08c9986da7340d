import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asimEvent } from '../../../gateway/exports/asim.ts'
import { asimOfEntry } from '../../../gateway/exports/asim-entry.ts'
import { ACTS, STATEMENT_OUTCOMES } from '../../../schemas/api-names.ts'
import { PROTOCOL_NAMES } from '../../../schemas/session.ts'
import { rowOf, sessionAt } from '../../support/statements.ts'

// Mandatory fields and the values of enumerated ones, as the references of the schemas have them
// (https://learn.microsoft.com/azure/sentinel/normalization-common-fields and -schema-audit, -schema-web, -schema-process-event).
const COMMON = ['EventCount', 'EventStartTime', 'EventEndTime', 'EventType', 'EventResult', 'EventProduct', 'EventVendor', 'Dvc']
const SCHEMAS: Readonly<
  Record<string, { readonly version: string; readonly fields: readonly string[]; readonly types: readonly string[] }>
> = {
  AuditEvent: {
    version: '0.1.2',
    fields: ['Operation', 'Object', 'ObjectType', 'ActorUsername', 'ActorUsernameType'],
    types: [
      'Set',
      'Read',
      'Create',
      'Delete',
      'Execute',
      'Install',
      'Clear',
      'Enable',
      'Disable',
      'Initialize',
      'Start',
      'Stop',
      'Other',
    ],
  },
  WebSession: { version: '0.2.7', fields: ['Url', 'Dst', 'SrcIpAddr'], types: ['HTTPsession', 'WebServerSession', 'ApiRequest'] },
  ProcessEvent: {
    version: '0.1.4',
    fields: ['ActorUsername', 'TargetUsername', 'TargetProcessCommandLine', 'TargetProcessName', 'TargetProcessId'],
    types: ['ProcessCreated', 'ProcessTerminated'],
  },
}
const VALUES: Readonly<Record<string, readonly string[]>> = {
  EventResult: ['Success', 'Partial', 'Failure', 'NA'],
  EventSeverity: ['Informational', 'Low', 'Medium', 'High'],
  DvcAction: ['Allow', 'Deny', 'Drop', 'Reset', 'Encrypt', 'Decrypt'],
  ObjectType: [
    'Configuration Atom',
    'Policy Rule',
    'Directory Service Object',
    'Cloud Resource',
    'Scheduled Task',
    'Service',
    'Event Log',
    'Other',
  ],
}

function check(event: Readonly<Record<string, unknown>>): void {
  const schema = SCHEMAS[String(event['EventSchema'])]
  assert.ok(schema, String(event['EventSchema']))
  assert.equal(event['EventSchemaVersion'], schema.version)
  for (const field of [...COMMON, ...schema.fields]) assert.ok(event[field] !== undefined && event[field] !== '', field)
  assert.ok(schema.types.includes(String(event['EventType'])), String(event['EventType']))
  for (const [field, values] of Object.entries(VALUES))
    if (event[field] !== undefined) assert.ok(values.includes(String(event[field])), `${field}: ${event[field]}`)
  assert.match(String(event['TimeGenerated']), /^\d{4}-.*Z$/)
}

test('statements of every protocol, verdict and outcome have what their schema of ASIM asks for', () => {
  for (const protocol of PROTOCOL_NAMES)
    for (const verdict of [null, ...ACTS])
      for (const outcome of STATEMENT_OUTCOMES)
        check(
          asimEvent(
            sessionAt(protocol, '[::1]:22'),
            rowOf('GET /a HTTP', { verdict, outcome, durationUs: null, rules: [] }),
            'd',
          ),
        )
  const typed = (text: string) => asimEvent(sessionAt('postgres', '127.0.0.1:5'), rowOf(text, { objects: ['public.t'] }), 'd')
  assert.deepEqual(
    ['SELECT 1', 'insert into t', '(delete from t)', 'vacuum', 'x'.repeat(50_000)].map((text) => [
      typed(text)['EventType'],
      typed(text)['Object'],
    ]),
    [
      ['Read', 'public.t'],
      ['Create', 'public.t'],
      ['Delete', 'public.t'],
      ['Execute', 'public.t'],
      ['Execute', 'public.t'],
    ],
  )
  assert.equal(String(typed('x'.repeat(50_000))['Operation']).length, 32_000)
  const { AdditionalFields } = typed('SELECT 1') as { AdditionalFields: Record<string, unknown> }
  assert.deepEqual([AdditionalFields['frames'], AdditionalFields['derived']], [[3, 7], 'd'])
})

test('entries of the ledger have what Audit Event asks for, and who, when and which', () => {
  for (const type of ['finding', 'auth.fail', 'session.open', 'hold.clear', 'policy.activate', 'clock', 'identity.block']) {
    const statement = {
      v: 1 as const,
      n: 1,
      sessions: 0,
      type,
      at: '2026-11-20T10:51:50.123Z',
      gateway: 'gw1',
      actor: 'ada',
      severity: 'critical',
    }
    const event = asimOfEntry({ uid: 'ab', index: 7, signed: true, statement }, '0')
    check(event)
    assert.deepEqual([event['ActorUsername'], event['EventOriginalUid'], event['Operation']], ['ada', 'ab', type])
  }
})
