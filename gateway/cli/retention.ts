import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openStore, openTape, type Store } from '../../recorder/index.ts'
import { type Hold, Holds, holdCopies } from '../../recorder/retention/holds.ts'
import { readGatewayKeys } from '../../recorder/tape/signer-file.ts'
import { tapeParts } from '../../recorder/tape/tape-parts.ts'
import { ApplianceError } from '../../schemas/errors.ts'
import { safeText } from '../../schemas/safe-text.ts'
import { tapeKeys } from '../../schemas/tape.ts'
import { loadConfig, type Settings } from '../config.ts'
import { placesIn } from '../places.ts'
import { tellInCheckpoint, tellLedger } from '../tape-room.ts'
import { type Cli, EXIT, findConfig, printJson, table } from './context.ts'
import { proveCaller } from './prove-caller.ts'
import { fullId } from './replay.ts'

interface Options {
  readonly config?: string
  readonly json?: true
}

export interface HoldOptions extends Options {
  readonly matter?: string
  readonly reason: string
  readonly keyFile?: string
}

export interface DeleteOptions extends Options {
  readonly rule: string
  readonly keyFile?: string
}

const MATTER = /^[A-Za-z0-9._-]{1,64}$/

/**
 * Puts a session under legal hold, or lifts what one matter holds it for. The ledger knows first; then the copies in the evidence container are put
 * under hold, or released where no other matter holds them.
 */
export async function changeHold(act: 'set' | 'clear', session: string, options: HoldOptions, cli: Cli): Promise<number> {
  const { matter = '', reason } = options
  if (matter !== '' && !MATTER.test(matter))
    throw new ApplianceError('CONFIG_INVALID', 'a matter is 1 to 64 letters, digits, dots, dashes and underscores')
  const settings = await loadConfig(findConfig(options.config, cli), cli.env, 'store')
  const { subject, kind, proof } = await proveCaller(settings, 'who holds?', options.keyFile, cli)
  if (kind !== 'human') throw new ApplianceError('AUTH_DENIED', 'legal holds are set and lifted by people')
  const { store, holds } = await openHolds(settings)
  const id = act === 'set' ? await fullId(store, session) : heldId(holds, session, matter)
  await tellLedger(settings, {
    type: `hold.${act}`,
    actor: subject,
    proof,
    session: id,
    reason,
    ...(matter === '' ? {} : { matter }),
  })
  await holds.catchUp()
  const held = holds.isHeld(id)
  const copies = await holdTheirCopies(settings, id, held)
  if (options.json) printJson(cli, { session: id, matter, held, copies })
  else cli.err(`${safeText(id)} is ${held ? 'held' : 'not held any more'}${wordsOf(copies)}\n`)
  return EXIT.ok
}

/**
 * Deletes the tape of a session that has ended and that nobody holds, under a rule. The ledger knows first, so that it is DELETED-BY-POLICY and not
 * missing. In a folder its files are removed; in a container that is for its lifecycle rule, as no identity of ours may delete.
 */
export async function deleteTape(session: string, options: DeleteOptions, cli: Cli): Promise<number> {
  const settings = await loadConfig(findConfig(options.config, cli), cli.env, 'store')
  const { subject, kind, proof } = await proveCaller(settings, 'who deletes?', options.keyFile, cli)
  if (kind !== 'human') throw new ApplianceError('AUTH_DENIED', 'tapes are deleted by people')
  if (settings.retention !== undefined)
    throw new ApplianceError(
      'STORE_DENIED',
      'where there are retention rules, tapes are deleted by a plan that somebody else approves: sallyport retention plan',
    )
  const { store, holds } = await openHolds(settings)
  const id = await fullId(store, session)
  refuseHeld(holds, id)
  if ((await openTape(store, id)).state === 'open')
    throw new ApplianceError('STORE_CONFLICT', `${id} is still being recorded, or waits for its recovery`)
  const by = { actor: subject, proof }
  const [done] = await removeTapes(settings, { store, holds }, [{ session: id, rule: options.rule }], by)
  if (done === undefined) refuseHeld(holds, id)
  const objects = done?.objects ?? 0
  const removed = 'folder' in settings.store
  if (options.json) printJson(cli, { session: id, objects, removed })
  else cli.err(`${safeText(id)} is ${removed ? 'deleted' : 'released: the lifecycle rule of its container may delete it'}\n`)
  return EXIT.ok
}

/**
 * Tells the ledger, and removes the files of ended tapes once a checkpoint has that: they are DELETED-BY-POLICY at any moment, and never merely gone. Resolves
 * with those that were removed, and how many objects each had. What somebody holds stays, whatever the ledger was told: somebody may have held it meanwhile, the
 * entries' order decides, and nothing is gone before.
 */
