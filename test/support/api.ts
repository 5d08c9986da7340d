import { statSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ApiParts, People, SummaryModel } from '../../recorder/api/parts.ts'
import { type ApiServer, openApiServer } from '../../recorder/api/server.ts'
import { SignInLinks } from '../../recorder/api/sign-in-links.ts'
import { Catalog } from '../../recorder/catalog/catalog.ts'
import { CaseShelf } from '../../recorder/desk/case-shelf.ts'
import { openFolderDesk } from '../../recorder/desk/desk-folder.ts'
import type { RecordsDesk } from '../../recorder/desk/desk-records.ts'
import { FolderRecords } from '../../recorder/desk/records-folder.ts'
import { SearchShelf } from '../../recorder/desk/search-shelf.ts'
import type { RecorderRoom } from '../../recorder/tape/room.ts'
import { API_BASE, CSRF_HEADER, type Me, type Role } from '../../schemas/api.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import type { FindingsConfig } from '../../schemas/findings.ts'
import type { Identity } from '../../schemas/session.ts'
import { ask as askOf } from '../recorder/desk/contract.ts'
import { bundleWorks } from './bundle-works.ts'
import { type RecordingFolder, recordingFolder } from './recording.ts'

const DESCRIBERS = new URL('../../gateway/protocols/describers.ts', import.meta.url).href

const person = (subject: string, groups: readonly string[], kind: Identity['kind'] = 'human'): Identity => ({
  subject,
  kind,
  groups,
  proof: `key:${subject}`,
})

/** Everybody's access key is their name with `key-` before it; `shop` belongs to `agents`, `vault` to `vault-team`. */
export const PEOPLE = {
  vera: person('vera', ['agents', 'viewers']),
  ivan: person('ivan', ['agents', 'investigators']),
  gina: person('gina', ['agents', 'investigators', 'dba', 'approvers']),
  gus: person('gus', ['agents', 'dba', 'approvers']),
  otto: person('otto', ['vault-team', 'investigators']),
  audrey: person('audrey', ['auditors']),
  bea: person('bea', ['agents', 'viewers', 'breakers']),
  ann: person('ann', ['admins']),
  nobody: person('nobody', ['agents']),
} as const satisfies Readonly<Record<string, Identity>>
export type Name = keyof typeof PEOPLE

const ROLE_GROUPS: Readonly<Record<Role, string>> = {
  viewer: 'viewers',
  investigator: 'investigators',
  approver: 'approvers',
  auditor: 'auditors',
  admin: 'admins',
}
const TARGET_GROUPS = { shop: 'agents', vault: 'vault-team' } as const

const MODEL: SummaryModel = {
  host: 'models.test',
  model: 'small',
  maxChars: 2_000,
  bodyOf: async (text) => JSON.stringify({ text }),
  ask: async () => 'Nothing out of the ordinary.',
}

export const keyOf = (name: Name): string => `key-${name}`

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
  readonly text: string

  readonly json: ReturnType<typeof JSON.parse>
}

