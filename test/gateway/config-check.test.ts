import assert from 'node:assert/strict'
import { test } from 'node:test'
import { knownGroups, warningsOf } from '../../gateway/config-check.ts'
import { GOOD, lineOf, mistakes } from '../support/config.ts'

test('what cannot be enforced is refused at start, all at once', async () => {
  const text = GOOD.replace('groups: [agents]\n    tls', 'groups: [agents, ghosts]\n    tls')
    .replace('policy: policy.yaml', 'policy: missing.yaml')
    .replace('ca: ca.pem', 'ca: gone.pem')
  const told = await mistakes(text, {})
  assert.match(told, /4 mistakes/)
  assert.match(told, new RegExp(`:${lineOf(text, 'ghosts')}:.*nobody can be in the group ghosts`))
  assert.match(told, new RegExp(`:${lineOf(text, 'missing.yaml')}:.*missing.yaml cannot be read .ENOENT.`))
  assert.match(told, new RegExp(`:${lineOf(text, 'gone.pem')}:.*gone.pem cannot be read`))
  assert.match(told, new RegExp(`:${lineOf(text, 'SHOP_PASSWORD')}:.*environment variable SHOP_PASSWORD is not set`))
})

test('mistakes of form and of meaning are told in one round', async () => {
  const text = GOOD.replace('port: 5432', 'port: many')
    .replace('groups: [agents]\n    tls', 'groups: [agents, ghosts]\n    tls')
    .replace('policy: policy.yaml', 'policy: missing.yaml')
    .replace('127.0.0.1:0', '127.0.0.1:70000')
    .replace('kind: human', 'kind: humann')
    .replace('gateway: gw1', 'gatway: gw1')
  const told = await mistakes(text, {})
  assert.match(told, /8 mistakes/)
  assert.match(told, /:1:1: "gateway" is missing/)
  for (const [at, what] of [
    ['gatway', 'unknown key; did you mean "gateway"'],
    ['many', 'found "many", expected a whole number'],
    ['ghosts', 'nobody can be in the group ghosts'],
    ['missing.yaml', 'missing.yaml cannot be read'],
    ['70000', 'above 65535'],
    ['humann', 'did you mean "human"'],
    ['SHOP_PASSWORD', 'SHOP_PASSWORD is not set'],
  ])
    assert.match(told, new RegExp(`:${lineOf(text, at ?? '')}:.*${what}`))
})

test('what only follows from another mistake is not told', async () => {
  for (const [from, to] of [
    ['protocol: postgres', 'protocol: postgrez'],
    ['  postgres:\n    address', '  postgress:\n    address'],
    ['    groups: [agents]\n    principal', '    gropus: [agents]\n    principal'],
    ['identities:', 'identitys:'],
    ['targets:', 'target:'],
  ] as const) {
    const told = await mistakes(GOOD.replace(from, to))
    assert.doesNotMatch(told, /no target speaks|no listener speaks|nobody can/, to)
    assert.match(told, /1 mistake\b|2 mistakes/, to)
  }
})

test('what listens where another does is told with the other, whichever names the place has', async () => {
  const at = (address: string, more: string): string => GOOD.replace('127.0.0.1:0', address).concat(more)
  for (const [address, more, told] of [
    [
      '127.0.0.1:6432',
      'monitoring: { address: 127.0.0.1:6432 }',
      /monitoring\.address: listeners\.postgres listens there already \(127\.0\.0\.1:6432\)/,
    ],
    ['127.0.0.1:6432', 'monitoring: { address: "*:6432" }', /monitoring\.address: listeners\.postgres listens/],
    [
      '0.0.0.0:6432',
      'console: { address: "127.0.0.1:06432", roles: { viewer: [dba] } }',
      /console\.address: listeners\.postgres listens/,
    ],
  ] as const)
    assert.match(await mistakes(at(address, `${more}\n`)), told)
  for (const [address, more] of [
    ['127.0.0.1:6432', 'monitoring: { address: 127.0.0.2:6432 }'],
    ['127.0.0.1:0', 'monitoring: { address: 127.0.0.1:0 }'],
  ] as const)
    assert.equal(await mistakes(at(address, `${more}\n`)), '')
})

