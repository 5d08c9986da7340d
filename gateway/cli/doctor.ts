import { safeText } from '../../schemas/safe-text.ts'
import { loadConfig, type Settings } from '../config.ts'
import type { Check, CheckStatus } from '../doctor/check.ts'
import { checkAttesters } from '../doctor/check-attesters.ts'
import { checkDatabases } from '../doctor/check-databases.ts'
import { checkEvidence } from '../doctor/check-evidence.ts'
import { checkCertificates, checkIssuers } from '../doctor/check-identity.ts'
import { checkSigner, checkSpool, checkTargets } from '../doctor/check-machine.ts'
import { checkGrants } from '../doctor/check-postgres.ts'
import { checkStore } from '../doctor/check-store.ts'
import { type Cli, EXIT, findConfig, printJson } from './context.ts'

/** More is allowed than should be; nothing failed. */
const EXIT_EXCESS = 3

const MARKS: Readonly<Record<CheckStatus, string>> = {
  ok: 'ok      ',
  warning: 'warning ',
  excess: 'TOO MUCH',
  failed: 'FAILED  ',
  skipped: 'skipped ',
}

/** Checks a deployment from where it runs: what must work does, and what must not is refused; or one part of it more closely. */
export async function doctor(
  part: 'postgres' | undefined,
  options: { readonly config?: string; readonly json?: true },
  cli: Cli,
): Promise<number> {
  const settings = await loadConfig(findConfig(options.config, cli), cli.env)
  const checks = part === undefined ? await checkAll(settings, cli.env) : await checkGrants(settings, cli.env)
  const has = (status: CheckStatus): boolean => checks.some((check) => check.status === status)
  const exit = has('failed') ? EXIT.failure : has('excess') ? EXIT_EXCESS : EXIT.ok
  if (options.json) printJson(cli, { exit, checks })
  else for (const check of checks) cli.out(lines(check))
  return exit
}

async function checkAll(settings: Settings, env: NodeJS.ProcessEnv): Promise<readonly Check[]> {
  const parts = await Promise.all([
    checkSpool(settings),
    checkSigner(settings),
    checkStore(settings.store, settings.gateway),
    checkEvidence(settings.evidence),
    checkAttesters(settings.attesters, settings.gateway),
    checkDatabases(settings, env),
    checkCertificates(settings),
    checkIssuers(settings),
    checkTargets(settings, env),
  ])
  return parts.flat()
}

function lines({ what, status, seen, cure }: Check): string {
  const told = `${MARKS[status]}  ${safeText(what)}: ${safeText(seen)}\n`
  return cure === undefined || status === 'ok' ? told : `${told}          -> ${safeText(cure)}\n`
}
