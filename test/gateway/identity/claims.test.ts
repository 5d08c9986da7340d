import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identityIn } from '../../../gateway/identity/claims.ts'
import type { ClaimRules } from '../../../schemas/config-identity.ts'

const TENANT = 'https://login.microsoftonline.com/00000000-0000-0000-0000-00000000000a/v2.0'
const entra: ClaimRules = { profile: 'entra', groups: ['agents', 'dba'] }
const of = (claims: Readonly<Record<string, unknown>>, rules = entra) => {
  const proof = identityIn({ iss: TENANT, sub: 'pairwise', ...claims }, rules, 'service', `jwt:${TENANT}`)
  if ('why' in proof) return proof.why
  const { about: _, proof: __, ...identity } = proof.identity
  return identity
}
const user = { oid: 'user-1', idtyp: 'user', roles: ['dba'] }

test('a user is a human with app roles for groups, an application a service', () => {
  assert.deepEqual(of(user), { subject: 'user-1', kind: 'human', groups: ['dba'] })
  assert.deepEqual(of({ oid: 'app-object', azp: 'app-1', idtyp: 'app', roles: ['agents', 'other'], xms_act_fct: '9 3' }), {
    subject: 'app-object',
    kind: 'service',
    groups: ['agents'],
  })
})

test('an agent that acts for a user is the agent, and the user the human behind it', () => {
  assert.deepEqual(of({ ...user, azp: 'agent-1', xms_act_fct: '3 11 9', roles: ['agents'] }), {
    subject: 'agent-1',
    kind: 'agent',
    groups: ['agents'],
    principal: 'user-1',
  })
  // Delegated tokens without idtyp are known by their scope.
  assert.deepEqual(
    of({ oid: 'user-1', scp: 'Sallyport.Use', azp: 'agent-1', xms_act_fct: '11' }, { ...entra, subjectPrefix: 'e:' }),
    {
      subject: 'e:agent-1',
      kind: 'agent',
      groups: [],
      principal: 'e:user-1',
    },
  )
})

test('an agent on its own, and the user account of an agent, have no human behind them', () => {
  const own = { oid: 'agent-object', azp: 'agent-1', idtyp: 'app', xms_act_fct: '11', xms_sub_fct: '11', roles: ['agents'] }
  assert.deepEqual(of(own), { subject: 'agent-1', kind: 'agent', groups: ['agents'] })
  const account = { oid: 'agent-user', azp: 'agent-1', idtyp: 'user', xms_act_fct: '11', xms_sub_fct: '13' }
  assert.deepEqual(of(account), { subject: 'agent-1', kind: 'agent', groups: [] })
  assert.equal(of({ oid: 'x', idtyp: 'app', xms_act_fct: '11' }), 'an agent without its application (azp)')
})

test('facets that cannot be read may say an agent: refused', () => {
  for (const odd of [11, [11], ['11'], '3,11', 'eleven', true, null, {}, `${'3 '.repeat(200)}11`]) {
    assert.match(String(of({ ...user, azp: 'agent-1', xms_act_fct: odd })), /facets .* cannot be read/)
    assert.match(String(of({ ...user, azp: 'agent-1', xms_sub_fct: odd })), /facets .* cannot be read/)
  }
  assert.match(String(of({ ...user, idtyp: ['app'] })), /idtyp that cannot be read/)
  assert.deepEqual(of({ ...user, azp: 'agent-1', xms_act_fct: ' 3  11 ' }), {
    subject: 'agent-1',
    kind: 'agent',
    groups: ['dba'],
    principal: 'user-1',
  })
})

test('the human behind has the prefix that subjects have, or one of their own', () => {
  const rules: ClaimRules = { claims: { principal: 'act.sub' }, subjectPrefix: 'idp:' }
  const claims = { sub: 'agent-1', act: { sub: 'ada' } }
  const principal = (given: ClaimRules) => {
    const proof = identityIn(claims, given, 'agent', 'jwt:x')
    return 'identity' in proof && [proof.identity.subject, proof.identity.principal]
  }
  assert.deepEqual(principal(rules), ['idp:agent-1', 'idp:ada'])
  assert.deepEqual(principal({ ...rules, principalPrefix: '' }), ['idp:agent-1', 'ada'])
})

test('a name that looks like another by what is not seen is refused', () => {
  const rules: ClaimRules = { claims: { principal: 'act.sub' } }
  const without = ['a\u034fda', 'ada\ufe0f', 'a\u115fda', 'a\u3164da', 'a\u180bda', 'ada\u{e0100}', 'ada\ud800']
  for (const odd of [
    ...without,
    'ada\u200b',
    'a\u202eda',
    'ada ',
    ' ada',
    'ada\n',
    'a\0da',
    'ada\u00a0',
    '\ufeffada',
    'a\u00adda',
  ]) {
    const named = identityIn({ sub: odd, act: { sub: 'ana' } }, rules, 'human', 'jwt:x')
    const behind = identityIn({ sub: 'bot', act: { sub: odd } }, rules, 'agent', 'jwt:x')
    assert.match('why' in named ? named.why : '', /not seen/)
    assert.match('why' in behind ? behind.why : '', /not seen/)
  }
  assert.equal('identity' in identityIn({ sub: 'Ada Lovelace', act: { sub: 'Zoë 李' } }, rules, 'human', 'jwt:x'), true)
})

test('too many groups for the token are no groups: refused, however the token says so', () => {
  const groups: ClaimRules = { ...entra, claims: { groups: 'groups' } }
  const shapes = [{ _claim_names: { groups: 'src1' }, _claim_sources: {} }, { hasgroups: true }, { hasgroups: 'true' }]
  for (const shape of shapes) assert.match(String(of({ oid: 'u', idtyp: 'user', ...shape }, groups)), /more groups than fit/)
  // With roles as groups it does not matter.
  assert.equal(typeof of({ ...user, _claim_names: { groups: 'src1' } }), 'object')
})

test('what else the token says is kept as named, and nothing else', () => {
  const rules: ClaimRules = { claims: { run: 'run_id', purpose: 'ctx.purpose', keep: ['repository'] } }
  const claims = { sub: 'ci', run_id: '4711', ctx: { purpose: 'nightly report' }, repository: 'acme/shop', secret: 'x', jti: '1' }
  const proof = identityIn(claims, rules, 'agent', 'jwt:ci')
  assert.deepEqual('identity' in proof && proof.identity.about, {
    repository: 'acme/shop',
    run: '4711',
    purpose: 'nightly report',
  })
  const kept = identityIn({ ...user, azp: 'agent-1', xms_act_fct: '11', xms_par_app_azp: 'blueprint-1' }, entra, 'agent', 'jwt:x')
  assert.deepEqual('identity' in kept && kept.identity.about, {
    oid: 'user-1',
    azp: 'agent-1',
    xms_par_app_azp: 'blueprint-1',
    xms_act_fct: '11',
    idtyp: 'user',
  })
})
