import type { TestContext } from 'node:test'
import { pino } from 'pino'
import { loadConfig } from '../../gateway/config.ts'
import { openConsole, type RunningConsole } from '../../gateway/console.ts'
import { Log } from '../../gateway/log.ts'
import { type GatewayOptions, startGateway, type TestTarget, targetAt } from './gateway.ts'
import { LogLines } from './gateway-log.ts'
import { type PgServer, startPostgres } from './pg-server.ts'

export interface ConsoleRig extends AsyncDisposable {
  readonly server: PgServer
  readonly gateway: Awaited<ReturnType<typeof startGateway>>
  readonly console: RunningConsole
}

/** A seeded server, a gateway before it, and its console: people and keys are the gateway folder's. */
export async function startConsole(
  _t: TestContext,
  seed: string,
  options: Partial<GatewayOptions> & { readonly target?: Partial<TestTarget> } = {},
): Promise<ConsoleRig> {
  const { target, ...rest } = options
  const stack = new AsyncDisposableStack()
  try {
    const server = stack.use(await startPostgres({ from: 'embedded' }))
    await server.sql(seed)
    const gateway = stack.use(
      await startGateway({ targets: [targetAt(server, { name: 'shop', ...target })], console: true, ...rest }),
    )
    const settings = await loadConfig(gateway.folder.config, {})
    const running = await openConsole(settings, {
      env: {},
      log: new Log(pino({ level: 'info', base: {} }, new LogLines())),
      kill: async (session, message) => gateway.service.kill(session, message),
    })
    if (running === undefined) throw new Error('the configuration has a console')
    stack.use(running)
    return { server, gateway, console: running, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
