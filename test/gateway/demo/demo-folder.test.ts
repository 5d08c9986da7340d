import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig } from '../../../gateway/config.ts'
import { AGENT, APPROVER, HUMAN, OTHER_AGENT, writeDemoFolder } from '../../../gateway/demo/demo-folder.ts'
import { hashAccessKey } from '../../../gateway/identity/access-key.ts'
import { compilePolicy } from '../../../gateway/policy/policy.ts'

const temp = mkdtempSync(join(tmpdir(), 'sallyport-demo-folder-'))
after(() => rmSync(temp, { recursive: true, force: true }))

function sample() {
  const passwordFile = join(temp, 'password')
  writeFileSync(passwordFile, 'not-a-real-one\n')
  const nothing = async (): Promise<void> => {}
  return {
    host: '127.0.0.1',
    port: 5432,
    database: 'shop',
    user: 'sallyport',
    passwordFile,
    elsewhere: [],
    [Symbol.asyncDispose]: nothing,
  }
}

test('the configuration it writes is one that serve takes, with the keys as hashes only', async () => {
  const { config, keys } = await writeDemoFolder(join(temp, 'a'), sample(), 7432)
  const text = readFileSync(config, 'utf8')
  for (const key of Object.values(keys)) assert.ok(!text.includes(key))
  const settings = await loadConfig(config, {})
  const hashes = settings.identities.map(({ subject, keys: own = [] }) => [subject, own[0]?.sha256])
  assert.deepEqual(hashes, [
    [AGENT, hashAccessKey(keys.agent)],
    [OTHER_AGENT.subject, hashAccessKey(keys.otherAgent)],
    [HUMAN, hashAccessKey(keys.human)],
    [APPROVER.subject, hashAccessKey(keys.approver)],
  ])
  assert.equal(settings.identities[0]?.principal, HUMAN, 'who stands behind the agent may not approve for it')
  compilePolicy(readFileSync(settings.policyFile, 'utf8'), settings.policyFile)
})

test('a policy the user has changed stays, keys are new at every start', async () => {
  const first = await writeDemoFolder(join(temp, 'b'), sample(), 7432)
  writeFileSync(join(temp, 'b/policy.yaml'), '# mine\n')
  const second = await writeDemoFolder(join(temp, 'b'), sample(), 7432)
  assert.equal(readFileSync(join(temp, 'b/policy.yaml'), 'utf8'), '# mine\n')
  assert.notEqual(first.keys.agent, second.keys.agent)
})
