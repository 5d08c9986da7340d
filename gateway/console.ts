import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openApiServer } from '../recorder/api/server.ts'
import { SignInLinks, signInUrl } from '../recorder/api/sign-in-links.ts'
import { Catalog } from '../recorder/catalog/catalog.ts'
import type { DatabasePlace } from '../recorder/catalog/database.ts'
import { CaseShelf } from '../recorder/desk/case-shelf.ts'
import { SearchShelf } from '../recorder/desk/search-shelf.ts'
import { openStore, readGatewayKeys } from '../recorder/index.ts'
import { SlackInteractions, type SlackParts } from '../recorder/notify/slack-interactions.ts'
import { ApplianceError } from '../schemas/errors.ts'
import { askForAccess, mayAsk } from './access.ts'
import { BundleFolder } from './bundle-folder.ts'
import type { Settings } from './config.ts'
import { ListenerContext } from './credentials/listener-context.ts'
import { databasePlace } from './database-place.ts'
import { AccessKeys } from './identity/access-keys.ts'
import { BlockedSubjects } from './identity/blocked.ts'
import { Denials } from './identity/denials.ts'
import { Doorkeeper } from './identity/doorkeeper.ts'
import { JwtProver } from './identity/jwt.ts'
import { peopleOf } from './identity/people.ts'
import { signInWays } from './identity/sign-in-ways.ts'
import { killMessage } from './killing.ts'
import type { Log } from './log.ts'
import { slackPlace } from './notify.ts'
import { placesIn } from './places.ts'
import { PolicyTrials } from './policy-trial.ts'
import { loadPolicy } from './service.ts'
import { openShared, type Shared } from './shared.ts'
import { summaryModel } from './summary-model.ts'
import { openLedger, type Where } from './tape-room.ts'

/** Where `npm run build` puts the page. */
const PAGES = fileURLToPath(new URL('../replay-ui/dist', import.meta.url))
const DESCRIBERS = new URL('./protocols/describers.ts', import.meta.url).href

export interface ConsoleParts {
  readonly log: Log
  /** Holds the secrets of Slack's buttons. */
  readonly env: NodeJS.ProcessEnv
  /** Ends a session with these words to its client, in whichever process it runs; false where it runs in none. */
  readonly kill: (session: string, message: string) => Promise<boolean>
  /** What it agrees on with others; without it, its own. */
  readonly shared?: Shared
}

export interface RunningConsole extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Whether there is a page to look at, or the API alone. */
  readonly pages: boolean
  /** A one-time link that signs this configured identity in. */
  link(subject: string, ttlMs?: number): Promise<string>
}

