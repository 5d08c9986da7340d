import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { runCli } from '../../support/cli.ts'
import { EchoClient, type EchoGateway, echoGateway } from '../../support/echo-gateway.ts'
import { sessionsOf } from '../../support/tapes.ts'

/**
 * Who knocks, with what, at which target: everybody who can prove something, through a whole gateway, against targets of two groups, and
 * with what is wrong with each proof. What the tape then says of who it was is compared as well.
 */

const AUDIENCE = 'sallyport'
const TENANT = 'https://login.microsoftonline.com/00000000-0000-0000-0000-00000000000a/v2.0'
const GITHUB = 'https://token.actions.githubusercontent.com'
const CLUSTER = 'https://kubernetes.default.svc.cluster.local'
const SPIFFE = 'https://oidc-discovery.example.org'
const OWN = 'https://login.example.org'
/** `parrot` is for agents, `owl` for operators. */
const TARGETS = ['parrot', 'owl'] as const

let gateway: EchoGateway
let port = 0
let knocks = 0
let keys: GenerateKeyPairResult
let strangers: GenerateKeyPairResult
const secrets = new Map<string, string>()

before(async () => {
  gateway = await echoGateway()
  keys = await generateKeyPair('ES256')
  strangers = await generateKeyPair('ES256')
  await writeFile(
    join(gateway.folder, 'jwks.json'),
    JSON.stringify({ keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256' }] }),
  )
  const text = await readFile(gateway.config, 'utf8')
  const parrot = text.slice(text.indexOf('  - name: parrot'), text.indexOf('identities:'))
  const owl = parrot.replace('name: parrot', 'name: owl').replace('groups: [agents]', 'groups: [operators]')
  const people =
    '  - { subject: olga, kind: human, groups: [operators] }\n  - { subject: bot, kind: agent, groups: [agents, operators], principal: olga }\n'
  const issuer = (of: string, rest: string): string =>
    `  - { issuer: "${of}", audience: ${AUDIENCE}, jwks: { file: jwks.json }, ${rest} }\n`
  await writeFile(
    gateway.config,
    `${text.replace('identities:\n', `${owl}identities:\n${people}`)}
jwt:
${issuer(TENANT, 'kind: service, profile: entra, groups: [agents, operators]')}${issuer(GITHUB, 'kind: agent, subjectPrefix: "github:", groups: [agents], claims: { run: run_id, groups: environment }')}${issuer(CLUSTER, 'kind: service, groups: [operators], claims: { groups: kubernetes.io.namespace }')}${issuer(SPIFFE, 'kind: service')}${issuer(OWN, 'kind: agent, groups: [agents], claims: { principal: act.sub }')}`,
  )
  port = (await gateway.start()).port
  const world = { cwd: gateway.folder }
  for (const [name, ...command] of [
    ['key of an operator', 'keys', 'create', 'olga'],
    ['key that was revoked', 'keys', 'create', 'olga'],
    ['key of somebody kept out', 'keys', 'create', 'bot'],
    ['token for one target', 'tokens', 'create', 'olga', '--ttl', '1h', '--target', 'owl'],
  ] as const) {
    const made = JSON.parse((await runCli([...command, '--json'], world)).out)
    secrets.set(name, made.key)
    if (name === 'key that was revoked') assert.equal((await runCli(['keys', 'revoke', made.id], world)).code, 0)
  }
  const out = await runCli(['identities', 'block', 'bot', '--reason', 'left'], world)
  assert.equal(out.code, 0, out.err)
})
after(() => gateway[Symbol.asyncDispose]())

interface Token {
  readonly iss: string
  readonly claims: JWTPayload
  readonly aud?: string
  readonly exp?: string
  readonly key?: GenerateKeyPairResult
}

function signed({ iss, claims, aud = AUDIENCE, exp = '5m', key = keys }: Token): Promise<string> {
  const jwt = new SignJWT({ sub: 'pairwise', ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'one' })
  return jwt.setIssuer(iss).setAudience(aud).setExpirationTime(exp).sign(key.privateKey)
}

const user = { oid: 'user-1', idtyp: 'user', roles: ['operators'] }

/** Proofs that hold: what the tape says of who it was, and the targets that are open to them. */
const GOOD: readonly (readonly [proof: string, secret: () => Promise<string> | string, who: string, open: readonly string[]])[] =
  [
    ['an access key of the configuration', () => gateway.keys.agent, 'agent agent-7 for ada', ['parrot']],
    ['an access key of an operator', () => known('key of an operator'), 'human olga', ['owl']],
    ['a token for one target', () => known('token for one target'), 'human olga', ['owl']],
    ['an access key without a group of any target', () => gateway.keys.outsider, 'human eve', []],
    ['a user of Entra', () => signed({ iss: TENANT, claims: user }), 'human user-1', ['owl']],
    [
      'an application of Entra',
      () => signed({ iss: TENANT, claims: { oid: 'app-1', azp: 'a', idtyp: 'app', roles: ['agents', 'unlisted'] } }),
      'service app-1',
      ['parrot'],
    ],
    [
      'an agent of Entra on its own',
      () =>
        signed({
          iss: TENANT,
          claims: { oid: 'x', azp: 'agent-1', idtyp: 'app', xms_act_fct: '11', xms_sub_fct: '11', roles: ['agents'] },
        }),
      'agent agent-1',
      ['parrot'],
    ],
    [
      'an agent of Entra for a user',
      () => signed({ iss: TENANT, claims: { ...user, azp: 'agent-1', xms_act_fct: '3 11 9', roles: ['agents', 'operators'] } }),
      'agent agent-1 for user-1',
      ['parrot', 'owl'],
    ],
    [
      'a job of GitHub Actions',
      () => signed({ iss: GITHUB, claims: { sub: 'repo:org/app:ref:refs/heads/main', environment: ['agents'], run_id: '4711' } }),
      'agent github:repo:org/app:ref:refs/heads/main',
      ['parrot'],
    ],
    [
      'a service account of Kubernetes',
      () =>
        signed({
          iss: CLUSTER,
          claims: { sub: 'system:serviceaccount:ops:tool', 'kubernetes.io': { namespace: 'operators' } },
        }),
      'service system:serviceaccount:ops:tool',
      ['owl'],
    ],
    [
      'a SPIFFE workload whose issuer confers nothing',
      () => signed({ iss: SPIFFE, claims: { sub: 'spiffe://example.org/tool', groups: ['agents', 'operators'] } }),
      'service spiffe://example.org/tool',
      [],
    ],
    [
      'an agent whose token names the human behind',
      () => signed({ iss: OWN, claims: { sub: 'claude', groups: ['agents', 'operators'], act: { sub: 'ana@example.org' } } }),
      'agent claude for ana@example.org',
      ['parrot'],
    ],
  ]

/** Proofs that hold nowhere, all refused in the same words. */
const BAD: readonly (readonly [proof: string, secret: () => Promise<string> | string])[] = [
  ['a key that was revoked', () => known('key that was revoked')],
  ['a key of somebody who is kept out', () => known('key of somebody kept out')],
  ['no key', () => 'hunter2'],
  ['an expired token', () => signed({ iss: TENANT, claims: user, exp: '-5m' })],
  ['a token for another audience', () => signed({ iss: GITHUB, claims: {}, aud: 'elsewhere' })],
  ['a token of an unknown issuer', () => signed({ iss: 'https://evil.example.org', claims: user })],
  ['a token that somebody else signed', () => signed({ iss: CLUSTER, claims: {}, key: strangers })],
  ['an agent without the human its issuer must name', () => signed({ iss: OWN, claims: { sub: 'claude', groups: ['agents'] } })],
  [
    'the subject of somebody who is kept out, by token',
    () => signed({ iss: OWN, claims: { sub: 'bot', groups: ['agents'], act: { sub: 'x' } } }),
  ],
]

function known(name: string): string {
  return secrets.get(name) ?? assert.fail(name)
}

/** Each from an address of its own: who fails often waits. */
async function knock(secret: string, target: string): Promise<string> {
  knocks += 1
  using client = await EchoClient.enter(port, secret, target, `127.0.7.${knocks}`)
  client.say('hello')
  return (await client.hear()) ?? 'closed'
}

for (const [proof, secret, who, open] of GOOD)
  test(`${proof}: ${open.length === 0 ? 'no target' : open.join(' and ')}`, async () => {
    const shown = await secret()
    for (const target of TARGETS) {
      const heard = await knock(shown, target)
      if (open.includes(target)) assert.equal(heard, 'hello', target)
      else assert.match(heard, /^! TARGET_UNKNOWN/, target)
    }
    const said = (await sessionsOf(gateway.dataDir)).flatMap(({ header }) => {
      if (header === undefined) return []
      const { subject, kind, principal } = header.session.identity
      return [`${kind} ${subject}${principal === undefined ? '' : ` for ${principal}`}`]
    })
    assert.equal(said.includes(who), open.length > 0, said.join('\n'))
  })

test('what proves nothing is refused at every target, always in the same words', async () => {
  const heard = new Set<string>()
  for (const [proof, secret] of BAD)
    for (const target of TARGETS) {
      const answer = await knock(await secret(), target)
      assert.match(answer, /^! AUTH_DENIED/, `${proof} at ${target}`)
      heard.add(answer)
    }
  assert.equal(heard.size, 1)
})
