import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runCli } from '../../support/cli.ts'
import { missing } from '../../support/clients.ts'
import { kubectls, kubernetesGateway } from '../../support/kubernetes-gateway.ts'
import { servePod } from '../../support/kubernetes-pods.ts'

const MAIN = fileURLToPath(new URL('../../../gateway/main.ts', import.meta.url))

test('kubectl reaches a target by the kubeconfig alone, its certificate verified and the key shown by the plugin', async (t) => {
  const binary = kubectls().at(-1)
  if (binary === undefined) return missing(t, 'there is no kubectl')
  await using gateway = await kubernetesGateway({ log: async () => undefined, upgrade: servePod })
  gateway.api.add({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'shop' } })
  const world = { cwd: gateway.folder }
  const [keyFile, command] = [join(gateway.folder, 'key'), join(gateway.folder, 'sallyport')]
  await writeFile(keyFile, `${gateway.keys.agent}\n`)
  await writeFile(command, `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`)
  await chmod(command, 0o755)
  const server = `https://127.0.0.1:${gateway.port}`
  // Debian's is older than the current version.
  const api = binary === '/usr/bin/kubectl' ? 'v1beta1' : 'v1'
  const how = ['--server', server, '--key-file', 'key', '--command', command, '--exec-api', api]
  const made = await runCli(['kubeconfig', ...how], world)
  assert.equal(made.code, 0, made.err)
  assert.ok(!made.out.includes(gateway.keys.agent))
  const file = join(gateway.folder, 'kubeconfig')
  await writeFile(file, made.out)
  const listed = await gateway.plain(binary, ['--kubeconfig', file, 'get', 'pods', '-n', 'shop'])
  assert.match(listed.stdout, /web +Pod/, listed.stderr)
})

test('what cannot be written is told, and keys are not the only proof', async () => {
  await using gateway = await kubernetesGateway({ log: async () => undefined, upgrade: servePod })
  const world = { cwd: gateway.folder }
  assert.match((await runCli(['kubeconfig', 'other'], world)).err, /no kubernetes target "other"; known: cluster/)
  assert.match((await runCli(['kubeconfig', '--server', 'http://x'], world)).err, /over https only/)
  assert.match((await runCli(['kube-credential'], { ...world, env: {} })).err, /AUTH_REQUIRED/)
  const { users } = JSON.parse((await runCli(['kubeconfig', '--login'], world)).out)
  assert.deepEqual(users[0].user.exec.args, ['token', '--exec-credential'])
  const shown = await runCli(['kube-credential'], { ...world, env: { SALLYPORT_KEY: 'key' } })
  assert.equal(JSON.parse(shown.out).status.token, 'key')
})
