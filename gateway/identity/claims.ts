import type { ClaimRules } from '../../schemas/config-identity.ts'
import type { Identity } from '../../schemas/session.ts'
import type { Proof } from './proof.ts'

/** As long as a subject may be; longer ones are no names. */
const MAX_TEXT = 256
/** A facet of Entra's that says: an agent identity, and the user of an agent. */
const AGENT_FACETS = new Set([11, 13])
/** What of an Entra token is recorded with every session: who exactly, by which application, of which blueprint. */
const ENTRA_KEPT = ['oid', 'azp', 'appid', 'xms_par_app_azp', 'xms_act_fct', 'xms_sub_fct', 'idtyp']

/** Control and format characters (direction), what else has no width (joiners, selectors, fillers), half characters, and blanks at an end. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|^\s|\s$/u

type Claims = Readonly<Record<string, unknown>>

/**
 * The identity these proved claims are of. `kind` where the profile does not tell; `proof` as it stands on tapes. Fails closed:
 * what names nobody, too many groups or no human where one was to be named is `why`, for our log only.
 */
export function identityIn(claims: Claims, rules: ClaimRules, kind: Identity['kind'], proof: string): Proof {
  const entra = rules.profile === 'entra'
  const names = rules.claims ?? {}
  const subject = textOf(claims, names.subject ?? (entra ? 'oid' : 'sub'))
  if (subject === undefined) return { why: 'subject claim is no usable text' }
  const group = names.groups ?? (entra ? 'roles' : 'groups')
  // Entra names its groups elsewhere where there are more than fit: none is not what that means.
  if (claimOf(claims, group) === undefined && isOverage(claims, group))
    return { why: 'more groups than fit into the token: use app roles, or groups assigned to the application' }
  const who = entra ? entraWho(claims, subject, kind) : { subject, kind, principal: undefined }
  if ('why' in who) return who
  const { subjectPrefix = '', principalPrefix = subjectPrefix } = rules
  const named = names.principal === undefined || entra ? undefined : textOf(claims, names.principal)
  // An issuer that names a principal always must: without it the human behind could approve their own agent.
  if (names.principal !== undefined && !entra && named === undefined) return { why: 'principal claim is missing' }
  const human = who.principal ?? named
  const principal = human === undefined ? undefined : principalPrefix + human
  // Two names that look like one would be one person who counts as two.
  if (UNSEEN.test(who.subject) || UNSEEN.test(human ?? '')) return { why: 'a name with characters that are not seen' }
  const about = aboutOf(claims, rules)
  return {
    identity: {
      subject: subjectPrefix + who.subject,
      kind: who.kind,
      groups: (rules.groups ?? []).filter((each) => listOf(claimOf(claims, group)).includes(each)),
      proof,
      ...(principal === undefined ? {} : { principal }),
      ...(Object.keys(about).length === 0 ? {} : { about }),
    },
  }
}

interface Who {
  readonly subject: string
  readonly kind: Identity['kind']
  readonly principal: string | undefined
}

/**
 * An agent acts by its application; where the token is a user's (`idtyp` user, or a scope as delegated tokens have), that user is the
 * human behind.
 */
function entraWho(claims: Claims, subject: string, otherwise: Identity['kind']): Who | { readonly why: string } {
  const idtyp = textOf(claims, 'idtyp')
  const acting = facets(claims, 'xms_act_fct')
  const of = facets(claims, 'xms_sub_fct')
  // What cannot be read may say: an agent.
  if (acting === undefined || of === undefined) return { why: 'facets (xms_act_fct, xms_sub_fct) that cannot be read' }
  if (idtyp === undefined && claims['idtyp'] !== undefined) return { why: 'idtyp that cannot be read' }
  const agent = [...acting, ...of].some((facet) => AGENT_FACETS.has(facet))
  const app = textOf(claims, 'azp') ?? textOf(claims, 'appid')
  if (!agent) return { subject, kind: idtyp === 'app' ? 'service' : idtyp === 'user' ? 'human' : otherwise, principal: undefined }
  if (app === undefined) return { why: 'an agent without its application (azp)' }
  // The user of an agent is no human: only a user without such a facet is one.
  const delegated = (idtyp === 'user' || textOf(claims, 'scp') !== undefined) && !of.some((facet) => AGENT_FACETS.has(facet))
  return { subject: app, kind: 'agent', principal: delegated ? subject : undefined }
}

/** Numbers with blanks between them; none where the claim is not there, undefined where it is anything else. */
function facets(claims: Claims, name: string): readonly number[] | undefined {
  if (claims[name] === undefined) return []
  const found = textOf(claims, name)
    ?.split(' ')
    .filter((each) => each !== '')
  return found?.every((each) => /^\d{1,9}$/.test(each)) ? found.map(Number) : undefined
}

function isOverage(claims: Claims, group: string): boolean {
  const elsewhere = claims['_claim_names']
  return (
    claims['hasgroups'] === true ||
    claims['hasgroups'] === 'true' ||
    (typeof elsewhere === 'object' && elsewhere !== null && Object.hasOwn(elsewhere, group))
  )
}

function aboutOf(claims: Claims, { claims: names = {}, profile }: ClaimRules): Record<string, string> {
  const { run, purpose, keep = [] } = names
  const about: Record<string, string> = {}
  for (const name of [...(profile === 'entra' ? ENTRA_KEPT : []), ...keep]) {
    const text = textOf(claims, name)
    if (text !== undefined) about[name] = text
  }
  const named = { run, purpose }
  for (const [name, claim] of Object.entries(named)) {
    const text = claim === undefined ? undefined : textOf(claims, claim)
    if (text !== undefined) about[name] = text
  }
  return about
}

function textOf(claims: Claims, path: string): string | undefined {
  const value = claimOf(claims, path)
  return typeof value === 'string' && value !== '' && value.length <= MAX_TEXT ? value : undefined
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : typeof value === 'string' ? [value] : []
}

/** The claim of this very name, or the one inside where dots lead (`act.sub`); a name on the way may have dots itself (`kubernetes.io`). */
function claimOf(claims: unknown, path: string): unknown {
  if (!isClaims(claims)) return undefined
  if (Object.hasOwn(claims, path)) return claims[path]
  for (let dot = path.indexOf('.'); dot > 0; dot = path.indexOf('.', dot + 1)) {
    const name = path.slice(0, dot)
    const found = Object.hasOwn(claims, name) ? claimOf(claims[name], path.slice(dot + 1)) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

function isClaims(value: unknown): value is Claims {
  return typeof value === 'object' && value !== null
}
