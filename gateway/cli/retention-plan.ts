import { createHash } from 'node:crypto'
import { Compile } from 'typebox/compile'
import type { Records } from '../../recorder/desk/records.ts'
import { outlookOf, RetentionPlan } from '../../recorder/retention/plan.ts'
import type { RetentionConfig } from '../../schemas/config-retention.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { loadConfig, type Settings } from '../config.ts'
import { openShared } from '../shared.ts'
import { tellLedger } from '../tape-room.ts'
import { type Cli, EXIT, findConfig, printJson, table } from './context.ts'
import { proveCaller } from './prove-caller.ts'
import { openHolds, removeTapes } from './retention.ts'

interface Options {
  readonly config?: string
  readonly json?: true
}

const checker = Compile(RetentionPlan)

/** What could be deleted now, what legal holds keep, and the plan's id, by which it is asked for. Deletes nothing and tells nobody. */
export async function planRetention(options: Options, cli: Cli): Promise<number> {
  const settings = await loadConfig(findConfig(options.config, cli), cli.env, 'store')
  const { rules } = rulesOf(settings)
  const { store, holds } = await openHolds(settings)
  const outlook = await outlookOf(store, rules, holds.inForce(), Date.now())
  const { due, held, kept, unended } = outlook
  await using shared = await openShared(settings, cli.env)
  const plans = shared.records('plans')
  const plan = due.length === 0 ? null : await keepPlan(plans, { v: 1, due: [...due] })
  if (options.json) printJson(cli, { plan, ...outlook })
  else {
    const rows = [
      ...due.map((one) => [one.session, one.target, one.endedAt, `${one.rule} (${one.keep})`, 'would be deleted']),
      ...held.map((one) => [
        one.session,
        one.target,
        one.endedAt,
        `${one.rule} (${one.keep})`,
        `held: ${one.holds.map(({ matter, actor }) => matter || actor).join(', ')}`,
      ]),
    ]
    if (rows.length > 0) cli.out(table([['SESSION', 'TARGET', 'ENDED', 'RULE', ''], ...rows]))
    cli.err(`${due.length} would be deleted, ${held.length} held, ${kept} kept, ${unended.length} not ended or not readable\n`)
    if (plan !== null) cli.err(`ask for it with: sallyport retention delete --plan ${plan}\n`)
  }
  return EXIT.ok
}

/**
 * Deletes what a plan names once somebody else has approved it; until then asks, and exits with 1. The approval is for this plan and whoever
 * asks, once. Whatever is held or kept longer by then stays; of each tape the ledger knows first.
 */
export async function deletePlan(id: string, options: Options & { readonly keyFile?: string }, cli: Cli): Promise<number> {
  const settings = await loadConfig(findConfig(options.config, cli), cli.env, 'store')
  const { rules, approvers } = rulesOf(settings)
  const caller = await proveCaller(settings, 'who deletes?', options.keyFile, cli)
  if (caller.kind !== 'human') throw new ApplianceError('AUTH_DENIED', 'tapes are deleted by people')
  await using shared = await openShared(settings, cli.env)
  const { plan, hash } = await keptPlan(shared.records('plans'), id)
  const ledger = { append: (entry: Parameters<typeof tellLedger>[1]) => tellLedger(settings, entry) }
  using desk = shared.desk(ledger)
  const binding = createHash('sha256')
    .update(JSON.stringify(['retention.delete', hash, caller.subject]))
    .digest('hex')
  const grant = await desk.granted(binding)
  if (grant === undefined) {
    const { subject, kind, principal } = caller
    const asked = await desk.submit({
      about: 'retention',
      requester: subject,
      requesterKind: kind,
      ...(principal === undefined ? {} : { principal }),
      kind: 'retention.delete',
      command: plan.due
        .map((one) => `${one.session} ${one.target} ended ${one.endedAt}, ${one.rule} keeps ${one.keep}`)
        .join('\n'),
      facts: { plan: id, sessions: plan.due.length },
      rules: [],
      reason: `delete ${plan.due.length} tapes whose time is over`,
      approvers: { groups: [...approvers.groups], count: approvers.count ?? 1 },
      binding,
      ttlMs: settings.limits.approvalTtlMs,
    })
    if (options.json) printJson(cli, { plan: id, request: asked.id, state: asked.state, deleted: [], left: [] })
    else
      cli.err(
        `nothing is deleted yet: ${asked.id} waits for ${asked.approvers.count} of ${asked.approvers.groups.map(safeText).join(', ')}; then run this again\n`,
      )
    return EXIT.failure
  }
  const { store, holds } = await openHolds(settings)
  const now = new Map((await outlookOf(store, rules, holds.inForce(), Date.now())).due.map((one) => [one.session, one.rule]))
  if (!(await desk.consume(grant.id))) throw new ApplianceError('APPROVAL_CONFLICT', `${grant.id} has been used meanwhile`)
  const by = {
    actor: caller.subject,
    proof: caller.proof,
    request: grant.id,
    approvedBy: grant.decisions.map((decision) => decision.by),
  }
  const due = plan.due.filter(({ session, rule }) => now.get(session) === rule)
  const deleted = (await removeTapes(settings, { store, holds }, due, by)).map(({ session }) => session)
  const left = plan.due.map(({ session }) => session).filter((session) => !deleted.includes(session))
  const removed = 'folder' in settings.store
  if (options.json) printJson(cli, { plan: id, request: grant.id, state: 'consumed', deleted, left, removed })
  else {
    const how = removed ? 'deleted' : 'released to the lifecycle rule of the container'
    cli.err(
      `${deleted.length} ${how}${left.length === 0 ? '' : `; left, as they are held, kept or gone by now: ${left.join(', ')}`}\n`,
    )
  }
  return EXIT.ok
}

function rulesOf({ retention }: Settings): RetentionConfig {
  if (retention === undefined) throw new ApplianceError('CONFIG_INVALID', 'the configuration has no retention: rules')
  return retention
}

/** Named by its bytes, so that what was approved is what is done, and the same plan is the same request. */
async function keepPlan(plans: Records, plan: RetentionPlan): Promise<string> {
  const text = JSON.stringify(plan)
  const id = idOf(hashOf(text))
  await plans.replace(`${id}.json`, text)
  return id
}

async function keptPlan(plans: Records, id: string): Promise<{ readonly plan: RetentionPlan; readonly hash: string }> {
  const unknown = new ApplianceError('STORE_MISSING', `there is no plan ${JSON.stringify(id)}; see sallyport retention plan`)
  if (!/^R-[0-9a-f]{16}$/.test(id)) throw unknown
  const text = await plans.read(`${id}.json`)
  if (text === undefined) throw unknown
  const hash = hashOf(text)
  if (idOf(hash) !== id) throw new ApplianceError('STORE_CONFLICT', `the plan ${id} is not what it was; plan anew`)
  const plan: unknown = JSON.parse(text)
  if (!checker.Check(plan)) throw unknown
  return { plan, hash }
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function idOf(hash: string): string {
  return `R-${hash.slice(0, 16)}`
}