export interface Asking {
  readonly method?: string
  readonly body?: unknown
  /** As it is, instead of `body`. */
  readonly raw?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A browser: keeps its cookie and CSRF token. */
export interface Browser {
  readonly me: Me
  readonly cookie: string
  ask(path: string, asking?: Asking): Promise<Answer>
}

/** An entry that the API has given to the ledger. */
type Note = Readonly<Record<string, unknown>>

export interface ApiRig extends AsyncDisposable {
  readonly folder: RecordingFolder
  readonly room: RecorderRoom
  readonly catalog: Catalog
  readonly desk: RecordsDesk
  readonly links: SignInLinks
  readonly server: ApiServer
  readonly notes: Note[]
  readonly killed: string[]
  /** Why somebody who came back from an issuer was not let in. */
  readonly denied: string[]
  /** Identities that are not what they were. */
  readonly changed: Map<string, Identity | undefined>
  nowMs: number
  /** The ledger cannot be written to. */
  mute: boolean
  ask(path: string, asking?: Asking): Promise<Answer>
  as(name: Name): Promise<Browser>
  /** Another server on the same catalog: a restart. */
  again(): Promise<ApiServer>
}

/** The API over real HTTP, on a store, a catalog and a desk of its own. Takes some seconds to start: one per test file. */
export async function apiRig(
  options: {
    readonly pages?: string
    readonly heartbeatMs?: number
    readonly headersTimeoutMs?: number
    readonly ways?: ApiParts['ways']
    readonly findings?: FindingsConfig
    /** Default: one that always says the same, of a text of 2,000 characters at most. */
    readonly summaries?: SummaryModel
  } = {},
): Promise<ApiRig> {
  const stack = new AsyncDisposableStack()
  const folder = stack.use(await recordingFolder())
  const room = await folder.room()
  const catalog = stack.use(
    await Catalog.open({
      store: { folder: folder.path },
      keys: join(folder.path, 'keys'),
      database: { folder: join(folder.path, 'catalog', 'pg') },
      secret: 'of this test',
      findings: options.findings ?? {},
      describers: DESCRIBERS,
      onProblem: (problem) => problems.push(problem),
    }),
  )
  const problems: string[] = []
  const desk = stack.use(openFolderDesk(join(folder.path, 'desk')))
  const rig = { nowMs: Date.now(), mute: false }
  const links = new SignInLinks(new FolderRecords(join(folder.path, 'links')), () => rig.nowMs)
  const notes: Note[] = []
  const killed: string[] = []
  const denied: string[] = []
  const changed = new Map<string, Identity | undefined>()
  const find = (subject: string): Identity | undefined =>
    changed.has(subject) ? changed.get(subject) : Object.values(PEOPLE).find((each) => each.subject === subject)
  const people: People = {
    async prove(secret) {
      const identity = secret.startsWith('key-') ? find(secret.slice('key-'.length)) : undefined
      if (identity === undefined) throw new ApplianceError('AUTH_DENIED', 'access denied')
      return { identity }
    },
    current: async ({ subject }) => find(subject),
    named: find,
    mayBreakGlass: ({ groups }) => groups.includes('breakers'),
    roles: ({ groups }) => (Object.keys(ROLE_GROUPS) as Role[]).filter((role) => groups.includes(ROLE_GROUPS[role])),
    targets: ({ groups }) => Object.entries(TARGET_GROUPS).flatMap(([target, group]) => (groups.includes(group) ? [target] : [])),
  }
  const parts: ApiParts = {
    gateway: 'gw1',
    store: folder.store,
    signIns: new FolderRecords(join(folder.path, 'sign-ins')),
    catalog,
    desk,
    ledger: {
      async append(entry) {
        if (rig.mute) throw new ApplianceError('RECORDER_FAILED', 'the disk is full')
        notes.push({ ...entry })
      },
    },
    people,
    links,
    slack: [],
    bundles: bundleWorks(fileURLToPath(import.meta.url), statSync(fileURLToPath(import.meta.url)).size),
    cases: new CaseShelf(new FolderRecords(join(folder.path, 'cases'))),
    searches: new SearchShelf(new FolderRecords(join(folder.path, 'searches'))),
    ways: options.ways ?? [],
    flowKey: Buffer.alloc(32, 7),
    access: {
      targets: ({ groups }) => (groups.includes('viewers') ? [{ target: 'vault', maxMinutes: 60 }] : []),
      ask: (identity, { target, forMs, reason }) =>
        desk.submit(
          askOf({
            about: 'access',
            kind: 'access',
            requester: identity.subject,
            requesterKind: identity.kind,
            target,
            command: reason,
            access: { forMs },
          }),
        ),
    },
    tryPolicy: async ({ subject }, target) => ({
      ...{ policy: '0123456789ab', subject, target, act: 'block', rules: ['pg.no-drop'] },
      ...{ reason: 'no table is dropped here', hint: null, facts: [['verbs', 'DROP']] },
    }),
    summaries: options.summaries ?? MODEL,
    trusted: async () => [{ gateway: 'gw1', publicKey: folder.signer.publicKey }],
    kill: async (session, by, reason) => {
      killed.push(`${session} ${by} ${reason}`)
      return session.endsWith('1')
    },
    onError: (error) => problems.push(String(error)),
    onDenied: (_client, why) => denied.push(why),
    ...(options.pages === undefined ? {} : { pages: options.pages }),
  }
  const open = (): Promise<ApiServer> =>
    openApiServer(parts, {
      host: '127.0.0.1',
      port: 0,
      ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
      ...(options.headersTimeoutMs === undefined ? {} : { headersTimeoutMs: options.headersTimeoutMs }),
    })
  const server = stack.use(await open())
  const ask = (path: string, asking?: Asking): Promise<Answer> => askAt(server.port, path, asking)
  return Object.assign(rig, {
    folder,
    room,
    catalog,
    desk,
    links,
    server,
    notes,
    killed,
    denied,
    changed,
    ask,
    async as(name: Name): Promise<Browser> {
      const answer = await ask('/sign-in', { body: { key: keyOf(name) } })
      if (answer.status !== 200) throw new Error(`${name} could not sign in: ${answer.text}`)
      return browserOf(answer, ask)
    },
    async again() {
      return stack.use(await open())
    },
    async [Symbol.asyncDispose]() {
      await stack.disposeAsync()
    },
  })
}

export function browserOf(signedIn: Answer, ask: (path: string, asking?: Asking) => Promise<Answer>): Browser {
  const cookie = String(signedIn.headers['set-cookie']).split(';')[0] ?? ''
  const me: Me = signedIn.json
  return {
    me,
    cookie,
    ask: (path, asking = {}) => ask(path, { ...asking, headers: { cookie, [CSRF_HEADER]: me.csrf ?? '', ...asking.headers } }),
  }
}

/** One request, its path sent byte for byte: `fetch` would tidy it up. A path that does not begin with a slash is below API_BASE. */
export function askAt(port: number, path: string, { method, body, raw, headers = {} }: Asking = {}): Promise<Answer> {
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        path: path.startsWith('//') ? path.slice(1) : API_BASE + path,
        method: method ?? (sent === undefined ? 'GET' : 'POST'),
        headers: { ...(sent === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const bytes = Buffer.concat(chunks)
          const text = bytes.toString('utf8')
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            bytes,
            text,
            json: isJson(response.headers['content-type']) ? JSON.parse(text) : undefined,
          })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(sent)
  })
}

