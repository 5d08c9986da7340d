import { Lead } from '../recorder/desk/lead.ts'
import type { Channel } from '../recorder/notify/channel.ts'
import { Notifier } from '../recorder/notify/notifier.ts'
import { type SlackPlace, slack } from '../recorder/notify/slack.ts'
import { teams } from '../recorder/notify/teams.ts'
import { isWebhookSecret, webhook } from '../recorder/notify/webhook.ts'
import type { NotifyConfig } from '../schemas/config-approvals.ts'
import type { SecretSource } from '../schemas/config-parts.ts'
import { ApplianceError } from '../schemas/errors.ts'
import type { Settings } from './config.ts'
import { readSecret } from './credentials/upstream.ts'
import type { Log } from './log.ts'
import { openShared, type Shared } from './shared.ts'
import { openLedger } from './tape-room.ts'

type Where = Pick<Settings, 'notify' | 'gateway' | 'from'>
type SlackConfig = Extract<NotifyConfig[number], { slack: unknown }>['slack']

/**
 * Begins to tell the configured channels, and to sweep the desk, which is done even where there is none: one gateway does so for all that share a desk. In the primary process only.
 * Rejects CONFIG_INVALID where a secret is missing. `console`: where people find it.
 */
export async function openNotifier(
  settings: Settings,
  {
    log,
    env,
    console,
    shared: given,
  }: {
    readonly log: Log
    readonly env: NodeJS.ProcessEnv
    readonly console: string | undefined
    /** What it agrees on with others; without it, its own. */
    readonly shared?: Shared
  },
): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const channels = await Promise.all(settings.notify.map((each) => channelOf(each, settings, env, console)))
  const ledger = await openLedger(settings, `${settings.gateway}-notify`, log)
  stack.defer(() => ledger.close())
  const shared = given ?? stack.use(await openShared(settings, env, (error) => log.stray(error)))
  const desk = stack.use(shared.desk(ledger))
  const told = stack.use(shared.records('notified'))
  const begin = (): Promise<Notifier> =>
    Notifier.open({
      desk,
      channels,
      keepMs: settings.limits.approvalHistoryMs,
      told,
      onFailed: (channel, news, error, final) => log.notToldYet({ channel, news, final }, error),
      onError: (error) => log.stray(error),
    })
  stack.use(
    new Lead(
      {
        records: stack.use(shared.records('leads')),
        role: 'notify',
        onError: (error) => log.stray(error),
        onLead: (leads) => log.leads('notify', leads),
      },
      begin,
    ),
  )
  return stack.move()
}

async function channelOf(
  each: NotifyConfig[number],
  settings: Where,
  env: NodeJS.ProcessEnv,
  console: string | undefined,
): Promise<Channel> {
  const read = (source: SecretSource): Promise<string> => readSecret(source, settings.from, env)
  const seen = console === undefined ? {} : { console }
  if ('slack' in each) return slack(each.name, { ...(await slackPlace(each.slack, settings, env)), ...seen })
  if ('teams' in each) return teams(each.name, { url: await read(each.teams.url), ...seen })
  const { url, secret } = each.webhook
  const key = await read(secret)
  if (!isWebhookSecret(key))
    throw new ApplianceError('CONFIG_INVALID', `notify ${each.name}: the secret is not whsec_ and base64 of 24 to 64 bytes`)
  return webhook(each.name, {
    url: typeof url === 'string' ? url : await read(url),
    secret: key,
    gateway: settings.gateway,
    ...seen,
  })
}

export async function slackPlace(
  config: SlackConfig,
  { from }: Pick<Settings, 'from'>,
  env: NodeJS.ProcessEnv,
): Promise<SlackPlace> {
  const { token, signingSecret, channel, api } = config
  return {
    token: await readSecret(token, from, env),
    signingSecret: await readSecret(signingSecret, from, env),
    channel,
    ...(api === undefined ? {} : { api }),
  }
}
