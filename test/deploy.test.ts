import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse, parseAllDocuments } from 'yaml'
import { loadConfig } from '../gateway/config.ts'
import { identityIn } from '../gateway/identity/claims.ts'
import { loadPolicy } from '../gateway/service.ts'
import { type Bicep, bicepReader } from './support/bicep.ts'
import { selfSigned } from './support/pg-tls.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const MAIN = join(ROOT, 'deploy/main.bicep')
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
let read: (path: string) => Bicep
let all: ReadonlyMap<string, Bicep>
before(async () => {
  read = await bicepReader()
  const modules = readdirSync(join(ROOT, 'deploy/modules')).map((name) => join(ROOT, 'deploy/modules', name))
  all = new Map([MAIN, ...modules].map((path) => [path, read(path)]))
})

/** Types and versions that are known to be there; a new one is looked up in Azure's own list before it is put here. */
const KNOWN: readonly string[] = [
  'Microsoft.App/containerApps@2025-07-01',
  'Microsoft.App/managedEnvironments@2025-07-01',
  'Microsoft.Authorization/roleAssignments@2022-04-01',
  'Microsoft.Authorization/roleDefinitions@2022-04-01',
  'Microsoft.ContainerRegistry/registries@2023-07-01',
  'Microsoft.DBforPostgreSQL/flexibleServers@2024-08-01',
  'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2024-08-01',
  'Microsoft.DBforPostgreSQL/flexibleServers/configurations@2024-08-01',
  'Microsoft.DBforPostgreSQL/flexibleServers/databases@2024-08-01',
  'Microsoft.Insights/actionGroups@2023-01-01',
  'Microsoft.Insights/diagnosticSettings@2021-05-01-preview',
  'Microsoft.Insights/metricAlerts@2018-03-01',
  'Microsoft.Insights/scheduledQueryRules@2023-03-15-preview',
  'Microsoft.KeyVault/vaults@2023-07-01',
  'Microsoft.KeyVault/vaults/keys@2023-07-01',
  'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30',
  'Microsoft.Network/networkSecurityGroups@2024-05-01',
  'Microsoft.Network/privateDnsZones@2024-06-01',
  'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01',
  'Microsoft.Network/privateEndpoints@2024-05-01',
  'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01',
  'Microsoft.Network/virtualNetworks@2024-05-01',
  'Microsoft.OperationalInsights/workspaces@2023-09-01',
  'Microsoft.Resources/resourceGroups@2024-11-01',
  'Microsoft.Storage/storageAccounts@2024-01-01',
  'Microsoft.Storage/storageAccounts/blobServices@2024-01-01',
  'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01',
  'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01',
  'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01',
]
/** Functions and words of the language. */
const BUILT_IN =
  'array base64ToString bool cidrSubnet concat empty environment guid items json length loadTextContent max reduce replace resourceGroup secure startsWith string subscription subscriptionResourceId tenant union uniqueString description minLength maxLength minValue maxValue object int true false null'.split(
    ' ',
  )

test('every Bicep file parses, of resource types and versions that are there', () => {
  for (const [path, { errors, resources }] of all) {
    assert.deepEqual(errors, [], path)
    for (const type of resources.values()) assert.ok(KNOWN.includes(type), `${path}: ${type}`)
  }
  const used = new Set([...all.values()].flatMap(({ resources }) => [...resources.values()]))
  assert.deepEqual(
    KNOWN.filter((type) => !used.has(type)),
    [],
    'known and used by nobody',
  )
})

test('the reader of Bicep finds what it is there to find', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bicep-'))
  const path = join(folder, 'broken.bicep')
  writeFileSync(path, "param a string\nresource b 'X/y@1' = {\n  name: c\n")
  const { errors, names } = read(path)
  rmSync(folder, { recursive: true })
  assert.ok(errors.length > 0)
  assert.ok(names.has('c'))
})