test('a target without its protocol is not judged by another', async () => {
  const text = GOOD.replace('    protocol: postgres\n', '').replace('password: { env: SHOP_PASSWORD }', 'managedIdentity: {}')
  assert.match(await mistakes(text), /: 1 mistake\n.*"protocol" is missing$/)
})

test('an unknown key says nothing of secrets that are files', async () => {
  const text = GOOD.replace('{ env: SHOP_PASSWORD }', '{ file: password }').replace('port: 5432', 'port: 5432\n    prot: 1')
  const told = await mistakes(text, {}, { password: 'x' })
  assert.match(told, /1 mistake\b[\s\S]*prot: unknown key/)
  assert.doesNotMatch(told, /environment variable/)
})

for (const section of ['shared', 'catalog'])
  test(`a database elsewhere (${section}) is refused without verified TLS, at its line and without its password`, async () => {
    const text = `${GOOD}${section}:\n  url: { env: SHARED_URL }\n${section === 'catalog' ? 'console: { address: "127.0.0.1:0", roles: { admin: [agents] } }\n' : ''}`
    const at = (host: string): NodeJS.ProcessEnv => ({ SHOP_PASSWORD: 'x', SHARED_URL: `postgres://u:hush@${host}/d` })
    const told = await mistakes(text, { ...at('db.example'), SHOP_PASSWORD: 'x' })
    assert.match(told, new RegExp(`:${lineOf(text, 'SHARED_URL')}:.*sslmode=verify-full`))
    assert.doesNotMatch(told, /hush/)
    assert.match(
      await mistakes(text.replace('SHARED_URL }\n', 'SHARED_URL }\n  managedIdentity: {}\n'), at('127.0.0.1')),
      /either a password or managedIdentity/,
    )
    assert.equal(await mistakes(text, at('127.0.0.1')), '')
  })

const CASES: readonly (readonly [title: string, from: string, to: string, told: RegExp])[] = [
  ['a target that nobody may reach', 'groups: [agents]\n    tls', 'groups: []\n    tls', /nobody may reach this target/],
  [
    'access that nobody can ask for or approve',
    'groups: [agents]\n    tls',
    'groups: []\n    access: { groups: [ghosts], approvers: { groups: [spectres] } }\n    tls',
    /group ghosts[\s\S]*group spectres/,
  ],
  [
    'glass that nobody can break',
    'listeners:',
    'approvals: { breakGlass: [ghosts] }\nlisteners:',
    /nobody can be in the group ghosts/,
  ],
  ['a target without a host', '    host: db.internal\n', '', /a target of postgres needs its host/],
  [
    'a target of egress that says nothing of where to',
    'protocol: postgres',
    'protocol: egress',
    /a target of egress needs egress/,
  ],
  [
    'what egress has no use for',
    'protocol: postgres',
    "protocol: egress\n    egress: { allow: [a.example], networks: ['10.0.0.0/33'] }",
    /means nothing for egress[\s\S]*10\.0\.0\.0\/33 is no network|10\.0\.0\.0\/33 is no network[\s\S]*means nothing for egress/,
  ],
  [
    'a list of hosts for what is no egress',
    'protocol: postgres',
    'protocol: postgres\n    egress: { allow: [a.example] }',
    /is of egress targets, not of postgres/,
  ],
  [
    'news that go in clear',
    'listeners:',
    'notify: [{ name: bus, webhook: { url: "http://bus.example/", secret: { env: HOOK } } }]\nlisteners:',
    /commands would go in clear/,
  ],
  [
    'Slack users who are nobody here',
    'listeners:',
    'notify: [{ name: s, slack: { token: { env: A }, signingSecret: { env: B }, team: T01, channel: C01, approvers: { U01: "agent:claude" } } }]\nlisteners:',
    /there is none[\s\S]*agent:claude is no configured human identity/,
  ],
  [
    'a listener without a target',
    'postgres:\n    address: 127.0.0.1:0',
    'postgres: { address: 127.0.0.1:0 }\n  echo: { address: 127.0.0.1:0 }',
    /no target speaks echo/,
  ],
  ['a target without a listener', 'protocol: postgres', 'protocol: echo', /no listener speaks echo/],
  [
    'clear text off loopback',
    'address: 127.0.0.1:0',
    'address: 0.0.0.0:5432\n    tls: { mode: optional }',
    /optional sends access keys in clear/,
  ],
  [
    'half a certificate',
    'address: 127.0.0.1:0',
    'address: 127.0.0.1:0\n    tls: { cert: ca.pem }',
    /cert and key belong together/,
  ],
  ['the same subject twice', 'subject: ana@example.org', 'subject: agent:claude', /agent:claude stands here twice/],
  [
    'a key that ends with a leap second',
    'groups: [dba]',
    `groups: [dba]\n    keys: [{ id: a, sha256: '${'0'.repeat(64)}', expires: '2027-12-31T23:59:60Z' }]`,
    /expires.*no clock here has/s,
  ],
  ['an agent that is its own principal', 'principal: ana@example.org', 'principal: agent:claude', /somebody else/],
  [
    'an agent that is its own principal by other letters',
    'principal: ana@example.org',
    'principal: Agent:Claude',
    /somebody else/,
  ],
  ['a CA that nothing verifies', 'mode: verify, ca: ca.pem', 'mode: unverified, ca: ca.pem', /nothing is verified/],
  ['an impossible port', '127.0.0.1:0', '127.0.0.1:70000', /above 65535/],
  [
    'a level raised for targets that do not exist',
    'listeners:',
    'recording: { raise: [{ labels: { env: moon }, durability: blob }] }\nlisteners:',
    /no target has all of these labels/,
  ],
  ['a target that hands out identities', 'host: db.internal', 'host: 169.254.169.254', /hands out the identities/],
  ['nobody to let in', GOOD.slice(GOOD.indexOf('identities:')), '', /nobody can knock/],
]
for (const [title, from, to, told] of CASES) {
  test(`refused: ${title}`, async () => {
    assert.ok(GOOD.includes(from))
    assert.match(await mistakes(GOOD.replace(from, () => to)), told)
  })
}

