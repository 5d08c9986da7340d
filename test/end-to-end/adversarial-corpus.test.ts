import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

// What other gateways and recorders of sessions were got round or broken by, as their issues, advisories and code tell, and which test
// holds it against this one. A test that is renamed or removed is missed here.

/** Number of the group, what was done, the file and the title (or its beginning) of the test. */
const CORPUS: readonly (readonly [group: number, what: string, file: string, title: string])[] = [
  [
    1,
    'a statement padded to 64 KiB, 1 MiB, 16 MiB',
    'test/end-to-end/postgres-evasions.test.ts',
    'a statement too large for the event loop is judged, masked and answered like any other, however it is sent',
  ],
  [
    1,
    'and larger than any is read',
    'test/end-to-end/postgres-large.test.ts',
    'a statement too large to be read is refused in words, and the session lives or ends cleanly',
  ],
  [
    2,
    'much harmless output, then a secret',
    'test/gateway/masking/sieve.test.ts',
    'a value behind a long run of one byte is held back, however long the run',
  ],
  [
    2,
    'a row of 64 MiB with a value in it',
    'test/end-to-end/postgres-large.test.ts',
    'rows of 64 MiB each, as text and as bytes, are streamed and recorded whole',
  ],
  [
    3,
    'storage that fails in the middle and recovers',
    'test/recorder/tape/session-recorder.test.ts',
    'a store whose writes now and then fail',
  ],
  [
    3,
    'lost answers, and a retry that goes astray',
    'test/recorder/store/store-blob-evidence.test.ts',
    'lost answers, overloads and blocks gone astray leave one right copy',
  ],
  [
    4,
    'a gateway killed between acceptance and flush',
    'test/chaos/recorder-kill.test.ts',
    'after SIGKILL everything accepted is there, each frame once',
  ],
  [
    4,
    'a node that returns after its tapes were ended',
    'test/recorder/tape/recover-orphans.test.ts',
    'a gateway taken for dead that lives after all ends those sessions',
  ],
  [
    5,
    'a full disk at the end of a tape',
    'test/chaos/gateway-disk-full.test.ts',
    'a full disk ends what cannot be recorded, says so, and loses nothing',
  ],
  [
    5,
    'more segments than open files',
    'test/recorder/tape/session-recorder.test.ts',
    'a session goes over as many segments as it needs',
  ],
  [
    6,
    'aliases, casts, rows as documents, set operations, RETURNING, COPY, cursors',
    'test/end-to-end/postgres-masking.test.ts',
    'labelled columns are masked however a statement reaches them',
  ],
  [
    6,
    'and what is computed of them',
    'test/end-to-end/postgres-evasions.test.ts',
    'what a statement makes of a labelled column is masked, whatever it is called and whatever type it becomes',
  ],
  [6, 'errors and notices with a value', 'test/end-to-end/postgres-masking.test.ts', 'errors and notices tell no values'],
  [
    6,
    'prepared statements with binary results',
    'test/end-to-end/postgres-masking.test.ts',
    'psycopg sees masks in binary results, COPY rows and cursors',
  ],
  [
    6,
    'plans',
    'test/end-to-end/postgres-evasions-computed.test.ts',
    'what names no labelled column is not masked beside one, nor is a plan',
  ],
  [
    7,
    'strings that two parsers read differently, CTEs, comments, MERGE, DO, CALL, EXECUTE',
    'test/end-to-end/postgres-evasion-catalogue.test.ts',
    'what the sample policy lets through of the evasions is what a real server may be asked',
  ],
  [
    7,
    'and what a server without a gateway does with them',
    'test/end-to-end/postgres-evasion-catalogue.test.ts',
    'what a real server does with them, nobody standing before it, is what the policy takes them for',
  ],
  [
    9,
    'cancel requests',
    'test/end-to-end/postgres-workers.test.ts',
    'a cancel request finds its session whichever worker takes it',
  ],
  [
    9,
    'FunctionCall messages',
    'test/gateway/policy/session-judge.test.ts',
    'a message without readable facts is unparsable: fastpath calls, names nobody defined',
  ],
  [
    9,
    'GSSENCRequest',
    'test/gateway/protocols/postgres/greet.test.ts',
    'a GSSAPI encryption request is declined and TLS may still follow',
  ],
  [
    9,
    'the replication protocol',
    'test/gateway/protocols/postgres/greet-startup.test.ts',
    'replication is refused in every spelling but those that mean no',
  ],
  [
    9,
    'bytes that are no protocol',
    'test/end-to-end/postgres-bad-input.test.ts',
    'hostile bytes after login are a protocol error the client can read',
  ],
  [
    10,
    'exec without a terminal',
    'test/end-to-end/ssh-exec.test.ts',
    'a command runs at the target: its streams, its input and its exit status come through, and stand on the tape',
  ],
  [
    10,
    'SFTP as a subsystem',
    'test/end-to-end/ssh-sftp.test.ts',
    'sftp: what is done to which file, how much, its hash and the outcome are on the tape',
  ],
  [
    10,
    'SCP inside a session',
    'test/end-to-end/ssh-scp.test.ts',
    'scp -O: rules on files hold for each of a folder, the others go on',
  ],
  [
    10,
    'all of these against one rule',
    'test/end-to-end/ssh-adversarial.test.ts',
    'ways around a gateway that are its channels and requests',
  ],
  [
    10,
    'links at the target',
    'test/end-to-end/ssh-sftp.test.ts',
    'no rule on a path is got around by a link, a folder that is one, `..` or where one stands',
  ],
  [
    10,
    'a packet before the handshake is over',
    'test/end-to-end/ssh-prefix.test.ts',
    'a packet slipped into a client’s handshake ends that connection, whichever way it goes; the next one is served',
  ],
  [10, 'forwards of every kind', 'test/end-to-end/ssh-bad-input.test.ts', 'forwarding of every kind is refused and recorded'],
  [
    10,
    'nested SSH in a forward',
    'test/end-to-end/ssh-forwards.test.ts',
    'ProxyCommand and ProxyJump through the gateway: what is inside is said to be sealed',
  ],
  [
    10,
    'variables that change the shell',
    'test/end-to-end/ssh-shell.test.ts',
    'only variables of language and time are passed on',
  ],
  [
    10,
    'unknown requests',
    'test/end-to-end/ssh-bad-input.test.ts',
    'requests and channels of kinds nobody knows are answered with no, and the connection goes on',
  ],
  [
    10,
    'packets of absurd length',
    'test/end-to-end/ssh-bad-input.test.ts',
    'bytes that are no handshake end their own connection, and nothing else',
  ],
  [
    10,
    'a key offered and not proved',
    'test/end-to-end/ssh-bad-input.test.ts',
    'a key that is only offered, however often, lets nobody in',
  ],
  [
    11,
    'history, editing and pasting on a terminal',
    'test/end-to-end/ssh-lines.test.ts',
    'a line that policy blocks is answered and never reaches the shell; the next one does',
  ],
  [
    11,
    'backspaces, pastes, the alternate screen, base64',
    'test/end-to-end/ssh-adversarial.test.ts',
    'ways around a gateway that are a person’s keys; what is on the screen is on the tape, byte for byte',
  ],
  [
    11,
    'echo off',
    'test/end-to-end/ssh-shell.test.ts',
    'a password typed at a prompt is not on the tape, and a value shown on the screen is masked in place',
  ],
  [
    11,
    'split UTF-8 and invalid bytes',
    'test/gateway/masking/live-text.test.ts',
    'bytes that are no text at all come out as they went in, whatever way they are cut',
  ],
  [
    11,
    'the alternate screen',
    'test/end-to-end/console-terminal.test.ts',
    'the other screen comes and goes, and the keys are the replay’s also within the terminal',
  ],
  [12, 'watch and follow', 'test/gateway/protocols/kubernetes/index.test.ts', 'logs are masked, followed or not'],
  [
    12,
    'secrets in every shape of an answer',
    'test/gateway/protocols/kubernetes/index.test.ts',
    'values of Secrets are masked in objects, lists, tables, and watches, and in what annotations quote',
  ],
  [
    12,
    'exec over WebSocket and SPDY, cp, port-forward',
    'test/end-to-end/kubernetes.test.ts',
    'exec with its streams, its status, and its refusals',
  ],
  [
    13,
    'a command cut before the approver sees it',
    'test/recorder/api/approvals.test.ts',
    'the whole command is shown, what the reader may do about it, and never the binding',
  ],
  [13, 'a change after the approval', 'test/end-to-end/postgres-policy.test.ts', 'parameters are part of what is approved'],
  [
    13,
    'a client that leaves while held',
    'test/end-to-end/postgres-policy.test.ts',
    'leaving withdraws what is held at once, and not when its time is over',
  ],
  [
    13,
    'two approvers race',
    'test/recorder/api/approvals.test.ts',
    'of two people who decide at the same moment one wins, and the other is told so',
  ],
  [
    13,
    'a hold longer than drivers wait',
    'test/end-to-end/postgres-policy.test.ts',
    'what ran out is refused with its id; once approved, the very same statement runs once',
  ],
  [14, 'reading without signing in', 'test/recorder/api/sessions.test.ts', 'nobody gets anything without signing in'],
  [
    14,
    'paths that lead elsewhere',
    'test/recorder/store/contract.ts',
    'takes no key that could lead elsewhere, and writes none that is not plain',
  ],
  [
    14,
    'a stream after its key was revoked',
    'test/recorder/api/event-hub.test.ts',
    'a stream ends when the key it was opened with is revoked, by cookie or by bearer',
  ],
  [
    14,
    'half-written segments',
    'test/recorder/tape/attacks.test.ts',
    'a tape cut anywhere is never VALID, and what is whole before the cut is read',
  ],
  [
    14,
    'many sessions in a range',
    'test/recorder/api/sessions.test.ts',
    'pages follow each other without a gap, whatever the limit',
  ],
  [
    15,
    'floods of requests',
    'test/recorder/desk/desk-folder.test.ts',
    'folder desk: an agent that asks in a loop is stopped, others and joined requests are not, and time helps',
  ],
  [
    15,
    'exporters that meet refusals, and entries that are none',
    'test/gateway/siem/siem.test.ts',
    'an entry of somebody else, and a line that is none, neither stop the stream nor pass for ours',
  ],
]