/** Opens API, catalog and pages, where the configuration has a console. In the primary process only: it needs the catalog for itself. */
export async function openConsole(settings: Settings, parts: ConsoleParts): Promise<RunningConsole | undefined> {
  const { log, env, kill } = parts
  const { console: own } = settings
  if (own === undefined) return undefined
  const places = placesIn(settings.dataDir)
  await using stack = new AsyncDisposableStack()
  const shared = parts.shared ?? stack.use(await openShared(settings, env, (error) => log.stray(error)))
  // A writer of its own: what people look at is not mixed with what is recorded.
  const ledger = await openLedger(settings, `${settings.gateway}-console`, log)
  stack.defer(() => ledger.close())
  const denials = stack.use(
    new Denials(
      (entry) => ledger.append(entry),
      (error) => log.stray(error),
    ),
  )
  const onDenied = (client: string, why: string): void => {
    log.denied(client, why)
    denials.note(client, why)
  }
  const doorkeeper = new Doorkeeper({
    identities: settings.identities,
    accessKeys: new AccessKeys(shared.records('accessKeys')),
    blocked: new BlockedSubjects(shared.records('blocked')),
    jwt: await JwtProver.open(settings.jwt),
    onDenied,
  })
  const flowKey = await shared.key('sign-in-flow')
  const links = new SignInLinks(shared.records('links'))
  const desk = stack.use(shared.desk(ledger))
  const { keep } = settings.catalog
  const catalog = stack.use(
    await Catalog.open({
      store: settings.store,
      keys: places.keys,
      database: await catalogPlace(settings, env),
      ...(keep === undefined ? {} : { keepDays: Number(keep.slice(0, -1)) }),
      secret: Buffer.from(await shared.key('catalog-keys')).toString('hex'),
      findings: settings.findings,
      describers: DESCRIBERS,
      onProblem: (problem) => log.catalogProblem(problem),
    }),
  )
  stack.defer(shared.tapeNews?.hear((ids) => catalog.grew(ids)) ?? (() => undefined))
  const bundles = stack.use(
    await BundleFolder.open(places.bundles, {
      where: whereOf(settings),
      ledger,
      catalog,
      targets: [...settings.targets.values()].map(({ target }) => target),
    }),
  )
  const fingerprintKey = await shared.key('mask-fingerprint')
  const store = await openStore(settings.store)
  const people = peopleOf({ ...settings, console: own }, doorkeeper)
  const slack = await slackInteractions(settings, env, {
    desk,
    ledger,
    async named(subject) {
      const found = people.named(subject)
      // Whoever is kept out decides nothing here either.
      return found === undefined ? undefined : people.current(found)
    },
    onError: (error) => log.stray(error),
  })
  const trials = new PolicyTrials(settings)
  const summaries = await summaryModel(settings, { env, fingerprintKey })
  const pages = existsSync(join(PAGES, 'index.html'))
  const tls =
    own.tls === undefined
      ? undefined
      : stack.use(
          await ListenerContext.open(own.tls, {
            keysDir: places.keys,
            gateway: settings.gateway,
            onNews: (news) => log.warned(`console.tls: ${news}`),
          }),
        )
  const server = stack.use(
    await openApiServer(
      {
        gateway: settings.gateway,
        store,
        catalog,
        desk,
        signIns: stack.use(shared.records('signIns')),
        ledger,
        links,
        ways: await signInWays(own.signIn, {
          key: flowKey,
          answers: stack.use(shared.records('samlAnswers')),
          from: settings.from,
          env,
        }),
        flowKey,
        people,
        bundles,
        cases: new CaseShelf(stack.use(shared.records('cases'))),
        searches: new SearchShelf(stack.use(shared.records('searches'))),
        slack,
        access: {
          targets: (identity) =>
            [...settings.targets.values()].flatMap((each) =>
              each.access !== undefined && mayAsk(each, identity)
                ? [{ target: each.target.name, maxMinutes: Math.floor(each.access.maxMs / 60_000) }]
                : [],
            ),
          ask: async (identity, wish) =>
            askForAccess(wish, identity, { settings, policy: await loadPolicy(settings), desk, fingerprintKey }),
        },
        tryPolicy: (identity, name, command) => trials.try(identity, name, command),
        trusted: () => readGatewayKeys(places.keys),
        kill: (session, by, reason) => kill(session, killMessage(by, reason)),
        onError: (error) => log.stray(error),
        onDenied,
        ...(summaries === undefined ? {} : { summaries }),
        ...(pages ? { pages: PAGES } : {}),
        ...(own.url === undefined ? {} : { url: own.url }),
      },
      { host: own.host, port: own.port, ...(tls === undefined ? {} : { tls }) },
    ).catch((error: unknown) => {
      throw new ApplianceError(
        'CONFIG_INVALID',
        `console: cannot listen on ${own.host}:${own.port}: ${error instanceof Error ? error.message : String(error)}`,
      )
    }),
  )
  log.console({ url: server.url, pages })
  const open = stack.move()
  return {
    url: server.url,
    port: server.port,
    pages,
    link: async (subject, ttlMs) => signInUrl(server.url, (await links.create(subject, ttlMs)).token),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

async function catalogPlace({ catalog, dataDir, from }: Settings, env: NodeJS.ProcessEnv): Promise<DatabasePlace> {
  const { url, ...login } = catalog
  if (url === undefined) return { folder: placesIn(dataDir).catalog }
  return databasePlace('catalog.url', { url, ...login }, from, env)
}

/** Plain data, for a thread: of the settings only this. */
function whereOf({ dataDir, gateway, store, signer, ledger }: Settings): Where {
  return {
    dataDir,
    gateway,
    store,
    ...(signer === undefined ? {} : { signer }),
    ...(ledger === undefined ? {} : { ledger }),
  }
}

/** One for each Slack channel in which somebody may decide. */
async function slackInteractions(
  settings: Settings,
  env: NodeJS.ProcessEnv,
  parts: Pick<SlackParts, 'desk' | 'ledger' | 'named' | 'onError'>,
): Promise<readonly SlackInteractions[]> {
  const configured = settings.notify.flatMap((each) =>
    'slack' in each && each.slack.approvers !== undefined ? [each.slack] : [],
  )
  return Promise.all(
    configured.map(async (slack) => {
      const { team, approvers = {} } = slack
      return new SlackInteractions({ ...(await slackPlace(slack, settings, env)), team, approvers, ...parts })
    }),
  )
}
