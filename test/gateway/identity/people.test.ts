import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../../../gateway/config.ts'
import { AccessKeys } from '../../../gateway/identity/access-keys.ts'
import { BlockedSubjects } from '../../../gateway/identity/blocked.ts'
import { Doorkeeper } from '../../../gateway/identity/doorkeeper.ts'
import { JwtProver } from '../../../gateway/identity/jwt.ts'
import { peopleOf } from '../../../gateway/identity/people.ts'
import { placesIn } from '../../../gateway/places.ts'
import type { People } from '../../../recorder/api/parts.ts'
import { FolderRecords } from '../../../recorder/desk/records-folder.ts'
import type { Identity } from '../../../schemas/session.ts'
import { configFolder, GOOD } from '../../support/config.ts'

/** The people of a console whose configuration says this of issuers. */
async function people({ jwt = '', signIn = '' }): Promise<People> {
  const console = `console:\n  address: 127.0.0.1:0\n  roles: { approver: [dba] }\n${signIn}`
  await using folder = await configFolder({
    'sallyport.yaml': `${GOOD}${console}${jwt}`,
    'jwks.json': '{"keys":[]}',
    'idp.pem': 'x',
  })
  const settings = await loadConfig(`${folder.path}/sallyport.yaml`, { SHOP_PASSWORD: 'x' })
  const places = placesIn(settings.dataDir)
  const doorkeeper = new Doorkeeper({
    identities: settings.identities,
    accessKeys: new AccessKeys(new FolderRecords(places.accessKeys)),
    blocked: new BlockedSubjects(new FolderRecords(places.blocked)),
    jwt: await JwtProver.open(settings.jwt),
    onDenied: () => undefined,
  })
  assert.ok(settings.console !== undefined)
  return peopleOf({ ...settings, console: settings.console }, doorkeeper)
}

const jwt = (groups: string, issuer = 'https://ci.example.org'): string =>
  `jwt: [{ issuer: '${issuer}', audience: a, jwks: { file: jwks.json }, kind: human, groups: [${groups}] }]\n`
const oidc = (groups: string): string =>
  `  signIn:\n    oidc: { issuer: https://login.example.org, clientId: console, groups: [${groups}] }\n`
const saml = (groups: string): string =>
  `  signIn:\n    saml: { entryPoint: https://idp.example.org/sso, idpEntityId: idp, certificates: [idp.pem], entityId: us, groups: [${groups}] }\n`

test('who an issuer vouched for is signed in as long as it is configured, with the groups that it may confer now', async () => {
  const zoe = (proof: string): Identity => ({ subject: 'zoe', kind: 'human', groups: ['dba', 'agents'], proof })
  const groups = async (proof: string, configured: Parameters<typeof people>[0]): Promise<readonly string[] | undefined> =>
    (await (await people(configured)).current(zoe(proof)))?.groups
  const ways = [
    ['jwt:https://ci.example.org', (some: string) => ({ jwt: jwt(some) })],
    ['oidc:https://login.example.org', (some: string) => ({ signIn: oidc(some) })],
    ['saml:idp', (some: string) => ({ signIn: saml(some) })],
  ] as const
  for (const [proof, configured] of ways) {
    assert.deepEqual(await groups(proof, configured('dba, agents')), ['dba', 'agents'], proof)
    assert.deepEqual(await groups(proof, configured('agents')), ['agents'], proof)
    assert.equal(await groups(proof, {}), undefined, proof)
    assert.equal(await groups(proof, { jwt: jwt('dba', 'https://another.example.org') }), undefined, proof)
  }
})