test('modules are given what they need and nothing else; every output and name that is used is there', () => {
  for (const [path, file] of all) {
    for (const [name, { file: relative, given }] of file.modules) {
      const module = all.get(resolve(dirname(path), relative))
      assert.ok(module !== undefined, `${name}: ${relative}`)
      const needed = [...module.parameters].flatMap(([parameter, optional]) => (optional ? [] : [parameter]))
      assert.deepEqual(
        needed.filter((parameter) => !given.includes(parameter)),
        [],
        `${name} is not given`,
      )
      assert.deepEqual(
        given.filter((parameter) => !module.parameters.has(parameter)),
        [],
        `${name} does not take`,
      )
    }
    for (const [name, output] of file.usedOutputs) {
      const module = all.get(resolve(dirname(path), file.modules.get(name)?.file ?? ''))
      assert.ok(module?.outputs.includes(output) === true, `${path}: ${name}.outputs.${output}`)
    }
    const declared = [file.parameters, file.resources, file.modules].flatMap((map) => [...map.keys()])
    const known = new Set([...declared, ...file.variables, ...BUILT_IN, 'zone', 'index', 'rule', 'fact', 'text'])
    assert.deepEqual(
      [...file.names].filter((name) => !known.has(name)),
      [],
      `${path}: unknown names`,
    )
    assert.deepEqual(
      [...declared, ...file.variables].filter(
        (name) => !file.names.has(name) && !IN_EFFECT.test(name) && !file.resources.has(name),
      ),
      [],
      `${path}: declared and not used`,
    )
  }
})
/** Modules that only do. */
const IN_EFFECT = /^(alerts)$/

