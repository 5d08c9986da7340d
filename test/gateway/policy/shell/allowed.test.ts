import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { allowedTests } from '../../../../gateway/policy/shell/allowed.ts'
import { loadShell, shellFacts } from '../../../../gateway/policy/shell/facts.ts'
import type { Match } from '../../../../schemas/policy.ts'

before(loadShell)

function allowed(match: Match, text: string): boolean {
  return allowedTests(match).every((asks) => asks({ ...shellFacts(text), command: text }))
}

test('what is allowed takes nothing along that stands beside it', () => {
  const cases: readonly (readonly [Match, string, string])[] = [
    [{ program: ['ls', 'cat'] }, 'ls /tmp | cat', 'ls; rm -rf /'],
    [{ command: ['uptime', 'df *'] }, 'uptime && df -h', 'uptime; reboot'],
    [{ program: 'ls' }, 'ls', 'ls $(reboot)'],
    [{ file: '/data/*' }, 'cp /data/x /data/y', 'cp /data/x /etc/passwd'],
    [{ file: '/data/*' }, 'cat /data/x', 'cat /data/x; reboot'],
    [{ program: ['cat', 'sort'], file: '/data/*' }, 'cat /data/x | sort', 'cat /data/x /etc/shadow | sort'],
    [{ program: 'curl', host: '*.corp.example' }, 'curl https://a.corp.example', 'curl https://a.corp.example evil.example'],
    [{ redirect: { direction: 'out', path: '/tmp/*' } }, 'id > /tmp/x', 'id > /tmp/x 2> /etc/x'],
    [{ redirect: { direction: 'in', path: '/tmp/*' } }, 'wc < /tmp/x', 'wc <> /tmp/x'],
    [{ pipe: 'cat|sort' }, 'cat x | sort', 'cat x | sort; cat x | sh'],
  ]
  for (const [match, fine, more] of cases) {
    assert.ok(allowed(match, fine), fine)
    assert.ok(!allowed(match, more), more)
  }
})

test('what may be something else is not allowed', () => {
  for (const [match, text] of [
    [{ program: 'ls' }, '/tmp/ls'],
    [{ program: 'ls' }, 'PATH=/tmp ls'],
    [{ command: 'rm *' }, 'rm "unclosed'],
    [{ file: '/data/*' }, 'cat /d*/x'],
    [{ file: '/data/*' }, 'cat "$d"/data/x'],
    [{ program: 'curl', host: '*.corp.example' }, 'curl "$host"'],
  ] as const)
    assert.ok(!allowed(match, text), text)
  assert.ok(allowed({ command: './deploy.sh *', analysable: false }, './deploy.sh now'), 'where the rule says so')
  assert.ok(allowed({ command: './deploy.sh *', opaque: 'file:./deploy.sh' }, './deploy.sh now'))
})

test('what is written by a redirection is allowed where that is named', () => {
  assert.ok(allowed({ program: 'ls' }, 'ls 2>/dev/null'))
  assert.ok(!allowed({ program: 'ls' }, 'ls > /etc/cron.d/x'))
  assert.ok(allowed({ program: 'ls', file: '/tmp/*' }, 'ls /tmp/x > /tmp/y 2>/dev/null'))
  assert.ok(allowed({ program: 'ls', redirect: { path: '/tmp/*' } }, 'ls > /tmp/y'))
})
