import cluster from 'node:cluster'
import { resolve } from 'node:path'
import { loadConfig, type Settings } from '../config.ts'
import { openConsole } from '../console.ts'
import { consoleUrl } from '../console-url.ts'
import { ForwardedCancels } from '../forwarded-cancels.ts'
import { type Log, openLog } from '../log.ts'
import { Health } from '../monitoring/health.ts'
import { Metrics } from '../monitoring/metrics.ts'
import { type Measured, openMonitoring } from '../monitoring/server.ts'
import { openNotifier } from '../notify.ts'
import { openPersistently, type Persistence } from '../persistently.ts'
import { makeDataDir } from '../places.ts'
import { loadPolicy, Service, warnOf } from '../service.ts'
import type { ForwardCancel } from '../sessions-cancel.ts'
import { openShared, type Shared } from '../shared.ts'
import { SharedWishes } from '../shared-wishes.ts'
import { openSiem } from '../siem/siem.ts'
import { openSealer, recoverTapes, takeName } from '../tape-room.ts'
import { CANCEL_TIMEOUT_MS, WORKER_ENV, Workers } from '../workers.ts'
import { Questions, type WorkerMessage, workerMessage } from '../workers-messages.ts'
import { readYamlText } from '../yaml.ts'
import { type Cli, EXIT, findConfig } from './context.ts'

/** Serves until a signal ends it. A second signal ends it at once. */
export async function serve(options: { readonly config?: string; readonly workers: number }, cli: Cli): Promise<number> {
  const file = findConfig(options.config, cli)
  if (cluster.isWorker) return oneWorker(file, cli)
  const config = await readYamlText(resolve(file))
  const settings = await loadConfig(file, cli.env, 'all', config)
  const own = { metrics: new Metrics(), health: new Health() }
  const log = openLog(cli.env, undefined, own)
  surviveStrays(log)

  const policy = await loadPolicy(settings)
  await makeDataDir(settings.dataDir)
  await recoverTapes(settings, log)
  await using _name = await takeName(settings)
  warnOf(settings, log)
  log.started({
    gateway: settings.gateway,
    policy: policy.hash.slice(0, 12),
    targets: settings.targets.size,
    workers: options.workers,
  })
  await using shared = await openShared(settings, cli.env, (error) => log.stray(error))
  await using _sealer = await openSealer(settings, log)
  await using monitored = new AsyncDisposableStack()
  const monitor = async (measure: () => Promise<readonly Measured[]>): Promise<void> => {
    if (settings.monitoring === undefined) return
    const server = monitored.use(await openMonitoring(settings.monitoring, measure, (error) => log.stray(error)))
    log.monitoring(server.port)
  }
  const asked = askedToStop()
  if (options.workers > 1) {
    let cancels: SharedWishes | undefined
    const elsewhere = forwarding(() => cancels, log)
    const workers = Workers.start(options.workers, { settings, config, log, elsewhere })
    void asked.then((why) => workers.stop(why))
    if (!(await workers.started)) return (await workers.finished) ? EXIT.ok : EXIT.failure
    try {
      await monitor(async () => [...(await workers.measure()), { metrics: await own.metrics.json() }])
      await using opened = openCancels(shared, log, (key) => workers.cancel(key))
      cancels = opened
      await using kills = openKills(shared, log, (session, message) => workers.kill(session, message))
      await using _beside = await openBeside(settings, { log, env: cli.env, kills, shared, metrics: own.metrics })
      return (await workers.finished) ? EXIT.ok : EXIT.failure
    } catch (error) {
      await workers.stop('the gateway could not be opened')
      throw error
    }
  }
  let cancels: SharedWishes | undefined
  const forwardCancel = forwarding(() => cancels, log)
  const service = await Service.open(settings, { log, env: cli.env, shared, forwardCancel, ...own })
  const stopped = asked.then((why) => service.stop(why))
  await using running = new AsyncDisposableStack()
  try {
    await monitor(async () => [await measured(own)])
    cancels = running.use(openCancels(shared, log, async (key) => service.cancels.deliver(key)))
    const kills = running.use(openKills(shared, log, async (session, message) => service.kill(session, message)))
    running.use(await openBeside(settings, { log, env: cli.env, kills, shared, metrics: own.metrics }))
  } catch (error) {
    await service.stop('the gateway could not be opened')
    throw error
  }
  return (await stopped) ? EXIT.ok : EXIT.failure
}

interface Beside {
  readonly log: Log
  readonly env: NodeJS.ProcessEnv
  readonly kills: SharedWishes
  readonly shared: Shared
  readonly metrics: Metrics
}

/** What one process of a gateway does beside serving, however many serve. Sessions go on whatever it meets; rejects CONFIG_INVALID. */
async function openBeside(settings: Settings, { kills, metrics, ...parts }: Beside): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack()
  const told = (what: 'console' | 'notifier'): Persistence => ({
    onFailed: (error, retryMs) => parts.log.notOpenYet(what, error, retryMs),
  })
  const kill = kills.ask.bind(kills)
  const { opened } = stack.use(await openPersistently(() => openConsole(settings, { ...parts, kill }), told('console')))
  // One that opens later is where it is configured to be.
  const console = opened?.url ?? (settings.console === undefined ? undefined : consoleUrl(settings.console))
  stack.use(await openPersistently(() => openNotifier(settings, { ...parts, console }), told('notifier')))
  stack.use(await openSiem(settings, { ...parts, metrics }))
  return stack.move()
}

