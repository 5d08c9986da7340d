import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { loadShell } from '../../../../gateway/policy/shell/facts.ts'
import { execFacts } from '../../../../gateway/protocols/kubernetes/upgrades.ts'

before(loadShell)

const facts = (kind: string, query: string) => execFacts(kind, `/api/v1/namespaces/shop/pods/web/exec?${query}`)

test('a terminal and an input are asked for as the API server reads it', () => {
  for (const yes of ['tty=yes', 'tty=', 'tty', 'tty=true&tty=false'])
    for (const kind of ['exec', 'attach']) assert.equal(facts(kind, `command=sh&${yes}`)['pty'], true, yes)
  for (const no of ['tty=0', 'tty=False', 'TTY=true', '']) assert.equal(facts('exec', `command=sh&${no}`)['pty'], undefined, no)
  assert.equal(facts('attach', 'stdin=on')['stdin'], true)
  assert.equal(facts('attach', 'container=a&container=b')['container'], 'a')
})

test('nothing is told of a query that the server reads otherwise', () => {
  assert.deepEqual(facts('exec', 'command=x;y&command=reboot'), {})
  assert.equal(facts('exec', 'command=x%3By&command=reboot')['command'], "'x;y' reboot")
})
