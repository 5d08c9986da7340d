import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PACKS } from '../../../../gateway/policy/packs/index.ts'
import { compilePolicy } from '../../../../gateway/policy/policy.ts'
import { loadShell } from '../../../../gateway/policy/shell/facts.ts'
import { askingMessage } from '../../../../gateway/policy/trial.ts'
import { PACK_NAMES } from '../../../../schemas/policy.ts'
import { agent, asking, human, production } from '../../../support/policy.ts'

const HEAD = 'version: 1\ndefaults: { approval: { groups: [dba] } }\n'
const OUTSIDE = { now: () => 0 }
const policy = (packs: string) => compilePolicy(`${HEAD}packs: ${packs}`, 'p.yaml')

test('every pack can be used by its name alone, and each of its rules could fire', () => {
  for (const name of PACK_NAMES) {
    const pack = PACKS[name]
    assert.equal(pack.name, name)
    policy(`[${name}]`)
    for (const { id } of pack.rules) assert.ok(id.startsWith(`${name}.`), id)
  }
  policy(`[${PACK_NAMES.join(', ')}]`)
})

test('what is said of command texts holds for those of SSH and for those of an exec in a pod', async () => {
  await loadShell()
  const target = (protocol: 'ssh' | 'kubernetes') => ({ name: 't', protocol, host: 'localhost', port: 22, labels: {} })
  const compiled = policy('[secret-files, shell-destructive]')
  const places = { labels: compiled.columns(agent), searchPath: compiled.searchPath }
  const judged = (protocol: 'ssh' | 'kubernetes', text: string) =>
    compiled.judge(agent, target(protocol), OUTSIDE).judge(askingMessage(protocol, text, places)).rules
  for (const [command, rule] of [
    ['cat /etc/shadow', 'secret-files.paths'],
    ['reboot', 'shell-destructive.programs'],
  ] as const) {
    assert.deepEqual(judged('ssh', command), [rule])
    assert.deepEqual(judged('kubernetes', `exec default/web -- ${command}`), [rule])
  }
})

test('a pack is tuned as a whole, and rule by rule', () => {
  const judge = (packs: string, sql: string, who = agent) => policy(packs).judge(who, production, OUTSIDE).judge(asking(sql))
  assert.deepEqual(judge('[destructive]', 'DROP TABLE t').rules, ['destructive.destroy', 'destructive.ddl'])
  assert.equal(judge('[{ pack: destructive, rules: { destroy: off, ddl: { action: block } } }]', 'DROP TABLE t').act, 'block')
  assert.deepEqual(judge('[{ pack: destructive, mode: shadow, rules: { destroy: { mode: enforce } } }]', 'DROP TABLE t').rules, [
    'destructive.destroy',
    'shadow:destructive.ddl',
  ])
  assert.equal(judge('[{ pack: destructive, targets: { labels: { env: test } } }]', 'DROP TABLE t').act, 'allow')
  assert.equal(judge('[{ pack: destructive, except: { groups: analysts } }]', 'DROP TABLE t', human).act, 'allow')
  const held = judge('[{ pack: destructive, approval: { groups: [owners], count: 2 } }]', 'DELETE FROM t')
  assert.deepEqual(held.act === 'hold' && held.approvers, { groups: ['owners'], count: 2 })
})

test('the hash is of the rules, however they came into the policy', () => {
  assert.notEqual(policy('[privilege]').hash, policy('[destructive]').hash)
  assert.equal(policy('[privilege]').hash, policy('[{ pack: privilege, version: 1 }]').hash)
  assert.notEqual(policy('[privilege]').hash, policy('[{ pack: privilege, rules: { admin: off } }]').hash)
})

test('mistakes in the use of packs are told with their places', () => {
  const text = `${HEAD}packs:
  - exfiltraton
  - { pack: destructive, rules: { no-were: off } }
  - { pack: destructive }
  - { pack: privilege, version: 9 }
  - pack: side-channel
    rules: { statistics: off, statistics-functions: off, notify: off, notify-functions: off, waiting: off }
  - { pack: bulk-read, except: { kinds: [agent, service] } }
  - pack: enumeration
    rules: { people: { threshold: { per: session } } }
`
  assert.throws(
    () => compilePolicy(text, 'p.yaml'),
    (error: Error) => {
      const told = error.message.split('\n').map((line) => line.trim().replace(/^p.yaml:(\d+):\d+: /, '$1 '))
      for (const [index, expected] of [
        /^4 packs\[0\]: found "exfiltraton", expected .*/,
        /^5 packs\[1\].rules.no-were: destructive has no such rule; did you mean "no-where"\?/,
        /^6 packs\[2\]: "destructive" is used above already/,
        /^7 packs\[3\].version: this is version 1 of privilege/,
        /^8 packs\[4\]: every rule of it is off/,
      ].entries())
        assert.ok(
          told.some((line) => expected.test(line)),
          `${index} ${expected}: ${told.join('\n')}`,
        )
      assert.ok(told.some((line) => /^10 .*takes out everybody/.test(line)))
      assert.ok(told.some((line) => /counts nothing/.test(line)))
      return true
    },
  )
})

test('a policy that says nothing of rules is taken for unfinished', () => {
  assert.throws(() => compilePolicy('version: 1', 'p.yaml'), /neither `rules` nor `packs`/)
})
