import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { loadShell, shellFacts } from '../../../../gateway/policy/shell/facts.ts'
import { shellTests } from '../../../../gateway/policy/shell/match-shell.ts'
import type { Match } from '../../../../schemas/policy.ts'

before(loadShell)

function fits(match: Match, text: string): boolean {
  return shellTests(match).every((asks) => asks({ ...shellFacts(text), command: text }))
}

test('program, file and host beside each other are about the same command', () => {
  const match: Match = { program: 'cat', file: '/etc/*' }
  assert.ok(fits(match, 'ls /tmp; cat /etc/hosts'))
  assert.ok(!fits(match, 'ls /etc/hosts; cat /tmp/x'))
  assert.ok(fits({ program: 'curl', host: '!*.corp.example' }, 'curl https://a.corp.example https://evil.example'))
  assert.ok(!fits({ program: 'curl', host: '!*.corp.example' }, 'curl https://a.corp.example; ping evil.example'))
})

test('a program fits by its name anywhere, and is excluded only where the system keeps it', () => {
  assert.ok(fits({ program: 'curl' }, '/tmp/curl x'))
  assert.ok(fits({ program: ['!ls', '!cat'] }, '/tmp/ls'))
  assert.ok(!fits({ program: ['!ls', '!cat'] }, '/bin/ls | cat'))
  assert.ok(fits({ program: ['c*', '!cat'] }, 'curl x'))
  assert.ok(!fits({ program: ['c*', '!cat'] }, 'cat x'))
})

test('a command fits by itself, in one spelling; the text as sent where it cannot be read', () => {
  assert.ok(fits({ command: 'systemctl restart *' }, 'true && sudo "systemctl"  restart \'web\''))
  assert.ok(fits({ command: 'rm *' }, 'rm "unclosed'))
  assert.ok(!fits({ command: ['!ls', '!ls *'] }, 'ls | ls -l'))
  assert.ok(fits({ command: ['!ls', '!ls *'] }, 'ls | id'))
})

test('a pattern in a word may be what a rule names, if something of it is written', () => {
  const match: Match = { file: ['/etc/shadow', '*.pem', '~/.ssh/*'] }
  for (const word of [
    '/etc/shadow',
    '/etc/sha?ow',
    '/e*/shadow',
    '/etc/*',
    '/etc/[s]hadow',
    '/etc/[[:lower:]]hadow',
    '/etc/["s"]hadow',
    '/etc/[\\s]hadow',
    '{/x,/etc/[[:lower:]]hadow}',
    '/etc/shado[[:alpha:]]',
    '"$D"/shadow',
    'x.p*',
    '~/.ssh/id',
    '/home/ada/.ssh/id',
    '/root/.ssh/*',
  ])
    assert.ok(fits(match, `cat ${word}`), word)
  for (const word of ['/etc/hosts', '/var/log/*', '*', '~/*', '"$D"/*', '"$X"', '/etc/h*', 'x.pe', '/*/*'])
    assert.ok(!fits(match, `cat ${word}`), word)
})

test('redirections are told by direction and path', () => {
  const match: Match = { redirect: { direction: 'out', path: ['!/tmp/*', '!/dev/null'] } }
  assert.ok(!fits(match, 'ls > /tmp/x 2> /dev/null < /etc/hosts'))
  assert.ok(fits(match, 'ls >> /var/x'))
  assert.ok(fits(match, 'ls > /tmp/../etc/x'))
  assert.ok(fits(match, 'ls > "$x"'))
  assert.ok(fits({ redirect: { direction: 'in' } }, 'cat < x'))
})

test('what is hidden, piped and reached can be asked for', () => {
  assert.ok(fits({ opaque: 'stdin:*' }, 'x | bash'))
  assert.ok(fits({ pipe: 'tar|*ssh' }, 'tar c / | gzip | ssh x y'))
  assert.ok(fits({ host: 'evil.example' }, 'curl "https://$x/"'), 'an unknown host may be any')
})