test('groups exist where an identity is in them or an issuer confers them', () => {
  const groups = knownGroups({
    identities: [
      { subject: 'ana', kind: 'human', groups: ['dba'] },
      { subject: 'ben', kind: 'human' },
    ],
    jwt: [{ issuer: 'i', audience: 'a', jwks: { file: 'f' }, kind: 'agent', groups: ['agents'] }],
  })
  assert.deepEqual([...groups].sort(), ['agents', 'dba'])
})

test('connections that can be listened to on the way are told at every start, loopback apart', () => {
  const target = (host: string, tls: 'off' | 'unverified' | 'verify') => ({ name: 'shop', host, tls })
  assert.equal(warningsOf([target('db.internal', 'off'), target('db.internal', 'unverified')]).length, 2)
  assert.deepEqual(
    warningsOf([
      target('db.internal', 'verify'),
      target('127.0.0.1', 'off'),
      target('::1', 'off'),
      target('localhost', 'unverified'),
    ]),
    [],
  )
})

test('an API server behind a path has a setting for it; what is no host, and a path of what has none, are refused', async () => {
  const withTarget = (fields: string): string =>
    GOOD.replace('listeners:', 'listeners:\n  kubernetes: { address: 127.0.0.1:0 }\n  http: { address: 127.0.0.1:0 }').replace(
      'targets:',
      `targets:\n  - { name: cluster, port: 443, groups: [agents], ${fields} }`,
    )
  const env = { SHOP_PASSWORD: 'x' }
  for (const host of ['https://rancher.internal/k8s/clusters/c-abc', 'rancher.internal/k8s'])
    assert.match(
      await mistakes(withTarget(`protocol: kubernetes, host: "${host}"`), env),
      /is no name or address of a host: .* into path/,
    )
  const told = await mistakes(withTarget('protocol: http, host: web.internal, path: /api'), env)
  assert.match(told, /a path is of kubernetes targets, not of http/)
  for (const path of ['k8s', '/k8s/', '/k8s/../x', '/a%2fb'])
    assert.match(await mistakes(withTarget(`protocol: kubernetes, host: a.internal, path: "${path}"`), env), /found "/)
})
