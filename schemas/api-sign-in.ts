import { type Static, Type } from 'typebox'
import { Count, closed, DateTime, oneOf, orNull } from './api-parts.ts'

/**
 * `viewer` sees sessions, their statements and approvals, of targets whose groups they share. `investigator` reads evidence
 * too: tapes and live tails. `approver` decides what a request's own groups let them decide. `auditor` is an investigator of every target.
 * `admin` may do all of it, and end sessions; an investigator may end sessions of their targets.
 */
export const ROLES = ['viewer', 'investigator', 'approver', 'auditor', 'admin'] as const
export type Role = (typeof ROLES)[number]

export const SignIn = Type.Union([
  Type.Object({ key: Type.String({ minLength: 1, maxLength: 4096 }) }, closed),
  Type.Object({ link: Type.String({ minLength: 1, maxLength: 200 }) }, closed),
])
export type SignIn = Static<typeof SignIn>

/** What a command line needs to sign in where people do. */
export const SignInLogin = Type.Object({ issuer: Type.String(), clientId: Type.String(), scope: Type.String() })
export type SignInLogin = Static<typeof SignInLogin>

/** Beside keys and links; `href` is where a browser begins. */
export const SignInWays = Type.Object({
  ways: Type.Array(
    Type.Object({
      id: oneOf(['oidc', 'saml']),
      name: Type.String(),
      href: Type.String(),
      login: Type.Optional(SignInLogin),
    }),
  ),
})
export type SignInWays = Static<typeof SignInWays>

export const Me = Type.Object({
  subject: Type.String(),
  kind: oneOf(['human', 'agent', 'service']),
  groups: Type.Array(Type.String()),
  roles: Type.Array(oneOf(ROLES)),
  /** For CSRF_HEADER; null where a bearer key was shown. Changes at each sign-in. */
  csrf: orNull(Type.String()),
  /** When this sign-in ends whatever is done; null for bearer keys. */
  expiresAt: orNull(DateTime),
  /** How long it may be left alone, ms; null for bearer keys. */
  idleTimeoutMs: orNull(Count),
  gateway: Type.String(),
})
export type Me = Static<typeof Me>