test('azd fills in every parameter of the template, with its own default where it has one, and the page says by which name', () => {
  const { parameters }: { parameters: Record<string, { value: string }> } = JSON.parse(text('deploy/main.parameters.json'))
  assert.deepEqual(Object.keys(parameters).sort(), [...(all.get(MAIN)?.parameters.keys() ?? [])].sort())
  const page = text('deploy/README.md')
  for (const [name, { value }] of Object.entries(parameters)) {
    const [, variable = '', , given = ''] = /^\$\{([A-Z_]+)(=(.*))?\}$/.exec(value) ?? assert.fail(value)
    const declared = new RegExp(`^param ${name} (?:string|int|bool)(?: = '?([^'\\n]*)'?)?$`, 'm').exec(text('deploy/main.bicep'))
    // A default that is worked out is for an empty value.
    if (!/[(]/.test(declared?.[1] ?? '')) assert.equal(given, declared?.[1] ?? '', name)
    if (name !== 'imageName') assert.ok(page.includes(`\`${variable}\``) && page.includes(`\`${name}\``), `${variable}, ${name}`)
  }
  const azd = parse(text('azure.yaml'))
  assert.equal(azd.infra.module, 'main')
  assert.ok(text(azd.services.gateway.docker.path).length > 0)
})

test('the recorder may read and add; nobody may delete', () => {
  const roles = text('deploy/modules/roles.bicep')
  const recorder = roles.slice(roles.indexOf('resource recorder'), roles.indexOf('resource sealer'))
  assert.deepEqual(
    recorder.match(/'Microsoft\.[^']+'/g)?.filter((action) => action.includes('Storage')),
    [
      "'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'",
      "'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action'",
    ],
  )
  const actions = roles.match(/'Microsoft\.Storage[^']+'/g) ?? []
  assert.deepEqual(
    actions.filter((action) => /delete|move|\*/i.test(action)),
    [],
  )
  const storage = text('deploy/modules/storage.bicep')
  for (const setting of [
    'allowSharedKeyAccess: false',
    "publicNetworkAccess: 'Disabled'",
    'allowProtectedAppendWrites: true',
    'immutableStorageWithVersioning: { enabled: true }',
    "minimumTlsVersion: 'TLS1_2'",
  ])
    assert.ok(storage.includes(setting), setting)
  assert.match(text('deploy/modules/postgres.bicep'), /passwordAuth: 'Disabled'/)
  assert.match(text('deploy/modules/vault.bicep'), /enablePurgeProtection: true/)
})

/** The configuration as the template makes it. */
function configured({ withOwn }: { readonly withOwn: boolean }): string {
  const facts: Record<string, string> = {
    gateway: 'gw1',
    console: 'https://ca-gateway.example.azurecontainerapps.io',
    account: 'stevidence',
    recorder: '00000000-0000-0000-0000-000000000001',
    'recorder-name': 'id-recorder',
    sealer: '00000000-0000-0000-0000-000000000002',
    vault: 'https://kv1.vault.azure.net',
    postgres: 'pg1.postgres.database.azure.com',
    tenant: '00000000-0000-0000-0000-00000000000a',
    'oidc-client': '00000000-0000-0000-0000-00000000000b',
    'retain-days': '365',
    'listener-tls': withOwn ? '{ cert: tls.crt, key: tls.key }' : '{}',
    'egress-authority': withOwn ? '{ cert: egress-ca.crt, key: egress-ca.key }' : '{}',
  }
  const main = text('deploy/main.bicep') + text('deploy/modules/app.bicep')
  return text('deploy/config/sallyport.yaml').replaceAll(/__([a-z-]+)__/g, (whole, name: string) => {
    if (name === 'name') return whole
    assert.match(main, new RegExp(`'?${name}'?: `), `nobody fills in ${whole}`)
    return facts[name] ?? assert.fail(`${whole} has no example here`)
  })
}

/** With what stands in it as comments: listeners and targets that are there to be opened. */
function opened(config: string): string {
  const open = config.replaceAll(/^ {2}# (?=- name: |[a-z]+: \{| {2}[a-z])/gm, '  ')
  assert.notEqual(open, config)
  return open
}

/** Beside `limits.drainTimeoutMs` and `limits.shutdownTimeoutMs`: workers that do not end are killed so much later (gateway/workers.ts). */
const KILL_AFTER_MS = 7_000

test('the shipped configurations are good, policies included, and their ports are those of ingress and image', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-deploy-'))
  try {
    const { cert, key } = await selfSigned()
    for (const name of ['tls', 'egress-ca']) {
      writeFileSync(join(folder, `${name}.crt`), cert)
      writeFileSync(join(folder, `${name}.key`), key)
    }
    let widest = 0
    for (const [name, config] of [
      ['config', configured({ withOwn: false })],
      ['config', configured({ withOwn: true })],
      ['config', opened(configured({ withOwn: true }))],
      ['kubernetes', text('deploy/kubernetes/sallyport.yaml')],
      ['kubernetes', opened(text('deploy/kubernetes/sallyport.yaml'))],
    ] as const) {
      const file = join(folder, 'sallyport.yaml')
      writeFileSync(file, config)
      for (const beside of readdirSync(join(ROOT, 'deploy', name)).filter((each) => each !== 'sallyport.yaml'))
        writeFileSync(join(folder, beside), text(`deploy/${name}/${beside}`))
      const settings = await loadConfig(file, {
        SHOP_PASSWORD: 'x',
        SALLYPORT_DATABASE: 'postgres://id-recorder@pg1.postgres.database.azure.com/sallyport?sslmode=verify-full',
      })
      await loadPolicy(settings)
      const ports = [...settings.listeners.map(({ port }) => port), settings.console?.port, settings.monitoring?.port]
      const app = text(name === 'config' ? 'deploy/modules/app.bicep' : 'deploy/kubernetes/gateway.yaml')
      const image = text('deploy/Dockerfile')
      for (const port of ports) {
        assert.match(app, new RegExp(`(targetPort|port|containerPort): ${port}\\b`), `${name}: ${port}`)
        assert.match(image, new RegExp(`EXPOSE.* ${port}\\b`))
      }
      const { drainTimeoutMs, shutdownTimeoutMs } = settings.limits
      const grace = Number(/terminationGracePeriodSeconds: (\d+)/.exec(app)?.[1])
      assert.ok(grace * 1000 > drainTimeoutMs + shutdownTimeoutMs + KILL_AFTER_MS, `${name}: ${grace} s are too short`)
      widest = Math.max(widest, settings.listeners.length)
    }
    assert.equal(widest, 2, 'a listener of egress that is opened')
    // What Container Apps allow beside HTTP.
    assert.equal(text('deploy/modules/app.bicep').match(/exposedPort: /g)?.length, 5)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('in the shipped cluster a pod of the agents gets in, another does not, and every agent has somebody who may decide', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-deploy-'))
  try {
    for (const name of readdirSync(join(ROOT, 'deploy/kubernetes')))
      writeFileSync(join(folder, name), text(`deploy/kubernetes/${name}`))
    const { jwt, targets, identities, console: own } = await loadConfig(join(folder, 'sallyport.yaml'), { SHOP_PASSWORD: 'x' })
    const [issuer] = jwt
    assert.ok(issuer !== undefined)
    const pod = (namespace: string): readonly string[] => {
      const claims = { sub: `system:serviceaccount:${namespace}:default`, 'kubernetes.io': { namespace } }
      const proved = identityIn(claims, issuer, issuer.kind, 'jwt')
      return 'identity' in proved ? proved.identity.groups : assert.fail(proved.why)
    }
    const wanted = [...targets.values()].flatMap(({ groups }) => groups)
    assert.ok(pod('agents').some((group) => wanted.includes(group)))
    assert.deepEqual(pod('default'), [])
    const approvers = identities.filter(
      ({ kind, groups }) => kind === 'human' && groups?.some((each) => own?.roles.approver?.includes(each)),
    )
    for (const { subject, kind, principal } of identities)
      if (kind === 'agent')
        assert.ok(
          approvers.some((each) => each.subject !== principal),
          subject,
        )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the image runs as nobody, without npm, and says what is in it', () => {
  const image = text('deploy/Dockerfile')
  assert.match(image, /^USER 10001:10001$/m)
  assert.match(image, /npm sbom --omit=dev --package-lock-only --sbom-format=cyclonedx/)
  assert.match(image, /^STOPSIGNAL SIGTERM$/m)
  const node = /"node": "\^(\d+)/.exec(text('package.json'))?.[1]
  assert.match(image, new RegExp(`^ARG NODE=${node}$`, 'm'))
  const copied = [...image.matchAll(/^COPY (?:--from=build \/app\/)?(\S+)/gm)].flatMap(([, path = '']) => path.split(' '))
  for (const room of ['schemas', 'recorder', 'gateway']) assert.ok(copied.includes(room), room)
})

test('in Kubernetes nothing may become more than it is, and what kustomize names is there', () => {
  const folder = join(ROOT, 'deploy/kubernetes')
  const kustomization = parse(text('deploy/kubernetes/kustomization.yaml'))
  const names = readdirSync(folder)
  for (const resource of [...kustomization.resources, ...kustomization.configMapGenerator[0].files])
    assert.ok(names.includes(resource), resource)
  const documents = parseAllDocuments(text('deploy/kubernetes/gateway.yaml')).map((each) => each.toJS())
  const { spec } = documents.find(({ kind }) => kind === 'StatefulSet').spec.template
  assert.equal(spec.securityContext.runAsNonRoot, true)
  assert.equal(spec.automountServiceAccountToken, false)
  const [container] = spec.containers
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  })
  const ports: readonly string[] = container.ports.map(({ name }: { name: string }) => name)
  for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe])
    assert.ok(ports.includes(probe.httpGet.port))
  const volumes = spec.volumes.map(({ name }: { name: string }) => name)
  for (const { name } of container.volumeMounts) assert.ok(name === 'data' || volumes.includes(name), name)
  const services = parseAllDocuments(text('deploy/kubernetes/services.yaml')).map((each) => each.toJS())
  const served: readonly string[] = services.flatMap((service) =>
    service.spec.ports.map(({ targetPort }: { targetPort: string }) => targetPort),
  )
  const { ingress } = parse(text('deploy/kubernetes/network-policy.yaml')).spec
  const reachable: readonly string[] = ingress.flatMap((rule: { ports: { port: string }[] }) =>
    rule.ports.map(({ port }) => port),
  )
  assert.deepEqual([...reachable].sort(), [...ports].sort())
  assert.deepEqual([...new Set([...served, 'monitoring'])].sort(), [...ports].sort())
})