async function oneWorker(file: string, cli: Cli): Promise<number> {
  let code: number = EXIT.failure
  try {
    const settings = await loadConfig(file, cli.env, 'all', await configOfPrimary())
    const index = Number(cli.env[WORKER_ENV])
    const own = { metrics: new Metrics(), health: new Health() }
    const log = openLog(cli.env, index, own)
    surviveStrays(log)
    code = await serveAsWorker(index, settings, { log, ...own }, cli)
    return code
  } finally {
    // The channel to the primary would keep a finished worker alive. Without it Node ends a worker with 0, whatever it came to.
    process.once('exit', () => {
      process.exitCode = code
    })
    process.disconnect()
  }
}

async function serveAsWorker(
  worker: number,
  settings: Settings,
  { log, ...own }: Own & { readonly log: Log },
  cli: Cli,
): Promise<number> {
  // A terminal sends Ctrl-C to the workers too; when to stop is the primary's word.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)
  const questions = new Questions(CANCEL_TIMEOUT_MS)
  const service = await Service.open(settings, {
    log,
    env: cli.env,
    worker,
    ...own,
    forwardCancel: (key, client) =>
      questions.ask((id) => send({ sallyport: 'cancel', id, key: Buffer.from(key).toString('base64'), client })),
  })
  const stopped = Promise.withResolvers<boolean>()
  process.on('message', (value: unknown) => {
    const message = workerMessage(value)
    switch (message?.sallyport) {
      case 'cancel':
        send({
          sallyport: 'cancelled',
          id: message.id,
          found: service.cancels.deliver(Buffer.from(message.key, 'base64')),
        })
        return
      case 'cancelled':
        questions.answered(message.id)
        return
      case 'kill':
        send({ sallyport: 'killed', id: message.id, found: service.kill(message.session, message.message) })
        return
      case 'measure':
        void measured(own).then(({ metrics, problem }) =>
          send({
            sallyport: 'measured',
            id: message.id,
            metrics: [...metrics],
            ...(problem === undefined ? {} : { problem }),
          }),
        )
        return
      case 'stop':
        void service.stop(message.why).then(stopped.resolve, stopped.reject)
        return
      case 'config':
      case 'killed':
      case 'measured':
      case 'ready':
      case 'starting':
      case undefined:
        return
      default:
        message satisfies never
    }
  })
  send({ sallyport: 'ready' })
  return (await stopped.promise) ? EXIT.ok : EXIT.failure
}

function send(message: WorkerMessage): void {
  process.send?.(message, undefined, undefined, () => undefined)
}

/** Asked for, as what comes before somebody listens is lost. Who is told to stop meanwhile is told again once it serves. */
function configOfPrimary(): Promise<string> {
  return new Promise((resolve) => {
    const heard = (value: unknown): void => {
      const message = workerMessage(value)
      if (message?.sallyport !== 'config') return
      process.off('message', heard)
      resolve(message.text)
    }
    process.on('message', heard)
    send({ sallyport: 'starting' })
  })
}

/** Other gateways end what they have, and have ended what is here. */
function openKills(shared: Shared, log: Log, end: SharedWishes['ask']): SharedWishes {
  return new SharedWishes(shared.records('kills'), end, (error) => log.stray(error))
}

/** A connection that cancels may come to any gateway. Hex, as names are. */
function openCancels(shared: Shared, log: Log, deliver: (key: Uint8Array) => Promise<boolean>): SharedWishes {
  return new SharedWishes(
    shared.records('cancels'),
    (key) => deliver(Buffer.from(key, 'hex')),
    (error) => log.stray(error),
  )
}

function forwarding(cancels: () => SharedWishes | undefined, log: Log): ForwardCancel {
  const forwarded = new ForwardedCancels(
    async (key) => cancels()?.ask(key, ''),
    (client) => log.cancelDropped(client),
  )
  return (key, client) => forwarded.forward(key, client)
}

interface Own {
  readonly metrics: Metrics
  readonly health: Health
}

async function measured({ metrics, health }: Own): Promise<Measured> {
  const { problem } = health
  return { metrics: await metrics.json(), ...(problem === undefined ? {} : { problem }) }
}

/** Listens from its call on, before anybody is served: who comes while the rest still opens is told farewell too. */
function askedToStop(): Promise<string> {
  const asked = Promise.withResolvers<string>()
  let first = true
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (!first) process.exit(EXIT.failure)
      first = false
      asked.resolve(signal)
    })
  }
  return asked.promise
}

/** An error that reached no handler belongs to one connection, whose bytes stay unreleased; the others must not go down with it. */
function surviveStrays(log: Log): void {
  process.on('uncaughtException', (error) => log.stray(error))
  process.on('unhandledRejection', (reason) => log.stray(reason))
}
