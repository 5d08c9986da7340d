import type { Config } from '../schemas/config.ts'
import type { SecretSource } from '../schemas/config-parts.ts'
import type { Problem } from './config-check.ts'

/** Where the groups come from that somebody can be in. */
const GROUPS = [
  ['identities', '*', 'groups'],
  ['jwt', '*', 'groups'],
]

/** What in a well-formed `approvals`, `notify` or `access` could not be enforced as it stands. `known`: groups that somebody can be in. */
export function approvalProblems(config: Config, known: ReadonlySet<string>): Problem[] {
  return [
    ...accessProblems(config, known),
    ...groupProblems(config.approvals?.breakGlass, ['approvals', 'breakGlass'], known),
    ...groupProblems(config.retention?.approvers.groups, ['retention', 'approvers', 'groups'], known),
    ...notifyProblems(config),
  ]
}

function accessProblems({ targets }: Config, known: ReadonlySet<string>): Problem[] {
  return targets.flatMap(({ groups, access }, index) => {
    const at = ['targets', index]
    if (access === undefined)
      return groups.length > 0
        ? []
        : [{ at: [...at, 'groups'], message: 'nobody may reach this target: give groups, or access that can be asked for' }]
    return [
      ...groupProblems(access.groups, [...at, 'access', 'groups'], known),
      ...groupProblems(access.approvers.groups, [...at, 'access', 'approvers', 'groups'], known),
    ]
  })
}

function groupProblems(groups: readonly string[] = [], at: Problem['at'], known: ReadonlySet<string>): Problem[] {
  return groups.flatMap((group, position) =>
    known.has(group)
      ? []
      : [
          {
            at: [...at, position],
            message: `nobody can be in the group ${group}: no identity has it and no issuer confers it`,
            others: GROUPS,
          },
        ],
  )
}

function notifyProblems({ notify = [], identities = [], console: settings }: Config): Problem[] {
  return notify.flatMap((each, index) => {
    const at = ['notify', index]
    const problems: Problem[] = []
    if (notify.findIndex(({ name }) => name === each.name) < index)
      problems.push({ at: [...at, 'name'], message: `${each.name} stands here twice` })
    if ('webhook' in each && typeof each.webhook.url === 'string' && !isSafe(each.webhook.url))
      problems.push({ at: [...at, 'webhook', 'url'], message: 'commands would go in clear: https, or a loopback address' })
    if ('slack' in each) {
      const { approvers = {}, api } = each.slack
      if (api !== undefined && !isSafe(api))
        problems.push({ at: [...at, 'slack', 'api'], message: 'the token would go in clear: https, or a loopback address' })
      if (Object.keys(approvers).length > 0 && settings === undefined)
        problems.push({
          at: [...at, 'slack', 'approvers'],
          message: 'Slack sends what is pressed to the console, and there is none',
          others: [['console']],
        })
      for (const [user, subject] of Object.entries(approvers)) {
        if (!identities.some((identity) => identity.subject === subject && identity.kind === 'human'))
          problems.push({
            at: [...at, 'slack', 'approvers', user],
            message: `${subject} is no configured human identity`,
            others: [
              ['identities', '*', 'subject'],
              ['identities', '*', 'kind'],
            ],
          })
      }
    }
    if ('teams' in each && settings === undefined)
      problems.push({ at: [...at, 'teams'], message: 'cards link to the console, and there is none', others: [['console']] })
    return problems
  })
}

/** Every secret that the channels need, and where it is named. */
export function notifySecrets({ notify = [] }: Config): readonly { readonly at: Problem['at']; readonly source: SecretSource }[] {
  return notify.flatMap((each, index) => {
    const at = (...path: string[]): Problem['at'] => ['notify', index, ...path]
    if ('slack' in each)
      return [
        { at: at('slack', 'token'), source: each.slack.token },
        { at: at('slack', 'signingSecret'), source: each.slack.signingSecret },
      ]
    if ('teams' in each) return [{ at: at('teams', 'url'), source: each.teams.url }]
    const { url, secret } = each.webhook
    return [
      { at: at('webhook', 'secret'), source: secret },
      ...(typeof url === 'string' ? [] : [{ at: at('webhook', 'url'), source: url }]),
    ]
  })
}

/** Whether what is sent there is readable on its way by nobody else. */
export function isSafe(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
}