test('the acceptance script counts what is not as it should be', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-acceptance-'))
  try {
    const fake = (name: string, body: string): void => {
      writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`)
      chmodSync(join(folder, name), 0o755)
    }
    const run = () =>
      spawnSync('sh', [join(ROOT, 'deploy/acceptance.sh')], {
        encoding: 'utf8',
        env: {
          PATH: `${folder}:/usr/bin:/bin`,
          AZURE_RESOURCE_GROUP: 'rg',
          SALLYPORT_APP: 'app',
          SALLYPORT_CONSOLE: 'https://console.example.org',
          SALLYPORT_STORAGE_ACCOUNT: 'st',
        },
      })
    fake('curl', 'case "$*" in *healthz*) echo 200 ;; *) echo 401 ;; esac')
    fake(
      'az',
      `case "$*" in
  *allowSharedKeyAccess*) echo false ;; *publicNetworkAccess*) echo Disabled ;; *minimumTlsVersion*) echo TLS1_2 ;;
  *hasImmutabilityPolicy*|*allowProtectedAppendWrites*|*immutableStorageWithVersioning*) echo true ;;
  *--query\\ id*) echo /accounts/st ;;
  *live*Recorder*|*evidence*Sealer*) echo 1 ;; *role\\ assignment*) echo 0 ;;
  *replica*) echo 2 ;;
esac`,
    )
    const good = run()
    assert.equal(good.status, 0, good.stdout + good.stderr)
    assert.match(good.stdout, /all is as it should be/)
    fake('az', 'exit 1')
    const bad = run()
    assert.ok((bad.status ?? 0) > 8, bad.stdout)
    assert.match(bad.stdout, /FAIL {2}storage: account keys are off: expected false, is nothing/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
