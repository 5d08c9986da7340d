import type { ConsoleSettings } from './config.ts'

/** Where people find the console, whether or not it is open; undefined where only the running gateway knows its port. */
export function consoleUrl({ host, port, tls, url }: ConsoleSettings): string | undefined {
  if (url !== undefined) return url
  if (port === 0) return undefined
  const shown = host === '::' || host === '0.0.0.0' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  return `${tls === undefined ? 'http' : 'https'}://${shown}:${port}`
}