export async function removeTapes(
  settings: Settings,
  { store, holds }: { readonly store: Store; readonly holds: Holds },
  due: readonly { readonly session: string; readonly rule: string }[],
  by: { readonly actor: string; readonly proof: string; readonly request?: string; readonly approvedBy?: string[] },
): Promise<readonly { readonly session: string; readonly objects: number }[]> {
  await holds.catchUp()
  const told: { readonly session: string; readonly rule: string; readonly objects: number }[] = []
  for (const { session, rule } of due) {
    if (holds.isHeld(session)) continue
    let objects = 0
    for await (const _ of tapeParts(store, session)) objects += 1
    told.push({ session, rule, objects })
  }
  if (told.length === 0) return []
  await tellInCheckpoint(
    settings,
    told.map((one) => ({ type: 'retention.delete', ...by, ...one })),
  )
  await holds.catchUp()
  const removed = told.filter(({ session }) => !holds.isHeld(session))
  if ('folder' in settings.store)
    for (const { session } of removed) await rm(join(settings.store.folder, tapeKeys.prefix(session)), { recursive: true })
  return removed
}

function refuseHeld(holds: Holds, session: string): void {
  const found = holds.inForce().filter((hold) => hold.session === session)
  if (found.length === 0) return
  const who = found.map(({ matter, actor }) => (matter === '' ? actor : `${actor} for ${matter}`)).join(', ')
  throw new ApplianceError('STORE_DENIED', `${session} is under legal hold (${who}) and cannot be deleted`)
}

/** Everything that is held; with a session, whether that is: exit code 1 where it is not. */
export async function listHolds(session: string | undefined, options: Options, cli: Cli): Promise<number> {
  const { store, holds } = await openHolds(await loadConfig(findConfig(options.config, cli), cli.env, 'store'))
  const id = session === undefined ? undefined : await idOf(store, holds, session)
  const found = holds.inForce().filter((hold) => id === undefined || hold.session === id)
  if (options.json) printJson(cli, found)
  else if (found.length === 0) cli.err(id === undefined ? 'nothing is held\n' : `${safeText(id)} is not held\n`)
  else cli.out(table([['SESSION', 'MATTER', 'SINCE', 'BY', 'REASON'], ...found.map(rowOf)]))
  return id !== undefined && found.length === 0 ? EXIT.failure : EXIT.ok
}

export async function openHolds({ store: place, dataDir }: Settings): Promise<{ readonly store: Store; readonly holds: Holds }> {
  const store = await openStore(place)
  const holds = new Holds(store, () => readGatewayKeys(placesIn(dataDir).keys))
  await holds.catchUp()
  return { store, holds }
}

/** Also of a session whose tape is gone: its hold can be lifted, and must be seen. */
async function idOf(store: Store, holds: Holds, part: string): Promise<string> {
  for (const { session } of holds.inForce()) if (session === part) return session
  return fullId(store, part)
}

function heldId(holds: Holds, part: string, matter: string): string {
  const found = holds.inForce().filter((hold) => hold.matter === matter && (hold.session === part || hold.session.endsWith(part)))
  const [only] = found
  if (only !== undefined && part !== '' && found.length === 1) return only.session
  const which = matter === '' ? 'without a matter' : `for ${matter}`
  throw new ApplianceError(
    'STORE_MISSING',
    `no session ${JSON.stringify(part)} is held ${which}; see sallyport retention hold list`,
  )
}

/** How many copies were put under hold or released; null where there is no evidence container. */
async function holdTheirCopies({ evidence }: Settings, session: string, on: boolean): Promise<number | null> {
  if (evidence === undefined) return null
  const { openEvidence } = await import('../../recorder/store/store-blob-evidence.ts')
  const { place, retention } = evidence
  const opened = await openEvidence(place, retention)
  if (opened.holdsAll) return 0
  try {
    return await holdCopies(opened, session, on)
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error)
    throw new ApplianceError(
      'STORE_FAILED',
      `the ledger has it, the copies in the evidence container do not yet; \`sallyport serve\` tries again every minute: ${cause}`,
      { cause: error },
    )
  }
}

function wordsOf(copies: number | null): string {
  if (copies === null) return '; there is no evidence container that would enforce it: whoever deletes has to ask'
  return copies === 0 ? '; its copies will be, as they are made' : `, with ${copies} copies in the evidence container`
}

function rowOf({ session, matter, at, actor, reason }: Hold): string[] {
  return [session, matter === '' ? '-' : matter, at, actor, reason]
}
