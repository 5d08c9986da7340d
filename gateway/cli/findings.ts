import type { FindingExplained, FindingPage, FindingView } from '../../schemas/api.ts'
import type { DispositionState, Finding, FindingRow } from '../../schemas/findings.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { type ConsoleOptions, consoleClient } from './console-client.ts'
import { type Cli, EXIT, printJson, table } from './context.ts'

export interface FindingsOptions extends ConsoleOptions {
  readonly json?: true
}

/** Evidence that is listed; `--json` has all of it. */
const SHOWN = 20

export async function listFindings(
  options: FindingsOptions & { state?: string; severity?: string; detector?: string; session?: string; cursor?: string },
  cli: Cli,
): Promise<number> {
  const console = await consoleClient(options, cli)
  const { state, severity, detector, session, cursor } = options
  const given = Object.entries({ state, severity, detector, session, cursor }).filter(([, value]) => value !== undefined)
  const page = await console.ask<FindingPage>(`/findings?${new URLSearchParams(given as [string, string][])}`)
  if (options.json) printJson(cli, page)
  else if (page.findings.length === 0) cli.err('nothing was found\n')
  else
    cli.out(table([['FINDING', 'SEVERITY', 'STATE', 'WHAT', 'WHO', 'TARGET', 'UNTIL', 'SUMMARY'], ...page.findings.map(rowOf)]))
  if (page.next !== null && !options.json) cli.err(`there are more: add --cursor ${page.next}\n`)
  return EXIT.ok
}

/** Every number with where it comes from, and whether the detector gives it again. */
export async function explainFinding(id: string, options: FindingsOptions, cli: Cli): Promise<number> {
  const console = await consoleClient(options, cli)
  const explained = await console.ask<FindingExplained>(`/findings/${encodeURIComponent(id)}/explain`)
  if (options.json) printJson(cli, explained)
  else cli.out(explanation(explained))
  return explained.reproduced ? EXIT.ok : EXIT.failure
}

export async function disposeFinding(
  id: string,
  options: FindingsOptions & { state: DispositionState; reason: string },
  cli: Cli,
): Promise<number> {
  const console = await consoleClient(options, cli)
  const { state, reason } = options
  const finding = await console.ask<FindingView>(`/findings/${encodeURIComponent(id)}/disposition`, { state, reason })
  if (options.json) printJson(cli, finding)
  else cli.out(`${finding.id} is ${finding.state}\n`)
  return EXIT.ok
}

function rowOf({ id, severity, state, code, detector, family, target, to, summary }: FindingRow): string[] {
  return [id, severity, state, `${code} ${detector}`, family, target, to.slice(0, 16), summary]
}

function explanation({ finding, reproduced, hashNow }: FindingExplained): string {
  const {
    id,
    code,
    detector,
    version,
    title,
    summary,
    family,
    target,
    object,
    value,
    threshold,
    unit,
    params,
    baseline,
    coverage,
  } = finding
  const lines = [
    `${id}  ${code} ${detector} v${version}: ${title}`,
    `  ${summary}`,
    `  who        ${family}`,
    `  where      ${target}${object === null ? '' : `, ${object}`}${finding.targets.length > 1 ? `; evidence at ${finding.targets.join(', ')}` : ''}`,
    `  when       ${finding.from} to ${finding.to}`,
    `  value      ${Math.round(value * 1000) / 1000} ${unit}, threshold ${threshold}`,
    `  parameters ${
      Object.entries(params)
        .map(([name, each]) => `${name}=${each}`)
        .join(' ') || 'none'
    }`,
    ...(baseline === null
      ? []
      : [
          `  baseline   ${Object.entries(baseline)
            .map(([name, each]) => `${name}=${each}`)
            .join(' ')}`,
        ]),
    ...(coverage === null
      ? []
      : [
          `  coverage   ${coverage.keys} different by ${coverage.keyed}${coverage.errorPercent === 0 ? '' : `, standard error ${coverage.errorPercent} %`}${coverage.of === null ? '' : `, of ${coverage.of} (${coverage.source})`}`,
        ]),
    `  score      ${finding.score} (${finding.severity}) = 1 - ${finding.addends.map(({ weight }) => `(1 - ${weight})`).join(' ')}`,
    ...finding.addends.map(({ why, weight }) => `               ${weight}  ${why}`),
    `  ATT&CK     ${finding.attack.join(', ') || 'none'}`,
    `  evidence   ${finding.contributions.length + finding.left + finding.hidden} places in ${finding.sessions} sessions`,
    ...evidence(finding),
    `  hash       ${finding.hash}`,
    reproduced
      ? '  again      the detector gives the same, to the last number'
      : `  again      the detector gives ${hashNow === null ? 'nothing' : `another result: ${hashNow}`}`,
    ...finding.dispositions.map(({ state, by, reason, at }) => `  judged     ${state} by ${by} at ${at}: ${reason}`),
  ]
  return lines.map((line) => `${safeText(line)}\n`).join('')
}

function evidence({ contributions, left, hidden }: Finding): string[] {
  const lines = contributions
    .slice(0, SHOWN)
    .flatMap(({ session, frame, lastFrame, at, rows, bytesOut, text }) => [
      `    ${session}#frame=${frame}  to ${lastFrame}  ${at.slice(0, 19)}Z  ${rows} rows, ${bytesOut} bytes`,
      `      ${text.replace(/\s+/g, ' ').trim().slice(0, 150)}`,
    ])
  const more = Math.max(0, contributions.length - SHOWN) + left
  return [
    ...lines,
    ...(more === 0 ? [] : [`    and ${more} more`]),
    ...(hidden === 0 ? [] : [`    and ${hidden} at targets you may not see`]),
  ]
}
