import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { runCli } from '../../support/cli.ts'
import { echoGateway } from '../../support/echo-gateway.ts'

test('why a value is masked: by its column’s label, or by what stands in it', async () => {
  await using gateway = await echoGateway()
  await writeFile(
    join(gateway.folder, 'policy.yaml'),
    'version: 1\nlabels: { pii.name: { columns: [public.people.name], names: [nick], entity: person } }\ndetectors: { card: ignore }\nrules: []\n',
  )
  const world = { cwd: gateway.folder }
  const address = ['ada', '@', 'example.com'].join('')
  const explained = async (...args: readonly string[]) =>
    JSON.parse((await runCli(['mask', 'explain', '--json', ...args], world)).out).found.map(
      ({ rule, form, start, end }: Record<string, unknown>) => [rule, form, start, end],
    )
  assert.deepEqual(await explained(`to ${address}`), [['detector:email', 'tag', 3, 3 + address.length]])
  assert.deepEqual(await explained('Ada', '--column', 'public.people.name'), [['label:pii.name', 'tag', 0, 3]])
  assert.deepEqual(await explained('Ada', '--column', 'nick'), [['label:pii.name', 'tag', 0, 3]])
  assert.deepEqual(await explained('Ada', '--column', 'public.people.id'), [])
  const told = await runCli(['mask', 'explain', `to ${address}`], world)
  assert.match(told.out, /^rule .*\ndetector:email +email +tag +3-18 +\[MASKED:email:[0-9a-f]{12}\]\n$/)
  assert.match((await runCli(['mask', 'explain', 'nothing'], world)).out, /^nothing is masked for /)
  const wrong = await runCli(['mask', 'explain', 'x', '--column', 'people.name'], world)
  assert.deepEqual([wrong.code, /schema\.table\.column/.test(wrong.err)], [1, true])
})