function isJson(type: string | undefined): boolean {
  return type !== undefined && /^application\/(?:[a-z.-]+\+)?json\b/.test(type)
}

/** Reads server-sent events one by one; `close` hangs up. */
export async function listen(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<{
  next(): Promise<{ readonly id: string; readonly event: string; readonly data: ReturnType<typeof JSON.parse> }>
  close(): void
  readonly ended: Promise<void>
}> {
  const waiting: ((event: { id: string; event: string; data: unknown }) => void)[] = []
  const come: { id: string; event: string; data: unknown }[] = []
  const ended = Promise.withResolvers<void>()
  const outgoing = request({ host: '127.0.0.1', port, path: API_BASE + path, headers, agent: false })
  const answered = new Promise<void>((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
      let text = ''
      response.setEncoding('utf8')
      response.on('close', () => ended.resolve())
      response.on('error', () => ended.resolve())
      response.on('data', (piece: string) => {
        text += piece
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const fields = new Map(
            text
              .slice(0, end)
              .split('\n')
              .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const),
          )
          text = text.slice(end + 2)
          if (!fields.has('data')) continue
          const event = {
            id: fields.get('id') ?? '',
            event: fields.get('event') ?? '',
            data: JSON.parse(fields.get('data') ?? ''),
          }
          const waiter = waiting.shift()
          if (waiter === undefined) come.push(event)
          else waiter(event)
        }
      })
      resolve()
    })
  })
  outgoing.end()
  await answered
  return {
    next: () => {
      const event = come.shift()
      return event === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(event)
    },
    close: () => outgoing.destroy(),
    ended: ended.promise,
  }
}
