import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GOOD, mistakes } from '../support/config.ts'

const KEY = `ssh-ed25519 ${Buffer.concat([Buffer.from('0000000b', 'hex'), Buffer.from('ssh-ed25519'), Buffer.from('00000020', 'hex'), Buffer.alloc(32, 7)]).toString('base64')}`
const OIDC = 'oidc: { issuer: "https://login.example", clientId: console, clientSecret: { env: SHOP_PASSWORD }, groups: [dba] }'
const ISSUED = 'issuer: "https://login.example", jwks: { file: keys.json }, kind: human, groups: [dba]'
const TARGET = {
  postgres: `hostKeys: ['${KEY}']`,
  authorities: `hostAuthorities: ['${KEY}']`,
  key: 'credential: { user: root, privateKey: { file: ca.pem } }',
  certificate: 'credential: { user: root, password: { env: SHOP_PASSWORD }, userCertificate: ca.pem }',
} as const
const HOST = '{ name: web, protocol: ssh, host: web.internal, port: 22, groups: [agents]'

/** A configuration with an ssh listener and one ssh target of these fields. */
function withTarget(...fields: readonly string[]): string {
  return `${GOOD}`
    .replace('listeners:', 'listeners:\n  ssh: { address: 127.0.0.1:0 }')
    .replace('targets:', `targets:\n  - ${[HOST, ...fields].join(', ')} }`)
}

/** One whose people sign in by a browser, where it has these sections. */
function withDevice(...sections: readonly string[]): string {
  return withTarget(TARGET.postgres, TARGET.key)
    .replace('127.0.0.1:0 }', '127.0.0.1:0, deviceLogin: true }')
    .concat(sections.map((section) => `${section}\n`).join(''))
}

const console = (signIn: string): string => `console: { address: "127.0.0.1:0", roles: { admin: [dba] }${signIn} }`

const REFUSED: readonly (readonly [title: string, text: string, told: RegExp])[] = [
  ['a browser to sign in by, and no issuer', withDevice(), /needs an issuer to sign in at: console\.signIn\.oidc/],
  [
    'an issuer whose answers nobody here takes',
    withDevice(console(`, signIn: { ${OIDC} }`), `jwt: [{ ${ISSUED}, audience: another }]`),
    /nobody could prove themselves: jwt needs an entry with issuer https:\/\/login\.example and audience console/,
  ],
  ['a target that anybody on the way could be', withTarget(TARGET.key), /needs its hostKeys or hostAuthorities/],
  [
    'a name for certificates of no authority',
    withTarget(TARGET.postgres, TARGET.key, 'hostName: web'),
    /is what a host certificate must name; there are no hostAuthorities/,
  ],
  ['a certificate for no key', withTarget(TARGET.postgres, TARGET.certificate), /is nothing without its privateKey/],
  ['no way in', withTarget(TARGET.postgres, 'credential: { user: root }'), /give one of privateKey, password and keyVault/],
  ...(
    [
      ['hostKeys', 'are of ssh targets'],
      ['hostAuthorities', 'are of ssh targets'],
    ] as const
  ).map(
    ([name, told]) =>
      [
        `${name} of a database`,
        GOOD.replace('    database: shop', `    database: shop\n    ${name}: ['${KEY}']`),
        new RegExp(`${told}, not of postgres`),
      ] as const,
  ),
  [
    'a name in the host certificate of a database',
    GOOD.replace('    database: shop', '    database: shop\n    hostName: web'),
    /is of ssh targets, not of postgres/,
  ],
  [
    'a certificate of ssh for a database',
    GOOD.replace('      user: gateway', '      user: gateway\n      userCertificate: ca.pem'),
    /is for ssh, not for postgres/,
  ],
  [
    'a key that is of two people',
    withTarget(TARGET.postgres, TARGET.key)
      .replace('kind: agent', `kind: agent\n    sshKeys: ['${KEY}']`)
      .replace('kind: human', `kind: human\n    sshKeys: ['${KEY}']`),
    /stands here twice: every key is its own/,
  ],
]
for (const [title, text, told] of REFUSED) {
  test(`refused: ${title}`, async () => {
    assert.match(await mistakes(text), told)
  })
}

test('authorities are enough for a target, and an issuer whose answers are taken for a browser', async () => {
  assert.equal(await mistakes(withTarget(TARGET.authorities, TARGET.key, 'hostName: web')), '')
  const issued = withDevice(console(`, signIn: { ${OIDC} }`), `jwt: [{ ${ISSUED}, audience: console }]`)
  assert.equal(await mistakes(issued, undefined, { 'keys.json': '{"keys":[]}' }), '')
})