/** Databases with protocols that nobody speaks here. */
const NOT_SPOKEN = [8]

/** Bad input to policies and approvals. */
const BAD_INPUT: readonly (readonly [what: string, file: string, title: string])[] = [
  ['statements of a megabyte', 'test/gateway/policy/sql/facts.test.ts', 'a statement beyond the limit is measured, not parsed'],
  ['20,000 nested parentheses', 'test/gateway/policy/sql/facts.test.ts', 'no text makes the facts throw'],
  [
    'what would cost the parser seconds',
    'test/gateway/policy/sql/facts.test.ts',
    'a text that would cost the scanner or the walk seconds counts as unreadable',
  ],
  [
    'unknown statements of newer servers',
    'test/gateway/policy/sql/walk.test.ts',
    'a statement of a grammar newer than this walk is dynamic',
  ],
  [
    'invalid UTF-8 and NULs',
    'test/end-to-end/postgres-bad-input.test.ts',
    'what the server would answer with an error is answered so, and the session goes on',
  ],
  [
    'an approver who double-clicks',
    'test/recorder/api/approvals.test.ts',
    'two tabs that decide one request: the second is told, and its attempt is noted as none',
  ],
  [
    'two approvers who disagree',
    'test/recorder/api/approvals.test.ts',
    'of two people who decide at the same moment one wins, and the other is told so',
  ],
  [
    'a clock that jumps, for approvals',
    'test/recorder/desk/desk-model.test.ts',
    'the desk is its model: several people, processes, restarts, a clock that jumps; and the ledger has each step once',
  ],
  [
    'a clock that jumps, for budgets',
    'test/gateway/policy/budgets.test.ts',
    'a clock that is set back gives nobody a new budget',
  ],
  [
    'a clock that jumps, for rules with hours',
    'test/gateway/policy/session-judge.test.ts',
    'a rule with hours holds in them alone, also for statements judged before, and whichever way the clock is set',
  ],
  ['catastrophic patterns', 'test/gateway/masking/pattern/pattern.test.ts', 'hostile text costs linear time and never passes'],
  ['malformed YAML', 'test/gateway/yaml.test.ts', 'text that is no YAML is located, duplicates and unknown tags among it'],
  [
    'YAML that is hostile',
    'test/gateway/yaml.test.ts',
    'hostile files cost little: alias bombs, more mistakes than anybody reads, sheer size',
  ],
  [
    'catastrophic patterns of conditions',
    'test/gateway/linear-pattern.test.ts',
    'patterns that would take exponential time elsewhere take none',
  ],
  [
    'a NUL, and what is not UTF-8, in a statement',
    'test/gateway/protocols/postgres/wire.test.ts',
    'a text behind a NUL and one that is not UTF-8 are answered as the server would, in turn, and the session goes on',
  ],
]

const textOf = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')

test('each way round other gateways, and each bad input, has its test', () => {
  const groups = new Set([...CORPUS.map(([group]) => group), ...NOT_SPOKEN])
  assert.deepEqual(
    Array.from({ length: 15 }, (_, index) => index + 1).filter((group) => !groups.has(group)),
    [],
  )
  for (const [what, file, title] of [...CORPUS.map(([, ...rest]) => rest), ...BAD_INPUT])
    assert.ok(textOf(file).includes(title), `${what}: ${file} has no test "${title}"`)
})
