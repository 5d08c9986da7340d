import type { BundleAsk, BundleJob, PolicyTried, Role, SignInLogin } from '../../schemas/api.ts'
import type { Approval } from '../../schemas/approval.ts'
import type { Identity } from '../../schemas/session.ts'
import type { GatewayKey } from '../../schemas/verify/tools.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { CaseShelf } from '../desk/case-shelf.ts'
import type { Desk } from '../desk/desk.ts'
import type { Records } from '../desk/records.ts'
import type { SearchShelf } from '../desk/search-shelf.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { SlackInteractions } from '../notify/slack-interactions.ts'
import type { Store } from '../store/store.ts'
import type { SignInLinks } from './sign-in-links.ts'

/** Who people are and what they may see: the gateway's knowledge, which the API only asks. */
export interface People {
  /** Proves an access key or token. Rejects AUTH_DENIED, after a delay that grows with the failures of the address. */
  prove(secret: string, client: string, signal: AbortSignal): Promise<Proved>
  /** The identity as it is configured now; undefined once its proof no longer holds (revoked, expired, removed). */
  current(identity: Identity): Promise<Identity | undefined>
  /** A configured identity, for one-time links. */
  named(subject: string): Identity | undefined
  roles(identity: Identity): readonly Role[]
  /** Whether somebody may approve alone, past the approvers. */
  mayBreakGlass(identity: Identity): boolean
  /** Names of the targets this identity shares a group with. */
  targets(identity: Identity): readonly string[]
}

export interface Proved {
  readonly identity: Identity
  /** When the proof itself runs out, where it does. */
  readonly expiresMs?: number
}

/** What a browser brings back from where it was sent; kept by it, sealed, and by nobody else. */
export type Flow = Readonly<Record<string, string>>

/** A way people sign in through somebody who knows them (OpenID Connect, SAML). `base`: the console's address, without a slash at its end. */
export interface SignInWay {
  /** As it stands in addresses. */
  readonly id: 'oidc' | 'saml'
  /** What the button says. */
  readonly name: string
  /** What a command line needs to sign in at the same issuer, where it can. */
  readonly login?: SignInLogin
  /** Where the browser goes, and what has to come back with it. Rejects AUTH_DENIED where the issuer does not answer. */
  start(base: string): Promise<{ readonly location: string; readonly flow: Flow }>
  /** Who came back to `answer`, with the flow that was begun. Rejects AUTH_DENIED. */
  finish(answer: URL, flow: Flow, base: string): Promise<Proved>
  /** SAML: takes what the issuer had the browser post; its answer is the query `finish` is given, once the browser asks for itself. */
  accept?(form: URLSearchParams, base: string): Promise<URLSearchParams>
  /** SAML: who we are, for the issuer. */
  metadata?(base: string): string
}

/** Access for a while: the gateway's knowledge of who may ask for what. */
export interface AccessDoor {
  /** What this identity may ask for, and for how long at most. */
  targets(identity: Identity): readonly { readonly target: string; readonly maxMinutes: number }[]
  /** Files the wish at the desk. Rejects TARGET_UNKNOWN, APPROVAL_CONFLICT. */
  ask(identity: Identity, wish: { readonly target: string; readonly forMs: number; readonly reason: string }): Promise<Approval>
}

/** Where audit bundles are made, one at a time, without holding anybody up. */
export interface BundleWorks {
  /** Begins one. Rejects API_CONFLICT while another is being made, API_INVALID for a period that ends before it begins. */
  start(ask: BundleAsk, by: Identity): Promise<BundleJob>
  /** Newest first. */
  list(): readonly BundleJob[]
  /** The file of one that is done; undefined where there is none. */
  file(id: string): { readonly path: string; readonly size: number } | undefined
}

/** A model outside that writes summaries when a person asks for one. */
export interface SummaryModel {
  /** Where it is, as people are told. */
  readonly host: string
  readonly model: string | null
  /** Of a session's text, what is beyond is not sent. */
  readonly maxChars: number
  /** The whole body that would be sent for this text, every value in it masked that a detector knows. */
  bodyOf(text: string): Promise<string>
  /** Sends such a body. Rejects API_UNAVAILABLE, in words that have nothing of what was answered. */
  ask(body: string): Promise<string>
}

/** What the API serves, and of whom. */
export interface ApiParts {
  /** Name of the gateway, shown to people. */
  readonly gateway: string
  readonly store: Store
  readonly catalog: Catalog
  readonly desk: Desk
  /** Who is signed in. */
  readonly signIns: Records
  /** Told who looks at what. */
  readonly ledger: Pick<Ledger, 'append'>
  readonly people: People
  readonly links: SignInLinks
  /** Beside keys and links. */
  readonly ways: readonly SignInWay[]
  /** 32 bytes that seal what browsers keep for us while they are away; the same in every process behind one address. */
  readonly flowKey: Uint8Array
  /** Targets that may be asked for, for a while. */
  readonly access: AccessDoor
  /** Whose buttons are taken. */
  readonly slack: readonly SlackInteractions[]
  /** Audit bundles, made in the background. */
  readonly bundles: BundleWorks
  /** What the policy says of a command. Rejects TARGET_UNKNOWN, POLICY_INVALID. */
  tryPolicy(identity: Identity, target: string, command: string): Promise<PolicyTried>
  /** What people gather of evidence, and searches they keep. */
  readonly cases: CaseShelf
  readonly searches: SearchShelf
  /** Writes summaries, where one is configured. */
  readonly summaries?: SummaryModel
  /** Read at each request, because keys may be added. */
  trusted(): Promise<readonly GatewayKey[]>
  /** Ends a running session with a farewell; false where it does not run here. */
  kill(session: string, by: string, reason: string): Promise<boolean>
  /** An error of ours; its text stays in the log. */
  onError(error: unknown): void
  /** Somebody came back from an issuer and was not let in; for our log. */
  onDenied(client: string, why: string): void
  /** Folder of the built console; without it only the API is served. */
  readonly pages?: string
  /** `https://...` under which people reach it, where that is not the listener's own address. */
  readonly url?: string
}
